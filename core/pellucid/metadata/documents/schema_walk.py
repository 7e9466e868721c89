"""A document read along its JSON Schema: one structure for both dialects, and all its faults.

Before the judge sees it, spellings are folded: keys in either spelling (camel and snake case) and
in any letter case become the schema's, values that ignore case become its own. What the judge finds
gets the path under which it is written, so that a message points at the text as it stands, and is
taken out of what was read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pellucid.metadata.documents.baselines import DEEPEST, baseline_message, is_too_deep
from pellucid.metadata.documents.document import INVALID, Finding, Findings, Section
from pellucid.metadata.documents.json_positions import Path, quoted
from pellucid.metadata.documents.schema_judge import Fault, Grammar, Rule, grammar, judge
from pellucid.metadata.published_schemas import EXACT, unset_values
from pellucid.metadata.spec import Dialect
from pellucid.metadata.spellings import folded, lowered

DEEPEST_NAMES: Final = 24


def walk(
    value: object,
    definition: str,
    dialect: Dialect,
    findings: list[Finding],
    path: Path = (),
    *,
    defaults: bool = False,
) -> Section | None:
    """Return an object as a definition of the schema has it; None if it is no object.

    Its faults go to `findings`. With `defaults` a number of steps or paths may be left out, as AI
    Platform has it.
    """
    walker = _Walker(dialect, findings, path)
    document, read = walker.fold(value, grammar(dialect).definitions[definition], path)
    unset = {known: section.unset for known, (section, _) in walker.sections.items()}
    full = findings.full if isinstance(findings, Findings) else lambda code: False
    most = findings.most if isinstance(findings, Findings) else None
    for fault in judge(document, definition, dialect, unset, full, most):
        if not (defaults and fault.keyword == "anyOf"):
            walker.note(fault, document)
    return read if isinstance(read, Section) else None


class _Walker:
    """One document on its way: folded for the judge, read for us, and then rid of what is wrong."""

    def __init__(self, dialect: Dialect, findings: list[Finding], path: Path) -> None:
        self.dialect = dialect
        self.grammar: Grammar = grammar(dialect)
        self.findings = findings
        self.path = path
        # What was read of an object, or of a list of baselines, by the identity of what is judged.
        self.sections: dict[int, tuple[Section, Mapping[str, str] | None]] = {}
        self.baselines: dict[int, list[Any]] = {}

    def find(self, code: str, message: str, path: Path, *, at_key: bool = False) -> None:
        self.findings.append(Finding(code=code, message=message, path=path, at_key=at_key))

    def fold(self, value: Any, rule: Rule, path: Path) -> tuple[Any, Any]:
        """Return a value in the schema's own spelling, and as it is read.

        What is inside a list or an object of which the schema says nothing is not judged, so that
        nothing is deeper than the schema.
        """
        rule = self.grammar.resolved(rule)
        if isinstance(value, dict):
            described = "properties" in rule or "additionalProperties" in rule
            return self.section(value, rule, path) if described else ({}, value)
        if isinstance(value, list):
            return self.items(value, rule["items"], path) if "items" in rule else ([], value)
        if isinstance(value, str) and "enum" in rule:
            return self.grammar.words(rule).get(lowered(value), value), value.lower()
        if isinstance(value, float) and value.is_integer() and "integer" in rule.get("type", ()):
            return value, int(value)
        return value, value

    def section(self, value: dict[str, Any], rule: Rule, path: Path) -> tuple[Any, Section]:
        made, judged = Section(path), dict[str, Any]()
        keys = self.grammar.keys(rule)
        self.sections[id(judged)] = made, keys.common if keys else None
        for key, item in value.items():
            own, name, inner = key, key, rule.get("additionalProperties")
            if keys is not None:
                if (known := keys.folded.get(folded(key, self.dialect))) is None:
                    judged[key] = None
                    continue
                own, name, inner = known, keys.common[known], rule["properties"][known]
                here = (*path, key)
                if key not in keys.usual:
                    self.find("MD017", f"the key is written '{own}'", here, at_key=True)
                if name in made:
                    first = quoted(made.spelled[name])
                    self.find("MD002", f"the key is there already, as {first}", here, at_key=True)
                    continue
                if self.is_unset(item, inner):
                    made.unset[name] = item
                    continue
            made.spelled[name] = key
            judged[own], read = (
                self.fold(item, inner, (*path, key)) if isinstance(inner, dict) else (None, item)
            )
            if read is not INVALID:
                made.values[name] = read
        return judged, made

    def is_unset(self, value: Any, rule: Rule) -> bool:
        """Whether a value spells out that its field is not set."""
        if value or isinstance(value, bool) or value is None:
            return False
        return value in unset_values(self.grammar.resolved(rule), self.dialect)

    def items(self, value: list[Any], rule: Rule, path: Path) -> tuple[list[Any], Any]:
        rule = self.grammar.resolved(rule)
        if rule.get("x-rule") == EXACT:
            return self.baseline_list(value, path)
        free = self.grammar.free(rule)
        if len(path) >= DEEPEST_NAMES:
            self.find("MD012", "must be a string, lists are nested too deep here", path)
            return [], INVALID
        if all(type(it) in free for it in value):
            return value, value
        pairs = [self.fold(it, rule, (*path, at)) for at, it in enumerate(value)]
        read = [it for _, it in pairs]
        return [it for it, _ in pairs], INVALID if any(it is INVALID for it in read) else read

    def baseline_list(self, value: list[Any], path: Path) -> tuple[list[Any], list[Any]]:
        """Return baselines, each of which is valid as a whole or not at all."""
        judged, read = list(value), list(value)
        for at, item in enumerate(value):
            if is_too_deep(item):
                message = f"lists are nested more than {DEEPEST} deep"
                self.find(EXACT, message, (*path, at))
                judged[at], read[at] = 0, INVALID
        self.baselines[id(judged)] = read
        return judged, read

    def note(self, fault: Fault, node: Any) -> None:
        """Note a fault at the place where it is written, and take out what it spoils."""
        written = list(self.path)
        holder: tuple[Section, str] | None = None
        for part in fault.path:
            if isinstance(node, dict):
                section, common = self.sections[id(node)]
                name = str(part) if common is None else common.get(str(part), "")
                written.append(section.spelled.get(name, part))
                holder = section, name
            else:
                written.append(part)
                if (read := self.baselines.get(id(node))) is not None:
                    # However much is wrong with a baseline, it is one fault.
                    if read[int(part)] is not INVALID:
                        message = baseline_message(read[int(part)], fault.keyword, fault.instance)
                        self.find(EXACT, message, tuple(written))
                        read[int(part)] = INVALID
                    return
            node = node[part]
        if fault.spoils and holder is not None:
            holder[0].values.pop(holder[1], None)
        self.find(fault.code, fault.message, tuple(written), at_key=fault.at_key)
