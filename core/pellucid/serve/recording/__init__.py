"""Exchanges kept as files while a service answers, so that they can be compared with others later.

Bodies alone are kept, and the path without its query: tokens and keys stand in headers and queries.
"""

from __future__ import annotations

from pellucid.serve.recording.recorder import Recorder

__all__ = ["Recorder"]
