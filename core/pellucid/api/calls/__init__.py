"""A call of a loaded model: what it is given, in blocks, and how far it has come."""

from __future__ import annotations

from pellucid.api.calls.call import Call, block_size
from pellucid.api.calls.progress import progress_bar
from pellucid.api.calls.records import naming, records_of
from pellucid.api.calls.streamed import refuse_means

__all__ = ["Call", "block_size", "naming", "progress_bar", "records_of", "refuse_means"]
