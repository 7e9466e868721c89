"""What the records of a model hold, and which of their features metadata explain in the record."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pellucid.explain import RecordLists
from pellucid.inputs import serialized_example
from pellucid.linter import feature_names, in_records, parsed_records, summed_up
from pellucid.metadata import ExplanationMetadata, RecordFeature, RecordForm
from pellucid.model import Array
from pellucid.saved_model import MetaGraph, Signature

TYPES: Mapping[str, Any] = {"string": object, "int64": np.int64, "float32": np.float32}
"""The types that features of records have, as numpy holds them."""
_BLANKS: Mapping[str, Array] = {
    name: np.array([b"" if kind is object else 0], kind) for name, kind in TYPES.items()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class InRecord:
    """A feature that is changed in the record of the input `key`, and the lists that follow it."""

    key: str
    feature: RecordFeature
    followers: tuple[RecordFeature, ...] = ()


@dataclass(frozen=True)
class Records:
    """The records of one signature; `output` is what is explained, None if there are no records."""

    meta_graph: MetaGraph
    signature: Signature
    metadata: ExplanationMetadata
    output: str | None

    @cached_property
    def forms(self) -> dict[str, RecordForm]:
        """What the inputs hold that are records, by their keys."""
        if self.output is None:
            return {}
        return parsed_records(self.meta_graph, self.signature, self.output)

    @cached_property
    def inside(self) -> dict[str, InRecord]:
        """What metadata explain in the record itself, giving a feature the record's tensor."""
        found = in_records(self.metadata, self.meta_graph, self.signature)
        return {
            name: InRecord(key=key, feature=it, followers=self.forms[key].following(it.name))
            for name, (key, it) in found.items()
            if key in self.forms
        }

    @cached_property
    def lists(self) -> RecordLists:
        """The features that can only be changed in the record, by the names that metadata give."""
        called = feature_names(self.forms, self.signature)
        apart = {
            key: {called[key][it.name]: it.follows for it in form.features if it.apart}
            for key, form in self.forms.items()
        }
        return RecordLists(
            names={key: tuple(its) for key, its in apart.items() if its},
            followers={
                name: called[key][leader]
                for key, its in apart.items()
                for name, leader in its.items()
                if leader is not None
            },
        )

    @cached_property
    def ends(self) -> dict[str, bytes | None]:
        """The inputs that a batch may not end with an empty one of.

        With them comes what makes a record one with a value in all of its lists.
        """
        if self.output is None:
            return {}
        apart = summed_up(self.meta_graph, self.signature, self.output, self.forms)
        found: dict[str, bytes | None] = dict.fromkeys(apart)
        for key, form in self.forms.items():
            if form.sums:
                lists = {it.name: _BLANKS[it.dtype] for it in form.features if it.listed}
                found[key] = serialized_example(lists)
        return found

    def varying(self, tensors: Collection[str]) -> bool:
        """Whether one of some explained tensors is as long as each instance has it."""
        lists = {it.tensor for form in self.forms.values() for it in form.explained if it.listed}
        return not lists.isdisjoint(tensors)
