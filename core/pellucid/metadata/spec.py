"""What a metadata document says, as immutable records: the one internal model of both dialects.

Clauses are quoted from the documentation of AI Platform ``projects.explain`` (snake_case) and of
Vertex AI ``ExplanationSpec`` (camelCase). ``None`` means "not set"; the defaults that depend on the
dialect or on the method are filled in by `Visualization.resolved`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

from pellucid.metadata.pixels import AssumedPixels, PixelLayout, PixelSource

METADATA_FILE = "explanation_metadata.json"
"""The name of the metadata beside ``saved_model.pb``."""


class Dialect(Enum):
    """Which service's document this is; it also decides the form of the response."""

    AI_PLATFORM = "ai-platform"
    VERTEX = "vertex"


class Encoding(Enum):
    """How a feature is encoded into its input tensor. "Defaults to IDENTITY.\""""

    IDENTITY = "identity"
    BAG_OF_FEATURES = "bag_of_features"
    BAG_OF_FEATURES_SPARSE = "bag_of_features_sparse"
    INDICATOR = "indicator"
    COMBINED_EMBEDDING = "combined_embedding"
    CONCAT_EMBEDDING = "concat_embedding"

    @property
    def is_bag(self) -> bool:
        """Whether "each index maps to a feature", so that ``index_feature_mapping`` names them."""
        return self in (
            Encoding.BAG_OF_FEATURES,
            Encoding.BAG_OF_FEATURES_SPARSE,
            Encoding.INDICATOR,
        )

    @property
    def is_embedding(self) -> bool:
        """Whether the gradient is taken at ``encoded_tensor_name``."""
        return self in (Encoding.COMBINED_EMBEDDING, Encoding.CONCAT_EMBEDDING)


class Modality(Enum):
    """ "Valid values are: numeric, image." Three more are seen in real files; a series is ours."""

    NUMERIC = "numeric"
    IMAGE = "image"
    TEXT = "text"
    CATEGORICAL = "categorical"
    STRUCTURED = "structured"
    SERIES = "series"


class VisualizationType(Enum):
    """PIXELS shows per-pixel attribution, OUTLINES outlines regions of attribution."""

    PIXELS = "pixels"
    OUTLINES = "outlines"


class Polarity(Enum):
    """Whether to highlight positive contributions, negative ones or both."""

    POSITIVE = "positive"
    NEGATIVE = "negative"
    BOTH = "both"


class ColorMap(Enum):
    """The colour scheme of the highlighted areas."""

    PINK_GREEN = "pink_green"
    RED_GREEN = "red_green"
    VIRIDIS = "viridis"
    RED = "red"
    GREEN = "green"
    PINK_WHITE_GREEN = "pink_white_green"


class OverlayType(Enum):
    """How the original image is shown below the attributions."""

    NONE = "none"
    ORIGINAL = "original"
    GRAYSCALE = "grayscale"
    MASK_BLACK = "mask_black"

    @classmethod
    def _missing_(cls, value: object) -> OverlayType | None:
        return cls.MASK_BLACK if value == "mask" else None  # as older documents have it


class Percentile(Enum):
    """How a clip percentile is read: a share of the total attribution, or a rank of pixels."""

    SHARE = "share"
    RANK = "rank"


class OutputFormat(Enum):
    """The file format of the pictures in a response."""

    JPEG = "jpeg"
    PNG = "png"


Nested: TypeAlias = "float | int | str | bool | tuple[Nested, ...]"
"""A JSON value with tuples for lists: a number, or nested lists of numbers."""


@dataclass(frozen=True, slots=True)
class ValueBaseline:
    """A baseline that is written out: a number, which broadcasts, or nested lists."""

    value: Nested


@dataclass(frozen=True, slots=True)
class FileBaseline:
    """A baseline kept in a ``.npy``, ``.png`` or ``.jpg`` file; the path is absolute."""

    path: str


@dataclass(frozen=True, slots=True)
class RandomBaseline:
    """A baseline drawn uniformly over the domain (default [0, 1]) from a seed."""

    seed: int = 0


@dataclass(frozen=True, slots=True)
class DomainBaseline:
    """The least (``min``) or the greatest (``max``) value of the domain, everywhere."""

    end: str


Baseline: TypeAlias = ValueBaseline | FileBaseline | RandomBaseline | DomainBaseline


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """ "Domain details of the input feature value. Like min/max, original mean or stddev.\""""

    minimum: float | None = None
    maximum: float | None = None
    original_mean: float | None = None
    original_stddev: float | None = None

    @property
    def range(self) -> tuple[float, float]:
        """The values of black and white; 0 and 1 where the domain says nothing.

        With `original_mean` and `original_stddev` only, they are ``(v − mean) / stddev``, where
        white is 1 if the mean is at most 1, and 255 otherwise.
        """
        if self.minimum is None and self.maximum is None:
            known = (it for it in (self.original_mean, self.original_stddev) if it is not None)
            white = 255.0 if abs(next(known, 0.0)) > 1 else 1.0
            mean, stddev = self.original_mean or 0.0, self.original_stddev or 1.0
            return -mean / stddev, (white - mean) / stddev
        low = 0.0 if self.minimum is None else self.minimum
        return low, 1.0 if self.maximum is None else self.maximum

    @classmethod
    def of_pixels(cls, pixels: AssumedPixels | None) -> Domain | None:
        """Return the domain that pixels were found or said to have; no document says it."""
        if pixels is None or pixels.source not in (PixelSource.OPTION, PixelSource.GRAPH):
            return None
        return cls(minimum=pixels.low, maximum=pixels.high)


