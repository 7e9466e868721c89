"""What the numbers say in sentences: who is ahead, and who no better than knowing nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from pellucid.evaluate.controls import RANDOM
from pellucid.evaluate.statistics import LEAST, TOO_FEW, Interval
from pellucid.evaluate.trial import RANDOMIZATION, UNCHANGED, Metric, leading


class Judgement(Protocol):
    """What sentences are made of: an `Evaluation`."""

    @property
    def candidates(self) -> Sequence[Any]: ...
    @property
    def metrics(self) -> Sequence[Metric]: ...
    @property
    def instances(self) -> Sequence[object]: ...
    def metric(self, name: str) -> Metric:
        """Return a metric by its name."""
        ...

    def has(self, metric: str, candidate: str) -> bool:
        """Whether there are numbers of a candidate by a metric."""
        ...

    def mean(self, metric: str, candidate: str) -> Interval:
        """Return the mean of a candidate by a metric."""
        ...

    def ranking(self, metric: str) -> list[str]:
        """Return the candidates, the best first."""
        ...

    def ahead(self, metric: str, candidate: str, other: str) -> Interval:
        """Return by how much a candidate is better than another."""
        ...


def sentences(found: Judgement) -> Iterator[str]:
    """Yield the sentences, those that limit all others first."""
    n = len(found.instances)
    if n == 1:
        yield "There is one instance: nothing can be said of others, and no interval be given."
        return
    if n < LEAST:
        yield f"{n} instances are too few to tell methods apart: whatever they show may be chance."
        return
    if n < TOO_FEW:
        yield f"{n} instances are too few to rank methods: from {TOO_FEW} on that can be done."
    ranking = [it.name for it in found.metrics if it.better is not None]
    for metric in leading(ranking):
        yield from _of_metric(found, metric)
    blind = []
    for it in found.candidates:
        mean = found.mean(RANDOMIZATION, it.name).mean
        if not it.control and mean is not None and mean >= UNCHANGED:
            blind.append(it.said)
    if blind:
        do = "does" if len(blind) == 1 else "do"
        yield (
            f"{_listed(blind)} {do} not depend on the model: with random weights the maps stay as "
            "they are."
        )


def _of_metric(found: Judgement, metric: str) -> Iterator[str]:
    said = {it.name: it.said for it in found.candidates}
    ranked = found.ranking(metric)
    by = f"By {found.metric(metric).title}"
    if len(ranked) > 1:
        first, second = ranked[:2]
        gap = found.ahead(metric, first, second)
        if gap.sure:
            yield f"{by} {said[first]} is ahead of {said[second]} by {_range(gap)}."
        elif gap.low is not None:
            yield (
                f"{by} {said[first]} and {said[second]} are not distinguishable ({_range(gap)})."
            )
    lost = _no_better_than_random(found, metric, ranked) if found.has(metric, RANDOM) else {}
    for what in dict.fromkeys(lost.values()):
        names = [said[name] for name, it in lost.items() if it == what]
        yield f"{by} {_listed(names)} {_are(names)} {what} random."
    yield from _against_controls(found, metric, [it for it in ranked if it not in lost], by, said)


def _no_better_than_random(found: Judgement, metric: str, ranked: Sequence[str]) -> dict[str, str]:
    """Return the candidates that are not, with what they are instead."""
    lost = {}
    for name in ranked:
        gap = found.ahead(metric, name, RANDOM)
        if not _is_ahead(gap):
            lost[name] = "worse than" if gap.sure else "not distinguishable from"
    return lost


def _is_ahead(gap: Interval) -> bool:
    return gap.sure and gap.low is not None and gap.low > 0


def _against_controls(
    found: Judgement, metric: str, ranked: Sequence[str], by: str, said: dict[str, str]
) -> Iterator[str]:
    """Say who is not better than controls, together with all of whom the same is to be said."""
    names = [it.name for it in found.candidates if it.control and it.name != RANDOM]
    lost: dict[tuple[str, ...], list[str]] = {}
    for name in ranked:
        gaps = {it: found.ahead(metric, name, it) for it in names if found.has(metric, it)}
        behind = tuple(said[it] for it, gap in gaps.items() if not _is_ahead(gap))
        if behind:
            lost.setdefault(behind, []).append(said[name])
    for behind, who in lost.items():
        know = "knows" if len(behind) == 1 and not behind[0].endswith("edges") else "know"
        yield (
            f"{by} {_listed(who)} {_are(who)} not better than {_listed(behind, 'or')}, which "
            f"{know} nothing of the model."
        )


def _range(gap: Interval) -> str:
    assert gap.low is not None and gap.high is not None
    return f"{gap.low:.2g} to {gap.high:.2g}"


def _are(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _listed(names: Sequence[str], last: str = "and") -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {last} {names[-1]}"
