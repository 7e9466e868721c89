"""From requests to their nearest examples: the latent space of a model, and an index in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np

from pellucid.errors import InstanceError, SpecError
from pellucid.examples.hnsw import refuse
from pellucid.examples.index import ExampleIndex, Neighbor, Origin, open_index
from pellucid.examples.writer import IndexWriter
from pellucid.inputs import InputInfo, Instance, OnError, stack
from pellucid.metadata import (
    Distance,
    ExampleModality,
    Examples,
    ExplanationMetadata,
    Modality,
    Normalization,
    Query,
)
from pellucid.model import Array, Tensors
from pellucid.notices import Hint, Where
from pellucid.saved_model import fingerprint

INDEX_FILE = "examples.npz"
# Examples are read and embedded in blocks of so many, and of so many bytes.
BLOCK = 1024
BLOCK_BYTES = 2**26

Example: TypeAlias = tuple[str, Instance]
"""An id and what it stands for."""


class LatentModel(Protocol):
    """A compiled model whose output is a latent vector."""

    def preprocess(self, request: Tensors) -> Tensors:
        """Return the inputs of the signature for those of the request."""
        ...

    def encode(self, inputs: Tensors) -> dict[str, Array]:
        """Return the operands for the inputs of the signature."""
        ...

    def predict(self, x: Tensors) -> Array:
        """Return the latent vectors, [n, …]."""
        ...


class LatentCompiler(Protocol):
    """What compiles a model up to a tensor of its latent space: `pellucid.runtime.Compiler`."""

    @property
    def metadata(self) -> ExplanationMetadata:
        """The metadata, which may name the latent space."""
        ...

    def latent_tensor(self, written: str | None = None) -> tuple[str, str]:
        """Return the tensor of the latent space and what it is, for people."""
        ...

    def latent_model(self, tensor: str) -> LatentModel:
        """Return the model whose output is that tensor."""
        ...


@dataclass(frozen=True)
class ExampleSearch:
    """The latent spaces of one model, and the indexes that were made in them."""

    directory: Path
    signature: str
    inputs: tuple[InputInfo, ...]
    compiler: LatentCompiler = field(repr=False)
    _opened: dict[tuple[Path, int, int], ExampleIndex] = field(default_factory=dict, repr=False)

    def neighbors(self, request: Tensors, wanted: Examples) -> list[tuple[Neighbor, ...]]:
        """Return the nearest examples of each row of a request's arrays [n, …], nearest first.

        Raises SpecError as `opened` does, and InstanceError for a row without a latent vector.
        """
        index = self.opened(wanted)
        vectors = self._vectors(request, index.origin.latent)
        bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if len(bad):
            raise InstanceError("its latent vector is not finite", int(bad[0]))
        return index.search(vectors, wanted)

    def opened(self, wanted: Examples) -> ExampleIndex:
        """Return the index that is wanted.

        Raises SpecError where there is none, or where it does not belong to this model and these
        parameters.
        """
        index = self._open(self._place(wanted.index))
        latent = index.origin.latent
        if self.compiler.metadata.latent_space_source is not None:
            latent, _ = self.compiler.latent_tensor()
        reason = index.origin.difference(self._origin(latent))
        if reason is None and _is_set(wanted):
            distance, normalization = self.measure(wanted)
            if (distance, normalization) != (index.distance, index.normalization):
                reason = (
                    f"for {index.distance.value} and normalization {index.normalization.value}, "
                    f"and the parameters say {distance.value} and {normalization.value}"
                )
        if reason is not None:
            raise SpecError(
                f"was made {reason}",
                where=Where(file=str(index.path)),
                hint=Hint("make it again with {index.force:True}"),
            )
        if (wanted.query or index.query) is Query.FAST:
            refuse(index.distance)
        return index

    def _open(self, path: Path) -> ExampleIndex:
        """Return an index, opened once as long as the file is the same."""
        if not path.is_file():
            return open_index(path)  # which says what is wrong
        found = path.stat()
        key = path, found.st_mtime_ns, found.st_size
        if key not in self._opened:
            self._opened.clear()
            self._opened[key] = open_index(path)
        return self._opened[key]

    def make(
        self,
        examples: Iterable[Example],
        wanted: Examples,
        *,
        latent: str | None = None,
        on_error: OnError | None = None,
    ) -> ExampleIndex:
        """Write an index of examples at the place that is wanted, and return it.

        Without `on_error`, the first example that the model does not take is raised. Raises
        SpecError, InstanceError, ModelError, OutputError.
        """
        distance, normalization = self.measure(wanted)
        query = wanted.query or Query.PRECISE
        if query is Query.FAST:
            refuse(distance)
        tensor, _ = self.compiler.latent_tensor(latent)
        origin = self._origin(tensor)
        path = self._place(wanted.index)
        with IndexWriter(path, origin, distance, normalization, query) as writer:
            for block in _blocks(examples):
                for some, vectors in self._embedded(block, tensor, on_error):
                    if wanted.dimensions not in (None, vectors.shape[1]):
                        raise SpecError(
                            f"the parameters say {wanted.dimensions} dimensions, and the latent "
                            f"tensor '{tensor}' has {vectors.shape[1]}"
                        )
                    extras = [instance.extras for _, instance in some]
                    writer.add([name for name, _ in some], vectors, extras)
            return writer.finish()

    def measure(self, wanted: Examples) -> tuple[Distance, Normalization]:
        """Return the distance and the normalization: those that are set, or those of a preset."""
        if wanted.distance is not None:
            return wanted.distance, wanted.normalization or Normalization.NONE
        distance, normalization = (wanted.modality or self._modality).measure
        return distance, wanted.normalization or normalization

    @property
    def _modality(self) -> ExampleModality:
        modalities = {spec.modality for spec in self.compiler.metadata.inputs}
        if Modality.IMAGE in modalities:
            return ExampleModality.IMAGE
        if Modality.TEXT in modalities or any(info.is_string for info in self.inputs):
            return ExampleModality.TEXT
        return ExampleModality.TABULAR

    def _place(self, index: str | None) -> Path:
        return self.directory / INDEX_FILE if index is None else Path(index)

    @cached_property
    def _files(self) -> str:
        return fingerprint(self.directory)

    def _origin(self, latent: str) -> Origin:
        domains = {}
        for info in self.inputs:
            if info.domain is not None:
                domains[info.name] = [info.domain.minimum, info.domain.maximum]
        return Origin(files=self._files, signature=self.signature, latent=latent, domains=domains)

    def _vectors(self, request: Tensors, tensor: str) -> Array:
        model = self.compiler.latent_model(tensor)
        found = model.predict(model.encode(model.preprocess(request)))
        return np.asarray(found.reshape(len(found), -1), np.float32)

    def _embedded(
        self, block: Sequence[Example], tensor: str, on_error: OnError | None
    ) -> Iterator[tuple[Sequence[Example], Array]]:
        """Yield a block and its vectors; if it fails, one by one, so that only the bad are lost."""
        try:
            vectors = self._stacked([instance for _, instance in block], tensor)
            bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
            if len(bad):
                raise InstanceError("its latent vector is not finite", int(bad[0]))
            yield block, vectors
        except InstanceError as error:
            if len(block) > 1:
                for one in block:
                    yield from self._embedded([one], tensor, on_error)
                return
            ((name, _),) = block
            named = error.at(name=f"example '{name}'", instance=block[0][1].index)
            if on_error is None:
                raise named from error
            on_error(named)

    def _stacked(self, instances: Sequence[Instance], tensor: str) -> Array:
        """Return one vector for each instance; those of one shape go through the model together."""
        groups: dict[Any, list[int]] = {}
        for i, instance in enumerate(instances):
            shape = tuple(instance.tensors[info.name].shape for info in self.inputs)
            groups.setdefault(shape, []).append(i)
        parts: dict[int, Array] = {}
        for places in groups.values():
            request = stack([instances[i] for i in places], self.inputs)
            parts |= dict(zip(places, self._vectors(request, tensor), strict=True))
        sizes = {len(part) for part in parts.values()}
        if len(sizes) > 1:
            raise SpecError(
                f"the latent tensor '{tensor}' has {min(sizes)} to {max(sizes)} elements, "
                "depending on the example",
                hint=Hint("make an index of one of a single size with {index.latent}"),
            )
        return np.stack([parts[i] for i in range(len(instances))])


def _is_set(wanted: Examples) -> bool:
    return wanted.distance is not None or wanted.modality is not None


def _blocks(examples: Iterable[Example]) -> Iterator[list[Example]]:
    block: list[Example] = []
    held = 0
    for example in examples:
        block.append(example)
        held += sum(array.nbytes for array in example[1].tensors.values())
        if len(block) == BLOCK or held >= BLOCK_BYTES:
            yield block
            block, held = [], 0
    if block:
        yield block
