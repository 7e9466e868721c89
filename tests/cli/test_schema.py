"""``schema``: what editors are given is a schema, whole, and takes the documents that we take."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pellucid.metadata.published_schemas import NAMES
from places import SAMPLES


@pytest.mark.parametrize("name", NAMES)
def test_what_is_printed_is_a_schema_without_loose_ends(program: Any, name: str) -> None:
    run = program("schema", name)
    assert (run.code, run.err) == (0, "")
    printed = json.loads(run.out)
    jsonschema.Draft202012Validator.check_schema(printed)
    text = run.out.decode()
    for definition in printed["$defs"]:
        assert f'"#/$defs/{definition}"' in text
    # A reference that leads nowhere raises.
    list(jsonschema.Draft202012Validator(printed).iter_errors({"inputs": {"x": {}}, "topK": 1}))


def test_the_default_takes_the_metadata_of_every_sample(program: Any) -> None:
    run = program("schema")
    assert run.out == program("schema", "ai-platform").out
    validator = jsonschema.Draft202012Validator(json.loads(run.out))
    for file in SAMPLES.glob("*/model/explanation_metadata.json"):
        validator.validate(json.loads(file.read_text("utf-8")))


def test_parameters_are_those_of_an_explanation_spec(program: Any) -> None:
    validator = jsonschema.Draft202012Validator(json.loads(program("schema", "parameters").out))
    validator.validate({"topK": 3, "integratedGradientsAttribution": {"stepCount": 50}})
    assert not validator.is_valid({"integratedGradientsAttribution": {"stepCount": "50"}})
    assert not validator.is_valid({"inputs": {}})


def test_another_validator_judges_files_by_it(program: Any, tmp_path: Path) -> None:
    """What an editor or a pre-commit hook would do with the schema, without Pellucid."""
    printed = tmp_path / "schema.json"
    printed.write_bytes(program("schema").out)
    check = [sys.executable, "-m", "check_jsonschema", "--schemafile", str(printed)]
    files = [str(it) for it in SAMPLES.glob("*/model/explanation_metadata.json")]
    assert subprocess.run([*check, *files], capture_output=True).returncode == 0
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"inputs": {"x": {"input_tensor_name": 1}}, "outputs": {}}')
    done = subprocess.run([*check, str(wrong)], capture_output=True, text=True)
    assert done.returncode == 1
    assert "$.inputs.x.input_tensor_name: 1 is not of type 'string'" in done.stdout


def test_an_unknown_name_is_a_usage_error(program: Any) -> None:
    run = program("schema", "vortex")
    assert run.code == 2 and "'ai-platform', 'vertex', 'parameters'" in run.err
