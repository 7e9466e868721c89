"""How the linter's findings are written: for people, for programs, for GitHub."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import click

from pellucid.spec import Problem, Severity

_WIDTH = 100
_COLORS = {Severity.ERROR: "red", Severity.WARNING: "yellow"}


def as_text(problems: Sequence[Problem], texts: Mapping[str, str]) -> str:
    """Return each problem on a line, with the line of its source and a caret below it."""
    lines: list[str] = []
    for it in problems:
        place = ":".join(str(part) for part in (it.file, it.line, it.column) if part)
        label = click.style(f"{it.severity.value} {it.code}", fg=_COLORS[it.severity], bold=True)
        where = f"{it.path}: " if it.path else ""
        lines.append(f"{click.style(place, bold=True)}: {label} {it.rule}: {where}{it.message}")
        source = texts.get(it.file or "")
        if source is not None and it.line and it.column:
            lines += _excerpt(source, it.line, it.column, _COLORS[it.severity])
    return "".join(f"{line}\n" for line in lines)


def _excerpt(source: str, line: int, column: int, color: str) -> list[str]:
    lines = source.removeprefix("\ufeff").split("\n")
    shown = "".join(it if it.isprintable() else " " for it in lines[line - 1])
    # A document on one line is long: show the part around the caret.
    start = max(0, column - 1 - _WIDTH // 2) if len(shown) > _WIDTH else 0
    part = shown[start : start + _WIDTH].rstrip()
    margin = f"{line:5} | "
    caret = " " * (column - 1 - start) + click.style("^", fg=color, bold=True)
    return [f"{margin}{part}", f"{' ' * (len(margin) - 2)}| {caret}"]


def as_json(problems: Sequence[Problem]) -> str:
    """Return a JSON list with an object for each problem."""
    return json.dumps([_object(it) for it in problems], indent=2) + "\n"


def _object(it: Problem) -> dict[str, object]:
    return {
        "file": it.file,
        "line": it.line,
        "column": it.column,
        "path": it.path,
        "severity": it.severity.value,
        "code": it.code,
        "rule": it.rule,
        "message": it.message,
    }


def as_github(problems: Sequence[Problem]) -> str:
    """Return a workflow command for each problem, which GitHub shows beside the line."""
    lines: list[str] = []
    for it in problems:
        fields = {"title": f"{it.rule} ({it.code})", "file": it.file, "line": it.line}
        fields["col"] = it.column
        given = ",".join(f"{key}={_property(str(part))}" for key, part in fields.items() if part)
        where = f"{it.path}: " if it.path else ""
        lines.append(f"::{it.severity.value} {given}::{_data(where + it.message)}\n")
    return "".join(lines)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
