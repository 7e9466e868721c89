"""The tables of "How far to trust an explanation": ``python tests/bench/trust.py [MODEL …]``.

Inputs are those that the sample models were not trained on, made again from the packages that the
data come in, and split as ``sample_models/*/make.py`` splits them; of `imagenet`, whose training is
not ours, the six sample photos. Takes minutes, most of them LIME's and Shapley's of photos.
"""

from __future__ import annotations

import argparse
import os
import runpy
import sys
from collections.abc import Iterator, Sequence
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np
from rows import PHOTOS, SAMPLES, load

from pellucid.evaluate import Evaluation, Interval
from pellucid.inputs.readers import read_file

METRICS = ("insertion", "deletion")
RANDOM = "random"
COUNT = 40
METHODS = {
    "ig": "integrated gradients",
    "xrai": "XRAI",
    "shapley": "sampled Shapley",
    "lime": "LIME",
}
PICTURES = ("ig", "xrai", "shapley:regions", "lime:slic")
CANDIDATES = {
    "digits": PICTURES,
    "code_or_prose": ("ig", "shapley"),
    "wine": ("ig", "shapley"),
    "imagenet": ("ig", "xrai", "shapley:regions:paths=10", "lime:slic"),
}
STAGES = {"digits": 25, "imagenet": 20}


def held_out(name: str, model: Any) -> list[Any]:
    """The inputs of a sample model that it was not trained on, or the first 40 of them."""
    from sklearn.model_selection import train_test_split

    if name == "imagenet":
        photos = sorted((PHOTOS / "images").iterdir())
        return [it for path in photos for it in read_file(path, model.inputs)]
    if name == "code_or_prose":
        _, texts = runpy.run_path(str(SAMPLES / "corpus.py"))["snippets"]()
        return [{"text": text} for text, _ in texts[:COUNT]]
    made = runpy.run_path(str(SAMPLES / name / "make.py"))
    if name == "digits":
        x, labels = made["load"]()
        _, x, _, _ = train_test_split(x, labels, test_size=450, random_state=7, stratify=labels)
        return list(x[:COUNT])
    x, labels = made["load_wine"](return_X_y=True)
    x = x.astype(np.float32)
    _, x, _, _ = train_test_split(x, labels, test_size=54, random_state=7, stratify=labels)
    return [dict(zip(made["FEATURES"], row.tolist(), strict=True)) for row in x]


def judged(name: str) -> Evaluation:
    """What `evaluate` finds of a sample model."""
    model = load(name)
    return model.evaluate(
        held_out(name, model), CANDIDATES[name], METRICS, stages=STAGES.get(name, 50)
    )


def number(value: float) -> str:
    """A number of a table, without the zero that all of them would have."""
    return f"{value:.2f}".removeprefix("0")


def spread(found: Interval) -> str:
    """A mean with its interval."""
    assert found.mean is not None and found.low is not None and found.high is not None
    return f"{number(found.mean)} [{number(found.low)}, {number(found.high)}]"


def controls(found: Evaluation) -> dict[str, str]:
    """What the maps that know nothing are called, all but random ones."""
    return {it.name: it.said for it in found.candidates if it.control and it.name != RANDOM}


def listed(names: Sequence[str], last: str) -> str:
    """Names in a sentence."""
    return f" {last} ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def behind(found: Evaluation, metric: str, name: str) -> Iterator[str]:
    """What a method is not better than, by paired intervals."""
    gaps = {said: found.ahead(metric, name, it) for it, said in controls(found).items()}
    ahead = found.ahead(metric, name, RANDOM)
    worse = [said for said, gap in gaps.items() if gap.sure and (gap.low or 0) < 0]
    like = [said for said, gap in gaps.items() if not gap.sure]
    if not ahead.sure:
        yield "not distinguishable from random numbers"
    elif (ahead.low or 0) < 0:
        yield "worse than random numbers"
    if worse:
        yield f"worse than {listed(worse, 'and')}"
    if like and ahead.sure:
        yield f"not better than {listed(like, 'or')}"


def cell(found: Evaluation, metric: str, method: str) -> str:
    """A method by a metric, and in bold what it is not better than."""
    for it in found.candidates:
        if it.name.split(":")[0] == method and not it.control:
            lost = ", ".join(behind(found, metric, it.name))
            mean = spread(found.mean(metric, it.name))
            return f"{mean}, **{lost}**" if lost else mean
    return "–"


def best_control(found: Evaluation, metric: str) -> str:
    """The best of the maps that know nothing, with its name."""
    said = controls(found)
    name = next(it for it in found.ranking(metric, controls=True) if it in said)
    return f"{spread(found.mean(metric, name))}, {said[name]}"


def lines(columns: Sequence[tuple[Evaluation, str]]) -> Iterator[str]:
    """The rows of a table whose columns are each a model by a metric."""
    for method, title in METHODS.items():
        cells = [cell(found, metric, method) for found, metric in columns]
        yield f"| {title} | {' | '.join(cells)} |"
    cells = [best_control(found, metric) for found, metric in columns]
    yield f"| the best that knows nothing | {' | '.join(cells)} |"
    cells = [spread(found.mean(metric, RANDOM)) for found, metric in columns]
    yield f"| random numbers | {' | '.join(cells)} |"


def tables(found: dict[str, Evaluation]) -> Iterator[str]:
    """The tables in Markdown: one of all models of ours, one of `imagenet`."""
    ours = {name: it for name, it in found.items() if name != "imagenet"}
    if ours:
        heads = [f"`{name}`, n = {len(it.instances)}" for name, it in ours.items()]
        yield f"| | {' | '.join(heads)} |"
        yield "|---" * (len(ours) + 1) + "|"
        for metric in METRICS:
            yield f"| **{metric.capitalize()}** {'| ' * len(ours)}|"
            yield from lines([(it, metric) for it in ours.values()])
    if "imagenet" in found:
        photos = found["imagenet"]
        yield ""
        yield f"| `imagenet`, n = {len(photos.instances)} | {' | '.join(METRICS)} |"
        yield "|---" * (len(METRICS) + 1) + "|"
        yield from lines([(photos, metric) for metric in METRICS])


def main() -> None:
    """Judge one model after the other, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", metavar="MODEL", help=", ".join(CANDIDATES))
    names = parser.parse_args().models or list(CANDIDATES)
    found = {}
    for name in names:
        print(f"judging {name}", file=sys.stderr)
        found[name] = judged(name)
        print(*found[name].verdict, sep="\n", file=sys.stderr)
    print(*tables(found), sep="\n")


if __name__ == "__main__":
    main()
