"""What was done before, and whether the same command can go on from there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from pellucid.batch.output_folder import Folder
from pellucid.batch.plan import Part, Plan, first_difference
from pellucid.batch.rendering import Wanted
from pellucid.batch.summary import Summary
from pellucid.batch.worker import About
from pellucid.errors import OutputError
from pellucid.files import DAMAGED, expect
from pellucid.notices import Hint

FORMAT = 6
"""Changes with what a line of results holds, and with what tells one model from another."""

ANEW = Hint("name another folder, or add {force:True} to start over")
_FORM = {
    "shard?": {
        "number": int,
        "of": int,
        "root": str,
        "method": str,
        "gallery": bool,
        "table": (str, None),
        "columns": [str],
    },
    "versions": dict,
    "model": object,
    "settings": dict,
    "inputs": {"count": int, "names": str, "contents": str},
    "provenance?": dict,
}
_DISTRIBUTIONS = ("pellucid", "tensorflow", "tensorflow-cpu", "numpy", "pillow")


def plan_document(plan: Plan, about: About, wanted: Wanted) -> dict[str, Any]:
    """Return what must stay the same from one command to the next, as JSON.

    That of a part of a run says so in ``shard``, with what it takes to put all parts together.
    """
    chosen = {
        "blockSize": plan.size,
        "limit": plan.selection.limit,
        "sample": plan.selection.sample,
        "sampleSeed": None if plan.selection.sample is None else plan.selection.seed,
    }
    settings = {**about.settings, **chosen}
    return {
        "format": FORMAT,
        "versions": {**_versions()},
        "model": about.model,
        "settings": {key: it for key, it in settings.items() if it is not None},
        "inputs": {"count": plan.total, "names": plan.names, "contents": plan.contents},
        "provenance": about.provenance,
        **({"shard": _shard(plan, plan.part, about.method, wanted)} if plan.part else {}),
    }


def _shard(plan: Plan, part: Part, method: str, wanted: Wanted) -> dict[str, Any]:
    return {
        **asdict(part),
        "root": plan.root,
        "method": method,
        "gallery": wanted.gallery,
        "table": wanted.table,
        "columns": [*wanted.kept_columns],
    }


def refuse_changes(
    folder: Folder, before: Mapping[str, Any], after: Mapping[str, Any], plan: Plan
) -> None:
    """Raise OutputError that says in what the run differs from the one that wrote the folder.

    Of a run that was broken off, files may change: what was made of them is done again.
    """
    if before.get("format") != FORMAT:
        raise OutputError(
            "was written by another version of this program, or is cleared in part",
            where=folder.where,
            hint=ANEW,
        )
    try:
        check_plan(before)
    except ValueError as error:
        what = f"its plan is damaged ({error})"
        raise OutputError(what, where=folder.where, hint=ANEW) from None
    found = changes(before, after)
    if before["inputs"]["names"] != plan.names:
        if folder.listing.exists():
            found.append(f"other inputs: {_difference(folder.listing, plan.listing)}")
        else:
            counts = [f"{it['inputs']['count']:,}" for it in (after, before)]
            found.append(f"other inputs: there are {counts[0]}, and were {counts[1]}")
    elif before["inputs"] != after["inputs"] and not folder.plan():
        found.append("some inputs have changed since")
    if found:
        raise OutputError(
            f"belongs to another run ({'; '.join(found)})",
            where=folder.where,
            hint=ANEW,
        )


def _difference(before: Path, after: Path) -> str:
    try:
        return first_difference(before, after)
    except (*DAMAGED, OSError):
        return "the list of those before is damaged"


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Say in what two plans differ, apart from their inputs, one phrase for each."""
    found = []
    for name in ("versions", "settings"):
        old, new = (dict(_leaves(it.get(name, {}))) for it in (before, after))
        for key in dict.fromkeys((*new, *old)):
            was, now = old.get(key), new.get(key)
            if was != now:
                digest = isinstance(was, str) and len(was) == 64
                found.append(
                    f"{key} changed" if digest else f"{key} is {_said(now)}, and was {_said(was)}"
                )
    if before.get("model") != after["model"]:
        found.append("the model changed")
    was, now = (_part(it) for it in (before, after))
    if was != now:
        found.append(f"it is {now}, and was {was}")
    return found


def _leaves(document: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what is in a document that is no object itself, by its path."""
    for key, it in document.items():
        if isinstance(it, Mapping):
            yield from _leaves(it, f"{path}{key}.")
        else:
            yield f"{path}{key}", it


def _part(document: Mapping[str, Any]) -> str:
    shard = document.get("shard")
    return f"part {shard['number']}/{shard['of']}" if shard else "all of a run"


def check_plan(document: Mapping[str, Any]) -> None:
    """Raise ValueError for a plan that is not of the form it has to be."""
    expect(document, _FORM)


def done_blocks(
    folder: Folder, plan: Plan, about: About, *, changed: bool
) -> dict[int, tuple[int, int]]:
    """Return the blocks that are complete, each with how many it explained and how many failed.

    With `changed`, blocks of files that are not what they were are forgotten, and so are the others
    whose results stand in the same file.
    """
    done: dict[int, tuple[int, int]] = {}
    stamps: dict[int, str] = {}
    whole = [folder.results(it, plan.shards).exists() for it in range(plan.shards)]
    for number in range(plan.blocks):
        record = folder.record(number)
        there = record and (whole[plan.shard_of(number)] or folder.is_whole(number, record))
        there = there and folder.has_table(number, record)
        if there and _counts(record):
            done[number] = (record["tally"]["explained"], record["tally"]["failed"])
            stamps[number] = record["stamp"]
    if changed:
        shards = set[int]()
        lost = set[int]()
        for block in plan.cut(about.inputs, about.beside):
            if block.number in done and stamps[block.number] != block.stamp:
                shard = plan.shard_of(block.number)
                lost |= {*plan.shard(shard)} if whole[shard] else {block.number}
                shards.add(shard)
        folder.forget(sorted(lost), [folder.results(it, plan.shards) for it in sorted(shards)])
        for number in lost:
            done.pop(number, None)
    return done


def _counts(record: Mapping[str, Any]) -> bool:
    """Whether what a record counts can be added up; else its block is done again."""
    try:
        Summary.read(record["tally"])
    except DAMAGED:
        return False
    return True


@cache
def _versions() -> Mapping[str, str]:
    """The versions of what decides about a run. A process has read its packages; they stay."""
    found = {}
    for name in _DISTRIBUTIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _said(value: object) -> str:
    if value is None:
        return "not set"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
