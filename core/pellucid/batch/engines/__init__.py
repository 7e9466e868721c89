"""What computes the blocks of a run: threads, processes, a cluster."""

from __future__ import annotations

from pellucid.batch.engines.child import Child, start
from pellucid.batch.engines.cluster import on_cluster
from pellucid.batch.engines.processes import environments, gpus, in_processes

__all__ = ["Child", "environments", "gpus", "in_processes", "on_cluster", "start"]
