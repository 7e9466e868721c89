"""Features that a method goes over as one."""

from __future__ import annotations

from pellucid.methods.joined.side_by_side import side_by_side

__all__ = ["side_by_side"]
