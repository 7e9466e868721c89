"""``convert-metadata`` as its callers see it: streams, files, exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

METADATA = "explanation_metadata.json"


def test_there_and_back_through_a_pipe(program: Any, digits: Path) -> None:
    there = program("convert-metadata", digits / METADATA)
    assert (there.code, there.err) == (0, "")
    assert json.loads(there.out)["inputs"]["image"]["inputTensorName"] == "serving_default_image:0"
    back = program("convert-metadata", "-", "--to", "ai-platform", stdin=there.out)
    assert (back.code, back.err) == (0, "")
    ours = json.loads((digits / METADATA).read_text("utf-8"))
    ours["inputs"]["image"]["encoding"] = "identity"
    assert json.loads(back.out) == ours


def test_what_cannot_be_carried_is_said_and_fails_only_if_asked(
    program: Any, digits: Path, tmp_path: Path
) -> None:
    source, target = tmp_path / "m.json", tmp_path / "v.json"
    document = json.loads((digits / METADATA).read_text("utf-8"))
    source.write_text(json.dumps({**document, "tags": ["serve"], "sigdef_inputs": {}}))
    said = (
        "warning: not carried: tags: Vertex metadata name no graph; pass --tag-set serve\n"
        "warning: not carried: sigdef_inputs: has no counterpart; it was never used\n"
    )
    run = program("convert-metadata", source, "-o", target)
    assert (run.code, run.out, run.err) == (0, b"", said)
    assert program("validate-metadata", "--strict", target).code == 0
    run = program("convert-metadata", source, "-o", target, "--strict")
    assert run.err == f"error: {target}: exists; add --force to overwrite it\n"
    run = program("convert-metadata", source, "-o", target, "--strict", "--force")
    assert (run.code, run.err) == (1, said)
    run = program("convert-metadata", source, "-q")
    assert (run.code, run.err) == (0, "")


def test_a_faulty_document_is_not_converted(program: Any, tmp_path: Path) -> None:
    source = tmp_path / "m.json"
    source.write_text('{"inputs": {}}')
    run = program("convert-metadata", source)
    assert (run.code, run.out) == (2, b"")
    assert run.err.splitlines()[-1] == (
        f"error: {source}:1:12: inputs: has no input; add at least one feature [MD024 no-input]"
    )
    run = program("convert-metadata", tmp_path / "gone.json")
    assert run.err == f"error: {tmp_path}/gone.json: cannot be read: No such file or directory\n"
    run = program("convert-metadata", "-", stdin=b"\xff{}")
    assert run.code == 2
    assert "[MD001 json-syntax]" in run.err
