"""A document read along its JSON Schema: one structure for both dialects, and all its faults.

The published schemas in ``schemas/`` are also what this walks along. It understands the keywords
that they use, and three things that a general validator cannot do: keys in either spelling (camel
and snake case) become one name, values that ignore case become lower case, and each part keeps the
path under which it was written, so that a message points at the text as it stands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Any, Final

from pellucid.errors import did_you_mean
from pellucid.metadata.documents.json_positions import (
    JsonSource,
    Path,
    load,
    path_text,
    printable,
    quoted,
    read,
)
from pellucid.metadata.rules import RULES
from pellucid.metadata.spec import OPTIONS, Dialect
from pellucid.notices import Hint
from pellucid.problems import Problem, Severity

VERTEX_NAMES: Final = {
    "feature_value_domain": "domain",
    "min_value": "min",
    "max_value": "max",
    **{it.vertex_key: name for name, it in OPTIONS.items() if it.vertex_key is not None},
    "index_display_name_mapping": "index_name_mapping",
    "display_name_mapping_key": "index_name_mapping_key",
}
"""Vertex fields, in snake case, that AI Platform calls otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A problem before its place in the text is known; `at_key` points at the key."""

    code: str
    message: str
    path: Path
    at_key: bool = False
    severity: Severity | None = None
    hint: Hint | None = None


@dataclass(slots=True)
class Section:
    """An object of the document: values by their common name, invalid ones left out.

    A name is ``in`` the section when the document has it, valid or not, so that one fault does not
    bring about a second one.
    """

    path: Path
    values: dict[str, Any] = field(default_factory=dict)
    spelled: dict[str, str] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return name in self.spelled

    def get(self, name: str) -> Any:
        """Return the valid value of a field, or None."""
        return self.values.get(name)

    def section(self, name: str) -> Section | None:
        """Return the valid object in a field, or None."""
        value = self.values.get(name)
        return value if isinstance(value, Section) else None

    def sections(self) -> Iterator[tuple[str, Section]]:
        """Yield the objects of a map by key."""
        for name, value in self.values.items():
            if isinstance(value, Section):
                yield name, value

    def at(self, name: str) -> Path:
        """Return the path of a field as it is written."""
        return (*self.path, self.spelled.get(name, name))


@cache
def schema(dialect: Dialect) -> Any:
    """Return the published JSON Schema of a dialect."""
    name = "vertex" if dialect is Dialect.VERTEX else "ai_platform"
    return json.loads(
        (files("pellucid.metadata") / "schemas" / f"{name}.schema.json").read_text("utf-8")
    )


def walk(
    value: object, definition: str, dialect: Dialect, findings: list[Finding], path: Path = ()
) -> Section | None:
    """Return the document's object along a definition of the schema; None if it is no object."""
    walker = _Walker(schema(dialect)["$defs"], dialect, findings)
    made = walker.walk(value, {"$ref": f"#/$defs/{definition}"}, path)
    return made if isinstance(made, Section) else None


_INVALID: Final = object()
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "number": (int, float),
    "integer": (int,),
}
_ARTICLES: Final = {"object": "an object", "array": "a list", "integer": "an integer"}


