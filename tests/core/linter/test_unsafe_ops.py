"""Every operation of TensorFlow that could touch the world was judged."""

from __future__ import annotations

import re
import sys
from typing import Any

import pytest

from pellucid.linter.unsafe_ops import judgements, may_touch, touches
from pellucid.saved_model.protobuf import messages
from places import ROOT

TESTS = ROOT / "tests"

# What gives an operation away, beside being stateful: its name, or that of an input or attribute.
SUSPICIOUS = re.compile(
    "File|Write|Read|Save|Restore|Dataset|Py|Remote|Rpc|Send|Recv|TPU|Collective|Debug|Print|Load"
    "|Library|Host|Iterator|Exec|Mlir|Service|Import|Export|Checkpoint|Vocab|DB|Sql|Config|Server"
    "|Summary|Path|Dir|Shard|Compile|Run|Proto|Custom|Const$"
)
PLACES = re.compile("file|path|address|url|dir$|prefix|pattern|host|region|descriptor_source")


def test_every_suspicious_operation_was_judged() -> None:
    pytest.importorskip("tensorflow")
    sys.path.insert(0, str(TESTS))
    try:
        from make_operations import operations
    finally:
        sys.path.pop(0)
    judged, found = judgements(), set()
    for op in operations():
        words = [it.name for it in (*op.input_arg, *op.attr)]
        if op.is_stateful or SUSPICIOUS.search(op.name) or any(map(PLACES.search, words)):
            found.add(op.name)
    assert found - judged.keys() == set(), "not judged"
    # Nothing that was judged is gone, or was misspelt.
    assert judged.keys() - {it.name for it in operations()} == set()
    assert len(found) > 700
    assert {it.verdict for it in judged.values()} == {"touches", "harmless", "attribute", "path"}
    assert all(it.reason for it in judged.values())
    assert all(bool(it.place) == (it.verdict in ("attribute", "path")) for it in judged.values())


def test_an_operation_that_nobody_knows_touches_the_world() -> None:
    assert may_touch("NobodyKnowsWhat")
    assert touches("NobodyKnowsWhat", {}) is not None
    assert not may_touch("Sin")


def attribute(**values: Any) -> dict[str, Any]:
    found = {}
    for name, value in values.items():
        message = found[name] = messages()("tensorflow.AttrValue")()
        if isinstance(value, list):
            message.list.s.extend(value)
        else:
            message.s = value
    return found


@pytest.mark.parametrize(
    ("op", "attributes", "what"),
    [
        ("WriteFile", {}, "writes files"),
        ("ReadFile", {}, "reads files"),
        ("EagerPyFunc", {}, "calls Python"),
        ("RpcCall", {}, "talks to other machines or devices"),
        ("TPUExecute", {}, "talks to a TPU or its host"),
        ("DatasetFromGraph", {}, "runs a program that is hidden in its data"),
        ("Abort", {}, "acts on the process itself"),
        ("PrintV2", {"output_stream": b"stderr"}, None),
        ("PrintV2", {"output_stream": b"file:///tmp/x"}, "writes files"),
        ("DecodeProtoV2", {"descriptor_source": b"local://"}, None),
        ("DecodeProtoV2", {"descriptor_source": b"bytes://abc"}, None),
        ("DecodeProtoV2", {"descriptor_source": b"/etc/passwd"}, "reads files"),
        ("DebugIdentityV2", {"debug_urls": []}, None),
        (
            "DebugIdentityV2",
            {"debug_urls": [b"grpc://x"]},
            "writes files or talks to other machines",
        ),
        ("FixedUnigramCandidateSampler", {"vocab_file": b""}, None),
        ("FixedUnigramCandidateSampler", {"vocab_file": b"/etc/passwd"}, "reads files"),
        ("MatMul", {}, None),
        ("XlaCallModule", {}, None),
        ("XlaCustomCallV2", {}, "calls native code by its name"),
        ("DTensorAllReduce", {}, "talks to other machines or devices"),
        ("GetTpuTaskId", {}, "talks to a TPU or its host"),
        ("MapDataset", {}, None),
    ],
)
def test_what_an_operation_does(op: str, attributes: dict[str, Any], what: str | None) -> None:
    assert touches(op, attribute(**attributes)) == what
    assert what is None or may_touch(op)
