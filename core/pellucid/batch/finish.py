"""The last step of a run: what is said of all of it, from the records of its blocks."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from pellucid.batch.output_folder import ERRORS, SUMMARY, TABLE, Folder
from pellucid.batch.plan import Plan
from pellucid.batch.rendering import Wanted
from pellucid.batch.resume import ANEW
from pellucid.batch.summary import Summary
from pellucid.errors import OutputError
from pellucid.files import DAMAGED, fitting, shown
from pellucid.gallery import OVERVIEW, Entry, write_gallery
from pellucid.responses import encode, laid_out, write_tidy
from pellucid.visualize import ClassGroups, Overview, class_groups, overview_pictures
from pellucid.visualize import encode as encode_picture

# Lines of results are long, and so many bytes of them are asked for at a time.
_READ = 1 << 20


def finish(
    folder: Folder, plan: Plan, document: Mapping[str, Any], wanted: Wanted, method: str
) -> list[str]:
    """Write errors.jsonl, the gallery and, last, summary.json, when all results are in place.

    `method` is that of the explanations, in words, as pictures of all of them have it. Returns what
    the run as a whole says, in sentences.
    """
    counted, seconds = Summary(), 0.0
    with folder.aside(folder.path / ERRORS) as errors:
        for number in range(plan.blocks):
            record = folder.record(number)
            counted.add(Summary.read(record["tally"]))
            seconds += record["seconds"]
            for it in record["records"]:
                if "error" in it:
                    line = {"input": it["name"], "error": it["error"]}
                    errors.write(encode(line, indent=False))
    try:
        groups = [*class_groups(counted.maps, counted.overview)]
        findings = [it.sentence for it in groups if it.finding]
        _draw(folder, counted.overview, method, groups)
        if wanted.table is not None:
            with folder.aside(folder.path / f"{TABLE}.{wanted.table}") as file:
                rows = folder.table(range(plan.blocks))
                truth = counted.truth is not None
                write_tidy(file, wanted.table, wanted.kept_columns, rows, truth=truth)
        if wanted.gallery:
            title = os.path.basename(plan.root) or plan.root
            write_gallery(folder.path, _entries(folder, plan), title=title, findings=findings)
            folder.take_pages()
    except DAMAGED as error:
        what = f"what was written of some blocks is damaged ({error})"
        raise OutputError(what, where=folder.where, hint=ANEW) from error
    summary = {
        **counted.totals(),
        **({"groups": {it.called: it.document() for it in groups}} if groups else {}),
        **({"findings": findings} if findings else {}),
        "timing": {
            "seconds": round(seconds, 3),
            "perSecond": round(plan.chosen / seconds, 3) if seconds else None,
        },
        "provenance": document.get("provenance", {}),
        "plan": {key: value for key, value in document.items() if key != "provenance"},
    }
    folder.write(folder.path / SUMMARY, laid_out(summary))
    folder.remove_state()
    return [*([] if counted.truth is None else [counted.truth.sentence]), *findings]


def _draw(folder: Folder, overview: Overview, method: str, groups: Sequence[ClassGroups]) -> None:
    """Write the pictures of the whole run, numbered in the order in which they are looked at."""
    for number, picture in enumerate(overview_pictures(overview, method, groups)):
        parts = (it for it in (picture.kind, picture.label, picture.feature) if it is not None)
        name = shown(f"{number:02d}." + ".".join(parts)).replace("/", "_")
        data = encode_picture(picture.pixels, "png")
        folder.write(folder.path / OVERVIEW / f"{fitting(name)}.png", data)


def _entries(folder: Folder, plan: Plan) -> Iterator[Entry]:
    """Yield what the gallery shows of each input, in their order."""
    for shard in range(plan.shards):
        with folder.results(shard, plan.shards).open("rb", _READ) as results:
            for number in plan.shard(shard):
                for it in folder.record(number)["records"]:
                    if "error" in it:
                        row = {"input": it["name"], "error": it["error"]}
                        yield Entry(name=it["name"], error=it["error"], row=row)
                    else:
                        line = results.readline()
                        if "brief" in it["shown"]:  # which goes into the page as it is
                            orjson.loads(it["shown"]["brief"])
                        yield Entry(name=it["name"], row=line, size=len(line), **it["shown"])
