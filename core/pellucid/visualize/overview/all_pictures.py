"""All pictures of a run: what counts for each class, dots, single features, words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pellucid.errors import OutputError
from pellucid.model import Array
from pellucid.notices import Where
from pellucid.visualize.overview.group_pictures import groups_picture
from pellucid.visualize.overview.groups import ClassGroups
from pellucid.visualize.overview.importance import importance, shown_classes
from pellucid.visualize.overview.numbers import Overview
from pellucid.visualize.overview.scatter import (
    beeswarm,
    dependence,
    drawn_features,
    top_features,
)
from pellucid.visualize.overview.words import words
from pellucid.visualize.panel import encode

SINGLE = 3
"""Features of a class that are drawn singly: those that count most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewPicture:
    """A picture, uint8 [h, w, 3]: what `kind` it is, of which class and feature, if of any."""

    kind: str
    pixels: Array
    label: str | None = None
    feature: str | None = None

    def __repr__(self) -> str:
        height, width = self.pixels.shape[:2]
        return f"OverviewPicture({self.title!r}, {width}×{height} pixels)"

    def _repr_png_(self) -> bytes:
        return encode(self.pixels, "png")

    @property
    def title(self) -> str:
        return ", ".join(filter(None, [self.kind, self.label, self.feature]))

    def save(self, path: str | Path) -> None:
        """Write the picture as a PNG file. Raises OutputError."""
        try:
            Path(path).write_bytes(self._repr_png_())
        except OSError as error:
            what = f"cannot be written: {error.strerror or error}"
            raise OutputError(what, where=Where(file=str(path))) from error


def overview_pictures(
    overview: Overview, method: str, groups: Sequence[ClassGroups] = ()
) -> Iterator[OverviewPicture]:
    """Yield the pictures of a run, those of the classes of the most instances, in their order.

    Groups that are findings come first, of whatever class.
    """
    for found in groups:
        if found.finding:
            yield _of_groups(found, method)
    whole = importance(overview, method)
    if whole is not None:
        yield OverviewPicture(kind="importance", pixels=whole)
    shown = shown_classes(overview)
    for key, called in zip(overview.ordered, overview.classes, strict=True):
        if called not in shown:
            continue
        single: dict[tuple[str, str | None], Array | None] = {
            ("beeswarm", None): beeswarm(overview, key, called),
            ("words", None): words(overview, key, called),
        }
        valued = drawn_features(overview, key, valued=True)
        for name in top_features(overview, key, valued, SINGLE):
            single["dependence", name] = dependence(overview, key, name, called)
        for (kind, feature), pixels in single.items():
            if pixels is not None:
                yield OverviewPicture(kind=kind, pixels=pixels, label=called, feature=feature)
    for found in groups:
        if not found.finding and found.called in shown:
            yield _of_groups(found, method)


def _of_groups(found: ClassGroups, method: str) -> OverviewPicture:
    return OverviewPicture(kind="groups", pixels=groups_picture(found, method), label=found.called)