class Option(NamedTuple):
    """What a visualization setting is by default, how it is spelled, and where it belongs.

    `default` is that of AI Platform; `regions` takes its place where whole regions are drawn, and
    `vertex` in the other dialect, whose key is `vertex_key`, in snake case, where the two differ. A
    setting may belong to one `type` of drawing, or have to stay `below` another one.
    """

    default: Any
    regions: Any = None
    vertex: Any = None
    vertex_key: str | None = None
    type: VisualizationType | None = None
    below: str | None = None

    def usual(self, dialect: Dialect, *, regions: bool) -> Any:
        """Return the value of a setting that nobody wrote."""
        if dialect is Dialect.VERTEX and self.vertex is not None:
            return self.vertex
        return self.regions if regions and self.regions is not None else self.default


def _option(default: object, **others: Any) -> Any:
    return field(default=None, metadata={"option": Option(default, **others)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Visualization:
    """How an image attribution is drawn; see `resolved` for the defaults.

    The order is that of documents.
    """

    type: VisualizationType | None = _option(
        VisualizationType.OUTLINES, regions=VisualizationType.PIXELS
    )
    polarity: Polarity | None = _option(Polarity.POSITIVE)
    clip_below_percentile: float | None = _option(
        62.0, regions=0.0, vertex_key="clip_percent_lowerbound", below="clip_above_percentile"
    )
    clip_above_percentile: float | None = _option(
        99.9, regions=100.0, vertex_key="clip_percent_upperbound"
    )
    color_map: ColorMap | None = _option(ColorMap.PINK_GREEN, regions=ColorMap.VIRIDIS)
    overlay_type: OverlayType | None = _option(
        OverlayType.ORIGINAL, regions=OverlayType.GRAYSCALE, vertex=OverlayType.NONE
    )
    # 0.4 image + 0.6 colour, as measured on pictures that the service returned.
    overlay_multiplier: float | None = _option(0.6)
    output_format: OutputFormat | None = _option(OutputFormat.JPEG)
    shade_within_outlines: bool | None = _option(True, type=VisualizationType.OUTLINES)
    blur_sigma: float | None = _option(0.0, type=VisualizationType.PIXELS)
    percentile: Percentile | None = _option(Percentile.RANK)

    def updated(self, other: Visualization) -> Visualization:
        """Return a copy in which what `other` sets takes the place of what stands here."""
        given = {name: getattr(other, name) for name in OPTIONS}
        return replace(self, **{name: value for name, value in given.items() if value is not None})

    def resolved(self, dialect: Dialect, *, regions: bool) -> Visualization:
        """Return a copy with every default filled in; `regions` is true for XRAI.

        AI Platform: outlines, positive, 62/99.9, pink_green over original (XRAI: pixels, 0/100,
        viridis over grayscale). Vertex: the same, but "overlayType … Defaults to NONE".
        """
        usual = {name: it.usual(dialect, regions=regions) for name, it in OPTIONS.items()}
        return Visualization(**usual).updated(self)


OPTIONS: Mapping[str, Option] = {it.name: it.metadata["option"] for it in fields(Visualization)}
"""What is said of each visualization setting, by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """One feature: the tensor that carries it and how to read its attributions."""

    name: str
    tensor_name: str | None = None
    encoding: Encoding = Encoding.IDENTITY
    modality: Modality = Modality.NUMERIC
    input_baselines: tuple[Baseline, ...] = ()
    encoded_tensor_name: str | None = None
    encoded_baselines: tuple[Baseline, ...] = ()
    indices_tensor_name: str | None = None
    dense_shape_tensor_name: str | None = None
    weight_values_name: str | None = None
    weight_indices_name: str | None = None
    weight_dense_shape_name: str | None = None
    index_feature_mapping: tuple[str, ...] | None = None
    domain: Domain | None = None
    visualization: Visualization | None = None
    group_name: str | None = None
    # No document says this: it is found in the graph, or asked for.
    pixel_layout: PixelLayout = PixelLayout()


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSpec:
    """An output to be explained."""

    name: str
    tensor_name: str | None = None
    index_name_mapping: Nested | None = None
    index_name_mapping_key: str | None = None


@dataclass(frozen=True, kw_only=True)
class ExplanationMetadata:
    """Which tensors are features and which is the prediction.

    AI Platform explains several outputs, `others` beside the first; of Vertex, "currently only one
    key is allowed".
    """

    dialect: Dialect = Dialect.AI_PLATFORM
    inputs: tuple[InputSpec, ...]
    output: OutputSpec
    framework: str | None = None
    signature_key: str | None = None
    tags: tuple[str, ...] | None = None
    latent_space_source: str | None = None
    others: tuple[OutputSpec, ...] = ()

    @property
    def outputs(self) -> tuple[OutputSpec, ...]:
        """All outputs to be explained, in the order of the document."""
        return (self.output, *self.others)

    @cached_property
    def pictures(self) -> tuple[str, ...]:
        """The names of the inputs that are pictures."""
        return tuple(it.name for it in self.inputs if it.modality is Modality.IMAGE)

    @cached_property
    def mapped(self) -> tuple[str, ...]:
        """The names of the inputs whose elements have names."""
        return tuple(it.name for it in self.inputs if it.index_feature_mapping is not None)

    def explaining(self, outputs: Sequence[OutputSpec]) -> ExplanationMetadata:
        """Return a copy that explains these outputs, at least one."""
        first, *others = outputs
        return replace(self, output=first, others=tuple(others))

    @property
    def latent_tensor_name(self) -> str | None:
        """The tensor in whose space examples are compared: it may be given by an output's key."""
        source = self.latent_space_source
        for output in self.outputs:
            if output.name == source:
                return output.tensor_name or output.name
        return source
