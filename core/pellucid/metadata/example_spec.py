"""What example-based explanations can be told: what is near, and where the examples are."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import ClassVar

from pellucid.errors import InstanceError, refuse_remote
from pellucid.metadata.method import BaseMethod, Presets, Settings, spelled


class Distance(Enum):
    """What is nearest: the distances of the service, by its names. The dot product is negated."""

    SQUARED_L2 = "squared_l2_distance"
    L1 = "l1_distance"
    DOT_PRODUCT = "dot_product_distance"
    COSINE = "cosine_distance"


class Normalization(Enum):
    """What is done to a latent vector before distances are taken.

    UNIT_L2_NORM divides it by its length; STANDARD (ours) takes each of its elements in standard
    deviations of the examples.
    """

    NONE = "none"
    UNIT_L2_NORM = "unit_l2_norm"
    STANDARD = "standard"


class ExampleModality(Enum):
    """What the examples are, "which automatically configures the distance measurement"."""

    IMAGE = "image"
    TEXT = "text"
    TABULAR = "tabular"

    @property
    def measure(self) -> tuple[Distance, Normalization]:
        """The distance and normalization of a preset, which the service never published.

        For images, what its own configuration of an image model shows; for texts the angle, which
        is what it advises as unit length and dot product; for tables, columns of any scale.
        """
        match self:
            case ExampleModality.IMAGE:
                return Distance.SQUARED_L2, Normalization.NONE
            case ExampleModality.TEXT:
                return Distance.COSINE, Normalization.NONE
            case ExampleModality.TABULAR:
                return Distance.SQUARED_L2, Normalization.STANDARD


class Query(Enum):
    """ "Preset option controlling parameters for query speed-precision trade-off.\""""

    PRECISE = "precise"
    FAST = "fast"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restriction:
    """Which tokens of a namespace an example has to have (one of them), and must not have."""

    namespace: str
    allow: frozenset[str] = frozenset()
    deny: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples(BaseMethod):
    """Example-based explanations: "returns the nearest neighbors from the provided dataset".

    `distance` and `normalization` go before `modality`, which is a preset of them; `query` is that
    which the index was made for, unless it is given. `sources` are
    the files of examples, `index` (ours) is the file that was made of them. A FAST search finds
    `candidates` neighbours, "before exact reordering is performed". `dimensions` is what the latent
    vectors are said to have. A request may want at most `crowding_count` neighbours of the same
    crowding tag, and only those that `restrictions` let through.
    """

    neighbor_count: int = spelled(10, setting="neighbors")
    modality: ExampleModality | None = None
    query: Query | None = spelled(None, setting="query")
    distance: Distance | None = None
    normalization: Normalization | None = None
    candidates: int | None = None
    dimensions: int | None = None
    sources: tuple[str, ...] = ()
    index: str | None = spelled(None, setting="index")
    crowding_count: int | None = None
    restrictions: tuple[Restriction, ...] = ()

    name = "examples"
    title = "examples"
    label = "Nearest examples"
    key = "examples"
    presets: ClassVar[Presets] = {}
    for_series: ClassVar[Settings] = {}
    for_images: ClassVar[Settings] = {}
    effort = None

    @property
    def files(self) -> list[Path]:
        """The files of examples, as paths.

        Raises InstanceError for one elsewhere: only a person's own word leads there.
        """
        for source in self.sources:
            refuse_remote(source, InstanceError)
        return [Path(it) for it in self.sources]

    counts = "neighbors"
    uses_gradients = False
    sampled = False
    explains_only = frozenset()
    without_errors = "it finds neighbours, and attributes nothing"
    by_regions = False
    default_baselines = ()

    def cost(self, elements: int, outputs: int) -> int:
        return 1

    def takes_seconds(self, elements: int) -> bool:
        return True

    def caption(self, evaluations: int | None = None, *, patches: bool = True) -> str:
        return self.title

    def saved(self) -> Examples:
        return Examples(neighbor_count=self.neighbor_count)  # the index stays where it is
