"""What a graph does besides computing: it keeps state, changes it, and draws random numbers.

TensorFlow's own registry says of each operation whether it is more than a function of its inputs.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from pellucid.runtime.engine.tensorflow import op_def_registry, tf
from pellucid.runtime.graph.function_library import CALLS

# Stateful by TensorFlow's registry, and yet the same at each run: they read, check, print, or hold
# what lives for one run; the functions that some of them call are looked into.
_STEADY = frozenset(
    {
        *CALLS,
        *("If", "Case", "While", "RemoteCall"),
        *("ReadVariableOp", "VariableShape", "VarIsInitializedOp", "DisableCopyOnRead"),
        *("ResourceGather", "ResourceGatherNd"),
        *("LookupTableFindV2", "LookupTableSizeV2", "LookupTableExportV2"),
        *("Assert", "CheckNumerics", "CheckNumericsV2", "Print", "PrintV2", "GuaranteeConst"),
        *("StatelessRandomGetAlg", "DeviceIndex", "DeepCopy", "TensorArrayV2"),
        *("StackPushV2", "StackPopV2", "StackCloseV2"),
        *("BoostedTreesPredict", "CudnnRNN", "CudnnRNNV2", "CudnnRNNV3"),
        *(f"TensorArray{it}V3" for it in ("Close", "Concat", "Gather", "Read", "Scatter", "Size")),
        *("TensorArraySplitV3", "TensorArrayWriteV3"),
    }
)
# They take a reference to a variable and only pass it on or look at it.
_REFERENCES = (
    *("IsVariableInitialized", "RefEnter", "RefExit", "RefIdentity", "RefMerge"),
    *("RefNextIteration", "RefSelect", "RefSwitch"),
)
# Functions of their inputs by the registry, they draw all the same.
_DRAWS = ("FractionalAvgPool", "FractionalMaxPool")
# What draws has one of these in its name.
_WORDS = (
    *("Random", "Normal", "Uniform", "Multinomial", "Shuffle", "Sample"),
    *("CandidateSampler", "NonDeterministic", "Timestamp"),
)
# Given the same seed, these draw the same; whether it stays the same is up to the graph.
_SEEDED = ("Stateless", "RandomIndexShuffle")
_KEYS = "StatelessRandomGet"


def makes_state(node: Any) -> bool:
    """Whether a node owns state that outlives a run: a variable, a table, a queue, …"""
    definition = op_def_registry.get(node.op)
    return (
        definition is not None
        and definition.is_stateful
        and _gives_state(definition)
        and not changes_state(node.op)
    )


def changes_state(op: str) -> bool:
    """Whether an operation of this type changes state, or is no function of inputs and state."""
    definition = op_def_registry.get(op)
    if definition is None or op in _STEADY or op in _REFERENCES:
        return False
    if any(a.is_ref for a in definition.input_arg):
        return True
    return bool(definition.is_stateful) and not _gives_state(definition)


def _gives_state(definition: Any) -> bool:
    resource = tf.dtypes.resource.as_datatype_enum
    return any(a.is_ref or a.type == resource for a in definition.output_arg)


def random_ops(ops: Set[str]) -> tuple[str, ...]:
    """Return those of the operation types by which a model may answer differently at each run.

    They draw random numbers, from a seed that is given if any state changes: the seed may be part
    of it. Where none does, they are what changes state.
    """
    changes = {op for op in ops if changes_state(op) and "Dataset" not in op}
    seeded = {op for op in ops if op.startswith(_SEEDED) and not op.startswith(_KEYS)}
    candidates = (changes | seeded) if changes else set[str]()
    draws = {op for op in candidates if any(word in op for word in _WORDS)}
    draws |= ops & {*_DRAWS}
    return tuple(sorted(draws or changes))
