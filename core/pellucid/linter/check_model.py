"""A metadata document against its model, without TensorFlow: names, types and shapes fit."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path as FilePath

from pellucid.errors import ModelError, SpecError, meant
from pellucid.linter.assumed_pixels import graph_range
from pellucid.linter.encodings import EncodedTensor, encodings_of, in_records, way_out
from pellucid.metadata import (
    Baseline,
    Dialect,
    Domain,
    ExplanationMetadata,
    ExplanationParameters,
    FileBaseline,
    InputSpec,
    Modality,
    Nested,
    OutputSpec,
    RecordFeature,
    ValueBaseline,
    range_text,
    same_range,
)
from pellucid.metadata.documents import Finding, Path, path_text, problems_of, quoted, spelled
from pellucid.notices import Hint
from pellucid.problems import Problem, Severity
from pellucid.saved_model import (
    FLOAT_TYPES,
    MetaGraph,
    ResolvedTensor,
    Role,
    SavedModelFile,
    Shape,
    Signature,
    TensorInfo,
    choose_signature,
    find_pixels,
    resolve_tensor,
    tensor_info,
)

# What is found of a model without metadata in another way, as the same rule.
NO_SIGNATURE, NO_FLOATS = "MD101", "MD103"
# What a caller may say better.
PIXELS = "MD114"
# What lies outside of the model, wherever it is named.
OUTSIDE = "MD132"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """How one name of the document was resolved: `path` is where the document writes it."""

    path: str
    resolved: ResolvedTensor
    info: TensorInfo


def check(
    metadata: ExplanationMetadata,
    saved_model: SavedModelFile,
    signature_key: str | None = None,
    tags: Sequence[str] | None = None,
    *,
    parameters: ExplanationParameters | None = None,
    file: str | None = None,
) -> tuple[tuple[Problem, ...], tuple[Resolution, ...]]:
    """Return every problem of a document with its model, and how its names were resolved.

    Without `parameters` the method is not known, so what only gradients need is a warning. The
    problems have paths and no positions; `metadata.documents.locate` adds these from the text.
    """
    try:
        meta_graph = saved_model.meta_graph(tags if tags is not None else metadata.tags)
        signature = choose_signature(meta_graph, signature_key or metadata.signature_key)
    except ModelError as error:
        key = () if signature_key or metadata.signature_key is None else ("serving_sigdef_key",)
        finding = Finding(code=NO_SIGNATURE, message=error.what, path=key, hint=error.hint)
        return problems_of([finding], None, file), ()
    checker = _Checker(metadata, meta_graph, signature, parameters, saved_model.directory, file)
    checker.preprocess()
    for feature in metadata.inputs:
        checker.input(feature)
    for output in metadata.outputs:
        checker.output(output)
    checker.resolve((), "latent_space_source", metadata.latent_tensor_name, "output")
    return problems_of(checker.findings, None, file), tuple(checker.resolutions)


class _Checker:
    def __init__(
        self,
        metadata: ExplanationMetadata,
        meta_graph: MetaGraph,
        signature: Signature,
        parameters: ExplanationParameters | None,
        directory: FilePath,
        file: str | None,
    ) -> None:
        self.file = file
        self.metadata = metadata
        self.dialect = metadata.dialect
        self.directory = directory
        self.meta_graph = meta_graph
        self.signature = signature
        self.method = parameters.method if parameters else None
        self.findings: list[Finding] = []
        self.resolutions: list[Resolution] = []

    def find(
        self,
        code: str,
        message: str,
        path: Path,
        *,
        hint: Hint | str | None = None,
        severity: Severity | None = None,
    ) -> None:
        hint = Hint.plain(hint) if isinstance(hint, str) else hint
        self.findings.append(
            Finding(code=code, message=message, path=path, severity=severity, hint=hint)
        )

    def at(self, path: Path, name: str) -> Path:
        return (*path, spelled(name, self.dialect))

    def key(self, name: str) -> str | None:
        """Return the name of a tensor that is not written: AI Platform requires it."""
        return name if self.dialect is Dialect.VERTEX else None

    def resolve(self, path: Path, field: str, name: str | None, role: Role) -> TensorInfo | None:
        """Return type and shape of the tensor in a field, or None if there is none."""
        if name is None:
            return None
        here = self.at(path, field)
        try:
            resolved = resolve_tensor(self.meta_graph, self.signature, name, role=role)
        except SpecError as error:
            self.find("MD102", error.what, here, hint=error.hint)
            return None
        info = tensor_info(self.meta_graph, self.signature, resolved.tensor)
        self.resolutions.append(Resolution(path=path_text(here), resolved=resolved, info=info))
        return info

    def preprocess(self) -> None:
        """The request of ``xai_model`` goes through ``xai_preprocess``, if there is one."""
        before = self.meta_graph.signatures.get("xai_preprocess")
        if self.signature.key != "xai_model" or before is None:
            return
        given, wanted = set(before.outputs), set(self.signature.inputs)
        if given != wanted:
            listed = [", ".join(quoted(it) for it in sorted(names)) for names in (given, wanted)]
            message = f"xai_preprocess gives {listed[0]} and xai_model takes {listed[1]}"
            self.find("MD113", message, (), hint="give them the same names")

    def input(self, feature: InputSpec) -> None:
        path: Path = ("inputs", feature.name)
        # "An empty InputMetadata … describes a text feature which has the name of the key."
        tensor = self.resolve(
            path, "input_tensor_name", feature.tensor_name or self.key(feature.name), "input"
        )
        encoded = self.resolve(path, "encoded_tensor_name", feature.encoded_tensor_name, "input")
        for field in (
            "indices_tensor_name",
            "dense_shape_tensor_name",
            "weight_values_name",
            "weight_indices_name",
            "weight_dense_shape_name",
        ):
            self.resolve(path, field, getattr(feature, field), "input")
        own = tensor
        if feature.name in self.in_records and tensor is not None:
            _, it = self.in_records[feature.name]
            tensor = TensorInfo(name=it.name, dtype=it.dtype, shape=(None, *it.shape))
        if feature.encoded_tensor_name is None:
            self.gradient(feature, own, self.at(path, "input_tensor_name"))
        else:
            self.gradient(feature, encoded, self.at(path, "encoded_tensor_name"))
        if feature.modality is Modality.IMAGE:
            self.image(encoded if tensor and tensor.dtype == "string" else tensor, path)
        if feature.modality is Modality.SERIES:
            self.series(tensor, path)
        if feature.domain is not None:
            self.domain(feature.domain, feature.modality, tensor, self.at(path, "domain"))
        self.baselines(feature.input_baselines, tensor, self.at(path, "input_baselines"))
        self.baselines(feature.encoded_baselines, encoded, self.at(path, "encoded_baselines"))
        self.feature_names(feature, tensor, path)

    def gradient(self, feature: InputSpec, info: TensorInfo | None, path: Path) -> None:
        if info is None or info.dtype in (*FLOAT_TYPES, "unknown"):
            return
        if self.method is None or self.method.uses_gradients:
            self.find(
                NO_FLOATS,
                f"gradients need a float tensor and {quoted(info.name)} is {info.dtype}",
                path,
                hint=way_out(self.encoded, self.dialect, of=feature.name),
                severity=None if self.method else Severity.WARNING,
            )

    @cached_property
    def in_records(self) -> Mapping[str, tuple[str, RecordFeature]]:
        """The features that are explained in the record that they are parsed of."""
        return in_records(self.metadata, self.meta_graph, self.signature)

    @cached_property
    def encoded(self) -> Mapping[str, EncodedTensor]:
        """The tensors behind the inputs that no gradient reaches."""
        return encodings_of(self.metadata, self.meta_graph, self.signature)

    def image(self, info: TensorInfo | None, path: Path) -> None:
        if info is None or info.shape is None or info.dtype == "string":
            return
        shape = info.shape
        channels = len(shape) == 4 and (shape[3] in (None, 1, 3) or shape[1] in (1, 3))
        if len(shape) == 3 or channels:
            return
        message = (
            "an image is [batch, height, width], [batch, height, width, 1 or 3] or [batch, 1 or "
            f"3, height, width] and {quoted(info.name)} is {shape_text(shape)}"
        )
        self.find("MD104", message, self.at(path, "modality"))

    def series(self, info: TensorInfo | None, path: Path) -> None:
        if info is not None and info.shape is not None and len(info.shape) not in (2, 3):
            message = (
                "a series is [batch, time] or [batch, time, channels] and "
                f"{quoted(info.name)} is {shape_text(info.shape)}"
            )
            self.find("MD115", message, self.at(path, "modality"))

    def domain(
        self, domain: Domain, modality: Modality, info: TensorInfo | None, path: Path
    ) -> None:
        """A domain tells what pictures are scaled to, and so does what the graph does to them."""
        keys = [] if info is None else [k for k, it in self.signature.inputs.items() if it == info]
        flat = info is not None and info.shape is not None and len(info.shape) < 4
        if not keys or (flat and modality is not Modality.IMAGE):
            return
        found = find_pixels(self.meta_graph, self.signature, keys[0], self.directory)
        span = graph_range(found)
        if found is None or span is None or same_range(domain.range, span):
            return
        if info is not None and info.dtype not in FLOAT_TYPES and domain.minimum is None:
            return  # bytes are not standardized before they come
        message = f"pixels are {range_text(*domain.range)} here, and in the graph {found.reason}"
        low, high = (f"{round(it, 3):g}" for it in span)
        self.find(PIXELS, message, path, hint=f"write {low} and {high}, or leave the domain out")

    def baselines(self, baselines: Sequence[Baseline], info: TensorInfo | None, path: Path) -> None:
        for place, baseline in enumerate(baselines):
            here = (*path, place)
            if isinstance(baseline, FileBaseline) and self.leads_out(baseline.path):
                message = f"the file '{baseline.path}' is a link that leads out of the directory"
                self.find(OUTSIDE, message, here, hint="put the file there")
                continue
            if isinstance(baseline, FileBaseline) and not FilePath(baseline.path).is_file():
                # A path is written in full, however long it is.
                message = f"the file '{baseline.path}' does not exist"
                self.find("MD110", message, here)
            if not isinstance(baseline, ValueBaseline) or info is None:
                continue
            shape, word = _shape_of(baseline.value)
            if info.dtype != "unknown" and word != (info.dtype == "string"):
                what = "text" if word else "a number"
                message = f"is {what} and {quoted(info.name)} is {info.dtype}"
                self.find("MD111", message, here)
            if info.shape is not None and shape and not _fits(shape, info.shape):
                message = (
                    f"has shape {shape_text(shape)} and {quoted(info.name)} is "
                    f"{shape_text(info.shape)}"
                )
                hint = "write that shape without or with the batch axis, or one number"
                self.find("MD105", message, here, hint=hint)

    def leads_out(self, path: str) -> bool:
        """Whether a file that is named as one beside the document lies elsewhere."""
        home = FilePath(self.file).absolute().parent if self.file else None
        if home is None or not FilePath(os.path.normpath(path)).is_relative_to(home):
            return False
        return not FilePath(path).resolve().is_relative_to(home.resolve())

    def feature_names(self, feature: InputSpec, info: TensorInfo | None, path: Path) -> None:
        names = feature.index_feature_mapping
        # The values of a sparse tensor have no feature axis.
        if names is None or info is None or feature.indices_tensor_name is not None:
            return
        length = info.shape[-1] if info.shape and len(info.shape) > 1 else None
        if length is not None and length != len(names):
            message = f"has {len(names)} names, the last axis of {quoted(info.name)} has {length}"
            self.find("MD106", message, self.at(path, "index_feature_mapping"))

    def output(self, output: OutputSpec) -> None:
        path: Path = ("outputs", output.name)
        name = output.tensor_name or self.key(output.name)
        info = self.resolve(path, "output_tensor_name", name, "output")
        if info is not None and info.dtype not in (*FLOAT_TYPES, "unknown"):
            floats = [key for key, it in self.signature.outputs.items() if it.dtype in FLOAT_TYPES]
            other = ", ".join(quoted(key) for key in floats)
            message = f"{quoted(info.name)} is {info.dtype}, not a float score"
            hint = f"explain {other or 'a score or a probability'}"
            self.find("MD108", message, self.at(path, "output_tensor_name"), hint=hint)
        if output.index_name_mapping is not None and info is not None and info.shape is not None:
            self.output_names(output.index_name_mapping, info, path)
        key = output.index_name_mapping_key
        if key is not None and key not in self.signature.outputs:
            known = list(self.signature.outputs)
            listed = meant(key, known) or f"it has {', '.join(quoted(it) for it in known)}"
            message = f"{quoted(key)} is not an output of {quoted(self.signature.key)}"
            self.find("MD109", message, self.at(path, "index_name_mapping_key"), hint=listed)

    def output_names(self, names: Nested, info: TensorInfo, path: Path) -> None:
        shape, _ = _shape_of(names)
        wanted = info.shape[1:] if info.shape else ()
        scalar = not wanted and shape == (1,)
        same = len(shape) == len(wanted) and _agree(shape, wanted)
        if not (same or scalar) or _is_ragged(names):
            message = (
                f"has shape {shape_text(shape)}, one instance of {quoted(info.name)} is "
                f"{shape_text(wanted)}"
            )
            here = self.at(path, "index_name_mapping")
            self.find("MD107", message, here, hint="write a name for each index")


def shape_text(shape: Shape) -> str:
    """Return a shape for people: ``[?, 28, 28]``."""
    if shape is None:
        return "of unknown rank"
    return "[" + ", ".join("?" if it is None else str(it) for it in shape) + "]"


def _shape_of(value: Nested) -> tuple[tuple[int, ...], bool]:
    """Return the shape of nested tuples, by their first items, and whether they hold text."""
    shape: list[int] = []
    while isinstance(value, tuple):
        shape.append(len(value))
        if not value:
            return tuple(shape), False
        value = value[0]
    return tuple(shape), isinstance(value, str)


def _is_ragged(value: Nested) -> bool:
    if not isinstance(value, tuple):
        return False
    return len({_shape_of(it)[0] for it in value}) > 1 or any(_is_ragged(it) for it in value)


def _agree(shape: Sequence[int], wanted: Sequence[int | None]) -> bool:
    return all(free is None or free == it for it, free in zip(shape, wanted, strict=True))


def _fits(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    if len(shape) == len(wanted):
        return (shape[0] == 1 or shape[0] == wanted[0]) and _agree(shape[1:], wanted[1:])
    return len(shape) == len(wanted) - 1 and _agree(shape, wanted[1:])
