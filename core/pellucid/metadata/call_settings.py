"""Settings of a call, over the parameters of a specification: what command line options say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from os import PathLike, fspath
from typing import Any

from pellucid.errors import SpecError, did_you_mean
from pellucid.metadata.example_spec import Examples, Query
from pellucid.metadata.parameters import (
    METHOD_NAMES,
    ExplanationParameters,
    IntegratedGradients,
    Lime,
    Method,
    Players,
    Quadrature,
    SampledShapley,
    Segmentation,
    SmoothGrad,
    Xrai,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSettings:
    """What may be chosen for one call; None leaves a parameter as it is.

    `method` is ``integrated-gradients``, ``xrai``, ``sampled-shapley``, ``lime`` or ``examples``;
    settings that it does not have are not used. `steps` is the number of quadrature nodes; with a
    `tolerance` it is chosen for each instance, up to `max_steps`, so that approx_error is below it
    (for sampled Shapley the number of paths).
    `noisy_samples` turns SmoothGrad on, with noise of `noise_sigma` (default 0.1); `blur_sigma`
    takes the blurred image as the baseline, in pixels. `paths` is the number of sampled
    permutations, `players` ``elements`` or ``regions``; `samples` and `segmentation` are those of
    LIME. `neighbors` is the number of examples to find, `index` the file that they are in, `query`
    ``precise`` or ``fast``. `top_k` (-1 for all) or `output_indices` choose the outputs.
    """

    method: str | None = None
    steps: int | None = None
    quadrature: str | Quadrature | None = None
    noisy_samples: int | None = None
    noise_sigma: float | None = None
    blur_sigma: float | None = None
    tolerance: float | None = None
    max_steps: int | None = None
    paths: int | None = None
    neighbors: int | None = None
    index: str | PathLike[str] | None = None
    query: str | Query | None = None
    players: str | Players | None = None
    samples: int | None = None
    segmentation: str | Segmentation | None = None
    top_k: int | None = None
    output_indices: Sequence[int | Sequence[int]] | None = None

    @classmethod
    def of(cls, options: dict[str, Any]) -> CallSettings:
        """Return settings by their names. Raises SpecError for a name that is none."""
        known = [field.name for field in fields(cls)]
        for name in options:
            if name not in known:
                raise SpecError(
                    f"'{name}' is not a setting{did_you_mean(name, known)}; the settings are "
                    + ", ".join(known)
                )
        return cls(**options)

    def over(self, parameters: ExplanationParameters) -> ExplanationParameters:
        """Return the parameters with these settings. Raises SpecError for one out of range."""
        method = parameters.method
        if self.method is not None and self.method != METHOD_NAMES[type(method)]:
            method = _default_of(self.method)
        if isinstance(method, SampledShapley):
            method = replace(
                method,
                path_count=_chosen(self.paths, method.path_count),
                tolerance=_chosen(self.tolerance, method.tolerance),
                max_paths=_chosen(self.max_steps, method.max_paths),
            )
            if self.players is not None:
                method = replace(method, players=Players(self.players))
        if isinstance(method, Examples):
            method = replace(
                method,
                neighbor_count=_chosen(self.neighbors, method.neighbor_count),
                index=method.index if self.index is None else fspath(self.index),
                query=method.query if self.query is None else Query(self.query),
            )
        if isinstance(method, Lime):
            method = replace(method, num_samples=_chosen(self.samples, method.num_samples))
            if self.segmentation is not None:
                method = replace(method, segmentation_alg=Segmentation(self.segmentation))
        if isinstance(method, IntegratedGradients | Xrai):
            method = replace(
                method,
                step_count=_chosen(self.steps, method.step_count),
                max_blur_sigma=_chosen(self.blur_sigma, method.max_blur_sigma),
                tolerance=_chosen(self.tolerance, method.tolerance),
                max_steps=_chosen(self.max_steps, method.max_steps),
                smooth_grad=self._smooth_grad(method.smooth_grad),
            )
        if isinstance(method, IntegratedGradients) and self.quadrature is not None:
            method = replace(method, quadrature=Quadrature(self.quadrature))
        _check(method)
        result = replace(parameters, method=method)
        if self.top_k is not None:
            if self.top_k < 1 and self.top_k != -1:
                raise SpecError(
                    f"top_k: {self.top_k} is out of range, must be 1 or more, or -1 for all"
                )
            result = replace(result, top_k=self.top_k, output_indices=None)
        if self.output_indices is not None:
            indices = [(i,) if isinstance(i, int) else tuple(i) for i in self.output_indices]
            result = replace(result, output_indices=tuple(indices))
        return result

    def _smooth_grad(self, before: SmoothGrad | None) -> SmoothGrad | None:
        if self.noisy_samples is None and self.noise_sigma is None:
            return before
        smooth = before or SmoothGrad()
        if self.noisy_samples is not None:
            smooth = replace(smooth, noisy_sample_count=self.noisy_samples)
        if self.noise_sigma is not None:
            smooth = replace(smooth, noise_sigma=self.noise_sigma, feature_noise_sigma=None)
        return smooth


def _chosen(setting: Any, before: Any) -> Any:
    return before if setting is None else setting


def _default_of(name: str) -> Method:
    """Return a method's default parameters by its name."""
    kinds = (IntegratedGradients, Xrai, SampledShapley, Lime, Examples)
    known = {METHOD_NAMES[kind]: kind for kind in kinds}
    if name not in known:
        raise SpecError(
            f"method: '{name}' is unknown{did_you_mean(name, list(known))}; choose one of "
            + ", ".join(known)
        )
    return known[name]()


def _check(method: Method) -> None:
    """Raise SpecError for what cannot be computed; what the services refused only warns."""
    if isinstance(method, SampledShapley) and method.path_count < 1:
        raise SpecError(f"paths: {method.path_count} is out of range, must be 1 or more")
    if isinstance(method, Examples) and method.neighbor_count < 1:
        raise SpecError(f"neighbors: {method.neighbor_count} is out of range, must be 1 or more")
    if isinstance(method, Lime) and method.num_samples < 2:
        raise SpecError(f"samples: {method.num_samples} is out of range, must be 2 or more")
    tolerance: float | None = getattr(method, "tolerance", None)
    if tolerance is not None and not tolerance > 0:
        raise SpecError(f"tolerance: {tolerance:g} is out of range, must be above 0")
    if not isinstance(method, IntegratedGradients | Xrai):
        return
    smooth = method.smooth_grad
    if method.step_count < 1:
        raise SpecError(f"steps: {method.step_count} is out of range, must be 1 or more")
    if smooth is not None and smooth.noisy_sample_count < 1:
        raise SpecError(
            f"noisy_samples: {smooth.noisy_sample_count} is out of range, must be 1 or more"
        )
    if method.tolerance is not None and smooth is not None:
        raise SpecError(
            "tolerance: cannot be kept with noisy samples, which do not end at the instance; leave "
            "out one of the two"
        )
