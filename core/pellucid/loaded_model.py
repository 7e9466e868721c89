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

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload
from warnings import warn as warn_of

import numpy as np

from pellucid import response
from pellucid.check import check
from pellucid.document import text_problems
from pellucid.errors import InstanceError, SpecError, did_you_mean
from pellucid.explain import Explainer, Explanation, LabelAttribution
from pellucid.infer import infer_metadata
from pellucid.inputs import InputInfo
from pellucid.instances import Instance, read_request, stack
from pellucid.json_source import load as load_json
from pellucid.model import Array, Tensors
from pellucid.parse_parameters import parse_parameters
from pellucid.parse_spec import parse_metadata
from pellucid.pictures import Drawing, draw_images
from pellucid.saved_model_pb import read
from pellucid.spec import (
    METHOD_NAMES,
    Dialect,
    ExplanationMetadata,
    ExplanationParameters,
    IntegratedGradients,
    Method,
    OutputSpec,
    Problem,
    Quadrature,
    SampledShapley,
    Severity,
    SmoothGrad,
    Visualization,
    Xrai,
)
from pellucid.tensor_names import choose_signature, resolve_tensor

if TYPE_CHECKING:
    from pellucid.compile_model import Compiler

METADATA_FILE = "explanation_metadata.json"


@dataclass(frozen=True, slots=True)
class Explanations(Sequence[Explanation]):
    """The explanations of one call, in the order of the instances."""

    items: tuple[Explanation, ...]
    instances: tuple[Instance, ...]
    loaded: LoadedModel

    @overload
    def __getitem__(self, index: int) -> Explanation: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Explanation, ...]: ...
    def __getitem__(self, index: int | slice) -> Explanation | tuple[Explanation, ...]:
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Explanation]:
        return iter(self.items)

    def response(self, *, dialect: Dialect | None = None) -> dict[str, Any]:
        """Return the response body, in the dialect of the metadata unless another is given."""

        def pictures(number: int, label: LabelAttribution) -> dict[str, tuple[bytes, str]]:
            drawings = self.draw(number, label, own_size=False)
            return {name: drawing.encoded() for name, drawing in drawings.items()}

        return response.response(self.items, self.loaded.metadata, pictures, dialect=dialect)

    def json(self, *, dialect: Dialect | None = None) -> bytes:
        """Return the response body as UTF-8 JSON."""
        return response.encode(self.response(dialect=dialect))

    def draw(
        self,
        number: int,
        label: LabelAttribution | None = None,
        *,
        own_size: bool = True,
        visualization: Visualization = Visualization(),
    ) -> dict[str, Drawing]:
        """Return the overlay of each image feature of one instance.

        Drawn at the photo's own resolution where there is one, or at the model's. `label` is one
        of the explanation's labels, by default the first; what `visualization` sets
        overrides the metadata.
        """
        explanation = self.items[number]
        return draw_images(
            explanation,
            label or explanation.labels[0],
            self.loaded.metadata,
            photo=self.instances[number].image if own_size else None,
            visualization=visualization,
        )


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
    warn: Callable[[str], None] = field(repr=False)

    @property
    def metadata(self) -> ExplanationMetadata:
        return self.explainer.metadata

    @property
    def parameters(self) -> ExplanationParameters:
        return self.explainer.parameters

    def explain(self, instances: Any, **options: Any) -> Explanations:
        """Return an explanation for each instance.

        `instances` is a list as in a request (values, nested lists, objects keyed by input, or
        numpy arrays), one array [n, …] for a model with a single input, a mapping of inputs to
        arrays [n, …], or `Instance` records from `pellucid.instances`. `options` are those of
        `configured`, for this call. Raises InstanceError for an instance that does not fit, and
        NotDifferentiableError for a model that gradients cannot explain.
        """
        if options:
            return self.configured(**options).explain(instances)
        records = self._records(instances)
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
            for sentence in explanation.warnings:
                self.warn(f"{record.place}: {sentence}")
        return Explanations(found, tuple(records), self)

    def configured(
        self,
        *,
        parameters: ExplanationParameters | None = None,
        method: str | None = None,
        steps: int | None = None,
        quadrature: str | Quadrature | None = None,
        noisy_samples: int | None = None,
        noise_sigma: float | None = None,
        paths: int | None = None,
        blur_sigma: float | None = None,
        top_k: int | None = None,
        output_indices: Sequence[int | Sequence[int]] | None = None,
        visualization: Visualization | None = None,
        seed: int | None = None,
    ) -> LoadedModel:
        """Return the same model, loaded and compiled, with other settings.

        `method` is ``integrated-gradients`` or ``sampled-shapley``; what it does not have is
        ignored. `steps` is the number of quadrature nodes; `noisy_samples` turns SmoothGrad on,
        with noise of `noise_sigma` (default 0.1); `blur_sigma` takes the blurred image as the
        baseline, in pixels; `paths` is the number of sampled permutations; `top_k` (-1 for all) or
        `output_indices` choose the outputs.
        """
        chosen = parameters or self.parameters
        if method is not None and method != METHOD_NAMES[type(chosen.method)]:
            chosen = replace(chosen, method=_default_of(method))
        config = chosen.method
        if isinstance(config, SampledShapley) and paths is not None:
            config = replace(config, path_count=paths)
        if isinstance(config, IntegratedGradients):
            smooth = config.smooth_grad
            if noisy_samples is not None or noise_sigma is not None:
                smooth = smooth or SmoothGrad()
                if noisy_samples is not None:
                    smooth = replace(smooth, noisy_sample_count=noisy_samples)
                if noise_sigma is not None:
                    smooth = replace(smooth, noise_sigma=noise_sigma, feature_noise_sigma=None)
            config = replace(
                config,
                step_count=config.step_count if steps is None else steps,
                quadrature=config.quadrature if quadrature is None else Quadrature(quadrature),
                max_blur_sigma=config.max_blur_sigma if blur_sigma is None else blur_sigma,
                smooth_grad=smooth,
            )
        chosen = replace(chosen, method=config)
        if top_k is not None:
            chosen = replace(chosen, top_k=top_k, output_indices=None)
        if output_indices is not None:
            tuples = [(i,) if isinstance(i, int) else tuple(i) for i in output_indices]
            chosen = replace(chosen, output_indices=tuple(tuples))
        _check_parameters(chosen)
        metadata = self.metadata
        if visualization is not None:
            inputs = (replace(i, visualization=visualization) for i in metadata.inputs)
            metadata = replace(metadata, inputs=tuple(inputs))
        explainer = replace(
            self.explainer,
            model=self.compiler.model(gradients=_has_gradient(chosen.method)),
            parameters=chosen,
            metadata=metadata,
            seed=self.explainer.seed if seed is None else seed,
        )
        return replace(self, explainer=explainer)

    def _records(self, instances: Any) -> list[Instance]:
        if isinstance(instances, np.ndarray):
            instances = list(instances)
        if isinstance(instances, Mapping):
            columns = {name: np.asarray(value) for name, value in instances.items()}
            lengths = {len(c) for c in columns.values() if c.ndim}
            if len(lengths) != 1 or any(not c.ndim for c in columns.values()):
                raise InstanceError(
                    "a mapping of inputs to arrays needs the same number of rows in each; for one "
                    "instance, give a list of one object"
                )
            instances = [{k: c[i] for k, c in columns.items()} for i in range(lengths.pop())]
        items = list(instances)
        records = [item for item in items if isinstance(item, Instance)]
        if records and len(records) == len(items):
            return records
        request = read_request({"instances": items}, self.inputs)
        return list(request.instances)


