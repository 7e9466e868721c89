"""Operations that move a picture's axes, or choose among its channels and pixels."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

from pellucid.saved_model.pixels.constants import MASKS
from pellucid.saved_model.pixels.step import Step
from pellucid.saved_model.pixels.view import Sizes, View

Outputs: TypeAlias = "dict[int, View]"


def transposed(step: Step) -> View | None:
    """Return the view with its axes in another order."""
    order = step.integers(1)
    view = step.view
    if order is None or sorted(order) != list(range(len(view.shape))):
        return None
    return view.placed(lambda k: order[k], tuple(view.shape[k] for k in order))


def expanded(step: Step) -> View | None:
    """Return the view with a new axis of length 1."""
    axis = step.integers(1)
    if not axis:
        return None
    at = axis[0] if axis[0] >= 0 else axis[0] + len(step.view.shape) + 1
    return with_axis(step.view, at)


def with_axis(view: View, at: int) -> View:
    """Return the view with a new axis of length 1."""
    shape = (*view.shape[:at], 1, *view.shape[at:])
    return view.placed(lambda k: None if k == at else k - (k > at), shape)


def without_axes(view: View, gone: set[int]) -> View:
    """Return the view without axes of length 1."""
    kept = [k for k in range(len(view.shape)) if k not in gone]
    return view.placed(lambda k: kept[k], tuple(view.shape[k] for k in kept))


def squeezed(step: Step) -> View | None:
    """Return the view without axes of length 1."""
    view, attributes = step.view, step.attributes
    written = attributes["squeeze_dims"].list.i if "squeeze_dims" in attributes else ()
    chosen = {it % len(view.shape) for it in written}
    if not chosen:
        if None in view.shape:
            return None
        chosen = {k for k, n in enumerate(view.shape) if n == 1}
    return without_axes(view, chosen)


def reshaped(step: Step) -> View | None:
    """Return the view in another shape, where the channels stay together or are all alike."""
    wanted = step.constant(1)
    view = step.view
    if wanted is None or len(wanted.shape) != 1 or step.place:
        return None
    shape: Sizes = tuple(None if it is None or it < 0 else int(it) for it in wanted.values)
    count = len(view.source)
    if len(shape) == len(view.shape) and all(
        a == b or None in (a, b) for a, b in zip(shape, view.shape, strict=True)
    ):
        return view.placed(lambda k: k, view.shape)  # it only says what is known
    last = view.channel is not None and view.channel == len(view.shape) - 1
    if count > 1 and last and shape and shape[-1] == count:
        end = len(shape) - 1
        moved = view.placed(lambda k: view.channel if k == end else None, shape)
        return replace(moved, channel=end)
    if not view.uniform:
        return None
    # Where the channels are now has to show itself.
    alike = replace(
        view, channel=None, source=(0,), scale=view.scale[:1], offset=view.offset[:1]
    )  # fmt: skip
    return alike.placed(lambda k: None, shape)


def resized(step: Step) -> View | None:
    """Return the view at another size, or cut out of the picture."""
    view = step.view
    if step.place or len(view.shape) != 4 or view.channel == 1:
        return None
    batch = None if step.op == "CropAndResize" else view.shape[0]
    return replace(view, shape=(batch, None, None, view.shape[3]))


def padded(step: Step) -> View | None:
    """Return the view with a border."""
    view, paddings = step.view, step.integers(1)
    if step.place:
        return None
    if paddings is None:
        shape = tuple(n if k in (0, view.channel) else None for k, n in enumerate(view.shape))
        return replace(view, shape=shape)
    added = [sum(paddings[2 * k : 2 * k + 2]) for k in range(len(view.shape))]
    if view.channel is not None and added[view.channel]:
        return None
    grown = (None if n is None else n + more for n, more in zip(view.shape, added, strict=True))
    return replace(view, shape=tuple(grown))


# Lists of pictures, of which a view is that of the batch


def item(step: Step) -> View | None:
    """Return the view of one picture of a list."""
    return without_axes(step.view, {0}) if step.place == 0 else None


def listed(step: Step) -> View | None:
    """Return the view of a list that a picture is put into."""
    if step.place != 2:
        return None
    view = with_axis(step.view, 0)
    return replace(view, shape=(None, *view.shape[1:]))


# Channels


def channels_at(view: View, axis: int) -> View | None:
    """Return the view if the channels are on an axis, or may be there: then as three of them."""
    axis %= len(view.shape)
    if view.channel is not None:
        return view if view.channel == axis else None
    free = view.shape[axis] in (None, 3) and axis == len(view.shape) - 1 >= 2
    return view.with_channels(axis, 3) if free else None


def turned(step: Step) -> View | None:
    """Return the view turned over: an axis of the picture, or the order of the channels."""
    axes = step.integers(1)
    if axes is None:
        return None
    view = step.view
    for axis in axes:
        found = channels_at(view, axis)
        if found is not None:
            view = found.picked(range(len(found.source))[::-1])
    return view


def gathered(step: Step) -> View | None:
    """Return the channels that are chosen by a list of indices, or pictures of a batch."""
    indices, axis = step.constant(1), step.integers(2) if len(step.inputs) > 2 else (0,)
    batch = indices is None and axis == (0,) and len(step.view.shape) == 4
    if batch and not step.place:  # as `tf.vectorized_map` does
        return replace(step.view, shape=(None, *step.view.shape[1:]))
    if step.place or indices is None or indices.integers is None or not axis:
        return None
    if len(indices.shape) > 1 or step.number("batch_dims"):
        return None
    view = channels_at(step.view, axis[0])
    count = len(view.source) if view is not None else 0
    if view is None or not all(-count <= it < count for it in indices.integers):
        return None
    found = view.picked(indices.integers)
    assert found.channel is not None, "the channels were found"
    return found if indices.shape else without_axes(found, {found.channel})


def pieces(step: Step) -> Outputs | None:
    """Return the pieces of a split along the channels, or the channels one by one."""
    if step.op == "Split":
        picture, axis, count = 1, step.integers(0), step.number("num_split")
    elif step.op == "SplitV":
        picture, axis, count = 0, step.integers(2), step.number("num_split")
    else:
        picture, axis, count = 0, (step.number("axis"),), step.number("num")
    view = channels_at(step.view, axis[0]) if axis and step.place == picture else None
    if view is None or not count:
        return None
    sizes = step.integers(1) if step.op == "SplitV" else None
    if sizes is None or min(sizes) < 0:
        sizes = (len(view.source) // count,) * count
    if sum(sizes) != len(view.source):
        return None
    starts = [sum(sizes[:k]) for k in range(count)]
    found = {
        k: view.picked(range(start, start + size))
        for k, (start, size) in enumerate(zip(starts, sizes, strict=True))
    }
    if step.op != "Unpack":
        return found
    assert view.channel is not None, "the channels were found"
    return {k: without_axes(it, {view.channel}) for k, it in found.items()}


def tiled(step: Step) -> View | None:
    """Return the view with its channels repeated."""
    times, view = step.integers(1), step.view
    if step.place or times is None or len(times) != len(view.shape):
        return None
    wide = [k for k, n in enumerate(times) if n != 1]
    if not wide:
        return view
    if wide != [view.channel] and not (
        view.channel is None and len(wide) == 1 and view.shape[wide[0]] == 1
    ):
        return None
    if view.channel is None:
        return view.with_channels(wide[0], times[wide[0]])
    return view.picked(list(range(len(view.source))) * times[wide[0]])


def indexed(step: Step) -> View | None:
    """Follow Python's indexing: rows and crops keep the picture, steps of -1 turn it over."""
    limits = [step.constant(k) for k in (1, 2, 3)]
    if step.place or any(it is None or len(it.shape) != 1 for it in limits):
        return None
    begin, end, stride = (it.values for it in limits if it is not None)
    masks = {key: step.number(key) for key in MASKS}
    view, axis = step.view, 0
    count = len(begin)
    gone: set[int] = set()
    for k in range(count):
        bit = 1 << k
        if masks["ellipsis_mask"] & bit:
            rest = range(k + 1, count)
            behind = sum(not masks["new_axis_mask"] >> it & 1 for it in rest)
            axis = len(view.shape) - behind
        elif masks["new_axis_mask"] & bit:
            view = with_axis(view, axis)
            axis += 1
        else:
            first = None if masks["begin_mask"] & bit else begin[k]
            last = None if masks["end_mask"] & bit else end[k]
            open_ends = bool(masks["begin_mask"] & bit), bool(masks["end_mask"] & bit)
            shrunk = bool(masks["shrink_axis_mask"] & bit)
            found = _indexed_axis(view, axis, (first, last, stride[k]), open_ends, shrunk)
            if found is None:
                return None
            view = found
            gone |= {axis} if shrunk else set()
            axis += 1
    return without_axes(view, gone)


