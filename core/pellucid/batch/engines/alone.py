"""This process alone, or one of its own where an earlier one died of what it explained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from pellucid.batch.engines.processes import in_processes
from pellucid.batch.engines.threads import Engine, in_threads
from pellucid.batch.output_folder import Folder
from pellucid.batch.worker import Recipe


@contextmanager
def in_this_process(recipe: Recipe, stop: Event, out: Path) -> Iterator[Engine]:
    """Load the model here, and explain with a few threads.

    Where the run that wrote into `out` died with blocks in the works, one of their inputs may have
    killed it: then a process of its own explains, which is replaced when it dies. Raises what
    loading the model raises.
    """
    if Folder(out).begun():
        with in_processes(recipe, stop, 1) as engine:
            yield engine
    else:
        with in_threads(recipe.load(), stop) as engine:
            yield engine
