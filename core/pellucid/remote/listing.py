"""What is below an address: listed as the store gives it, a page or a folder at a time.

A store that lists pages of keys has them in the order of whole keys, in which ``a-b`` comes before
``a/c``. Directories here are read folder by folder, and inputs elsewhere are in the same order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from heapq import heappop, heappush
from itertools import islice

from pellucid.errors import PellucidError
from pellucid.notices import Where
from pellucid.remote.addresses import PACKAGES, is_web, joined, scheme_of, shown_address
from pellucid.remote.objects import MAGIC, Found, found_of
from pellucid.remote.stores import AbsentError, asked

AHEAD = 1000
"""How many names are read on, at most, before a store is asked what comes before them."""
PAGE = 1000
"""How many keys a store lists at a time."""


def listed(
    address: str,
    error: type[PellucidError],
    avoided: str = "",
    *,
    hidden: bool = False,
    by_folder: bool = False,
) -> Iterator[Found]:
    """Yield the objects below a folder in the order of their keys, or `by_folder`.

    That is the order of directories here, files and folders of each by their names. What is
    `avoided` is left out, and what is `hidden` unless that is asked for.

    Names come as the store gives them, a page or a folder at a time. Raises `error`.
    """
    address = address.rstrip("/")
    if is_web(address):
        what = "a server of the web does not list what is in a folder"
        raise error(what, where=Where(file=shown_address(address)), hint="name the files in it")
    if PACKAGES[scheme_of(address)] != "s3fs":
        found = _walk(address, error, by_folder=by_folder)
    elif by_folder:
        found = folder_by_folder(lambda below: _pages(below, error), address + "/")
    else:
        found = _pages(address + "/", error)
    stem = address + "/"
    for it in found:
        parts = it.address[len(stem) :].split("/")
        seen = hidden or not any(part.startswith(".") for part in parts)
        if seen and not (avoided and it.address.startswith(avoided.rstrip("/") + "/")):
            yield it


def folder_by_folder(
    pages: Callable[[str], Iterator[Found]], stem: str, ahead: int = AHEAD
) -> Iterator[Found]:
    """Yield what `pages` has below a stem, ``s3://bucket/a/``, in the order of directories.

    `pages` yields what begins with a stem in the order of whole keys, where ``a-b`` comes before
    ``a/c``, which here has to come first. So a name waits until what may come before it has been
    passed; and where `ahead` names wait, that is asked for, and passed over when its turn comes.
    No more is held, whatever there is.
    """
    waiting: list[tuple[str, str, Found]] = []
    done = set[str]()
    for it in pages(stem):
        last = it.address
        if done and last.startswith(tuple(done)):
            continue
        heappush(waiting, (last.replace("/", "\0"), last, it))
        while waiting:
            folder = _folder_before(waiting[0][1], len(stem), last, done)
            if folder is not None and len(waiting) < ahead:
                break
            if folder is None:
                yield heappop(waiting)[2]
            else:
                yield from folder_by_folder(pages, folder, ahead)
                done = {other for other in done if last < _beyond(other)} | {folder}
    while waiting:
        yield heappop(waiting)[2]


def _folder_before(address: str, start: int, last: str, done: set[str]) -> str | None:
    """Return the first folder whose names come before an address, and may be keys after `last`."""
    for place in range(start, len(address)):
        if address[place] < "/":
            folder = address[:place] + "/"
            if last < _beyond(folder) and folder not in done:
                return folder
    return None


def _beyond(folder: str) -> str:
    """Return a key after all of those that begin with a folder, ``a/``."""
    return folder[:-1] + "0"


def beginning(folder: str, stems: Sequence[str], error: type[PellucidError]) -> list[str]:
    """Return names in a folder that begin with a stem, a page of each at most. Raises `error`."""
    folder = folder.rstrip("/") + "/"
    if PACKAGES[scheme_of(folder)] != "s3fs":
        names = [it.address[len(folder) :] for it in beside(folder, error)]
        return [name for name in names if name.startswith(tuple(stems))]
    found = (it.address for stem in stems for it in islice(_pages(folder + stem, error), PAGE))
    return [address[len(folder) :].partition("/")[0] for address in found]


def matching(pattern: str, error: type[PellucidError], avoided: str = "") -> Iterator[Found]:
    """Yield the objects whose names match a pattern; ``*`` ends at a slash, ``**`` does not."""
    from fsspec.utils import glob_translate

    scheme, _, rest = pattern.partition("://")
    parts = rest.split("/")
    plain = next(n for n, part in enumerate(parts) if MAGIC.search(part))
    wanted = re.compile(glob_translate(rest), re.DOTALL)
    below = f"{scheme}://" + "/".join(parts[:plain])
    for it in listed(below, error, avoided):
        if wanted.match(it.address.partition("://")[2]):
            yield it


def beside(address: str, error: type[PellucidError]) -> list[Found]:
    """Return the objects and the folders in a folder, by their names, without what is below."""
    try:
        found = asked(address, lambda store: store.ls(address, detail=True), error, missing="")
    except AbsentError:
        return []
    own = address.partition("://")[2].strip("/")
    entries = [
        found_of(joined(address, name.rpartition("/")[2]), info)
        for info in found
        if (name := info["name"].rstrip("/")).strip("/") != own
        and not (info["type"] != "directory" and info["name"].endswith("/"))
    ]
    return sorted(entries, key=lambda it: (it.address, it.folder))


def _pages(stem: str, error: type[PellucidError]) -> Iterator[Found]:
    """Yield what begins with an address of S3, which lists a thousand keys at a time, sorted."""
    scheme, (bucket, _, key) = scheme_of(stem), stem.partition("://")[2].partition("/")
    more: dict[str, str] = {}
    while True:
        page = asked(
            stem,
            lambda store, more=more: store.call_s3(  # type: ignore[misc]
                "list_objects_v2",
                Bucket=bucket,
                Prefix=key,
                **store.req_kw,
                **more,
            ),
            error,
        )
        for it in page.get("Contents", ()):
            if not it["Key"].endswith("/"):
                yield found_of(f"{scheme}://{bucket}/{it['Key']}", {**it, "size": it["Size"]})
        if not page.get("IsTruncated"):
            return
        more = {"ContinuationToken": page["NextContinuationToken"]}


def _walk(address: str, error: type[PellucidError], *, by_folder: bool) -> Iterator[Found]:
    """Yield what is below an address, listed a folder at a time."""
    found = beside(address, error)
    if not by_folder:  # a folder comes where the keys below it do
        found.sort(key=lambda it: it.address + "/" * it.folder)
    for it in found:
        if it.folder:
            yield from _walk(it.address, error, by_folder=by_folder)
        else:
            yield it
