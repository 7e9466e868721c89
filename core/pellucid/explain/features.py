"""Features: their baselines going in, and their attributions coming out.

Going in, a baseline of the metadata becomes an array in the space of the explained tensor. Coming
out, the attributions of that tensor become what the encoding says that the feature is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.errors import InstanceError, SpecError
from pellucid.explain.results import LabelAttribution, rows_of
from pellucid.explain.targets import Contrast, index_of, name_at
from pellucid.explain.texts import Tokens, apart
from pellucid.files import open_file, read_bytes
from pellucid.metadata import (
    Baseline,
    Domain,
    DomainBaseline,
    Encoding,
    ExplanationMetadata,
    FileBaseline,
    InputSpec,
    Modality,
    Nested,
    RandomBaseline,
    ValueBaseline,
    is_channels_first,
)
from pellucid.model import Array, Attribution, Tensors
from pellucid.notices import Where


def baseline_array(
    baseline: Baseline, shape: Sequence[int], dtype: np.dtype, spec: InputSpec
) -> Array:
    """Return one baseline of a feature as an array of one instance's `shape`.

    "The shape of each baseline should match the shape of the encoded tensor. If a scalar is
    provided, we broadcast"; a leading batch axis of 1 is accepted. Raises SpecError for a baseline
    that does not fit.
    """
    where = Where(path=f"inputs.{spec.name}")
    shape = tuple(shape)
    low, high = (spec.domain or Domain()).range
    match baseline:
        case DomainBaseline(end=end):
            return np.full(shape, low if end == "min" else high, dtype)
        case RandomBaseline(seed=seed):
            return np.random.default_rng(seed).uniform(low, high, shape).astype(dtype)
        case FileBaseline(path=path):
            value = _from_file(path, shape, dtype, spec)
        case ValueBaseline(value=written):
            value = _from_value(written, dtype, where)
    if value.shape == (1, *shape):
        value = value[0]
    if value.ndim == 0 or value.shape == shape:
        return np.broadcast_to(value, shape).astype(dtype)
    if value.size == 1 and shape in ((), (1,)):
        return value.reshape(shape).astype(dtype)
    raise SpecError(
        f"a baseline has shape {list(value.shape)}, and the tensor "
        f"'{spec.encoded_tensor_name or spec.tensor_name or spec.name}' has {list(shape)} for one "
        "instance",
        where=where,
        hint="give that shape, or one number",
    )


def zero(shape: Sequence[int], dtype: np.dtype) -> Array:
    """Return the default baseline: 0, the empty string or False everywhere."""
    return np.full(tuple(shape), b"", object) if dtype == object else np.zeros(tuple(shape), dtype)


def blurred(image: Array, sigma: float) -> Array:
    """Return images [n, h, w], [n, h, w, c] or [n, c, h, w] blurred, `sigma` is in pixels.

    "The same blurring parameter is used for both the height and the width dimension."
    """
    from scipy.ndimage import gaussian_filter

    sides = (sigma, sigma) + (0,) * (image.ndim - 3)
    sigmas = (0, *(sides[::-1] if is_channels_first(image.shape[1:]) else sides))
    return np.asarray(gaussian_filter(image, sigmas, mode="nearest"), image.dtype)


def is_image(shape: Sequence[int | None] | None) -> bool:
    """Whether one instance of this shape can be a picture: [h, w] or [h, w, c] or [c, h, w].

    c is 1 or 3, or 4 where it comes last.
    """
    if shape is None:
        return False
    last = len(shape) == 3 and shape[-1] in (1, 3, 4)
    return len(shape) == 2 or last or is_channels_first(shape)


def is_picture(spec: InputSpec, shape: Sequence[int | None], *, encoded: bool) -> bool:
    """Whether a feature is a picture, of this shape for one instance.

    Words and what they are embedded as are none, whatever their shape; `encoded` tells that the
    tensor is one behind the input, which is a picture only if the metadata say so.
    """
    if not is_image(shape) or spec.encoding is not Encoding.IDENTITY:
        return False
    return spec.modality is Modality.IMAGE or (spec.modality is Modality.NUMERIC and not encoded)


@dataclass(frozen=True, slots=True, kw_only=True)
class Companions:
    """The keys of the inputs that say where the values of a sparse input are, and what they weigh.

    None where that is no input of the signature; `others` belong to the feature as well.
    """

    indices: str | None = None
    weights: str | None = None
    others: frozenset[str] = frozenset()

    @property
    def keys(self) -> frozenset[str]:
        """All of them."""
        return self.others | {it for it in (self.indices, self.weights) if it is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sparse:
    """Where the values of one instance's sparse input are, [nnz, rank], and what they weigh."""

    indices: Array | None = None
    weights: Array | None = None


