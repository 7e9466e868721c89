"""What an evaluation has found so far, in the folder of its report, until that is written.

Each few instances that are judged together have a file of their own, written aside and renamed, so
that a run may be broken off at any moment; a plan says what must stay the same from one command to
the next. Both go when the report is there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from pellucid.api.judging.findings import Findings
from pellucid.api.judging.kept import of_bytes, to_bytes
from pellucid.errors import InstanceError, OutputError
from pellucid.files import create, make_folder, put_in_place, read_bytes, remove_tree
from pellucid.inputs import Instance
from pellucid.notices import Hint, Where

STATE, PLAN = ".evaluate", "plan.json"


@dataclass(frozen=True)
class Journal:
    """What was found in a run whose report goes into `folder`; with `force`, it starts over."""

    folder: Path
    force: bool = False

    @property
    def state(self) -> Path:
        """The folder that is there while the run is not complete."""
        return self.folder / STATE

    def begin(self, plan: Mapping[str, Any]) -> None:
        """Begin, or go on. Raises OutputError where the plan is another, and says in what."""
        text = json.dumps(plan, sort_keys=True, default=str)
        path = self.state / PLAN
        if self.force:
            remove_tree(self.state)
        try:
            before = json.loads(read_bytes(path)) if path.exists() else None
        except (InstanceError, ValueError):
            before = {}
        if before is None:
            with self._writing():
                make_folder(self.state)
                self._write(path, text.encode())
        elif before != json.loads(text):
            raise OutputError(
                "an evaluation was broken off here that is another one: "
                + ", ".join(_differences(before, json.loads(text))),
                where=Where(file=str(self.folder)),
                hint=Hint("name another folder, or add {force:True} to start over"),
            )

    def known(self, number: int, key: str) -> Findings | None:
        """Return what was found of the instances from a place on, None if that is to be done."""
        path = self._file(number)
        if not path.is_file():
            return None
        try:
            return of_bytes(read_bytes(path), key)
        except (InstanceError, OSError):
            return None

    def keep(self, number: int, key: str, found: Findings) -> None:
        """Keep what was found of the instances from a place on. Raises OutputError."""
        with self._writing():
            self._write(self._file(number), to_bytes(found, key))

    def end(self) -> None:
        """Forget all of it: the report is there."""
        remove_tree(self.state)

    def _file(self, number: int) -> Path:
        return self.state / f"{number:08d}.npz"

    def _write(self, path: Path, data: bytes) -> None:
        aside = path.with_name(f"{path.name}.partial")
        with create(aside) as file:
            file.write(data)
        put_in_place(aside, path)

    def _writing(self) -> _Writing:
        return _Writing(self.folder)


@dataclass(frozen=True)
class _Writing:
    """Says which folder could not be written."""

    folder: Path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            what = f"cannot be written: {error.strerror or error}"
            raise OutputError(what, where=Where(file=str(self.folder))) from error


def key_of(some: Sequence[tuple[int, Instance]]) -> str:
    """Return what tells some instances with their names and places from all others."""
    digest = sha256()
    for number, record in some:
        digest.update(f"{number} {record.place}\n".encode(errors="surrogatepass"))
        for name, value in sorted(record.tensors.items()):
            digest.update(f"{name} {value.dtype} {value.shape}\n".encode(errors="surrogatepass"))
            parts = value.ravel().tolist() if value.dtype == object else None
            digest.update(value.tobytes() if parts is None else repr(parts).encode())
    return digest.hexdigest()


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return what differs, by name; a value that is short is told, too."""
    said = []
    for name in {**before, **after}:
        one, other = before.get(name), after.get(name)
        if one != other:
            texts = [json.dumps(it, ensure_ascii=False) for it in (one, other)]
            short = max(map(len, texts)) <= 60
            said.append(f"{name} was {texts[0]} and is {texts[1]}" if short else f"other {name}")
    return said or ["its plan is damaged"]
