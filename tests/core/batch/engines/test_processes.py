"""Several processes leave the bytes of one; they may die, and inputs kill them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from carried import Killing, dask, explained, processes
from made import Made, engine

from pellucid.batch import Engine, Run, in_this_process
from pellucid.batch.engines.processes import environments, in_processes
from pellucid.errors import PellucidError


@pytest.mark.parametrize("where", ["processes", "cluster"])
def test_two_workers_leave_the_bytes_of_one(
    source: Path, tmp_path: Path, where: str, request: pytest.FixtureRequest
) -> None:
    alone = explained(source, tmp_path / "one", engine())
    two = processes() if where == "processes" else dask(request.getfixturevalue("cluster"))
    assert explained(source, tmp_path / "two", two) == alone


def test_killing_a_process_in_the_middle_loses_nothing(source: Path, tmp_path: Path) -> None:
    alone = explained(source, tmp_path / "one", engine())
    engines: list[Engine] = []

    @contextmanager
    def opened() -> Iterator[Engine]:
        with processes() as engine:
            engines.append(engine)
            yield engine

    def kill() -> None:
        # One that still loads the model would say that there is no room for so many.
        workers = engines[0].explain.__self__._workers  # type: ignore[attr-defined]
        os.kill(next(worker.process.pid for worker in workers if worker.ready), signal.SIGKILL)

    killing = Killing(kill)
    assert explained(source, tmp_path / "two", opened(), killing) == alone
    assert killing.finished == 17


@pytest.mark.parametrize("where", ["processes", "cluster"])
def test_an_input_that_kills_its_worker_is_left_out_and_named(
    source: Path, tmp_path: Path, where: str, request: pytest.FixtureRequest
) -> None:
    (source / "b.csv").write_text("a,b,c\n1,2,3\n7,7,7\n4,5,6\n")
    two = processes() if where == "processes" else dask(request.getfixturevalue("cluster"))
    found = explained(source, tmp_path / "two", two)
    errors = found["errors.jsonl"].decode().splitlines()
    name = f"{source}/b.csv:3"
    sentence = f"{name}: the process that explains it dies each time"
    assert errors[0] == f'{{"input":"{name}","error":"{sentence}"}}' and len(errors) == 2
    results = found["explanation.results-00000-of-00001"].decode().splitlines()
    assert len(results) == 36 - 2


def test_an_input_that_never_ends_is_left_out_and_named(source: Path, tmp_path: Path) -> None:
    (source / "b.csv").write_text("a,b,c\n1,2,3\n8,8,8\n4,5,6\n7,7,7\n")
    limited = in_processes(Made(), threading.Event(), 1, timeout=2)
    found = explained(source, tmp_path / "out", limited)
    errors = [json.loads(line) for line in found["errors.jsonl"].decode().splitlines()]
    assert [(it["input"], it["error"].removeprefix(it["input"])) for it in errors] == [
        (f"{source}/b.csv:3", ": was not explained within 2 s; give it longer with timeout=…"),
        (f"{source}/b.csv:5", ": the process that explains it dies each time"),
        (f"{source}/c.jsonl:2", errors[2]["error"].removeprefix(f"{source}/c.jsonl:2")),
    ]
    results = found["explanation.results-00000-of-00001"].decode().splitlines()
    assert len(results) == 30 + 2 + 2


def test_an_input_that_kills_the_only_process_is_named_when_the_run_goes_on(
    source: Path, tmp_path: Path
) -> None:
    (source / "b.csv").write_text("a,b,c\n1,2,3\n7,7,7\n4,5,6\n")
    run = (
        "from made import Made; from pathlib import Path; from threading import Event\n"
        "from pellucid.batch import Run, in_this_process\n"
        f"out, stop = Path({str(tmp_path / 'out')!r}), Event()\n"
        f"run = Run(named=({str(source)!r},), out=out, size=4, stop=stop)\n"
        "run.carry_out(in_this_process(Made(), stop, out))\n"
    )
    paths = os.pathsep.join(filter(None, sys.path))
    first = subprocess.run([sys.executable, "-c", run], env={**os.environ, "PYTHONPATH": paths})
    assert first.returncode == -signal.SIGKILL
    out, said = tmp_path / "out", list[str]()

    class Hearing(Killing):
        def warns(self, sentence: Any) -> None:
            said.append(str(sentence))

    again = in_this_process(Made(), threading.Event(), out)
    found = explained(source, out, again, Hearing(lambda: None))
    assert len(said) == 1 and "an earlier run ended with" in said[0]
    errors = [json.loads(line)["error"] for line in found["errors.jsonl"].decode().splitlines()]
    assert errors[0] == f"{source}/b.csv:3: the process that explains it dies each time"
    assert len(errors) == 2
    results = found["explanation.results-00000-of-00001"].decode().splitlines()
    assert len(results) == 30 + 2 + 2


def test_a_process_imports_nothing_from_the_current_directory(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("selectors", "struct", "tempfile", "numpy", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'imported')!r}, 'w')\n")
    alone = explained(source, tmp_path / "one", engine())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    assert explained(source, tmp_path / "two", processes()) == alone
    assert not (tmp_path / "imported").exists()


def test_processes_share_the_processors_and_the_gpus() -> None:
    threads = [it["TF_NUM_INTRAOP_THREADS"] for it in environments(3, 8, [])]
    assert threads == ["3", "3", "2"]
    assert [it["OMP_NUM_THREADS"] for it in environments(4, 2, [])] == ["1"] * 4
    each = environments(2, 8, ["0", "GPU-5f"])
    assert [it["CUDA_VISIBLE_DEVICES"] for it in each] == ["0", "GPU-5f"]
    assert not any("TF_FORCE_GPU_ALLOW_GROWTH" in it for it in each)
    shared = environments(3, 8, ["4", "6"])
    assert [it["CUDA_VISIBLE_DEVICES"] for it in shared] == ["4", "6", "4"]
    assert all(it["TF_FORCE_GPU_ALLOW_GROWTH"] == "true" for it in shared)


def test_a_stop_ends_after_the_blocks_in_flight_and_the_rest_is_done_later(
    source: Path, tmp_path: Path
) -> None:
    stop = threading.Event()
    run = Run(named=(str(source),), out=tmp_path / "two", size=4, stop=stop)
    outcome = run.carry_out(in_processes(Made(), stop, 2), Killing(stop.set))
    assert outcome.stopped == "interrupted" and 12 <= outcome.done < 66
    found = explained(source, tmp_path / "two", processes())
    assert found == explained(source, tmp_path / "one", engine())


class Unloadable:
    """A recipe that cannot be carried out."""

    def load(self) -> Any:
        raise PellucidError("no such model")


@pytest.mark.parametrize("where", ["processes", "cluster"])
def test_a_model_that_cannot_be_loaded_is_said_once(
    source: Path, tmp_path: Path, where: str, request: pytest.FixtureRequest
) -> None:
    cluster = request.getfixturevalue("cluster") if where == "cluster" else None
    recipe = Unloadable()
    two = processes(recipe=recipe) if cluster is None else dask(cluster, recipe)
    with pytest.raises(PellucidError, match="no such model"):
        explained(source, tmp_path / "out", two)