def feature_attributions(
    specs: Sequence[InputSpec],
    values: Tensors,
    input_ranks: dict[str, int | None],
    *,
    encoded: bool = True,
    sparse: Mapping[str, Sparse] = {},
) -> dict[str, Array]:
    """Return what is reported for one instance: feature name → attribution.

    `values` maps inputs to the attributions of their explained tensors, without the batch axis.
    Bags are split, [1] for each name; a concatenated embedding [n, d] is summed to [n]; a combined
    one [d] to one value; inputs with a group name are added up to one value, [1]. `input_ranks`
    has the rank of one instance's input, where it is known: an encoded tensor with more axes than
    that is summed over the last of them. `encoded` is false if the values are those of the inputs
    themselves, even where the metadata name an encoded tensor. Of a `sparse` input, a combined
    embedding is split by the weights, and values find their names by their indices. Raises
    SpecError where there are not as many names as attributions.
    """
    result: dict[str, Array] = {}
    for spec in specs:
        if spec.name not in values:
            continue
        value = np.asarray(values[spec.name], np.float64)
        behind = encoded and spec.encoded_tensor_name is not None
        if is_reported(spec, encoded=encoded):
            result[spec.name] = value  # as most are
        elif spec.group_name is not None:
            result[spec.group_name] = result.get(spec.group_name, np.zeros(1)) + value.sum()
        elif spec.encoding is Encoding.COMBINED_EMBEDDING and encoded:
            result[spec.name] = _split(value.sum(), sparse.get(spec.name, Sparse()).weights)
        elif spec.encoding is Encoding.CONCAT_EMBEDDING and encoded:
            summed = value.sum(axis=-1)
            # A sparse input is a batch of one: its encoded tensor may have an axis for that.
            lone = spec.name in sparse and summed.ndim > 1 and summed.shape[0] == 1
            result[spec.name] = summed[0] if lone else summed
        elif spec.encoding.is_bag and spec.index_feature_mapping is not None:
            indices = None if behind else sparse.get(spec.name, Sparse()).indices
            result |= _by_name(spec, spec.index_feature_mapping, value, indices)
        else:
            rank = input_ranks.get(spec.name)
            if behind and rank is not None:
                value = value.sum(axis=tuple(range(rank, value.ndim)))
            result[spec.name] = value
    return result


def is_reported(spec: InputSpec, *, encoded: bool) -> bool:
    """Whether what is reported of a feature is the attributions of its tensor, as they are."""
    behind = encoded and spec.encoded_tensor_name is not None
    return spec.encoding is Encoding.IDENTITY and spec.group_name is None and not behind


def element_names(
    metadata: ExplanationMetadata, feature: str, values: Array
) -> tuple[str, ...] | None:
    """Return what the elements of a feature's attributions, a vector, are called, if anything."""
    for spec in metadata.inputs:
        names = spec.index_feature_mapping
        if spec.name == feature and spec.encoding is Encoding.IDENTITY and names is not None:
            return names if values.shape == (len(names),) else None
    return None


