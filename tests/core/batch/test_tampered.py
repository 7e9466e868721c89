"""What a run reads back of itself: damaged, it is done again, refused in a sentence, or passed over."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from made import ABOUT, contents, engine

from pellucid.batch import Run
from pellucid.batch.output_folder import Folder
from pellucid.errors import OutputError, PellucidError, SpecError
from pellucid.gallery import read_entries, write_gallery
from tampering import DEEP, tampered


def carry_out(source: Path, out: Path, **options: Any) -> Any:
    return Run(named=(str(source),), out=out, **options).carry_out(engine(ABOUT))


@pytest.fixture
def halfway(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that died after its second block."""
    out = tmp_path / "halfway"
    commit, done = Folder.commit, []

    def dying(self: Folder, *arguments: Any) -> Any:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(1)
        return commit(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Folder, "commit", dying)
        with pytest.raises(KeyboardInterrupt):
            carry_out(source, out)
    return out


@pytest.mark.parametrize("name", ["plan.json", "blocks/0000/0000000.json"])
def test_the_journal(name: str, source: Path, halfway: Path, tmp_path: Path) -> None:
    carry_out(source, tmp_path / "undisturbed")
    wanted = contents(tmp_path / "undisturbed")
    written = json.loads((halfway / ".batch" / name).read_bytes())
    for data in (*map(json.dumps, tampered(written, each=1)), "", DEEP, "[]", "nothing"):
        out = tmp_path / "out"
        shutil.copytree(halfway, out)
        (out / ".batch" / name).write_text(data)
        try:
            carry_out(source, out)
        except PellucidError as error:
            assert name == "plan.json" and "\n" not in str(error)
            carry_out(source, out, force=True)
        # Numbers that somebody changed may leave nothing to draw of the whole run.
        found = {name for name in contents(out) if not name.startswith("summary/")}
        assert found == wanted.keys() - {"summary/00.importance.png"}, data
        shutil.rmtree(out)


def test_what_goes_into_the_page_as_it_is_must_be_json(source: Path, halfway: Path) -> None:
    block = halfway / ".batch" / "blocks/0000/0000000.json"
    written = json.loads(block.read_bytes())
    for record in written["records"]:
        record["shown"]["brief"] = "1]; alert(1); [1"
    block.write_text(json.dumps(written))
    with pytest.raises(OutputError, match="what was written of some blocks is damaged"):
        carry_out(source, halfway)


def test_results_and_the_list_of_inputs(source: Path, halfway: Path, tmp_path: Path) -> None:
    state = halfway / ".batch"
    results = state / "blocks/0000/0000000.results"
    for path, data in (
        (results, b"x" * results.stat().st_size),
        (state / "inputs.jsonl.gz", b"x"),
        (state / "inputs.jsonl.gz", gzip.compress(b"[1]\n")),
        (state / "begun", b""),
    ):
        out = tmp_path / "out"
        shutil.copytree(halfway, out)
        place = out / path.relative_to(halfway)
        shutil.rmtree(place) if place.is_dir() else None
        place.write_bytes(data)
        for other in (source / "a.csv", source):
            try:
                carry_out(other, out)
            except OutputError as error:
                assert "\n" not in str(error)
        shutil.rmtree(out)


def test_a_journal_removes_nothing_outside_the_folder(
    source: Path, halfway: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "kept.jpg"
    kept.write_bytes(b"kept")
    place = halfway / ".batch/blocks/0000/0000000.json"
    record = json.loads(place.read_bytes())
    record["files"] += [str(kept), "../kept.jpg", "overlays/../../kept.jpg"]
    place.write_text(json.dumps(record))
    (source / "a.csv").write_text("a,b,c\n1,2,3\n4,5,6\n7,8,9\n1,2,3\n4,5,6\n")  # has changed
    carry_out(source, halfway)
    assert kept.read_bytes() == b"kept"


def test_the_summary(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    carry_out(source, out)
    written = json.loads((out / "summary.json").read_bytes())
    for data in (*map(json.dumps, tampered(written, each=1)), "", DEEP, "[]"):
        (out / "summary.json").write_text(data)
        try:
            carry_out(source, out)
        except OutputError as error:
            assert "\n" not in str(error)


def test_results_that_a_gallery_is_made_of(tmp_path: Path) -> None:
    label = {"label_name": "a", "example_score": 1.0, "approx_error": 0.5, "attributions": {}}
    explanation = {"attributions_by_label": [label]}
    row = {"instance": "a.png", "explanation": explanation, "overlays": {"x": "overlays/a.png"}}
    results = tmp_path / "explanation.results-00000-of-00001"
    lines = [json.dumps(it) for it in tampered(row, each=6)]
    lines += [json.dumps({"input": "a" * 5000 + ".png", "explanation": explanation})]
    for line in (*lines, DEEP):
        results.write_text(line + "\n")
        try:
            write_gallery(tmp_path, read_entries(tmp_path), title="it")
        except SpecError as error:
            assert f"{results}:1: is " in str(error)
    results.write_text(json.dumps(row) + "\n")
    for fault in tampered({"input": "a.png", "error": "it failed"}, each=8):
        (tmp_path / "errors.jsonl").write_text(json.dumps(fault) + "\n")
        try:
            write_gallery(tmp_path, read_entries(tmp_path), title="it")
        except SpecError as error:
            assert "errors.jsonl:1: is no JSON object" in str(error)
