"""An explanation on an axis of matplotlib, which is not needed for anything else."""

from __future__ import annotations

from operator import index
from typing import Any, SupportsIndex

from pellucid.errors import DependencyError, SpecError, meant
from pellucid.explain import LabelAttribution, Results
from pellucid.notices import Where
from pellucid.printable import printable
from pellucid.visualize.colormaps import AGAINST, FOR
from pellucid.visualize.figures import Shown, View
from pellucid.visualize.notebook.pictures import text_picture
from pellucid.visualize.waterfall import known_error, largest


def plotted(
    results: Results,
    ax: Any = None,
    *,
    instance: int = 0,
    label: int | str = 0,
    feature: str | None = None,
) -> Any:
    """Draw a label of an instance on an axis, by default a new one, and return the axis.

    That is a picture's overlay, coloured words, a series, or a bar for each column. Where there are
    several, `feature` says which; without it the first one is drawn; the name of a column asks for
    the bars, one of which is then each picture as a whole. Raises SpecError for what is not there,
    and DependencyError without matplotlib.
    """
    try:
        from matplotlib import pyplot
    except ImportError as error:
        what = "this needs the package matplotlib"
        raise DependencyError(what, hint="pip install matplotlib") from error
    shown = _shown(results, instance, label)
    drawings = shown.drawings(View())
    texts = {text.feature: text for text in shown.texts()}
    series = shown.series()
    pictured = [*drawings, *texts, *series]
    known = [*pictured, *(part.name for part in shown.parts())]
    if feature is not None and feature not in known:
        hint = meant(feature, known) or f"choose from {', '.join(map(repr, known))}"
        raise SpecError(f"'{feature}' is not explained", where=Where(path="feature"), hint=hint)
    chosen = feature or (pictured[0] if pictured else None)
    if ax is None:
        ax = pyplot.subplots()[1]
    if chosen in drawings:
        _picture(ax, drawings[chosen].overlay)
    elif chosen in texts:
        _picture(ax, text_picture(shown, texts[chosen]))
        return ax  # which has its title in it
    elif chosen in series:
        _picture(ax, series[chosen].overlay)
        return ax
    else:
        _bars(ax, shown)
    ax.set_title(_plain(shown.title))
    return ax


def _shown(results: Results, instance: int, label: int | str) -> Shown:
    count = len(results)
    if not -count <= instance < count:
        there = f"{count:,} instances, 0 to {count - 1:,}" if count else "no instances"
        what = f"there are {there}, got {instance:,}"
        raise SpecError(what, where=Where(path="instance"))
    labels = results[instance].labels
    if not labels:
        raise SpecError("nearest examples have no attributions to draw")
    return Shown(results, instance % count, _chosen(labels, label))


def _chosen(labels: tuple[LabelAttribution, ...], label: SupportsIndex | str) -> LabelAttribution:
    called = [it.called for it in labels]
    if isinstance(label, str) and label in called:
        return labels[called.index(label)]
    if not isinstance(label, str) and -len(labels) <= index(label) < len(labels):
        return labels[index(label)]
    listed = ", ".join(f"'{name}'" for name in called)
    if isinstance(label, str):
        hint = meant(label, called) or f"those that were explained are {listed}"
        raise SpecError(f"'{label}' was not explained", where=Where(path="label"), hint=hint)
    what = f"{len(labels)} labels were explained, {listed}, numbered from 0; got {label}"
    raise SpecError(what, where=Where(path="label"))


def _picture(ax: Any, pixels: Any) -> None:
    ax.imshow(pixels)
    ax.set_axis_off()


def _bars(ax: Any, shown: Shown) -> None:
    rows = largest(shown.bars())
    names = [it.name if it.value is None else f"{it.name} = {it.value}" for it in rows]
    colors = [tuple(c / 255 for c in (FOR if it.attribution >= 0 else AGAINST)) for it in rows]
    places = range(len(rows))
    errors = [known_error(it.error) for it in rows]
    ax.barh(
        places, [it.attribution for it in rows], color=colors,
        xerr=errors if any(errors) else None, error_kw={"capsize": 3, "elinewidth": 1},
    )  # fmt: skip
    ax.set_yticks(places, [_plain(name) for name in names])
    ax.axvline(0, color="0.8", linewidth=1, zorder=0)
    ax.invert_yaxis()
    ax.set_xlabel("attribution")


def _plain(text: str) -> str:
    """Return a text as matplotlib writes it: a dollar sign begins mathematics there."""
    return printable(text).replace("$", r"\$")
