"""What the columns of a table are: inputs, elements of one, or something beside them.

What was found without being asked for is said: an id, the index that pandas writes, columns that
were put in the order of the features.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pellucid.errors import InstanceError, meant
from pellucid.inputs.input_info import InputInfo
from pellucid.inputs.tensors import check_names
from pellucid.notices import Hint, Notice, Where

ID = "id"
"""Under what the id of an instance is kept, whatever its column is called."""

CARRIED = "columns"
"""Under what the columns are kept that go along into all that is written, by their names."""

TRUTH = "truth"
"""Under what the true label of an instance is kept, whatever its column is called."""

_INDEX = ("", "Unnamed: 0", "__index_level_0__")


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What may stand beside the inputs of an instance: columns of a table, keys of an object.

    `ignored` are left out, `kept` are set aside under their names, where they are there; the one
    called `id` has to be there, and is the instance's id; those that are `carried` have to, too,
    may be inputs, and go along with the explanation. `time` says when each step of a series was:
    the rows of its table are time steps. `truth` is the true label, and no input.
    """

    kept: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    carried: tuple[str, ...] = ()
    id: str | None = None
    time: str | None = None
    truth: str | None = None

    @property
    def names(self) -> frozenset[str]:
        """All of them."""
        one = [it for it in (self.id, self.time, self.truth) if it is not None]
        return frozenset((*self.kept, *self.ignored, *self.carried, *one))


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which input each column is: of a row, those at `places`, in the order of `inputs`.

    `titles` are those of the inputs; `vector` says that the columns are the elements of one input,
    whose `feature_names` are their titles, if they have any. `aside` are columns that are kept, by
    their places, and what they are kept as; `notices` say what was found. Where the rows are the
    `steps` of a series, that is the number of its axes, and `time` the place of their times.
    """

    width: int
    places: tuple[int, ...]
    inputs: tuple[InputInfo, ...]
    titles: tuple[str, ...]
    vector: bool
    feature_names: tuple[str, ...] | None = None
    aside: Mapping[int, str] = field(default_factory=dict)
    headless: bool = False
    notices: tuple[Notice, ...] = ()
    steps: int = 0
    time: int | None = None


def columns_of(
    titles: Sequence[str],
    inputs: Sequence[InputInfo],
    beside: Beside,
    where: Where,
    is_number: Callable[[str], bool] = lambda title: False,
) -> Columns:
    """Return what the columns with these titles are. Raises InstanceError where they do not fit.

    Each column is an input, or the columns are the elements of the model's single vector input: by
    the names of its features, if the titles have any of these, else in order. A first row that
    `is_number` throughout is no header of a vector.
    """
    names = [info.name for info in inputs]
    elements = [it for info in inputs for it in info.feature_names or ()]
    aside, apart = asked_for(titles, [*names, *elements], beside, where)
    if beside.id is None:  # an id that is kept is one all the same
        apart -= {i for i in apart if titles[i] in beside.carried and titles[i].casefold() == ID}
    rest = [i for i in range(len(titles)) if i not in apart]
    shape = inputs[0].instance_shape if len(inputs) == 1 else ()
    vector = len(inputs) == 1 and (shape is None or len(shape) == 1)
    if vector and [titles[i] for i in rest] != names:
        info = inputs[0]
        if not info.is_string and rest and all(is_number(titles[i]) for i in rest):
            _check_width(info, len(rest), where)
            numbered = tuple(str(n) for n in range(1, len(rest) + 1))
            return Columns(
                width=len(titles), places=tuple(rest), inputs=(info,) * len(rest), titles=numbered,
                vector=True, aside=aside, headless=True,
            )  # fmt: skip
        return _elements(titles, rest, aside, info, where)
    found = _found([i for i in rest if titles[i] not in names], titles, aside, where)
    columns = [i for i in rest if i not in found.places]
    given = [titles[i] for i in columns]
    if given and all(map(is_number, given)):
        listed = ", ".join(f"'{name}'" for name in names)
        hint = f"write a first line with the names of the inputs, {listed}"
        raise InstanceError("the first line has no titles", where=where, hint=hint)
    by_name = {info.name: info for info in inputs}
    check_names(given, by_name, where, "column")
    return Columns(
        width=len(titles), places=tuple(columns), inputs=tuple(by_name[it] for it in given),
        titles=tuple(given), vector=False, aside=found.aside, notices=found.notices,
    )  # fmt: skip


def record_columns(
    titles: Sequence[str],
    features: Sequence[InputInfo],
    beside: Beside,
    where: Where,
    is_number: Callable[[str], bool],
) -> Columns:
    """Return the columns of rows that are the features of a record in order, titled or not.

    A first row is one of titles unless there are numbers wherever features are numbers.
    """
    aside, apart = asked_for(titles, [], beside, where)
    rest = [i for i in range(len(titles)) if i not in apart]
    if len(rest) != len(features):
        what = f"a row has {len(features)} columns, the table has {count_text(len(rest))}"
        hint = Hint("leave a column out with {ignore_columns}") if len(rest) > len(features) else ""
        raise InstanceError(what, where=where, hint=hint)
    numbers = [titles[i] for i, it in zip(rest, features, strict=True) if not it.is_string]
    return Columns(
        width=len(titles), places=tuple(rest), inputs=tuple(features), aside=aside, vector=True,
        titles=tuple(it.name for it in features),
        headless=bool(numbers) and all(not it or is_number(it) for it in numbers),
    )  # fmt: skip


def asked_for(
    titles: Sequence[str], names: Sequence[str], beside: Beside, where: Where
) -> tuple[dict[int, str], set[int]]:
    """Return the columns that are kept, with their names, and all that are no inputs."""
    ids = [] if beside.id is None else [place_of(beside.id, "the id", titles, where)]
    aside = {i: title for i, title in enumerate(titles) if title in beside.kept}
    aside = {i: title for i, title in aside.items() if title not in names}
    aside |= dict.fromkeys(ids, ID)
    apart = {i for i, title in enumerate(titles) if title in beside.ignored}
    if beside.truth is not None:
        place = place_of(beside.truth, "the truth", titles, where)
        aside[place] = TRUTH
        apart.add(place)
    apart |= {i for it, i in carried_places(titles, beside, where).items() if it not in names}
    return aside, apart | {i for i in aside if titles[i] not in names}


def carried_places(titles: Sequence[str], beside: Beside, where: Where) -> dict[str, int]:
    """Return where the columns are that go along, by their names. Raises InstanceError."""
    return {it: place_of(it, "a column to keep", titles, where) for it in beside.carried}


def place_of(title: str, role: str, titles: Sequence[str], where: Where) -> int:
    """Return the place of the one column of this title. Raises InstanceError."""
    places = [i for i, it in enumerate(titles) if it == title]
    if len(places) == 1:
        return places[0]
    if places:
        raise InstanceError(f"column '{title}', {role}, is given twice", where=where)
    hint = meant(title, list(titles)) or "the columns are " + ", ".join(f"'{it}'" for it in titles)
    what = f"has no column '{title}', which was to be {role}"
    raise InstanceError(what, where=where, hint=hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """Columns that nobody asked for and that are an id: they are kept, and that is said."""

    places: tuple[int, ...] = ()
    aside: Mapping[int, str] = field(default_factory=dict)
    notices: tuple[Notice, ...] = ()


def _found(
    unknown: Sequence[int], titles: Sequence[str], aside: Mapping[int, str], where: Where
) -> _Found:
    """Return which of some columns that are no inputs are an id, by their titles."""
    named = [i for i in unknown if titles[i].casefold() == ID]
    index = [i for i in unknown if i == 0 and titles[i] in _INDEX]
    index += [i for i in unknown if i == len(titles) - 1 and titles[i] == _INDEX[-1]]
    kept, notices = dict(aside), []
    for place in (*named, *index):
        said = f"column '{titles[place]}' is kept as the id"
        if place in index:
            title = f"'{titles[place]}'" if titles[place] else "without a title"
            said = f"column {place + 1}, {title}, is the index that pandas writes"
            said += " and left out" if ID in kept.values() else " and kept as the id"
        elif ID in kept.values():
            continue  # which of two is the id is for people to say
        notices.append(Notice(said, where))
        if ID not in kept.values():
            kept[place] = ID
        else:
            kept.setdefault(place, "")
    places = tuple(i for i in kept if i not in aside)
    return _Found(
        places=places, aside={i: it for i, it in kept.items() if it}, notices=tuple(notices)
    )


def _elements(
    titles: Sequence[str], rest: list[int], aside: Mapping[int, str], info: InputInfo, where: Where
) -> Columns:
    """Return what columns are that are the elements of one input."""
    known = info.feature_names or ()
    by_name = not set(known).isdisjoint(titles[i] for i in rest)
    width = None if info.instance_shape is None else info.instance_shape[0]
    found = _Found(aside=aside)
    if by_name or len(rest) != width:
        found = _found([i for i in rest if titles[i] not in known], titles, aside, where)
    columns = [i for i in rest if i not in found.places]
    notices = found.notices
    if by_name:
        given = [titles[i] for i in columns]
        check_names(given, dict.fromkeys(known, info), where, "column")
        if given != list(known):
            what = f"its columns are put in the order of the features of '{info.name}'"
            notices = (*notices, Notice(what, where))
        columns = [columns[given.index(name)] for name in known]
    elif width is not None and len(columns) != width:
        _check_width(info, len(rest), where)
    names = tuple(titles[i] for i in columns)
    distinct = all(names) and len(set(names)) == len(names)
    return Columns(
        width=len(titles), places=tuple(columns), inputs=(info,) * len(columns), titles=names,
        vector=True, feature_names=names if distinct else None, aside=found.aside, notices=notices,
    )  # fmt: skip


def _check_width(info: InputInfo, count: int, where: Where) -> None:
    width = None if info.instance_shape is None else info.instance_shape[0]
    if width not in (None, count):
        what = f"input '{info.name}' is {info.wants}, the table has {count_text(count)}"
        hint = (
            Hint("leave a column out with {ignore_columns}")
            if width is not None and count > width
            else ""
        )
        raise InstanceError(what, where=where, hint=hint)


def count_text(count: int) -> str:
    """Return a number of columns, in words."""
    return f"{count} column{'' if count == 1 else 's'}"
