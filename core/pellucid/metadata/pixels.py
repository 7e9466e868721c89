"""What an input takes for a picture: the range of its pixels, and how its channels stand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, TypeAlias

from pellucid.errors import SpecError
from pellucid.notices import Hint

ChannelOrder: TypeAlias = Literal["rgb", "bgr"]

_GRAMMAR = "LOW..HIGH, bgr, rgb, channels-first or channels-last, or several of these with commas"


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelLayout:
    """How a tensor holds the channels of a picture; None lets the shape tell which axis it is."""

    order: ChannelOrder = "rgb"
    channels_first: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelSettings:
    """What a caller says that a model takes for a picture; None is not said."""

    low: float | None = None
    high: float | None = None
    order: ChannelOrder | None = None
    channels_first: bool | None = None

    @classmethod
    def parse(cls, text: str) -> PixelSettings:
        """Return the settings that words such as ``0..255,bgr,channels-first`` are.

        Raises SpecError for words that are none, that come twice, and for a range that is none.
        """
        found: dict[str, Any] = {}
        for word in (it.strip() for it in text.split(",")):
            for key, value in _meaning(word).items():
                if key in found:
                    raise SpecError(f"'{text}' says twice {_TWICE[key]}; say it once")
                found[key] = value
        return cls(**found)


class PixelSource(Enum):
    """Where it is known from, the surest first."""

    OPTION = "option"
    METADATA = "metadata"
    GRAPH = "graph"
    TYPE = "type"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class AssumedPixels:
    """What the input `input` of a request is taken to want of a picture, and why.

    `low` is black and `high` is white; `reason` is what the graph says, if it says anything,
    `graph` the range and `graph_order` the order of channels that it says.
    """

    input: str
    low: float
    high: float
    layout: PixelLayout
    source: PixelSource
    reason: str | None = None
    graph: tuple[float, float] | None = None
    graph_order: ChannelOrder | None = None

    @property
    def contradicts_range(self) -> bool:
        """Whether another range was asked for than the graph says."""
        asked = self.source is PixelSource.OPTION and self.graph is not None
        return asked and not same_range((self.low, self.high), self.graph)

    @property
    def contradicts(self) -> bool:
        """Whether something else was asked for than the graph says."""
        return self.contradicts_range or self.graph_order not in (None, self.layout.order)

    @property
    def sentence(self) -> str | None:
        """Say what is assumed; None where nothing had to be assumed."""
        said = f"input '{self.input}': pixels are {pixels_text(self.low, self.high, self.layout)}"
        match self.source:
            case PixelSource.OPTION:
                although = (
                    f", although in the graph {self.reason}" if self.contradicts_range else ""
                )
                said = f"{said}, as was asked for{although}"
            case PixelSource.GRAPH:
                said = f"{said}, since in the graph {self.reason}"
            case PixelSource.DEFAULT:
                said = f"{said}, since nothing says otherwise"
            case _ if not self.contradicts:
                return None
        if self.graph_order not in (None, self.layout.order):
            said += (
                f"; {self.layout.order.upper()} was asked for, although the graph takes "
                f"{str(self.graph_order).upper()}"
            )
        return said

    @property
    def hint(self) -> Hint | None:
        """Return how to change what nothing but a default says."""
        asked = self.source is PixelSource.DEFAULT
        return Hint("set another range with {pixels}") if asked else None

    def document(self) -> dict[str, Any]:
        """Return the same as JSON, as responses and saved explanations carry it."""
        said: dict[str, Any] = {
            "range": [self.low, self.high],
            "order": self.layout.order,
            "from": self.source.value,
        }
        if self.layout.channels_first:
            said["layout"] = "channels-first"
        if self.reason is not None:
            said["reason"] = self.reason
        return said


def same_range(one: tuple[float, float], other: tuple[float, float] | None) -> bool:
    """Whether two ranges are the same, but for what nobody sees: 0..254 and 0..255."""
    if other is None:
        return False
    slack = 0.02 * max(one[1] - one[0], other[1] - other[0])
    return all(abs(a - b) <= slack for a, b in zip(one, other, strict=True))


def range_text(low: float, high: float) -> str:
    """Write a range as ``0..255``."""
    return "..".join(f"{round(it, 3) + 0.0:g}" for it in (low, high))  # no -0


def pixels_text(low: float, high: float, layout: PixelLayout) -> str:
    """Write what pixels are: ``0..255, BGR, channels first``."""
    words = [range_text(low, high)]
    if layout.order == "bgr":
        words.append("BGR")
    if layout.channels_first:
        words.append("channels first")
    return ", ".join(words)


def is_channels_first(shape: Sequence[int | None]) -> bool:
    """Whether a picture of this shape is [1 or 3, h, w], which its last axis would tell first."""
    return len(shape) == 3 and shape[0] in (1, 3) and shape[-1] not in (1, 3, 4)


_FLAGS: Mapping[str, dict[str, Any]] = {
    "bgr": {"order": "bgr"},
    "rgb": {"order": "rgb"},
    "channels-first": {"channels_first": True},
    "channels-last": {"channels_first": False},
}
_TWICE = {
    "low": "what range the pixels have",
    "high": "what range the pixels have",
    "order": "how the channels are ordered",
    "channels_first": "where the channels stand",
}


def _meaning(word: str) -> dict[str, Any]:
    if word.lower() in _FLAGS:
        return _FLAGS[word.lower()]
    low, dots, high = word.partition("..")
    try:
        limits = float(low), float(high)
    except ValueError:
        limits = math.nan, math.nan
    if not dots or not all(map(math.isfinite, limits)):
        raise SpecError(f"'{word}' says nothing of pixels; write {_GRAMMAR}, as in 0..255,bgr")
    if limits[0] >= limits[1]:
        raise SpecError(
            f"'{word}' is no range, since {low} is not below {high}; write the lower first"
        )
    return {"low": limits[0], "high": limits[1]}