def element_name(feature: str, place: Iterable[object], size: int) -> str:
    """Return what an element without a name is called: ``x[0,3]``, or ``x`` of a single one."""
    return f"{feature}[{','.join(map(str, place))}]" if size > 1 else feature


def _split(total: float, weights: Array | None) -> Array:
    """Return what a combined embedding got, [1], or by weights what each of its parts did, [nnz].

    "For a sparse input split by the weights when given": in proportion, so that it still adds up;
    in equal parts where the weights cancel out.
    """
    if weights is None or not weights.size:
        return np.array([total])
    shares = np.asarray(weights, np.float64).ravel()
    whole = shares.sum()
    return total * (shares / whole if whole else np.full(shares.shape, 1 / shares.size))


def _by_name(
    spec: InputSpec, names: Sequence[str], value: Array, indices: Array | None
) -> dict[str, Array]:
    """Return a bag by its names, [1] each, or an indicator as one list.

    With `indices`, values stand at the names that the last of their coordinates say, and a bag has
    only what is there.
    """
    if indices is not None:
        places = np.asarray(indices, np.int64).reshape(value.size, -1)[:, -1]
        beyond = places[(places < 0) | (places >= len(names))]
        if len(beyond):
            raise SpecError(
                f"a value has the index {beyond[0]}, and index_feature_mapping has {len(names)} "
                "names",
                where=Where(path=f"inputs.{spec.name}"),
            )
        rows = np.bincount(places, weights=value.ravel(), minlength=len(names))
        present = np.unique(places)
    else:
        if value.size % len(names):
            raise SpecError(
                f"index_feature_mapping has {len(names)} names, and the explained tensor has the "
                f"shape {list(value.shape)}",
                where=Where(path=f"inputs.{spec.name}"),
            )
        rows = value.reshape(len(names), -1).sum(axis=1)
        present = np.arange(len(names))
    if spec.encoding is Encoding.INDICATOR:
        return {spec.name: rows}
    return {names[i]: rows[i : i + 1] for i in present}


def _from_value(written: object, dtype: np.dtype, where: Where) -> Array:
    if dtype == object:
        text = np.asarray(written, dtype=object)
        encoded = [v.encode() if isinstance(v, str) else v for v in text.ravel()]
        return np.array(encoded, dtype=object).reshape(text.shape)
    try:
        return np.asarray(written, dtype=np.float64).astype(dtype)
    except (ValueError, TypeError) as error:
        what = f"a baseline is not numbers of one shape: {error}"
        raise SpecError(what, where=where) from error


def _from_file(path: str, shape: tuple[int, ...], dtype: np.dtype, spec: InputSpec) -> Array:
    try:
        if Path(path).suffix == ".npy":
            with open_file(path) as file:
                return np.asarray(np.load(file, allow_pickle=False))
        from pellucid.inputs import InputInfo, decode_picture, to_tensor

        info = InputInfo(
            name=spec.name,
            dtype=dtype.name,
            shape=shape,
            domain=spec.domain,
            pixel_layout=spec.pixel_layout,
            batch=False,
        )
        return to_tensor(decode_picture(read_bytes(path), Where(file=path)), info)
    except InstanceError as error:
        what = f"baseline file {path}: {error.what}"  # it is no instance that is at fault
        raise SpecError(what, where=Where(path=f"inputs.{spec.name}")) from error
    except (OSError, ValueError) as error:
        what = f"baseline file {path}: {error}"
        raise SpecError(what, where=Where(path=f"inputs.{spec.name}")) from error


