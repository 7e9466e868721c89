"""The parts of a run, explained in folders of their own, put together: the bytes of one run.

A part is a run that was broken off on purpose: it has explained its share of the blocks, and keeps
them as any run does that is not complete. So all that is to do is to bring the blocks of all parts
into one folder, and to end the run there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pellucid.batch.finish import finish
from pellucid.batch.output_folder import Folder
from pellucid.batch.plan import Part, Plan, Selection
from pellucid.batch.rendering import Wanted
from pellucid.batch.resume import ANEW, changes, check_plan
from pellucid.batch.run import Outcome
from pellucid.errors import OutputError
from pellucid.files import DAMAGED, read_bytes
from pellucid.notices import Hint, Where, Words, python_words


def merge(
    parts: Sequence[Path],
    out: Path,
    *,
    force: bool = False,
    words: Words = python_words,
    on_block: Callable[[int, int], None] = lambda done, total: None,
) -> Outcome:
    """Put the parts of a run together in the folder `out`, which then is that of the whole run.

    `on_block` is told how many of how many blocks are there. Broken off, the same call goes on.
    Raises OutputError where a part is missing or not complete, is of another run, or is `out`.
    """
    folders = _in_order([Folder(it, words) for it in parts])
    if out.resolve() in {it.path.resolve() for it in folders}:  # force would erase it unread
        what = "is one of the parts, and the whole needs a folder of its own"
        raise OutputError(what, where=Where(file=str(out)), hint="name another folder")
    document = {key: it for key, it in folders[0].plan().items() if key != "shard"}
    plan = _plan(folders[0])
    for number in range(plan.blocks):
        _check_block(folders[number % len(folders)], number, plan)
    failed = sum(
        folders[it % len(folders)].record(it)["tally"]["failed"] for it in range(plan.blocks)
    )
    outcome = Outcome(total=plan.chosen, done=plan.chosen, failed=failed)
    folder = Folder(out, words)
    folder.check(force=force)
    with folder.claimed():
        if force:
            folder.clear()
        elif before := folder.plan() or folder.summary().get("plan", {}):
            _refuse_other(folder, before, document)
            if not folder.plan():
                return outcome
        outcome.fresh = plan.chosen
        folder.begin(document)
        folder.write(folder.listing, read_bytes(folders[0].listing))
        for number in range(plan.blocks):
            record = folder.record(number)
            whole = folder.results(plan.shard_of(number), plan.shards).exists()
            if not record or not (whole or folder.is_whole(number, record)):
                _adopt(folder, folders[number % len(folders)], number)
            on_block(number + 1, plan.blocks)
        for shard in range(plan.shards):
            path = folder.results(shard, plan.shards)
            if not path.exists():
                folder.assemble(path, plan.shard(shard))
        own = _shard(folders[0])
        outcome.said = finish(folder, plan, document, _wanted(own, out), own["method"])
    return outcome


def _refuse_other(folder: Folder, before: Mapping[str, Any], document: Mapping[str, Any]) -> None:
    """Raise OutputError where a folder has another run than the one that is put together."""
    if changes(before, document) or before["inputs"] != document["inputs"]:
        raise OutputError("belongs to another run", where=folder.where, hint=ANEW)


def _in_order(folders: Sequence[Folder]) -> list[Folder]:
    """Return the folders by the number of their part. Raises OutputError."""
    found: dict[int, Folder] = {}
    first = folders[0]
    for folder in folders:
        shard = _shard(folder)
        folder.check_free()
        whole = {**folder.plan(), "shard": None}
        other = {**first.plan(), "shard": None}
        differ = changes(other, whole)
        if whole["inputs"] != other["inputs"]:
            differ.append("other inputs")
        if shard["of"] != _shard(first)["of"]:
            differ.append(f"it is one of {shard['of']}, and not of {_shard(first)['of']}")
        if differ:
            raise OutputError(
                f"is a part of another run than {first.path} ({'; '.join(differ)})",
                where=folder.where,
            )
        if shard["number"] in found:
            raise OutputError(
                f"is part {shard['number']}, and so is {found[shard['number']].path}",
                where=folder.where,
                hint="name each part once",
            )
        found[shard["number"]] = folder
    missing = [str(it) for it in range(1, _shard(first)["of"] + 1) if it not in found]
    if missing:
        raise OutputError(
            f"part{'s' * (len(missing) > 1)} {', '.join(missing)} of {_shard(first)['of']} "
            f"{'are' if len(missing) > 1 else 'is'} missing",
            hint="name the folders of all parts",
        )
    return [found[it] for it in sorted(found)]


def _shard(folder: Folder) -> dict[str, Any]:
    """Return what a folder says of its part. Raises OutputError where it has none."""
    document = folder.plan()
    where = folder.where
    if not document:
        complete = bool(folder.summary())
        what = "is a complete run" if complete else "holds no part of a run"
        raise OutputError(what, where=where, hint=Hint("make parts with {batch.shard:1/8}"))
    try:
        check_plan(document)
    except ValueError as error:
        raise OutputError(f"its plan is damaged ({error})", where=where) from None
    if "shard" not in document:
        what = "is a run that was broken off, and no part of one"
        raise OutputError(what, where=where, hint=Hint("make parts with {batch.shard:1/8}"))
    shard: dict[str, Any] = document["shard"]
    return shard


def _plan(folder: Folder) -> Plan:
    document, shard = folder.plan(), _shard(folder)
    settings, inputs = document["settings"], document["inputs"]
    return Plan(
        listing=folder.listing,
        root=shard["root"],
        total=inputs["count"],
        names=inputs["names"],
        contents=inputs["contents"],
        size=settings["blockSize"],
        selection=Selection(
            limit=settings.get("limit"),
            sample=settings.get("sample"),
            seed=settings.get("sampleSeed", 0),
        ),
    )


def _wanted(shard: Mapping[str, Any], out: Path) -> Wanted:
    return Wanted(
        out=str(out),
        gallery=shard["gallery"],
        table=shard["table"],
        kept_columns=tuple(shard["columns"]),
    )


def _check_block(folder: Folder, number: int, plan: Plan) -> None:
    """Raise OutputError where a part does not have one of its blocks."""
    record = folder.record(number)
    if record and folder.is_whole(number, record) and folder.has_table(number, record):
        return
    shard = _shard(folder)
    own = Part(shard["number"], shard["of"])
    raise OutputError(
        f"part {own} is not complete: block {number + 1} of {plan.blocks} is not explained",
        where=folder.where,
        hint="run its command again",
    )


def _adopt(folder: Folder, part: Folder, number: int) -> None:
    try:
        folder.adopt(part, number)
    except (*DAMAGED, FileNotFoundError) as error:
        raise OutputError(
            f"what was written of block {number + 1} is damaged ({error})",
            where=part.where,
            hint=Hint("explain this part again, with {force:True}"),
        ) from error
