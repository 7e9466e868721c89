"""Files: only regular ones are read, and what is written is there after a power cut."""

from __future__ import annotations

from pellucid.files.durable import (
    Writer,
    create,
    make_folder,
    put_in_place,
    remove,
    remove_tree,
    rename,
    sync,
    sync_folder,
)
from pellucid.files.expected import DAMAGED, expect
from pellucid.files.regular import (
    NO_FILE,
    check_regular,
    open_file,
    read_bytes,
    read_text,
)
from pellucid.files.shown_names import fitting, name_of, shown

__all__ = [
    "DAMAGED",
    "NO_FILE",
    "Writer",
    "check_regular",
    "create",
    "expect",
    "fitting",
    "make_folder",
    "name_of",
    "open_file",
    "put_in_place",
    "read_bytes",
    "read_text",
    "remove",
    "remove_tree",
    "rename",
    "shown",
    "sync",
    "sync_folder",
]
