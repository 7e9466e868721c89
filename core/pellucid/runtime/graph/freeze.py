"""Weights that are only read become constants, which the runtime folds.

The graph's own restore operation says which checkpoint entry belongs to which variable, in every
generation of the format; the values are then read from the checkpoint directly.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from pellucid.errors import ModelError
from pellucid.runtime.engine.tensorflow import op_def_registry, tf
from pellucid.runtime.graph.flat_graph import FlatGraph, identity_of, node_of

VARIABLES = ("VarHandleOp", "VariableV2", "Variable")
ASSIGNS = ("AssignVariableOp", "Assign")
TABLE_IMPORTS = ("LookupTableImportV2", "LookupTableImport")
# At most so many bytes of weights become constants, the small ones first; the others stay
# variables. The runtime copies constants while it optimizes: measured on TensorFlow 2.21, each MiB
# costs 0.04 s of the first call and 17 MiB of memory, against 15 % of the time of all that follow.
FREEZE_LIMIT = 32 * 2**20

Reader = Callable[[str], Any]


def checkpoint_reader(prefix: str) -> Reader:
    """Return a function from checkpoint key to array.

    The function raises ModelError when the data are truncated or damaged.
    """
    try:
        reader = tf.train.load_checkpoint(prefix)
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        raise ModelError(f"{prefix}.index cannot be read as a checkpoint: {error}") from error

    def read(key: str) -> Any:
        try:
            return reader.get_tensor(key)
        except (tf.errors.OpError, IndexError, ValueError, RuntimeError) as error:
            raise ModelError(
                f"the data of variable '{key}' cannot be read from {prefix}.data-*: the file is "
                "truncated or damaged",
                hint="copy the model again",
            ) from error

    return read


def restorers(flat: FlatGraph, state: set[str]) -> list[str]:
    """Return the operations of the restore graph that fill the nodes `state`."""
    names = []
    for name, node in flat.nodes.items():
        if node.op in ASSIGNS + TABLE_IMPORTS:
            owner = node_of(flat.through_identities(flat.inputs(node)[0]))
            source = flat.inputs(node)[1]
            if owner in state and _comes_from_checkpoint(flat, source):
                names.append(name)
    return names


def restore_from_checkpoint(flat: FlatGraph, name: str, key: str, prefix: str) -> tuple[str, str]:
    """Add the operation that fills the variable `name` by a key of the checkpoint.

    `prefix` is that of the checkpoint's files. Return the tensor that holds it, and the operation.
    """
    dtype = dtype_of(flat.nodes[name])
    parts = {"prefix": prefix, "key": [key], "slice": [""]}
    for part, value in parts.items():
        constant = tf.compat.v1.NodeDef(name=f"{name}/restore/{part}")
        replace_by_constant(constant, value, tf.string)
        flat.nodes[constant.name] = constant
    read = tf.compat.v1.NodeDef(name=f"{name}/restore", op="RestoreV2")
    read.input.extend(f"{name}/restore/{part}:0" for part in parts)
    read.attr["dtypes"].list.type.append(dtype.as_datatype_enum)
    assign = tf.compat.v1.NodeDef(name=f"{name}/restore/assign", op="AssignVariableOp")
    assign.input.extend([f"{name}:0", f"{read.name}:0"])
    assign.attr["dtype"].type = dtype.as_datatype_enum
    flat.nodes |= {read.name: read, assign.name: assign}
    return f"{name}/restore/prefix:0", str(assign.name)


def _comes_from_checkpoint(flat: FlatGraph, tensor: str) -> bool:
    return any(flat.nodes[n].op == "RestoreV2" for n in flat.ancestors([tensor]))


def restored_keys(restore: FlatGraph) -> dict[str, tuple[str, str]]:
    """Return variable node → (checkpoint key, slice), read off the graph's restore operation.

    A slice is "" for a whole tensor, or, for one part of a partitioned variable,
    ``"100 32 0,50:0,32"``: the full shape, then start and length along each axis.
    """
    keys: dict[str, tuple[str, str]] = {}
    for node in restore.nodes.values():
        if node.op not in ASSIGNS:
            continue
        variable, value = restore.inputs(node)[:2]
        source = restore.through_identities(value)
        reader = restore.nodes[node_of(source)]
        if reader.op != "RestoreV2":
            continue
        names, slices = (_constant(restore.nodes[node_of(i)]) for i in restore.inputs(reader)[1:3])
        index = int(source.rsplit(":", 1)[1])
        if names is not None and slices is not None:
            owner = node_of(restore.through_identities(variable))
            keys[owner] = names.flat[index].decode(), slices.flat[index].decode()
    return keys


def slice_of(description: str) -> tuple[slice, ...]:
    """Turn the slice of a checkpoint entry into Python's: ``"4 3 0,2:-"`` → (0:2, :)."""
    if not description:
        return ()
    parts = description.split(" ")[-1].split(":")
    starts = [part.split(",") for part in parts]
    return tuple(
        slice(None) if len(s) < 2 else slice(int(s[0]), int(s[0]) + int(s[1])) for s in starts
    )


