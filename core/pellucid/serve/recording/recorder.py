"""Writes exchanges into a folder, a file for each, whole or not at all."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Collection, Mapping
from pathlib import Path

from pellucid.errors import OutputError
from pellucid.files import make_folder, rename
from pellucid.notices import Notice, Warn, Where

PATHS = re.compile(r".*(:explain|:predict|/explain|/infer|:rawPredict|/invocations|/predict)\Z")
"""What is asked of a model; lists of models, health and metadata are not kept."""
_NUMBERED = re.compile(r"(\d{6,})\.json\Z")


class Recorder:
    """Keeps exchanges in a folder, ``000001.json`` and so on; any thread may hand one over.

    `also` are paths that are asked of a model, beside those that are called so by every service. A
    service goes on when its recording cannot: `warn` is told once why, and nothing more is kept.
    Raises OutputError where the folder cannot be made.
    """

    def __init__(self, folder: Path, warn: Warn, also: Collection[str] = ()) -> None:
        self.folder = folder
        self.kept = 0
        self._warn = warn
        self._also = also
        self._lock = threading.Lock()
        self._broken = False
        try:
            make_folder(folder)
            names = [_NUMBERED.match(it) for it in os.listdir(folder)]
            if not os.access(folder, os.W_OK):
                raise PermissionError(13, "Permission denied")
        except OSError as error:
            what = f"cannot be written: {error.strerror or error}"
            raise OutputError(what, where=Where(file=str(folder))) from error
        self._last = max((int(it[1]) for it in names if it), default=0)

    def take(self, path: str, request: bytes, status: int, response: bytes) -> None:
        """Keep an exchange of JSON objects, unless it failed or asks no model."""
        path = path.partition("?")[0]
        asks = path in self._also or PATHS.match(path) is not None
        if self._broken or not 200 <= status < 300 or not asks:
            return
        asked, said = _object(request), _object(response)
        if asked is None or said is None:
            return
        document = {"path": path, "status": status, "request": asked, "response": said}
        data = json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")
        try:
            self._write(data)
        except OSError as error:
            self._broken = True
            what = f"nothing more is recorded, since it cannot be written: {error.strerror}"
            self._warn(Notice(what, Where(file=str(self.folder))))

    def _write(self, data: bytes) -> None:
        """Write the next file: private, since what people ask may be, and under its name whole."""
        with self._lock:
            number = self._last + 1
            self._last = number
        aside = self.folder / f".{number:06}.partial"
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            rename(aside, self.folder / f"{number:06}.json")
        except OSError:
            aside.unlink(missing_ok=True)
            raise
        with self._lock:
            self.kept += 1


def _object(body: bytes) -> Mapping[str, object] | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
