"""A model that is ready to explain; what the commands call, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.api.example_sources import examples_of
from pellucid.api.explanations import Explanations
from pellucid.api.records import naming, rows_of, stacked
from pellucid.api.tables import TableSettings, described_inputs, named_after, with_means
from pellucid.errors import (
    InstanceError,
    ModelError,
    OutOfMemoryError,
    OutputError,
    SpecError,
    refuse_remote,
)
from pellucid.examples import EXTRAS, INDEX_FILE, ExampleIndex, ExampleSearch
from pellucid.explain import (
    MIXED_ROWS,
    BaselineKind,
    Explainer,
    Explanation,
    PixelWatch,
    choose_baseline,
    noise_chosen,
    noise_warnings,
    without_blur,
)
from pellucid.inputs import Beside, InputInfo, Instance, Missing, read_request, same_shapes, stack
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
from pellucid.model import Array, Tensors
from pellucid.notices import Hint, Notice, Warn, Where

if TYPE_CHECKING:
    from pellucid.evaluate import Evaluation
    from pellucid.runtime import Compiler


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A SavedModel that is ready to explain.

    `inputs` are what an instance has to give; `explainers` explain an output each; `inferred` tells
    that the metadata were; `pixels` knows what pictures are taken to be, `tables` how tables are
    read.
    """

    directory: Path
    inputs: tuple[InputInfo, ...]
    explainers: tuple[Explainer, ...]
    signature: str
    inferred: bool
    compiler: Compiler = field(repr=False)
    pixels: PixelWatch = field(repr=False)
    warn: Warn = field(repr=False)
    tables: TableSettings = TableSettings()

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
    def beside(self) -> Beside:
        """What an instance may have beside its inputs: as examples do, an id."""
        kept = EXTRAS if isinstance(self.parameters.method, Examples) else ()
        return self.tables.beside(kept)

    def explain(
        self, instances: Any, options: ExplainOptions | None = None, **named: Any
    ) -> Explanations:
        """Return an explanation for each instance.

        `instances` is a list as in a request (values, nested lists, objects keyed by input, or
        numpy arrays), one array [n, …] for a model with a single input, a mapping of inputs to
        arrays [n, …], or `Instance` records from `pellucid.inputs`. `options`, or those `named`,
        are those of `configured`, for this call. Raises InstanceError for an instance that does not
        fit, and NotDifferentiableError for a model that gradients cannot explain.
        """
        if options is not None or named:
            return self.configured(options, **named).explain(instances)
        if isinstance(self.parameters.method, Examples):
            self.search.opened(self.parameters.method)  # what is wrong is said before it runs
        records = self.records(instances)
        try:
            return self._together(records)
        except OutOfMemoryError:
            raise
        except MemoryError as error:
            if len(records) == 1:
                raise OutOfMemoryError(where=records[0].where) from error
            what = f"there is not enough memory for {len(records):,} instances together"
            raise OutOfMemoryError(what, hint="explain fewer at a time") from error

    def _together(self, records: Sequence[Instance]) -> Explanations:
        items: list[Explanation | None] = [None] * len(records)
        records = self.filled(records)
        averaged = self.averaged(records)
        for places in same_shapes(records):
            group = [records[i] for i in places]
            with naming(group):
                request = stack(group, self.inputs)
                explained = averaged._explained(request, [r.index for r in group])
            pictures = [r.pictures for r in group]
            watched = self.pixels.explained(self.explainer.model, request, explained, pictures)
            for i, explanation in zip(places, watched, strict=True):
                items[i] = explanation
        found = tuple(item for item in items if item is not None)
        self._say_general(found)
        for record, explanation in zip(records, found, strict=True):
            for notice in (*record.notes, *explanation.warnings[len(explanation.general) :]):
                self.warn(notice.at(record.where))
        metadata = named_after(self.metadata, records)
        return Explanations(found, tuple(records), metadata, self.parameters)

    def averaged(self, records: Sequence[Instance]) -> LoadedModel:
        """Return the same model, the mean of some instances being its baseline, if asked for."""
        if not self.takes_mean or isinstance(self.parameters.method, Examples):
            return self
        groups = [[records[i] for i in places] for places in same_shapes(records)]
        numbers = [[it.index for it in group] for group in groups]
        requests = stacked(groups, self.inputs)
        with naming(records):
            explainers = tuple(it.averaged(requests, numbers) for it in self.explainers)
        return replace(self, explainers=explainers)

    def filled(self, records: Sequence[Instance]) -> list[Instance]:
        """Return instances with what stands for their missing values, and say that there are."""
        filled, said = with_means(records, self.inputs)
        if said is not None:
            self.warn(said)
        return filled

    @property
    def belong_together(self) -> bool:
        """Whether what is said of an instance depends on the others of a call: a mean is taken."""
        return self.takes_mean or self.tables.missing is Missing.MEAN

    @property
    def takes_mean(self) -> bool:
        """Whether the baseline is the mean of the instances of a call, which belong together."""
        baseline = self.explainer.baseline
        return baseline is not None and baseline.kind is BaselineKind.MEAN

    def _say_general(self, found: Sequence[Explanation]) -> None:
        """Say once what is said of the model, and which baseline was made, if one was."""
        for note in dict.fromkeys(it for explainer in self.explainers for it in explainer.notes()):
            self.pixels.say_once(note)
        baseline = self.explainer.baseline
        if baseline is not None and baseline.made:
            for said in dict.fromkeys(item.baseline for item in found if item.baseline):
                self.pixels.say_once(Notice(f"baseline: {said}"))
        for notice in dict.fromkeys(notice for it in found for notice in it.general):
            self.warn(notice)

    def _explained(self, request: Tensors, numbers: list[int]) -> list[Explanation]:
        """Return what is said of each output of rows of a request, and what the model answers."""
        if isinstance(self.parameters.method, Examples):
            found = self.explainer.explain(request, numbers)  # whatever is predicted, they are near
        else:
            first, *others = (self._of_one(it, request, numbers) for it in self.explainers)
            found = [it.with_others([o[row] for o in others]) for row, it in enumerate(first)]
        if len(self.compiler.signature.outputs) == 1:
            return found
        try:
            outputs = self.compiler.signature_outputs(request)
        except (InstanceError, ModelError) as error:
            notice = error.notice.under("not all outputs can be predicted")
            return [replace(it, warnings=(*it.warnings, notice)) for it in found]
        return [
            replace(it, outputs={k: np.asarray(v[row], v.dtype) for k, v in outputs.items()})
            for row, it in enumerate(found)
        ]

    def _of_one(
        self, explainer: Explainer, request: Tensors, numbers: list[int]
    ) -> list[Explanation]:
        try:
            return explainer.explain(request, numbers)
        except (InstanceError, ModelError, SpecError) as error:
            if len(self.explainers) == 1:
                raise
            raise error.at(path=f"outputs.{explainer.metadata.output.name}") from error

    def predict(self, instances: Any) -> list[Array | dict[str, Array]]:
        """Return what the model says of each instance, without an explanation.

        That is the value of its signature's output, or of all of them by name. `instances` are as
        in `explain`. Raises InstanceError and ModelError.
        """
        records = self.filled(self.records(instances))
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
        self, instances: Any, candidates: Any = (), metrics: Any = (), **named: Any
    ) -> Evaluation:
        """Return how good explanations by `candidates`, ``["ig:blur=20", "lime"]``, are by metrics.

        `instances` are as in `explain`, or an iterator of `Instance` records, taken one by one;
        `pellucid.api.judging.evaluate` tells what else may be `named`.
        """
        from pellucid.api.judging import evaluate

        if isinstance(instances, Iterator) and not self.belong_together:
            return evaluate(self, instances, candidates, metrics, **named)
        records = self.filled(self.records(instances))
        return evaluate(self.averaged(records), records, candidates, metrics, **named)

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
        gradients = chosen.method.uses_gradients
        explainers = (
            replace(
                it,
                model=self.compiler.of(it.metadata.output).model(gradients=gradients),
                parameters=chosen,
                baseline=baseline,
                seed=it.seed if options.seed is None else options.seed,
            )
            for it in self.explainers
        )
        configured = replace(self, explainers=tuple(explainers)).described(metadata)
        configured.say_noise()
        return configured

    def say_noise(self) -> None:
        """Say how large SmoothGrad's noise is, where nobody wrote it, and where it is nothing."""
        method, specs = self.parameters.method, self.metadata.inputs
        chosen = noise_chosen(method, specs)
        if chosen is not None:
            self.pixels.note(chosen)
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
            examples = [Path(source) for source in wanted.sources]
        found = examples_of(
            examples, self.inputs, self.records, self.tables.beside,
            on_error=on_error, warn=self.warn,
        )  # fmt: skip

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

    def records(self, instances: Any, beside: Beside | None = None) -> list[Instance]:
        items = rows_of(instances)
        records = [item for item in items if isinstance(item, Instance)]
        if records and len(records) == len(items):
            return records
        request = read_request({"instances": items}, self.inputs, beside=beside or self.beside)
        return list(request.instances)
