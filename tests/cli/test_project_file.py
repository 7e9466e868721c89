"""``[tool.pellucid]`` in pyproject.toml, and pellucid.toml: options that a project sets."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import click
import pytest

from pellucid_cli.main import cli
from pellucid_cli.project_file import defaults, find

README = Path(__file__).resolve().parents[2] / "cli/README.md"


@pytest.fixture
def project(tmp_path: Path, samples: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a model that has one warning; commands run two directories below it."""
    model = Path(shutil.copytree(samples / "wine/model", tmp_path / "models/wine"))
    document = json.loads((model / "explanation_metadata.json").read_text())
    del document["framework"]  # MD020 missing-framework, a warning
    (model / "explanation_metadata.json").write_text(json.dumps(document))
    inner = tmp_path / "src/deep"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    return tmp_path


def set_options(project: Path, text: str, *, own: bool = False) -> None:
    """Write options in one form or the other."""
    if own:
        (project / "pellucid.toml").write_text(text)
        return
    lines = [
        f"[tool.pellucid.{line[1:]}" if line.startswith("[") else line for line in text.split("\n")
    ]
    (project / "pyproject.toml").write_text("[tool.pellucid]\n" + "\n".join(lines))


def rules(run: Any) -> list[str]:
    return [it["code"] for it in json.loads(run.out)]


@pytest.mark.parametrize("own", [False, True])
def test_the_linter_is_set_up_from_a_directory_above(
    own: bool, project: Path, program: Any
) -> None:
    linter = '[validate-metadata]\npaths = ["models"]\nformat = "json"\n'
    set_options(project, linter, own=own)
    run = program("validate-metadata")
    assert (run.code, rules(run)) == (0, ["MD020"])
    assert json.loads(run.out)[0]["file"] == "../../models/wine/explanation_metadata.json"
    set_options(project, linter + "strict = true\n", own=own)
    assert program("validate-metadata").code == 1
    set_options(project, linter + 'strict = true\nignore = ["MD020"]\n', own=own)
    assert (program("validate-metadata").code, rules(program("validate-metadata"))) == (0, [])
    set_options(project, linter + 'select = "MD031,key-case"\n', own=own)
    assert rules(program("validate-metadata")) == []


def test_the_options_in_the_documents_are_taken(project: Path, program: Any) -> None:
    (text,) = re.findall(r"^```toml\n(.*?)^```$", README.read_text("utf-8"), re.M | re.S)
    (project / "pyproject.toml").write_text(text)
    run = program("validate-metadata")
    assert (run.code, run.err) == (1, "1 file: 0 errors, 1 warning\n")
    own = text.replace("[tool.pellucid]", "").replace("[tool.pellucid.", "[")
    (project / "pellucid.toml").write_text(own)
    assert program("validate-metadata") == run