def load(
    model_dir: str | Path,
    *,
    metadata: str | Path | None = None,
    spec: str | Path | None = None,
    signature: str | None = None,
    tags: Sequence[str] | None = None,
    output: str | None = None,
    device: str = "auto",
    warn: Callable[[str], None] | None = None,
    **options: Any,
) -> LoadedModel:
    """Load a SavedModel directory and its metadata, ready to explain.

    `metadata` is a file of either dialect, by default the ``explanation_metadata.json`` beside
    ``saved_model.pb``; without one the metadata are inferred from the signature. `spec` is a file
    with parameters (an ExplanationSpec or ExplanationParameters). `signature` and `tags` choose
    among several; `output` is the key or tensor to explain; `device` is ``auto``, ``cpu``, ``gpu``
    or ``gpu:n``. `options` are those of `LoadedModel.configured`. `warn` is called with one
    sentence for what is not an error; by default it becomes a Python warning. Raises ModelError,
    SpecError, NotDifferentiableError, DependencyError.
    """
    say = warn or (lambda sentence: warn_of(sentence, stacklevel=3))
    saved = read(model_dir)
    document, parameters, file = _document(saved.directory, metadata, say)
    tags = tags or (document.tags if document is not None else None)
    meta_graph = saved.meta_graph(tags)
    chosen = choose_signature(
        meta_graph, signature or (document.signature_key if document is not None else None)
    )
    inferred = document is None
    if document is None:
        known = output if output in chosen.outputs else None
        document = infer_metadata(chosen, known)
        names = ", ".join(f"'{i.name}'" for i in document.inputs)
        say(
            f"{saved.directory}: no {METADATA_FILE}; inferred from signature '{chosen.key}': "
            f"inputs {names}, output '{output or document.output.name}'"
        )
    if output is not None and output != document.output.name:
        resolve_tensor(meta_graph, chosen, output, role="output")  # or say what there is instead
        document = replace(document, output=OutputSpec(name=output, tensor_name=output))
    if not inferred:
        problems, _ = check(
            document, saved, chosen.key, tags, parameters=parameters, file=str(file)
        )
        _raise_errors(problems, say)
    if spec is not None:
        parameters = _parameters(Path(spec), say)
    from pellucid.compile_model import Compiler

    compiler = Compiler(saved.directory, meta_graph, chosen, document, device)
    chosen_parameters = parameters or ExplanationParameters()
    explainer = Explainer(
        model=compiler.model(gradients=_has_gradient(chosen_parameters.method)),
        metadata=document,
        parameters=chosen_parameters,
        input_keys=compiler.input_keys,
        explicit=not inferred,
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


def _default_of(name: str) -> Method:
    """Return a method's settings by its name."""
    known = {METHOD_NAMES[kind]: kind for kind in (IntegratedGradients, SampledShapley)}
    if name not in known:
        raise SpecError(
            f"method: '{name}' is unknown{did_you_mean(name, list(known))}; choose one of "
            + ", ".join(known)
        )
    return known[name]()


def _has_gradient(method: Method) -> bool:
    """Whether a method takes gradients, which a feature's encoded tensor is for."""
    return isinstance(method, IntegratedGradients | Xrai)


def _document(
    directory: Path, metadata: str | Path | None, say: Callable[[str], None]
) -> tuple[ExplanationMetadata | None, ExplanationParameters | None, Path]:
    path = directory / METADATA_FILE if metadata is None else Path(metadata)
    if metadata is None and not path.exists():
        return None, None, path
    parsed = parse_metadata(_text(path), file=str(path))
    _raise_errors(parsed.problems, say)
    return parsed.metadata, parsed.parameters, path


def _parameters(path: Path, say: Callable[[str], None]) -> ExplanationParameters | None:
    text = _text(path)
    document, source = load_json(text)
    problems = text_problems(source, str(path)) if source else ()
    _raise_errors(problems, say)
    if not isinstance(document, dict):
        raise SpecError(f"{path}: must be an object with parameters")
    parameters, problems = parse_parameters(document, text=text, file=str(path))
    _raise_errors(problems, say)
    return parameters


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SpecError(f"{path}: is not UTF-8 text; metadata are JSON") from error
    except OSError as error:
        raise SpecError(f"{path}: cannot be read: {error.strerror}") from error


def _raise_errors(problems: Sequence[Problem], say: Callable[[str], None]) -> None:
    errors = [p for p in problems if p.severity is Severity.ERROR]
    for problem in problems:
        if problem.severity is Severity.WARNING and not errors:
            say(str(problem))
    if errors:
        raise SpecError("\n".join(map(str, errors)), problems)


def _check_parameters(parameters: ExplanationParameters) -> None:
    method = parameters.method
    if isinstance(method, IntegratedGradients):
        if method.step_count < 1:
            raise SpecError(f"steps: {method.step_count} is out of range, must be 1 or more")
        smooth = method.smooth_grad
        if smooth is not None and smooth.noisy_sample_count < 1:
            raise SpecError(
                f"noisy_samples: {smooth.noisy_sample_count} is out of range, must be 1 or more"
            )
    if isinstance(method, SampledShapley) and method.path_count < 1:
        raise SpecError(f"paths: {method.path_count} is out of range, must be 1 or more")
    if parameters.top_k is not None and parameters.top_k < 1 and parameters.top_k != -1:
        raise SpecError(f"top_k: {parameters.top_k} is out of range, must be 1 or more, or -1")


def _same_shapes(records: Sequence[Instance]) -> Iterator[list[int]]:
    """Yield the places of instances whose tensors agree in shape, so that they can be stacked."""
    groups: dict[tuple[tuple[int, ...], ...], list[int]] = {}
    for place, record in enumerate(records):
        shape = tuple(record.tensors[name].shape for name in sorted(record.tensors))
        groups.setdefault(shape, []).append(place)
    yield from groups.values()


__all__ = ["Array", "Explanations", "LoadedModel", "Tensors", "load"]
