"""Pages that are opened from disk: one file with its style and its script, and nothing fetched.

A template has gaps, ``{{name}}``. The policy of the page names its own style and script by their
hashes, so that nothing that a name or a label brings is ever run.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

_HOME = "pellucid.gallery"
"""Where the style and the script are that all pages have."""


@dataclass(frozen=True)
class Template:
    """A page cut at its gaps, and what fills the gaps in every page of its kind."""

    parts: list[str]
    constant: dict[str, bytes]

    def filled(self, **gaps: bytes) -> bytes:
        """Return the page; what fills a gap is never searched for another."""
        found = {**self.constant, **gaps}
        return b"".join(found[p] if i % 2 else p.encode() for i, p in enumerate(self.parts))


@cache
def read_template(package: str, page: str, style: str, scripts: Sequence[str]) -> Template:
    """Return the page in the folder ``static`` of a package, in the colours of all pages."""

    def read(owner: str, name: str) -> str:
        return resources.files(owner).joinpath("static").joinpath(name).read_text(encoding="utf-8")

    def hashed(text: str) -> bytes:
        return b"sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest())

    styles = "\n" + "\n".join([read(_HOME, "theme.css"), read(package, style)])
    script = "\n" + "\n".join([read(_HOME, "theme.js"), *(read(package, it) for it in scripts)])
    parts = re.split(r"\{\{([a-z ]+)\}\}", read(package, page))
    return Template(
        parts,
        {
            "script": script.encode(),
            "style": styles.encode(),
            "script hash": hashed(script),
            "style hash": hashed(styles),
        },
    )
