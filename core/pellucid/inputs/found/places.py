"""Where the results of an input lie: at its own place below what all inputs have in common."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence

from pellucid.errors import InstanceError
from pellucid.files import fitting, shown
from pellucid.inputs.found.kinds import is_input
from pellucid.remote import MAGIC, address_of, common_root, parts_below


def root_of(named: Sequence[str], listed: Iterable[str]) -> str:
    """Return the directory that the places of all results are relative to, absolute.

    It is the directory that was named, or the deepest one that holds all that was named; of
    addresses alone, an address.
    """
    root: str | None = None
    addresses: list[str] = []
    for name in (*named, *listed):
        address = address_of(name, InstanceError)
        if address is not None:
            addresses = [common_root([*addresses, _folder_of(address)])]
            continue
        if glob.has_magic(name) and not os.path.lexists(name):
            name = plain_part(name)
        path = os.path.abspath(name)
        path = path if os.path.isdir(path) else os.path.dirname(path)
        try:
            root = path if root is None else os.path.commonpath((root, path))
        except ValueError:  # another drive
            root = os.path.splitdrive(path)[0]
    if root is None and addresses and addresses[0]:
        return addresses[0]
    return root or os.getcwd()


def plain_part(pattern: str) -> str:
    """Return the directory that all that matches a pattern is below."""
    parts = pattern.split(os.sep)
    plain = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    return os.sep.join(parts[:plain]) or (os.sep if parts[0] == "" else os.curdir)


def place_below(path: str, root: str) -> str:
    """Return the place of a file below `root`, as names of files; what lies elsewhere has its own.

    Of an address elsewhere it is all of it.
    """
    address = address_of(path)
    if address is not None:
        return "/".join(parts_below(address, root))
    return "/".join(fitting(shown(part)) for part in _beneath(path, root).split(os.sep))


def _beneath(path: str, root: str) -> str:
    try:
        place = os.path.relpath(path, root)
    except ValueError:  # another drive
        return os.path.basename(path)
    return os.path.basename(path) if place.startswith(os.pardir) else place


def _folder_of(address: str) -> str:
    """Return the address of the folder that is named, or that holds the object that is."""
    scheme, _, rest = address.partition("://")
    parts = rest.rstrip("/").split("/")
    magic = next((n for n, part in enumerate(parts) if MAGIC.search(part)), None)
    if magic is not None:
        parts = parts[:magic]
    elif is_input(parts[-1]) and len(parts) > 1 and not address.endswith("/"):
        parts = parts[:-1]
    return f"{scheme}://" + "/".join(parts)
