"""Which method with which settings, and which outputs: ``ExplanationParameters`` as records."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from pellucid.metadata.example_spec import Examples


class Segmentation(Enum):
    """The ways to cut a picture that KServe's explainer knew."""

    QUICKSHIFT = "quickshift"
    FELZENSZWALB = "felzenszwalb"
    SLIC = "slic"


class Players(Enum):
    """What Shapley values are given to: the elements of each tensor, or regions of a picture."""

    ELEMENTS = "elements"
    REGIONS = "regions"


class Quadrature(Enum):
    """The rule by which the path integral is approximated."""

    GAUSS_LEGENDRE = "gauss-legendre"
    MIDPOINT = "midpoint"
    TRAPEZOID = "trapezoid"


@dataclass(frozen=True, slots=True, kw_only=True)
class SmoothGrad:
    """Gradients "averaged from noisy samples in the vicinity of the inputs" (arXiv 1706.03825)."""

    noisy_sample_count: int = 3
    noise_sigma: float | None = None
    feature_noise_sigma: tuple[tuple[str, float], ...] | None = None

    def sigma(self, feature: str) -> float:
        """Return the noise of one feature; "no noise is added to features that are not set"."""
        if self.feature_noise_sigma is not None:
            return dict(self.feature_noise_sigma).get(feature, 0.0)
        return 0.1 if self.noise_sigma is None else self.noise_sigma


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegratedGradients:
    """Integrated gradients (arXiv 1703.01365). "A good value to start is 50.\""""

    step_count: int = 50
    smooth_grad: SmoothGrad | None = None
    max_blur_sigma: float | None = None
    quadrature: Quadrature = Quadrature.GAUSS_LEGENDRE
    tolerance: float | None = None
    max_steps: int = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Xrai:
    """XRAI (arXiv 1906.02825): integrated gradients redistributed to segmented regions."""

    step_count: int = 50
    smooth_grad: SmoothGrad | None = None
    max_blur_sigma: float | None = None
    tolerance: float | None = None
    max_steps: int = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledShapley:
    """Sampled Shapley (arXiv 1306.4265): permutations of the features are sampled."""

    path_count: int = 50
    players: Players = Players.ELEMENTS
    tolerance: float | None = None
    max_paths: int = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Lime:
    """LIME for images (arXiv 1602.04938), with the five parameters of KServe's explainer.

    `hide_color` is what hidden patches are painted with, on the model's own scale.
    """

    top_labels: int = 10
    segmentation_alg: Segmentation = Segmentation.QUICKSHIFT
    num_samples: int = 1000
    positive_only: bool = True
    min_weight: float = 0.01
    hide_color: float = 0.0


Attributing: TypeAlias = IntegratedGradients | Xrai | SampledShapley | Lime
"""The methods that say what each feature contributed."""

Method: TypeAlias = Attributing | Examples

METHOD_NAMES: dict[type, str] = {
    IntegratedGradients: "integrated-gradients",
    Xrai: "xrai",
    SampledShapley: "sampled-shapley",
    Lime: "lime",
    Examples: "examples",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplanationParameters:
    """Which method, and which outputs: ``outputIndices``, else ``topK``, else the argmax."""

    method: Method = field(default_factory=IntegratedGradients)
    top_k: int | None = None
    output_indices: tuple[tuple[int, ...], ...] | None = None
