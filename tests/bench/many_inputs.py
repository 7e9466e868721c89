"""An instance of thousands of named inputs, from JSON to arrays."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
from rows import Row
from timing import in_process, interleaved, middle

from pellucid.inputs import InputInfo, made_of, parse_json, stack
from pellucid.notices import Where

INPUTS, TIMES = 4_000, 20
MICROSECONDS = 1e6


def many_inputs(turns: int) -> Iterator[Row]:
    """Microseconds a value, for one instance of 4,000 inputs."""
    infos = [InputInfo(name=f"f{i:04}", dtype="float32", shape=(None, 1)) for i in range(INPUTS)]
    values = np.random.default_rng(0).normal(size=INPUTS).tolist()
    text = json.dumps({info.name: value for info, value in zip(infos, values, strict=True)})
    where = Where(instance=0)

    def read() -> None:
        for _ in range(TIMES):
            (instance,) = made_of([(parse_json(text, where), where, {})], infos)
            if isinstance(instance, Exception):
                raise instance
            stack([instance], infos)

    used = middle(interleaved({"ours": in_process(read)}, turns)["ours"])
    share = MICROSECONDS / (TIMES * INPUTS)
    what = f"read an instance of {INPUTS:,} inputs, a value"
    yield Row(what, "microseconds", used.cpu * share, used.wall * share, bound=15)