def _constant(node: Any) -> Any:
    return tf.make_ndarray(node.attr["value"].tensor) if node.op == "Const" else None


def freeze(
    flat: FlatGraph, targets: Iterable[str], keys: Mapping[str, tuple[str, str]], read: Reader
) -> None:
    """Replace, in place, every variable that `targets` only read by a constant.

    `read` gives the value of a checkpoint key. A variable that is assigned, or handed to a loop or
    a conditional as a handle, stays a variable.
    """
    alive = flat.ancestors(targets)
    elsewhere = {identity_of(node) for node in flat.bodies(alive) if node.op in VARIABLES}
    consumers: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for name in alive:
        for position, tensor in enumerate(flat.inputs(flat.nodes[name])):
            if not tensor.startswith("^"):
                consumers[node_of(tensor)].append((name, position))
    total = 0
    variables = (n for n in alive if flat.nodes[n].op in VARIABLES and n in keys)
    # The small ones first: what folds into its neighbours is small, a huge embedding does not.
    for name in sorted(variables, key=lambda n: (_declared_bytes(flat.nodes[n]), n)):
        node = flat.nodes[name]
        users = [(flat.nodes[user], position) for user, position in consumers[name]]
        if identity_of(node) in elsewhere:
            continue
        if not all(_only_reads(node.op, user, position) for user, position in users):
            continue
        if total + _declared_bytes(node) > FREEZE_LIMIT:
            return
        key, part = keys[name]
        value = np.asarray(read(key))[slice_of(part)]
        total += value.nbytes
        if total > FREEZE_LIMIT:
            return
        replace_by_constant(node, value, dtype_of(node))
        for user, _ in users:
            _read_constant(flat, user, value)


def dtype_of(node: Any) -> Any:
    """Return the DType of a node's ``dtype`` attribute."""
    return tf.dtypes.as_dtype(node.attr["dtype"].type)


def _declared_bytes(node: Any) -> int:
    shape = tf.TensorShape(node.attr["shape"].shape)
    return (shape.num_elements() or 0) * int(dtype_of(node).size)


def _only_reads(variable: str, user: Any, position: int) -> bool:
    if variable == "VarHandleOp":
        return user.op in ("ReadVariableOp", "VariableShape") or (
            user.op == "ResourceGather" and position == 0
        )
    # A reference variable: any op that does not ask for a reference reads its value.
    definition = op_def_registry.get(user.op)
    return definition is not None and not any(a.is_ref for a in definition.input_arg)


def replace_by_constant(node: Any, value: Any, dtype: Any) -> None:
    """Make a node, in place, a constant."""
    node.op = "Const"
    del node.input[:]
    node.attr.clear()
    node.attr["dtype"].type = dtype.as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value, dtype=dtype))


def _read_constant(flat: FlatGraph, user: Any, value: Any) -> None:
    """Make an op that read a variable's handle read the constant of the same name."""
    controls = [i for i in user.input if i.startswith("^")]
    if user.op == "ReadVariableOp":
        dtype = user.attr["dtype"].type
        user.op = "Identity"
        user.attr.clear()
        user.attr["T"].type = dtype
    elif user.op == "VariableShape":
        replace_by_constant(
            user,
            np.asarray(value.shape),
            tf.dtypes.as_dtype(user.attr["out_type"].type or tf.int32.as_datatype_enum),
        )
        user.input.extend(controls)
    elif user.op == "ResourceGather":
        axis = tf.compat.v1.NodeDef(name=f"{user.name}/axis")
        batch_dims = user.attr["batch_dims"].i
        replace_by_constant(axis, np.asarray(batch_dims, np.int32), tf.int32)
        flat.nodes[axis.name] = axis
        dtype, indices = user.attr["dtype"].type, user.attr["Tindices"].type
        inputs = [i for i in user.input if not i.startswith("^")]
        user.op = "GatherV2"
        user.attr.clear()
        user.attr["Tparams"].type = dtype
        user.attr["Tindices"].type = indices
        user.attr["Taxis"].type = tf.int32.as_datatype_enum
        user.attr["batch_dims"].i = batch_dims
        del user.input[:]
        user.input.extend([*inputs, f"{axis.name}:0", *controls])
