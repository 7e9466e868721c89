"""What a request may choose for itself of an explanation by examples: ``examplesOverride``."""

from __future__ import annotations

from dataclasses import replace

from pellucid.errors import SpecError
from pellucid.metadata.documents.document import Finding, problems_of, walk
from pellucid.metadata.documents.json_positions import Path, path_text
from pellucid.metadata.example_spec import Examples, Restriction
from pellucid.metadata.spec import Dialect
from pellucid.notices import Where


def override_examples(value: object, path: Path, before: Examples) -> Examples:
    """Return the parameters as a request wants them. Raises SpecError.

    ``neighborCount``; ``crowdingCount``, "maximum number of examples to return with the same
    crowding tag"; ``restrictions``, tokens to allow and to deny. Embeddings are neither taken in
    nor given out.
    """
    findings: list[Finding] = []
    section = walk(value, "examplesOverride", Dialect.VERTEX, findings, path)
    if section is None or findings:
        problems = problems_of(findings, None, None)
        raise SpecError("\n".join(p.said() for p in problems), problems)
    if section.get("data_format") == "embeddings" or section.get("return_embeddings"):
        raise SpecError(
            "embeddings are neither taken in nor returned",
            where=Where(path=path_text(path)),
            hint="send instances",
        )
    restrictions = tuple(
        Restriction(
            namespace=it.get("namespace_name") or "",
            allow=frozenset(it.get("allow") or ()),
            deny=frozenset(it.get("deny") or ()),
        )
        for it in section.get("restrictions") or ()
    )
    return replace(
        before,
        neighbor_count=section.get("neighbor_count") or before.neighbor_count,
        crowding_count=section.get("crowding_count") or before.crowding_count,
        restrictions=restrictions or before.restrictions,
    )