class _Walker:
    def __init__(self, definitions: Any, dialect: Dialect, findings: list[Finding]) -> None:
        self.definitions = definitions
        self.vertex = dialect is Dialect.VERTEX
        self.findings = findings

    def find(self, code: str, message: str, path: Path, *, at_key: bool = False) -> None:
        self.findings.append(Finding(code=code, message=message, path=path, at_key=at_key))

    def walk(self, value: object, rule: Mapping[str, Any], path: Path) -> Any:
        while "$ref" in rule:
            rule = self.definitions[rule["$ref"].rpartition("/")[2]]
        wanted = rule.get("type", [])
        wanted = [wanted] if isinstance(wanted, str) else wanted
        if wanted and not any(_is(value, kind) for kind in wanted):
            kinds = " or ".join(_ARTICLES.get(kind, f"a {kind}") for kind in wanted)
            self.find("MD012", f"must be {kinds}, not {describe(value)}", path)
            return _INVALID
        if "enum" in rule:
            return self.choice(str(value), rule, path)
        if isinstance(value, dict) and ("properties" in rule or "additionalProperties" in rule):
            return self.object(value, rule, path)
        if (
            isinstance(value, list)
            and "items" in rule
            and rule["items"] != {"$ref": "#/$defs/baseline"}
        ):
            made = [self.walk(it, rule["items"], (*path, at)) for at, it in enumerate(value)]
            return _INVALID if any(it is _INVALID for it in made) else made
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self.number(value, rule, path, integer="integer" in wanted)
        return value

    def choice(self, value: str, rule: Mapping[str, Any], path: Path) -> Any:
        known = list(rule["enum"])
        if value in known:
            return value.lower()
        if rule.get("x-ignore-case") and value.lower() in [it.lower() for it in known]:
            return value.lower()
        shown = [it for it in known if not it.endswith("_UNSPECIFIED")]
        listed = " or ".join(f"'{it}'" for it in shown) if len(shown) < 3 else _listed(shown)
        near = did_you_mean(value, shown, count=1)
        self.find("MD013", f"{quoted(value)} is not known, must be {listed}{near}", path)
        return _INVALID

    def number(self, value: float, rule: Mapping[str, Any], path: Path, *, integer: bool) -> Any:
        low, high = rule.get("minimum"), rule.get("maximum")
        beyond = rule.get("x-service-maximum")
        above = rule.get("exclusiveMinimum")
        shown = value if abs(value) < 1e15 else f"{float_text(value)}"
        if above is not None and value <= above:
            self.find("MD014", f"{shown} is out of range, must be more than {above}", path)
            return _INVALID
        if rule.get("not") == {"const": 0} and (value == 0 or value < -1):
            self.find("MD014", f"{shown} is out of range, must be 1 or more, or -1 for all", path)
            return _INVALID
        if (low is not None and value < low) or (high is not None and value > high):
            top = high if high is not None else beyond
            limits = f"{low} to {top}" if top is not None else f"{low} or more"
            self.find("MD014", f"{shown} is out of range, must be {limits}", path)
            return _INVALID
        if beyond is not None and value > beyond:
            message = f"{shown} is beyond the services' range {low} to {beyond}; it is used anyway"
            self.find("MD015", message, path)
        return int(value) if integer else value

    def object(self, value: dict[str, Any], rule: Mapping[str, Any], path: Path) -> Section:
        made = Section(path)
        known: Mapping[str, Any] = rule.get("properties", {})
        patterns: Mapping[str, Any] = rule.get("patternProperties", {})
        others = rule.get("additionalProperties")
        for key, item in value.items():
            here = (*path, key)
            name, field_rule = key, others
            if known:
                spelled = self.spelling(key, known)
                if spelled is None:
                    if not any(re.search(pattern, key) for pattern in patterns):
                        self.unknown(key, known, here)
                    continue
                field_rule = known[spelled]
                name = self.common(spelled)
                if key not in (spelled, snake(spelled) if self.vertex else spelled):
                    self.find("MD017", f"the key is written '{spelled}'", here, at_key=True)
                if name in made:
                    first = quoted(made.spelled[name])
                    self.find("MD002", f"the key is there already, as {first}", here, at_key=True)
                    continue
                if field_rule.get("deprecated"):
                    self.find("MD016", "has no effect any more; remove it", here, at_key=True)
            made.spelled[name] = key
            walked = self.walk(item, field_rule, here) if isinstance(field_rule, dict) else item
            if walked is not _INVALID:
                made.values[name] = walked
        for key in rule.get("required", ()):
            if self.common(key) not in made:
                self.find("MD011", f"has no '{key}', which is required", path)
        return made

    def spelling(self, key: str, known: Mapping[str, Any]) -> str | None:
        if key in known:
            return key
        folded = self.fold(key)
        return next((name for name in known if self.fold(name) == folded), None)

    def fold(self, key: str) -> str:
        return key.lower().replace("_", "") if self.vertex else key.lower()

    def common(self, key: str) -> str:
        return VERTEX_NAMES.get(snake(key), snake(key)) if self.vertex else key

    def unknown(self, key: str, known: Mapping[str, Any], path: Path) -> None:
        own = {self.common(name): name for name in known}
        # The other dialect's word for the same thing is the likeliest mistake.
        other = VERTEX_NAMES.get(snake(key), snake(key))
        current = [name for name, rule in known.items() if not rule.get("deprecated")]
        near = (
            f"; did you mean '{own[other]}'?"
            if other in own
            else did_you_mean(key, current, count=1)
        )
        if not near:
            near = f"; known keys are {_listed(current, 'and')}"
        self.find("MD010", f"is not a known key{near}", path, at_key=True)


