"""``validate-metadata`` as its callers see it: streams, formats, exit codes, and what it imports."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pellucid_cli.commands.validate_metadata import validate_metadata
from places import ROOT

DIGITS = ROOT / "sample_models" / "digits" / "model"

GOOD = {
    "inputs": {"x": {"input_tensor_name": "x:0"}},
    "outputs": {"p": {"output_tensor_name": "p:0"}},
    "framework": "tensorflow",
}


def run(*arguments: object, **environment: str) -> Result:
    env = {"GITHUB_ACTIONS": "", **environment}
    return CliRunner().invoke(validate_metadata, [str(it) for it in arguments], env=env)


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    """A file with an error in line 4 and a warning in line 1."""
    path = tmp_path / "explanation_metadata.json"
    path.write_text(
        '{"inputs": {\n'
        '\t"x": {\n'
        '    "input_tensor_name": "x:0",\n'
        '    "encoding": "identty"\n'
        '  }},\n "outputs": {"p": {"output_tensor_name": "p:0"}}\n}\n'
    )
    return path


def test_a_model_directory_without_a_fault() -> None:
    done = run(DIGITS)
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "1 file: 0 errors, 0 warnings\n"


def test_text_shows_the_line_and_a_caret(faulty: Path) -> None:
    done = run(faulty)
    assert done.exit_code == 1
    assert done.stdout == (
        f"{faulty}:1:1: warning MD020 framework-missing: "
        'has no "framework": "tensorflow", which is assumed\n'
        '    1 | {"inputs": {\n'
        "      | ^\n"
        f"{faulty}:4:17: error MD013 unknown-value: inputs.x.encoding: 'identty' is not known, "
        "must be 'identity', 'bag_of_features', 'bag_of_features_sparse', 'indicator', "
        "'combined_embedding' or 'concat_embedding'; did you mean 'identity'?\n"
        '    4 |     "encoding": "identty"\n'
        "      |                 ^^^^^^^^^\n"
    )
    assert done.stderr == "1 file: 1 error, 1 warning\n"


def test_a_long_line_is_shown_around_the_caret(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    long = {"inputs": {"x" * 300: {"input_tensor_name": "x:0", "modality": "photo"}}}
    path.write_text(json.dumps({**GOOD, **long}))
    lines = run(path).stdout.splitlines()
    assert len(lines[1]) < 120
    assert lines[1][lines[2].index("^")] == '"'
    assert lines[1][lines[2].index("^") :].startswith('"photo"')


def test_json(faulty: Path) -> None:
    done = run("--format", "json", faulty)
    assert json.loads(done.stdout)[0] == {
        "file": str(faulty),
        "line": 1,
        "column": 1,
        "end_column": None,
        "path": "",
        "severity": "warning",
        "code": "MD020",
        "rule": "framework-missing",
        "message": 'has no "framework": "tensorflow", which is assumed',
    }
    assert json.loads(run("--format", "json", DIGITS).stdout) == []


def test_github_is_automatic_in_its_actions(faulty: Path) -> None:
    done = run(faulty, GITHUB_ACTIONS="true")
    assert done.stdout.splitlines()[0] == (
        f"::warning title=framework-missing (MD020),file={faulty},line=1,col=1::"
        'has no "framework": "tensorflow", which is assumed'
    )
    assert run("--format", "text", faulty, GITHUB_ACTIONS="true").stdout == run(faulty).stdout


def test_github_escapes_what_would_end_a_field(tmp_path: Path) -> None:
    path = tmp_path / "a,b%.json"
    path.write_text('{"100%": 1}')
    found = run("--format", "github", path).stdout
    assert f"file={tmp_path}/a%2Cb%25.json,line=1" in found
    assert "::['100%25']: is not a known key" in found


def test_strict_makes_warnings_fail(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text(json.dumps({key: GOOD[key] for key in ("inputs", "outputs")}))
    assert run(path).exit_code == 0
    assert run("--strict", path).exit_code == 1
    assert run("--strict", "--ignore", "MD020", path).exit_code == 0
    assert run("--strict", "--ignore", "key-case,framework-missing", path).exit_code == 0
    assert run("--strict", "--select", "MD1", path).exit_code == 0
    assert run("--strict", "--select", "MD02", path).exit_code == 1


def test_an_unknown_rule_is_a_usage_error(faulty: Path) -> None:
    done = run("--ignore", "duplicate-nmae", faulty)
    assert done.exit_code == 2
    assert "'duplicate-nmae' is not a rule; did you mean 'duplicate-name'" in done.stderr


def test_quiet_and_verbose() -> None:
    assert run("-q", DIGITS).output == ""
    done = run("-v", DIGITS)
    assert done.stdout == ""
    assert (
        f"{DIGITS}/explanation_metadata.json: inputs.image.input_tensor_name: "
        "'serving_default_image:0' is the tensor of signature input 'image', float32 [?, 28, 28]\n"
    ) in done.stderr


def test_a_model_without_metadata_is_inferred(tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(DIGITS, model)
    (model / "explanation_metadata.json").unlink()
    done = run(model)
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == (
        f"{model}: has no explanation_metadata.json; inferred the inputs 'image' (numeric) "
        "and the output 'output_0'\n1 file: 0 errors, 0 warnings\n"
    )
    assert run("--signature", "sreve", model).stdout == (
        f"{model}: error MD101 unknown-signature: signature 'sreve' does not exist; the model has "
        "'serve', 'serving_default'; did you mean 'serve'?\n"
    )
    assert run("--tag-set", "serve", model).exit_code == 0
    assert run("--tag-set", "serve,gpu", model).exit_code == 1


def test_a_file_is_checked_against_the_model_beside_it(tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(DIGITS, model)
    path = model / "other.json"
    path.write_text(json.dumps(GOOD))
    assert [it["code"] for it in json.loads(run("--format", "json", path).stdout)] == ["MD102"] * 2
    path.rename(tmp_path / "alone.json")
    assert run(tmp_path / "alone.json").exit_code == 0


def test_a_bad_model_among_many_is_one_finding(tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(DIGITS, model)
    (model / "saved_model.pb").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    done = run(model, DIGITS, tmp_path / "empty")
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert lines[0] == (
        f"{model}/saved_model.pb: error MD100 bad-model: is empty (0 bytes); "
        "copy or export the model again"
    )
    assert len(lines) == 2
    assert "3 files: 2 errors, 0 warnings" in done.stderr


def test_text_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_bytes(b'{"\xff": 1}')
    assert run(path).stdout == (
        f"{path}: error MD001 json-syntax: byte 0xff at 2 is not UTF-8; save the file as UTF-8\n"
    )


def test_a_missing_path_is_a_usage_error(tmp_path: Path) -> None:
    assert run(tmp_path / "nothing.json").exit_code == 2
    assert run().exit_code == 2


def test_findings_go_to_a_file(faulty: Path, tmp_path: Path) -> None:
    target = tmp_path / "findings.txt"
    done = run("-o", target, faulty)
    assert (done.exit_code, done.stdout) == (1, "")
    assert target.read_text() == run(faulty).stdout


def test_it_needs_neither_tensorflow_nor_numpy_nor_a_table() -> None:
    code = (
        "import sys\n"
        "from pellucid_cli.commands.validate_metadata import validate_metadata\n"
        "try:\n"
        f"    validate_metadata([{str(DIGITS)!r}])\n"
        "except SystemExit as end:\n"
        "    assert not end.code\n"
        "heavy = {'tensorflow', 'numpy', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