def _indexed_axis(
    view: View,
    axis: int,
    limits: tuple[float | None, float | None, float | None],
    open_ends: tuple[bool, bool],
    shrunk: bool,
) -> View | None:
    first, last, stride = (None if it is None else int(it) for it in limits)
    whole = open_ends == (True, True) and stride == 1
    if whole and not shrunk:
        return view
    turned = open_ends == (True, True) and stride == -1
    found = channels_at(view, axis) if turned or view.channel == axis else None
    if found is None:
        if view.channel is None and axis == len(view.shape) - 1 and len(view.shape) > 3 and shrunk:
            return None
        size = 1 if shrunk else view.shape[axis] if turned else None
        shape = tuple(size if k == axis else n for k, n in enumerate(view.shape))
        return replace(view, shape=shape)
    places = range(len(found.source))
    if shrunk:
        if first is None or not -len(places) <= first < len(places):
            return None
        return found.picked([places[first]])
    known = (open_ends[0] or first is not None) and (open_ends[1] or last is not None)
    if not known or not stride:
        return None
    return found.picked(places[first:last:stride])


def cropped(step: Step) -> View | None:
    """Follow Slice, whose sizes may be -1 for all that is left."""
    begin, size = step.constant(1), step.constant(2)
    view = step.view
    if step.place or begin is None or size is None or len(begin.values) != len(view.shape):
        return None
    shape = tuple(
        n if b == 0 and s == -1 else None if s is None or s < 0 else int(s)
        for n, b, s in zip(view.shape, begin.values, size.values, strict=True)
    )
    axis = view.channel
    if axis is not None:
        start, count = begin.values[axis], size.values[axis]
        if start is None or count is None:
            return None
        stop = None if count < 0 else int(start + count)
        view = view.picked(range(len(view.source))[int(start) : stop])
        shape = tuple(len(view.source) if k == axis else n for k, n in enumerate(shape))
    return replace(view, shape=shape)
