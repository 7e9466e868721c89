"""Recorded requests replayed, one after the other, and what differs explained."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np

from pellucid import __version__
from pellucid.api import LoadedModel, LoadOptions, refuse_means
from pellucid.comparison.parity.fields import Tolerances, Verdict
from pellucid.comparison.parity.reasons import Reload, Search
from pellucid.comparison.parity.replay import Replayed, cases_of, replay
from pellucid.comparison.parity.result import Parity, Row
from pellucid.comparison.recorded import Exchange
from pellucid.errors import InstanceError, PellucidError
from pellucid.inputs import decode_picture
from pellucid.model import Array

SHOWN = 24
"""Answers whose pictures are kept: those that differ most come first."""


def parity(
    model: LoadedModel,
    exchanges: Iterable[Exchange | InstanceError],
    *,
    tolerances: Tolerances = Tolerances(),
    options: LoadOptions = LoadOptions(),
    reload: Reload | None = None,
    on_done: Callable[[], None] = lambda: None,
) -> Parity:
    """Return how a model's answers compare with those that a service gave.

    Each recorded request is explained with its own settings, of the outputs that were answered.
    Where answers differ beyond the `tolerances`, other settings are tried on a few of them: with
    `reload`, also those that a model is loaded with, instead of `options`. `on_done` is called
    after each answer.
    """
    refuse_means(model, "a comparison")
    model = replace(model, progress=False, warn=lambda said: None)  # warnings are of one answer
    rows: list[Row] = []
    failed: list[str] = []
    worst: list[tuple[int, Replayed]] = []
    notes: dict[str, None] = {}
    for it in exchanges:
        for made in _replayed(model, it, tolerances):
            if isinstance(made, PellucidError):
                failed.append(made.sentence())
            else:
                worst.append((len(rows), made))
                rows.append(Row(name=made.case.name, fields=made.fields))
                notes |= dict.fromkeys(_notes(made))
            if len(worst) > SHOWN:  # explanations of pictures are large
                worst.remove(min(worst, key=lambda pair: (_furthest(pair[1]), -pair[0])))
            on_done()
    search = Search(model, options, reload or (lambda _: model), tolerances)
    reasons = tuple(search.reasons([one for _, one in worst]))
    for place, one in worst:
        rows[place] = replace(rows[place], pictures=dict(_pictures(one)))
    return Parity(
        rows=tuple(rows),
        failed=tuple(failed),
        reasons=reasons,
        notes=tuple(notes),
        tolerances=tolerances,
        model=str(model.directory),
        fingerprint=model.fingerprint,
        method=model.parameters.method.caption(None),
        program=__version__,
        tensorflow=model.compiler.tensorflow,
    )


def _replayed(
    model: LoadedModel, exchange: Exchange | InstanceError, tolerances: Tolerances
) -> Iterator[Replayed | PellucidError]:
    """Yield what came of each instance of an exchange, or why nothing did."""
    if isinstance(exchange, InstanceError):
        yield exchange
        return
    try:
        cases = cases_of(exchange, model)
    except InstanceError as error:
        yield error
        return
    for case in cases:
        try:
            yield replay(model, case, tolerances)
        except PellucidError as error:
            yield error.at(case.where)


def _furthest(it: Replayed) -> float:
    """Return how far an answer is off; one that differs in what it is, wholly."""
    wrong = (1.0 for one in it.fields if one.verdict is Verdict.DIFFERS and one.difference is None)
    return max((*wrong, *(one.difference or 0.0 for one in it.fields)), default=0.0)


def _pictures(it: Replayed) -> Iterator[tuple[str, tuple[Array, Array, Array]]]:
    """Yield the pictures of an answer: recorded, ours, and what was explained."""
    (explanation,) = it.explanations
    for said, label in zip(it.case.labels, explanation.labels, strict=False):
        drawn = it.explanations.draw(0, label, own_size=False)
        for name, picture in said.pictures.items():
            if name in drawn:
                data, _ = drawn[name].encoded()
                ours = np.asarray(decode_picture(data, it.case.where))
                yield f"{label.called}: {name}", (picture, ours, drawn[name].image)


def _notes(it: Replayed) -> Iterator[str]:
    asked = it.case.request.get("signature_name")
    own = it.explanations.provenance.get("signature")
    if asked not in (None, "", own):
        yield f"Requests ask for the signature '{asked}', and '{own}' is explained here."
