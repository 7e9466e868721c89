"""The official SDK's local models, explained here: notebooks that used them run again.

```python
import explainable_ai_sdk
from explainable_ai_sdk.model.configs import IntegratedGradientsConfig

import pellucid.sdk

pellucid.sdk.register()
model = explainable_ai_sdk.load_model_from_local_path(MODEL_DIR, IntegratedGradientsConfig(50))
model.explain([{"image": …}])[0].visualize_attributions()
```

``load_model_from_local_path`` worked in Google's own notebook images only; anywhere else it raises
NotImplementedError until an engine is registered.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pellucid.api import Explanations, LoadedModel, load
from pellucid.errors import DependencyError, SpecError
from pellucid.explain import Explanation, LabelAttribution
from pellucid.inputs import Instance, read_request
from pellucid.metadata import Encoding, InputSpec, Modality, Nested, ValueBaseline
from pellucid.model import Array
from pellucid.notices import Where

try:
    from explainable_ai_sdk.common.attribution import Attribution, LabelIndexToAttribution
    from explainable_ai_sdk.model import configs, model, model_factory
    from explainable_ai_sdk.model.explanation import Explanation as SdkExplanation
except ModuleNotFoundError as error:
    raise DependencyError(
        f"{error.name} is not installed, and the official SDK needs it",
        hint="pip install --no-deps explainable-ai-sdk; pip install google-auth requests "
        "matplotlib",
    ) from error

__all__ = ["LocalModel", "register"]


def register() -> None:
    """Make the SDK's ``load_model_from_local_path`` load models with Pellucid."""
    model_factory.register_local_model(LocalModel)


class LocalModel(model.Model):  # type: ignore[misc]  # the SDK has no types
    """A SavedModel directory and an attribution config, as the SDK's factory makes it."""

    def __init__(self, model_path: str, config: Any) -> None:
        self._config = config
        self._model = load(model_path, **_settings(config))
        self._modalities = _modalities(self._model.metadata.inputs)

    def predict(self, instances: list[Any]) -> list[dict[Any, Any]]:
        """Return a dictionary of outputs for each instance."""
        found = self._model.predict(instances)
        name = next(iter(self._model.compiler.signature.outputs))
        return [value if isinstance(value, Mapping) else {name: value} for value in found]

    def explain(self, instances: list[Any], params: Any = None) -> list[Any]:
        """Return the SDK's explanation of each instance.

        `params` are the SDK's AttributionParameters: label_indices (for all instances, or a list
        for each), top_k, baselines (instances), and a config of the same class as before. Raises
        InstanceError and SpecError.
        """
        params = params or configs.AttributionParameters()
        chosen = self._configured(params)
        records = read_request({"instances": list(instances)}, chosen.inputs).instances
        indices = params.label_indices
        if indices and isinstance(indices[0], list | tuple):
            if len(indices) != len(records):
                raise SpecError(
                    f"{len(indices)} lists for {len(records)} instances",
                    where=Where(path="label_indices"),
                    hint="give one for each, or a single list for all",
                )
            found = [
                chosen.explain([record], output_indices=list(wanted))
                for record, wanted in zip(records, indices, strict=True)
            ]
        elif indices:
            found = [chosen.explain(list(records), output_indices=list(indices))]
        else:
            found = [chosen.explain(list(records), top_k=params.top_k)]
        return [self._written(*item) for part in found for item in _each(part)]

    def _configured(self, params: Any) -> LoadedModel:
        chosen = self._model
        config = params.attribution_config
        if config is not None:
            if type(config) is not type(self._config):
                raise SpecError(
                    f"the model was loaded with {type(self._config).__name__}, which "
                    f"{type(config).__name__} cannot take the place of",
                    where=Where(path="attribution_config"),
                )
            chosen = chosen.configured(**_settings(config))
        if not params.baselines:
            return chosen
        metadata = _with_baselines(chosen, params.baselines)
        return chosen.described(metadata)

    def _written(
        self, explanations: Explanations, number: int, explanation: Explanation, instance: Instance
    ) -> Any:
        labels = [
            self._attribution(explanations, number, label, instance) for label in explanation.labels
        ]
        return SdkExplanation(LabelIndexToAttribution(labels), instance.value, self._modalities)

    def _attribution(
        self, explanations: Explanations, number: int, label: LabelAttribution, instance: Instance
    ) -> Any:
        raw = {name: np.asarray(value, np.float64) for name, value in label.features.items()}
        shown: dict[str, Any] = dict(raw)
        for name, drawing in explanations.draw(number, label, own_size=False).items():
            picture, form = drawing.encoded()
            shown[name] = {f"b64_{form}": base64.b64encode(picture).decode()}
        index = label.index
        return Attribution(
            output_name=label.output,
            baseline_score=label.baseline_score,
            example_score=label.score,
            values_dict=dict(instance.tensors),
            attrs_dict=raw,
            label_index=None if not index else index[0] if len(index) == 1 else index,
            processed_attrs_dict=shown,
            approx_error=label.approx_error,
            label_name=label.name,
        )


