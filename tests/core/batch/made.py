"""What the tests of batches share: an engine without a model, and folders of made-up inputs."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from pellucid.batch import Engine, Finished, Record
from pellucid.batch.items import Item, decode
from pellucid.batch.plan import Block
from pellucid.batch.worker import About
from pellucid.errors import InstanceError
from pellucid.inputs.input_info import InputInfo
from pellucid.visualize import Counted, Spots

VECTOR = (InputInfo(name="x", dtype="float32", shape=(None, 3)),)
ABOUT = About(inputs=VECTOR, size=4, model="0" * 64, settings={"seed": 0})


def explained(item: Item) -> Record:
    """A record made of the instance alone, with a picture beside it."""
    (instance,) = decode([item], VECTOR)
    if isinstance(instance, InstanceError):
        return Record.failed(item.name, instance.notice)
    values = instance.tensors["x"].astype(np.float64)
    return Record(
        name=item.name,
        result=f'{{"number": {instance.index}, "sum": {values.sum()}}}\n'.encode(),
        files=((f"overlays/{item.place}.jpg", values.tobytes()),),
        shown={"approx_error": float(values[0]), "overlay": f"overlays/{item.place}.jpg"},
        counted=(Counted(output="y", index=(), name="y", features={"x": values}),),
        number=f"{item.number}",
        maps={} if item.number % 4 else {"y[]": np.full((2, 2), item.number, np.int8)},
        table=b"".join(_row(item, number, value) for number, value in enumerate(values.tolist())),
        sampled={f"{item.number}": {"y[]": Spots.of({"x": (values.sum(), None)})}}
        if item.drawn
        else {},
    )


def _row(item: Item, number: int, value: float) -> bytes:
    """A label with one feature, as `tidy_groups` has it."""
    same = [item.name, item.number, None, "y", str(number), None, value, 0.0, None]
    return json.dumps([same, [f"x[{number}]"], [None], [value], [None]]).encode() + b"\n"


def explain(blocks: Iterable[Block], *, table: bool = False) -> Iterator[Finished]:
    for block in blocks:
        records = tuple(explained(item) for item in block.items)
        if not table:
            records = tuple(replace(record, table=b"") for record in records)
        yield Finished(number=block.number, stamp=block.stamp, records=records)


@contextmanager
def engine(about: About = ABOUT, *, table: bool = False) -> Iterator[Engine]:
    yield Engine(about=about, explain=partial(explain, table=table))


def table(path: Path, rows: int, *, first: int = 0) -> Path:
    """A CSV file of rows of three numbers."""
    lines = [f"{i},{i / 7},{-i}" for i in range(first, first + rows)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["a,b,c", *lines]) + "\n")
    return path


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder but the summary, which has timings."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "summary.json"
    }


@dataclass(frozen=True)
class Made:
    """A recipe without a model. An input of sevens kills its process, one of eights never ends."""

    about: About = ABOUT

    def load(self) -> MadeWork:
        return MadeWork(self.about)


class MadeWork:
    def __init__(self, about: About) -> None:
        self.about = about
        self.stopping = threading.Event()

    def run(self, block: Block) -> Finished:
        for item in block.items:
            cells = [*item.content] if isinstance(item.content, Sequence) else []
            if cells == ["7", "7", "7"]:
                os.kill(os.getpid(), signal.SIGKILL)
            if cells == ["8", "8", "8"]:
                threading.Event().wait()
        (finished,) = explain([block])
        return finished
