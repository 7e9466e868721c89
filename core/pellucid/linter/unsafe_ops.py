"""The operations with which a model touches more than tensors: files, the network, the process.

"TensorFlow models are programs" (TensorFlow's SECURITY.md): whoever runs one runs what its author
wrote. ``judgements.txt`` has a verdict and a reason for each operation of TensorFlow that is
stateful, or whose name or inputs speak of files, hosts or Python; a test holds it to the installed
TensorFlow's registry. What else is in that registry only computes. What is not in it is known to
nobody, and counts as touching the world.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pellucid.saved_model import names, table_version

RESTORES = ("Restore", "RestoreSlice", "RestoreV2")
SAVES = ("Save", "SaveSlices", "SaveV2", "MergeV2Checkpoints")


@dataclass(frozen=True, slots=True)
class Judgement:
    """A line of the table: `verdict` is ``touches``, ``harmless``, ``attribute`` or ``path``.

    `place` is the attribute that decides, or the number of the input that names a file; `reason`
    is what the operation does.
    """

    verdict: str
    place: str
    reason: str


def judgement(op: str) -> Judgement | None:
    """Return what is known of an operation, None for one that only computes."""
    found = judgements().get(op)
    if found is None and op not in names():
        what = f"needs an operation that TensorFlow {table_version()[0]} does not have"
        return Judgement("touches", "", what)
    return found


@cache
def judgements() -> Mapping[str, Judgement]:
    """Return the table."""
    from importlib.resources import files

    text = (files("pellucid.linter") / "judgements.txt").read_text("utf-8")
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, verdict, reason = line.split("\t")
            kind, _, place = verdict.partition(" ")
            found[name] = Judgement(kind, place, reason)
    return found


def may_touch(op: str) -> bool:
    """Whether an operation of this type touches the world, or may."""
    found = judgement(op)
    return found is not None and found.verdict != "harmless"


def is_known(op: str) -> bool:
    """Whether TensorFlow had an operation of this name when the operations were judged."""
    return op in names()


def path_input(op: str) -> int | None:
    """Return which input of an operation names a file, if where that comes from decides."""
    found = judgements().get(op)
    return int(found.place) if found is not None and found.verdict == "path" else None


def touches(op: str, attributes: Mapping[str, Any]) -> str | None:
    """Return what an operation does to the world, ``writes files``, or None.

    Those with a `path_input` are judged by that, not here.
    """
    found = judgement(op)
    if found is None or found.verdict in ("harmless", "path"):
        return None
    if found.verdict == "attribute":
        return found.reason if _by_attribute(found.place, attributes) else None
    return found.reason


def _by_attribute(name: str, attributes: Mapping[str, Any]) -> bool:
    """Whether the attribute that names a file or a host names one."""
    if name not in attributes:
        return False
    value = attributes[name]
    if value.WhichOneof("value") == "placeholder":
        return True  # whoever calls the function says which, and may say anything
    if name == "debug_urls":
        return bool(value.list.s)
    word: bytes = value.s
    if name == "output_stream":
        return word.startswith(b"file://")
    if name == "descriptor_source":
        return word not in (b"", b"local://") and not word.startswith(b"bytes://")
    return bool(word)