@dataclass(frozen=True)
class Labels:
    """What all labels of a call have in common.

    `shape` is that of the output of one instance, `names` are its classes', `ranks` how many axes
    an instance has of each input; `gradients` tells that features are explained behind their
    inputs; `contrast` is what the outputs were compared with, if they were.
    """

    metadata: ExplanationMetadata
    attribution: Attribution
    shape: tuple[int, ...]
    names: Nested | Array | None
    ranks: dict[str, int | None]
    gradients: bool
    contrast: Contrast | None = None

    def _name(self, index: tuple[int, ...]) -> str | None:
        name = name_at(self.names, index)
        if self.contrast is None:
            return name
        return f"{list(index) if name is None else name} rather than {self.contrast.called}"

    @cached_property
    def _numbers(self) -> list[tuple[Any, ...]]:
        """Of each row: target, score, that of the baseline, error, flatness, and gradients."""
        found = self.attribution
        none = [None] * len(found.target)
        error = none if found.approx_error is None else found.approx_error.tolist()
        errors = [None if it is None or math.isnan(it) else it for it in error]
        flat = [False] * len(none) if found.flat is None else found.flat.tolist()
        used = none if found.evaluations is None else found.evaluations.tolist()
        scores = (found.target.tolist(), found.score.tolist(), found.baseline_score.tolist())
        return [*zip(*scores, errors, flat, used, strict=True)]

    @cached_property
    def _values(self) -> Sequence[Tensors]:
        values, count = self.attribution.values, len(self.attribution.target)
        if all(value.dtype != object for value in values.values()):
            return rows_of(values, [*values], count)
        rows = zip(*values.values(), strict=True) if values else repeat((), count)
        return [dict(zip(values, row, strict=True)) for row in rows]

    @cached_property
    def as_they_are(self) -> Sequence[Tensors] | None:
        """What is reported for each row, where that is the attributions of the tensors."""
        values = self.attribution.values
        specs = [spec for spec in self.metadata.inputs if spec.name in values]
        same = all(is_reported(spec, encoded=self.gradients) for spec in specs)
        if not same or any(values[spec.name].dtype == object for spec in specs):
            return None
        found = {spec.name: np.asarray(values[spec.name], np.float64) for spec in specs}
        return rows_of(found, [*found], len(self.attribution.target))

    def _reported(self, values: Tensors, sparse: Mapping[str, Sparse]) -> dict[str, Array]:
        return feature_attributions(
            self.metadata.inputs, values, self.ranks, encoded=self.gradients, sparse=sparse
        )

    def made(
        self, j: int, sparse: Mapping[str, Sparse], tokens: Mapping[str, Tokens]
    ) -> LabelAttribution:
        """Return the label of row `j`, `sparse` and `tokens` being those of its instance."""
        found, values, known = self.attribution, self._values[j], self.as_they_are
        target, score, start, error, flat, used = self._numbers[j]
        index = index_of(target, self.shape)
        features = known[j] if known is not None else self._reported(values, sparse)
        off = {name: value[j] for name, value in found.errors.items()}
        errors = off and self._reported(off, sparse)
        diagnostics = {name: float(value[j]) for name, value in found.diagnostics.items()}
        for name, it in tokens.items():
            part, padding = apart(features[name], it)
            features = {**features, name: part}
            if name in errors:
                errors[name], _ = apart(errors[name], it)
            if padding:
                diagnostics[f"padding of {name}"] = padding
        return LabelAttribution(
            output=self.metadata.output.name, index=index, name=self._name(index),
            score=score, baseline_score=start, values=values, features=features,
            ranks={name: rank[j] for name, rank in found.ranks.items()},
            segments={name: patches[j] for name, patches in found.segments.items()},
            diagnostics=diagnostics, flat=flat, single=math.prod(self.shape) == 1,
            errors={name: np.abs(value) for name, value in errors.items()},
            approx_error=error, evaluations=used,
        )  # fmt: skip


def sparse_of(companions: Mapping[str, Companions], inputs: Tensors, i: int) -> dict[str, Sparse]:
    """Return where the values of the sparse inputs of instance `i` are, and what they weigh."""

    def of(key: str | None) -> Array | None:
        return None if key is None or key not in inputs else inputs[key][i]

    return {
        name: Sparse(indices=of(keys.indices), weights=of(keys.weights))
        for name, keys in companions.items()
    }
