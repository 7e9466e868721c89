"""`load`: from a model directory to something that explains; what the commands call, too.

```python
import pellucid

model = pellucid.load("sample_models/diabetes/model")
explanations = model.explain([[59.0, 2.0, 32.1, 101.0, 157.0, 93.2, 38.0, 4.0, 4.8598, 87.0]])
explanations[0].labels[0].features  # {"age": array([…]), "sex": array([…]), …}
explanations.json()  # the response, as the services wrote it
```
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from warnings import warn as warn_of

import numpy as np

from pellucid.api.class_names import with_class_names
from pellucid.api.explanations import Explanations
from pellucid.api.keras import saved_directory
from pellucid.errors import InstanceError, OutputError, SpecError
from pellucid.examples import EXTRAS, INDEX_FILE, ExampleIndex, ExampleSearch, id_of, read_examples
from pellucid.explain import Explainer, Explanation
from pellucid.inputs import InputInfo, Instance, read_request, stack
from pellucid.linter import check, infer_metadata, refuse_unsafe
from pellucid.metadata import (
    METADATA_FILE,
    CallSettings,
    ExampleModality,
    Examples,
    ExplanationMetadata,
    ExplanationParameters,
    OutputSpec,
    Query,
    Visualization,
    as_kserve,
    call_settings,
    with_kserve_keys,
    with_settings,
)
from pellucid.metadata.documents import (
    overridden,
    raise_errors,
    read_document,
    read_parameters_file,
)
from pellucid.model import Array
from pellucid.notices import Hint, Notice, Warn, Where
from pellucid.saved_model import MetaGraph, Signature, choose_signature, read, resolve_tensor

if TYPE_CHECKING:
    from pellucid.runtime import Compiler


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A SavedModel that is ready to explain.

    `inputs` are what an instance has to give; `inferred` tells that the metadata were.
    """

    directory: Path
    inputs: tuple[InputInfo, ...]
    explainer: Explainer
    signature: str
    inferred: bool
    compiler: Compiler = field(repr=False)
    warn: Warn = field(repr=False)

    @property
    def metadata(self) -> ExplanationMetadata:
        return self.explainer.metadata

    @property
    def parameters(self) -> ExplanationParameters:
        return self.explainer.parameters

    @property
    def extras(self) -> tuple[str, ...]:
        """What an instance may have beside its inputs: as examples do, an id."""
        return EXTRAS if isinstance(self.parameters.method, Examples) else ()

    def explain(self, instances: Any, **options: Any) -> Explanations:
        """Return an explanation for each instance.

        `instances` is a list as in a request (values, nested lists, objects keyed by input, or
        numpy arrays), one array [n, …] for a model with a single input, a mapping of inputs to
        arrays [n, …], or `Instance` records from `pellucid.inputs`. `options` are those of
        `configured`, for this call. Raises InstanceError for an instance that does not fit, and
        NotDifferentiableError for a model that gradients cannot explain.
        """
        if options:
            return self.configured(**options).explain(instances)
        if isinstance(self.parameters.method, Examples):
            self.search.opened(self.parameters.method)  # what is wrong is said before it runs
        records = self._records(instances, self.extras)
        items: list[Explanation | None] = [None] * len(records)
        for places in _same_shapes(records):
            group = [records[i] for i in places]
            request = stack(group, self.inputs)
            for i, explanation in zip(
                places, self.explainer.explain(request, [r.index for r in group]), strict=True
            ):
                items[i] = explanation
        found = tuple(item for item in items if item is not None)
        for record, explanation in zip(records, found, strict=True):
            for notice in (*record.notes, *explanation.warnings):
                self.warn(notice.at(record.where))
        return Explanations(found, tuple(records), self.metadata, self.parameters)

    def predict(self, instances: Any) -> list[Array | dict[str, Array]]:
        """Return what the model says of each instance, without an explanation.

        That is the value of its signature's output, or of all of them by name. `instances` are as
        in `explain`. Raises InstanceError and ModelError.
        """
        records = self._records(instances)
        said: list[Array | dict[str, Array]] = [{}] * len(records)
        for places in _same_shapes(records):
            group = [records[i] for i in places]
            outputs = self.compiler.signature_outputs(stack(group, self.inputs))
            for row, i in enumerate(places):
                found = {name: value[row] for name, value in outputs.items()}
                said[i] = found if len(found) > 1 else next(iter(found.values()))
        return said

    def configured(
        self,
        *,
        parameters: ExplanationParameters | None = None,
        visualization: Visualization | None = None,
        seed: int | None = None,
        **settings: Any,
    ) -> LoadedModel:
        """Return the same model, loaded and compiled, explained in another way.

        `settings` are those of `pellucid.metadata.CallSettings`: `method`, `steps`, `tolerance`,
        `top_k` and others. They change `parameters`, by default those that it had;
        `visualization` takes the place of that of the metadata; `seed` is the random seed.
        """
        chosen = with_settings(parameters or self.parameters, call_settings(settings))
        metadata = self.metadata
        if visualization is not None:
            inputs = (replace(i, visualization=visualization) for i in metadata.inputs)
            metadata = replace(metadata, inputs=tuple(inputs))
        explainer = replace(
            self.explainer,
            model=self.compiler.model(gradients=chosen.method.uses_gradients),
            parameters=chosen,
            metadata=metadata,
            seed=self.explainer.seed if seed is None else seed,
        )
        return replace(self, explainer=explainer)

    def index(
        self,
        examples: Any = None,
        path: str | Path | None = None,
        *,
        latent: str | None = None,
        modality: str | ExampleModality | None = None,
        query: str | Query | None = None,
        force: bool = False,
        on_error: Callable[[InstanceError], None] | None = None,
        on_read: Callable[[], None] = lambda: None,
    ) -> ExampleIndex:
        """Write an index of examples, by which ``method="examples"`` explains, and open it.

        `examples` is the path of a file or folder, a list of `Path` objects, or instances as
        `explain` takes, whose ids are their places; by default the files that the metadata name.
        `path` is by default ``examples.npz`` in the model's directory. `latent` names a tensor, by
        default that of the metadata, or the input of the last layer. `modality` (``image``,
        ``text`` or ``tabular``) is a preset of distance and normalization; with `query` ``fast``
        approximate searches are possible, too. An example that does not fit is passed to
        `on_error`, or raised; `on_read` is called for each that was read. Raises InstanceError,
        SpecError, ModelError, OutputError, DependencyError.
        """
        method = self.parameters.method
        wanted = method if isinstance(method, Examples) else Examples()
        place = Path(path) if path is not None else self.directory / INDEX_FILE
        wanted = replace(wanted, index=str(place))
        if query is not None:
            wanted = replace(wanted, query=Query(query))
        if modality is not None:
            preset = ExampleModality(modality)
            wanted = replace(wanted, modality=preset, distance=None, normalization=None)
        if place.exists() and not force:
            hint = Hint("add {force:True} to overwrite it")
            raise OutputError("exists", where=Where(file=str(place)), hint=hint)
        if examples is None:
            examples = [Path(source) for source in wanted.sources]
        found = self._examples(examples, on_error)

        def read() -> Iterator[tuple[str, Instance]]:
            for example in found:
                on_read()
                yield example

        return self.search.make(read(), wanted, latent=latent, on_error=on_error)

    @property
    def search(self) -> ExampleSearch:
        """What finds neighbours among examples."""
        assert self.explainer.examples is not None, "every loaded model has one"
        return self.explainer.examples

    def _examples(
        self, examples: Any, on_error: Callable[[InstanceError], None] | None
    ) -> Iterator[tuple[str, Instance]]:
        if isinstance(examples, str | Path):
            examples = [Path(examples)]
        if isinstance(examples, list) and all(isinstance(it, Path) for it in examples):
            if not examples:
                raise SpecError("there are no examples", hint="name a file or a folder of them")
            return read_examples(examples, self.inputs, on_error=on_error, warn=self.warn)
        records = self._records(examples, EXTRAS)
        return ((id_of(r, r.source or str(r.index), several=False), r) for r in records)

    def requested(self, request: Mapping[str, object]) -> LoadedModel:
        """Return the same model with the settings that a request brings beside its instances.

        They are ``explanationSpecOverride`` (Vertex) and, for LIME, the keys of KServe's explainer;
        `request` may hold others. Raises SpecError.
        """
        signature = request.get("signature_name")
        if signature not in (None, "", self.signature):
            raise SpecError(
                f"'{signature}' is not what is explained here, '{self.signature}'",
                where=Where(path="signature_name"),
                hint=Hint("load the model with {signature:{key}}", key=signature),
            )
        metadata, parameters = overridden(self.metadata, self.parameters, request)
        parameters = with_kserve_keys(request, parameters, self.warn)
        if metadata is self.metadata and parameters is self.parameters:
            return self
        return replace(
            self, explainer=replace(self.explainer, metadata=metadata, parameters=parameters)
        )

    def as_kserve(self) -> LoadedModel:
        """Return the same model as KServe's explainer had it: LIME of the ``top_labels`` best.

        Another method gives way to it; LIME's own settings, and outputs that were chosen, stay.
        """
        return self.configured(parameters=as_kserve(self.parameters))

    def _records(self, instances: Any, extras: Collection[str] = ()) -> list[Instance]:
        if isinstance(instances, np.ndarray):
            instances = list(instances)
        if isinstance(instances, Mapping):
            columns = {name: np.asarray(value) for name, value in instances.items()}
            lengths = {len(c) for c in columns.values() if c.ndim}
            if len(lengths) != 1 or any(not c.ndim for c in columns.values()):
                raise InstanceError(
                    "a mapping of inputs to arrays needs the same number of rows in each",
                    hint="for one instance, give a list of one object",
                )
            instances = [{k: c[i] for k, c in columns.items()} for i in range(lengths.pop())]
        items = list(instances)
        records = [item for item in items if isinstance(item, Instance)]
        if records and len(records) == len(items):
            return records
        request = read_request({"instances": items}, self.inputs, extras=extras)
        return list(request.instances)


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
    warn: Warn | None = None,
    **options: Any,
) -> LoadedModel:
    """Load a SavedModel directory and its metadata, ready to explain.

    `model_dir` is the path of a directory, of a ``.keras`` or ``.h5`` file, or a Keras model; the
    latter are exported, files once, into a cache.
    `metadata` is a file of either dialect, by default the ``explanation_metadata.json`` beside
    ``saved_model.pb``; without one the metadata are inferred from the signature. `spec` is a file
    with parameters (an ExplanationSpec or ExplanationParameters). `signature` and `tags` choose
    among several; `output` is the key or tensor to explain, `class_names` a file of names for its
    classes, or names with commas between them; `logits` takes the score before its
    softmax or sigmoid; `device` is ``auto``, ``cpu``, ``gpu`` or ``gpu:n``. `parallel_batches` is
    how many blocks of rows are computed at a time on a CPU, by a thread each: faster, as the
    commands are, but the first model that is loaded so leaves a single thread to each operation of
    TensorFlow in this process.
    A model that touches more than tensors (files, the network, Python) is refused unless
    `allow_unsafe_ops`.
    `options` are those of `LoadedModel.configured`. `warn` is called with a message for what is not
    an error, ``str(message)`` being its sentence; by default it becomes a Python warning. Raises
    ModelError, SpecError, NotDifferentiableError, UnsafeModelError, DependencyError.
    """
    say = warn or (lambda message: warn_of(str(message), stacklevel=3))
    saved = read(saved_directory(model_dir, say, allow_code=allow_unsafe_ops))
    document, parameters, file = read_document(saved.directory, metadata, say)
    tags = tags or (document.tags if document is not None else None)
    meta_graph = saved.meta_graph(tags)
    chosen = choose_signature(
        meta_graph, signature or (document.signature_key if document is not None else None)
    )
    inferred = document is None
    if document is None:
        # A tensor that is no output of the signature takes the place of any of them below.
        known = output if output is None or output in chosen.outputs else min(chosen.outputs)
        document = infer_metadata(chosen, known)
        names = ", ".join(f"'{i.name}'" for i in document.inputs)
        what = (
            f"no {METADATA_FILE}; inferred from signature '{chosen.key}': inputs {names}, "
            f"output '{output or document.output.name}'"
        )
        say(Notice(what, Where(file=str(saved.directory))))
    if output is not None and output != document.output.name:
        resolve_tensor(meta_graph, chosen, output, role="output")  # or say what there is instead
        document = replace(document, output=OutputSpec(name=output, tensor_name=output))
    document = with_class_names(document, meta_graph, chosen, saved.directory, class_names, say)
    if spec is not None:
        parameters = read_parameters_file(Path(spec), say)
    if parameters is not None and isinstance(parameters.method, Examples):
        # What the service took for the latent space: the output that the metadata name.
        source = document.latent_space_source or document.output.tensor_name
        document = replace(document, latent_space_source=source or document.output.name)
    if "method" in options:
        # Whether an input has to be differentiable depends on it.
        method = CallSettings(method=options["method"])
        parameters = with_settings(parameters or ExplanationParameters(), method)
    if not inferred:
        problems, _ = check(
            document, saved, chosen.key, tags, parameters=parameters, file=str(file)
        )
        raise_errors(problems, say)
    if not allow_unsafe_ops:
        refuse_unsafe(meta_graph, chosen, _tensors(document, meta_graph, chosen), saved.directory)
    from pellucid.runtime import Compiler

    compiler = Compiler(
        saved.directory, meta_graph, chosen, document, device, logits, parallel_batches
    )
    chosen_parameters = parameters or ExplanationParameters()
    explainer = Explainer(
        model=compiler.model(gradients=chosen_parameters.method.uses_gradients),
        metadata=document,
        parameters=chosen_parameters,
        input_keys=compiler.input_keys,
        companions=compiler.companions,
        explicit=not inferred,
        examples=ExampleSearch(saved.directory, chosen.key, compiler.inputs, compiler),
    )
    loaded = LoadedModel(
        directory=saved.directory,
        inputs=compiler.inputs,
        explainer=explainer,
        signature=chosen.key,
        inferred=inferred,
        compiler=compiler,
        warn=say,
    )
    return loaded.configured(**options) if options else loaded


def _tensors(
    document: ExplanationMetadata, meta_graph: MetaGraph, signature: Signature
) -> list[str]:
    """Return the tensors that explaining asks for, by their flat names."""
    output = document.output
    names = [it.tensor_name or it.name for it in document.inputs]
    names += [it.encoded_tensor_name for it in document.inputs if it.encoded_tensor_name]
    found = [resolve_tensor(meta_graph, signature, it, role="input").tensor for it in names]
    written = output.tensor_name or output.name
    return [*found, resolve_tensor(meta_graph, signature, written, role="output").tensor]


def _same_shapes(records: Sequence[Instance]) -> Iterator[list[int]]:
    """Yield the places of instances whose tensors agree in shape, so that they can be stacked."""
    groups: dict[tuple[tuple[int, ...], ...], list[int]] = {}
    for place, record in enumerate(records):
        shape = tuple(record.tensors[name].shape for name in sorted(record.tensors))
        groups.setdefault(shape, []).append(place)
    yield from groups.values()
