"""A disk that may lose power: what is written to it, and what it may hold afterwards.

All that a run changes goes through a few calls of `os`, which are recorded. After a power cut, a
disk holds the bytes of files that were synced and the names in folders that were; of what was not,
it holds anything: other bytes may be there in part, and each change of a name may have come through
or not, whatever became of the others.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest


class PowerCut(BaseException):
    """Nothing that the process would still do happens."""


@dataclass(eq=False)
class Node:
    """A file or a folder, as the disk is sure to have it, and the changes of names since."""

    folder: bool = False
    data: bytes = b""
    names: dict[str, int] = field(default_factory=dict)
    unsure: list[tuple[str, int | None]] = field(default_factory=list)


class Disk:
    """All below a folder, by the numbers of files; what is there at first is synced."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.nodes: dict[int, Node] = {}
        self.changes = 0
        self.cut: int | None = None
        self._load(root)

    @contextmanager
    def recorded(self, cut: int | None = None) -> Iterator[None]:
        """Record what is done; before the `cut`-th change, the power fails."""
        self.cut = cut
        with pytest.MonkeyPatch.context() as patch:
            for name in ("open", "fsync", "replace", "unlink", "rmdir", "mkdir"):
                patch.setattr(os, name, self._recording(name, getattr(os, name)))
            yield

    def copy(self, into: Path, chance: random.Random | None = None) -> Path:
        """Write what the disk may hold now: by chance, or as little as possible."""
        held = {
            os.stat(path).st_ino: path.read_bytes()
            for path in self.root.rglob("*")
            if path.is_file()
        }
        self._write(self.root.stat().st_ino, into, chance, held)
        return into

    def _load(self, path: Path) -> int:
        number = path.stat().st_ino
        node = self.nodes[number] = Node(folder=path.is_dir())
        if node.folder:
            node.names = {it.name: self._load(it) for it in path.iterdir()}
        else:
            node.data = path.read_bytes()
        return number

    def _recording(self, name: str, real: Any) -> Any:
        def called(*arguments: Any, **options: Any) -> Any:
            creates = name != "open" or bool(arguments[1] & os.O_CREAT)
            if creates:
                if self.cut is not None and self.changes >= self.cut:
                    raise PowerCut
                self.changes += 1
            moved = os.stat(arguments[0]).st_ino if name == "replace" else None
            # The disk of the test itself need not be waited for.
            result = None if name == "fsync" else real(*arguments, **options)
            if name == "fsync":
                self._synced(arguments[0])
            elif name == "replace":
                self._name(arguments[0], None)
                self._name(arguments[1], moved)
            elif name in ("unlink", "rmdir"):
                self._name(arguments[0], None)
            elif creates:
                number = os.stat(arguments[0]).st_ino
                self.nodes[number] = Node(
                    folder=name == "mkdir"
                )  # bytes that were there before are lost
                self._name(arguments[0], number)
            return result

        return called

    def _synced(self, descriptor: int) -> None:
        number = os.fstat(descriptor).st_ino
        node = self.nodes.setdefault(number, Node())
        for name, target in node.unsure:
            _change(node.names, name, target)
        node.unsure.clear()
        path = Path(f"/proc/self/fd/{descriptor}")
        if path.is_file():
            node.data = path.read_bytes()

    def _name(self, path: Any, number: int | None) -> None:
        folder = self.nodes.get(os.stat(os.path.dirname(os.path.abspath(path))).st_ino)
        if folder is not None:
            folder.unsure.append((os.path.basename(path), number))

    def _write(
        self, number: int, path: Path, chance: random.Random | None, held: dict[int, bytes]
    ) -> None:
        node = self.nodes.get(number, Node())
        names = dict(node.names)
        for name, target in node.unsure:
            if chance is not None and chance.random() < 0.5:
                _change(names, name, target)
        if node.folder:
            path.mkdir(parents=True, exist_ok=True)
            for name, target in names.items():
                self._write(target, path / name, chance, held)
            return
        data, now = node.data, held.get(number, node.data)
        if chance is not None and data != now and chance.random() < 0.7:
            data = now[: chance.randrange(len(now) + 1)]
        path.write_bytes(data)


def _change(names: dict[str, int], name: str, target: int | None) -> None:
    if target is None:
        names.pop(name, None)
    else:
        names[name] = target
