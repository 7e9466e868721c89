"""The series of an explanation as drawings, to be had where those of pictures are."""

from __future__ import annotations

from dataclasses import dataclass

from pellucid.explain import LabelAttribution, Results
from pellucid.metadata import Visualization
from pellucid.model import Array
from pellucid.visualize.image_overlays import Drawing
from pellucid.visualize.panel import subtitle_text, title_text
from pellucid.visualize.series.found import Series, series_of
from pellucid.visualize.series.picture import series_picture


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesDrawing(Drawing):
    """A series, drawn: `overlay` is the whole picture, and `image` the series without colour.

    Settings of overlays change nothing in it.
    """

    series: Series

    def panel(self, note: str = "") -> Array:
        """Return the picture, which has its title and its colour bar already."""
        return self.overlay

    def again(self, visualization: Visualization) -> Drawing:
        """Return the same picture."""
        return self


def draw_series(
    results: Results, index: int, label: LabelAttribution | None = None
) -> dict[str, SeriesDrawing]:
    """Return a drawing of each series of one instance, under the feature's name."""
    explanation = results.items[index]
    if explanation.neighbors is not None:
        return {}
    label = label or explanation.labels[0]
    title = title_text(label)
    subtitle = subtitle_text(results.parameters.method, label)
    settings = Visualization().resolved(results.metadata.dialect, regions=False)
    found = {}
    for series in series_of(explanation, label, results.metadata, results.instances[index]):
        found[series.feature] = SeriesDrawing(
            image=series_picture(series, title=title, subtitle=subtitle, plain=True),
            overlay=series_picture(series, title=title, subtitle=subtitle),
            attribution=series.attributions,
            visualization=settings,
            title=title,
            subtitle=subtitle,
            series=series,
        )
    return found
