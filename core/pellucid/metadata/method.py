"""What every method says of itself, so that nobody else has to tell methods apart.

How a method is chosen and called, which gradients it takes, what it costs; and of each of its
fields under which names it goes in a call, in a document and in a request. What reads, writes,
checks and shows methods asks this, and one piece of code does for all of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import Field, dataclass, field
from typing import Any, ClassVar, NamedTuple, Protocol, TypeAlias, TypeVar

from pellucid.metadata.spec import Baseline, Modality

T = TypeVar("T")

Settings: TypeAlias = Mapping[str, object]
"""Values of settings by their names, see `CallSettings`."""

Presets: TypeAlias = Mapping[str, Settings]
"""Settings that go by a name of their own."""


class Spelling(NamedTuple):
    """The names of a field of a method, and what it takes the place of.

    `setting` is its name in a call (see `CallSettings`). `keys` are its names in the parameters of
    a document, in snake case, the first of them Vertex's; they stand in the object `inside`, if
    any. `kserve` are its names in a request to KServe's explainer. `record` is the class of a field
    that is an object itself. A setting unsets `instead_of`; one that `counts_outputs` says how many
    are explained, too, unless that is chosen otherwise.
    """

    setting: str | None = None
    keys: tuple[str, ...] = ()
    inside: str | None = None
    kserve: tuple[str, ...] = ()
    record: Any = None
    instead_of: str | None = None
    counts_outputs: bool = False


def spelled(
    default: T,
    *keys: str,
    setting: str | None = None,
    inside: str | None = None,
    kserve: tuple[str, ...] = (),
    record: Any = None,
    instead_of: str | None = None,
    counts_outputs: bool = False,
) -> T:
    """Return a field of a record, with its default and the names it goes under."""
    names = Spelling(setting, keys, inside, kserve, record, instead_of, counts_outputs)
    return field(default=default, metadata={"spelling": names})


def spelling_of(it: Field[Any]) -> Spelling:
    """Return the names of a field; one that was declared without them has none."""
    return it.metadata.get("spelling", Spelling())  # type: ignore[no-any-return]


class Effort(NamedTuple):
    """The setting that buys accuracy with time, and what a person who only looks begins with."""

    setting: str
    start: int


class TextParts(NamedTuple):
    """How texts are cut: into ``words``, ``characters``, ``sentences``, or at a pattern's matches.

    A `mask` takes the place of parts that are missing. `always` is for all strings, whatever they
    look like.
    """

    split: str
    mask: str | None
    always: bool


class SeriesParts(NamedTuple):
    """What of a series gets an attribution: its `channels`, or else windows of so many steps."""

    channels: bool
    window: int | None


class PatchChoice(Protocol):
    """Which patches of a picture KServe's explainer would show."""

    @property
    def positive_only(self) -> bool:
        """Whether only what speaks for a label counts."""
        ...

    @property
    def min_weight(self) -> float:
        """The weight from which on a patch is shown."""
        ...


