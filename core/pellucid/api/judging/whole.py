"""What follows from what was found of all instances: the evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

from pellucid import __version__
from pellucid.api.judging.findings import Findings
from pellucid.api.judging.judge import Judge
from pellucid.errors import SpecError
from pellucid.evaluate import (
    CHANGED,
    RANDOMIZATION,
    REPEATED,
    SENSITIVITY,
    Candidate,
    Evaluation,
    Judged,
    LeftOut,
    Provenance,
    Repeats,
    Settings,
    control,
)
from pellucid.inputs import IMAGE_SUFFIXES
from pellucid.metadata import ExplanationParameters, recorded

PIXELS = 224 * 224
"""The elements of a picture, by which is told who draws fewer samples."""


def evaluation_of(judge: Judge, found: Findings) -> Evaluation:
    """Return what was found. Raises SpecError where no candidate could explain anything."""
    there = [it for it in judge.candidates if it.name not in found.out]
    if not there:
        reasons = "; ".join(f"{name}: {why}" for name, why in found.out.items())
        raise SpecError(f"no candidate can explain these instances: {reasons}")
    left = [
        LeftOut(metric="", candidate=name, count=len(found.rows), reason=why)
        for name, why in found.out.items()
    ]
    left += [
        LeftOut(metric=metric, candidate=name, count=count, reason=why)
        for (metric, name, why), count in found.missing.items()
    ]
    named = {it.name for it in judge.candidates}
    names = dict.fromkeys(name for values in found.values.values() for name in values)
    controls = [it for it in names if it not in named]
    metrics = [metric for measure in judge.measures for metric in measure.metrics]
    return Evaluation(
        kind=found.kind,
        candidates=(*_judged(judge, found, there), *map(control, controls)),
        metrics=tuple(metrics),
        instances=tuple(found.rows),
        values={it.name: found.arrays(found.values.get(it.name, {})) for it in metrics},
        curves={metric: found.arrays(curves) for metric, curves in found.curves.items()},
        left_out=tuple(left),
        shown=tuple(found.shown),
        notes=tuple(_notes(judge, found, there)),
        provenance=_provenance(judge, found),
    )


def _judged(judge: Judge, found: Findings, there: Sequence[Candidate]) -> Iterator[Judged]:
    short = {it.name: it.method.caption().split(",")[0] for it in there}
    for it in there:
        own = short[it.name]
        if [*short.values()].count(own) > 1:
            own = f"{own} ({it.name})"
        yield Judged(
            name=it.name,
            said=own,
            caption=it.method.caption(),
            settings=recorded(ExplanationParameters(method=it.method)),
            failed=found.failed.get(it.name, {}),
            warnings=[f"{said} ({n} ×)" for said, n in found.warned[it.name].items()],
        )


def _few(judge: Judge, found: Findings, there: Sequence[Candidate]) -> Iterator[str]:
    """Yield how often was repeated, where that is seldom: of what was taken alone."""
    settings, whole = judge.settings, Settings()
    taken = [it for it in REPEATED if found.values.get(it)]
    if not settings.samples or not taken:
        return
    fewer = []
    if SENSITIVITY in taken:
        moved = "input" if settings.moves == 1 else "inputs"
        fewer.append(f"{settings.moves} moved {moved} instead of {whole.moves}")
    if RANDOMIZATION in taken:
        fewer.append(f"all weights drawn anew at once instead of in {len(whole.depths)} steps")
    said = [f"{', and '.join(fewer)}."] if fewer else []
    lighter = [it.name for it in there if judge.again.repeated(it.name, PIXELS) is not it]
    if lighter:
        said.append(
            f"{'Maps' if fewer else 'maps'} of {', '.join(lighter)} are repeated with about "
            f"{settings.samples} samples, and compared with one of as many."
        )
    if said:
        yield (
            f"Repeats are few ({', '.join(taken)}): {' '.join(said)} Repeats 'all' has all of them."
        )


def _coarse(judge: Judge, found: Findings) -> Iterator[str]:
    """Yield how many stages the curves of changed maps have, where there are more of others."""
    stages, fewer = judge.settings.stages, judge.settings.changed_stages
    taken = [it for it in CHANGED if found.values.get(it)]
    if fewer < stages and taken:
        yield (
            f"Curves of changed maps have {fewer} stages instead of {stages} ({', '.join(taken)}): "
            "repeats 'all' has all of them."
        )


def _notes(judge: Judge, found: Findings, there: Sequence[Candidate]) -> Iterator[str]:
    yield from (it.note for it in there if it.note)
    yield from _coarse(judge, found)
    yield from _few(judge, found, there)
    labels = {(row.output, row.label) for row in found.rows}
    if len(labels) == 1 and len(found.rows) > 1 and found.several:
        ((index, name),) = labels
        label = f"'{name}'" if name else str(list(index))
        yield (
            f"All {len(found.rows)} instances have the label {label}: what is found of them "
            "need not hold for others."
        )
    judged = [Path(row.name) for row in found.rows]
    pictures = {it.stem for it in judged if it.suffix.lower() in IMAGE_SUFFIXES}
    unused = [it for name, it in judge.masks.files.items() if name not in pictures]
    # Of what is in no file of its own, the mask has the name of an id.
    if unused and all(it.suffix.lower() in IMAGE_SUFFIXES for it in judged):
        yield (
            f"{len(unused)} of {len(judge.masks.files)} masks are of no picture that was judged; "
            f"the first is {unused[0].name}."
        )
    for it in there:
        failed = found.failed.get(it.name, {})
        if failed:
            first = min(failed)
            yield (
                f"{it.name} failed on {len(failed)} of {len(found.rows)} instances, which are "
                f"left out of its pairs; the first is {found.rows[first].name}: {failed[first]}"
            )


def _provenance(judge: Judge, found: Findings) -> Provenance:
    output, asked = judge.model.explainer.metadata.output.name, judge.model.compiler.predictor
    return Provenance(
        program=__version__,
        tensorflow=judge.model.compiler.tensorflow,
        model=str(judge.model.directory) if asked is None else asked.name,
        fingerprint=judge.model.fingerprint,
        output=output,
        why_not=judge.model.explainer.parameters.rather_than,
        baseline=found.baseline,
        seed=judge.settings.seed,
        stages=judge.settings.stages,
        repeats=_repeats(judge),
    )


def plan_of(judge: Judge) -> dict[str, object]:
    """Return what must stay the same while an evaluation is broken off and goes on, as JSON."""
    model = judge.model
    mean = sha256(b"".join(it.tobytes() for it in model.explainer.mean.values())).hexdigest()
    return {
        **model.provenance,
        "mean": mean if model.explainer.mean else "",
        "candidates": {
            it.name: [recorded(ExplanationParameters(method=it.method)), str(it.settings.baseline)]
            for it in judge.candidates
        },
        "metrics": [metric.name for measure in judge.measures for metric in measure.metrics],
        "stages": judge.settings.stages,
        "repeats": _repeats(judge),
        "seed": judge.settings.seed,
        "masks": judge.masks.contents,
    }


def _repeats(judge: Judge) -> str:
    return str((Repeats.FEW if judge.settings.samples else Repeats.ALL).value)
