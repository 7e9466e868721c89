"""LIME of texts: which words, left out or not, a linear model needs to say the same.

```python
>>> import numpy as np
>>> from pellucid.methods.texts import cut, lime_of_words, parts
>>> from pellucid.model import FunctionModel
>>> model = FunctionModel(
...     lambda x: np.array([[2.0 * it.count(b"good")] for it in x["text"]]),
...     lambda x, target: {},
...     frozenset(),
... )
>>> words = {"text": cut("good, so good", "words")}
>>> x = {"text": np.array([b"good, so good"], object)}
>>> found = lime_of_words(model, x, words, [0])
>>> found.coefficients.round(1), parts(words)["text"]
(array([[ 2.7, -1.2]]), array([0, 1, 0]))

```

The samples, the distances, the kernel and the regression are those of the `lime` package, which
leaves out a word wherever it occurs (a bag of words), and what is between words stays. Its features
are all kept (`feature_selection="none"`), and words are those of `Cut`; it has its own with the
split ``\\W+``. A string that is no text is in or out as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import NamedTuple

import numpy as np

from pellucid.errors import InstanceError
from pellucid.methods.lime import LimeExplanation, fitted
from pellucid.methods.texts.cuts import Cut
from pellucid.methods.texts.text_model import TextModel
from pellucid.model import Array, Model, Tensors
from pellucid.notices import Hint


class Sampling(NamedTuple):
    """How many samples are drawn, and of what.

    A `mask` stands where a word is left out. In a `bag`, a word is left out wherever it occurs.
    """

    rows: int = 1000
    mask: str | None = None
    bag: bool = True


def lime_of_words(
    model: Model,
    x: Tensors,
    cuts: Mapping[str, Cut],
    labels: Sequence[int],
    sampling: Sampling = Sampling(),
    *,
    whole: Mapping[str, Array] = {},
    seed: int = 0,
    number: int = 0,
) -> LimeExplanation:
    """Return the LIME explanation of one instance, in terms of the words of its texts.

    `x` maps features to arrays [1, …]; `cuts` are its texts, and `whole` strings that are in or
    out as a whole, with what stands for each that is out, [1, …]; the others are held. The
    coefficients are those of the distinct words of each text, as they come, and then of the whole
    strings: see `parts`. `labels` are the flat indices of the outputs to explain.

    `number` is the instance's place in the whole run: the first draws its samples from
    ``RandomState(seed)``, as ``LimeTextExplainer(random_state=seed)`` does, and instance i from
    ``RandomState([seed, i])``. Rows that are drawn twice are asked once. Raises InstanceError if
    leaving out words makes the output NaN or infinite. Source: arXiv 1602.04938.
    """
    places = parts(cuts, whole, bag=sampling.bag)
    several = np.concatenate([np.atleast_1d(it) for it in places.values()])
    if not several.size:
        return _of_nothing(model.outputs(x)[0][list(labels)], np.asarray(labels), several)
    generator = np.random.RandomState([seed, number] if number else seed)
    rows = samples(sampling.rows, int(several.max(initial=-1)) + 1, generator)
    asked = model_of_parts(model, x, cuts, sampling.mask)
    return fitted(
        rows,
        _outputs(asked, x, whole, places, rows),
        several,
        labels,
        len(labels),
        InstanceError(
            f"with words of {' and '.join(map(repr, places))} left out, the model's output is not "
            "finite, which nothing can explain",
            hint=None
            if sampling.mask is not None
            else Hint("put a token in the place of words that are left out, with {mask}"),
        ),
    )


def samples(count: int, words: int, generator: np.random.RandomState) -> Array:
    """Return `count` rows of which words are there, bool [count, words]; the first has all.

    For each of the others it is drawn how many are left out, from one to all of them, and then for
    each row which.
    """
    rows = np.ones((count, words), bool)
    if words:
        for row, size in zip(rows[1:], generator.randint(1, words + 1, count - 1), strict=True):
            row[generator.choice(words, size, replace=False)] = False
    return rows


def parts(
    cuts: Mapping[str, Cut], whole: Mapping[str, Array] = {}, *, bag: bool = True
) -> dict[str, Array]:
    """Return the number of the coefficient of each part of each text, int [p], or of a string."""
    numbers = count()
    found: dict[str, Array] = {}
    for name, cut in cuts.items():
        known: dict[object, int] = {}
        for place, word in enumerate(cut.words):
            key = word if bag else place
            if key not in known:
                known[key] = next(numbers)
        keys = cut.words if bag else range(len(cut.words))
        found[name] = np.array([known[key] for key in keys], np.intp)
    for name in whole:
        found[name] = np.array(next(numbers))
    return found


def model_of_parts(
    model: Model, x: Tensors, cuts: Mapping[str, Cut], mask: str | None
) -> TextModel:
    """Return the model that is told which parts of the texts are there.

    As in the `lime` package, what is between words stays where they are left out.
    """
    shapes = {name: np.shape(x[name])[1:] for name in cuts}
    return TextModel(model=model, cuts=cuts, shapes=shapes, mask=mask or "")


def _of_nothing(scores: Array, labels: Array, parts: Array) -> LimeExplanation:
    """Return what there is to say of texts without any word."""
    unknown = np.full(len(labels), np.nan)
    return LimeExplanation(
        segments=parts,
        labels=labels,
        scores=scores,
        coefficients=np.zeros((len(labels), 0)),
        errors=np.zeros((len(labels), 0)),
        intercepts=scores,
        fitted=scores,
        r_squared=unknown,
        stability=unknown,
    )


def _outputs(
    model: TextModel,
    x: Tensors,
    whole: Mapping[str, Array],
    places: Mapping[str, Array],
    rows: Array,
) -> Array:
    """Return the outputs [n, m] for rows of which parts are there, bool [n, p]."""
    bits = np.packbits(rows, axis=1)
    keys = bits.view(np.dtype((np.void, bits.shape[1])))[:, 0]
    _, first, back = np.unique(keys, return_index=True, return_inverse=True)
    there = rows[first]
    found = []
    for some in model.blocks(len(there)):
        part = there[some]
        mixed = {
            name: np.broadcast_to(value, (len(part), *value.shape[1:])) for name, value in x.items()
        }
        for name, place in places.items():
            mixed[name] = part[:, place]
            if name in whole:
                seen = mixed[name].reshape(-1, *(1,) * (x[name].ndim - 1))
                mixed[name] = np.where(seen, x[name], whole[name])
        found.append(model.outputs(mixed))
    return np.concatenate(found)[back]