def _is(value: object, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[kind])


def _listed(words: list[str], last: str = "or") -> str:
    quoted_words = [f"'{word}'" for word in words]
    if len(quoted_words) == 1:
        return quoted_words[0]
    return f"{', '.join(quoted_words[:-1])} {last} {quoted_words[-1]}"


def snake(key: str) -> str:
    """Return a camelCase key in snake_case."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", key).lower()


def camel(key: str) -> str:
    """Return a snake_case key in camelCase."""
    first, *rest = key.split("_")
    return first + "".join(word.capitalize() for word in rest)


def spelled(name: str, dialect: Dialect) -> str:
    """Return a field's common name as a dialect writes it."""
    if dialect is Dialect.AI_PLATFORM:
        return name
    return {common: camel(word) for word, common in VERTEX_NAMES.items()}.get(name, camel(name))


def float_text(value: float) -> str:
    """Return a number in few digits, however long it is."""
    try:
        return f"{float(value):g}"
    except OverflowError:
        return "a number too large"


def describe(value: object) -> str:
    """Return what a JSON value is, for a sentence: ``the string '0.5'``."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {value if abs(value) < 1e15 else float_text(value)}"
        case str():
            return f"the string {quoted(value)}"
        case list():
            return "a list"
        case _:
            return "an object"


def problems_of(
    findings: list[Finding], text: str | None, file: str | None, source: JsonSource | None = None
) -> tuple[Problem, ...]:
    """Return findings as problems with their places, in the order of the text."""
    if not findings:
        return ()
    if source is None and text is not None:
        source = read(text)
    found: list[Problem] = []
    for finding in findings:
        rule = RULES[finding.code]
        place = source.place(finding.path, key=finding.at_key) if source else (None, None, None)
        found.append(
            Problem(
                message=printable(finding.message),
                hint=finding.hint and finding.hint.each(printable),
                path=path_text(finding.path),
                line=place[0],
                column=place[1],
                end_column=place[2],
                severity=finding.severity or rule.severity,
                code=rule.code,
                rule=rule.name,
                file=file,
            )
        )
    return tuple(sorted(found, key=lambda it: (it.line or 0, it.column or 0, it.code)))


def text_problems(source: JsonSource, file: str | None) -> tuple[Problem, ...]:
    """Return the faults of the text itself as problems."""
    found: list[Problem] = []
    for fault in source.faults:
        rule = RULES[fault.code]
        place = source.place_of_fault(fault)
        found.append(
            Problem(
                message=fault.message,
                path=path_text(fault.path),
                line=place[0],
                column=place[1],
                end_column=place[2],
                severity=rule.severity,
                code=rule.code,
                rule=rule.name,
                file=file,
            )
        )
    return tuple(found)


def locate(problems: tuple[Problem, ...], text: str) -> tuple[Problem, ...]:
    """Return problems that have a path and no place with their line and column in `text`."""
    if all(it.line is not None for it in problems):
        return problems
    _, source = load(text)
    source = source or read(text)
    places = {_folded(path_text(path)): path for path in source.values}
    located: list[Problem] = []
    for problem in problems:
        if problem.line is None:
            path = _folded(problem.path)
            # An ExplanationSpec has its metadata one level down; a missing key has only parents.
            while path and path not in places and f"metadata.{path}" not in places:
                shorter = re.sub(r"(\.?[^.\[\]]+|\[[^\]]*\])$", "", path)
                path = shorter if shorter != path else ""
            where = places.get(path, places.get(f"metadata.{path}", ()))
            line, column, end = source.place(where)
            inner = bool(where) and str(where[0]).lower() == "metadata"
            said = f"{where[0]}.{problem.path}" if inner else problem.path
            problem = replace(problem, path=said, line=line, column=column, end_column=end)
        located.append(problem)
    return tuple(sorted(located, key=lambda it: (it.line or 0, it.column or 0, it.code)))


def _folded(path: str) -> str:
    return path.lower().replace("_", "")
