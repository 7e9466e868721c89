"""What the rows of an embedding stand for: the words or ids that are looked up for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pellucid.linter.encodings.forward_walk import Forward, Spot
from pellucid.saved_model import MetaGraph

_KEYED = (
    "LookupTableFind",
    "LookupTableFindV2",
    "StringToHashBucket",
    "StringToHashBucketFast",
    "StringToHashBucketStrong",
)
_NUMBERS = ("int32", "int64", "uint8", "uint16", "uint32", "int16", "int8")


@dataclass(frozen=True, slots=True)
class TokenTensors:
    """The tensors behind an input that tell which token each row of its embedding is.

    `keys` are the strings that are looked up, `ids` the numbers of the rows that are taken of the
    embedding; None where there are none.
    """

    keys: str | None = None
    ids: str | None = None


def token_tensors(
    meta_graph: MetaGraph, output: str, tensor: str, encoded: str
) -> TokenTensors | None:
    """Return what tells the tokens of an embedding of `tensor`, None where nothing does.

    All names are flat.
    """
    reached = Forward(meta_graph, output).after(tensor)
    end = next((it for it in reached if it.name == encoded), None)
    if end is None:
        return None
    by_name = {it.name: it for it in reached}
    passed = {it.name for it in way(reached, end)}
    found = (
        source
        for spot in reached  # nearest to the input first: that is how people wrote them
        if spot.op in _KEYED and spot.name in passed
        for source in reached[spot]
        if source == tensor or by_name[source].dtype == "string"
    )
    keys = next(found, None)
    numbers = {name for name, it in by_name.items() if it.dtype in _NUMBERS}
    ids = [it for it in reached[end] if it in numbers]
    if keys is None and not ids:
        return None
    return TokenTensors(keys, ids[0] if ids else None)


def way(reached: Mapping[Spot, Sequence[str]], end: Spot) -> list[Spot]:
    """Return what is on all ways from an input to a tensor, the tensor itself first."""
    by_name = {it.name: it for it in reached}
    stack, seen = [end.name], dict[str, None]()
    while stack:
        name = stack.pop()
        if name in by_name and name not in seen:
            seen[name] = None
            stack += reached[by_name[name]]
    return [by_name[name] for name in seen]
