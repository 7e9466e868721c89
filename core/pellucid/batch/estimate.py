"""What a run would be: how many inputs, how long, how much disk, measured on a few of them."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

from pellucid.batch.engines.threads import Engine
from pellucid.batch.plan import Plan, Selection
from pellucid.batch.records import Record
from pellucid.notices import Notice

FEW = 8
"""How many inputs a block of the trial has at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What was measured on `tried` inputs, for all: `seconds`, and `sizes` in bytes by folder.

    `failures` say why some failed.
    """

    inputs: int
    blocks: int
    size: int
    shards: int
    tried: int
    seconds: float
    sizes: dict[str, float]
    free: int
    failures: tuple[Notice, ...]


def estimate(plan: Plan, engine: Engine, out: Path) -> Estimate:
    """Explain a few inputs, spread over all of them, twice, and write nothing.

    The first time everything is compiled; the second is measured.
    """
    size = min(plan.size, FEW)
    count = min(plan.owned, size * engine.blocks)
    places = plan.selection.of(plan.total)
    spread = places[:: max(1, len(places) // count)][:count]
    trial = replace(plan, size=size, selection=Selection(places=tuple(spread.tolist())))
    blocks = list(trial.cut(engine.about.inputs, engine.about.beside))
    records: list[Record] = []
    seconds = 0.0
    for _ in range(2):
        started = perf_counter()
        records = [it for done in engine.explain(blocks) for it in done.records]
        seconds = perf_counter() - started
    sizes: Counter[str] = Counter()
    for record in records:
        sizes["results"] += len(record.result or b"")
        for place, data in record.files:
            sizes[place.partition("/")[0]] += len(data)
    share = plan.owned / max(1, len(records))
    there = next(path for path in (out, *out.absolute().parents) if path.exists())
    return Estimate(
        inputs=plan.owned,
        blocks=len(plan.own),
        size=plan.size,
        shards=plan.shards,
        tried=len(records),
        seconds=seconds * share,
        sizes={name: total * share for name, total in sizes.items()},
        free=shutil.disk_usage(there).free,
        failures=tuple(record.error for record in records if record.error is not None),
    )
