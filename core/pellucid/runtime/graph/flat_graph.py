"""A meta graph as one flat graph: every function call expanded in place.

The top-level graph of a SavedModel reaches its network through nested function calls. Here they
are expanded, so that

- every tensor has one name: node ``b`` in the body that ``C`` calls is ``C/b``, recursively;
- a gradient is taken through plain ops, whatever wrote the file; custom gradients that were saved
  with the model are honoured, others give way to the gradients of the ops themselves.

Nothing here runs the model: it is a rewriting of protocol buffers. Loops and conditionals that are
written as functions (``While``, ``If``, …) stay functions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pellucid.errors import ModelError
from pellucid.runtime.engine.tensorflow import op_def_registry, tf
from pellucid.runtime.graph.custom_gradients import SavedGradient, bound_argument, saved_gradients
from pellucid.runtime.graph.function_library import FunctionLibrary

UNWANTED = ("_class", "_gradient_op_type", "_XlaMustCompile", "_noinline")


def node_of(tensor: str) -> str:
    """Return the node of a tensor or control input: ``^a`` and ``a:1`` give ``a``."""
    return tensor.lstrip("^").rsplit(":", 1)[0] if ":" in tensor else tensor.lstrip("^")


def canonical(tensor: str) -> str:
    """Return ``a:0`` for ``a``."""
    return tensor if ":" in tensor else f"{tensor}:0"


def identity_of(node: Any) -> tuple[bytes, bytes]:
    """Return what all handles of one variable have in common: its container and its name there."""
    found = [node.attr[key].s if key in node.attr else b"" for key in ("container", "shared_name")]
    return found[0], found[1] or node.name.encode()


def missing_ops(ops: Sequence[str]) -> ModelError:
    """Return the error for operations that this TensorFlow does not know."""
    names = ", ".join(f"'{op}'" for op in ops)
    return ModelError(
        f"the model needs the operation{'s' if len(ops) > 1 else ''} {names}, which "
        f"TensorFlow {tf.__version__} does not have: it was written with an add-on or a custom "
        "operation, and cannot run without it"
    )


@dataclass(slots=True)
class _Scope:
    """One graph or one function body: how its nodes and the inputs they name become flat."""

    prefix: str
    nodes: dict[str, Any]
    function: Any = None
    call: Any = None


@dataclass(slots=True)
class FlatGraph:
    """The nodes of a meta graph under their flat names, expanded as far as was asked for.

    `nodes` holds what `add` reached; a tensor of a call that was expanded is known under the name
    of the tensor that the body returns, which `resolve` gives. `gradient_graphs` are the calls of
    the saved gradients that were met.
    """

    meta_graph: Any
    nodes: dict[str, Any] = field(default_factory=dict)
    gradient_graphs: list[Any] = field(default_factory=list)
    _added: set[str] = field(default_factory=set)
    _library: FunctionLibrary = field(init=False)
    _scopes: dict[str, _Scope] = field(default_factory=dict)
    _alias: dict[str, str] = field(default_factory=dict)
    _controls: dict[str, list[str]] = field(default_factory=dict)
    _bodies: dict[str, _Scope] = field(default_factory=dict)
    _handles: dict[tuple[bytes, bytes], str] = field(default_factory=dict)
    _gradients: dict[bytes, SavedGradient] = field(default_factory=dict)
    _registered: dict[bytes, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        graph = self.meta_graph.graph_def
        self._library = FunctionLibrary(self.meta_graph)
        top = _Scope("", {node.name: node for node in graph.node})
        self._scopes = dict.fromkeys(top.nodes, top)
        self._gradients = saved_gradients(self.meta_graph)

    def add(self, targets: Iterable[str]) -> None:
        """Bring in everything that `targets` (tensors or ``^nodes``) depend on.

        Raises ModelError for a target that does not exist.
        """
        stack = [node_of(t) for t in targets]
        while stack:
            name = stack.pop()
            if name in self._added:
                continue
            scope = self._scopes.get(name)
            if scope is None:
                outer = self._enclosing_call(name)
                if outer is None:
                    if f"{name}:0" in self._alias:  # an argument of a function body
                        stack.append(node_of(self._alias[f"{name}:0"]))
                        continue
                    raise ModelError(f"the graph has no node '{name}'")
                self._expand(outer)
                stack.append(name)
                continue
            self._added.add(name)
            node = scope.nodes[name[len(scope.prefix) :]]
            if self._library.callee(node) is not None:
                self._expand(name)
                stack.extend(node_of(t) for t in self._controls[name])
                stack.extend(
                    node_of(self.resolve(t)) for t in self._returns(name) if self.resolve(t)
                )
                continue
            flat = self._flat_node(node, scope)
            self.nodes[name] = flat
            if flat.op == "VarHandleOp":
                first = self._handles.setdefault(identity_of(flat), name)
                if first != name:  # several handles of one variable are one
                    self._alias[f"{name}:0"] = f"{first}:0"
            stack.extend(node_of(self.resolve(t)) for t in flat.input)

    def resolve(self, tensor: str) -> str:
        """Return the tensor that stands for `tensor` once its call is expanded."""
        control = tensor.startswith("^")
        name = tensor if control else canonical(tensor)
        for _ in range(len(self._alias) + 1):
            if name not in self._alias:
                return name
            name = self._alias[name]
        raise ModelError(f"the tensor '{tensor}' is passed around in a circle")

    def graph_def(self, fetches: Iterable[str], cuts: Iterable[str] = ()) -> Any:
        """Return a GraphDef of what `fetches` need, not looking behind the tensors `cuts`."""
        return self.graph_def_of(self.ancestors(fetches, cuts))

    def graph_def_of(self, keep: set[str], waits: Iterable[str] = ()) -> Any:
        """Return a GraphDef of the nodes `keep`; functions still called come along.

        A node no longer waits for what is left out (control inputs), unless it is among `waits`;
        what it reads from there (data inputs) has to be given when the graph is imported, and so
        have `waits`.
        """
        graph = tf.compat.v1.GraphDef()
        graph.versions.CopyFrom(self.meta_graph.graph_def.versions)
        known = keep.union(waits)
        for name in self.nodes:
            if name in keep:
                graph.node.append(self._with_flat_inputs(self.nodes[name], known))
        self._library.add_to(graph)
        return graph

    def ancestors(self, fetches: Iterable[str], cuts: Iterable[str] = ()) -> set[str]:
        """Return the nodes that `fetches` depend on, not looking behind the tensors `cuts`."""
        stop = {self.resolve(t) for t in cuts}
        seen: set[str] = set()
        stack = [self.resolve(t) for t in fetches]
        while stack:
            tensor = stack.pop()
            if tensor.startswith("^"):
                for control in self.effects(tensor):
                    if node_of(control) not in seen:
                        seen.add(node_of(control))
                        stack.extend(self.inputs(self.nodes[node_of(control)]))
                continue
            name = node_of(tensor)
            if tensor in stop or name in seen:
                continue
            seen.add(name)
            stack.extend(self.inputs(self.nodes[name]))
        return seen

    def effects(self, control: str) -> list[str]:
        """Return the operations that ``^name`` waits for: several, if `name` was a call."""
        return self._flat_controls(control[1:])

    def inputs(self, node: Any) -> list[str]:
        """Return the inputs of a node, resolved; a control input on a call becomes several."""
        result: list[str] = []
        for name in node.input:
            if name.startswith("^"):
                result.extend(self._flat_controls(name[1:]))
            else:
                result.append(self.resolve(name))
        return result

    def captured(self) -> Iterator[tuple[str, int]]:
        """Yield what the functions that were expanded captured: a tensor and the saved object."""
        saved = self.meta_graph.object_graph_def.concrete_functions
        for body in self._bodies.values():
            signature = body.function.signature
            objects = saved[signature.name].bound_inputs if signature.name in saved else ()
            arguments = signature.input_arg[len(signature.input_arg) - len(objects) :]
            for argument, number in zip(arguments, objects, strict=True):
                yield self.resolve(f"{body.prefix}{argument.name}:0"), number

    def through_identities(self, tensor: str) -> str:
        """Return the tensor that reaches `tensor` through nothing but identities."""
        for _ in range(len(self.nodes) + 1):
            node = self.nodes[node_of(tensor)]
            if node.op not in ("Identity", "RefIdentity"):
                return tensor
            tensor = self.inputs(node)[0]
        raise ModelError(f"the tensor '{tensor}' is passed around in a circle")

    # Expansion

    def _enclosing_call(self, name: str) -> str | None:
        """Return the longest prefix of `name` that is a call not expanded yet."""
        parts = name.split("/")
        for end in range(len(parts) - 1, 0, -1):
            prefix = "/".join(parts[:end])
            scope = self._scopes.get(prefix)
            if scope is None or prefix in self._controls:
                continue
            if self._library.callee(scope.nodes[prefix[len(scope.prefix) :]]) is not None:
                return prefix
        return None

    def _expand(self, name: str) -> None:
        """Make the body of the call `name` known under ``name/``."""
        if name in self._controls:
            return
        outer = self._scopes[name]
        call = self._flat_node(outer.nodes[name[len(outer.prefix) :]], outer)
        function = self._library.callee(call)
        prefix = f"{name}/"
        while any(prefix + inner.name in self._scopes for inner in function.node_def):
            prefix += "body/"  # the graph around it has nodes of the same names
        body = _Scope(prefix, {n.name: n for n in function.node_def}, function, call)
        self._bodies[name] = body
        for inner in body.nodes:
            self._scopes[body.prefix + inner] = body
        data = [i for i in call.input if not i.startswith("^")]
        for argument, tensor in zip(function.signature.input_arg, data, strict=True):
            self._alias[f"{body.prefix}{argument.name}:0"] = tensor
        for index, argument in enumerate(function.signature.output_arg):
            self._alias[f"{name}:{index}"] = self._flat_input(function.ret[argument.name], body)
        effects = [f"^{body.prefix}{n}" for n in function.control_ret.values()]
        results = [f"^{node_of(t)}" for t in self._returns(name)]
        self._controls[name] = effects or results or [i for i in call.input if i[:1] == "^"]

    def _returns(self, name: str) -> list[str]:
        scope = self._scopes[name]
        function = self._library.callee(scope.nodes[name[len(scope.prefix) :]])
        return [self._alias[f"{name}:{i}"] for i in range(len(function.signature.output_arg))]

    def _flat_node(self, node: Any, scope: _Scope) -> Any:
        flat = tf.compat.v1.NodeDef()
        flat.CopyFrom(node)
        flat.name = scope.prefix + node.name
        flat.device = ""
        del flat.input[:]
        flat.input.extend(self._flat_input(i, scope) for i in node.input)
        if scope.call is not None:
            # What must precede the call must precede whatever its body starts with.
            if not node.input:
                flat.input.extend(i for i in scope.call.input if i.startswith("^"))
            for key, value in node.attr.items():
                if value.WhichOneof("value") == "placeholder":
                    flat.attr[key].CopyFrom(scope.call.attr[value.placeholder])
        # Colocation names nodes of another graph; an unsaved custom gradient names nothing.
        own = self._gradients.get(flat.attr["_gradient_op_type"].s) if self._gradients else None
        if own is not None and flat.op == "IdentityN":
            self._attach(own, flat, scope)
            return flat
        for key in UNWANTED:
            if key in flat.attr:
                del flat.attr[key]
        return flat

    def _attach(self, gradient: SavedGradient, flat: Any, scope: _Scope) -> None:
        """Let an ``IdentityN`` have its saved gradient; what that captured become inputs, too."""
        key = flat.attr["_gradient_op_type"].s
        if key not in self._registered:
            self._registered[key], call = gradient.register(self._library.add_to)
            self.gradient_graphs.append(call)
        controls = [i for i in flat.input if i.startswith("^")]
        data = [i for i in flat.input if not i.startswith("^")]
        types = [*flat.attr["T"].list.type, *gradient.captured_types]
        captured = (self._captured(c.function, c.name, c.node, scope) for c in gradient.captured)
        del flat.input[:]
        flat.input.extend([*data, *captured, *controls])
        flat.attr.clear()
        flat.attr["T"].list.type.extend(types)
        flat.attr["_gradient_op_type"].s = self._registered[key].encode()

    def _captured(self, function: str, name: str, node: int, scope: _Scope) -> str:
        """Return the flat tensor that a saved gradient captured, seen from the node's scope."""
        inner = scope
        while inner.function is not None:
            if not function:  # a variable
                argument = bound_argument(self.meta_graph, inner.function, node)
                if argument is not None:
                    return f"{inner.prefix}{argument}:0"
            elif inner.function.signature.name == function:
                if node_of(name) in inner.nodes:
                    return f"{inner.prefix}{canonical(name)}"
                # In the library, the names of arguments are in lower case and of few letters.
                argument = re.sub("[^a-z0-9_]", "_", node_of(name).lower())
                if argument in (a.name for a in inner.function.signature.input_arg):
                    return f"{inner.prefix}{argument}:0"
            inner = self._scopes[inner.call.name]
        raise LookupError(f"a gradient that was saved with the model needs '{name or node}'")

    def ops(self, nodes: Iterable[str]) -> set[str]:
        """Return the types of `nodes` and of all that the functions they call consist of."""
        names = list(nodes)
        ops = {n.op for n in (*(self.nodes[n] for n in names), *self.bodies(names))}
        return ops - self._library.functions.keys()

    def function(self, name: str) -> Any:
        """Return a function of the library, or None."""
        return self._library.functions.get(name)

    def bodies(self, nodes: Iterable[str]) -> list[Any]:
        """Return the nodes of all functions that `nodes` still call, directly or not."""
        return self._library.bodies(self.nodes[n] for n in nodes)

    def hides_gradients(self, nodes: Iterable[str]) -> bool:
        """Whether a saved gradient is inside a loop or a conditional that one of `nodes` runs."""
        return bool(self._gradients) and any(
            inner.attr["_gradient_op_type"].s in self._gradients
            for inner in self.bodies(nodes)
            if "_gradient_op_type" in inner.attr
        )

    def _flat_input(self, name: str, scope: _Scope) -> str:
        """Turn an input as written in `scope` into a flat tensor name.

        A graph writes ``node:1``; a function body writes ``node:output_arg:0``, or the bare name
        of one of its arguments.
        """
        if name.startswith("^"):
            return f"^{scope.prefix}{name[1:]}"
        if scope.function is None:
            return canonical(name)
        parts = name.split(":")
        if len(parts) == 1 or parts[0] not in scope.nodes:
            return f"{scope.prefix}{parts[0]}:0"
        node = scope.nodes[parts[0]]
        offset = self._output_offset(node, parts[1]) + int(parts[2] if len(parts) > 2 else 0)
        return f"{scope.prefix}{parts[0]}:{offset}"

    def _output_offset(self, node: Any, output: str) -> int:
        function = self._library.functions.get(node.op)
        op_def = function.signature if function is not None else op_def_registry.get(node.op)
        if op_def is None:
            raise missing_ops([node.op])
        offset = 0
        for argument in op_def.output_arg:
            if argument.name == output:
                return offset
            if argument.number_attr:
                offset += node.attr[argument.number_attr].i
            elif argument.type_list_attr:
                offset += len(node.attr[argument.type_list_attr].list.type)
            else:
                offset += 1
        raise ModelError(f"op '{node.op}' of node '{node.name}' has no output '{output}'")

    def _flat_controls(self, name: str) -> list[str]:
        found: dict[str, None] = {}
        waiting, seen = [name], set[str]()
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            if name in self._controls:
                waiting += (inner[1:] for inner in reversed(self._controls[name]))
            elif name in self.nodes:
                found[f"^{name}"] = None
            else:  # an argument of a body
                found[f"^{node_of(self.resolve(f'{name}:0'))}"] = None
        return list(found)

    def _with_flat_inputs(self, node: Any, keep: set[str]) -> Any:
        flat = tf.compat.v1.NodeDef()
        flat.CopyFrom(node)
        inputs = self.inputs(node)
        del flat.input[:]
        flat.input.extend(i for i in inputs if not i.startswith("^"))
        flat.input.extend(dict.fromkeys(i for i in inputs if i[0] == "^" and i[1:] in keep))
        return flat