class Noise(Protocol):
    """Noise that gradients are averaged over."""

    @property
    def share(self) -> float:
        """Of an input's range, the standard deviation of noise that nobody wrote."""
        ...

    @property
    def written(self) -> bool:
        """Whether somebody wrote how large it is."""
        ...

    def sigma(self, feature: str) -> float:
        """Return its standard deviation for a feature."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SmoothGrad:
    """Gradients "averaged from noisy samples in the vicinity of the inputs" (arXiv 1706.03825)."""

    noisy_sample_count: int = spelled(3, "noisy_sample_count", setting="noisy_samples")
    noise_sigma: float | None = spelled(
        None, "noise_sigma", setting="noise_sigma", instead_of="feature_noise_sigma"
    )
    feature_noise_sigma: tuple[tuple[str, float], ...] | None = None

    share: ClassVar[float] = 0.1

    @property
    def written(self) -> bool:
        return self.noise_sigma is not None or self.feature_noise_sigma is not None

    def sigma(self, feature: str) -> float:
        """Return the noise of one feature; "no noise is added to features that are not set"."""
        if self.feature_noise_sigma is not None:
            return dict(self.feature_noise_sigma).get(feature, 0.0)
        return self.share if self.noise_sigma is None else self.noise_sigma


class BaseMethod(ABC):
    """A method with its settings, a frozen record; what it says here has no default to guess by."""

    __slots__ = ()

    name: ClassVar[str]
    """How it is chosen."""
    title: ClassVar[str]
    """What people call it within a sentence."""
    label: ClassVar[str]
    """What it is called in a list, with what it gives a value to."""
    key: ClassVar[str | None]
    """The key that chooses it in the parameters of a document, in snake case; None: no document."""
    presets: ClassVar[Presets]
    """Short names of it, and the settings that each means."""
    for_images: ClassVar[Settings]
    """The settings that suit pictures, unless others are given."""
    for_series: ClassVar[Settings]
    """The settings that suit series, unless others are given."""
    effort: ClassVar[Effort | None]
    """What to turn first; None for a method that cannot be drawn."""
    counts: ClassVar[str]
    """What its `evaluations` count."""
    uses_gradients: ClassVar[bool]
    """Whether it takes gradients, which a feature's encoded tensor is for."""
    sampled: ClassVar[bool]
    """Whether approx_error is the spread of samples, and not a sum that is not reached."""
    explains_only: ClassVar[frozenset[Modality]]
    """What it explains, where it does not explain everything; empty for all."""
    without_errors: ClassVar[str]
    """Why the errors of its single values are not known; empty where they are."""
    by_regions: ClassVar[bool]
    """Whether it attributes to whole regions, which are drawn in other colours."""
    default_baselines: ClassVar[tuple[Baseline, ...]]
    """The baselines of a feature that has none of its own; () for zero."""

    @classmethod
    def suiting(cls, kinds: Collection[Modality]) -> Settings:
        """Return the settings that suit inputs of these kinds, unless others are given."""
        if Modality.IMAGE in kinds:
            return cls.for_images
        return cls.for_series if Modality.SERIES in kinds else {}

    @abstractmethod
    def cost(self, elements: int, outputs: int) -> int:
        """Return about how often the model is run for an instance of so many elements."""

    @abstractmethod
    def takes_seconds(self, elements: int) -> bool:
        """Return whether one instance of so many elements takes long enough to be waited for."""

    @abstractmethod
    def caption(self, evaluations: int | None = None, *, patches: bool = True) -> str:
        """Return the method and what was asked of it, in words.

        `evaluations` are what it took; `patches` tells whether it was of those of a picture.
        """

    def check(self) -> None:
        """Raise SpecError for settings that exclude each other."""
        return

    def saved(self: T) -> T:
        """Return what of its settings is kept with its explanations: by default all of them."""
        return self

    @property
    def tolerance(self) -> float | None:
        """The error of its sum and of its attributions that each instance is refined to, if any."""
        return None

    @property
    def errors(self) -> bool:
        """Whether the error of each value is asked for."""
        return False

    @property
    def max_blur_sigma(self) -> float | None:
        """The blur of pictures that are their own baselines, in pixels, if any."""
        return None

    def without_blur(self: T) -> T:
        """Return it with no blur of its own: by default itself."""
        return self

    @property
    def smooth_grad(self) -> Noise | None:
        """The noise that gradients are averaged over, if any."""
        return None

    def noised(self: T, sigmas: Mapping[str, float]) -> T:
        """Return the method with noise of these standard deviations, if it has any."""
        return self

    @property
    def shown_patches(self) -> PatchChoice | None:
        """What KServe's explainer would show; None where this is another method than its own."""
        return None

    @property
    def text_parts(self) -> TextParts | None:
        """How texts are cut into what gets an attribution; None where they are not."""
        return None

    @property
    def series_parts(self) -> SeriesParts | None:
        """What parts of a series get an attribution; None where it is not taken apart so."""
        return None
