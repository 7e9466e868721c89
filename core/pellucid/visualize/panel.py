"""Pictures for people: the original beside its overlay, with title and colour bar; and files."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from pellucid.errors import FOREIGN, InstanceError, SpecError
from pellucid.explain import LabelAttribution
from pellucid.metadata import BaseMethod, OverlayType, Polarity, Visualization, VisualizationType
from pellucid.model import Array
from pellucid.notices import Where
from pellucid.visualize.colormaps import LEVELS, color_table, is_gradient
from pellucid.visualize.overlay import FAINTEST
from pellucid.visualize.text_layout import width_of, wrapped, write

# Pictures are shown with their longer side in this span; smaller ones are magnified, not smoothed.
SHORTEST, LONGEST = 256, 640
MARGIN = 16
INK, FAINT, PAPER = (32, 33, 36), (95, 99, 104), (255, 255, 255)
_BAR = 14
# However narrow the pictures are, a title has this much room.
_NARROWEST = 480
_LONGEST_SIDES = {"JPEG": 65_500, "GIF": 65_535}


class Line(NamedTuple):
    """A line of a heading: its text, the size of its letters in pixels, and their colour."""

    text: str
    size: int
    ink: tuple[int, int, int]

    @property
    def height(self) -> int:
        """How much room it takes, in pixels."""
        return int(self.size * 1.4)


def heading(title: str, lines: Sequence[str], broken_to: int | None = None) -> list[Line]:
    """Return a title, and smaller lines below it, those that are empty left out.

    Where they are `broken_to` a width in pixels, what is longer goes on in the next line.
    """

    def parts(text: str, size: int) -> Sequence[str]:
        return [text] if broken_to is None else wrapped(text, size, broken_to)

    made = [Line(part, 20, INK) for part in parts(title, 20) if title]
    return made + [Line(part, 14, FAINT) for line in lines if line for part in parts(line, 14)]


def height_of(lines: Sequence[Line]) -> int:
    """Return how high a heading is, in pixels."""
    return sum(line.height for line in lines)


def write_heading(pen: ImageDraw.ImageDraw, lines: Sequence[Line], width: int) -> None:
    """Write a heading at the top of a picture of this width; what is too long ends with …."""
    y = MARGIN
    for line in lines:
        write(pen, (MARGIN, y), line.text, line.size, line.ink, width=width - 2 * MARGIN)
        y += line.height


def panel(
    image: Array,
    overlay: Array,
    *,
    title: str,
    visualization: Visualization,
    subtitle: str | None = None,
) -> Array:
    """Return the picture beside its overlay under a title, with a colour bar, as uint8 [h, w, 3].

    `image` is uint8 [H, W], [H, W, 1] or [H, W, 3], `overlay` what `draw` returned for it. Text too
    long for the panel is cut with an ellipsis; a newline in `subtitle` begins a line.
    """
    pictures = [framed(image), framed(overlay)]
    width, height = pictures[0].size
    lines = heading(title, (subtitle or "").split("\n"))
    labels = legend(visualization)
    label_width = max(width_of(text, 13) for _, text in labels) + 8
    whole = max(_NARROWEST, 2 * width + 4 * MARGIN + _BAR + label_width)
    top = MARGIN + height_of(lines) + MARGIN // 2
    canvas = Image.new("RGB", (whole, top + height + MARGIN), PAPER)
    pen = ImageDraw.Draw(canvas)
    write_heading(pen, lines, whole)
    for i, picture in enumerate(pictures):
        canvas.paste(picture, (MARGIN + i * (width + MARGIN), top))
    left = 2 * width + 3 * MARGIN
    bar = Image.fromarray(np.repeat(bar_colors(visualization, height)[:, np.newaxis], _BAR, axis=1))
    canvas.paste(bar, (left, top))
    for at, text in labels:
        place = (left + _BAR + 6, top + at * (height - 1))
        write(pen, place, text, 13, FAINT, anchor={0.0: "lt", 1.0: "ls"}.get(at, "lm"))
    return np.array(canvas)


def encode(picture: Array, output_format: str) -> bytes:
    """Return uint8 [h, w, 3] as the bytes of a file, ``"jpeg"`` or ``"png"``.

    Raises InstanceError for a picture that the format cannot hold.
    """
    image = Image.fromarray(np.ascontiguousarray(picture))
    if output_format == "png":
        # Half the time of the usual level 6, for 4 % more bytes.
        return file_of(image, "PNG", compress_level=4)
    if output_format == "jpeg":
        # Without subsampling: with colour at half the resolution, outlines of one pixel smear.
        return file_of(image, "JPEG", quality=90, subsampling=0)
    raise SpecError(f"output_format must be jpeg or png, got '{output_format}'")


def file_of(image: Image.Image, form: str, **options: Any) -> bytes:
    """Return a picture as the bytes of a file, `form` as Pillow calls it.

    Raises InstanceError where the encoder does not take it, whatever that raises.
    """
    longest = _LONGEST_SIDES.get(form)
    size = f"{image.width:,}×{image.height:,}"
    if longest is not None and max(image.size) > longest:
        raise InstanceError(
            f"a picture of {size} pixels cannot be written as {form}, which has at most "
            f"{longest:,} on a side",
            hint="make it smaller first",
        )
    out = BytesIO()
    try:
        image.save(out, form, **options)
    except MemoryError:
        raise
    except FOREIGN as error:
        reason = str(error) or type(error).__name__
        what = f"a picture of {size} pixels cannot be written as {form} ({reason})"
        raise InstanceError(what) from error
    return out.getvalue()


def framed(picture: Array, shortest: int = SHORTEST, longest: int = LONGEST) -> Image.Image:
    """Return a picture at a size to look at: its longer side from `shortest` to `longest`."""
    pixels = np.asarray(picture)
    pixels = pixels[..., np.newaxis] if pixels.ndim == 2 else pixels
    pixels = np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))
    image = Image.fromarray(pixels)
    longer = max(image.size)
    if longer > longest:
        size = [max(1, round(side * longest / longer)) for side in image.size]
        return image.resize((size[0], size[1]), Image.Resampling.LANCZOS)
    if longer < shortest:
        times = -(-shortest // longer)
        return image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)
    return image


def bar_colors(visualization: Visualization, height: int) -> Array:
    """Return the colours of the bar from its top, the strongest for, uint8 [height, 3]."""
    polarity = visualization.polarity or Polarity.POSITIVE
    if visualization.overlay_type is OverlayType.MASK_BLACK:
        gray = np.linspace(255, 0, height)[:, np.newaxis]
        return np.rint(np.broadcast_to(gray, (height, 3))).astype(np.uint8)
    top, bottom = {
        Polarity.POSITIVE: (1.0, 0.0),
        Polarity.NEGATIVE: (-1.0, 0.0),
        Polarity.BOTH: (1.0, -1.0),
    }[polarity]
    strength = np.linspace(top, bottom, height)
    if visualization.type is VisualizationType.OUTLINES:
        # A region has a sign and no strength.
        strength = np.where(strength == 0, np.sign(top), np.sign(strength))
    if visualization.color_map is None:
        raise SpecError(
            "color_map is not set",
            where=Where(path="visualization"),
            hint="resolve the defaults first",
        )
    if not is_gradient(visualization.color_map):
        # As it is drawn: what is shown at all is no fainter than this.
        strength = np.sign(strength) * (FAINTEST + (1 - FAINTEST) * np.abs(strength))
    table = color_table(visualization.color_map, polarity)
    level = np.rint(strength * LEVELS).astype(np.int16)
    return np.asarray(np.rint(table[level + LEVELS]), np.uint8)


def legend(visualization: Visualization) -> list[tuple[float, str]]:
    """Return what is written beside the bar: (share of its length from the top, text)."""
    outlines = visualization.type is VisualizationType.OUTLINES
    if visualization.overlay_type is OverlayType.MASK_BLACK:
        return [(0.0, "most"), (1.0, "none")]
    match visualization.polarity:
        case Polarity.BOTH:
            middle = [] if outlines else [(0.5, "0")]
            return [(0.0, "for"), *middle, (1.0, "against")]
        case Polarity.NEGATIVE:
            return [(0.0, "against")] if outlines else [(0.0, "most against"), (1.0, "least")]
        case _:
            return [(0.0, "for")] if outlines else [(0.0, "most"), (1.0, "least")]


def number(value: float) -> str:
    """Write a score: probabilities with three decimals, anything else in four digits."""
    return f"{value:.3f}" if 1e-3 <= abs(value) < 10 or value == 0 else f"{value:.4g}"


def title_text(label: LabelAttribution) -> str:
    """Return a label and its score."""
    return f"{label.called}: {number(label.score)}"


def subtitle_text(method: BaseMethod, label: LabelAttribution) -> str:
    """Return how a label was explained, and below, where from and how well."""
    baseline = number(label.baseline_score)
    return f"{method_text(method, label)}\nbaseline {baseline}, {label.quality}"


def method_text(method: BaseMethod, label: LabelAttribution | None = None) -> str:
    """Return a method and what it was asked for, in words; `label` says what was used."""
    if label is None:
        return method.caption()
    return method.caption(label.evaluations, patches=bool(label.segments))
