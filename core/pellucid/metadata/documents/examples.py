"""Parameters of example-based explanations: where the examples are, and what is near."""

from __future__ import annotations

from pellucid.metadata.documents.document import Finding, Section
from pellucid.metadata.example_spec import Distance, ExampleModality, Examples, Normalization, Query


def read_examples(section: Section, findings: list[Finding]) -> Examples:
    """Read ``examples``: presets, or the full configuration of the service's index.

    Of its two algorithms "brute force" is the exact search and "tree-AH" the approximate one.
    """
    if "nearest_neighbor_search_config" in section and "presets" in section:
        message = "has both 'presets' and 'nearestNeighborSearchConfig'; keep one"
        findings.append(Finding(code="MD063", message=message, path=section.path))
    made: dict[str, object] = {}
    if presets := section.section("presets"):
        made["modality"] = _modality(presets.get("modality"))
        made["query"] = Query(presets.get("query")) if presets.get("query") else None
    outer = section.section("nearest_neighbor_search_config")
    if outer is not None and (config := outer.section("config")):
        made |= _configuration(config, findings)
    count = section.get("neighbor_count") or Examples().neighbor_count
    return Examples(neighbor_count=count, sources=_sources(section, findings), **made)  # type: ignore[arg-type]


def _modality(written: str | None) -> ExampleModality | None:
    known = [it.value for it in ExampleModality]
    return ExampleModality(written) if written in known else None


def _configuration(config: Section, findings: list[Finding]) -> dict[str, object]:
    """Read a NearestNeighborSearchConfig, whose defaults are dot product and no normalization."""
    algorithm = config.section("algorithm_config")
    tree, brute = "tree_ah_config", "brute_force_config"
    if algorithm is not None and tree in algorithm and brute in algorithm:
        message = "has both 'treeAhConfig' and 'bruteForceConfig'; keep one"
        findings.append(Finding(code="MD063", message=message, path=algorithm.path))
    fast = algorithm is not None and tree in algorithm
    return {
        "distance": Distance(config.get("distance_measure_type") or Distance.DOT_PRODUCT.value),
        "normalization": Normalization(config.get("feature_norm_type") or Normalization.NONE.value),
        "query": Query.FAST if fast else Query.PRECISE,
        "candidates": config.get("approximate_neighbors_count"),
        "dimensions": config.get("dimensions"),
    }


def _sources(section: Section, findings: list[Finding]) -> tuple[str, ...]:
    outer = section.section("example_gcs_source")
    newer = outer.section("gcs_source") if outer is not None else None
    if newer is not None and "gcs_source" in section:
        message = "has both 'exampleGcsSource' and 'gcsSource'; keep one"
        findings.append(Finding(code="MD063", message=message, path=section.path))
    source = newer or section.section("gcs_source")
    return tuple(source.get("uris") or ()) if source is not None else ()
