"""Findings as SARIF 2.1.0 (OASIS), which code scanning, editors and review tools read.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from pellucid import __version__
from pellucid.linter import Linted
from pellucid.metadata import RULES, page
from pellucid.printable import encodable
from pellucid.problems import Problem
from pellucid_cli.flags import flag
from pellucid_cli.output.left_out import more

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


def as_sarif(linted: Sequence[Linted]) -> str:
    """Return one run with a result for each problem, and the rules that found something."""
    found = [it for one in linted for it in one.problems]
    codes = sorted({it.code for it in found})
    run: dict[str, object] = {
        "tool": {
            "driver": {
                "name": "pellucid",
                "version": __version__,
                "rules": [_rule(code) for code in codes],
            }
        },
        "originalUriBaseIds": {"%SRCROOT%": {"uri": Path.cwd().as_uri() + "/"}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(it, codes.index(it.code)) for it in found],
    }
    told = [_notification(it, said) for it in linted if (said := more(it))]
    if told:
        run["invocations"] = [{"executionSuccessful": True, "toolExecutionNotifications": told}]
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _notification(one: Linted, said: str) -> dict[str, object]:
    place = {"physicalLocation": {"artifactLocation": _artifact(str(one.path))}}
    return {"level": "note", "message": {"text": said}, "locations": [place]}


def _rule(code: str) -> dict[str, object]:
    rule = RULES[code]
    return {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": rule.doc},
        "help": {"text": rule.doc, "markdown": page(code)},
        "defaultConfiguration": {"level": rule.severity.value},
    }


def _result(it: Problem, rule: int) -> dict[str, object]:
    # Code scanning wants a line even of a file that has none.
    region = {"startLine": it.line or 1}
    if it.column:
        region["startColumn"] = it.column
    if it.end_column:
        region["endColumn"] = it.end_column
    location: dict[str, object] = {
        "physicalLocation": {"artifactLocation": _artifact(it.file or ""), "region": region}
    }
    if it.path:
        location["logicalLocations"] = [{"fullyQualifiedName": encodable(it.path)}]
    return {
        "ruleId": it.code,
        "ruleIndex": rule,
        "level": it.severity.value,
        "message": {"text": it.said(flag)},
        "locations": [location],
    }


def _artifact(file: str) -> dict[str, str]:
    """Return the place of a file: from the working directory, if it lies in it."""
    absolute = Path(file).absolute()
    if absolute.is_relative_to(Path.cwd()):
        relative = absolute.relative_to(Path.cwd()).as_posix()
        return {"uri": quote(os.fsencode(relative)), "uriBaseId": "%SRCROOT%"}
    return {"uri": absolute.as_uri()}
