"""The internal model back to a document of its dialect, so that ``parse(dump(x)) == x``."""

from __future__ import annotations

from enum import Enum
from typing import Any

from pellucid.metadata.spec import (
    OPTIONS,
    Baseline,
    Dialect,
    DomainBaseline,
    ExplanationMetadata,
    FileBaseline,
    InputSpec,
    Modality,
    RandomBaseline,
    ValueBaseline,
    Visualization,
)
from pellucid.metadata.spellings import spelled


def dump_metadata(metadata: ExplanationMetadata) -> dict[str, Any]:
    """Return the canonical document; what has its default is left out."""
    document: dict[str, Any] = {
        "inputs": {feature.name: _input(feature) for feature in metadata.inputs},
        "outputs": {
            output.name: {
                "output_tensor_name": output.tensor_name,
                "index_name_mapping": _listed(output.index_name_mapping),
                "index_name_mapping_key": output.index_name_mapping_key,
            }
            for output in metadata.outputs
        },
        "framework": metadata.framework,
        "serving_sigdef_key": metadata.signature_key,
        "tags": _listed(metadata.tags),
        "latent_space_source": metadata.latent_space_source,
    }
    return _spelled(document, metadata.dialect)


def _input(feature: InputSpec) -> dict[str, Any]:
    domain = feature.domain
    return {
        "input_tensor_name": feature.tensor_name,
        # Always written: in upper case it tells a bare Vertex document from the other dialect.
        "encoding": feature.encoding,
        "modality": None if feature.modality is Modality.NUMERIC else feature.modality.value,
        "input_baselines": [_baseline(it) for it in feature.input_baselines] or None,
        "encoded_tensor_name": feature.encoded_tensor_name,
        "encoded_baselines": [_baseline(it) for it in feature.encoded_baselines] or None,
        "indices_tensor_name": feature.indices_tensor_name,
        "dense_shape_tensor_name": feature.dense_shape_tensor_name,
        "weight_values_name": feature.weight_values_name,
        "weight_indices_name": feature.weight_indices_name,
        "weight_dense_shape_name": feature.weight_dense_shape_name,
        "index_feature_mapping": _listed(feature.index_feature_mapping),
        "domain": None
        if domain is None
        else {
            "min": domain.minimum,
            "max": domain.maximum,
            "original_mean": domain.original_mean,
            "original_stddev": domain.original_stddev,
        },
        "visualization": _visualization(feature.visualization),
        "group_name": feature.group_name,
    }


def _visualization(it: Visualization | None) -> dict[str, Any] | None:
    return None if it is None else {name: getattr(it, name) for name in OPTIONS}


def _baseline(baseline: Baseline) -> Any:
    match baseline:
        case ValueBaseline(value):
            return _listed(value)
        case FileBaseline(path):
            return {"file": path}
        case RandomBaseline(seed):
            return {"random": {"seed": seed}}
        case DomainBaseline(end):
            return end


def _listed(value: Any) -> Any:
    return [_listed(it) for it in value] if isinstance(value, tuple) else value


def _spelled(section: dict[str, Any], dialect: Dialect, *, names: bool = False) -> dict[str, Any]:
    """Return an object without what is unset, spelled as its dialect does; `names` are kept."""
    vertex = dialect is Dialect.VERTEX
    made: dict[str, Any] = {}
    for key, value in section.items():
        if value is None:
            continue
        if isinstance(value, Enum):
            value = value.value.upper() if vertex else value.value
        elif isinstance(value, dict):
            maps = key in ("inputs", "outputs") and not names
            value = _spelled(value, dialect, names=maps)
        made[key if names else spelled(key, dialect)] = value
    return made
