"""Why an answer differs: other settings are tried, and those named that bring the two together.

One kind of difference after the other, since each may hide the next: the score of the instance
(pixels, logits, the output), that of the baseline (the baseline), the attributions (steps, the
quadrature rule, the baseline, the seed, the method), and the pictures (how they are drawn).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pellucid.api import LoadedModel, LoadOptions
from pellucid.comparison.parity.fields import Field, Tolerances, Verdict
from pellucid.comparison.parity.replay import Replayed, replay
from pellucid.errors import PellucidError
from pellucid.metadata import (
    METHODS,
    ExplainOptions,
    Modality,
    PixelSettings,
    Quadrature,
    Visualization,
    call_settings,
)
from pellucid.visualize import variations

STEPS = (50, 20, 25, 10, 100, 30, 64, 32, 40, 200, 16, 128, 15, 5, 60, 75, 80, 150, 250, 256, 300,
         500, 8, 3, 1000)  # fmt: skip
"""Step counts that are tried, those that people write most first."""
SEEDS = (0, 1, 2, 42, 1234)
SAMPLE = 3
"""Instances that alternatives are tried on: those that differ most."""
NOISE = 1e-4
"""Below it, numbers may differ by the rounding of other machines: no reason is looked for."""
SURE = 1e-5
"""Of several settings that bring answers together, one this near is looked for no further."""

Changes = Mapping[str, Any]
Reload = Callable[[LoadOptions], LoadedModel]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is explained with: changes of the call, of loading, and of drawing, and their words."""

    said: tuple[str, ...] = ()
    call: Changes = field(default_factory=dict)
    load: Changes = field(default_factory=dict)
    visualization: Visualization = Visualization()
    seed: int | None = None

    def and_also(self, other: Setting) -> Setting:
        """Return both together."""
        return Setting(
            said=(*self.said, *other.said),
            call={**self.call, **other.call},
            load={**self.load, **other.load},
            visualization=self.visualization.updated(other.visualization),
            seed=self.seed if other.seed is None else other.seed,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why one kind of field differs, in `said`: the settings that bring them together.

    `before` and `after` are the largest differences; `said` is empty where no setting does, and
    `tried` are the kinds of settings that were.
    """

    kind: str
    said: tuple[str, ...]
    before: float
    after: float
    tried: tuple[str, ...] = ()

    @property
    def found(self) -> bool:
        return bool(self.said)


ORDER = ("score", "baseline score", "attribution", "mask", "picture")
"""The kinds of fields that settings can explain, in the order in which they are looked at."""


class Search:
    """Tries settings on a few answers; `reload` loads the model with other options."""

    def __init__(
        self,
        model: LoadedModel,
        options: LoadOptions,
        reload: Reload,
        tolerances: Tolerances,
    ) -> None:
        self.model, self.options, self.reload, self.tolerances = model, options, reload, tolerances
        self._loaded: dict[str, LoadedModel | None] = {}

    def reasons(self, found: Sequence[Replayed]) -> Iterator[Reason]:
        """Yield a reason for each kind of field that differs, in their order.

        That is so of what differs within the tolerances, too, where a setting is the reason; where
        none is, only what is beyond them is worth a word. What is found for one kind is kept while
        the next is looked at. Where nothing explains that the model itself answers otherwise, there
        is no sense in looking further.
        """
        worst = sorted(found, key=lambda it: -_furthest(it.fields, ORDER))
        current: Sequence[Replayed] = [it for it in worst if _differs(it.fields, ORDER)][:SAMPLE]
        kept = Setting()
        for kind in ORDER:
            if not any(_differs(it.fields, (kind,)) for it in current):
                continue
            before = current
            reason, kept, current = self._reason(kind, kept, current)
            beyond = any(
                it.verdict is Verdict.DIFFERS
                for one in before
                for it in one.fields
                if it.kind == kind
            )
            if reason.found or beyond:
                yield reason
            if not reason.found and kind == "score":
                return

    def _reason(
        self, kind: str, kept: Setting, current: Sequence[Replayed]
    ) -> tuple[Reason, Setting, Sequence[Replayed]]:
        before = _far(current, kind)
        best, nearest, at = kept, before, current
        tried: list[str] = []
        for name, settings in self._alternatives(kind):
            tried.append(name)
            for setting in settings:
                made = self._tried(current, kept, kept.and_also(setting))
                if made is not None and _far(made, kind) < nearest:
                    best, nearest, at = kept.and_also(setting), _far(made, kind), made
                if nearest[0] == 0 and nearest[1] <= SURE:
                    break
            if nearest[0] == 0:
                break
        limit = self.tolerances.pictures if kind == "picture" else self.tolerances.numbers
        explained = nearest[0] <= limit and best is not kept
        reason = Reason(
            kind=kind, said=best.said[len(kept.said) :] if explained else (),
            before=_furthest_of(current, (kind,)), after=_furthest_of(at, (kind,)),
            tried=tuple(tried),
        )  # fmt: skip
        return (reason, best, at) if explained else (reason, kept, current)

    def _tried(
        self, current: Sequence[Replayed], kept: Setting, setting: Setting
    ) -> list[Replayed] | None:
        """Return cases explained with other settings, None where that cannot be.

        Where only the drawing is another than with those that are `kept`, none is explained again.
        """
        drawn_only = replace(setting, said=kept.said, visualization=kept.visualization) == kept
        try:
            model = self._model(setting)
            if model is None:
                return None
            return [
                replay(
                    model, it.case, self.tolerances, visualization=setting.visualization,
                    explanations=it.explanations if drawn_only else None,
                )
                for it in current
            ]  # fmt: skip
        except PellucidError:
            return None

    def _model(self, setting: Setting) -> LoadedModel | None:
        model: LoadedModel | None = self.model
        if setting.load:
            key = repr(sorted(setting.load.items(), key=lambda item: item[0]))
            if key not in self._loaded:
                self._loaded[key] = self.reload(replace(self.options, **setting.load))
            model = self._loaded[key]
        if model is None or not (setting.call or setting.seed is not None):
            return model
        settings = call_settings(setting.call)
        return model.configured(ExplainOptions(settings=settings, seed=setting.seed))

    def _alternatives(self, kind: str) -> Iterator[tuple[str, Iterable[Setting]]]:
        """Yield kinds of settings that can change a kind of field, with those to be tried."""
        if kind == "score":
            yield "pixels", self._pixels()
            yield "logits", [_load("the logit instead of the probability", logits=True)]
            yield "output", self._outputs()
        if kind == "baseline score":
            yield "baseline", self._baselines()
        if kind in ("attribution", "mask"):
            yield from self._of_attributions()
        if kind == "picture":
            yield from self._of_pictures()
            yield from self._of_attributions()

    def _of_attributions(self) -> Iterator[tuple[str, Iterable[Setting]]]:
        method = self.model.parameters.method
        if method.effort is not None and method.effort.setting == "steps":
            yield "steps", self._steps()
            yield "quadrature rule", [*self._rules()]
            yield (
                "steps and quadrature rule",
                (one.and_also(other) for one in self._rules() for other in self._steps()),
            )
        elif not method.sampled:
            return
        yield "baseline", self._baselines()
        if method.sampled or getattr(method, "smooth_grad", None) is not None:
            yield "seed", self._seeds()
        if method.uses_gradients:
            yield (
                "method",
                [
                    _call(f"{it.title} instead of {method.title}", method=it.name)
                    for it in METHODS.values()
                    if it.uses_gradients and it.name != method.name
                ],
            )

    def _steps(self) -> Iterator[Setting]:
        own = getattr(self.model.parameters.method, "step_count", None)
        for steps in STEPS:
            if steps != own:
                yield _call(f"{steps} steps instead of {own}", steps=steps)

    def _rules(self) -> Iterator[Setting]:
        own = getattr(self.model.parameters.method, "quadrature", None)
        for rule in Quadrature:
            if own is not None and rule is not own:
                yield _call(f"the {rule.value} rule instead of {own.value}", quadrature=rule)

    def _baselines(self) -> Iterator[Setting]:
        for low, high in self._domains():
            yield _call(f"the baseline {high:g}", baseline=high)
            yield _call(f"the baseline {low:g}", baseline=low)
            yield _call(f"the baseline {(low + high) / 2:g}", baseline=(low + high) / 2)
        yield _call("the baseline 0", baseline="zero")
        yield _call("the baseline 1", baseline=1.0)
        pictures = [it for it in self.model.metadata.inputs if it.modality is Modality.IMAGE]
        if pictures:
            yield _call("the blurred picture as baseline", baseline="blur")

    def _domains(self) -> set[tuple[float, float]]:
        domains = [it.domain for it in self.model.metadata.inputs] + [
            it.domain for it in self.model.inputs
        ]
        return {tuple(it.range) for it in domains if it is not None}  # type: ignore[misc]

    def _seeds(self) -> Iterator[Setting]:
        for seed in SEEDS:
            if seed != self.model.explainer.seed:
                yield Setting(said=(f"seed {seed}",), seed=seed)

    def _pixels(self) -> Iterator[Setting]:
        if not any(it.modality is Modality.IMAGE for it in self.model.metadata.inputs):
            return
        for words in ("0..255", "0..1", "-1..1", "0..255,bgr", "0..1,bgr", "-1..1,bgr"):
            yield _load(f"pixels {words}", pixels=PixelSettings.parse(words))

    def _outputs(self) -> Iterator[Setting]:
        own = self.model.metadata.output.name
        for name in self.model.compiler.signature.outputs:
            if name != own:
                yield _load(f"the output '{name}' instead of '{own}'", output=name)

    def _of_pictures(self) -> Iterator[tuple[str, Iterable[Setting]]]:
        for kind, changed in variations():
            yield kind, [Setting(said=(said,), visualization=it) for said, it in changed]


def _call(said: str, **settings: Any) -> Setting:
    return Setting(said=(said,), call=settings)


def _load(said: str, **settings: Any) -> Setting:
    return Setting(said=(said,), load=settings)


def _furthest(fields: Sequence[Field], kinds: Sequence[str]) -> float:
    """Return the largest difference of some kinds of fields; those that differ in shape by 1."""
    some = [it for it in fields if it.kind in kinds]
    return max((1.0 if it.difference is None else it.difference for it in some), default=0.0)


def _furthest_of(found: Sequence[Replayed], kinds: Sequence[str]) -> float:
    return max(_furthest(it.fields, kinds) for it in found)


def _far(found: Sequence[Replayed], kind: str) -> tuple[float, float]:
    """Return how far answers are off in one kind of field, 0 if hardly, and then in all kinds.

    Several baselines may have one score: then the attributions tell which it was.
    """
    own = _furthest_of(found, (kind,))
    return (own if own > SURE else 0.0, _furthest_of(found, ORDER))


def _differs(fields: Sequence[Field], kinds: Sequence[str]) -> bool:
    return any(
        it.kind in kinds and (it.verdict is Verdict.DIFFERS or (it.difference or 0.0) > NOISE)
        for it in fields
    )
