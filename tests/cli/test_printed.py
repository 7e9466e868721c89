"""Whatever a name holds: what is printed is lines of text, and none of them commands anything."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

from pellucid.printable import ODD, encodable, printable
from pellucid_cli.streams import Styled, line

# A line's end, a command of GitHub's and an old one, what sets a terminal's title, C1, what turns
# the direction of writing, a byte that is no UTF-8, and what XML cannot hold.
WILD = "a\n::error::b\r\x1b]0;c\x07\x9b31m\u202egpj\udcff ##[add-mask]d\u2028\ufffe"
FORBIDDEN = re.compile(f"[{ODD}]".replace(r"\x00-\x1f", r"\x00-\x09\x0b-\x1f"))
FORMATS = ("text", "json", "github", "sarif", "junit", "markdown")


def check(data: bytes | str, *, actions: bool, commands: bool = False) -> str:
    """Hold all that was printed to what may be printed; return it."""
    text = data if isinstance(data, str) else data.decode()
    # JSON that is not for a terminal has escaped what it has to.
    odd = re.compile(r"[\x00-\x09\x0b-\x1f]") if text.startswith("{") else FORBIDDEN
    assert not (found := odd.findall(text)), (found, text)
    if actions:
        for row in text.splitlines():
            assert commands or not row.lstrip().startswith("::"), text
            assert commands or "##[" not in row, text
    return text


@pytest.fixture(params=[False, True], ids=["terminal", "actions"])
def actions(request: pytest.FixtureRequest, program: Any, monkeypatch: pytest.MonkeyPatch) -> bool:
    if request.param:
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
    return bool(request.param)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of such a name, seen from the one that it is in."""
    monkeypatch.chdir(tmp_path)
    made = Path("::x", WILD)
    made.mkdir(parents=True)
    return made


def wine(samples: Path, at: Path) -> Path:
    """The model of wines, whose features and classes have such names."""
    model = Path(shutil.copytree(samples / "wine/model", at))
    file = model / "explanation_metadata.json"
    document = json.loads(file.read_text())
    features, name = document["inputs"], encodable(WILD)
    document["inputs"] = {
        new or old: features[old] for old, new in zip_longest(features, [name, f"::{name}"])
    }
    (output,) = document["outputs"].values()
    output["index_name_mapping"] = [f"{name}{number}" for number in range(3)]
    file.write_text(json.dumps(document))
    return model


@pytest.mark.parametrize("style", FORMATS)
def test_findings(
    program: Any, samples: Path, folder: Path, actions: bool, style: str, tmp_path: Path
) -> None:
    model = wine(samples, folder / "model")
    broken = folder / "explanation_metadata.json"
    broken.write_text(json.dumps({"inputs": {f"::{encodable(WILD)}": 7}, WILD: 1}))
    run = program("validate-metadata", "--format", style, "-v", broken, model, "--strict")
    assert run.code == 1
    text = check(run.out, actions=actions, commands=style == "github")
    check(run.err, actions=actions)
    if style in ("json", "sarif"):
        json.dumps(json.loads(text), ensure_ascii=False).encode()
    if style == "github":
        assert all(row.startswith(("::error ", "::warning ")) for row in text.splitlines())
        assert "file=%3A%3Ax/a%0A%3A%3Aerror" in text
    if style == "text":
        assert r"a\n::error::b\r\x1b]0;c\x07\u009b31m\u202egpj\xff " in text


