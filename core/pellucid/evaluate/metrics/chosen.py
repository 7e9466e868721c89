"""All metrics, and those of them that are taken."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.errors import SpecError, meant
from pellucid.evaluate.metrics.curves import CURVES
from pellucid.evaluate.metrics.perturbed import PERTURBED, SENSITIVITY
from pellucid.evaluate.metrics.pictures import INFORMATION, ROAD_FILLED
from pellucid.evaluate.metrics.sanity import SANITY, SEED
from pellucid.evaluate.metrics.shares import IN_MASK, IN_SHARES
from pellucid.evaluate.trial import RANDOMIZATION, Measure

MEASURES: tuple[Measure, ...] = (
    *CURVES,
    *PERTURBED,
    INFORMATION,
    ROAD_FILLED,
    IN_SHARES,
    IN_MASK,
    *SANITY,
)
"""All of them, in the order of a table."""

ALL = "all"
REPEATED = (SENSITIVITY, SEED, RANDOMIZATION)
"""Those that explain an instance again."""


def chosen_measures(names: Sequence[str], *, masks: bool = False) -> list[Measure]:
    """Return the measures that have the metrics of these names; the usual ones for none.

    ``all`` is every one. With `masks`, those that need them are usual. Raises SpecError.
    """
    known = [it.name for measure in MEASURES for it in measure.metrics]
    for name in names:
        if name not in (*known, ALL):
            hints = (meant(name, [*known, ALL]), f"choose from {', '.join(known)}, or {ALL}")
            raise SpecError(f"'{name}' is not a metric", hint="; ".join(filter(None, hints)))
    if not names:
        return [it for it in MEASURES if it.usual or (masks and it.masked)]
    return [
        it for it in MEASURES if ALL in names or any(metric.name in names for metric in it.metrics)
    ]
