"""What is said of many instances of one call: once for each kind, with the worst of them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import replace

from pellucid.notices import Notice, Where


def said_together(found: Iterable[tuple[Where, Notice]], total: int) -> Iterator[Notice]:
    """Yield what is to be said of `total` instances, given a notice and the place of each.

    Notices of a kind that several instances have are one: that of the worst of them, with their
    number. What a single instance has is said as it is.
    """
    kinds: dict[Hashable, list[tuple[Where, Notice]]] = {}
    for where, notice in found:
        key = (notice.kind or notice.what, str(notice.hint), notice.where.path)
        kinds.setdefault(key, []).append((where, notice))
    for same in kinds.values():
        count = len({where for where, _ in same})
        if count == 1:
            yield from (notice.at(where) for where, notice in same)
            continue
        where, worst = max(same, key=lambda it: it[1].badness)  # of equals, the first
        which = "worst" if worst.badness else "first"
        of = f"{count:,} of {total:,} instances have this warning; the {which} is this"
        yield replace(worst, what=f"{worst.what} ({of})").at(where)
