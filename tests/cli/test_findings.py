"""The formats of findings, each read by somebody else's reader."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import jsonschema
import pytest
from junitparser import JUnitXml

from pellucid.metadata.rules import RULES
from places import ROOT

SARIF = json.loads((ROOT / "tests" / "sarif" / "sarif-2.1.0-rtm.5.json").read_text("utf-8"))


@pytest.fixture
def models(tmp_path: Path, copy_of: Callable[[Path], Path], digits: Path) -> Path:
    """A folder with a model that is well, one with an error and a warning, and one that is empty."""
    copy_of(digits)
    odd = tmp_path / "odd, 100% <é>"
    odd.mkdir()
    (odd / "explanation_metadata.json").write_text(
        '{\n  "inputs": {"😀": {"input_tensor_name": "x:0", "modality": "photo"}},\n'
        '  "outputs": {"p": {"output_tensor_name": "p:0"}}\n}\n',
        "utf-8",
    )
    (tmp_path / "void").mkdir()
    (tmp_path / "void" / "saved_model.pb").touch()
    return tmp_path


def sarif(text: bytes | str) -> dict[str, Any]:
    """Reads a log, checks it against the standard's schema, and returns its only run."""
    log = json.loads(text)
    jsonschema.Draft4Validator(SARIF).validate(log)
    (run,) = log["runs"]
    return dict(run)


