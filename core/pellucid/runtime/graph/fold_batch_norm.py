"""Batch normalization melts into the layer before it, as it stands between training and serving.

In inference it is y = a·z + b with a constant for each channel. Behind z = W·x that is one layer,
y = (a·W)·x + b, with weights computed here once, in float64; behind anything else it stays two
plain ops, which have cheaper gradients than the fused kernel. The same holds for every other
chain of per-channel constants: a bias, a normalization written as ops, a scale.

No name changes its value: a folded layer is a new node, and only the last op of the chain is
rewritten, to give the same result from it. What lay between is not computed any more unless
somebody else reads it; what the ops of the chain wait for, the last one still waits for (but a
constant waits for nothing). Nothing is folded across a tensor that is explained or fed, since the
gradient with respect to it would be lost.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.runtime.engine.tensorflow import tf
from pellucid.runtime.graph.flat_graph import FlatGraph, node_of

Vector = NDArray[np.float64]

FUSED = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
AFFINE = ("Mul", "RealDiv", "Add", "AddV2", "Sub", "BiasAdd", "Identity", *FUSED)
# The axes of a layer's weights along which its output channels lie.
CHANNEL_AXES = {
    "Conv2D": (3,),
    "DepthwiseConv2dNative": (2, 3),
    "Conv2DBackpropInput": (2,),
    "Conv3D": (4,),
    "MatMul": (1,),
}
RANKS = {"Conv3D": 5, "MatMul": 2}
OWN_GRADIENT = "_gradient_op_type"
# In lower precision the product of weight and scale would be rounded once more than before.
TYPES = {tf.float32.as_datatype_enum: np.float32, tf.float64.as_datatype_enum: np.float64}

CONSTANT_OPS: dict[str, Callable[..., Any]] = {
    "Mul": np.multiply,
    "Add": np.add,
    "AddV2": np.add,
    "Sub": np.subtract,
    "RealDiv": np.divide,
    "Neg": np.negative,
    "Sqrt": np.sqrt,
    "Square": np.square,
    "Rsqrt": lambda x: 1 / np.sqrt(x),
    "Reciprocal": lambda x: 1 / x,
    "Reshape": lambda x, shape: np.reshape(x, shape.astype(int)),
    "Identity": lambda x: x,
    "StopGradient": lambda x: x,
}


@dataclass(frozen=True, slots=True)
class _Affine:
    """y = scale · z + shift along the channels of z."""

    scale: Vector
    shift: Vector

    def then(self, other: _Affine) -> _Affine:
        return _Affine(other.scale * self.scale, other.scale * self.shift + other.shift)


@dataclass(frozen=True, slots=True)
class _Channels:
    """The channels of a layer's output: how many, of what rank it is, and where they are."""

    count: int
    rank: int
    second: bool

    def vector(self, value: Any) -> Vector | None:
        """Return `value` for each channel, if it is the same along all other axes."""
        if value.ndim > self.rank:
            return None
        shape = [1] * (self.rank - value.ndim) + list(value.shape)
        across = shape.pop(1 if self.second else -1)
        if across not in (1, self.count) or any(n != 1 for n in shape):
            return None
        return np.broadcast_to(value.ravel(), (self.count,))


def fold(flat: FlatGraph, output: str, cuts: Iterable[str]) -> int:
    """Rewrite the part of `flat` between the tensors `cuts` and `output`; return how many chains.

    Variables that are only read have to be constants already (`freeze.freeze`).
    """
    return _Folding(flat, output, cuts).run()


