"""Metadata drawn at random, every one of them valid: what round trips start from."""

from __future__ import annotations

from hypothesis import strategies as st

from pellucid.metadata.spec import (
    ColorMap,
    Dialect,
    Domain,
    DomainBaseline,
    Encoding,
    ExplanationMetadata,
    FileBaseline,
    InputSpec,
    Modality,
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

names = st.text(min_size=1, max_size=8)
tensors = st.none() | names
numbers = st.integers(-99, 99) | st.floats(-99, 99).filter(lambda it: it != 0)
values = st.recursive(
    numbers, lambda it: st.tuples(it) | st.tuples(it).map(lambda x: x), max_leaves=3
)


@st.composite
def visualizations(draw: st.DrawFn) -> Visualization:
    kind = draw(st.none() | st.sampled_from(VisualizationType))
    low, high = sorted(draw(st.tuples(st.floats(0, 49), st.floats(50, 100))))
    return Visualization(
        type=kind,
        polarity=draw(st.none() | st.sampled_from(Polarity)),
        color_map=draw(st.none() | st.sampled_from(ColorMap)),
        overlay_type=draw(st.none() | st.sampled_from(OverlayType)),
        clip_below_percentile=draw(st.none() | st.just(low)),
        clip_above_percentile=draw(st.none() | st.just(high)),
        overlay_multiplier=draw(st.none() | st.floats(0, 1)),
        output_format=draw(st.none() | st.sampled_from(list(OutputFormat))),
        shade_within_outlines=None
        if kind is VisualizationType.PIXELS
        else draw(st.none() | st.booleans()),
        blur_sigma=None
        if kind is VisualizationType.OUTLINES
        else draw(st.none() | st.floats(0, 9)),
        percentile=draw(st.none() | st.sampled_from(Percentile)),
    )


@st.composite
def inputs(draw: st.DrawFn, name: str, dialect: Dialect, baselines: int) -> InputSpec:
    encoding = draw(st.sampled_from(Encoding))
    modality = draw(st.sampled_from(Modality))
    encoded = draw(names) if encoding.is_embedding else draw(tensors)
    sparse = draw(st.booleans())
    weights = draw(st.booleans())
    domain = draw(st.booleans())
    values_of = st.one_of(
        values.map(ValueBaseline),
        st.integers(0, 99).map(RandomBaseline),
        st.sampled_from(["/a/b.npy", "/c.PNG"]).map(FileBaseline),
        *([st.sampled_from(["min", "max"]).map(DomainBaseline)] if domain else []),
    )
    kind = draw(st.sampled_from(["input_baselines", "encoded_baselines"]))
    return InputSpec(
        name=name,
        tensor_name=draw(names if dialect is Dialect.AI_PLATFORM else tensors),
        encoding=encoding,
        modality=modality,
        encoded_tensor_name=encoded,
        indices_tensor_name=draw(names) if sparse else None,
        dense_shape_tensor_name=draw(names) if sparse else None,
        weight_values_name=draw(names) if weights else None,
        weight_indices_name=draw(names) if weights else None,
        weight_dense_shape_name=draw(names) if weights else None,
        index_feature_mapping=tuple(draw(st.lists(names, unique=True, min_size=1)))
        if encoding.is_bag
        else None,
        domain=Domain(minimum=-1, maximum=2, original_stddev=draw(st.none() | st.just(0.5)))
        if domain
        else None,
        visualization=draw(st.none() | visualizations()) if modality is Modality.IMAGE else None,
        group_name=draw(tensors),
        **{kind: tuple(draw(values_of) for _ in range(baselines))},
    )


@st.composite
def outputs(draw: st.DrawFn, name: str, dialect: Dialect) -> OutputSpec:
    mapping = draw(st.none() | st.lists(names, unique=True, min_size=1, max_size=3).map(tuple))
    return OutputSpec(
        name=name,
        tensor_name=draw(names if dialect is Dialect.AI_PLATFORM else tensors),
        index_name_mapping=mapping,
        index_name_mapping_key=None if mapping is not None else draw(tensors),
    )


@st.composite
def documents(draw: st.DrawFn) -> ExplanationMetadata:
    dialect = draw(st.sampled_from(Dialect))
    ours = dialect is Dialect.AI_PLATFORM
    baselines = draw(st.integers(0, 2))
    keys = draw(st.lists(names, unique=True, min_size=1, max_size=3))
    first, *others = draw(st.lists(names, unique=True, min_size=1, max_size=2 if ours else 1))
    return ExplanationMetadata(
        dialect=dialect,
        inputs=tuple(draw(inputs(key, dialect, baselines)) for key in keys),
        output=draw(outputs(first, dialect)),
        others=tuple(draw(outputs(name, dialect)) for name in others),
        framework="tensorflow" if ours else None,
        signature_key=draw(tensors) if ours else None,
        tags=draw(st.none() | st.lists(names, min_size=1).map(tuple)) if ours else None,
        latent_space_source=None if ours else draw(tensors),
    )
