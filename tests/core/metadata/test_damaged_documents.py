"""Any file at all beside a real model: findings, in every format, and never a traceback."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.errors import SpecError
from pellucid.linter.lint_model import Linted, lint
from pellucid.metadata.documents.convert import convert_metadata
from pellucid.metadata.rules import RULES
from pellucid_cli.output.findings import written
from places import SAMPLES

REAL = [path.read_bytes() for path in sorted(SAMPLES.glob("*/model/explanation_metadata.json"))]


@pytest.fixture(scope="module")
def damaged_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A metadata file to spoil, beside a model."""
    model = tmp_path_factory.mktemp("damaged") / "model"
    shutil.copytree(SAMPLES / "digits" / "model", model)
    return model / "explanation_metadata.json"


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A real document, cut off, with bits flipped, or with parts lost, doubled or swapped."""
    data = bytearray(draw(st.sampled_from(REAL)))
    kind = draw(st.sampled_from(["cut", "flip", "lose", "double", "swap"]))
    place = st.integers(0, len(data) - 1)
    if kind == "cut":
        return bytes(data[: draw(place)])
    if kind == "flip":
        for at in draw(st.lists(place, min_size=1, max_size=4)):
            data[at] ^= 1 << draw(st.integers(0, 7))
        return bytes(data)
    start, end = sorted((draw(place), draw(place)))
    if kind == "lose":
        return bytes(data[:start] + data[end:])
    if kind == "double":
        return bytes(data[:end] + data[start:])
    words = re.findall(rb'"[^"]*"|[\d.]+|[{}\[\],:]', bytes(data))
    i, j = (draw(st.integers(0, len(words) - 1)) for _ in range(2))
    words[i], words[j] = words[j], words[i]
    return b" ".join(words)


def check_written(linted: Linted) -> None:
    count = len(linted.problems)
    for problem in linted.problems:
        assert problem.code in RULES
        assert "\n" not in str(problem)
    assert len(json.loads(written("json", [linted], strict=False))) == count
    log = json.loads(written("sarif", [linted], strict=False))
    assert len(log["runs"][0]["results"]) == count
    report = ElementTree.fromstring(written("junit", [linted], strict=True))
    assert len(report.findall(".//failure")) == count
    assert written("github", [linted], strict=False).count("\n") == count
    assert written("text", [linted], strict=False).count("error MD") <= count
    written("markdown", [linted], strict=False)


@given(data=damaged() | st.binary(max_size=60))
@settings(max_examples=400, deadline=None)
def test_a_damaged_file_gives_findings(data: bytes, damaged_file: Path) -> None:
    damaged_file.write_bytes(data)
    check_written(lint(damaged_file))


@given(data=damaged())
@settings(max_examples=200, deadline=None)
def test_a_damaged_file_is_converted_or_refused(data: bytes) -> None:
    try:
        converted = convert_metadata(data.decode("utf-8", "replace"), file="m.json")
    except SpecError as refused:
        assert str(refused)
    else:
        assert converted.document["inputs"]
