"""A predictor in the place of a compiled SavedModel: what the metadata mean for its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

from pellucid.errors import ModelError, SpecError
from pellucid.explain import Companions, LookedUp, RecordLists
from pellucid.inputs import InputInfo
from pellucid.metadata import (
    AssumedPixels,
    Domain,
    ExplanationMetadata,
    OutputSpec,
    PixelLayout,
)
from pellucid.model import Array, Tensors
from pellucid.predictor.asking import Asker
from pellucid.predictor.connection import Connection
from pellucid.predictor.remote_model import RemoteModel
from pellucid.predictor.settings import Predictor
from pellucid.predictor.signature import gradients_refused
from pellucid.predictor.wires import wire_of
from pellucid.saved_model import (
    Batch,
    MetaGraph,
    Role,
    Signature,
    batch_of_signature,
    is_shared,
    resolve_tensor,
)


@dataclass(frozen=True)
class _NoTokens:
    """A `TokenReader` of nothing: what a predictor looks up, it keeps to itself."""

    features: frozenset[str] = frozenset()
    varying: bool = False

    def read(self, inputs: Tensors) -> Mapping[str, LookedUp]:
        return {}


@dataclass(frozen=True)
class _NoRecords:
    lists: RecordLists = RecordLists()


@dataclass(frozen=True)
class RemoteCompiler:
    """One signature of a predictor and its metadata, as `pellucid.runtime.Compiler` has a model's.

    `pixels` is what requests' pictures are taken to be. Nothing is compiled, and what lies between
    inputs and outputs is not known: there are no gradients, no logits, no latent space, and no
    weights to draw anew.
    """

    predictor: Predictor
    meta_graph: MetaGraph
    signature: Signature
    metadata: ExplanationMetadata
    pixels: tuple[AssumedPixels, ...] = ()
    _models: dict[str, RemoteModel] = field(default_factory=dict, repr=False)

    logits: ClassVar[bool] = False
    takes_logits: ClassVar[bool] = False
    tensorflow: ClassVar[str] = ""

    def of(self, output: OutputSpec) -> RemoteCompiler:
        """Return the same for one of several outputs."""
        if output == self.metadata.output:
            return self
        return replace(self, metadata=self.metadata.explaining([output]))

    def compared(self) -> RemoteCompiler:
        """Return the same: outputs are compared as they are."""
        return self

    def reinitialised(self, share: float, seed: int) -> RemoteCompiler:
        """Raise ModelError: a predictor's weights are its own."""
        raise ModelError("its weights cannot be drawn anew: a predictor keeps them to itself")

    def model(self, *, gradients: bool) -> RemoteModel:
        """Return the model. Raises SpecError where `gradients` are wanted of it."""
        if gradients:
            raise gradients_refused(self.predictor, "a method of gradients")
        output = self.metadata.output
        key = self._output_key(output)
        if key not in self._models:
            self._models[key] = RemoteModel(
                asker=self._asker(self._batch_of(key)),
                inputs=tuple(self.signature.inputs),
                features=self.input_keys,
                output=key,
                names=self._names_key(output),
            )
        return self._models[key]

    def signature_outputs(self, request: Tensors) -> dict[str, Array]:
        """Return every output of the signature for a request's arrays, [n, …]."""
        return self.model(gradients=False).computed(request)

    def latent_tensor(self, written: str | None = None) -> tuple[str, str]:
        """Raise SpecError: there is nothing behind a predictor's inputs to be seen."""
        raise gradients_refused(self.predictor, "a search for nearest examples")

    def latent_model(self, tensor: str) -> RemoteModel:
        """Raise SpecError, as `latent_tensor`."""
        raise gradients_refused(self.predictor, "a search for nearest examples")

    @cached_property
    def input_keys(self) -> dict[str, str]:
        """The key of the input that each feature is. Raises SpecError for one that is none."""
        keys = {info.name: key for key, info in self.signature.inputs.items()}
        found = {}
        for spec in self.metadata.inputs:
            tensor = self._tensor(spec.tensor_name or spec.name, "input")
            if tensor not in keys or spec.indices_tensor_name is not None:
                raise SpecError(
                    f"feature '{spec.name}' is no input that a predictor takes",
                    where=self.predictor.where,
                    hint=f"those are {', '.join(self.signature.inputs)}",
                )
            found[spec.name] = keys[tensor]
        return found

    @cached_property
    def inputs(self) -> tuple[InputInfo, ...]:
        """What an instance has to give."""
        domains = {self.input_keys[it.name]: it.domain for it in self.metadata.inputs}
        pixels = {it.input: it for it in self.pixels}
        batch = self._batch_of(self._output_key(self.metadata.output))
        return tuple(
            InputInfo(
                name=key,
                dtype=info.dtype,
                shape=info.shape,
                domain=Domain.of_pixels(pixels.get(key)) or domains.get(key),
                pixel_layout=pixels[key].layout if key in pixels else PixelLayout(),
                batch=batch.axis and not is_shared(info.shape, batch),
            )
            for key, info in self.signature.inputs.items()
        )

    @property
    def companions(self) -> dict[str, Companions]:
        """No feature is made of several inputs."""
        return {}

    @property
    def records(self) -> _NoRecords:
        """What the inputs hold that are records is not known."""
        return _NoRecords()

    @property
    def token_reader(self) -> _NoTokens:
        """What tells which words a text is for the model: nothing does."""
        return _NoTokens()

    def _asker(self, batch: Batch) -> Asker:
        shared = [key for key, it in self.signature.inputs.items() if is_shared(it.shape, batch)]
        if shared:
            raise SpecError(
                f"input '{shared[0]}' is one value for a whole batch, which is not asked of "
                "predictors",
                where=self.predictor.where,
            )
        wire = wire_of(self.predictor, self.signature, batched=batch.axis)
        return Asker(wire, self._connection, batch)

    @cached_property
    def _connection(self) -> Connection:
        return Connection(self.predictor)

    def _batch_of(self, key: str) -> Batch:
        return batch_of_signature(self.signature, self.signature.outputs[key].name)

    def _output_key(self, output: OutputSpec) -> str:
        keys = {info.name: key for key, info in self.signature.outputs.items()}
        tensor = self._tensor(output.tensor_name or output.name, "output")
        if tensor not in keys:
            raise SpecError(
                f"'{output.name}' is no output that a predictor gives",
                where=self.predictor.where,
                hint=f"those are {', '.join(self.signature.outputs)}",
            )
        return keys[tensor]

    def _names_key(self, output: OutputSpec) -> str | None:
        if output.index_name_mapping_key is None:
            return None
        keys = {info.name: key for key, info in self.signature.outputs.items()}
        return keys.get(self._tensor(output.index_name_mapping_key, "output"))

    def _tensor(self, written: str, role: Role) -> str:
        found: Any = resolve_tensor(self.meta_graph, self.signature, written, role=role)
        return str(found.tensor)
