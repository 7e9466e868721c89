"""Serialized records: what a string input holds, as the operation that parses it says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from pellucid.errors import SpecError
from pellucid.linter.encodings.encoded_tensors import encoded_tensors
from pellucid.linter.encodings.forward_walk import Forward, Spot
from pellucid.linter.encodings.record_lists import sums_up, with_followers
from pellucid.linter.encodings.record_parsers import (
    EXAMPLES,
    PARSERS,
    features_of,
    kind_of,
    tensors_of,
)
from pellucid.linter.gradient_flow import Place, locate
from pellucid.linter.gradient_walk import LOOPS, Walk, data_inputs
from pellucid.metadata import ExplanationMetadata, RecordFeature, RecordForm
from pellucid.saved_model import MetaGraph, Signature, resolve_tensor, tensor_info

# A row for each instance, whatever number of values it has.
_SUMS = ("SparseSegmentSum", "SparseSegmentMean", "SparseSegmentSqrtN", "SegmentSum", "SegmentMean")
# What a loop makes of one record after the other stands together here.
_STACKS = ("TensorListStack", "TensorArrayGatherV3")
# How a loop of TensorFlow 1 takes one of them.
_READ = "TensorArrayReadV3"


def parsed_records(
    meta_graph: MetaGraph, signature: Signature, output: str
) -> dict[str, RecordForm]:
    """Return what the inputs hold that the graph parses before anything else is made of them.

    `output` is the flat name of the tensor that is explained. Records are parsed together, or one
    by one in a loop, as ``tf.map_fn`` does. An input that several operations parse, or one whose
    keys are no constants, has no form.
    """
    texts = {key: it.name for key, it in signature.inputs.items() if it.dtype == "string"}
    known = meta_graph.nodes.ops.union(*(it.nodes.ops for it in meta_graph.functions.values()))
    if not texts or known.isdisjoint(PARSERS):
        return {}
    forward, found = Forward(meta_graph, output), {}
    for key, tensor in texts.items():
        parsers = [*_parsers(forward, tensor)]
        if len(parsers) == 1:
            features = _form(parsers[0], meta_graph, signature)
            if features:
                lists = [it.values for it in features if it.values is not None and it.used]
                sums = parsers[0].together and sums_up(forward, lists)
                kind = kind_of(parsers[0].op)
                found[key] = RecordForm(kind=kind, features=features, sums=sums)
    return found


def feature_names(
    records: Mapping[str, RecordForm], signature: Signature
) -> dict[str, dict[str, str]]:
    """Return what the features of each record are called in metadata, by the inputs.

    Features of two records, or a feature and an input, may have one name.
    """
    return {
        key: {
            it.name: f"{key}.{it.name}"
            if len(records) > 1 or it.name in signature.inputs
            else it.name
            for it in form.features
        }
        for key, form in records.items()
    }


def in_records(
    metadata: ExplanationMetadata, meta_graph: MetaGraph, signature: Signature
) -> dict[str, tuple[str, RecordFeature]]:
    """Return what metadata explain in the record itself, with the input and what it is there.

    They give such a feature its name in the record, and the tensor of the record. What is wrong
    with their names is the business of others.
    """
    try:
        output = metadata.output.tensor_name or metadata.output.name
        flat = resolve_tensor(meta_graph, signature, output, role="output").tensor
        tensors = {
            it.name: resolve_tensor(
                meta_graph, signature, it.tensor_name or it.name, role="input"
            ).tensor
            for it in metadata.inputs
        }
    except SpecError:
        return {}
    records = parsed_records(meta_graph, signature, flat)
    called = feature_names(records, signature)
    return {
        called[key][it.name]: (key, it)
        for key, form in records.items()
        for it in form.inside
        if tensors.get(called[key][it.name]) == signature.inputs[key].name
    }


def embedded_lists(
    meta_graph: MetaGraph, signature: Signature, output: str, form: RecordForm
) -> dict[str, str]:
    """Return, for features of any length, the tensor that has a row for each instance behind them.

    That is what a lookup of all their values is summed up to, as `embedding_lookup_sparse` does.
    """
    lists = {it.name: it.values for it in form.inside if it.values is not None}
    if not lists:
        return {}
    tensors = {it.name: it.tensor or it.values for it in form.features if it.used}
    known = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    found = encoded_tensors(meta_graph, signature, output, known)
    return {
        name: it.tensor
        for name, it in found.items()
        if name in lists
        and not form.following(name)
        and not it.others
        and _op(meta_graph, it.tensor) in _SUMS
    }


def _op(meta_graph: MetaGraph, tensor: str) -> str | None:
    place = locate(meta_graph, tensor)
    if place is None or place.name not in place.bodies[-1].nodes:
        return None
    return place.bodies[-1].nodes.op(place.name)


@dataclass(frozen=True)
class _Parser:
    """A parser by its flat name in a graph; one inside a `loop` by that in the loop's body.

    `framed` tells that it is inside a loop of TensorFlow 1, which has no body of its own.
    """

    forward: Forward
    flat: str
    loop: tuple[Forward, str] | None = None
    framed: bool = False

    @property
    def together(self) -> bool:
        """Whether all records are parsed at once."""
        return self.loop is None and not self.framed

    @cached_property
    def place(self) -> Place:
        found = self.forward.place(f"{self.flat}:0")
        assert found is not None, "it was found on a walk"
        return found

    @property
    def op(self) -> str:
        return str(self.place.bodies[-1].nodes.op(self.place.name))

    def ends(self, feature: RecordFeature) -> tuple[bool, set[str]]:
        """Return whether the output depends on a feature, and in which tensors it leaves a loop."""
        tensors = tensors_of(self.place.bodies[-1], self.place.name, self.flat, feature)
        names = {*tensors, *(it.name for tensor in tensors for it in self.forward.after(tensor))}
        if self.loop is None:
            stacks = {
                spot.name
                for tensor in tensors
                for spot in self.forward.after(tensor, stop=_is_stack)
                if _is_stack(spot)
            }
            return self.forward.output in names, stacks
        outer, loop = self.loop
        used, ends = False, set[str]()
        for place in self.forward.returned(names):
            left = f"{loop}:{place}"
            used = used or any(it.name == outer.output for it in outer.after(left))
            ends |= {it.name for it in outer.after(left, stop=_is_stack) if _is_stack(it)} or {left}
        return used, ends


def _is_stack(spot: Spot) -> bool:
    return spot.op in _STACKS


def _parsers(forward: Forward, tensor: str) -> Iterator[_Parser]:
    """Yield what parses the records of a tensor, each parser once."""
    reached = forward.after(tensor, stop=lambda spot: spot.op in PARSERS)
    names = {tensor, *(it.name for it in reached)}
    framed = any(it.op == _READ for it in reached)
    for flat in dict.fromkeys(it.name.rpartition(":")[0] for it in reached if it.op in PARSERS):
        yield _Parser(forward, flat, framed=framed)
    for flat in dict.fromkeys(it.name.rpartition(":")[0] for it in reached if it.op in LOOPS):
        place = forward.place(f"{flat}:0")
        if place is None:
            continue
        body, prefix = place.bodies[-1], "".join(f"{it}/" for it in place.chain)
        attributes = body.nodes.attributes(place.name)
        function = next(Walk(forward.meta_graph).called(attributes, "body"), None)
        if function is None:
            continue
        inner = Forward(forward.meta_graph, inside=function)
        written = data_inputs(body.nodes.message(place.name))
        carried = [
            name
            for name, it in zip(function.arguments, written, strict=False)
            if f"{prefix}{it.partition(':')[0]}:{body.place_of(it) or 0}" in names
        ]
        spots = (it for name in carried for it in inner.after(f"{name}:0", stop=_is_parser))
        for found in dict.fromkeys(it.name.rpartition(":")[0] for it in spots if _is_parser(it)):
            yield _Parser(inner, found, loop=(forward, flat))


def _is_parser(spot: Spot) -> bool:
    return spot.op in EXAMPLES


def _form(
    parser: _Parser, meta_graph: MetaGraph, signature: Signature
) -> tuple[RecordFeature, ...]:
    """Return the features of a parser, with where each stands in the graph of the model."""
    features = features_of(parser.place.bodies[-1], parser.place.name, parser.flat)
    features = with_followers(parser.forward, features)
    ends = {it.name: parser.ends(it) for it in features}
    found = []
    for it in features:
        used, stacks = ends[it.name]
        it = replace(it, used=used)
        if not parser.together:
            foreign = {end for name, (_, its) in ends.items() if name != it.name for end in its}
            own = next(iter(stacks)) if len(stacks) == 1 and not stacks & foreign else None
            known = own is not None and tensor_info(meta_graph, signature, own).dtype
            alone = known not in (False, "variant", "unknown") and it.follows is None
            it = replace(it, tensor=own if alone else None, values=None)
        elif it.follows is not None or (it.listed and not it.dtype.startswith("float")):
            # Values of a list of ids or words are left out, and no tensor is one value shorter.
            it = replace(it, tensor=None)
        found.append(it)
    return tuple(found)
