"""TensorFlow itself: its import, the kernels, how rows are cut, how it fails."""

from __future__ import annotations

from pellucid.runtime.engine.row_batches import cores, parallel_batches_here

__all__ = ["cores", "parallel_batches_here"]
