"""Which method with which settings, and which outputs: ``ExplanationParameters`` as records.

To add a method: its record here, with a place in `Attributing`, and what is new of its settings in
`CallSettings`; a module in ``pellucid.methods``; a case in ``pellucid.explain.dispatch``; its line
in the law suite; and its options. A key of its own in documents stands in the published schema.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeAlias, TypeVar, get_args

from pellucid.errors import SpecError
from pellucid.metadata.choices import (
    FEW,
    REGIONS,
    WINDOWS,
    Players,
    Quadrature,
    Segmentation,
)
from pellucid.metadata.example_spec import Examples, Query
from pellucid.metadata.method import (
    BaseMethod,
    Effort,
    PatchChoice,
    Presets,
    SeriesParts,
    Settings,
    SmoothGrad,
    TextParts,
    spelled,
)
from pellucid.metadata.spec import DomainBaseline, Modality
from pellucid.notices import Hint, Where

# What the package offers, too; a method is named here, and in no `__init__`.
__all__ = [
    "WINDOWS",
    "ExplanationParameters",
    "IntegratedGradients",
    "Lime",
    "Players",
    "Quadrature",
    "SampledShapley",
    "Segmentation",
    "SmoothGrad",
    "Xrai",
]

T = TypeVar("T")
Path_ = TypeVar("Path_", bound="_PathIntegral")


class Setting(NamedTuple):
    """What a setting of a call may be: an int, a float, a path, or one of an enum's values.

    `least` is the least value, `above` what all values are above.
    """

    kind: type
    least: int | None = None
    above: float | None = None


def _setting(kind: type, *, least: int | None = None, above: float | None = None) -> Any:
    return field(default=None, metadata={"setting": Setting(kind, least, above)})


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSettings:
    """What may be chosen for one call; None leaves a parameter as it is.

    `method` is the name of one; settings that it does not have are not used. `steps` is the number
    of quadrature nodes; with a `tolerance` it is chosen for each instance, up to `max_steps`, so
    that approx_error and quadrature_error, the estimated error of the attributions, are below it
    (for sampled Shapley the number of paths, and approx_error alone).
    `noisy_samples` turns SmoothGrad on, with noise of `noise_sigma` (by default 0.1 of the range of
    an input, or 0.1 where that is not known); `blur_sigma` takes the blurred image as the baseline,
    in pixels. `baseline` takes the place of those in the metadata: ``zero``, ``mean`` (of the
    instances of the call), ``blur`` (of pictures, by default a 15th of their longer side),
    ``noise`` (uniform over the domain), a number, lists or an array, a file as in metadata, or a
    mapping of inputs to such. `paths` is the number of sampled permutations, `players`
    ``elements``, ``regions``, ``words``, ``whole``, ``channels`` or ``windows`` of `window` steps
    (by default as many as leave 20 windows); `split` cuts texts into ``words``,
    ``characters`` or ``sentences``, or at the matches of a regular expression, and `mask` takes the
    place of parts that are left out; `samples`, `segmentation`, `top_labels`, `min_weight`,
    `positive_only` and, of texts, `bag_of_words` are those of LIME. `neighbors` is the number of
    examples to find, `index` the file that they are in, `query` ``precise`` or ``fast``. `errors`
    asks for the error of each value. `top_k`
    (-1 for all) or `output_indices` choose the outputs; `why_not`, a label by its name or index,
    has the difference of each of them from that one explained.
    """

    method: str | None = None
    steps: int | None = _setting(int, least=1)
    tolerance: float | None = _setting(float, above=0)
    max_steps: int | None = _setting(int, least=3)
    paths: int | None = _setting(int, least=1)
    players: str | Players | None = _setting(Players)
    window: int | None = _setting(int, least=1)
    split: str | None = _setting(str)
    mask: str | None = _setting(str)
    bag_of_words: bool | None = _setting(bool)
    samples: int | None = _setting(int, least=2)
    segmentation: str | Segmentation | None = _setting(Segmentation)
    top_labels: int | None = _setting(int, least=1)
    min_weight: float | None = _setting(float)
    positive_only: bool | None = _setting(bool)
    index: str | PathLike[str] | None = _setting(Path)
    neighbors: int | None = _setting(int, least=1)
    query: str | Query | None = _setting(Query)
    quadrature: str | Quadrature | None = _setting(Quadrature)
    noisy_samples: int | None = _setting(int, least=1)
    noise_sigma: float | None = _setting(float, above=0)
    blur_sigma: float | None = _setting(float, above=0)
    errors: bool | None = _setting(bool)
    baseline: Any = None
    top_k: int | None = None
    output_indices: Sequence[int | Sequence[int]] | None = None
    why_not: str | int | Sequence[int] | None = None

    @property
    def blurs(self) -> bool:
        """Whether the blurred image is asked for as the baseline."""
        return self.blur_sigma is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class _PathIntegral(BaseMethod):
    """What is integrated gradients, whatever is made of them. "A good value to start is 50.\""""

    step_count: int = spelled(50, "step_count", "num_integral_steps", setting="steps")
    smooth_grad: SmoothGrad | None = spelled(None, "smooth_grad_config", record=SmoothGrad)
    max_blur_sigma: float | None = spelled(
        None, "max_blur_sigma", inside="blur_baseline_config", setting="blur_sigma"
    )
    tolerance: float | None = spelled(None, setting="tolerance")
    max_steps: int = spelled(500, setting="max_steps")

    for_images: ClassVar[Settings] = {}
    for_series: ClassVar[Settings] = {}
    effort = Effort("steps", 50)
    counts = "gradients"
    uses_gradients = True
    sampled = False
    with_noise: ClassVar[str]
    """What people call it with SmoothGrad."""

    def cost(self, elements: int, outputs: int) -> int:
        steps = self.step_count if self.tolerance is None else self.max_steps
        return outputs * steps * (self.smooth_grad.noisy_sample_count if self.smooth_grad else 1)

    def caption(self, evaluations: int | None = None, *, patches: bool = True) -> str:
        refined = self.tolerance is not None and evaluations
        parts = [self.title, f"{evaluations if refined else self.step_count} steps"]
        if self.smooth_grad is not None:
            parts[0] = self.with_noise
            parts.append(f"{self.smooth_grad.noisy_sample_count} noisy samples")
        if self.max_blur_sigma is not None:
            parts.append(f"from blur {self.max_blur_sigma:g}")
        return ", ".join(parts)

    def noised(self: Path_, sigmas: Mapping[str, float]) -> Path_:
        if self.smooth_grad is None:
            return self
        noise = replace(self.smooth_grad, feature_noise_sigma=tuple(sigmas.items()))
        return replace(self, smooth_grad=noise)

    def without_blur(self: T) -> T:
        return replace(self, max_blur_sigma=None)  # type: ignore[type-var]

    def check(self) -> None:
        if self.tolerance is not None and self.smooth_grad is not None:
            raise SpecError(
                "cannot be kept with noisy samples, which do not end at the instance",
                where=Where(path="tolerance"),
                hint="leave out one of the two",
            )
        if self.errors and self.tolerance is not None:
            raise SpecError(
                "are the differences between two fixed rules, and a tolerance refines each path "
                "by itself",
                where=Where(path="errors"),
                hint="leave out one of the two",
            )
        if self.errors and self.step_count < 2:
            raise SpecError(
                "are the difference from half the steps, and there is one step",
                where=Where(path="errors"),
                hint=Hint("raise {steps}"),
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegratedGradients(_PathIntegral):
    """Integrated gradients (arXiv 1703.01365)."""

    quadrature: Quadrature = spelled(Quadrature.GAUSS_LEGENDRE, setting="quadrature")
    errors: bool = spelled(False, setting="errors")

    name = "integrated-gradients"
    title = "integrated gradients"
    label = "Integrated gradients"
    key = "integrated_gradients_attribution"
    presets: ClassVar[Presets] = {"ig": {}, "smoothgrad": {"noisy_samples": 3}}
    explains_only = frozenset()
    without_errors = ""
    by_regions = False
    default_baselines = ()
    with_noise = "SmoothGrad"

    def takes_seconds(self, elements: int) -> bool:
        return self.smooth_grad is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Xrai(_PathIntegral):
    """XRAI (arXiv 1906.02825): integrated gradients redistributed to segmented regions."""

    name = "xrai"
    title = "XRAI"
    label = "XRAI, regions"
    key = "xrai_attribution"
    presets: ClassVar[Presets] = {}
    explains_only = frozenset({Modality.IMAGE})
    without_errors = "its regions are chosen by the very attributions whose errors these would be"
    by_regions = True
    # "averaged over a black and a white baseline (unless baselines are given)"
    default_baselines = (DomainBaseline("min"), DomainBaseline("max"))
    with_noise = "XRAI"

    def takes_seconds(self, elements: int) -> bool:
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledShapley(BaseMethod):
    """Sampled Shapley (arXiv 1306.4265): permutations of the features are sampled."""

    path_count: int = spelled(50, "path_count", "num_paths", setting="paths")
    players: Players = spelled(Players.ELEMENTS, setting="players")
    window: int | None = spelled(None, setting="window")
    split: str = spelled("words", setting="split")
    mask: str | None = spelled(None, setting="mask")
    tolerance: float | None = spelled(None, setting="tolerance")
    max_paths: int = spelled(500, setting="max_steps")
    errors: bool = spelled(False, setting="errors")

    name = "sampled-shapley"
    title = "sampled Shapley"
    label = "Sampled Shapley"
    key = "sampled_shapley_attribution"
    presets: ClassVar[Presets] = {"shapley": {}}
    for_images: ClassVar[Settings] = {"players": "regions"}  # a value for each pixel takes hours
    for_series: ClassVar[Settings] = {"players": "windows"}
    effort = Effort("paths", 10)
    counts = "paths"
    uses_gradients = False
    sampled = True
    explains_only = frozenset()
    without_errors = ""
    by_regions = False
    default_baselines = ()

    def cost(self, elements: int, outputs: int) -> int:
        # How many channels or steps the elements are is not known here.
        windows = WINDOWS if self.window is None else elements // self.window + 1
        most = {Players.REGIONS: REGIONS, Players.CHANNELS: REGIONS, Players.WINDOWS: windows}
        players = min(elements, most.get(self.players, elements))
        paths = self.path_count if self.tolerance is None else self.max_paths
        return outputs * paths * players

    def takes_seconds(self, elements: int) -> bool:
        return elements > FEW

    def caption(self, evaluations: int | None = None, *, patches: bool = True) -> str:
        several = (Players.REGIONS, Players.CHANNELS, Players.WINDOWS)
        players = f", {self.players.value}" if self.players in several else ""
        return f"{self.title}, {self.path_count} paths{players}"

    @property
    def series_parts(self) -> SeriesParts | None:
        if self.players not in (Players.CHANNELS, Players.WINDOWS):
            return None
        return SeriesParts(self.players is Players.CHANNELS, self.window)

    @property
    def text_parts(self) -> TextParts | None:
        return _parts_of(self)


def _parts_of(method: SampledShapley | Lime) -> TextParts | None:
    if method.players is Players.WHOLE:
        return None
    return TextParts(method.split, method.mask, method.players is Players.WORDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lime(BaseMethod):
    """LIME of a picture or of texts (arXiv 1602.04938), with the parameters of KServe's explainer.

    `top_labels` outputs are explained where no others are chosen; `positive_only` and `min_weight`
    choose the patches that are shown of each. `hide_color` is what hidden patches are painted with,
    on the model's own scale. Of texts, `players`, `split` and `mask` are those of Shapley values;
    with `bag_of_words`, a word is left out wherever it occurs.
    """

    top_labels: int = spelled(
        10, "top_labels", setting="top_labels", kserve=("top_labels",), counts_outputs=True
    )
    segmentation_alg: Segmentation = spelled(
        Segmentation.QUICKSHIFT,
        *("segmentation_alg", "segmentation_algorithm"),
        setting="segmentation",
        kserve=("segmentation_alg", "segmentation_algorithm"),  # its option is the longer one
    )
    num_samples: int = spelled(1000, "num_samples", setting="samples", kserve=("num_samples",))
    positive_only: bool = spelled(
        True, "positive_only", setting="positive_only", kserve=("positive_only",)
    )
    min_weight: float = spelled(0.01, "min_weight", setting="min_weight", kserve=("min_weight",))
    hide_color: float = 0.0
    players: Players = spelled(Players.ELEMENTS, setting="players")
    split: str = spelled("words", setting="split")
    mask: str | None = spelled(None, setting="mask")
    bag_of_words: bool = spelled(True, setting="bag_of_words")
    errors: bool = spelled(False, setting="errors")

    name = "lime"
    title = "LIME"
    label = "LIME, patches or words"
    key = "lime_attribution"
    presets: ClassVar[Presets] = {}
    for_images: ClassVar[Settings] = {}
    for_series: ClassVar[Settings] = {}
    effort = Effort("samples", 500)
    counts = "samples"
    uses_gradients = False
    sampled = True
    explains_only = frozenset({Modality.IMAGE, Modality.TEXT})
    without_errors = ""
    by_regions = False
    default_baselines = ()

    def cost(self, elements: int, outputs: int) -> int:
        return self.num_samples

    def takes_seconds(self, elements: int) -> bool:
        return True

    def caption(self, evaluations: int | None = None, *, patches: bool = True) -> str:
        cut = f", {self.segmentation_alg.value}" if patches else ""
        return f"{self.title}, {self.num_samples} samples{cut}"

    @property
    def shown_patches(self) -> PatchChoice:
        return self

    @property
    def text_parts(self) -> TextParts | None:
        return _parts_of(self)


Attributing: TypeAlias = IntegratedGradients | Xrai | SampledShapley | Lime
"""The methods that say what each feature contributed."""

Method: TypeAlias = Attributing | Examples

METHODS: dict[str, type[Method]] = {method.name: method for method in get_args(Method)}
"""Every method by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplanationParameters:
    """Which method, and which outputs: ``outputIndices``, else ``topK``, else the argmax.

    With `why_not`, a label's name or its index, what is explained is how far each is from it.
    """

    method: Method = field(default_factory=IntegratedGradients)
    top_k: int | None = None
    output_indices: tuple[tuple[int, ...], ...] | None = None
    why_not: str | tuple[int, ...] | None = None

    @property
    def rather_than(self) -> str:
        """The label of `why_not` as people write it, "" for none."""
        label = self.why_not or ""
        return label if isinstance(label, str) else ",".join(map(str, label))