def test_explanations(program: Any, samples: Path, folder: Path, actions: bool) -> None:
    # TensorFlow opens no checkpoint whose path is not UTF-8, and takes brackets for a pattern.
    model = wine(samples, Path("::x", WILD.replace("\udcff", "").replace("[add-mask]", "")))
    request = folder / f"{WILD}.json"
    wines = json.loads((samples / "wine/instances.json").read_text())["instances"]
    request.write_text(json.dumps({"instances": wines[:1]}))
    asked = (model, request, "--steps", 2)
    for more in ((), ("--format", "table"), ("-v",), ("--output", f"::{WILD}")):
        run = program("explain", *asked, *more)
        check(run.out, actions=actions)
        check(run.err, actions=actions)
    assert (
        program("explain", *asked, "-o", folder / "it.json", "--raw", folder / "it.npz").code == 0
    )
    for command in (
        ("visualize", *asked, "--show"),
        ("visualize", folder / "it.npz", "-o", folder / "drawn"),
        ("explain", model, folder / f"{WILD}.png"),
        ("explain", model, folder / "it.json", "-o", folder / "it.json"),
        ("explain", folder, request),
        ("explain", model),
        ("explain", model, request, f"--{WILD}"),
        ("explain", model, request, "--method", WILD),
        ("explain", model, request, "--baseline", f"::{WILD}"),
        (f"::{WILD}",),
        ("batch", model, folder, f"::{WILD}", "-o", folder / "out"),
        ("batch", model, request, "-o", folder / "out", "--steps", 2),
        ("gallery", folder / "out"),
        ("gallery", folder),
        ("init-metadata", model, "-o", folder / "first.json"),
        ("init-metadata", model, "-o", "-"),
        ("convert-metadata", model / "explanation_metadata.json"),
        ("convert-metadata", folder / WILD),
        ("serve", f"::{WILD}={folder}", "--port", 0),
        ("validate-metadata", f"::{WILD}"),
        ("validate-metadata", "--ignore", WILD, model),
        ("schema", WILD),
        ("--traceback", "explain", folder, request),
    ):
        run = program(*command)
        check(run.out, actions=actions)
        check(run.err, actions=actions)
        assert "internal error" not in run.err, run.err
        assert run.out or run.err, command


def test_pictures(program: Any, digits: Path, seven: Path, folder: Path, actions: bool) -> None:
    good, bad = folder / f"{WILD}.png", folder / f"::{WILD} bad.png"
    shutil.copy(seven, good)
    bad.write_bytes(b"\x89PNG\r\n\x1a\n::error::")
    for command in (
        ("explain", digits, good, bad),
        ("visualize", digits, good, "--steps", 2, "--panel", "-v"),
        ("visualize", digits, good, "--steps", 2, "--show"),
        ("batch", digits, folder, "-o", "out", "--steps", 2, "-v"),
        ("batch", digits, folder, "-o", "out2", "--steps", 2, "--json-log"),
        ("batch", digits, folder, "-o", "out3", "--dry-run"),
        ("gallery", "out"),
        ("index", digits, folder, "-o", "examples.npz"),
        ("explain", digits, good, "--method", "examples", "--index", "examples.npz"),
        (
            "explain",
            digits,
            good,
            "--method",
            "examples",
            "--index",
            "examples.npz",
            "--format",
            "table",
        ),
    ):
        run = program(*command)
        check(run.out, actions=actions)
        check(run.err, actions=actions)
        assert "internal error" not in run.err and run.code in (0, 1), (command, run.err)
    for file in (
        "errors.jsonl",
        "summary.json",
        "index.html",
        "explanation.results-00000-of-00001",
    ):
        data = Path("out", file).read_bytes()
        data.decode()
        if file != "index.html":
            assert not FORBIDDEN.search(data.decode()), file


def test_a_line_is_of_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    assert line("::a\n", Styled("b\x1b", "red")) == "::a\\n\x1b[31mb\\x1b\x1b[0m"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert line(" ::a ##[b]") == " \\u003a:a \\u0023#[b]"
    assert json.loads(line('"##[b]"')) == "##[b]"


def test_json_on_a_terminal(
    program: Any, samples: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = wine(samples, Path("model"))
    asked = ("explain", model, samples / "wine/instances.json", "--steps", 2)
    plain = program(*asked).out
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda _: True)
    shown = program(*asked).out
    assert FORBIDDEN.search(plain.decode()) and not FORBIDDEN.search(shown.decode())
    assert json.loads(shown) == json.loads(plain)


def test_what_is_printed_can_be_read_back() -> None:
    assert printable("caf\udce9 👩\u200d🔬 日本") == "caf\\xe9 👩\u200d🔬 日本"
    assert os.fsencode(encodable("a\ud800")) == rb"a\ud800"


def test_one_place_prints() -> None:
    """What is printed elsewhere would not be escaped."""
    root = Path(__file__).parents[2] / "cli/pellucid_cli"
    for file in root.rglob("*.py"):
        if file.name != "streams.py":
            found = re.findall(
                r"click\.s?echo\(|(?<![\w.])print\(|sys\.std\w+\.(?!isatty|flush)",
                file.read_text(),
            )
            assert not found, file