def test_what_is_typed_comes_before_the_environment_and_that_before_the_file(
    project: Path, program: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_options(project, '[validate-metadata]\npaths = ["nowhere"]\nformat = "sarif"\n')
    assert program("validate-metadata").code == 2
    monkeypatch.setenv("PELLUCID_VALIDATE_METADATA_FORMAT", "json")
    run = program("validate-metadata", "../../models")
    assert (run.code, rules(run)) == (0, ["MD020"])
    run = program("validate-metadata", "../../models", "--format", "text")
    assert run.out.startswith(b"../../models/wine/explanation_metadata.json:")
    monkeypatch.setenv("PELLUCID_VALIDATE_METADATA_PATHS", "../../models")
    assert rules(program("validate-metadata")) == ["MD020"]


def test_a_flag_of_the_file_is_taken_back_in_the_environment(
    project: Path, program: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_options(project, "[validate-metadata]\nstrict = true\n")
    assert program("validate-metadata", "../../models").code == 1
    monkeypatch.setenv("PELLUCID_VALIDATE_METADATA_STRICT", "0")
    assert program("validate-metadata", "../../models").code == 0


def test_the_nearest_file_counts_and_others_are_passed_over(project: Path, program: Any) -> None:
    set_options(project, "[validate-metadata]\nstrict = true\n")
    others = ("[project]\nname = 'x'\n", "[tool.black]\n# pellucid", "no TOML", None)
    for other in others:
        if other is None:
            (project / "src/pyproject.toml").mkdir()
        else:
            (project / "src/pyproject.toml").write_text(other)
        assert program("validate-metadata", "../../models").code == 1, other
        if other is not None:
            (project / "src/pyproject.toml").unlink()
    (project / "src/pellucid.toml").write_text("")
    assert program("validate-metadata", "../../models").code == 0


def test_of_one_directory_pellucid_toml_counts(project: Path, program: Any) -> None:
    set_options(project, "[validate-metadata]\nstrict = true\n")
    set_options(project, "[validate-metadata]\nstrict = false\n", own=True)
    assert program("validate-metadata", "../../models").code == 0


def test_a_key_outside_of_the_tables_is_for_every_command_that_has_the_option(
    project: Path, program: Any, samples: Path
) -> None:
    metadata = str(samples / "wine/model/explanation_metadata.json")
    set_options(project, "quiet = 1\nstrict = true\n")
    linted = program("validate-metadata", "../../models")
    assert (linted.code, linted.err) == (1, "")
    set_options(project, "quiet = 1\nstrict = true\n[validate-metadata]\nstrict = false\n")
    assert program("validate-metadata", "../../models").code == 0
    assert program("convert-metadata", metadata).err == ""


def test_other_commands_have_their_options_too(project: Path, program: Any) -> None:
    set_options(project, '[init-metadata]\ndialect = "vertex"\nout = "drafted.json"\n')
    run = program("init-metadata", "../../models/wine")
    assert (run.code, run.err.splitlines()[-1]) == (0, "wrote ../../drafted.json")
    assert "inputTensorName" in (project / "drafted.json").read_text()


def test_those_who_ask_are_told_what_the_file_sets(project: Path, program: Any) -> None:
    set_options(project, "[validate-metadata]\nstrict = true\nverbose = 1\n")
    run = program("validate-metadata", "../../models")
    assert run.err.startswith(f"{project}/pyproject.toml sets strict, verbose\n")
    typed = program("validate-metadata", "../../models", "--strict", "-v")
    assert typed.code == 1 and "pyproject.toml" not in typed.err


def test_a_file_of_class_names_is_found_from_the_file_and_names_are_names(project: Path) -> None:
    (project / "labels.txt").write_text("a\nb\n")
    for written, meant in (("labels.txt", "../../labels.txt"), ("a,b", "a,b")):
        set_options(project, f"class-names = '{written}'\n")
        file = find(Path.cwd())
        assert file is not None
        _, commands = defaults(file, cli)
        assert commands["explain"]["class_names"] == commands["batch"]["class_names"] == meant


def test_colour_is_an_option_of_the_program(project: Path, program: Any) -> None:
    set_options(project, 'color = "always"\n')
    assert b"\x1b[" in program("validate-metadata", "../../models").out
    assert b"\x1b[" not in program("--color", "never", "validate-metadata", "../../models").out


FAULTS = {
    "[validate-metadata]\nstrct = true": "validate-metadata.strct: is not an option of "
    "validate-metadata; did you mean 'strict'?",
    "[validate-metdata]\nstrict = true": "validate-metdata: is not a command; did you mean "
    "'validate-metadata'?",
    "selct = ['MD001']": "selct: is neither a command nor an option of one; did you mean 'select' ",
    "[gallery]\nfolder = 'x'": "gallery.folder: is not an option of gallery; there are title, "
    "force",
    "[explain]\nwwwww = 1": "explain.wwwww: is not an option of explain; pellucid COMMAND --help "
    "lists them",
    "[validate-metadata]\nstrict = 'yes'": "validate-metadata.strict: must be true or false, not "
    "the text 'yes'",
    "[validate-metadata]\nselect = [1]": "validate-metadata.select: must be text in quotes, or a "
    "list of such, not the number 1",
    "[validate-metadata]\nselect = ['MD9']": "validate-metadata.select: 'MD9' is not a rule",
    "[validate-metadata]\nformat = 'srif'": "validate-metadata.format: 'srif' is not one of "
    "'auto', 'text', 'json', 'github', 'sarif', 'junit', 'markdown'",
    "[explain]\nsteps = 0": "explain.steps: 0 is not in the range x>=1",
    "[explain]\nsteps = true": "explain.steps: must be a whole number, not true",
    "[explain]\nsteps = 1.5": "explain.steps: must be a whole number, not the number 1.5",
    "[explain]\ntolerance = 'low'": "explain.tolerance: must be a number, not the text 'low'",
    "[explain]\nindex = ['a']": "explain.index: must be text in quotes, not a list",
    "[explain]\noutput = 1979-05-27": "explain.output: must be text in quotes, not a date or time",
    "[explain]\noutput = {a = 1}": "explain.output: must be text in quotes, not a table",
    "[explain]\ndevice = 'tpu'": "explain.device: 'tpu' ",
    "format = 'sarif'": "format: for explain, 'sarif' is not one of 'auto', 'ai-platform', "
    "'vertex', 'kserve', 'table'",
    "explain = 3": "explain: must be a table, [tool.pellucid.explain]",
    "[batch]\nmax-steps = 5\nmax_steps = 6": "batch.max_steps: is there already, as max-steps; "
    "keep one",
    "[batch]\nscheduler = 'tcp://a:1'": "batch.scheduler: is not taken from a file; type "
    "--scheduler, or set PELLUCID_BATCH_SCHEDULER",
    "[serve]\nallowed-host = ['any.example']": "serve.allowed-host: is not taken from a file; type "
    "--allowed-host, or set PELLUCID_SERVE_ALLOWED_HOST",
}


@pytest.mark.parametrize("text", FAULTS)
def test_what_is_wrong_in_a_file_is_said_with_file_and_key(
    text: str, project: Path, program: Any
) -> None:
    set_options(project, text)
    run = program("validate-metadata", "../../models")
    assert (run.code, run.out) == (2, b"")
    assert run.err.startswith(f"error: {project}/pyproject.toml: tool.pellucid.{FAULTS[text]}")
    assert run.err.count("\n") == 1


def test_what_is_no_toml_or_no_table_is_said_with_the_file(
    project: Path, program: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    for data, sentence in (
        (b"[explain", "pellucid.toml: is not TOML: expected ']' "),
        (b"a = '\xff'", "pellucid.toml: is not UTF-8, as TOML has to be"),
    ):
        (project / "pellucid.toml").write_bytes(data)
        run = program("validate-metadata", "models")
        assert run.code == 2 and run.err.startswith(f"error: {sentence}")
    (project / "pellucid.toml").unlink()
    (project / "pyproject.toml").write_text("[tool]\npellucid = true\n")
    run = program("validate-metadata", "models")
    assert run.err == "error: pyproject.toml: tool.pellucid: must be a table, [tool.pellucid]\n"


def test_help_is_the_same_whatever_a_file_says(project: Path, program: Any) -> None:
    plain = program("validate-metadata", "--help")
    set_options(project, '[validate-metadata]\nformat = "json"\nstrct = true\n')
    assert program("validate-metadata", "-h") == program("validate-metadata", "--help") == plain
    assert program("--help").code == program("completion", "bash").code == 0


def test_no_file_overwrites_and_the_environment_does_as_the_message_says(
    project: Path, program: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = "../../models/wine"
    set_options(project, "[init-metadata]\nforce = true\n")
    run = program("init-metadata", model)
    assert run.code == 2
    assert run.err.endswith("; type --force, or set PELLUCID_INIT_METADATA_FORCE\n")
    set_options(project, "")
    assert program("init-metadata", model).code == 2
    monkeypatch.setenv("PELLUCID_INIT_METADATA_FORCE", "1")
    assert program("init-metadata", model).code == 0


def test_every_option_has_the_variable_that_its_flag_says() -> None:
    for name, command in cli.commands.items():
        for option in (it for it in command.params if isinstance(it, click.Option)):
            words = f"pellucid {name} {max(option.opts, key=len).removeprefix('--')}"
            assert option.envvar == re.sub("[ -]", "_", words).upper()
