"""The rules of metadata that look at more than one value, one method for each part of a document.

What a single value may be is in the schema; here is what two of them say about each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from pathlib import Path as FilePath
from typing import Any

from pellucid.metadata.documents.baselines import parse_baselines
from pellucid.metadata.documents.document import Finding, Section
from pellucid.metadata.documents.json_positions import Path, quoted
from pellucid.metadata.parameters import ExplanationParameters
from pellucid.metadata.spec import (
    OPTIONS,
    Baseline,
    Dialect,
    Domain,
    Encoding,
    InputSpec,
    Modality,
    Nested,
    Option,
    OutputSpec,
    Visualization,
    VisualizationType,
)
from pellucid.problems import Severity

_WORDS = (Modality.TEXT, Modality.CATEGORICAL, Modality.STRUCTURED)


class MetadataReader:
    """The rules that look at more than one value, one method for each part of the document."""

    def __init__(
        self,
        findings: list[Finding],
        directory: FilePath,
        parameters: ExplanationParameters | None,
        dialect: Dialect,
    ) -> None:
        self.findings = findings
        self.dialect = dialect
        self.directory = directory
        self.parameters = parameters

    def find(self, code: str, message: str, path: Path, severity: Severity | None = None) -> None:
        """Note a problem; its severity is that of its rule unless another is given."""
        self.findings.append(Finding(code=code, message=message, path=path, severity=severity))

    def framework(self, section: Section) -> None:
        """Say that the framework is assumed."""
        if "framework" not in section:
            self.find("MD020", 'has no "framework": "tensorflow", which is assumed', section.path)

    def inputs(self, section: Section) -> tuple[InputSpec, ...] | None:
        """Return the inputs of a document, or None if it has no such object."""
        listed = section.section("inputs")
        if listed is None:
            return None
        made = [self.input(name, feature) for name, feature in listed.sections()]
        self.baseline_counts(listed)
        return tuple(made)

    def baseline_counts(self, listed: Section) -> None:
        """Compare how many baselines the inputs have: they are taken together by position."""
        first: tuple[str, int] | None = None
        for name, feature in listed.sections():
            for key in ("input_baselines", "encoded_baselines"):
                written = feature.get(key)
                count = len(written) if isinstance(written, list) else int(written is not None)
                if not count:
                    continue
                if first is None:
                    first = name, count
                elif count != first[1]:
                    message = (
                        f"has {count} baseline{'' if count == 1 else 's'}, "
                        f"input {quoted(first[0])} has {first[1]}; "
                        "all inputs with baselines need the same number"
                    )
                    self.find("MD034", message, feature.at(key))

    def input(self, name: str, feature: Section) -> InputSpec:
        """Return one input; what is not valid in it is left at its default."""
        encoding = Encoding(_value(feature.get("encoding")) or "identity")
        modality = Modality(feature.get("modality") or "numeric")
        # Without a modality, only the model tells whether its tensor holds text.
        unsaid = None if "modality" not in feature else False
        words = modality in _WORDS or encoding.is_embedding or unsaid
        mapping = feature.get("index_feature_mapping")
        self.encoding(feature, encoding, mapping)
        self.sparse(feature)
        if "input_baselines" in feature and "encoded_baselines" in feature:
            message = "has both input and encoded baselines; keep one kind"
            self.find("MD033", message, feature.path)
        self.modality(feature, modality)
        return InputSpec(
            name=name,
            tensor_name=feature.get("input_tensor_name"),
            encoding=encoding,
            modality=modality,
            input_baselines=self.baselines(feature, "input_baselines", words=words),
            encoded_tensor_name=feature.get("encoded_tensor_name"),
            encoded_baselines=self.baselines(feature, "encoded_baselines", words=False),
            indices_tensor_name=feature.get("indices_tensor_name"),
            dense_shape_tensor_name=feature.get("dense_shape_tensor_name"),
            weight_values_name=feature.get("weight_values_name"),
            weight_indices_name=feature.get("weight_indices_name"),
            weight_dense_shape_name=feature.get("weight_dense_shape_name"),
            index_feature_mapping=tuple(mapping) if mapping is not None else None,
            domain=self.domain(feature.section("domain")),
            visualization=self.visualization(feature, modality),
            group_name=feature.get("group_name"),
        )

    def modality(self, feature: Section, modality: Modality) -> None:
        """Find an input that the method does not explain."""
        method = self.parameters.method if self.parameters else None
        only = method.explains_only if method is not None else frozenset[Modality]()
        if not only or modality in only or _invalid(feature, "modality"):
            return
        # A category may stand beside a text; without a modality, only the model tells what it is.
        beside = "modality" not in feature or modality is Modality.CATEGORICAL
        if method is not None and not (Modality.TEXT in only and beside):
            kinds = sorted(it.value for it in only)
            listed = " or ".join(f'"{kind}"' for kind in kinds)
            message = (
                f"{method.title} explains {' and '.join(f'{kind}s' for kind in kinds)} only; "
                f'set "modality": {listed}'
            )
            self.find("MD048", message, feature.path)

    def baselines(self, feature: Section, key: str, *, words: bool | None) -> tuple[Baseline, ...]:
        """Return the baselines of a field, none if one of them is not valid."""
        return (
            parse_baselines(feature, key, self.findings, directory=self.directory, words=words)
            or ()
        )

    def encoding(self, feature: Section, encoding: Encoding, mapping: list[str] | None) -> None:
        """Check what an encoding needs beside it."""
        if encoding.is_bag and "index_feature_mapping" not in feature:
            message = f"encoding '{encoding.value}' needs index_feature_mapping, a name per index"
            self.find("MD030", message, feature.at("encoding"))
        if encoding.is_embedding and "encoded_tensor_name" not in feature:
            message = f"encoding '{encoding.value}' needs encoded_tensor_name"
            self.find("MD032", message, feature.at("encoding"))
        if mapping is not None:
            self.unique(mapping, feature.at("index_feature_mapping"))

    def unique(self, names: list[str], path: Path) -> None:
        """Note every name that occurs twice."""
        seen: dict[str, int] = {}
        for place, name in enumerate(names):
            if name in seen:
                message = f"{quoted(name)} is there already, at index {seen[name]}"
                self.find("MD031", message, (*path, place))
            seen.setdefault(name, place)

    def sparse(self, feature: Section) -> None:
        """Check that the tensors of a sparse input are complete."""
        pair = ("indices_tensor_name", "dense_shape_tensor_name")
        there = [key for key in pair if key in feature]
        if len(there) == 1:
            other = pair[1 - pair.index(there[0])]
            message = f"a sparse input needs {other} too"
            self.find("MD038", message, feature.at(there[0]))
        if there and "encoded_tensor_name" not in feature:
            self.sparse_gradient(feature, feature.at(there[0]))
        triple = ("weight_values_name", "weight_indices_name", "weight_dense_shape_name")
        missing = [key for key in triple if key not in feature]
        if len(missing) in (1, 2):
            present = next(key for key in triple if key in feature)
            message = f"weights need {' and '.join(missing)} too"
            self.find("MD040", message, feature.at(present))

    def sparse_gradient(self, feature: Section, path: Path) -> None:
        """Without parameters the method is not known yet, so that this is advice only."""
        method = self.parameters.method if self.parameters else None
        if method is None or method.uses_gradients:
            message = (
                "gradients of a sparse input are taken at encoded_tensor_name; "
                "name it or use sampled Shapley"
            )
            severity = None if method else Severity.WARNING
            self.find("MD039", message, path, severity)

    def domain(self, section: Section | None) -> Domain | None:
        """Return a domain, whose ends come together and in order."""
        if section is None:
            return None
        low, high = section.get("min"), section.get("max")
        if low == high == 0 and self.dialect is Dialect.VERTEX:
            low = high = None  # not set: messages spell out their defaults
        if ("min" in section) != ("max" in section):
            there = "min" if "min" in section else "max"
            message = f"has {quoted(section.spelled[there])} alone; give both ends or neither"
            self.find("MD041", message, section.path)
        elif low is not None and high is not None and low >= high:
            message = f"its least value {low} must be below its greatest value {high}"
            self.find("MD042", message, section.path)
        return Domain(
            minimum=low,
            maximum=high,
            original_mean=section.get("original_mean"),
            original_stddev=section.get("original_stddev"),
        )

    def visualization(self, feature: Section, modality: Modality) -> Visualization | None:
        """Return the visualization of an image, None if the input has none."""
        section = feature.section("visualization")
        if section is None:
            return None
        made = {name: _converted(section.get(name), it) for name, it in OPTIONS.items()}
        for name, option in OPTIONS.items():
            # A lower end of 0 says something beside an upper one, but not where all are defaults.
            if option.below in section.unset and made[name] == 0:
                made[name] = None
        if modality is not Modality.IMAGE and not _invalid(feature, "modality"):
            if section.spelled and all(it is None for it in made.values()):
                return None
            message = f"is for images only, modality is '{modality.value}'; set it to 'image'"
            self.find("MD044", message, feature.at("visualization"))
        kind = made["type"]
        method = self.parameters.method if self.parameters else None
        for name, option in OPTIONS.items():
            if name in section and kind is not None and option.type not in (None, kind):
                message = f"belongs to type '{option.type.value}', not '{kind.value}'"
                self.find("MD046", message, section.at(name))
            if option.below is not None:
                regions = method is not None and method.by_regions
                self.order(section, name, made, option, regions=regions)
        if kind is VisualizationType.OUTLINES and method is not None and method.by_regions:
            message = f"'outlines' is not recommended for {method.title}; use 'pixels'"
            self.find("MD049", message, section.at("type"))
        return Visualization(**made)

    def order(
        self,
        section: Section,
        name: str,
        made: Mapping[str, Any],
        option: Option,
        *,
        regions: bool,
    ) -> None:
        """Check that a setting is below the one that it has to be below, by default, too."""
        upper = str(option.below)
        low, high = made[name], made[upper]
        what = name.replace("below_", "").replace("_", " ")
        if low is not None and high is not None and low >= high:
            message = f"the lower {what} {low} must be below the upper one {high}"
            self.find("MD045", message, section.at(name))
        usual = option.usual(Dialect.AI_PLATFORM, regions=regions)
        if high is not None and low is None and not _invalid(section, name) and high <= usual:
            message = (
                f"the upper {what} {high} must be above the lower one, which is {usual:g} where it "
                "is not written"
            )
            self.find("MD045", message, section.at(upper), Severity.WARNING)

    def outputs(self, section: Section) -> tuple[OutputSpec, ...]:
        """Return the outputs of a document, in its order."""
        listed = section.section("outputs")
        if listed is None:
            return ()
        return tuple(self.output(name, output) for name, output in listed.sections())

    def output(self, name: str, output: Section) -> OutputSpec:
        """Return one output."""
        mapping = output.get("index_name_mapping")
        if "index_name_mapping" in output and "index_name_mapping_key" in output:
            first = output.spelled["index_name_mapping"]
            second = output.spelled["index_name_mapping_key"]
            self.find("MD047", f"has both '{first}' and '{second}'; keep one", output.path)
        return OutputSpec(
            name=name,
            tensor_name=output.get("output_tensor_name"),
            index_name_mapping=self.names(mapping, output.at("index_name_mapping"), {})
            if mapping is not None
            else None,
            index_name_mapping_key=output.get("index_name_mapping_key"),
        )

    def names(self, value: Any, path: Path, seen: dict[str, Path]) -> Nested:
        """Return names in nested tuples; that one occurs twice is said, as ImageNet's crane."""
        if isinstance(value, list):
            return tuple(self.names(item, (*path, place), seen) for place, item in enumerate(value))
        if value in seen:
            index = ", ".join(map(str, seen[value]))
            message = (
                f"{quoted(value)} is there already, at index {index}; the two are told apart by "
                "their index"
            )
            self.find("MD031", message, path, Severity.WARNING)
        seen.setdefault(value, tuple(it for it in path if isinstance(it, int)))
        return value  # type: ignore[no-any-return]


def _value(written: str | None) -> str | None:
    """Return the value of an enum, or None for Vertex's ``…_unspecified``, "the same as" unset."""
    return None if written is None or written.endswith("_unspecified") else written


def _converted(value: Any, option: Option) -> Any:
    """Return the value of a setting as its field has it; one that is unspecified is unset."""
    kind = type(option.default)
    if not issubclass(kind, Enum):
        return value
    written = _value(value)
    return None if written is None else kind(written)


def _invalid(section: Section, name: str) -> bool:
    return name in section and section.get(name) is None
