"""From names in a SavedModel to a compiled model: what the metadata mean in this graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar

from pellucid.errors import ModelError, SpecError
from pellucid.explain import Companions
from pellucid.inputs import InputInfo
from pellucid.linter import (
    Reach,
    TokenTensors,
    encoded_tensors,
    refuse_unsafe,
    token_tensors,
    way_out,
    ways,
)
from pellucid.metadata import (
    AssumedPixels,
    Domain,
    Encoding,
    ExplanationMetadata,
    Modality,
    OutputSpec,
    PixelLayout,
)
from pellucid.model import Array, Obstacle, Tensors
from pellucid.notices import Hint
from pellucid.runtime.backends.base import CompileSpec
from pellucid.runtime.backends.devices import check_device
from pellucid.runtime.backends.flat_graph import GraphFunction
from pellucid.runtime.engine.failures import Unsupported
from pellucid.runtime.engine.tensorflow import tf
from pellucid.runtime.graph.flat_graph import FlatGraph, node_of
from pellucid.runtime.graph.latent_tensor import last_layer_input
from pellucid.runtime.graph.reinitialise import Reinitialisation
from pellucid.runtime.model import TensorFlowModel
from pellucid.runtime.record_model import RecordModel
from pellucid.runtime.records import Records
from pellucid.runtime.token_reader import GraphTokenReader
from pellucid.saved_model import (
    Batch,
    MetaGraph,
    Role,
    Signature,
    batch_of_signature,
    is_shared,
    resolve_tensor,
    tensor_info,
)

SQUASHERS = ("Softmax", "LogSoftmax", "Sigmoid")


@dataclass(frozen=True)
class Compiler:
    """One signature of a SavedModel and its metadata; gives the compiled model for a method.

    A method that takes gradients explains encoded tensors, where the metadata name them; others
    explain the inputs themselves. Each of the two models is made once. With `logits`, the output is
    the score before its softmax or sigmoid, where gradients do not vanish; a model that is
    `contrasting` takes that where it is found, since outputs are compared. `parallel_batches` is
    that of a `CompileSpec`; `pixels` is what requests' pictures are taken to be; `inferred` tells
    that the metadata are. Unless the model is `trusted`, every tensor that is named is looked at
    for what it would touch, but for those of `judged`, for which that was done. With `anew`,
    weights are drawn anew.
    """

    directory: Path
    meta_graph: MetaGraph
    signature: Signature
    metadata: ExplanationMetadata
    device: str = "auto"
    logits: bool = False
    parallel_batches: int = 1
    pixels: tuple[AssumedPixels, ...] = ()
    inferred: bool = False
    trusted: bool = False
    judged: frozenset[str] = frozenset()
    anew: Reinitialisation | None = None
    contrasting: bool = False
    predictor: ClassVar[None] = None  # nobody else is asked
    _models: dict[bool, TensorFlowModel] = field(default_factory=dict, repr=False)
    _latents: dict[str, TensorFlowModel] = field(default_factory=dict, repr=False)
    _siblings: dict[str, Compiler] = field(default_factory=dict, repr=False)
    _changed: dict[str, Compiler] = field(default_factory=dict, repr=False)

    def of(self, output: OutputSpec) -> Compiler:
        """Return what compiles the same model for one of several outputs, made once."""
        if output == self.metadata.output:
            return self
        if output.name not in self._siblings:
            metadata = self.metadata.explaining([output])
            self._siblings[output.name] = replace(
                self, metadata=metadata, _models={}, _latents={}, _siblings={}, _changed={}
            )
        return self._siblings[output.name]

    def reinitialised(self, share: float, seed: int) -> Compiler:
        """Return what compiles the same model with a share of its weights drawn anew, made once."""
        key = f"{share} {seed}"
        if key not in self._changed:
            asked = Reinitialisation(share, seed)
            self._changed[key] = replace(
                self, anew=asked, _models={}, _latents={}, _siblings={}, _changed={}
            )
        return self._changed[key]

    def compared(self) -> Compiler:
        """Return what compiles the same model for outputs that are compared, made once."""
        if self.contrasting:
            return self
        if "compared" not in self._changed:
            self._changed["compared"] = replace(
                self, contrasting=True, _models={}, _latents={}, _siblings={}, _changed={}
            )
        return self._changed["compared"]

    @cached_property
    def takes_logits(self) -> bool:
        """Whether what is explained is the score before a softmax or sigmoid."""
        return self.logits or (self.contrasting and self._maker(self._written)[1].op in SQUASHERS)

    def model(self, *, gradients: bool) -> TensorFlowModel:
        """Return the model whose explained tensors are those that a method needs."""
        encoded = gradients and any(i.encoded_tensor_name for i in self.metadata.inputs)
        if encoded not in self._models:
            check_device(self.device)
            compile_spec = self._compile_spec(encoded)
            before, names = partial(self._before, compile_spec), partial(self._names, compile_spec)
            if inside := self.records.inside:
                self._models[encoded] = RecordModel(compile_spec, inside, before, names)
            else:
                self._models[encoded] = TensorFlowModel(compile_spec, before, names)
        return self._models[encoded]

    def signature_outputs(self, request: Tensors) -> dict[str, Array]:
        """Return every output of the signature for a request's arrays, [n, …].

        Where only the explained output can be computed, on the last backend, it is that one.
        Raises InstanceError and ModelError.
        """
        model = self.model(gradients=False)
        inputs = model.preprocess(request)
        if self._all_outputs is None:
            return {self.metadata.output.name: model.predict(model.encode(inputs))}
        return model.computed(self._all_outputs, inputs)

    @cached_property
    def _all_outputs(self) -> GraphFunction | None:
        outputs = {key: info.name for key, info in self.signature.outputs.items()}
        try:
            return GraphFunction(self._compile_spec(False), outputs)
        except (ModelError, Unsupported):
            return None

    def latent_tensor(self, written: str | None = None) -> tuple[str, str]:
        """Return the tensor of the latent space and what it is, for people.

        It is what is written, here or in the metadata, else the input of the last layer, else the
        output itself.
        """
        written = written or self.metadata.latent_tensor_name
        if written is not None:
            return self._tensor(written, "output"), f"'{written}'"
        flat = FlatGraph(self._message)
        request = [info.name for info in self.signature.inputs.values()]
        flat.add([self._output, *request])
        found = last_layer_input(flat, self._output, request)
        if found is None:
            return self._output, "the output, since no layer of weights leads to it"
        return found, "the input of the last layer"

    def latent_model(self, tensor: str) -> TensorFlowModel:
        """Return the model whose output is a tensor of `latent_tensor`."""
        if tensor not in self._latents:
            check_device(self.device)
            self._refuse([tensor])  # an index may name any
            compile_spec = replace(
                self._compile_spec(encoded=False),
                output=tensor,
                refuse_loader=lambda reason: self._refuse([tensor], reason),
            )
            self._latents[tensor] = TensorFlowModel(
                compile_spec, lambda: self._before(compile_spec)
            )
        return self._latents[tensor]

    @property
    def tensorflow(self) -> str:
        """The version of TensorFlow that runs it."""
        return str(tf.__version__)

    @cached_property
    def input_keys(self) -> dict[str, str]:
        """The key of the signature's inputs that each feature is, where it is one."""
        keys = {info.name: key for key, info in self.signature.inputs.items()}
        tensors = {i.name: self._tensor(i.tensor_name or i.name) for i in self.metadata.inputs}
        apart = self.records.inside
        return {n: keys[it] for n, it in tensors.items() if it in keys and n not in apart}

    @cached_property
    def companions(self) -> dict[str, Companions]:
        """The keys of the signature's inputs that belong to each sparse feature."""
        keys = {info.name: key for key, info in self.signature.inputs.items()}

        def key_of(written: str | None) -> str | None:
            return None if written is None else keys.get(self._tensor(written))

        found = {}
        for spec in self.metadata.inputs:
            if spec.indices_tensor_name is None:
                continue
            others = (
                spec.dense_shape_tensor_name,
                spec.weight_indices_name,
                spec.weight_dense_shape_name,
            )
            found[spec.name] = Companions(
                indices=key_of(spec.indices_tensor_name),
                weights=key_of(spec.weight_values_name),
                others=frozenset(key for it in others if (key := key_of(it)) is not None),
            )
        return found

    @cached_property
    def token_reader(self) -> GraphTokenReader:
        """What tells which words of a text the rows of its embedding are."""
        tensors, varying = dict[str, TokenTensors](), False
        for spec in self.metadata.inputs:
            written, key = spec.encoded_tensor_name, self.input_keys.get(spec.name)
            if spec.encoding is not Encoding.CONCAT_EMBEDDING or written is None or key is None:
                continue
            info, encoded = self.signature.inputs[key], self._tensor(written)
            if info.dtype != "string" or (info.shape or ())[1:] not in ((), (1,)):
                continue
            shape = tensor_info(self.meta_graph, self.signature, encoded).shape
            varying = varying or shape is None or None in shape[1:]
            found = token_tensors(self.meta_graph, self._output, info.name, encoded)
            alone = spec.modality is Modality.TEXT and spec.group_name is None
            if alone and found is not None and found.keys is not None:
                tensors[spec.name] = found
        for it in tensors.values():
            self._refuse([name for name in (it.keys, it.ids) if name is not None])
        return GraphTokenReader(self._compile_spec(encoded=False), tensors, varying)

    @cached_property
    def inputs(self) -> tuple[InputInfo, ...]:
        """What an instance has to give."""
        domains = {self.input_keys.get(i.name): i.domain for i in self.metadata.inputs}
        same = self._requested is self.signature
        pixels = {it.input: it for it in self.pixels}
        return tuple(
            InputInfo(
                name=key,
                dtype=info.dtype,
                shape=info.shape,
                domain=Domain.of_pixels(pixels.get(key)) or (domains.get(key) if same else None),
                pixel_layout=pixels[key].layout if key in pixels else PixelLayout(),
                batch=self._batch.axis and not is_shared(info.shape, self._batch),
                record=self.records.forms.get(key),
            )
            for key, info in self._requested.inputs.items()
        )

    @cached_property
    def records(self) -> Records:
        """What the inputs of the signature hold that are serialized records."""
        output = self._output if self._requested is self.signature else None
        return Records(self.meta_graph, self.signature, self.metadata, output)

    @cached_property
    def _requested(self) -> Signature:
        """The signature that requests are keyed by: ``xai_preprocess`` before ``xai_model``."""
        if self.signature.key == "xai_model":
            return self.meta_graph.signatures.get("xai_preprocess", self.signature)
        return self.signature

    @cached_property
    def _output(self) -> str:
        return self._before_softmax(self._written) if self.takes_logits else self._written

    @cached_property
    def _written(self) -> str:
        """The tensor of the output as the metadata name it."""
        output = self.metadata.output
        return self._tensor(output.tensor_name or output.name, "output")

    @cached_property
    def _batch(self) -> Batch:
        if any(spec.indices_tensor_name for spec in self.metadata.inputs):
            return Batch(axis=False, lone=True)  # whatever the three tensors are called
        return batch_of_signature(self.signature, self._output)

    @cached_property
    def _message(self) -> Any:
        return tf.compat.v1.MetaGraphDef.FromString(bytes(self.meta_graph.serialized))

    def _tensor(self, written: str, role: Role = "input") -> str:
        tensor = resolve_tensor(self.meta_graph, self.signature, written, role=role).tensor
        if tensor not in self.judged:
            self._refuse([tensor])
        return tensor

    def _refuse(self, tensors: Iterable[str], loader: str | None = None) -> None:
        """Raise UnsafeModelError where `tensors` would touch the world, or a loader would."""
        if not self.trusted:
            refuse_unsafe(self.meta_graph, self.signature, tensors, self.directory, loader)

    def _before_softmax(self, output: str) -> str:
        """Return the tensor that a softmax or sigmoid makes the output of."""
        flat, node = self._maker(output)
        if node.op not in SQUASHERS:
            raise SpecError(
                f"the output '{self.metadata.output.name}' comes from the operation {node.op}, not "
                "from a softmax or sigmoid, so there are no logits to find",
                hint=Hint("name a tensor with {output}"),
            )
        return flat.inputs(node)[0]

    def _maker(self, output: str) -> tuple[FlatGraph, Any]:
        """Return the node that a tensor comes from, in its flat graph."""
        flat = FlatGraph(self._message)
        flat.add([output])
        return flat, flat.nodes[node_of(flat.through_identities(flat.resolve(output)))]

    @cached_property
    def _squasher(self) -> str | None:
        """The type of the softmax or sigmoid that makes the output, if one does."""
        _, node = self._maker(self._output)
        return node.op if node.op in SQUASHERS else None

    def _compile_spec(self, encoded: bool) -> CompileSpec:
        explained = {}
        for spec in self.metadata.inputs:
            if spec.name not in self.records.inside:
                written = spec.encoded_tensor_name if encoded else None
                explained[spec.name] = self._tensor(written or spec.tensor_name or spec.name)
        return CompileSpec(
            directory=self.directory,
            meta_graph=self._message,
            signature_key=self.signature.key,
            request={key: info.name for key, info in self.signature.inputs.items()},
            explained=explained,
            output=self._output,
            batch=self._batch,
            device=self.device,
            parallel_batches=self.parallel_batches,
            obstacles=lambda: self._obstacles(explained),
            squasher=lambda: self._squasher,
            trusted=self.trusted,
            refuse_loader=lambda reason: self._refuse_loader(explained, reason),
            reinitialised=self.anew,
            way_out=lambda: self._way_out(explained),
            records={it.key for it in self.records.inside.values()},
            ends=self.records.ends,
            varying=self.records.varying(explained.values()),
        )

    def _refuse_loader(self, explained: Mapping[str, str], reason: str) -> None:
        if self.anew is not None:
            raise ModelError(f"its weights cannot be drawn anew: {reason}")
        self._refuse([self._output, *explained.values()], reason)

    def _way_out(self, explained: Mapping[str, str]) -> Hint:
        found = encoded_tensors(self.meta_graph, self.signature, self._output, explained)
        return way_out(found, self.metadata.dialect, inferred=self.inferred)

    def _obstacles(self, explained: Mapping[str, str]) -> dict[str, Obstacle]:
        found = ways(self.meta_graph, self._output, set(explained.values()), beside=True)
        return {
            name: Obstacle(node=way.node, op=way.op, whole=way.reach is not Reach.GRADIENT)
            for name, tensor in explained.items()
            if (way := found[tensor]).node and way.op
        }

    def _before(self, compile_spec: CompileSpec) -> GraphFunction | None:
        if self._requested is self.signature:
            return None
        inputs = {key: info.name for key, info in self._requested.inputs.items()}
        outputs = {key: info.name for key, info in self._requested.outputs.items()}
        batch = batch_of_signature(self._requested)
        return GraphFunction(replace(compile_spec, request=inputs, batch=batch), outputs)

    def _names(self, compile_spec: CompileSpec) -> GraphFunction | None:
        key = self.metadata.output.index_name_mapping_key
        tensors = {} if key is None else {"names": self._tensor(key, "output")}
        return GraphFunction(compile_spec, tensors) if tensors else None
