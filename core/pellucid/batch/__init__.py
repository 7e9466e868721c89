"""Many instances in, results out: a folder of inputs becomes a folder of explanations.

Inputs are found and streamed (`pellucid.inputs.found`, `items`), cut into blocks at fixed places
(`plan`), and explained by one of the `engines`, in whatever process; each finished block is written
such that a run that was broken off goes on from there (`output_folder`, `resume`). One bad input
costs one line in ``errors.jsonl``, and nothing else. `Run` puts it together.
"""

from __future__ import annotations

from pellucid.batch.engines.alone import in_this_process
from pellucid.batch.engines.threads import Engine, in_threads
from pellucid.batch.estimate import Estimate
from pellucid.batch.merge import merge
from pellucid.batch.plan import Part, Selection
from pellucid.batch.records import Finished, Record
from pellucid.batch.rendering import Wanted
from pellucid.batch.run import Opened, Outcome, Run, Watcher
from pellucid.batch.truth import Truth
from pellucid.batch.worker import Recipe, Work
from pellucid.inputs.found import Inputs, names_in

__all__ = [
    "Engine",
    "Estimate",
    "Finished",
    "Inputs",
    "Opened",
    "Outcome",
    "Part",
    "Recipe",
    "Record",
    "Run",
    "Selection",
    "Truth",
    "Wanted",
    "Watcher",
    "Work",
    "in_this_process",
    "in_threads",
    "merge",
    "names_in",
]
