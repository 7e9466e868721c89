"""The protocols: what each one's request asks, and what its answers and errors look like."""

from __future__ import annotations

from itertools import takewhile

from pellucid.serve.protocols.ai_platform import AiPlatform
from pellucid.serve.protocols.kserve import KServe
from pellucid.serve.protocols.protocol import Protocol
from pellucid.serve.protocols.vertex import InContainer, Vertex

__all__ = [
    "PROTOCOLS",
    "AiPlatform",
    "InContainer",
    "KServe",
    "Protocol",
    "Vertex",
    "protocol_named",
    "protocol_of",
]

PROTOCOLS: tuple[Protocol, ...] = (KServe(), AiPlatform(), Vertex())
"""All of them; the first one answers for paths that are none of theirs."""


def protocol_named(name: str) -> Protocol:
    """Return a protocol by its name."""
    return next(it for it in PROTOCOLS if it.name == name)


def protocol_of(path: str) -> Protocol:
    """Return the protocol whose paths begin most alike: its errors are what a client expects."""
    parts = path.split("/")

    def alike(template: str) -> int:
        pairs = zip(template.split("/"), parts, strict=False)
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))

    return max(PROTOCOLS, key=lambda protocol: max(map(alike, protocol.paths)))
