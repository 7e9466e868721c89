"""What several outputs of one instance cost against one: the way forward is gone once for all."""

from __future__ import annotations

from collections.abc import Iterator

from rows import Row, compared, rows_of
from timing import in_process, interleaved

LABELS = 10


def labels(turns: int) -> Iterator[Row]:
    """Integrated gradients of ten digits, for all ten outputs and for the best one."""
    model, x, _ = rows_of("digits", 10)
    instances = list(x)
    cases = {
        "ours": in_process(lambda: model.explain(instances, top_k=LABELS)),
        "one label": in_process(lambda: model.explain(instances, top_k=1)),
    }
    measured = interleaved(cases, turns)
    yield compared(f"IG digits 10×50, {LABELS} labels", "one label", measured, bound=5)
