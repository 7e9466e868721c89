"""Findings as bytes and back, so that a run which was broken off goes on from them."""

from __future__ import annotations

import io
import json
from collections import Counter
from dataclasses import asdict, replace
from typing import Any
from zipfile import BadZipFile

import numpy as np

from pellucid.api.judging.findings import Findings
from pellucid.evaluate import Instance as Row
from pellucid.evaluate import Shown, packed
from pellucid.files import DAMAGED
from pellucid.model import Array

DOCUMENT = "document"


def to_bytes(found: Findings, key: str) -> bytes:
    """Return what was found as a ``.npz`` file; `key` tells of what.

    One of its arrays is JSON, in which the others are named. It is Python's: a number that is none
    is NaN in it, and halves of letters, which names of files may have, are escaped.
    """
    arrays: list[Array] = []

    def kept(value: Array) -> int:
        arrays.append(np.asarray(value))
        return len(arrays) - 1

    document = {
        "key": key,
        "rows": [asdict(it) for it in found.rows],
        "values": found.values,
        "curves": {
            metric: {name: {n: kept(it) for n, it in one.items()} for name, one in of.items()}
            for metric, of in found.curves.items()
        },
        "missing": [[*it, count] for it, count in found.missing.items()],
        "shown": [
            {
                "number": it.number,
                "spread": it.spread,
                "maps": {name: kept(values) for name, values in it.maps.items()},
                "picture": None if it.picture is None else kept(it.picture),
                "elements": list(it.elements),
            }
            for it in found.shown
        ],
        "failed": found.failed,
        "out": found.out,
        "warned": found.warned,
        "several": found.several,
        "baseline": found.baseline,
        "kind": found.kind,
    }
    text = np.frombuffer(json.dumps(document).encode(), np.uint8)
    return packed({DOCUMENT: text, **{str(n): it for n, it in enumerate(arrays)}})


def of_bytes(data: bytes, key: str) -> Findings | None:
    """Return what `to_bytes` kept, None for what is damaged or of another key."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            document = json.loads(arrays[DOCUMENT].tobytes())
            return _found(document, arrays) if document["key"] == key else None
    except (*DAMAGED, BadZipFile):
        return None


def _found(document: dict[str, Any], arrays: Any) -> Findings:
    def numbered(values: dict[str, Any]) -> dict[int, Any]:
        return {int(number): it for number, it in values.items()}

    return Findings(
        rows=[replace(Row(**it), output=tuple(it["output"])) for it in document["rows"]],
        values={
            metric: {name: numbered(values) for name, values in of.items()}
            for metric, of in document["values"].items()
        },
        curves={
            metric: {
                name: {n: arrays[str(it)] for n, it in numbered(curves).items()}
                for name, curves in of.items()
            }
            for metric, of in document["curves"].items()
        },
        missing=Counter({tuple(it): count for *it, count in document["missing"]}),
        shown=[
            Shown(
                number=it["number"],
                spread=it["spread"],
                maps={name: arrays[str(n)] for name, n in it["maps"].items()},
                picture=None if it["picture"] is None else arrays[str(it["picture"])],
                elements=it["elements"],
            )
            for it in document["shown"]
        ],
        failed={name: numbered(of) for name, of in document["failed"].items()},
        out=document["out"],
        warned={name: Counter(said) for name, said in document["warned"].items()},
        several=document["several"],
        baseline=document["baseline"],
        kind=document["kind"],
    )
