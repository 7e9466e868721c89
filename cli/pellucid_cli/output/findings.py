"""How the linter's findings are written: for people, for programs, for GitHub."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from unicodedata import east_asian_width

from pellucid.linter import Linted
from pellucid.printable import encodable, printable
from pellucid.problems import Problem, Severity
from pellucid_cli.flags import flag
from pellucid_cli.output.left_out import errors_left, more
from pellucid_cli.streams import Styled, line

_WIDTH = 100
_COLORS = {Severity.ERROR: "red", Severity.WARNING: "yellow"}


def written(style: str, linted: Sequence[Linted], *, strict: bool) -> str:
    """Return all findings in the style that was asked for; `strict` says that warnings fail."""
    if style == "sarif":
        from pellucid_cli.output.sarif import as_sarif

        return as_sarif(linted)
    if style == "junit":
        from pellucid_cli.output.junit import as_junit

        return as_junit(linted, strict=strict)
    plain = {"text": as_text, "json": as_json, "github": as_github, "markdown": as_markdown}
    return plain[style](linted)


def problems(linted: Sequence[Linted]) -> Iterator[Problem]:
    """Yield the findings of all files."""
    for one in linted:
        yield from one.problems


def summary(linted: Sequence[Linted]) -> str:
    """Return ``3 files: 1 error, 2 warnings``."""
    found = sum((it.counts for it in linted), Counter[Severity]())
    errors, warnings = found[Severity.ERROR], found[Severity.WARNING]
    counts = ((len(linted), "file"), (errors, "error"), (warnings, "warning"))
    files, *rest = (f"{count} {word}{'' if count == 1 else 's'}" for count, word in counts)
    return f"{files}: {', '.join(rest)}"


def notes(linted: Sequence[Linted], *, resolutions: bool) -> Iterator[str]:
    """Yield what was inferred of models without metadata and, if asked for, how names resolved.

    With the latter comes what else is worth knowing of the model.
    """
    from pellucid.linter import shape_text

    for one in linted:
        if one.inferred:
            names = ", ".join(f"'{it.name}' ({it.modality.value})" for it in one.inferred.inputs)
            yield (
                f"{one.path}: has no explanation_metadata.json; inferred the inputs {names} "
                f"and the output '{one.inferred.output.name}'"
            )
        for note in one.notes if resolutions else ():
            yield f"{one.path}: {note}"
        for it in one.resolutions if resolutions else ():
            kind = f"{it.info.dtype} {shape_text(it.info.shape)}"
            yield f"{one.path}: {it.path}: '{it.resolved.written}' is {it.resolved.how}, {kind}"


def as_text(linted: Sequence[Linted]) -> str:
    """Return each problem on a line, with the line of its source and a caret below it."""
    lines: list[str] = []
    for one in linted:
        source = (one.text or "").removeprefix("\ufeff").split("\n")
        for it in one.problems:
            place = ":".join(str(part) for part in (it.file, it.line, it.column) if part)
            label = Styled(f"{it.severity.value} {it.code}", _COLORS[it.severity], bold=True)
            said = f" {it.rule}: {it.said(flag)}"
            lines.append(line(Styled(place, bold=True), ": ", label, said))
            if one.text is not None and it.file == str(one.path) and it.line:
                lines += _excerpt(source[it.line - 1], it)
        if more(one):
            lines.append(line(Styled(str(one.path), bold=True), f": {more(one)}"))
    return "".join(f"{it}\n" for it in lines)


def _excerpt(whole: str, problem: Problem) -> list[str]:
    """Return the line of a problem, and carets below what is meant."""
    number, column = problem.line or 1, problem.column or 1
    # A document on one line is long: show the part around the carets.
    start = max(0, column - 1 - _WIDTH // 2) if len(whole) > _WIDTH else 0
    part = "".join(it if it.isprintable() else " " for it in whole[start : start + _WIDTH]).rstrip()
    end = min(problem.end_column or 0, start + len(part) + 1)
    carets = "^" * max(1, end - column)
    margin = f"{number:5} | "
    marked = Styled(carets, _COLORS[problem.severity], bold=True)
    # Some letters take two columns of a terminal.
    before = sum(1 + (east_asian_width(it) in "WF") for it in whole[start : column - 1])
    return [line(margin, part), line(f"{' ' * (len(margin) - 2)}| {' ' * before}", marked)]


def as_json(linted: Sequence[Linted]) -> str:
    """Return a JSON list with an object for each problem, and one for those that are not shown."""
    made = []
    for one in linted:
        made += [_object(it) for it in one.problems]
        if said := more(one):
            worst = Severity.ERROR if errors_left(one) else Severity.WARNING
            rest = Problem(
                message=said, severity=worst, code="", rule="more-findings", file=str(one.path)
            )
            made.append({**_object(rest), "count": sum(one.left.values())})
    return json.dumps(made, indent=2) + "\n"


def _object(it: Problem) -> dict[str, object]:
    return {
        "file": it.file and encodable(it.file),
        "line": it.line,
        "column": it.column,
        "end_column": it.end_column,
        "path": encodable(it.path),
        "severity": it.severity.value,
        "code": it.code,
        "rule": it.rule,
        "message": it.text(flag),
    }


def as_github(linted: Sequence[Linted]) -> str:
    """Return a workflow command for each problem, which GitHub shows beside the line."""
    lines: list[str] = []
    for one in linted:
        lines += map(_command, one.problems)
        if said := more(one):
            lines.append(f"::notice file={_property(str(one.path))}::{_data(said)}\n")
    return "".join(lines)


def _command(it: Problem) -> str:
    fields = {"title": f"{it.rule} ({it.code})", "file": it.file, "line": it.line}
    fields["col"] = it.column
    given = ",".join(f"{key}={_property(str(part))}" for key, part in fields.items() if part)
    return f"::{it.severity.value} {given}::{_data(it.said(flag))}\n"


def _data(text: str) -> str:
    return printable(text).replace("%", "%25")


def _property(text: str) -> str:
    """Return a value such as a file's name, which has to be the file's."""
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return printable(text).replace(":", "%3A").replace(",", "%2C")


def as_markdown(linted: Sequence[Linted]) -> str:
    """Return the summary and a table, for a job's summary or a comment."""
    lines = [f"**{summary(linted)}**"]
    rows = list(problems(linted))
    if rows:
        lines += ["", "| place | rule | finding |", "|---|---|---|"]
    for it in rows:
        place = ":".join(str(part) for part in (it.file, it.line, it.column) if part)
        rule = f"{it.severity.value} {it.code} {it.rule}"
        lines.append(f"| {_cell(place)} | {rule} | {_cell(it.said(flag))} |")
    rest = [f"{_cell(str(one.path))}: {_cell(said)}" for one in linted if (said := more(one))]
    for note in rest:
        lines += ["", note]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """Return a text that Markdown takes as it is, in one cell of a table."""
    return "".join(f"\\{it}" if it in "\\`*_{}[]<>#|~" else it for it in printable(text))
