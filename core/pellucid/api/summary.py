"""What the explanations of a call have in common: numbers and pictures, class by class."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from html import escape
from operator import index
from typing import Any, SupportsIndex

import numpy as np

from pellucid.errors import DependencyError, SpecError, meant
from pellucid.explain import Results, element_name
from pellucid.model import Array
from pellucid.notices import Where
from pellucid.printable import printable
from pellucid.visualize import (
    Overview,
    OverviewPicture,
    beeswarm,
    class_key,
    counted,
    dependence,
    importance,
    is_drawn,
    overview_pictures,
    spots,
    words,
)

SHOWN = 6
"""Pictures that a notebook shows by itself."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Many explanations at once: what counts for each class, and never for several at a time.

    `overview` holds the numbers; the pictures show themselves in a notebook, and have `save`.
    """

    overview: Overview
    method: str

    def __repr__(self) -> str:
        classes = [f"{name!r} {it.count:,}" for name, it in self.overview.classes.items()]
        more = [f"… {len(classes) - 10:,} more"] if len(classes) > 10 else []
        return f"Summary(instances by class: {', '.join([*classes[:10], *more])})"

    def _repr_html_(self) -> str:
        images: list[str] = []
        for picture in self.pictures():
            if picture.kind != "dependence" and len(images) < SHOWN:
                data = base64.b64encode(picture._repr_png_()).decode()
                alt = escape(printable(picture.title))
                images.append(f'<img alt="{alt}" src="data:image/png;base64,{data}">')
        return f"<div>{''.join(f'<div>{it}</div>' for it in images)}</div>"

    def pictures(self) -> list[OverviewPicture]:
        """Return all pictures: of all classes, then of each, those of the most instances."""
        return list(overview_pictures(self.overview, self.method))

    def importance(self) -> OverviewPicture:
        """Return the mean |attribution| of each feature, a panel for each class."""
        return _made("importance", importance(self.overview, self.method))

    def beeswarm(self, label: str | int = 0) -> OverviewPicture:
        """Return a dot for each instance and feature of a class, coloured by the value."""
        key, called = self._class(label)
        return _made("beeswarm", beeswarm(self.overview, key, called), called)

    def dependence(self, feature: str, label: str | int = 0) -> OverviewPicture:
        """Return the attribution of one feature by its value, a dot for each instance."""
        key, called = self._class(label)
        points = (point[key] for point in self.overview.points if key in point)
        known = {name for spots in points for name in spots.names}
        if feature not in known:
            hint = meant(feature, sorted(known)) or f"the features are {', '.join(sorted(known))}"
            what = f"'{feature}' is unknown"
            raise SpecError(what, where=Where(path="feature"), hint=hint)
        found = dependence(self.overview, key, feature, called)
        return _made("dependence", found, called, feature)

    def words(self, label: str | int = 0) -> OverviewPicture:
        """Return the words that contribute most for a class and against it, over all texts."""
        key, called = self._class(label)
        return _made("words", words(self.overview, key, called), called)

    def to_pandas(self) -> Any:
        """Return a DataFrame: label, feature, instances, mean and mean_abs of the attributions.

        Raises DependencyError without pandas.
        """
        try:
            import pandas
        except ImportError as error:
            what = "this needs the package pandas"
            raise DependencyError(what, hint="pip install pandas") from error
        rows = []
        for called, totals in self.overview.classes.items():
            for feature, total in totals.sums.items():
                count = totals.counts[feature]
                if not count:
                    continue
                for place in np.ndindex(total.shape):
                    name = element_name(feature, place, total.size)
                    means = total[place] / count, totals.sizes[feature][place] / count
                    rows.append((called, name, count, *map(float, means)))
        columns = ["label", "feature", "instances", "mean", "mean_abs"]
        return pandas.DataFrame(rows, columns=columns)

    def _class(self, label: str | SupportsIndex) -> tuple[str, str]:
        """Return the key of a class and what it is called. Raises SpecError."""
        called = list(self.overview.classes)
        if not isinstance(label, str) and -len(called) <= index(label) < len(called):
            label = called[index(label)]
        if label not in called:
            listed = ", ".join(f"'{name}'" for name in called[:20])
            hint = meant(str(label), called) or f"those that were explained are {listed}"
            what = f"'{label}' was not explained"
            raise SpecError(what, where=Where(path="label"), hint=hint)
        return self.overview.ordered[called.index(str(label))], str(label)


def summary_of(results: Results) -> Summary:
    """Return what explanations have in common."""
    overview = Overview()
    for place, (explanation, instance) in enumerate(zip(results, results.instances, strict=True)):
        found = {}
        for label in explanation.labels:
            overview.count(counted(explanation, label, results.metadata, instance.value))
            if is_drawn(place, len(results)):
                found[class_key(label)] = spots(explanation, label, results.metadata)
        if found:
            overview.take(f"{place}", found)
    return Summary(overview, results.parameters.method.caption(None))


def _made(
    kind: str, pixels: Array | None, label: str | None = None, feature: str | None = None
) -> OverviewPicture:
    if pixels is None:
        what = {
            "words": "there are no words among what was explained",
            "dependence": f"'{feature}' has no value of its own",
        }.get(kind, "there are no columns among what was explained")
        raise SpecError(what)
    return OverviewPicture(kind=kind, pixels=pixels, label=label, feature=feature)