def _each(part: Explanations) -> Iterator[tuple[Explanations, int, Explanation, Instance]]:
    for number, (explanation, instance) in enumerate(zip(part, part.instances, strict=True)):
        yield part, number, explanation, instance


def _settings(config: Any) -> dict[str, Any]:
    """Return the settings of an attribution config of the SDK."""
    match config:
        case configs.XraiConfig():
            return {"method": "xrai", "steps": config.step_count}
        case configs.IntegratedGradientsConfig():
            return {"method": "integrated-gradients", "steps": config.step_count}
        case configs.SampledShapleyConfig():
            return {"method": "sampled-shapley", "paths": config.path_count}
    raise SpecError(
        f"{type(config).__name__} is none of IntegratedGradientsConfig, XraiConfig and "
        "SampledShapleyConfig",
        where=Where(path="config"),
    )


def _with_baselines(chosen: LoadedModel, baselines: Sequence[Any]) -> Any:
    """Return metadata in which baselines that are written as instances take the place of others."""
    records = read_request({"instances": list(baselines)}, chosen.inputs).instances
    keys = chosen.explainer.input_keys
    inputs = []
    for spec in chosen.metadata.inputs:
        key = keys.get(spec.name)
        if key is None or any(key not in record.tensors for record in records):
            raise SpecError(
                f"input '{spec.name}' is not part of an instance",
                where=Where(path="baselines"),
                hint="write its baselines into the metadata",
            )
        values = tuple(ValueBaseline(_tuples(record.tensors[key])) for record in records)
        inputs.append(replace(spec, input_baselines=values, encoded_baselines=()))
    return replace(chosen.metadata, inputs=tuple(inputs))


def _tuples(array: Array) -> Nested:
    def made(value: Any) -> Any:
        if isinstance(value, list):
            return tuple(made(item) for item in value)
        return value.decode() if isinstance(value, bytes) else value

    result: Nested = made(array.tolist())
    return result


def _modalities(specs: Sequence[InputSpec]) -> dict[str, list[str]]:
    """Return which features are of which modality, as the SDK groups them."""
    found: dict[str, list[str]] = {"all": [], "tabular": []}
    for spec in specs:
        bag = spec.encoding in (Encoding.BAG_OF_FEATURES, Encoding.BAG_OF_FEATURES_SPARSE)
        names = [spec.group_name or spec.name]
        kind = spec.modality.value
        if bag and spec.index_feature_mapping is not None:
            names, kind = list(spec.index_feature_mapping), Modality.CATEGORICAL.value
        groups = {"all", kind}
        if kind in (Modality.NUMERIC.value, Modality.CATEGORICAL.value):
            groups.add("tabular")
        for group in groups:
            listed = found.setdefault(group, [])
            listed += [name for name in names if name not in listed]
    return found
