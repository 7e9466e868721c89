"""An output folder in a store has the bytes of one here, wherever a run is broken off."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from made import contents, engine, table

from pellucid.batch import Run
from pellucid.errors import OutputError
from pellucid.inputs.found import Inputs, is_input
from pellucid.inputs.found.elsewhere import Below
from pellucid.remote import cache_folder
from stores import memory_store

OUT = "memory://bucket/out"
CHANGING = ("pipe_file", "put_file", "rm_file")


class Killed(BaseException):
    """The end of the process, as far as the run can tell."""


@pytest.fixture(autouse=True)
def memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("pellucid.remote.objects.AT_A_TIME", 1)
    with memory_store() as store:
        yield store


def carry_out(source: Path, out: str = OUT, **options: Any) -> Any:
    return Run(named=(str(source),), out=Path(out), **options).carry_out(engine())


def there(memory: Any, below: str = "/bucket/out/") -> dict[str, bytes]:
    """What the store has, but for the summary, which has timings."""
    return {
        name.removeprefix(below): file.getvalue()
        for name, file in memory.store.items()
        if name.startswith(below) and name != below + "summary.json"
    }


@pytest.fixture
def expected(source: Path, tmp_path: Path) -> dict[str, bytes]:
    carry_out(source, str(tmp_path / "here"))
    return contents(tmp_path / "here")


def test_a_folder_in_a_store_has_the_bytes_of_one_here(
    source: Path, memory: Any, expected: dict[str, bytes]
) -> None:
    outcome = carry_out(source)
    assert there(memory) == expected
    assert "/bucket/out/summary.json" in memory.store
    assert not [*(cache_folder() / "output").iterdir()]
    again = carry_out(source)
    assert (again.fresh, again.done, again.failed) == (0, outcome.done, outcome.failed)


@pytest.mark.parametrize("elsewhere", [False, True], ids=["same machine", "another machine"])
def test_a_run_that_is_killed_at_any_step_goes_on_to_the_same_bytes(
    elsewhere: bool,
    source: Path,
    memory: Any,
    expected: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps = 0
    last = -1

    def counting(name: str) -> Any:
        original = getattr(type(memory), name)

        def do(self: Any, *given: Any, **options: Any) -> Any:
            nonlocal steps
            if steps == last:
                raise Killed
            steps += 1
            return original(self, *given, **options)

        return do

    for name in CHANGING:
        monkeypatch.setattr(type(memory), name, counting(name))
    carry_out(source)
    total = steps
    assert total >= 40
    for last in range(int(elsewhere), total, 4):
        memory.store.clear()
        steps = 0
        # Nothing that a killed process would not have done is done after it.
        with monkeypatch.context() as patch:
            patch.setattr("pellucid.batch.elsewhere.Mirror.leave", lambda self, complete: None)
            with pytest.raises(Killed):
                carry_out(source)
        if elsewhere:
            shutil.rmtree(cache_folder() / "output")
        steps = last + 1
        carry_out(source)
        assert there(memory) == expected, last


def test_results_of_another_run_are_refused_and_other_objects_are_kept(
    source: Path, memory: Any, tmp_path: Path, expected: dict[str, bytes]
) -> None:
    memory.pipe_file(f"{OUT}/notes.txt", b"mine")
    with pytest.raises(OutputError, match=f"{OUT}: is not empty"):
        carry_out(source)
    carry_out(source, force=True)
    assert there(memory) == {**expected, "notes.txt": b"mine"}
    other = table(tmp_path / "other.csv", 3)
    with pytest.raises(OutputError, match=rf"{OUT}: belongs to another run \(other inputs"):
        carry_out(other)
    carry_out(other, force=True)
    assert "notes.txt" in there(memory)
    assert len(there(memory)) < len(expected)


def test_one_that_begins_later_ends_the_other(
    source: Path, memory: Any, expected: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pellucid.batch.elsewhere.secrets.token_hex", lambda n: "first")
    original = type(memory).put_file

    def put_file(self: Any, path: str, address: str, **options: Any) -> None:
        original(self, path, address, **options)
        if address.endswith("0000000.results"):
            self.pipe_file(f"{OUT}/.batch/owner", b"second")

    with monkeypatch.context() as patch:
        patch.setattr(type(memory), "put_file", put_file)
        with pytest.raises(OutputError, match="another run has begun to write there since"):
            carry_out(source)
    carry_out(source)
    assert there(memory) == expected


def test_inputs_elsewhere_are_explained_as_those_here(
    source: Path, memory: Any, tmp_path: Path
) -> None:
    for path in source.rglob("*"):
        if path.is_file():
            memory.pipe_file(
                f"memory://bucket/in/{path.relative_to(source).as_posix()}", path.read_bytes()
            )
    memory.pipe_file("memory://bucket/in/.hidden/x.csv", b"1")
    memory.pipe_file("memory://bucket/in/notes.md", b"")
    run = Run(named=("memory://bucket/in",), out=tmp_path / "out")
    outcome = run.carry_out(engine())
    carry_out(source, str(tmp_path / "here"))
    assert (outcome.done, outcome.failed) == (14, 1)
    found, wanted = contents(tmp_path / "out"), contents(tmp_path / "here")
    assert found.keys() == wanted.keys()
    name = "explanation.results-00000-of-00001"
    assert found[name] == wanted[name]
    assert b"memory://bucket/in/b/broken.jsonl:2" in found["errors.jsonl"]


TREE = (
    *("a-b.csv", "a.csv", "a/c.csv", "a/d/e.csv", "a b/f.csv", ".hidden/g.csv", "h/.i.csv"),
    *("h/run/explanation.results-00000-of-00001", "h/run/summary.json", "h/run/j.csv"),
    *(
        "h/run/overlays/k.png",
        "h/run/overlays/deep/l.png",
        "h/m.csv",
        "broken off/.batch/plan.json",
    ),
    *("broken off/n.csv", "no run/summary.json", "z/o.csv", "zz/errors.jsonl"),
)
RUN = ("explanation.results-00000-of-00001", "summary.json", "errors.jsonl", "overlays/p.png")


@pytest.mark.parametrize("ahead", [1, 3, 1000])
@pytest.mark.parametrize("run", [(), RUN], ids=["none there", "a run there"])
def test_inputs_elsewhere_are_those_of_the_same_folder_here_in_their_order(
    ahead: int, run: tuple[str, ...], memory: Any, tmp_path: Path
) -> None:
    for name in (*TREE, *run):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"1")
        memory.pipe_file(f"memory://bucket/in/{name}", b"1")
    here = Inputs(named=[str(tmp_path / "in")])
    expected = [os.path.relpath(it.path, tmp_path / "in") for it in here]
    left_out: list[str] = []
    found = Below("memory://bucket/in/", "", ["memory://bucket/in/"], left_out, ahead)
    names = [it.address.removeprefix("memory://bucket/in/") for it in found]
    assert [it for it in names if is_input(it)] == expected
    assert expected[:4] == ["a/c.csv", "a/d/e.csv", "a b/f.csv", "a-b.csv"]
    folders = [os.path.relpath(it, tmp_path / "in") for it in here.left_out]
    assert [os.path.relpath(it, "memory://bucket/in") for it in left_out] == folders
    assert folders == [*(["."] if run else []), "broken off", "h/run"]


def test_an_output_folder_within_the_inputs_is_none_of_them(source: Path, memory: Any) -> None:
    memory.pipe_file("memory://bucket/a.csv", (source / "a.csv").read_bytes())
    first = carry_out(Path("memory://bucket"))
    memory.pipe_file(f"{OUT}/overlays/b.csv", b"a,b,c")
    assert carry_out(Path("memory://bucket")).total == first.total == 5
    run = Run(named=("memory://bucket",), out=Path("memory://bucket/new"))
    assert run.carry_out(engine()).total == first.total
    pattern = Run(named=("memory://bucket/**/*.csv",), out=Path("memory://bucket/other"))
    assert pattern.carry_out(engine()).total > first.total


def test_keys_that_lead_elsewhere_write_nothing_outside(memory: Any, tmp_path: Path) -> None:
    data = b"a,b,c\n1,2,3\n"
    for key in ("in/../../up.csv", "in//abs.csv", "in/a\\b.csv", "in/\x1b[31m.csv"):
        memory.store[f"/bucket/{key}"] = memory._open("/bucket/x.csv", "wb")
        memory.pipe_file(f"memory://bucket/{key}", data)
    before = set(tmp_path.iterdir())
    Run(named=("memory://bucket/in",), out=tmp_path / "made" / "out").carry_out(engine())
    made = list(tmp_path.rglob("*.jpg"))
    assert made
    assert all(it.is_relative_to(tmp_path / "made" / "out") for it in made)
    assert set(tmp_path.iterdir()) - before <= {tmp_path / "made", tmp_path / "cache"}
