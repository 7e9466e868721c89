"""What a tensor holds of the input picture: which channel, times what, plus what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from pellucid.saved_model.pixels.constants import Constant

Sizes = tuple["int | None", ...]
_PICKED = 4096  # so many elements of a mean picture speak for all of them


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A tensor whose elements are ``scale · pixel + offset`` of the input.

    `shape` are its sizes, `axes` the axis of the input that each is, None for a new one; `channel`
    is the axis of the channels where that is known. At position ``i`` of that axis is channel
    ``source[i]`` of the input, times ``scale[i]`` plus ``offset[i]``. `scattered` tells that the
    positions are single elements instead, as after a mean picture was subtracted.

    `least` and `greatest` bound the pixels where the graph clips. The steps that led here are
    linked: `where` names the last one and `before` is the view that it was given. `learned` tells
    that a variable is in them, `statistic` that the last one is a division by the root of a
    variance or the like.
    """

    shape: Sizes
    axes: tuple[int | None, ...]
    channel: int | None = None
    source: tuple[int, ...] = (0,)
    scale: tuple[float, ...] = (1.0,)
    offset: tuple[float, ...] = (0.0,)
    scattered: bool = False
    least: float | None = None
    greatest: float | None = None
    learned: bool = False
    statistic: bool = False
    where: str = ""
    before: View | None = None

    @classmethod
    def of_input(cls, shape: Sizes) -> View:
        """Return the picture itself, [batch, …]."""
        view = cls(shape=shape, axes=tuple(range(len(shape))))
        axis = channel_axis(shape)
        if axis is None:
            return view
        return view.with_channels(axis, shape[axis] or 1)

    def with_channels(self, axis: int, count: int) -> View:
        """Return the view with the channels on an axis, all alike so far; one may stand for all."""
        alone = self.shape[axis] == 1
        return replace(
            self,
            channel=axis,
            source=(self.source[0],) * count if alone else tuple(range(count)),
            scale=self.scale[:1] * count,
            offset=self.offset[:1] * count,
            shape=tuple(count if k == axis else n for k, n in enumerate(self.shape)),
        )

    @property
    def uniform(self) -> bool:
        """Whether all channels are treated alike and stand in their order."""
        alike = len(set(self.scale)) == 1 and len(set(self.offset)) == 1
        return alike and self.source == tuple(range(len(self.source)))

    def steps(self) -> Iterator[View]:
        """Yield this view and those it was made of, last first."""
        view: View | None = self
        while view is not None:
            yield view
            view = view.before

    def affine(
        self, scale: Sequence[float], offset: Sequence[float], where: str, constant: Constant
    ) -> View:
        """Return the view after a product and a sum, for each position.

        What leaves it as it was is no step: a sum with 0, a normalization that saw no data.
        """
        if not any(offset) and all(abs(it - 1) < 2e-3 for it in scale):
            return self
        return replace(
            self,
            scale=tuple(a * k for a, k in zip(self.scale, scale, strict=True)),
            offset=tuple(b * k + d for b, k, d in zip(self.offset, scale, offset, strict=True)),
            learned=self.learned or constant.learned,
            statistic=constant.statistic,
            where=where,
            before=self,
        )

    def clipped(self, bound: float, where: str, *, below: bool) -> View | None:
        """Return the view with nothing below, or above, a bound; None if channels differ."""
        if len(set(self.scale)) > 1 or len(set(self.offset)) > 1 or not self.scale[0]:
            return None
        pixel = (bound - self.offset[0]) / self.scale[0]
        least, greatest = self.least, self.greatest
        if below == (self.scale[0] > 0):
            least = pixel if least is None else max(least, pixel)
        else:
            greatest = pixel if greatest is None else min(greatest, pixel)
        return replace(self, least=least, greatest=greatest, where=where, before=self)

    def picked(self, places: Sequence[int]) -> View:
        """Return the view with these positions of the channel axis, in this order."""
        assert self.channel is not None, "positions are of an axis"
        return replace(
            self,
            source=tuple(self.source[k] for k in places),
            scale=tuple(self.scale[k] for k in places),
            offset=tuple(self.offset[k] for k in places),
            shape=tuple(len(places) if k == self.channel else n for k, n in enumerate(self.shape)),
        )

    def placed(self, place: Callable[[int], int | None], shape: Sizes) -> View:
        """Return the view with axes moved: `place` tells which of its axes each new one was."""
        old = [place(k) for k in range(len(shape))]
        channel = None if self.channel is None or self.channel not in old else old.index(
            self.channel
        )  # fmt: skip
        axes = tuple(None if k is None else self.axes[k] for k in old)
        return replace(self, shape=shape, axes=axes, channel=channel)


def channel_axis(shape: Sizes) -> int | None:
    """Return the axis of a batch of pictures with 1, 3 or 4 channels: the last, else the second.

    None where no size tells.
    """
    if len(shape) < 4:
        return None
    if shape[-1] in (1, 3, 4):
        return len(shape) - 1
    return 1 if len(shape) == 4 and shape[1] in (1, 3, 4) else None


def fitted(view: View, constant: Constant) -> tuple[View, tuple[float, ...]] | None:
    """Return the view and one number of a constant for each of its positions.

    A constant with an element for each channel tells where the channels are; one with an element
    for each pixel takes the view apart into elements. None for a constant that does not fit.
    """
    numbers = constant.numbers
    if not numbers:
        return None
    added = max(0, len(constant.shape) - len(view.shape))
    if added:
        view = view.placed(
            lambda k: None if k < added else k - added, (1,) * added + view.shape
        )  # fmt: skip
    sizes = (1,) * (len(view.shape) - len(constant.shape)) + constant.shape
    wide = [k for k, n in enumerate(sizes) if n > 1]
    if not wide:
        return view, numbers * len(view.scale)
    if view.scattered:
        same = all(n in (1, size) for n, size in zip(sizes, view.shape, strict=True))
        return (view, numbers[:: _stride(len(numbers))]) if same else None
    if any(view.shape[k] not in (None, 1, sizes[k]) for k in wide):
        return None
    if len(wide) == 1 and view.channel in (None, wide[0]):
        return _by_channel(view, wide[0], numbers)
    return _by_element(view, sizes, numbers)


def _by_channel(
    view: View, axis: int, numbers: tuple[float, ...]
) -> tuple[View, tuple[float, ...]] | None:
    if view.channel is None:
        return view.with_channels(axis, len(numbers)), numbers
    if len(view.source) == 1:
        return view.picked([0] * len(numbers)), numbers
    return (view, numbers) if len(view.source) == len(numbers) else None


def _by_element(
    view: View, sizes: Sequence[int], numbers: tuple[float, ...]
) -> tuple[View, tuple[float, ...]] | None:
    count = len(view.source)
    behind = 1
    if view.channel is not None and count > 1:
        if sizes[view.channel] != count:
            return None
        for size in sizes[view.channel + 1 :]:
            behind *= size
    places = [k // behind % count for k in range(0, len(numbers), _stride(len(numbers)))]
    shape = tuple(n if size == 1 else size for n, size in zip(view.shape, sizes, strict=True))
    scattered = replace(
        view,
        shape=shape,
        source=tuple(view.source[k] for k in places),
        scale=tuple(view.scale[k] for k in places),
        offset=tuple(view.offset[k] for k in places),
        scattered=True,
    )
    return scattered, numbers[:: _stride(len(numbers))]


def _stride(count: int) -> int:
    """Return which of many elements are looked at: of 3 or 4 channels, of each channel alike."""
    step = max(1, count // _PICKED)
    while step > 1 and (step % 2 == 0 or step % 3 == 0):
        step += 1
    return step