class _Folding:
    def __init__(self, flat: FlatGraph, output: str, cuts: Iterable[str]) -> None:
        self.flat = flat
        self.cuts = {flat.resolve(t) for t in cuts}
        self.inside = flat.ancestors([output], self.cuts)
        self.kept = self.cuts | {flat.resolve(output)}
        self.readers: dict[str, list[str]] = defaultdict(list)
        for name, node in flat.nodes.items():
            for tensor in flat.inputs(node):
                self.readers[tensor].append(name)
        self._constants: dict[str, Any] = {}

    def run(self) -> int:
        count = 0
        taken: set[str] = set()
        order = [name for name in self.flat.nodes if name in self.inside]
        with np.errstate(all="ignore"):  # what overflows is not folded
            for name in order:
                count += self._fold_layer(self.flat.nodes[name], taken)
            # The normalizations that are left have no layer before them.
            for name in order:
                if name not in taken and self.flat.nodes[name].op in FUSED:
                    count += self._unfuse(self.flat.nodes[name])
        return count

    def _fold_layer(self, layer: Any, taken: set[str]) -> bool:
        shape = self._weights_shape(layer)
        if shape is None:
            return False
        axes = _channel_axes(layer)
        count = int(np.prod([shape[axis] for axis in axes]))
        seen = _Channels(count, RANKS.get(layer.op, 4), _channels_second(layer))
        chain, total = self._chain(layer, seen)
        if [node.op for node in chain if node.op != "Identity"] in ([], ["BiasAdd"]):
            return False  # the runtime fuses these by itself
        weights = self._constant(self.flat.inputs(layer)[1])
        self._constants.clear()  # weights are large, and needed once
        if weights is None:
            return False
        across = [n if axis in axes else 1 for axis, n in enumerate(shape)]
        scaled = weights * total.scale.reshape(across)
        last, dtype = chain[-1], TYPES[layer.attr["T"].type]
        if not (_fits(scaled, dtype) and _fits(total.shift, dtype)):
            return False
        taken.update(node.name for node in chain)
        folded = tf.compat.v1.NodeDef()
        folded.CopyFrom(layer)
        folded.name = self._new(f"{last.name}/folded")
        folded.input[1] = self._add_constant(f"{folded.name}/weights", scaled, dtype)
        self.flat.nodes[folded.name] = folded
        bias = self._add_constant(f"{folded.name}/bias", total.shift, dtype)
        controls = [i for node in chain for i in node.input if i.startswith("^")]
        self._become_bias_add(last, f"{folded.name}:0", bias, layer, controls)
        return True

    def _chain(self, layer: Any, seen: _Channels) -> tuple[list[Any], _Affine]:
        """Return the ops behind a layer that it can take up, and what they do together."""
        total = _Affine(np.ones(seen.count), np.zeros(seen.count))
        tensor, chain = f"{layer.name}:0", []
        while (reader := self._only_reader(tensor)) is not None:
            step = self._affine(reader, tensor, seen)
            if step is None:
                break
            total = total.then(step)
            chain.append(reader)
            tensor = f"{reader.name}:0"
        return chain, total

    def _unfuse(self, node: Any) -> bool:
        """Turn a fused normalization into a product and a sum."""
        tensor, scale = self.flat.inputs(node)[:2]
        constant = self._constant(scale)
        if constant is None:
            return False
        seen = _Channels(constant.size, 4, _channels_second(node))
        step = self._affine(node, tensor, seen)
        if step is None:
            return False
        dtype = TYPES[node.attr["T"].type]
        factor = step.scale.reshape(-1, 1, 1) if seen.second else step.scale
        if not (_fits(factor, dtype) and _fits(step.shift, dtype)):
            return False
        product = tf.compat.v1.NodeDef(name=self._new(f"{node.name}/scaled"), op="Mul")
        product.attr["T"].type = node.attr["T"].type
        product.input.extend([tensor, self._add_constant(f"{product.name}/by", factor, dtype)])
        self.flat.nodes[product.name] = product
        bias = self._add_constant(f"{product.name}/bias", step.shift, dtype)
        controls = [i for i in node.input if i.startswith("^")]
        self._become_bias_add(node, f"{product.name}:0", bias, node, controls)
        return True

    def _become_bias_add(
        self, node: Any, value: str, bias: str, like: Any, controls: list[str]
    ) -> None:
        kind, second = like.attr["T"].type, _channels_second(like)
        node.op = "BiasAdd"
        node.attr.clear()
        node.attr["T"].type = kind
        node.attr["data_format"].s = b"NCHW" if second else b"NHWC"
        del node.input[:]
        node.input.extend([value, bias, *dict.fromkeys(controls)])

    # Reading the graph

    def _only_reader(self, tensor: str) -> Any:
        """Return the node that alone reads `tensor`, if nobody else wants to see it."""
        readers = self.readers.get(tensor, [])
        waiting = self.readers.get(f"^{node_of(tensor)}")
        if len(readers) != 1 or waiting or tensor in self.kept or readers[0] not in self.inside:
            return None
        return self.flat.nodes[readers[0]]

    def _weights_shape(self, layer: Any) -> tuple[int, ...] | None:
        """Return the shape of a layer's weights if they are constant and can be scaled."""
        if layer.op not in CHANNEL_AXES or layer.attr["T"].type not in TYPES:
            return None
        if _text(layer, "data_format") == "NCDHW" or OWN_GRADIENT in layer.attr:
            return None
        weights = self.flat.inputs(layer)[1]
        source = self.flat.nodes[node_of(self.flat.through_identities(weights))]
        if source.op == "Const":
            return tuple(d.size for d in source.attr["value"].tensor.tensor_shape.dim)
        value = self._constant(weights)
        return None if value is None else value.shape

    def _affine(self, node: Any, tensor: str, seen: _Channels) -> _Affine | None:
        """Return what `node` does to each channel of its input `tensor`, or None."""
        if node.op not in AFFINE or node.attr["T"].type not in TYPES:
            return None
        if OWN_GRADIENT in node.attr:
            return None
        inputs = [i for i in self.flat.inputs(node) if i[0] != "^"]
        constants = [self._constant(i) for i in inputs if i != tensor]
        if len(constants) != len(inputs) - 1 or any(c is None for c in constants):
            return None
        one, zero = np.ones(seen.count), np.zeros(seen.count)
        if node.op == "Identity":
            return _Affine(one, zero)
        if node.op in FUSED:
            return self._normalization(node, inputs, constants, seen)
        first = inputs[0] == tensor
        vector = seen.vector(constants[0])
        if node.op == "BiasAdd":
            # BiasAdd knows two layouts: channels second, or last, whatever the rank.
            same = first and (seen.rank == 2 or _channels_second(node) == seen.second)
            vector = constants[0] if same and constants[0].shape == (seen.count,) else None
        if vector is None:
            return None
        match node.op:
            case "Mul":
                return _Affine(vector, zero)
            case "RealDiv" if first:
                return _Affine(1 / vector, zero)
            case "Add" | "AddV2" | "BiasAdd":
                return _Affine(one, vector)
            case "Sub":
                return _Affine(one, -vector) if first else _Affine(-one, vector)
            case _:
                return None

    def _normalization(
        self, node: Any, inputs: list[str], constants: list[Any], seen: _Channels
    ) -> _Affine | None:
        training = "is_training" not in node.attr or node.attr["is_training"].b
        mixed = "U" in node.attr and node.attr["U"].type != node.attr["T"].type
        if training or mixed or _channels_second(node) != seen.second:
            return None
        others = [f"{node.name}:{i}" for i in range(1, 6)]
        if any(self.readers.get(t) or t in self.kept for t in others):
            return None
        if len(constants) != 4 or any(c.shape != (seen.count,) for c in constants):
            return None
        scale, offset, mean, variance = constants
        epsilon = node.attr["epsilon"].f if "epsilon" in node.attr else 1e-4
        factor = scale / np.sqrt(variance + epsilon)
        return _Affine(factor, offset - mean * factor)

    def _constant(self, tensor: str) -> Any:
        """Return the value of a tensor that depends on constants alone, in float64, or None."""
        waiting, begun = [tensor], set[str]()
        while waiting:
            here = waiting[-1]
            if here in self._constants:
                waiting.pop()
            elif here in self.cuts or not here.endswith(":0"):
                self._constants[here] = None
            elif here in begun:  # what it needs is known now; a cycle has no value
                self._constants[here] = self._compute(self.flat.nodes[node_of(here)])
            else:
                begun.add(here)
                waiting += self._needed(self.flat.nodes[node_of(here)])
        return self._constants[tensor]

    def _needed(self, node: Any) -> list[str]:
        """Return the tensors whose values an operation on constants reads."""
        if node.op not in CONSTANT_OPS:
            return []
        return [tensor for tensor in self.flat.inputs(node) if tensor[0] != "^"]

    def _compute(self, node: Any) -> Any:
        if node.op == "Const":
            value = tf.make_ndarray(node.attr["value"].tensor)
            return value.astype(np.float64) if value.dtype.kind in "fi" else None
        if node.op not in CONSTANT_OPS:
            return None
        values = [self._constants.get(tensor) for tensor in self._needed(node)]
        if any(v is None for v in values):
            return None
        return CONSTANT_OPS[node.op](*values)

    # Writing it

    def _new(self, name: str) -> str:
        """Return `name`, or one like it that no node has."""
        while name in self.flat.nodes:
            name += "_"
        return name

    def _add_constant(self, name: str, value: Any, dtype: Any) -> str:
        node = tf.compat.v1.NodeDef(name=self._new(name), op="Const")
        kind = tf.dtypes.as_dtype(dtype)
        node.attr["dtype"].type = kind.as_datatype_enum
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value.astype(dtype), dtype=kind))
        self.flat.nodes[node.name] = node
        return f"{node.name}:0"


def _channel_axes(layer: Any) -> tuple[int, ...]:
    transposed = "transpose_b" in layer.attr and layer.attr["transpose_b"].b
    return (0,) if transposed else CHANNEL_AXES[layer.op]


def _text(node: Any, key: str) -> str:
    # A look at an attribute that is absent would add it to the node.
    return node.attr[key].s.decode() if key in node.attr else ""


def _channels_second(node: Any) -> bool:
    return _text(node, "data_format").startswith("NC")


def _fits(value: Any, dtype: Any) -> bool:
    return bool(np.isfinite(value.astype(dtype)).all())
