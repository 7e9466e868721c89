"""What large graphs cost where their nodes are looked at one by one, in seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from rows import Row
from timing import in_process, interleaved, middle

from pellucid.errors import SpecError
from pellucid.runtime.graph.flat_graph import FlatGraph
from pellucid.saved_model.protobuf import messages
from pellucid.saved_model.reader import MetaGraph
from pellucid.saved_model.tensor_names import choose_signature, resolve_tensor

FLOAT = 1
NODES = 50_000


def chain() -> bytes:
    """A graph of operations, one after the other."""
    message = messages()("tensorflow.MetaGraphDef")()
    message.meta_info_def.tags.append("serve")
    last = "x"
    message.graph_def.node.add(name="x", op="Placeholder")
    for at in range(NODES):
        name = f"model/block_{at % 97}/layer_{at}/Relu"
        message.graph_def.node.add(name=name, op="Relu", input=[last])
        last = name
    signature = message.signature_def["serving_default"]
    signature.inputs["x"].name, signature.outputs["y"].name = "x:0", f"{last}:0"
    found: bytes = message.SerializeToString()
    return found


def misspelled(data: bytes) -> Callable[[], None]:
    """Look for a name that is not there, in a model that was just read."""

    def run() -> None:
        graph = MetaGraph(data)
        with suppress(SpecError):
            name = "model/block_1/layr_1/Relu"
            resolve_tensor(graph, choose_signature(graph), name, role="output")

    return run


def in_a_function() -> Any:
    """A call of a function of as many operations."""
    from pellucid.runtime.engine.tensorflow import tf

    graph = tf.compat.v1.MetaGraphDef()
    graph.graph_def.node.add(name="x", op="Placeholder").attr["dtype"].type = FLOAT
    made = graph.graph_def.library.function.add()
    made.signature.name = "long"
    for argument in (
        made.signature.input_arg.add(name="a"),
        made.signature.output_arg.add(name="o"),
    ):
        argument.type = FLOAT
    last = "a"
    for at in range(NODES):
        node = made.node_def.add(name=f"layer/{at}", op="Identity", input=[last])
        node.attr["T"].type = FLOAT
        last = f"layer/{at}:output:0"
    made.ret["o"] = last
    call = graph.graph_def.node.add(name="net", op="PartitionedCall", input=["x"])
    for name in ("Tin", "Tout"):
        call.attr[name].list.type.append(FLOAT)
    call.attr["f"].func.name = "long"
    return graph


def flat(graph: Any) -> None:
    """Expand the calls."""
    found = FlatGraph(graph)
    found.add(["net:0"])
    found.graph_def(["net:0"])


def graphs(turns: int) -> Iterator[Row]:
    """Measured alone: no peer does either."""
    data, graph = chain(), in_a_function()
    cases = {
        "a name misspelled": in_process(misspelled(data)),
        "calls expanded": in_process(lambda: flat(graph)),
    }
    for what, used in interleaved(cases, turns).items():
        seconds = middle(used)
        yield Row(f"{what}, {NODES:,} nodes", "seconds", seconds.cpu, seconds.wall)
