"""A model explains something small before it answers, so that the first request does not wait."""

from __future__ import annotations

from pellucid.serve.warm_up.warming import warm

__all__ = ["warm"]
