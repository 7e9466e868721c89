"""Folders of this machine that stand for places elsewhere: old buckets that people have on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pellucid.errors import SpecError
from pellucid.notices import Where
from pellucid.remote.addresses import address_of, is_safe_name, shown_address


@dataclass(frozen=True, slots=True)
class Map:
    """A folder that has what lies below an address."""

    address: str
    folder: Path

    @classmethod
    def parse(cls, written: str) -> Map:
        """Return what ``gs://bucket=DIR`` says. Raises SpecError."""
        address, equals, folder = written.partition("=")
        if not equals or not folder or "://" not in address:
            what = f"'{written}' is not ADDRESS=DIR, as in gs://bucket=/data/bucket"
            raise SpecError(what)
        if not Path(folder).is_dir():
            raise SpecError("there is no such directory", where=Where(file=folder))
        return cls(address.rstrip("/"), Path(folder))


def mapped(path: str, maps: Sequence[Map]) -> str:
    """Return the path of what an address is mapped to, by the longest that fits; else as it is.

    Raises SpecError for a name that would lead out of the folder.
    """
    if not maps or ":/" not in path:
        return path
    address = address_of(path, SpecError) if "://" not in path else path
    fitting = [it for it in maps if f"{address}/".startswith(f"{it.address}/")]
    if address is None or not fitting:
        return path
    best = max(fitting, key=lambda it: len(it.address))
    name = address[len(best.address) :].strip("/")
    if name and not is_safe_name(name):
        what = f"leads out of {best.folder}, which stands for {best.address}"
        raise SpecError(what, where=Where(file=shown_address(address)))
    return str(best.folder / name)
