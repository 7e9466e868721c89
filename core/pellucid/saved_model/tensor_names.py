"""Which tensor a name in the metadata means, found without TensorFlow.

A tensor inside a function has a *flat* name: a call ``C`` in the top-level graph whose function has
a node ``b`` gives ``C/b:0``, and so on down, as if every call were inlined:
``StatefulPartitionedCall/StatefulPartitionedCall/model/embedding/embedding_lookup/Identity:0``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import Enum
from typing import Literal, TypeAlias

from pellucid.errors import ModelError, SpecError, did_you_mean, meant
from pellucid.notices import Hint
from pellucid.saved_model.calls import WEIGHTS_AND_ORDER, calls, reachable
from pellucid.saved_model.layer_names import layer_outputs, nearest_layers
from pellucid.saved_model.nodes import Nodes, node_name
from pellucid.saved_model.reader import MetaGraph, Signature, TensorInfo

Role: TypeAlias = Literal["input", "output"]


class TensorKind(Enum):
    """Where a name was found."""

    SIGNATURE_KEY = "signature key"
    SIGNATURE_TENSOR = "signature tensor"
    GRAPH = "graph"
    FUNCTION = "function"
    LAYER = "layer"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedTensor:
    """A name as written and the tensor that it means; `how` is one clause for people."""

    written: str
    kind: TensorKind
    tensor: str
    how: str
    signature_key: str | None = None


def choose_signature(meta_graph: MetaGraph, requested: str | None = None) -> Signature:
    """Return the signature asked for, else ``xai_model``, ``serving_default`` or the only one.

    Raises `ModelError` that lists the keys that exist.
    """
    found = meta_graph.signatures
    keys = ", ".join(f"'{key}'" for key in found)
    if not found:
        raise ModelError(
            "the model has no signature, so its inputs and outputs have no names",
            hint="export it with a signature named 'serving_default'",
        )
    if requested is not None:
        if requested in found:
            return found[requested]
        raise ModelError(
            f"signature '{requested}' does not exist",
            hint=f"the model has {keys}{did_you_mean(requested, list(found))}",
        )
    for key in ("xai_model", "serving_default"):
        if key in found:
            return found[key]
    if len(found) == 1:
        return next(iter(found.values()))
    raise ModelError(
        "the model has no signature 'serving_default'",
        hint=Hint("choose one of {keys} with {signature}", keys=keys),
    )


def resolve_tensor(
    meta_graph: MetaGraph, signature: Signature, name: str, *, role: Role
) -> ResolvedTensor:
    """Return the tensor that `name` means for an input or an output of `signature`.

    Tried in this order: a signature key, a signature tensor, a tensor of the top-level graph, a
    tensor in the body of the signature's function with as few calls left out as possible, the
    output of a layer of that name. ``name`` means ``name:0``. Raises `SpecError` that lists the
    nearest names, or the several tensors that the name could mean.
    """
    sides = [("input", signature.inputs), ("output", signature.outputs)]
    if role == "output":
        sides.reverse()
    for side, tensors in sides:
        if name in tensors:
            return _of_key(name, name, side, tensors[name])
    node, index = _split(name)
    tensor = f"{node}:{index}"
    for side, tensors in sides:
        for key, info in tensors.items():
            if info.name == tensor:
                return _of_tensor(name, key, side, tensor)
    if node in meta_graph.nodes:
        made = meta_graph.nodes[node]
        _require_output(name, index, made.output_count)
        return ResolvedTensor(
            written=name,
            kind=TensorKind.GRAPH,
            tensor=tensor,
            how=f"a tensor of the graph, made by {made.op} '{node}'",
        )
    inner = _in_functions(meta_graph, signature, name, node, index)
    if inner is not None:
        return inner
    for side, tensors in sides:
        # "Format the name as name:0" makes people write a signature key that way too.
        if index == 0 and node in tensors:
            return _of_key(name, node, side, tensors[node])
    inner = _in_functions(meta_graph, signature, name, node, index, arguments=True)
    if inner is None and index == 0:
        inner = _of_layer(meta_graph, signature, name, node)
    if inner is not None:
        return inner
    raise SpecError(
        f"'{name}' is not a tensor of the model",
        hint=_nearest(meta_graph, signature, name, role),
    )


def tensor_info(meta_graph: MetaGraph, signature: Signature, tensor: str) -> TensorInfo:
    """Return type and shape of a flat name as far as the file tells: "unknown" and None if not."""
    for info in (*signature.inputs.values(), *signature.outputs.values()):
        if info.name == tensor:
            return info
    node, index = _split(tensor)
    nodes: Nodes = meta_graph.nodes
    if node not in nodes:
        for call in calls(meta_graph, signature):
            prefix = "/".join(call.chain) + "/"
            inner = node.removeprefix(prefix)
            if not node.startswith(prefix):
                continue
            if inner in call.function.nodes:
                node, nodes = inner, call.function.nodes
                break
            if inner in call.function.arguments:
                found = call.function.argument(inner)
                return TensorInfo(name=tensor, dtype=found.dtype, shape=found.shape)
    dtypes = nodes[node].dtypes if node in nodes else ()
    shapes = nodes[node].shapes if node in nodes else ()
    return TensorInfo(
        name=tensor,
        dtype=dtypes[index] if index < len(dtypes) else "unknown",
        shape=shapes[index] if index < len(shapes) else None,
    )


def _of_key(written: str, key: str, side: str, info: TensorInfo) -> ResolvedTensor:
    return ResolvedTensor(
        written=written,
        kind=TensorKind.SIGNATURE_KEY,
        tensor=info.name,
        how=f"signature {side} '{key}' ({info.name})",
        signature_key=key,
    )


def _of_tensor(written: str, key: str, side: str, tensor: str) -> ResolvedTensor:
    return ResolvedTensor(
        written=written,
        kind=TensorKind.SIGNATURE_TENSOR,
        tensor=tensor,
        how=f"the tensor of signature {side} '{key}'",
        signature_key=key,
    )


def _split(name: str) -> tuple[str, int]:
    """Return node and output of a tensor name; an index that is no number belongs to the node."""
    node, colon, index = name.rpartition(":")
    # TensorFlow numbers outputs with an int; longer digits are no index, and int() limits them.
    if colon and index.isascii() and index.isdecimal() and len(index) < 10:
        return node, int(index)
    return name, 0


def _require_output(written: str, index: int, count: int | None) -> None:
    if count is not None and index >= count:
        raise SpecError(
            f"'{written}' does not exist: the call has {count} output(s), ':0' to ':{count - 1}'"
            if count
            else f"'{written}' does not exist: the call has no outputs"
        )


def _in_functions(
    meta_graph: MetaGraph,
    signature: Signature,
    written: str,
    node: str,
    index: int,
    *,
    arguments: bool = False,
) -> ResolvedTensor | None:
    found: dict[int, dict[str, tuple[str, int | None]]] = {}
    for call in calls(meta_graph, signature):
        function = call.function
        for removed in range(len(call.chain) + 1):
            prefix = "".join(f"{part}/" for part in call.chain[removed:])
            if not node.startswith(prefix):
                continue
            inner = node[len(prefix) :]
            flat = f"{'/'.join(call.chain)}/{inner}:{index}"
            if arguments and inner in function.arguments:
                where = f"argument '{inner}' of {function.name}"
                found.setdefault(removed, {})[flat] = where, 1
            elif not arguments and inner in function.nodes:
                made = function.nodes[inner]
                where = f"made by {made.op} '{inner}' in {function.name}"
                found.setdefault(removed, {})[flat] = where, made.output_count
    if not found:
        return None
    nearest = found[min(found)]
    if len(nearest) > 1:
        raise _ambiguous(written, nearest)
    tensor, (where, count) = next(iter(nearest.items()))
    _require_output(written, index, count)
    return ResolvedTensor(
        written=written,
        kind=TensorKind.FUNCTION,
        tensor=tensor,
        how=f"a tensor of the signature's function ({tensor}), {where}",
    )


def _of_layer(
    meta_graph: MetaGraph, signature: Signature, written: str, layer: str
) -> ResolvedTensor | None:
    found = layer_outputs(meta_graph, signature, layer)
    if not found:
        return None
    if len(found) > 1:
        raise _ambiguous(written, found)
    tensor, scope = next(iter(found.items()))
    return ResolvedTensor(
        written=written,
        kind=TensorKind.LAYER,
        tensor=tensor,
        how=f"the output of layer '{layer}' ({tensor}), the last tensor of scope '{scope}'",
    )


def _ambiguous(written: str, found: Iterable[str]) -> SpecError:
    several = sorted(found)
    names = ", ".join(f"'{name}'" for name in several[:10])
    what = f"'{written}' could be any of {len(several)} tensors"
    return SpecError(what, hint=f"write one of {names}")


def _nearest(meta_graph: MetaGraph, signature: Signature, name: str, role: Role) -> str:
    tensors: Mapping[str, TensorInfo] = signature.inputs if role == "input" else signature.outputs
    short = [*tensors, *(info.name for info in tensors.values())]
    node, _ = _split(name)
    layers = nearest_layers(meta_graph, signature, node) if "/" not in node else []
    if layers and _alike(layers[0], node) > max(_alike(it, node) for it in tensors or [""]):
        written = (f"{it}:0" if node != name else it for it in layers)
        return meant(name, list(written))
    near = meant(node, list(tensors)) or meant(f"{node}:0", short)
    if near:
        return near
    found = _nearest_inner(meta_graph, signature, node)
    if found:
        return "did you mean " + " or ".join(f"'{flat}:0'" for flat in found) + "?"
    keys = ", ".join(f"'{key}'" for key in list(tensors)[:10])
    return f"signature '{signature.key}' has the {role}s {keys}" if keys else ""


def _alike(one: str, other: str) -> float:
    return SequenceMatcher(None, one.lower(), other.lower()).ratio()


def _nearest_inner(meta_graph: MetaGraph, signature: Signature, name: str) -> list[str]:
    """Return the flat names of at most three nodes like `name`, compared without their prefixes."""
    parts = name.count("/") + 1
    matcher = SequenceMatcher()
    matcher.set_seq2(name.lower())
    scored = []
    for flat, inner in _candidates(meta_graph, signature, name):
        ratios = []
        for form in {inner.lower(), "/".join(inner.lower().split("/")[-parts:])}:
            matcher.set_seq1(form)
            ratios.append(matcher.ratio())
        if max(ratios) >= 0.6:
            scored.append((-max(ratios), flat))
    return [flat for _, flat in sorted(scored)[:3]]


def _candidates(meta_graph: MetaGraph, signature: Signature, name: str) -> list[tuple[str, str]]:
    """Return flat and inner names of at most 200 nodes that share most words with `name`.

    difflib takes a second for fifty thousand names, so this cheap sieve comes before it.
    """
    words = set(_words(name))
    first, length = name.rpartition("/")[2][:1].lower(), len(name.rpartition("/")[2])
    scored: list[tuple[int, int, str, str]] = []
    for prefix, nodes, names in _bodies(meta_graph, signature):
        for inner in names:
            last = inner.rpartition("/")[2]
            shared = len(words.intersection(_words(inner)))
            alike = last[:1].lower() == first and abs(len(last) - length) <= 3
            if (shared or alike) and nodes.op(inner) not in WEIGHTS_AND_ORDER:
                score = -2 * shared - alike
                scored.append((score, abs(len(inner) - len(name)), prefix + inner, inner))
    return [(flat, inner) for _, _, flat, inner in sorted(scored)[:200]]


def _bodies(
    meta_graph: MetaGraph, signature: Signature
) -> Iterator[tuple[str, Nodes, Iterable[str]]]:
    ends = [node_name(info.name) for info in signature.outputs.values()]
    yield "", meta_graph.nodes, reachable(meta_graph.nodes, ends)
    budget = 50_000
    for call in calls(meta_graph, signature):
        budget -= len(call.function.nodes)
        if budget < 0:
            return
        yield "".join(f"{part}/" for part in call.chain), call.function.nodes, call.function.nodes


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[^a-z]+", name.lower()) if len(word) > 2]
