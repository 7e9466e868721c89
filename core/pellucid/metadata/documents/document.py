"""Documents as they are given and as they are read, and what is found in them.

A document is a text or an object, and is parsed once. A `Section` is one of its objects in the one
structure of both dialects; a `Finding` becomes a `Problem` when its place in the text is looked up.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

from pellucid.metadata.documents.json_positions import (
    DEEPEST,
    NOT_A_NUMBER,
    JsonSource,
    Path,
    load,
    path_text,
    printable,
    quoted,
    read,
)
from pellucid.metadata.rules import RULES
from pellucid.notices import Hint
from pellucid.problems import Problem, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A problem before its place in the text is known; `at_key` points at the key."""

    code: str
    message: str
    path: Path
    at_key: bool = False
    severity: Severity | None = None
    hint: Hint | None = None


Left: TypeAlias = "Counter[tuple[str, Severity]]"
"""How many problems are counted and not kept, by rule and severity."""

MOST: Final = 1_000
"""So many problems of one rule are kept; a document of a million faults is read all the same."""


class Findings(list[Finding]):
    """What was found: at most `most` of each rule and severity; `left` counts the others."""

    def __init__(self, most: int | None = MOST) -> None:
        super().__init__()
        self.most = most
        self.left: Left = Counter()
        self._kept: Left = Counter()

    def append(self, finding: Finding) -> None:
        """Keep a finding, or count it."""
        kind = finding.code, finding.severity or RULES[finding.code].severity
        if self.full(*kind):
            self.left[kind] += 1
            return
        self._kept[kind] += 1
        super().append(finding)

    def full(self, code: str, severity: Severity | None = None) -> bool:
        """Whether no more findings of a rule are kept, so that nobody will read what they say."""
        kind = code, severity or RULES[code].severity
        return self.most is not None and self._kept[kind] >= self.most


@dataclass(slots=True)
class Section:
    """An object of the document: values by their common name, invalid ones left out.

    A name is ``in`` the section when the document has it, valid or not, so that one fault does not
    bring about a second one. What is `unset` has the value by which protobuf says so, and is not in
    it.
    """

    path: Path
    values: dict[str, Any] = field(default_factory=dict)
    spelled: dict[str, str] = field(default_factory=dict)
    unset: dict[str, Any] = field(default_factory=dict)

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


INVALID: Final = object()
"""Stands in a list for an item that is not valid, so that the others keep their places."""


@dataclass(slots=True)
class Document:
    """A document as it was given: its value, and the text with the places of its parts, if any."""

    value: Any
    text: str | None = None
    faults: tuple[Finding, ...] = ()
    _source: JsonSource | None = None

    @property
    def source(self) -> JsonSource | None:
        """Where things stand in the text, read only when it is asked for."""
        if self._source is None and self.text is not None:
            self._source = read(self.text)
        return self._source

    @property
    def left(self) -> Left:
        """How many more faults its text has."""
        counted = self._source.left.items() if self._source else ()
        return Counter({(code, RULES[code].severity): count for code, count in counted})

    def problems(self, file: str | None) -> tuple[Problem, ...]:
        """Return the faults that the document has before anything is asked of its values."""
        if self._source is None:
            return problems_of(list(self.faults), self, file)
        return text_problems(self._source, file) if self._source.faults else ()


def opened(given: object, most: int | None = MOST) -> Document:
    """Return the document of a JSON text, or of an object that stands for one.

    Of the faults of the text, at most `most` of each kind are kept.
    """
    if isinstance(given, Document):
        return given
    if isinstance(given, str):
        value, source = load(given, most)
        return Document(value, given, _source=source)
    faults: list[Finding] = []
    return Document(plain(given, faults), faults=tuple(faults))


def plain(value: object, findings: list[Finding], path: Path = ()) -> Any:
    """Return an object as JSON text would give it back, and note what no text can say."""
    match value:
        case float() if not math.isfinite(value):
            message = f"{_CONSTANTS.get(str(value), 'NaN')} is not JSON; write a number"
            findings.append(Finding(code=NOT_A_NUMBER, message=message, path=path))
            return 0
        case Mapping() | list() | tuple() if len(path) > DEEPEST:
            message = f"lists and objects are nested more than {DEEPEST} deep"
            findings.append(Finding(code="MD001", message=message, path=path))
            return None
        case Mapping():
            return {str(key): plain(it, findings, (*path, str(key))) for key, it in value.items()}
        case list() | tuple():
            return [plain(it, findings, (*path, at)) for at, it in enumerate(value)]
    return value


_CONSTANTS: Final = {"inf": "Infinity", "-inf": "-Infinity"}


def within_model(value: Any) -> tuple[Path, Any]:
    """Return the ``explanationSpec`` of a Model and where it is; of anything else, itself."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key.lower() in ("explanationspec", "explanation_spec"):
                return (key,), inner
    return (), value


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
    findings: list[Finding], document: Document | None, file: str | None
) -> tuple[Problem, ...]:
    """Return findings as problems, in the order of the text and with their places in it."""
    if not findings:
        return ()
    source = document.source if document else None
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


def locate(problems: tuple[Problem, ...], given: str | Document) -> tuple[Problem, ...]:
    """Return problems that have a path and no place with their line and column in a text."""
    source = None if all(it.line is not None for it in problems) else opened(given).source
    if source is None:
        return problems
    places = {_folded(path_text(path)): path for path in source.values}
    # An ExplanationSpec has its metadata one level down, and a Model one more.
    homes = [path for path in source.values if path and _is_home(path)]
    home = max(homes, key=len, default=())
    prefix = f"{_folded(path_text(home))}." if home else ""
    located: list[Problem] = []
    for problem in problems:
        if problem.line is None:
            path = _folded(problem.path)
            while path and prefix + path not in places:  # a missing key has only parents
                shorter = re.sub(r"(\.?[^.\[\]]+|\[[^\]]*\])$", "", path)
                path = shorter if shorter != path else ""
            where = places[prefix + path] if path else ()
            line, column, end = source.place(where)
            said = f"{path_text(home)}.{problem.path}" if where and home else problem.path
            problem = replace(problem, path=said, line=line, column=column, end_column=end)
        located.append(problem)
    return tuple(sorted(located, key=lambda it: (it.line or 0, it.column or 0, it.code)))


def _is_home(path: Path) -> bool:
    """Whether the metadata of a document stand at a path of it, below its top level."""
    *outer, last = (_folded(str(it)) for it in path)
    return last in ("metadata", "explanationmetadata") and outer in ([], ["explanationspec"])


def _folded(path: str) -> str:
    return path.lower().replace("_", "")
