"""Commands that compare: two models, or a model and what a service recorded."""

from __future__ import annotations

from pellucid_cli.commands.comparison.diff import diff
from pellucid_cli.commands.comparison.parity import parity
from pellucid_cli.commands.comparison.record import record

__all__ = ["diff", "parity", "record"]
