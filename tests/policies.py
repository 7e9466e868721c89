"""What pages may do, as they say it themselves."""

from __future__ import annotations

import base64
import hashlib
import re


def assert_policy(text: str) -> None:
    """A page runs its one script and has its one style, by their digests, and fetches nothing."""
    for kind, element in (
        ("script", '<script type="module">(.*?)</script>'),
        ("style", "<style>(.*?)</style>"),
    ):
        (body,) = re.findall(element, text, re.DOTALL)
        hashed = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{hashed}'" in text
    assert "default-src 'none'" in text
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", text)
