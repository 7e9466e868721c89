"""`load`: from a model directory to something that explains.

```python
import pellucid

model = pellucid.load("sample_models/diabetes/model")
explanations = model.explain([[59.0, 2.0, 32.1, 101.0, 157.0, 93.2, 38.0, 4.0, 4.8598, 87.0]])
explanations[0].labels[0].features  # {"age": array([…]), "sex": array([…]), …}
explanations.json()  # the response, as the services wrote it
```
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from warnings import warn as warn_of

from pellucid.api.class_names import with_class_names
from pellucid.api.default_method import default_parameters, for_predictor
from pellucid.api.feature_names import with_feature_names
from pellucid.api.keras import saved_directory
from pellucid.api.loaded_model import LoadedModel
from pellucid.api.predicting import fingerprint_of, remote_compiler, saved_model_of
from pellucid.api.tables import TableSettings
from pellucid.examples import ExampleSearch
from pellucid.explain import Explainer, PixelWatch
from pellucid.inputs import Missing
from pellucid.linter import (
    PIXELS,
    assume_pixels,
    check,
    infer_metadata,
    refuse_ragged,
    refuse_unfed,
    refuse_unsafe,
    series_notices,
    with_embeddings,
)
from pellucid.metadata import (
    METADATA_FILE,
    AssumedPixels,
    CallSettings,
    Examples,
    ExplainOptions,
    ExplanationMetadata,
    ExplanationParameters,
    OutputSpec,
    PixelSettings,
    given_settings,
    with_settings,
)
from pellucid.metadata.documents import raise_errors, read_document, read_parameters_file
from pellucid.notices import Message, Notice, Warn, Where
from pellucid.predictor import Predictor, PredictorSettings, restored
from pellucid.remote import Map, mapped
from pellucid.saved_model import (
    MetaGraph,
    SavedModelFile,
    Signature,
    choose_signature,
    fingerprint,
    read,
    resolve_tensor,
)

if TYPE_CHECKING:
    from pellucid.api.predicting import AnyCompiler


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """What is loaded of a model, and how it is explained.

    `metadata` is a file of either dialect, by default the ``explanation_metadata.json`` beside
    ``saved_model.pb``; without one the metadata are inferred from the signature. `spec` is a file
    with parameters (an ExplanationSpec or ExplanationParameters). `signature` and `tags` choose
    among several; `output` is the key or tensor to explain, `class_names` a file of names for its
    classes, or names with commas between them; `logits` takes the score before its softmax or
    sigmoid; `device` is ``auto``, ``cpu``, ``gpu`` or ``gpu:n``. `parallel_batches` is how many
    blocks of rows are computed at a time on a CPU, by a thread each: faster, as the commands are,
    but the first model that is loaded so leaves a single thread to each operation of TensorFlow in
    this process. A model that touches more than tensors (files, the network, Python) is refused
    unless `allow_unsafe_ops`. `pixels` is what the model takes for a picture where neither its
    metadata nor its graph say so, or are wrong; `tables` is how tables are read. `feature_names`
    are those of the channels of a series, or of the elements of a vector: a file, or names. With a
    `predictor`, the model is run by somebody else, who is asked for predictions over HTTP. `maps`
    are directories that stand for addresses, where the metadata name files.
    """

    metadata: str | Path | None = None
    spec: str | Path | None = None
    signature: str | None = None
    tags: Sequence[str] | None = None
    output: str | None = None
    class_names: str | None = None
    logits: bool = False
    device: str = "auto"
    parallel_batches: int = 1
    allow_unsafe_ops: bool = False
    pixels: PixelSettings = PixelSettings()
    tables: TableSettings = TableSettings()
    feature_names: str | Sequence[str] | None = None
    predictor: PredictorSettings = PredictorSettings()
    maps: Sequence[Map] = ()
    explain: ExplainOptions = ExplainOptions()


def load(
    model_dir: Any,
    *,
    metadata: str | Path | None = None,
    spec: str | Path | None = None,
    signature: str | None = None,
    tags: Sequence[str] | None = None,
    output: str | None = None,
    class_names: str | None = None,
    logits: bool = False,
    device: str = "auto",
    parallel_batches: int = 1,
    allow_unsafe_ops: bool = False,
    pixels: str | PixelSettings = PixelSettings(),
    ignore_columns: str | Sequence[str] = (),
    id_column: str | None = None,
    missing: str | Missing = Missing.REFUSE,
    time_column: str | None = None,
    keep_columns: str | Sequence[str] = (),
    feature_names: str | Sequence[str] | None = None,
    predictor: str | PredictorSettings = PredictorSettings(),
    progress: bool | None = None,
    warn: Warn | None = None,
    note: Warn | None = None,
    **options: Any,
) -> LoadedModel:
    """Load a SavedModel directory and its metadata, ready to explain.

    `model_dir` is a directory, a ``.keras`` or ``.h5`` file, or a Keras model; the latter are
    exported, files once, into a cache. With a `predictor`, an address such as
    ``http://host/v2/models/NAME``, that is asked for predictions, and the address may stand in the
    place of `model_dir`, too. `LoadOptions`, `TableSettings` and `LoadedModel.configured`, for
    `options`, tell what may be chosen; `pixels` may be text: ``0..255``, ``bgr``, or several with
    commas; `progress` is that of `LoadedModel.explain`. `warn` hears what is no error, by default
    as a Python warning, `note` what is assumed. Raises ModelError, SpecError, PredictorError,
    NotDifferentiableError, UnsafeModelError, DependencyError.
    """
    chosen = LoadOptions(
        metadata=metadata, spec=spec, signature=signature, tags=tags, output=output,
        class_names=class_names, logits=logits, device=device, parallel_batches=parallel_batches,
        allow_unsafe_ops=allow_unsafe_ops,
        pixels=PixelSettings.parse(pixels) if isinstance(pixels, str) else pixels,
        tables=TableSettings.of(ignore_columns, id_column, missing, time_column, keep_columns),
        feature_names=feature_names,
        predictor=PredictorSettings(url=predictor) if isinstance(predictor, str) else predictor,
        explain=ExplainOptions.of(**options),
    )  # fmt: skip
    return replace(load_model(model_dir, chosen, warn, note), progress=progress)


def load_model(
    model_dir: Any, options: LoadOptions, warn: Warn | None = None, note: Warn | None = None
) -> LoadedModel:
    """Load a model as `load` does, with its options as a record."""
    say = warn or _python_warning
    heard = note or (lambda message: None)
    predictor = options.predictor.of(model_dir, logits=options.logits)
    saved = None if predictor is None else saved_model_of(model_dir, predictor)
    if saved is None:
        directory = saved_directory(model_dir, say, allow_code=options.allow_unsafe_ops, note=heard)
        saved = read(directory, trusted=options.allow_unsafe_ops)
    described = _described(saved, predictor, options, say)
    _check(described, options, say)
    loaded = _compiled(described, options, say, heard)
    for choice in described.choices:  # a model that cannot be loaded has no method either
        say(choice)
    for taken in series_notices(loaded.metadata, described.signature) if loaded.inferred else ():
        heard(taken)
    settings = given_settings(options.explain.settings)  # arrays among them have no equal
    if settings or replace(options.explain, settings=CallSettings()) != ExplainOptions():
        return loaded.configured(options.explain)
    loaded.say_noise()
    return loaded


@dataclass(frozen=True, slots=True, kw_only=True)
class _Described:
    """A model and what is said of it, in `file` or, where it is `inferred`, by its signature.

    `choices` is to be said of what was chosen, once the model is loaded.
    """

    saved: SavedModelFile
    tags: Sequence[str] | None
    meta_graph: MetaGraph
    signature: Signature
    metadata: ExplanationMetadata
    parameters: ExplanationParameters | None
    file: Path
    inferred: bool
    predictor: Predictor | None
    choices: Sequence[Message] = ()


def _described(
    saved: SavedModelFile, predictor: Predictor | None, options: LoadOptions, say: Warn
) -> _Described:
    document, parameters, file = read_document(saved.directory, options.metadata, say)
    tags = options.tags or (document.tags if document is not None else None)
    meta_graph = saved.meta_graph(tags)
    key = options.signature or (document.signature_key if document is not None else None)
    signature = choose_signature(meta_graph, key)
    if options.spec is not None:
        parameters = read_parameters_file(Path(options.spec), say)
    inferred = document is None
    if document is None:
        document = _inferred(saved.directory, meta_graph, signature, options.output, say)
    metadata = replace(document, latent_space_source=document.latent_tensor_name)
    metadata = _with_output(metadata, meta_graph, signature, options.output)
    if inferred:
        metadata = with_embeddings(metadata, meta_graph, signature)
    choices: list[Message] = []
    if predictor is not None:
        parameters = for_predictor(
            predictor, metadata, meta_graph, signature, parameters, options.explain, choices.append
        )
    elif inferred and parameters is None:
        parameters = default_parameters(
            metadata, meta_graph, signature, options.explain, choices.append
        )
    names = options.class_names
    metadata = with_class_names(metadata, meta_graph, signature, saved.directory, names, say)
    metadata = with_feature_names(metadata, meta_graph, signature, options.feature_names)
    if parameters is not None and isinstance(parameters.method, Examples):
        # What the service took for the latent space: the output that the metadata name.
        source = metadata.latent_space_source or metadata.output.tensor_name
        metadata = replace(metadata, latent_space_source=source or metadata.output.name)
        parameters = _mapped(parameters, parameters.method, options.maps)
    method = options.explain.settings.method
    if method is not None:  # whether an input has to be differentiable depends on it
        before = parameters or ExplanationParameters()
        parameters = with_settings(before, CallSettings(method=method))
    return _Described(
        saved=saved,
        tags=tags,
        meta_graph=meta_graph,
        signature=signature,
        metadata=metadata,
        parameters=parameters,
        file=file,
        inferred=inferred,
        predictor=predictor,
        choices=choices,
    )


def _mapped(
    parameters: ExplanationParameters, method: Examples, maps: Sequence[Map]
) -> ExplanationParameters:
    """Return parameters whose files of examples are where they lie on this machine."""
    sources = tuple(mapped(it, maps) for it in method.sources)
    return replace(parameters, method=replace(method, sources=sources))


def _inferred(
    directory: Path, meta_graph: MetaGraph, signature: Signature, output: str | None, say: Warn
) -> ExplanationMetadata:
    # A tensor that is no output of the signature takes the place of any of them afterwards.
    known = output if output is None or output in signature.outputs else min(signature.outputs)
    document = infer_metadata(signature, known, meta_graph)
    names = ", ".join(f"'{it.name}'" for it in document.inputs)
    what = (
        f"no {METADATA_FILE}; inferred from signature '{signature.key}': inputs {names}, "
        f"output '{output or document.output.name}'"
    )
    say(Notice(what, Where(file=restored(directory))))
    return document


def _with_output(
    document: ExplanationMetadata, meta_graph: MetaGraph, signature: Signature, output: str | None
) -> ExplanationMetadata:
    if output is None:
        return document
    written = [it for it in document.outputs if it.name == output]
    if written:
        return document.explaining(written)
    resolve_tensor(meta_graph, signature, output, role="output")  # or say what there is instead
    return document.explaining([OutputSpec(name=output, tensor_name=output)])


def _check(described: _Described, options: LoadOptions, say: Warn) -> None:
    """Raise SpecError where the metadata do not fit the model, and UnsafeModelError."""
    it = described
    refuse_ragged(it.meta_graph, it.signature, it.saved.directory)
    if not it.inferred:
        problems, _ = check(
            it.metadata,
            it.saved,
            it.signature.key,
            it.tags,
            parameters=it.parameters,
            file=str(it.file),
        )
        if options.pixels.low is not None:  # which takes the place of the domain
            problems = tuple(it for it in problems if it.code != PIXELS)
        raise_errors(problems, say)
    tensors = _tensors(it.metadata, it.meta_graph, it.signature)
    if not it.inferred:
        refuse_unfed(it.metadata, it.meta_graph, it.signature, tensors, it.file)
    if not options.allow_unsafe_ops and it.predictor is None:
        refuse_unsafe(it.meta_graph, it.signature, tensors, it.saved.directory)


def _compiled(described: _Described, options: LoadOptions, say: Warn, note: Warn) -> LoadedModel:
    directory, signature = described.saved.directory, described.signature
    metadata, assumed = assume_pixels(
        described.metadata, described.saved, described.meta_graph, signature, options.pixels
    )
    if options.pixels != PixelSettings() and not assumed:
        say(Notice("no input of the model takes a picture as numbers, whatever pixels are"))
    compiler = _compiler(described, metadata, assumed, options)
    parameters = described.parameters or ExplanationParameters()
    search = ExampleSearch(directory, signature.key, compiler.inputs, compiler)
    explainers = [
        Explainer(
            model=compiler.of(output).model(gradients=parameters.method.uses_gradients),
            metadata=metadata.explaining([output]),
            parameters=parameters,
            input_keys=compiler.input_keys,
            companions=compiler.companions,
            records=compiler.records.lists,
            explicit=not described.inferred,
            examples=search,
            tokens=compiler.token_reader,
        )
        for output in metadata.outputs
    ]
    return LoadedModel(
        directory=directory,
        inputs=compiler.inputs,
        explainers=tuple(explainers),
        signature=signature.key,
        inferred=described.inferred,
        compiler=compiler,
        pixels=PixelWatch(assumed, note, say),
        warn=say,
        tables=options.tables,
        fingerprint=(
            fingerprint(directory)
            if described.predictor is None
            else fingerprint_of(described.predictor, described.meta_graph)
        ),
    ).with_inputs()


def _compiler(
    described: _Described,
    metadata: ExplanationMetadata,
    assumed: tuple[AssumedPixels, ...],
    options: LoadOptions,
) -> AnyCompiler:
    """Return what runs the model: TensorFlow here, or a predictor."""
    it = described
    if it.predictor is not None:
        return remote_compiler(it.predictor, it.meta_graph, it.signature, metadata, assumed)
    from pellucid.runtime import Compiler

    return Compiler(
        it.saved.directory, it.meta_graph, it.signature, metadata, options.device, options.logits,
        options.parallel_batches, assumed, it.inferred, options.allow_unsafe_ops,
        frozenset(_tensors(metadata, it.meta_graph, it.signature)),
        contrasting=options.explain.settings.why_not is not None,  # or it would be compiled twice
    )  # fmt: skip


def _tensors(
    document: ExplanationMetadata, meta_graph: MetaGraph, signature: Signature
) -> list[str]:
    """Return the tensors that explaining asks for, by their flat names."""
    names = [it.tensor_name or it.name for it in document.inputs]
    names += [it.encoded_tensor_name for it in document.inputs if it.encoded_tensor_name]
    found = [resolve_tensor(meta_graph, signature, it, role="input").tensor for it in names]
    asked = [it.tensor_name or it.name for it in document.outputs]
    found += [resolve_tensor(meta_graph, signature, it, role="output").tensor for it in asked]
    return found


def _python_warning(message: Message) -> None:
    """Warn at the line that called the library, however deep in it this is."""
    level, frame = 1, sys._getframe(0)
    while frame.f_back is not None and frame.f_globals["__name__"].partition(".")[0] == "pellucid":
        level, frame = level + 1, frame.f_back
    warn_of(str(message), stacklevel=level)
