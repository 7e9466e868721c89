"""``validate-metadata`` on large models, against an interpreter that does nothing.

The models are written here: a megabyte as a network of functions, 100 megabytes as constants and as
operations, and a million operations of a few bytes each.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rows import BENCH, Row, compared
from timing import in_subprocess, interleaved, middle

from pellucid.saved_model.protobuf import messages

FLOAT = 1
PROGRAM = [sys.executable, "-c", "from pellucid_cli.main import main; main()", "validate-metadata"]
# What each may take: times the CPU of an empty interpreter, and megabytes. The targets are 0.5 s for
# 1 MB, 1.5 s for 100 MB, 2 s and 500 MB for a million nodes; an empty interpreter takes 0.0075 s.
LARGEST = {
    "1 MB": (66, 500),
    "100 MB of constants": (200, 500),
    "100 MB of operations": (200, 600),
    "a million nodes": (266, 500),
}
# A process inherits the peak of the one that starts it, so that a small one stands in between.
PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, capture_output=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def operation(nodes: Any, name: str, op: str, *inputs: str) -> Any:
    node = nodes.add(name=name, op=op, input=inputs)
    node.attr["T"].type = FLOAT
    return node


def realistic(nodes: Any, size: float, first: str, suffix: str) -> str:
    """Add dense layers as exporters write them until there are `size` bytes; return the last."""
    last, written, number = first, 0, 0
    while written < size:
        name = f"model/block_{number // 100}/dense_{number}/BiasAdd"
        node = operation(nodes, name, "AddV2", last, first)
        shape = node.attr["_output_shapes"].list.shape.add()
        shape.dim.add(size=-1)
        shape.dim.add(size=128)
        last, number = f"{name}{suffix}", number + 1
        written += node.ByteSize() + 4
    return last


def in_functions(graph: Any) -> str:
    function = graph.library.function.add()
    function.signature.name = "serve"
    function.signature.input_arg.add(name="x", type=FLOAT)
    function.signature.output_arg.add(name="y", type=FLOAT)
    function.ret["y"] = realistic(function.node_def, 1e6, "x", ":z:0")
    call = graph.node.add(name="call", op="StatefulPartitionedCall", input=["x"])
    call.attr["Tin"].list.type.append(FLOAT)
    call.attr["Tout"].list.type.append(FLOAT)
    call.attr["f"].func.name = "serve"
    return "call"


def constants(graph: Any) -> str:
    last = "x"
    for number in range(25):
        value = graph.node.add(name=f"w{number}", op="Const").attr["value"].tensor
        value.dtype, value.tensor_content = FLOAT, os.urandom(4_000_000)
        operation(graph.node, f"y{number}", "AddV2", last, f"w{number}")
        last = f"y{number}"
    return last


def operations(graph: Any) -> str:
    return realistic(graph.node, 100e6, "x", "")


def many(graph: Any) -> str:
    last = "x"
    for number in range(1_000_000):
        graph.node.add(name=f"n{number}", op="Neg", input=[last])
        last = f"n{number}"
    return last


BUILDERS = (in_functions, constants, operations, many)


def model(build: Any, directory: Path) -> Path:
    """Write a model of one input and one output, and return its directory."""
    saved = messages()("tensorflow.SavedModel")()
    graph = saved.meta_graphs.add()
    graph.meta_info_def.tags.append("serve")
    graph.meta_info_def.tensorflow_version = "2.15.0"
    graph.graph_def.node.add(name="x", op="Placeholder").attr["dtype"].type = FLOAT
    signature = graph.signature_def["serving_default"]
    for infos, node in ((signature.inputs, "x"), (signature.outputs, build(graph.graph_def))):
        infos[node[:1]].name, infos[node[:1]].dtype = f"{node}:0", FLOAT
        infos[node[:1]].tensor_shape.dim.add(size=-1)
        infos[node[:1]].tensor_shape.dim.add(size=128)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "saved_model.pb").write_bytes(saved.SerializeToString())
    return directory


def peak(command: list[str]) -> float:
    """Return the most memory that a process had, in megabytes."""
    run = subprocess.run([sys.executable, "-c", PEAK, *command], capture_output=True, check=True)
    return int(run.stdout) / (2**20 if sys.platform == "darwin" else 2**10)


def linting(turns: int) -> Iterator[Row]:
    """What a CI system waits for."""
    folder = BENCH / "linted"
    try:
        for (name, (bound, megabytes)), build in zip(LARGEST.items(), BUILDERS, strict=True):
            command = [*PROGRAM, str(model(build, folder / build.__name__))]
            cases = {
                "ours": in_subprocess(command),
                "python -c pass": in_subprocess([sys.executable, "-c", "pass"]),
            }
            measured = interleaved(cases, turns)
            seconds = f"{middle(measured['ours']).cpu:.2f} s"
            yield compared(f"validate {name}", "python -c pass", measured, seconds, bound=bound)
            yield Row(f"validate {name}", "MB of memory", peak(command), None, megabytes)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
