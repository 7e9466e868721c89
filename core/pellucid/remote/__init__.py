"""Data that lie elsewhere: addresses, ``s3://bucket/model``, in the place of paths.

`address_of` tells an address from a path. What is read of one is read whole, by `read` and
`copied`; models are copied once into a cache (`folder_copy`); what is written is put as whole
objects (`put`). Only people's own words lead here: names in metadata and requests are never
fetched.
"""

from __future__ import annotations

from pellucid.remote.addresses import (
    address_of,
    common_root,
    is_web,
    joined,
    name_in,
    parts_below,
    place_of,
    public,
    shown_address,
)
from pellucid.remote.copies import cache_folder, file_copy, files_of, folder_copy, outline
from pellucid.remote.listing import beginning, beside, listed, matching
from pellucid.remote.maps import Map, mapped
from pellucid.remote.objects import (
    MAGIC,
    Found,
    copied,
    fetch,
    find,
    is_folder,
    put,
    read,
    refuse_web,
    remove,
    together,
)
from pellucid.remote.stores import check_installed

__all__ = [
    "MAGIC",
    "Found",
    "Map",
    "address_of",
    "beginning",
    "beside",
    "cache_folder",
    "check_installed",
    "common_root",
    "copied",
    "fetch",
    "file_copy",
    "files_of",
    "find",
    "folder_copy",
    "is_folder",
    "is_web",
    "joined",
    "listed",
    "mapped",
    "matching",
    "name_in",
    "outline",
    "parts_below",
    "place_of",
    "public",
    "put",
    "read",
    "refuse_web",
    "remove",
    "shown_address",
    "together",
]
