"""What metadata and parameters say, as immutable records of both services' dialects."""

from __future__ import annotations

from pellucid.metadata import parameters
from pellucid.metadata.call_settings import (
    SETTINGS,
    ExplainOptions,
    call_settings,
    given_settings,
    setting_names,
    with_settings,
)
from pellucid.metadata.example_spec import (
    Distance,
    ExampleModality,
    Examples,
    Normalization,
    Query,
    Restriction,
)
from pellucid.metadata.kserve import KSERVE_KEYS, as_kserve, with_kserve_keys
from pellucid.metadata.method import (
    BaseMethod,
    Noise,
    PatchChoice,
    SeriesParts,
    TextParts,
    spelling_of,
)

# Methods are exported without being named here: adding one leaves this file alone.
from pellucid.metadata.parameters import *  # noqa: F403
from pellucid.metadata.parameters import METHODS, Attributing, CallSettings, Method, Setting
from pellucid.metadata.pixels import (
    AssumedPixels,
    ChannelOrder,
    PixelLayout,
    PixelSettings,
    PixelSource,
    is_channels_first,
    range_text,
    same_range,
)
from pellucid.metadata.published_schemas import published_schema
from pellucid.metadata.recorded import check_keys, read_recorded, recorded
from pellucid.metadata.records import RecordFeature, RecordForm, RecordKind
from pellucid.metadata.rules import RULES, is_rule, page, rule_matches
from pellucid.metadata.spec import (
    METADATA_FILE,
    OPTIONS,
    Baseline,
    ColorMap,
    Dialect,
    Domain,
    DomainBaseline,
    Encoding,
    ExplanationMetadata,
    FileBaseline,
    InputSpec,
    Modality,
    Nested,
    OutputFormat,
    OutputSpec,
    OverlayType,
    Percentile,
    Polarity,
    RandomBaseline,
    ValueBaseline,
    Visualization,
    VisualizationType,
)

__all__ = [
    "KSERVE_KEYS",
    "METADATA_FILE",
    "METHODS",
    "OPTIONS",
    "RULES",
    "SETTINGS",
    "AssumedPixels",
    "Attributing",
    "BaseMethod",
    "Baseline",
    "CallSettings",
    "ChannelOrder",
    "ColorMap",
    "Dialect",
    "Distance",
    "Domain",
    "DomainBaseline",
    "Encoding",
    "ExampleModality",
    "Examples",
    "ExplainOptions",
    "ExplanationMetadata",
    "FileBaseline",
    "InputSpec",
    "Method",
    "Modality",
    "Nested",
    "Noise",
    "Normalization",
    "OutputFormat",
    "OutputSpec",
    "OverlayType",
    "PatchChoice",
    "Percentile",
    "PixelLayout",
    "PixelSettings",
    "PixelSource",
    "Polarity",
    "Query",
    "RandomBaseline",
    "RecordFeature",
    "RecordForm",
    "RecordKind",
    "Restriction",
    "SeriesParts",
    "Setting",
    "TextParts",
    "ValueBaseline",
    "Visualization",
    "VisualizationType",
    "as_kserve",
    "call_settings",
    "check_keys",
    "given_settings",
    "is_channels_first",
    "is_rule",
    "page",
    "published_schema",
    "range_text",
    "read_recorded",
    "recorded",
    "rule_matches",
    "same_range",
    "setting_names",
    "spelling_of",
    "with_kserve_keys",
    "with_settings",
]
__all__ += parameters.__all__
