"""Evaluations in several processes, each of which has the model."""

from __future__ import annotations

from pellucid.judges.processes import Asked, in_processes

__all__ = ["Asked", "in_processes"]
