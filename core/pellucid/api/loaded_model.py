"""A model that is ready to explain; what the commands call, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid.api.calls import Call, block_size, naming, progress_bar, records_of
from pellucid.api.default_method import check_asked
from pellucid.api.explanations import Explanations
from pellucid.api.provenance import provenance_of
from pellucid.api.tables import TableSettings, described_inputs, named_after
from pellucid.errors import InstanceError, OutputError, SpecError, refuse_remote
from pellucid.examples import EXTRAS, INDEX_FILE, ExampleIndex, ExampleSearch, id_of, read_examples
from pellucid.explain import (
    MIXED_ROWS,
    Explainer,
    PixelWatch,
    choose_baseline,
    noise_chosen,
    noise_warnings,
    without_blur,
)
from pellucid.inputs import Beside, InputInfo, Instance, Missing, same_shapes, stack
from pellucid.metadata import (
    ExampleModality,
    Examples,
    ExplainOptions,
    ExplanationMetadata,
    ExplanationParameters,
    Query,
    as_kserve,
    with_kserve_keys,
    with_settings,
)
from pellucid.metadata.documents import overridden
from pellucid.model import Array
from pellucid.notices import Hint, Notice, Warn, Where
from pellucid.predictor import restored

if TYPE_CHECKING:
    from pellucid.api.judging import BaselineAdvice
    from pellucid.api.predicting import AnyCompiler
    from pellucid.evaluate import Evaluation

_PRINTED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A SavedModel that is ready to explain.

    `inputs` are what an instance has to give; `explainers` explain an output each; `inferred` tells
    that the metadata were; `pixels` knows what pictures are taken to be, `tables` how tables are
    read; `progress` is that of `explain`, where a call does not say; `fingerprint` is the
    SHA-256 of what decides the model's answers.
    """

    directory: Path
    inputs: tuple[InputInfo, ...]
    explainers: tuple[Explainer, ...]
    signature: str
    inferred: bool
    compiler: AnyCompiler = field(repr=False)
    pixels: PixelWatch = field(repr=False)
    warn: Warn = field(repr=False)
    tables: TableSettings = TableSettings()
    progress: bool | None = False
    fingerprint: str = ""

    def __repr__(self) -> str:
        inputs = [f"{it.name!r} {it.wants}" for it in self.inputs[:_PRINTED]]
        outputs = [repr(it.metadata.output.name) for it in self.explainers[:_PRINTED]]
        more = len(self.inputs) - len(inputs)
        return (
            f"LoadedModel({restored(self.directory)!r}, inputs: {', '.join(inputs)}"
            f"{f' and {more:,} more' if more else ''}; {', '.join(outputs)} explained by "
            f"{self.parameters.method.caption(None)})"
        )

    @property
    def explainer(self) -> Explainer:
        """What explains the first output; all others differ in their output alone."""
        return self.explainers[0]

    @property
    def metadata(self) -> ExplanationMetadata:
        return self.explainer.metadata.explaining([it.metadata.output for it in self.explainers])

    @property
    def parameters(self) -> ExplanationParameters:
        return self.explainer.parameters

    @property
    def provenance(self) -> dict[str, Any]:
        """How its explanations are made, as JSON: versions, fingerprints, settings, assumptions."""
        return provenance_of(self)

    @property
    def beside(self) -> Beside:
        """What an instance may have beside its inputs: as examples do, an id."""
        kept = EXTRAS if isinstance(self.parameters.method, Examples) else ()
        return self.tables.beside(kept)

    def explain(
        self,
        instances: Any,
        options: ExplainOptions | None = None,
        *,
        limit: int | None = None,
        progress: bool | None = None,
        **named: Any,
    ) -> Explanations:
        """Return an explanation for each instance.

        `instances` is a list as in a request (values, nested lists, objects keyed by input, or
        numpy arrays), one array [n, …] for a model with a single input, a text or several, a
        DataFrame, columns by the names of inputs or features, batches (a `tf.data.Dataset` or
        whatever yields arrays or dictionaries of them, labels left out), or `Instance` records from
        `pellucid.inputs`. At most `limit` are taken; by default all, and 1,000 of batches, of which
        nobody knows how many there are. `progress` shows a bar or does not; by default it does in
        terminals and notebooks, if it takes several steps. `options`, or those `named`, are those
        of `configured`, for this call. Raises InstanceError for an instance that does not fit, and
        NotDifferentiableError for a model that gradients cannot explain.
        """
        if options is not None or named:
            chosen = self.configured(options, **named)
            return chosen.explain(instances, limit=limit, progress=progress)
        if isinstance(self.parameters.method, Examples):
            self.search.opened(self.parameters.method)  # what is wrong is said before it runs
        records = self._records(instances, limit)
        size = block_size(self.inputs, self.parameters.method)
        wanted = self.progress if progress is None else progress
        with progress_bar(len(records), wanted, several=len(records) > size) as advance:
            found = self._call.explained(records, size, advance)
        metadata = named_after(self.metadata, records)
        return Explanations(found, tuple(records), metadata, self.parameters, self.provenance)

    @property
    def _call(self) -> Call:
        return Call(
            inputs=self.inputs,
            explainers=self.explainers,
            compiler=self.compiler,
            pixels=self.pixels,
            warn=self.warn,
        )

    @property
    def belong_together(self) -> bool:
        """Whether what is said of an instance depends on the others of a call: a mean is taken."""
        return self.takes_mean or self.tables.missing is Missing.MEAN

    @property
    def takes_mean(self) -> bool:
        """Whether the baseline is the mean of the instances of a call, which belong together."""
        return self._call.takes_mean

    def predict(
        self, instances: Any, *, limit: int | None = None
    ) -> list[Array | dict[str, Array]]:
        """Return what the model says of each instance, without an explanation.

        That is the value of its signature's output, or of all of them by name. `instances` and
        `limit` are as in `explain`. Raises InstanceError and ModelError.
        """
        records = self._call.filled(self._records(instances, limit))
        said: list[Array | dict[str, Array]] = [{}] * len(records)
        for places in same_shapes(records):
            group = [records[i] for i in places]
            with naming(group):
                outputs = self.compiler.signature_outputs(stack(group, self.inputs))
            for row, i in enumerate(places):
                found = {name: value[row] for name, value in outputs.items()}
                said[i] = found if len(found) > 1 else next(iter(found.values()))
        if self.compiler.model(gradients=False).mixes_rows:
            self.warn(MIXED_ROWS)
        return said

    def evaluate(
        self,
        instances: Any,
        candidates: Any = (),
        metrics: Any = (),
        *,
        limit: int | None = None,
        **named: Any,
    ) -> Evaluation:
        """Return how good explanations by `candidates` are, beside maps that know nothing of it.

        `instances` and `limit` are as in `explain`; an iterator of `Instance` records is read as it
        is needed. Candidates are methods with settings, ``["ig", "ig:blur=20", "lime"]``, or files
        of named parameters; `pellucid.api.judging.evaluate` tells what else may be `named`. Raises
        InstanceError and SpecError.
        """
        from pellucid.api.judging import evaluate

        if isinstance(instances, Iterator) and not self.belong_together:
            first = next(instances, None)
            instances = chain([] if first is None else [first], instances)
            if first is None or isinstance(first, Instance):
                return evaluate(self, islice(instances, limit), candidates, metrics, **named)
        records = self._call.filled(self._records(instances, limit))
        averaged = replace(self, explainers=tuple(self._call.averaged(records).explainers))
        return evaluate(averaged, records, candidates, metrics, **named)

    def suggest_baseline(
        self, instances: Any, *, examples: Any = (), limit: int | None = None, **named: Any
    ) -> BaselineAdvice:
        """Return which baseline explains the instances best, beside those that people use.

        `instances`, `examples` and `limit` are as in `evaluate`;
        `pellucid.api.judging.suggest_baseline` tells the rest. Raises InstanceError and SpecError.
        """
        from pellucid.api.judging import suggest_baseline

        records, others = self._given(instances, limit), self._given(examples, 1000)
        return suggest_baseline(self, records, examples=others, **named)

    def configured(self, options: ExplainOptions | None = None, **named: Any) -> LoadedModel:
        """Return the same model, loaded and compiled, explained in another way.

        `options` are a record, or `named`: the settings of `pellucid.metadata.CallSettings`, as
        `method`, `steps`, `tolerance` and `top_k`, which change `parameters`, by default those that
        it had; `visualization`, which takes the place of that of the metadata; and `seed`, the
        random seed.
        """
        options = ExplainOptions.of(**named) if options is None else options
        chosen = with_settings(options.parameters or self.parameters, options.settings)
        metadata = self.metadata
        if options.visualization is not None:
            inputs = (replace(i, visualization=options.visualization) for i in metadata.inputs)
            metadata = replace(metadata, inputs=tuple(inputs))
        baseline = self.explainer.baseline
        if options.settings.baseline is not None:
            baseline, metadata = choose_baseline(options.settings.baseline, metadata)
            chosen = without_blur(chosen, baseline, options.settings)
        check_asked(self.compiler.predictor, chosen.method)
        compiler = self.compiler if chosen.why_not is None else self.compiler.compared()
        explainers = (
            replace(
                it,
                model=compiler.of(it.metadata.output).model(gradients=chosen.method.uses_gradients),
                parameters=chosen,
                baseline=baseline,
                seed=it.seed if options.seed is None else options.seed,
            )
            for it in self.explainers
        )
        whole = replace(self, explainers=tuple(explainers), compiler=compiler)
        configured = whole.described(metadata)
        configured.say_noise()
        if options.settings.errors and chosen.method.without_errors:
            why = chosen.method.without_errors
            self.warn(Notice(f"{chosen.method.title} has no errors of single values: {why}"))
        return configured

    def say_noise(self) -> None:
        """Say how large SmoothGrad's noise is, where nobody wrote it, and where it is nothing."""
        method, specs = self.parameters.method, self.metadata.inputs
        chosen = noise_chosen(method, specs)
        if chosen is not None:
            self.pixels.say_once(chosen)
        for notice in noise_warnings(method, specs):
            self.warn(notice)

    def described(self, metadata: ExplanationMetadata) -> LoadedModel:
        """Return the same model with what other metadata say of its inputs."""
        explainers = (
            replace(it, metadata=metadata.explaining([it.metadata.output]))
            for it in self.explainers
        )
        return replace(self, explainers=tuple(explainers)).with_inputs()

    def with_inputs(self) -> LoadedModel:
        """Return the same model whose inputs are what the metadata and its settings say."""
        inputs = described_inputs(
            self.compiler.inputs, self.metadata, self.compiler.input_keys, self.explainer.baseline,
            self.tables,
        )  # fmt: skip
        return replace(self, inputs=inputs)

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
        refuse_remote(path, OutputError)
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
            examples = wanted.files
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
            return read_examples(
                examples, self.inputs, on_error=on_error, warn=self.warn,
                beside=self.tables.beside(),
            )  # fmt: skip
        beside = self.tables.beside(EXTRAS)
        records = records_of(
            examples, self.inputs, beside, default=None, warn=self.warn, note=self.pixels.note
        )
        return ((id_of(r, r.source or str(r.index), several=False), r) for r in records)

    def requested(self, request: Mapping[str, object]) -> LoadedModel:
        """Return the same model with the settings that a request brings beside its instances.

        They are ``explanationSpecOverride`` (Vertex) and, for LIME, the keys of KServe's explainer;
        `request` may hold others. Raises SpecError.
        """
        signature = request.get("signature_name")
        if signature not in (None, "", self.signature):
            known = self.compiler.meta_graph.signatures
            there = Hint("load the model with {signature:{key}}", key=signature)
            raise SpecError(
                f"'{signature}' is not what is explained here, '{self.signature}'",
                where=Where(path="signature_name"),
                hint=there if signature in known else f"the model has {', '.join(known)}",
            )
        before = self.metadata
        metadata, parameters = overridden(before, self.parameters, request)
        parameters = with_kserve_keys(request, parameters, self.warn)
        if metadata is before and parameters is self.parameters:
            return self
        given = [it.input_baselines for it in before.inputs]
        same = given == [it.input_baselines for it in metadata.inputs]
        baseline = self.explainer.baseline if same else None
        explainers = (
            replace(it, parameters=parameters, baseline=baseline) for it in self.explainers
        )
        return replace(self, explainers=tuple(explainers)).described(metadata)

    def as_kserve(self) -> LoadedModel:
        """Return the same model as KServe's explainer had it: LIME of the ``top_labels`` best.

        Another method gives way to it; LIME's own settings, and outputs that were chosen, stay.
        """
        return self.configured(parameters=as_kserve(self.parameters))

    def _given(self, instances: Any, limit: int | None) -> list[Instance]:
        if isinstance(instances, Iterator):
            return list(islice(instances, limit))
        return self._call.filled(self._records(instances, limit)) if len(instances) else []

    def _records(self, instances: Any, limit: int | None = None) -> list[Instance]:
        return records_of(
            instances, self.inputs, self.beside, limit=limit, warn=self.warn, note=self.pixels.note
        )
