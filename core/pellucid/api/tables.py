"""Tables for one model: what stands for missing values, and what their columns are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pellucid.errors import InstanceError, SpecError, meant
from pellucid.explain import BaselineKind, ChosenBaseline, baseline_array, zero
from pellucid.inputs import Beside, InputInfo, Instance, Missing, feature_inputs
from pellucid.metadata import ExplanationMetadata, InputSpec
from pellucid.notices import Hint, Notice, Where

_MADE = (BaselineKind.MEAN, BaselineKind.BLUR, BaselineKind.NOISE)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSettings:
    """How tables and records are read: which columns are no inputs, and what is missing.

    `ignore_columns` are left out; `keep_columns` go along into all that is written. The column
    `id_column` names each instance in all that is said of it. `missing` is what stands for missing
    values: ``nan``, ``mean``, ``baseline``. `time_column` tells that rows are the time steps of a
    series, and when each was. The column `truth_column` is the true label, and no input.
    """

    ignore_columns: tuple[str, ...] = ()
    id_column: str | None = None
    missing: Missing = Missing.REFUSE
    time_column: str | None = None
    keep_columns: tuple[str, ...] = ()
    truth_column: str | None = None

    @classmethod
    def of(
        cls,
        ignore_columns: str | Sequence[str] = (),
        id_column: str | None = None,
        missing: str | Missing = Missing.REFUSE,
        time_column: str | None = None,
        keep_columns: str | Sequence[str] = (),
    ) -> TableSettings:
        """Return settings as people write them. Raises SpecError for a word that is none."""
        known = [it.value for it in Missing]
        if not isinstance(missing, Missing) and missing not in known:
            hint = meant(missing, known) or f"choose one of {', '.join(known)}"
            raise SpecError(f"'{missing}' is unknown", where=Where(path="missing"), hint=hint)
        return cls(
            ignore_columns=_names_in(ignore_columns), id_column=id_column,
            missing=Missing(missing), time_column=time_column,
            keep_columns=_names_in(keep_columns),
        )  # fmt: skip

    def beside(self, kept: Sequence[str] = ()) -> Beside:
        """Return what may stand beside the inputs, and what else is kept if it is there."""
        kept = [it for it in kept if it != self.id_column]
        return Beside(
            kept=tuple(kept), ignored=self.ignore_columns, carried=self.keep_columns,
            id=self.id_column, time=self.time_column, truth=self.truth_column,
        )  # fmt: skip


def _names_in(names: str | Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((names,) if isinstance(names, str) else names))


def described_inputs(
    inputs: Sequence[InputInfo],
    metadata: ExplanationMetadata,
    keys: Mapping[str, str],
    baseline: ChosenBaseline | None,
    tables: TableSettings,
) -> tuple[InputInfo, ...]:
    """Return the inputs with the names of their elements, and what stands for missing values.

    `keys` are those of the signature that features are. Raises SpecError where a baseline was
    chosen that is not known before there are instances.
    """
    missing = tables.missing
    if missing is Missing.BASELINE and baseline is not None and baseline.kind in _MADE:
        what = f"the baseline is {baseline.said}, which no missing value can be"
        hint = Hint("choose {missing:mean}, or {baseline:zero}")
        raise SpecError(what, where=Where(path="missing"), hint=hint)
    specs = {keys.get(spec.name): spec for spec in metadata.inputs}
    zeros = baseline is not None and baseline.kind is not None
    return tuple(
        replace(
            info,
            feature_names=_names(info, specs.get(info.name)),
            missing=missing,
            fill=_fill(info, metadata, specs.get(info.name), zeros=zeros)
            if missing is Missing.BASELINE
            else None,
        )
        for info in inputs
    )


def _names(info: InputInfo, spec: InputSpec | None) -> tuple[str, ...] | None:
    mapping, shape = None if spec is None else spec.index_feature_mapping, info.instance_shape
    if mapping is None or shape is None or len(shape) not in (1, 2):
        return None
    return mapping if shape[-1] == len(mapping) else None


def _fill(
    info: InputInfo, metadata: ExplanationMetadata, spec: InputSpec | None, *, zeros: bool
) -> object:
    """Return the baseline of an input, or those of what is parsed of its records, by name."""
    if info.record is None or spec is not None:
        return _baseline(info, spec, zeros=zeros)
    specs = {it.name: it for it in metadata.inputs}
    found = {
        it.name: _baseline(it, specs.get(f"{info.name}.{it.name}", specs.get(it.name)), zeros=zeros)
        for it in feature_inputs(info)
    }
    return {name: it for name, it in found.items() if it is not None}


def _baseline(info: InputInfo, spec: InputSpec | None, *, zeros: bool) -> object:
    """Return the baseline of an input as nested values; None where it has none of its own."""
    if spec is None or (spec.encoded_tensor_name is not None and not spec.input_baselines):
        return None
    sizes = info.instance_shape or ()
    shape = () if None in sizes else tuple(size or 0 for size in sizes)
    if zeros or not spec.input_baselines:
        found = zero(shape, info.array_dtype)
    else:
        found = baseline_array(spec.input_baselines[0], shape, info.array_dtype, spec)
    return _nested(found.tolist())


def _nested(value: object) -> object:
    return tuple(map(_nested, value)) if isinstance(value, list) else value


def with_means(
    records: Sequence[Instance], inputs: Sequence[InputInfo]
) -> tuple[list[Instance], Notice | None]:
    """Return instances whose missing values are the mean of those that are there, and say so.

    Where they are NaN for the model, or the baseline, they stay. Raises InstanceError where no
    instance has a value.
    """
    filled = list(records)
    rows: set[int] = set()
    count = 0
    for info in inputs:
        if not info.takes_nan:
            continue
        values = [record.tensors[info.name] for record in records]
        lost = [np.isnan(value) for value in values]
        places = [i for i, it in enumerate(lost) if it.any()]
        if not places:
            continue
        count += int(sum(it.sum() for it in lost))
        rows |= {*places}
        if info.missing is Missing.MEAN:
            _put_means(filled, info, places)
    if not count:
        return filled, None
    stand = "the mean of the others" if inputs[0].missing is Missing.MEAN else "NaN"
    what = f"{count} missing value{'s' * (count > 1)} in {len(rows)} of {len(records)} instances: "
    return filled, Notice(f"{what}{stand} stands for them")


def _put_means(records: list[Instance], info: InputInfo, places: Sequence[int]) -> None:
    values = [record.tensors[info.name].astype(np.float64) for record in records]
    for i in places:
        same = [it for it in values if it.shape == values[i].shape]
        there = [~np.isnan(it) for it in same]
        counts = np.sum(there, axis=0)
        lost = np.isnan(values[i])
        if (counts[lost] == 0).any():
            raise InstanceError(
                f"input '{info.name}' has a missing value that no instance has, so that there is "
                "no mean",
                where=records[i].where,
                hint=Hint("choose {missing:baseline}"),
            )
        sums = np.sum([np.where(ok, it, 0.0) for ok, it in zip(there, same, strict=True)], axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = sums / counts
        made = np.where(lost, mean, values[i]).astype(info.array_dtype)
        tensors = {**records[i].tensors, info.name: made}
        records[i] = replace(records[i], tensors=tensors)


def named_after(metadata: ExplanationMetadata, records: Sequence[Instance]) -> ExplanationMetadata:
    """Return metadata whose one vector has the names that all instances' tables give to it."""
    names = {record.names for record in records}
    if len(names) != 1 or len(metadata.inputs) != 1:
        return metadata
    spec, found = metadata.inputs[0], names.pop()
    if found is None or spec.index_feature_mapping is not None:
        return metadata
    return replace(metadata, inputs=(replace(spec, index_feature_mapping=found),))
