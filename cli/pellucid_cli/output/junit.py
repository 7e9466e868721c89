"""Findings as JUnit XML, which Jenkins and GitLab show as tests: one suite for each model."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from pellucid.linter import Linted
from pellucid.printable import printable
from pellucid.problems import Problem, Severity
from pellucid_cli.flags import flag
from pellucid_cli.output.left_out import more


def as_junit(linted: Sequence[Linted], *, strict: bool) -> str:
    """Return a suite for each file and a failed case for each error; a warning is a passed one.

    With `strict` warnings fail, too. A file without findings is one case that passed.
    """
    top = ElementTree.Element("testsuites", name="pellucid validate-metadata")
    for one in linted:
        suite = ElementTree.SubElement(top, "testsuite", name=printable(str(one.path)))
        failed = [_case(suite, one, it, strict=strict) for it in one.problems]
        if not failed:
            _add(suite, one, "explanation metadata")
        _count(suite, max(1, len(failed)), sum(failed))
        if said := more(one):
            ElementTree.SubElement(suite, "system-out").text = printable(said)
    suites = list(top)
    _count(top, *(sum(int(it.get(key, 0)) for it in suites) for key in ("tests", "failures")))
    ElementTree.indent(top)
    text = ElementTree.tostring(top, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _count(element: ElementTree.Element, tests: int, failures: int) -> None:
    for key, count in (("tests", tests), ("failures", failures), ("errors", 0), ("skipped", 0)):
        element.set(key, str(count))
    element.set("time", "0")


def _add(suite: ElementTree.Element, one: Linted, name: str) -> ElementTree.Element:
    path = printable(str(one.path))
    return ElementTree.SubElement(
        suite, "testcase", classname=path, name=printable(name), file=path, time="0"
    )


def _case(suite: ElementTree.Element, one: Linted, it: Problem, *, strict: bool) -> bool:
    """Add a finding; return whether it fails."""
    place = ":".join(str(part) for part in (it.file, it.line, it.column) if part)
    at = f" at {it.line}:{it.column}" if it.line else ""
    case = _add(suite, one, f"{it.code} {it.rule}{at}")
    said = it.said(flag)
    failed = strict or it.severity is Severity.ERROR
    if failed:
        kind = f"{it.severity.value} {it.code}"
        inner = ElementTree.SubElement(case, "failure", type=kind, message=printable(said))
    else:
        inner = ElementTree.SubElement(case, "system-out")
    inner.text = printable(f"{place}: {it.severity.value} {it.code} {it.rule}: {said}")
    return failed
