"""What the columns of a table are whose rows are the time steps of one instance."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pellucid.errors import InstanceError
from pellucid.inputs.columns import Beside, Columns, asked_for, count_text, place_of
from pellucid.inputs.input_info import InputInfo
from pellucid.inputs.tensors import check_names
from pellucid.notices import Hint, Notice, Where

_TIMES = ("time", "timestamp", "datetime", "date", "t")


def is_time(title: str) -> bool:
    """Whether times are called so."""
    return title.casefold() in _TIMES


def are_steps(
    titles: Sequence[str], inputs: Sequence[InputInfo], beside: Beside, where: Where
) -> bool:
    """Whether the rows of a table are time steps: its times are named, or its input has two axes.

    A column of the input's own name holds all of an instance. Raises InstanceError where times are
    named and no input is a series.
    """
    lone = inputs[0] if len(inputs) == 1 else None
    shape = None if lone is None else lone.instance_shape
    rank = None if shape is None else len(shape)
    plain = lone is not None and not lone.is_string
    if beside.time is None:
        return plain and rank == 2 and lone is not None and lone.name not in titles
    if plain and rank in (None, 1, 2):
        return True
    listed = ", ".join(f"'{it.name}', {it.wants}" for it in inputs)
    raise InstanceError(
        f"rows that are time steps are of one series of numbers, and the model has {listed}",
        where=where,
        hint="give instances as JSON",
    )


def step_columns(
    titles: Sequence[str],
    info: InputInfo,
    beside: Beside,
    where: Where,
    is_number: Callable[[str], bool] = lambda title: False,
) -> Columns:
    """Return what the columns are: one may be the time, all others are the channels of the input.

    By the names of its channels, if the titles have any of these, else in order. Raises
    InstanceError where there are too many or too few.
    """
    shape = info.instance_shape
    wanted = None if shape is None else shape[-1] if len(shape) == 2 else 1
    aside, apart = asked_for(titles, info.feature_names or (), beside, where)
    notices: list[Notice] = []
    time = None
    if beside.time is not None:
        time = place_of(beside.time, "the time", titles, where)
        aside.pop(time, None)
    rest = [i for i in range(len(titles)) if i not in apart and i != time]
    if time is None and wanted is not None and len(rest) == wanted + 1:
        found = [i for i in rest if is_time(titles[i])]
        if len(found) == 1:
            time = found[0]
            rest.remove(time)
            notices.append(Notice(f"column '{titles[time]}' is taken for the time", where))
    if beside.time is None:
        each = "" if beside.id is None else f" with the same '{beside.id}'"
        notices.append(Notice(f"its rows{each} are the time steps of one instance", where))
    headless = bool(rest) and time is None and all(is_number(titles[i]) for i in rest)
    known = info.feature_names or ()
    given = [titles[i] for i in rest]
    if not headless and not set(known).isdisjoint(given):
        check_names(given, dict.fromkeys(known, info), where, "column")
        if given != list(known):
            what = f"its columns are put in the order of the channels of '{info.name}'"
            notices.append(Notice(what, where))
        rest = [rest[given.index(name)] for name in known]
    elif wanted is not None and len(rest) != wanted:
        raise _too_many(info, wanted, len(rest), time is not None, where)
    names = tuple(titles[i] for i in rest)
    distinct = not headless and all(names) and len({*names}) == len(names)
    return Columns(
        width=len(titles), places=tuple(rest), inputs=(info,) * len(rest),
        titles=tuple(str(n) for n in range(1, len(rest) + 1)) if headless else names,
        vector=True, feature_names=names if distinct else None, aside=aside, headless=headless,
        notices=tuple(notices), steps=len(shape or (0, 0)), time=time,
    )  # fmt: skip


def _too_many(
    info: InputInfo, wanted: int, count: int, has_time: bool, where: Where
) -> InstanceError:
    shape = info.instance_shape or ()
    beside = " beside the time" if has_time else ""
    channels = "channel" if wanted == 1 else "channels"
    hint: Hint | str = ""
    if len(shape) == 2 and count == shape[0]:
        hint = "a row is a time step, and a column a channel: transpose the table"
    elif count == wanted + 1 and not has_time:
        hint = Hint(
            "name the column of times with {time_column}, or leave one out with {ignore_columns}"
        )
    elif count > wanted:
        hint = Hint("leave a column out with {ignore_columns}")
    return InstanceError(
        f"input '{info.name}' is {info.wants}, {wanted} {channels} in each step, and the table has "
        f"{count_text(count)}{beside}",
        where=where,
        hint=hint,
    )
