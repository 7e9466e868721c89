"""Two models of one task: which inputs and which classes of the one are which of the other.

By their names, wherever these agree. An input of each that has no namesake is taken for the same if
it holds the same; what is left is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pellucid.api import LoadedModel
from pellucid.errors import SpecError
from pellucid.explain import name_at
from pellucid.inputs import Beside, InputInfo, Instance
from pellucid.metadata import Nested
from pellucid.model import Array
from pellucid.notices import Where


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a file is read for one of two models: its `inputs`, under the names of the first's.

    `beside` leaves out what only the other takes; `names` are the model's own, by those it is read
    under.
    """

    inputs: tuple[InputInfo, ...]
    beside: Beside
    names: Mapping[str, str]

    def own(self, record: Instance) -> Instance:
        """Return an instance under the model's own names."""
        tensors = {self.names.get(name, name): it for name, it in record.tensors.items()}
        pictures = tuple(self.names.get(name, name) for name in record.pictures)
        return replace(record, tensors=tensors, pictures=pictures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """What is the same in two models, and, in sentences, what is not.

    `features` are the first model's names of features, by the second's.
    """

    first: Reading
    second: Reading
    features: Mapping[str, str]
    said: tuple[str, ...] = ()

    def named(self, element: str) -> str:
        """Return what the first model calls an element of the second's explanations."""
        for theirs, ours in self.features.items():
            rest = element.removeprefix(theirs)
            if theirs != ours and len(rest) < len(element) and rest[:1] in ("", "[", ":"):
                return f"{ours}{rest}"
        return element


def match(first: LoadedModel, second: LoadedModel) -> Matched:
    """Return what is the same in two models. Raises SpecError where nothing is."""
    pairs, said = pairs_of(first.inputs, second.inputs)
    if not pairs:
        listed = ", ".join(f"'{it.name}' ({it.wants})" for it in first.inputs)
        other = ", ".join(f"'{it.name}' ({it.wants})" for it in second.inputs)
        what = f"takes {other}, and the first model {listed}: no input is the same"
        raise SpecError(what, where=Where(file=str(second.directory)))
    ours = {it.name for it in first.inputs}
    theirs = {it.name for it in second.inputs}
    names = {pairs.get(name, name): name for name in theirs}
    return Matched(
        first=Reading(
            inputs=first.inputs, names={}, beside=_without(first, {*names} - ours),
        ),
        second=Reading(
            inputs=tuple(replace(it, name=pairs.get(it.name, it.name)) for it in second.inputs),
            names={read: own for read, own in names.items() if read != own},
            beside=_without(second, ours - {*names}),
        ),
        features=dict(_features(first, second, pairs)),
        said=tuple(said),
    )  # fmt: skip


def _without(model: LoadedModel, names: set[str]) -> Beside:
    ignored = dict.fromkeys((*model.beside.ignored, *sorted(names)))
    return replace(model.beside, ignored=tuple(ignored))


def pairs_of(
    first: Sequence[InputInfo], second: Sequence[InputInfo]
) -> tuple[dict[str, str], list[str]]:
    """Return the first model's name of each input of the second, and what has no counterpart."""
    ours, theirs = ({it.name: it for it in inputs} for inputs in (first, second))
    pairs = {name: name for name in theirs if name in ours}
    lost = [it for name, it in ours.items() if name not in theirs]
    new = [it for name, it in theirs.items() if name not in ours]
    said = []
    if len(lost) == len(new) == 1 and _alike(lost[0], new[0]):
        pairs[new[0].name] = lost[0].name
        said.append(
            f"'{lost[0].name}' of the first model is taken for '{new[0].name}' of the second"
        )
        lost, new = [], []
    for which, rest in (("first", lost), ("second", new)):
        if rest:
            listed = ", ".join(f"'{it.name}'" for it in rest)
            said.append(
                f"{listed}: only the {which} model takes {'it' if len(rest) == 1 else 'them'}"
            )
    return pairs, said


def _alike(first: InputInfo, second: InputInfo) -> bool:
    if first.is_string != second.is_string:
        return False
    shapes = (first.instance_shape, second.instance_shape)
    return None in shapes or len(shapes[0] or ()) == len(shapes[1] or ())


def _features(
    first: LoadedModel, second: LoadedModel, pairs: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Yield the second model's features with the first's names of them."""
    known = {key: name for name, key in first.explainer.input_keys.items()}
    for name, key in second.explainer.input_keys.items():
        ours = known.get(pairs.get(key, key))
        if ours is not None:
            yield name, ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Classes:
    """The outputs of two models, by what they are called, or by their places where nobody is.

    `ours` and `theirs` are the shapes of the output of one instance.
    """

    ours: tuple[int, ...]
    theirs: tuple[int, ...]
    our_names: Nested | Array | None = None
    their_names: Nested | Array | None = None

    @property
    def named(self) -> bool:
        """Whether both models name their classes, so that these are matched by name."""
        return self.our_names is not None and self.their_names is not None

    @property
    def said(self) -> str:
        """What is not the same, ``""`` where all is."""
        if not self.named:
            if self.ours == self.theirs:
                return ""
            return (
                f"an answer of the first model has the shape {list(self.ours)}, of the second "
                f"{list(self.theirs)}, and not both name their classes: these are matched by place"
            )
        lost, new = self._only(self._names_of_ours, self._names_of_theirs)
        parts = [f"only the first model knows {_listed(lost)}"] if lost else []
        parts += [f"only the second knows {_listed(new)}"] if new else []
        return "; ".join(parts)

    @property
    def _names_of_ours(self) -> dict[str, tuple[int, ...]]:
        return _by_name(self.our_names, self.ours)

    @property
    def _names_of_theirs(self) -> dict[str, tuple[int, ...]]:
        return _by_name(self.their_names, self.theirs)

    @staticmethod
    def _only(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[list[str], list[str]]:
        return [it for it in one if it not in other], [it for it in other if it not in one]

    def theirs_of(self, index: tuple[int, ...]) -> tuple[int, ...] | None:
        """Return the second model's place of a class of the first, None where it has none."""
        if self.named:
            name = name_at(self.our_names, index)
            return None if name is None else self._names_of_theirs.get(name)
        if len(index) == len(self.theirs):
            inside = all(i < n for i, n in zip(index, self.theirs, strict=True))
            return index if inside else None
        return None

    def pairs(self) -> tuple[Array, Array]:
        """Return the flat places of all classes that both have, in the first and in the second."""
        found = [(at, self.theirs_of(at)) for at in np.ndindex(*self.ours)]
        both = [(one, other) for one, other in found if other is not None]
        flat = [(_flat(one, self.ours), _flat(other, self.theirs)) for one, other in both]
        made = np.array(flat, np.int64).reshape(-1, 2)
        return made[:, 0], made[:, 1]


def _flat(index: tuple[int, ...], shape: tuple[int, ...]) -> int:
    return int(np.ravel_multi_index(index, shape)) if shape else 0


def _by_name(names: Nested | Array | None, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for place in np.ndindex(*shape):
        name = name_at(names, place)
        if name is not None:
            found.setdefault(name, place)
    return found


def _listed(names: Sequence[str]) -> str:
    listed = ", ".join(f"'{it}'" for it in names[:5])
    return f"{listed} and {len(names) - 5} more" if len(names) > 5 else listed
