"""What came out: a number for each metric, candidate and instance, and what follows from them.

``evaluation.json`` is `Evaluation.document`, with every instance's number; ``curves.npz`` has the
curves behind, `Evaluation.curves`, as ``METRIC/CANDIDATE`` [n, stages + 1]; ``maps.npz`` the maps
of the instances that candidates disagree on most, ``NUMBER/CANDIDATE``, and ``NUMBER/picture``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from html import escape
from typing import Any

import numpy as np
import orjson

from pellucid.errors import DependencyError
from pellucid.evaluate.controls import SAID
from pellucid.evaluate.metrics.pictures import AIC, SIC, median_area
from pellucid.evaluate.statistics import TOO_FEW, Interval, difference, interval
from pellucid.evaluate.trial import HIGHER, LOWER, Metric
from pellucid.evaluate.verdict import sentences
from pellucid.model import Array
from pellucid.printable import encodable

VERSION = 1
"""That of ``evaluation.json``; it rises when a key changes its meaning or goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A candidate, or a control: what it is called in the table and in sentences, and its settings.

    `failed` maps instances, by their place in the run, to why it could not explain them; `said` of
    two candidates is never the same. `warnings` are what its explanations warned of.
    """

    name: str
    said: str
    control: bool = False
    caption: str = ""
    settings: Mapping[str, object] = field(default_factory=dict)
    failed: Mapping[int, str] = field(default_factory=dict)
    warnings: Sequence[str] = ()


def control(name: str) -> Judged:
    """Return a control by its name."""
    said, caption = SAID[name]
    return Judged(name=name, said=said, control=True, caption=caption)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """An instance that was judged: its name, the output that was explained, and the two scores."""

    number: int
    name: str
    output: tuple[int, ...]
    label: str | None
    score: float
    baseline_score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A number that is not there, for `count` instances, and why; `candidate` is "" for all."""

    metric: str
    candidate: str
    count: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An instance on which candidates disagree, with their maps, [h, w] or [p], by candidate.

    `spread` is how far the best is from the worst by the first curve; `picture` is uint8
    [h, w, 3], or None; `elements` are the names of the elements of what is no picture.
    """

    number: int
    spread: float
    maps: Mapping[str, Array]
    picture: Array | None = None
    elements: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What a report has to say so that it can be made again."""

    program: str = ""
    tensorflow: str = ""
    model: str = ""
    fingerprint: str = ""
    output: str = ""
    why_not: str = ""
    baseline: str = ""
    seed: int = 0
    stages: int = 50
    repeats: str = "all"


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Candidates and controls, judged: metric → candidate → [n] in `values`, NaN where missing.

    `kind` is ``picture``, ``table`` or ``text``; `notes` are sentences on the whole of it.
    """

    kind: str
    candidates: tuple[Judged, ...]
    metrics: tuple[Metric, ...]
    instances: tuple[Instance, ...]
    values: Mapping[str, Mapping[str, Array]]
    curves: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()
    shown: tuple[Shown, ...] = ()
    notes: tuple[str, ...] = ()
    provenance: Provenance = Provenance()

    @property
    def too_few(self) -> bool:
        """Whether there are too few instances to rank methods."""
        return len(self.instances) < TOO_FEW

    def metric(self, name: str) -> Metric:
        """Return a metric by its name. Raises KeyError."""
        return {it.name: it for it in self.metrics}[name]

    def has(self, metric: str, candidate: str) -> bool:
        """Whether there are numbers of a candidate by a metric."""
        return candidate in self.values.get(metric, {})

    def mean(self, metric: str, candidate: str) -> Interval:
        """Return the mean of a candidate by a metric, with its interval."""
        none = Interval(None, None, None, 0)
        return self._means.get(metric, {}).get(candidate, none)

    def ahead(self, metric: str, candidate: str, other: str) -> Interval:
        """Return by how much a candidate is better than another, on the instances of both."""
        found = self.values[metric]
        pair = (found[candidate], found[other])
        if self.metric(metric).better == LOWER:
            pair = (pair[1], pair[0])
        return difference(*pair, seed=self.provenance.seed)

    def ranking(self, metric: str, *, controls: bool = False) -> list[str]:
        """Return the candidates that have a number, the best first; [] where none is better."""
        better = self.metric(metric).better
        if better is None:
            return []
        sign = -1 if better == HIGHER else 1
        chosen = [it.name for it in self.candidates if controls or not it.control]
        means = [(name, self.mean(metric, name).mean) for name in chosen]
        return [n for n, m in sorted(means, key=lambda it: sign * (it[1] or 0)) if m is not None]

    def best(self, metric: str) -> str | None:
        """Return the best of all, controls too, where its paired interval excludes the next."""
        ranked = self.ranking(metric, controls=True)
        if len(ranked) < 2 or not self.ahead(metric, ranked[0], ranked[1]).sure:
            return None
        return ranked[0]

    @cached_property
    def verdict(self) -> tuple[str, ...]:
        """What follows, in sentences."""
        return tuple(sentences(self))

    @cached_property
    def _means(self) -> dict[str, dict[str, Interval]]:
        seed = self.provenance.seed
        return {
            metric: {name: interval(values, seed) for name, values in found.items()}
            for metric, found in self.values.items()
        }

    def document(self) -> dict[str, Any]:
        """Return all of it but curves and maps, as JSON values; NaN is written as null."""
        return {
            "version": VERSION,
            "provenance": asdict(self.provenance),
            "kind": self.kind,
            "notes": list(self.notes),
            "verdict": list(self.verdict),
            "candidates": [_record(it) for it in self.candidates],
            "metrics": [asdict(it) for it in self.metrics],
            "instances": [asdict(it) for it in self.instances],
            "table": {m: {c: asdict(it) for c, it in f.items()} for m, f in self._means.items()},
            "best": {it.name: self.best(it.name) for it in self.metrics},
            "values": {m: {c: v.tolist() for c, v in f.items()} for m, f in self.values.items()},
            "median_area": self.median_areas(),
            "left_out": [asdict(it) for it in self.left_out],
            "curves": {m: list(found) for m, found in self.curves.items()},
            "shown": [
                {"number": it.number, "spread": it.spread, "elements": list(it.elements)}
                for it in self.shown
            ],
        }

    def median_areas(self) -> dict[str, dict[str, float]]:
        """Return the area under the median of the information curves, by metric and candidate.

        The table has the mean of each picture's own area, which has an interval as all others do.
        """
        found: dict[str, dict[str, float]] = {}
        for metric in (SIC, AIC):
            for name, curves in self.curves.get(metric, {}).items():
                there = curves[np.isfinite(curves).all(axis=1)]
                found.setdefault(metric, {})[name] = median_area(there)
        return found

    def json(self) -> bytes:
        """Return it as UTF-8 JSON, with every instance's number."""
        return orjson.dumps(encodable_document(self.document()), option=orjson.OPT_INDENT_2)

    def frame(self) -> Any:
        """Return a pandas table: a row for each instance, candidate and metric.

        Raises DependencyError where pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise DependencyError(
                "a frame is one of pandas, which is not installed", hint="pip install pandas"
            ) from error
        rows = [
            (metric, name, instance.name, float(value))
            for metric, found in self.values.items()
            for name, values in found.items()
            for instance, value in zip(self.instances, values, strict=True)
        ]
        return pandas.DataFrame(rows, columns=["metric", "candidate", "instance", "value"])

    def arrays(self) -> dict[str, Array]:
        """Return the curves, [n, stages + 1], by ``METRIC/CANDIDATE``."""
        return {f"{m}/{name}": it for m, found in self.curves.items() for name, it in found.items()}

    def maps(self) -> dict[str, Array]:
        """Return the maps of `shown` by ``NUMBER/CANDIDATE``, pictures by ``NUMBER/picture``."""
        found: dict[str, Array] = {}
        for it in self.shown:
            found |= {f"{it.number}/{name}": values for name, values in it.maps.items()}
            if it.picture is not None:
                found[f"{it.number}/picture"] = it.picture
        return found

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(it.title)}</th>" for it in self.metrics)
        rows = []
        for judged in self.candidates:
            cells = []
            for it in self.metrics:
                bold = self.best(it.name) == judged.name
                text = escape(cell(self.mean(it.name, judged.name)))
                cells.append(f"<td>{f'<b>{text}</b>' if bold else text}</td>")
            rows.append(f"<tr><th>{escape(judged.name)}</th>{''.join(cells)}</tr>")
        said = "".join(f"<p>{escape(it)}</p>" for it in (*self.notes, *self.verdict))
        return f"<table><tr><th></th>{head}</tr>{''.join(rows)}</table>{said}"


def encodable_document(value: Any) -> Any:
    """Return JSON values without halves of letters, which names of files may have."""
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, dict):
        return {encodable_document(key): encodable_document(it) for key, it in value.items()}
    if isinstance(value, list | tuple):
        texts = not value or not isinstance(value[0], float)  # numbers are many
        return [encodable_document(it) for it in value] if texts else value
    return value


def _record(judged: Judged) -> dict[str, Any]:
    found = asdict(judged)
    found["failed"] = [{"number": n, "reason": why} for n, why in judged.failed.items()]
    return found


def cell(found: Interval) -> str:
    """Return a mean with its interval, as it stands in a table."""
    if found.mean is None:
        return "–"
    if found.low is None or found.high is None:
        return short(found.mean)
    return f"{short(found.mean)} [{short(found.low)}, {short(found.high)}]"


def short(value: float) -> str:
    """Return a number with the digits that can matter in a table."""
    return f"{value:.2f}" if 0.095 <= abs(value) < 1000 or value == 0 else f"{value:.2g}"


def packed(arrays: Mapping[str, Array]) -> bytes:
    """Return arrays as a ``.npz`` file, the same bytes whenever it is made."""
    import io
    import zipfile

    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, values in arrays.items():
            inner = io.BytesIO()
            np.lib.format.write_array(inner, np.ascontiguousarray(values), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{encodable(name)}.npy", (1980, 1, 1, 0, 0, 0))
            archive.writestr(entry, inner.getvalue(), zipfile.ZIP_DEFLATED)
    return file.getvalue()
