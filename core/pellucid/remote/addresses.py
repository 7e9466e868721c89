r"""Addresses, ``s3://bucket/model``, in the place of paths, and what of them is shown and written.

A key may be anything: ``..``, a backslash, a control character, nothing at all between two slashes.
Whatever is made of one for this machine goes through `parts_below`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from pellucid.errors import PellucidError
from pellucid.files import fitting, shown
from pellucid.notices import Where

PACKAGES = {
    "s3": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
    "https": "aiohttp",
    "http": "aiohttp",
    "memory": "fsspec",
}
"""The schemes that are read and, but for those of the web, written, and the package of each."""

WEB = ("https", "http")

# A `Path` has one of the two slashes; one letter is a drive of Windows.
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+(.*)", re.DOTALL)
# The name and password of a server, and what follows its path: signatures, among others.
_SECRET = re.compile(r"(?<=://)[^/@]*@|[?#].*", re.DOTALL)
# Parts that would lead elsewhere, or nowhere, as `pellucid.files.name_of` reads them back.
_ODD_PARTS = {"": r"\x2f", ".": r"\x2e", "..": r"\x2e."}


def address_of(path: object, error: type[PellucidError] = PellucidError) -> str | None:
    """Return the address that stands in the place of a path, None for a path of this machine.

    Raises `error` for one of a scheme that is not read.
    """
    found = _ADDRESS.match(str(path))
    if found is None:
        return None
    scheme, rest = found[1].lower(), found[2]
    if scheme in PACKAGES:
        return f"{scheme}://{rest}"
    where = Where(file=f"{found[1]}://{rest}")
    if scheme == "file":
        raise error("is an address, not a path", where=where, hint="name the path alone")
    known = ", ".join(f"{it}://" for it in ("gs", "s3", "az", "https"))
    what = f"addresses of {scheme}:// are not read; those of {known} are"
    raise error(what, where=where, hint="copy it here and name the copy")


def scheme_of(address: str) -> str:
    """Return the scheme of an address: ``s3``."""
    return address.partition("://")[0]


def is_web(address: str) -> bool:
    """Whether an address is that of a web server, which neither lists nor takes anything."""
    return scheme_of(address) in WEB


def public(address: str) -> str:
    """Return an address without what is secret in those of the web: passwords, and signatures."""
    return _SECRET.sub("", address) if is_web(address) else address


def shown_address(address: str) -> str:
    """Return an address as printable text, without secrets."""
    return shown(public(address))


def name_in(path: object) -> str:
    """Return what the name of a file is told by: a path, or an address without what follows it."""
    text = str(path)
    return public(text) if text.startswith(("http://", "https://")) else text


def place_of(path: object) -> str:
    """Return a path or an address for people to read."""
    try:
        address = address_of(path)
    except PellucidError:
        address = None
    return str(path) if address is None else shown_address(address)


def joined(address: str, name: str) -> str:
    """Return the address of what is called so below another."""
    return f"{address.rstrip('/')}/{name}"


def common_root(folders: Sequence[str]) -> str:
    """Return the deepest address that holds all of these, ``""`` where their schemes differ."""
    split = [[scheme_of(it), *it.partition("://")[2].rstrip("/").split("/")] for it in folders]
    first, last = min(split), max(split)
    count = next(
        (n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b),
        min(len(first), len(last)),
    )
    return f"{first[0]}://" + "/".join(first[1:count]) if count else ""


def parts_below(address: str, root: str) -> list[str]:
    """Return the parts of an address below another, each a name that a file can have here.

    Of one that lies elsewhere, they are all there are. No two addresses have the same.
    """
    address = public(address)
    stem = root.rstrip("/") + "/"
    if root and address.startswith(stem) and len(address) > len(stem):
        parts = address[len(stem) :].split("/")
    elif root and address == root:
        parts = [address.rpartition("/")[2]]
    else:
        scheme, _, rest = address.partition("://")
        parts = [scheme, *rest.split("/")]
    return [_ODD_PARTS.get(it) or fitting(shown(it)) for it in parts]


def is_safe_name(name: str) -> bool:
    """Whether a name below an address is one below a folder here, as it is, and nowhere else."""
    parts = name.split("/")
    plain = all(it not in _ODD_PARTS and shown(it) == it and fitting(it) == it for it in parts)
    return plain and not any(Path(it).drive or ":" in it for it in parts)