def test_sarif_is_valid_and_points_at_the_place(
    program: Any, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(models)
    done = program("validate-metadata", "--format", "sarif", models)
    assert done.code == 1
    run = sarif(done.out)
    assert run["columnKind"] == "unicodeCodePoints"
    driver = run["tool"]["driver"]
    assert [rule["id"] for rule in driver["rules"]] == ["MD013", "MD020", "MD100"]
    for rule in driver["rules"]:
        assert rule["defaultConfiguration"]["level"] == RULES[rule["id"]].severity.value
        assert rule["help"]["markdown"].startswith(f"## {rule['id']} {rule['name']}\n")
    places = []
    for it in run["results"]:
        assert driver["rules"][it["ruleIndex"]]["id"] == it["ruleId"]
        physical = it["locations"][0]["physicalLocation"]
        artifact, region = physical["artifactLocation"], physical["region"]
        assert artifact["uriBaseId"] == "%SRCROOT%"
        base = unquote(urlparse(run["originalUriBaseIds"]["%SRCROOT%"]["uri"]).path)
        assert Path(base, unquote(artifact["uri"])).is_file()
        columns = region.get("startColumn"), region.get("endColumn")
        places.append((it["ruleId"], it["level"], region["startLine"], *columns))
    # The column counts characters: the one before it is not in the basic plane.
    assert places == [
        ("MD020", "warning", 1, 1, None),
        ("MD013", "error", 2, 60, 67),
        ("MD100", "error", 1, None, None),
    ]
    assert run["results"][1]["message"]["text"].startswith("inputs['😀'].modality: 'photo' is not")
    assert run["results"][1]["locations"][0]["logicalLocations"] == [
        {"fullyQualifiedName": "inputs['😀'].modality"}
    ]


def test_sarif_of_a_file_elsewhere_has_an_absolute_uri(
    program: Any, models: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    run = sarif(program("validate-metadata", "--format", "sarif", models).out)
    uri = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert Path(unquote(urlparse(uri).path)).is_file()


def test_sarif_without_findings_is_valid(program: Any, digits: Path) -> None:
    done = program("validate-metadata", "--format", "sarif", digits)
    assert (done.code, sarif(done.out)["results"]) == (0, [])


def test_sarif_of_every_rule_is_valid(tmp_path: Path) -> None:
    from pellucid.linter.lint_model import Linted
    from pellucid.problems import Problem
    from pellucid_cli.output.sarif import as_sarif

    found = tuple(
        Problem(message=rule.doc, severity=rule.severity, code=code, rule=rule.name, file="m.json")
        for code, rule in RULES.items()
    )
    run = sarif(as_sarif([Linted(path=tmp_path, text=None, problems=found)]))
    assert len(run["results"]) == len(run["tool"]["driver"]["rules"]) == len(RULES)


def test_junit_has_a_suite_for_each_model_and_a_case_for_each_finding(
    program: Any, models: Path, tmp_path: Path
) -> None:
    target = tmp_path / "report.xml"
    done = program("validate-metadata", "--format", "junit", models, "-o", target)
    assert (done.code, done.out) == (1, b"")
    report = JUnitXml.fromfile(str(target))
    assert (report.tests, report.failures, report.errors, report.skipped) == (4, 2, 0, 0)
    well, odd, void = list(report)
    assert [suite.name for suite in (well, odd, void)] == [
        str(models / "model" / "explanation_metadata.json"),
        str(models / "odd, 100% <é>" / "explanation_metadata.json"),
        str(models / "void"),
    ]
    assert [(case.name, case.is_passed) for case in well] == [("explanation metadata", True)]
    warning, error = list(odd)
    assert (warning.name, warning.is_passed) == ("MD020 framework-missing at 1:1", True)
    assert warning.system_out == (
        f'{odd.name}:1:1: warning MD020 framework-missing: has no "framework": "tensorflow", which '
        "is assumed"
    )
    assert (error.name, error.classname, error.is_passed) == (
        "MD013 unknown-value at 2:60",
        odd.name,
        False,
    )
    (failure,) = error.result
    assert (failure.type, failure.message.partition(":")[0]) == (
        "error MD013",
        "inputs['😀'].modality",
    )
    assert [case.is_passed for case in void] == [False]


def test_junit_fails_warnings_when_they_fail(program: Any, models: Path) -> None:
    done = program("validate-metadata", "--format", "junit", "--strict", models)
    assert JUnitXml.fromstring(done.out).failures == 3


def test_junit_holds_no_character_that_xml_forbids(program: Any, tmp_path: Path) -> None:
    path = tmp_path / "a\x0bb.json"
    path.write_text('{"\\u0000<&]]>": 1}')
    done = program("validate-metadata", "--format", "junit", path)
    (suite,) = list(JUnitXml.fromstring(done.out))
    assert suite.name == f"{tmp_path}/a\\x0bb.json"


def test_markdown_is_a_table_below_the_summary(program: Any, models: Path) -> None:
    done = program("validate-metadata", "--format", "markdown", models)
    lines = done.out.decode().splitlines()
    assert lines[:4] == [
        "**3 files: 2 errors, 1 warning**",
        "",
        "| place | rule | finding |",
        "|---|---|---|",
    ]
    assert lines[-1].endswith(
        "/void/saved\\_model.pb | error MD100 bad-model | is empty (0 bytes); copy or export the "
        "model again |"
    )
    assert "100% \\<é\\>/explanation\\_metadata.json:1:1 | warning MD020" in lines[4]


def test_a_report_is_written_again_and_never_by_half(
    program: Any, models: Path, tmp_path: Path
) -> None:
    target = tmp_path / "report.json"
    target.write_text("old")
    program("validate-metadata", "--format", "json", models, "-o", target)
    assert len(json.loads(target.read_text())) == 3
    done = program(
        "validate-metadata", "--format", "json", models, "-o", tmp_path / "no" / "r.json"
    )
    assert done.code == 2
    assert done.err.endswith(f"cannot be written: there is no directory {tmp_path}/no\n")


def test_a_pipe_is_written_to_and_stays_a_pipe(program: Any, models: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE) as reader:
        program("validate-metadata", "--format", "json", models, "-o", pipe)
        assert reader.stdout is not None
        assert len(json.loads(reader.stdout.read())) == 3
    assert pipe.is_fifo()
    done = program(
        "convert-metadata", models / "model" / "explanation_metadata.json", "-o", "/dev/null"
    )
    assert done.code == 0 and Path("/dev/null").is_char_device()


def test_colour_is_for_terminals_and_those_who_ask(
    program: Any, models: Path, tmp_path: Path
) -> None:
    assert b"\x1b[" not in program("validate-metadata", models).out
    coloured = program("--color", "always", "validate-metadata", models).out.decode()
    assert "\x1b[31m\x1b[1merror MD013\x1b[0m" in coloured
    assert "\x1b[33m\x1b[1m^\x1b[0m" in coloured
    target = tmp_path / "report.txt"
    program("--color", "always", "validate-metadata", models, "-o", target)
    assert "\x1b[" not in target.read_text()


def test_carets_stand_below_what_is_meant(program: Any, tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text(
        '{"inputs": {"漢😀": {"input_tensor_name": "x:0", "modality": "photo", "k": 1}},\n'
        ' "outputs": {"p": {"output_tensor_name": "p:0",\n'
        '   "index_name_mapping": ["a", "b",\n "a"]}}, "framework": "tensorflow", "framework": NaN,\n'
        ' "tags": ["' + "x" * 200 + '", 1]}\n',
        "utf-8",
    )
    lines = program("validate-metadata", "-q", path).out.decode().splitlines()
    marked = {}
    for found, line, carets in zip(lines[::3], lines[1::3], lines[2::3], strict=True):
        # As a terminal shows it, in which two of the letters are two columns wide.
        shown = line.replace("漢", "漢_").replace("😀", "😀_")
        start, end = carets.index("^"), len(carets)
        assert set(carets[start:]) == {"^"}
        marked[found.split()[2]] = shown[start:end]
    assert marked == {
        "MD013": '"photo"',
        "MD010": '"k"',
        "MD031": '"a"',
        "MD002": '"framework"',
        "MD003": "NaN",
        "MD012": "1",
    }


def test_explain_prints_the_pages_of_rules(program: Any) -> None:
    done = program("validate-metadata", "--explain", "md034")
    assert (done.code, done.err) == (0, "")
    assert done.out.decode().startswith(
        "MD034 baseline-count\n\nError. Baselines are taken together by position across inputs, so "
        'all inputs that have baselines\nhave the same number of them.\n\nWrong:\n\n    "inputs": {\n'
    )
    assert program("validate-metadata", "--explain", "baseline-count").out == done.out
    every = program("validate-metadata", "--explain", "all").out.decode()
    assert all(f"{rule.code} {rule.name}\n" in every for rule in RULES.values())
    assert "```" not in every
    lines = program("validate-metadata", "--explain", "list").out.decode().splitlines()
    assert [line.split()[:3] for line in lines] == [
        [it.code, it.severity.value, it.name] for it in RULES.values()
    ]
    done = program("validate-metadata", "--explain", "MD34")
    assert done.code == 2
    assert "'MD34' is not a rule; did you mean 'MD034'" in done.err


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A document with far more faults than anybody reads: 2,000 errors, and a warning."""
    path = tmp_path_factory.mktemp("endless") / "metadata.json"
    bad = {f"key {number}": 0 for number in range(2000)}
    inputs = {"x": {"input_tensor_name": "x:0"}}
    outputs = {"p": {"output_tensor_name": "p:0"}}
    path.write_text(json.dumps({"inputs": inputs, "outputs": outputs, **bad}, indent=1), "utf-8")
    return path


@pytest.mark.parametrize("style", ["text", "json", "github", "sarif", "junit", "markdown"])
def test_so_many_findings_are_shown_and_the_others_counted(
    style: str, program: Any, endless: Path
) -> None:
    done = program("validate-metadata", "--format", style, endless)
    assert (done.code, done.err) == (1, "1 file: 2000 errors, 1 warning\n")
    text = done.out.decode()
    assert text.count("is not a known key") in (199, 2 * 199)  # the warning is the first finding
    said = "1801 more findings are not shown, 1801 of them errors; add --max-findings 0 to see all"
    assert text.count(said) == 1
    if style == "sarif":
        (note,) = sarif(text)["invocations"][0]["toolExecutionNotifications"]
        assert note["message"]["text"] == said
    if style == "json":
        assert len(json.loads(text)) == 201
        assert json.loads(text)[-1]["count"] == 1801


def test_how_many_findings_are_shown_is_for_people_to_say(program: Any, endless: Path) -> None:
    def lines(*options: Any) -> list[str]:
        done = program("validate-metadata", "--format", "github", *options, endless)
        assert done.code == 1
        return [str(line) for line in done.out.decode().splitlines()]

    assert len(lines("--max-findings", 0)) == 2001
    assert len(lines("--max-findings", 3)) == 4
    ignored = lines("--ignore", "MD010", "--strict")
    assert len(ignored) == 1 and "MD020" in ignored[0]
    assert len(lines("--select", "MD010", "--max-findings", 2000)) == 2000


def test_an_error_for_a_document_has_an_end(program: Any, endless: Path, digits: Path) -> None:
    done = program("explain", digits, endless, "--metadata", endless)
    assert done.code == 2
    assert done.err.count("\n") == 201
    assert done.err.endswith("has more errors than are shown here\n")


def test_a_document_of_a_hundred_thousand_faults_is_counted_and_not_kept(tmp_path: Path) -> None:
    from pellucid.linter import lint

    path = tmp_path / "metadata.json"
    keys = ", ".join(f'"k{number}": 0' for number in range(50_000))
    path.write_text('{"inputs": {' + keys + '}, "outputs": {}, "x": [' + "NaN, " * 50_000 + "0]}")
    found = lint(path)
    assert len(found.problems) < 5000
    assert sum(found.counts.values()) > 100_000
