"""The main backend: the signature as one flat graph, in a session of its own.

Reading the meta graph and the checkpoint directly loads what every SavedModel has, whoever wrote
it (TensorFlow 1 or 2), and only the part that the signature needs, without rebuilding any Python
object. Inner tensors have names; weights are constants. What this backend cannot carry it refuses
with `Unsupported`, and the next one is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from pellucid.errors import ModelError, UnsafeModelError
from pellucid.linter import is_known, may_touch, refuse_running
from pellucid.model import Array, Tensors
from pellucid.notices import Hint, Where
from pellucid.runtime.backends.base import (
    Backend,
    CompileSpec,
    held,
)
from pellucid.runtime.backends.devices import device_scope, session_config
from pellucid.runtime.backends.peaks import peak_of_shapes
from pellucid.runtime.backends.session import SessionGraph
from pellucid.runtime.engine.affine_prefix import affine_prefix
from pellucid.runtime.engine.failures import FAILURES, NETWORK, Unsupported, sentence
from pellucid.runtime.engine.joint import Joint, Parts
from pellucid.runtime.engine.kept_bytes import Peak
from pellucid.runtime.engine.tensorflow import op_def_registry, tf
from pellucid.runtime.engine.transposed_part import AffinePart
from pellucid.runtime.graph.concatenated import Concatenated, concatenated
from pellucid.runtime.graph.conditions import decided_by_values
from pellucid.runtime.graph.effects import changes_state, makes_state, random_ops
from pellucid.runtime.graph.flat_graph import FlatGraph, identity_of, missing_ops, node_of
from pellucid.runtime.graph.fold_batch_norm import fold
from pellucid.runtime.graph.freeze import (
    checkpoint_reader,
    freeze,
    restore_from_checkpoint,
    restored_keys,
    restorers,
)
from pellucid.runtime.graph.object_variables import object_keys
from pellucid.runtime.graph.own_files import name_own_files
from pellucid.runtime.graph.reinitialise import reinitialise

INIT_COLLECTIONS = ("saved_model_main_op", "legacy_init_op", "main_op")
INIT_SIGNATURE = "__saved_model_init_op"
ENOUGH_ROWS = 4
"""So many rows of a block are worth to go back together through what is affine."""


class FlatSession(SessionGraph):
    """Part of a flat graph in a session, with what it needs of variables and tables set up."""

    def __init__(self, compile_spec: CompileSpec, wanted: Iterable[str]) -> None:
        super().__init__(compile_spec)
        self.flat = FlatGraph(compile_spec.meta_graph)
        self.flat.add(wanted)
        self.wanted = [self.flat.resolve(t) for t in wanted]
        _refuse_unknown_ops(self)
        resolved = {key: self.flat.resolve(t) for key, t in compile_spec.request.items()}
        self.request = {key: t for key, t in resolved.items() if node_of(t) in self.flat.nodes}
        self._prefixes: set[str] = set()
        self._init, self._restore = self._initializers()
        self._own_files = name_own_files(
            self.flat, compile_spec.directory, compile_spec.checkpoint, self._prefixes
        )

    def open(self, fetches: Iterable[str], *others: Any) -> None:
        """Import what `fetches` need; `others` are graphs that will be imported, too."""
        state = [f"^{name}" for name in (*self._restore, *self._init)]
        base = self.flat.graph_def([*fetches, *state])
        for graph in (base, *others, *self.flat.gradient_graphs):
            self._refuse(graph)
        self.graph = tf.Graph()
        with self.graph.as_default(), device_scope(self.compile_spec.device):
            tf.import_graph_def(base, name="")

    def _refuse(self, graph: Any) -> None:
        """Raise UnsafeModelError for a graph that touches the world: this is what runs.

        The model's file has been judged; but a graph that is made of it is made of what its author
        wrote, and need not be what whoever judged it understood.
        """
        bodies = (function.node_def for function in graph.library.function)
        ops = {it.op for nodes in (graph.node, *bodies) for it in nodes}
        if not self.compile_spec.trusted:
            _refuse_unjudged_ops(ops - {it.signature.name for it in graph.library.function}, self)
            if any(map(may_touch, ops)):
                whole = tf.compat.v1.MetaGraphDef(graph_def=graph).SerializeToString()
                refuse_running(whole, self._own_files, self.compile_spec.directory)

    @cached_property
    def session(self) -> Any:
        compile_spec = self.compile_spec
        threads = (
            compile_spec.parallel_batches // self.cut().parallel_batches
            if compile_spec.parallel_batches > 1
            else 0
        )
        config = session_config(compile_spec.device, threads)
        session = tf.compat.v1.Session(graph=self.graph, config=config)
        if self._restore:
            session.run(self._restore)
        if self._init:
            session.run(self._init)
        return session

    def _initializers(self) -> tuple[list[str], list[str]]:
        """Make constants of what is only read; return the ops that set up the state that is left.

        The first list initializes (tables from their files), the second restores (variables and
        tables from the checkpoint).
        """
        compile_spec, flat = self.compile_spec, self.flat
        state = [n for n in flat.ancestors(self.wanted) if makes_state(flat.nodes[n])]
        if not state:
            return [], []
        restore = compile_spec.meta_graph.saver_def.restore_op_name
        keys = self._keys(state) if restore else {}
        init = []
        first = initial_op(compile_spec.meta_graph)
        if first and any(n not in keys for n in state):
            flat.add([f"^{first}"])
            init = flat.effects(f"^{first}")
        if keys:
            freeze(flat, [*self.wanted, *init], keys, checkpoint_reader(compile_spec.checkpoint))
        left = {n for n in flat.ancestors([*self.wanted, *init]) if makes_state(flat.nodes[n])}
        if left and restore:
            flat.add([f"^{node_of(restore)}"])
        found = restorers(flat, left)
        filled = {node_of(flat.through_identities(flat.inputs(flat.nodes[n])[0])) for n in found}
        for name in sorted((left & keys.keys()) - filled):
            key, _ = keys[name]
            prefix, assign = restore_from_checkpoint(flat, name, key, compile_spec.checkpoint)
            self._prefixes.add(prefix)
            found.append(assign)
        return [node_of(i) for i in init], found

    def _keys(self, state: Iterable[str]) -> dict[str, tuple[str, str]]:
        """Return the entries of the checkpoint for the nodes `state`, as far as they have some."""
        compile_spec, nodes = self.compile_spec, self.flat.nodes
        reading = FlatGraph(compile_spec.meta_graph)
        reading.add([f"^{node_of(compile_spec.meta_graph.saver_def.restore_op_name)}"])
        restored = restored_keys(reading)
        known = {identity_of(reading.nodes[name]): key for name, key in restored.items()}
        keys = {n: known[it] for n in state if (it := identity_of(nodes[n])) in known}
        lost = [n for n in state if n not in keys and nodes[n].op == "VarHandleOp"]
        if lost:
            keys |= object_keys(self.flat, lost, checkpoint_reader(compile_spec.checkpoint))
        return keys


class FlatGraphBackend(FlatSession, Backend):
    """A `CompileSpec` as a flat graph in one session."""

    def __init__(self, compile_spec: CompileSpec) -> None:
        super().__init__(compile_spec, [compile_spec.output, *compile_spec.explained.values()])
        flat = self.flat
        self._output, *tensors = self.wanted
        explained = dict(zip(compile_spec.explained, tensors, strict=True))
        inside = flat.ancestors([self._output], tensors)
        self.tensors = explained | {
            held(key): t
            for key, t in self.request.items()
            if node_of(t) in inside and t not in tensors
        }
        cuts = set(self.tensors.values())
        if compile_spec.reinitialised is not None:
            reinitialise(flat, self._output, cuts, compile_spec.reinitialised)
        fold(flat, self._output, cuts)
        alive = flat.ancestors([self._output], cuts)
        moving = _downstream(flat, alive, cuts)
        records = {t for key, t in self.request.items() if key in compile_spec.records}
        reached = _downstream(flat, alive, {*tensors, *records})
        if node_of(self._output) not in reached and self._output not in tensors:
            raise ModelError(
                f"the output '{compile_spec.output}' does not depend on "
                + ", ".join(f"'{name}' ({t})" for name, t in compile_spec.explained.items())
            )
        # Frames are tied to their nodes when a graph is built; a copy of them has no gradient.
        if any(flat.nodes[n].op in ("Enter", "RefEnter") for n in moving):
            raise Unsupported("the graph has the loop frames of TensorFlow 1")
        if flat.hides_gradients(moving):
            raise Unsupported("a gradient that was saved with the model is inside a loop")
        self.random_ops = random_ops(flat.ops(alive))
        self._moving_nodes = moving
        self._waits = self._state_waited_for(alive - moving, moving)
        inputs = {t for n in moving for t in flat.inputs(flat.nodes[n]) if t[0] != "^"}
        self._read = inputs & cuts
        # What does not change from row to row is imported once, and shared by all questions.
        self._boundary = {t for t in inputs - cuts if node_of(t) not in moving}
        self._moving = flat.graph_def_of(moving, self._waits)
        self.open([*self._boundary, *cuts, *(f"^{name}" for name in self._waits)], self._moving)
        self.operands = self.describe()
        # What the operations `network/…` are given, which were imported first.
        self._asked: Mapping[str, Any] = {}
        self._peaks: dict[object, Peak | None] = {}

    @cached_property
    def conditional(self) -> bool:
        rows = [self.tensors[o.name] for o in self.operands if not o.shared]
        return decided_by_values(self.flat, self._output, self._moving_nodes, rows)

    @cached_property
    def affine_part(self) -> AffinePart | None:
        spec = self.compile_spec
        if spec.varying or spec.ends or not spec.takes_any_rows or not self._asked:
            return None
        if self.cut().rows < ENOUGH_ROWS:  # large pictures, of which the sums would be, too
            return None
        output = self.graph.get_tensor_by_name(NETWORK + self._output)
        found = affine_prefix(
            [op for op in self.graph.get_operations() if op.name.startswith(NETWORK)],
            [
                *(self._asked[o.name] for o in self.operands if o.real),
                *self._joined_in(self._asked).values(),
            ],
            output,
        )
        if found.saved <= 0 or output.dtype not in (tf.float32, tf.float64):
            return None
        names = [it.name.removeprefix(NETWORK) for it in found.boundary]
        nodes = self.flat.ancestors(names, self.tensors.values()) & self._moving_nodes
        read = {t for n in nodes for t in self.flat.inputs(self.flat.nodes[n]) if t[0] != "^"}
        definition, cuts = self.flat.graph_def_of(nodes), {*self.tensors.values()}

        def answers(rows: Mapping[str, Any]) -> list[Any]:
            parts = self.joint.parts(rows)
            given = {self.tensors[name]: row for name, row in parts.items()}
            get = self.graph.get_tensor_by_name
            outside = {t for t in read if t in cuts or node_of(t) not in nodes}
            replaced = {t: given[t] if t in given else get(t) for t in outside}
            replaced |= {t: it for t, it in self._joined_in(parts).items() if t in read}
            found: list[Any] = tf.import_graph_def(
                definition, input_map=replaced, return_elements=names, name=NETWORK.rstrip("/")
            )
            return found

        def inside(output: Any) -> list[Any]:
            scope = output.name.removesuffix(self._output)
            return [self.graph.get_tensor_by_name(scope + name) for name in names]

        return AffinePart(answers, inside)

    def _peak_of_shapes(self, shapes: tuple[tuple[str, tuple[int, ...]], ...]) -> Peak | None:
        if shapes not in self._peaks:
            rows = [None] if self.compile_spec.batch.axis else []
            given = {self.tensors[name]: [*rows, *shape] for name, shape in shapes}
            boundary = self._read | self._boundary
            self._peaks[shapes] = peak_of_shapes(
                self.graph, self._moving, boundary, self._waits, given
            )
        return self._peaks[shapes]

    def network(self, rows: dict[str, Any]) -> Any:
        for name, tensor in self.tensors.items():
            if tensor == self._output:  # passed through
                return tf.identity(rows[name])
        self._asked = self._asked or rows
        tensors = ((self.tensors[name], row) for name, row in rows.items())
        replaced = {tensor: row for tensor, row in tensors if tensor in self._read}
        replaced |= {t: self.graph.get_tensor_by_name(t) for t in self._boundary}
        replaced |= self._joined_in(rows)
        for name in self._waits:
            with tf.control_dependencies([self.graph.get_operation_by_name(name)]):
                replaced[f"^{name}"] = tf.constant(0)
        (output,) = tf.import_graph_def(
            self._moving,
            input_map=replaced,
            return_elements=[self._output],
            name=NETWORK.rstrip("/"),
        )
        return output

    @cached_property
    def _concatenated(self) -> Concatenated | None:
        """What the network reads of operands side by side."""
        flat = {o.name: self.tensors[o.name] for o in self.operands if len(o.shape or ()) == 1}

        def value_of(tensor: str) -> Any:
            return tf.get_static_value(self.graph.get_tensor_by_name(tensor))

        outside = self._boundary
        return concatenated(
            self.flat, self._moving_nodes, flat, lambda t: value_of(t) if t in outside else None
        )

    @cached_property
    def joint(self) -> Joint:
        found = self._concatenated
        order = () if found is None else found.names
        return Joint(self.operands, join=self.compile_spec.batch.axis, order=order)

    def _joined_in(self, rows: Mapping[str, Any]) -> dict[str, Any]:
        """Return what rows are joined in already, which need not be parted and joined again."""
        found = self._concatenated
        whole = rows.wholes.get(found.names) if found and isinstance(rows, Parts) else None
        return {} if found is None or whole is None else {found.tensor: whole}

    def _state_waited_for(self, still: set[str], moving: set[str]) -> set[str]:
        """Return the nodes of `still` that a node of `moving` waits for because of their effects.

        What does not depend on a row may change state all the same: the seed of the next draw.
        """
        flat = self.flat
        changing = {n for n in still if changes_state(flat.nodes[n].op)}
        if not changing:
            return set()
        waits = {t for n in moving for t in flat.inputs(flat.nodes[n]) if t[0] == "^"}
        return {node_of(t) for t in waits if node_of(t) in still and changing & flat.ancestors([t])}


class GraphFunction(FlatSession):
    """Tensors of the graph as a function of a request's arrays: nothing is asked of it but these.

    ``xai_preprocess`` is one, from a request to the inputs of ``xai_model``. Raises ModelError for
    tensors that cannot be computed.
    """

    def __init__(self, compile_spec: CompileSpec, outputs: Mapping[str, str]) -> None:
        try:
            super().__init__(compile_spec, list(outputs.values()))
            self.tensors = dict(zip(outputs, self.wanted, strict=True))
            self.open(self.wanted)
            self.operands = self.describe()
            _ = self.session  # what is wrong with its state is said now
        except FAILURES as error:
            names = ", ".join(f"'{t}'" for t in outputs.values())
            raise ModelError(
                f"{names} cannot be computed: {sentence(error)}",
                where=Where(file=str(compile_spec.directory)),
            ) from error

    def __call__(self, rows: Tensors) -> dict[str, Array]:
        """Return the tensors, by the names of `outputs`, for rows of a request."""
        return self.encode(rows)


def _downstream(flat: FlatGraph, inside: set[str], cuts: set[str]) -> set[str]:
    """Return the nodes of `inside` that depend on a tensor of `cuts`."""
    moving: set[str] = set()
    users: dict[str, list[str]] = {}
    stack: list[str] = []
    for name in inside:
        for tensor in flat.inputs(flat.nodes[name]):
            users.setdefault(node_of(tensor), []).append(name)
            if tensor in cuts:
                stack.append(name)
    while stack:
        name = stack.pop()
        if name not in moving:
            moving.add(name)
            stack.extend(users.get(name, ()))
    return moving


def _refuse_unknown_ops(part: FlatSession) -> None:
    ops = part.flat.ops(part.flat.ancestors(part.wanted))
    unknown = sorted(op for op in ops if op_def_registry.get(op) is None)
    if unknown:
        raise missing_ops(unknown)
    if ops & {"PyFunc", "PyFuncStateless", "EagerPyFunc"}:
        raise ModelError(
            "the model calls a Python function (tf.py_function or tf.numpy_function), which is "
            "not in the file",
            hint="export it with TensorFlow operations in its place",
        )
    _refuse_unjudged_ops(ops, part)


def _refuse_unjudged_ops(ops: set[str], part: FlatSession) -> None:
    """Raise UnsafeModelError for what this TensorFlow has, and the one that was judged had not."""
    unknown = sorted(op for op in ops if not is_known(op) and op_def_registry.get(op) is not None)
    if unknown and not part.compile_spec.trusted:
        names = ", ".join(f"'{op}'" for op in unknown)
        raise UnsafeModelError(
            f"refused, because nobody knows what the operation{'s' if len(unknown) > 1 else ''} "
            f"{names} may do, of an add-on or of a TensorFlow that is newer than this program",
            where=Where(file=str(part.compile_spec.directory)),
            hint=Hint("if you trust it, add {allow_unsafe_ops:True}"),
        )


def initial_op(meta_graph: Any) -> str | None:
    """Return the name of the operation that a loader must run once, or None."""
    if INIT_SIGNATURE in meta_graph.signature_def:
        info = meta_graph.signature_def[INIT_SIGNATURE].outputs[INIT_SIGNATURE]
        return node_of(info.name)
    for key in INIT_COLLECTIONS:
        if key in meta_graph.collection_def:
            names = meta_graph.collection_def[key].node_list.value
            if names:
                return node_of(names[0])
    return None
