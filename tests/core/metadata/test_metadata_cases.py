"""Our verdicts against those of the official SDK's validator, case by case."""

from __future__ import annotations

import pytest

from pellucid.metadata.documents.parse import parse_metadata
from pellucid.problems import Severity
from places import SHARED

CASES = SHARED / "reference" / "metadata_cases"

pytestmark = pytest.mark.skipif(
    not CASES.is_dir(), reason="the official SDK's verdicts are not beside this checkout"
)

DELIBERATE = {
    "11_baselines.json": "Google's limit of 10 baselines is a warning: more can be computed",
    "scalar_baselines.json": "a bare number is accepted with a warning, as its page writes it",
    "enc_upper.json": "upper-case encodings are Vertex's spelling and mean the same",
    "concat_noenc.json": "an embedding without encoded_tensor_name cannot be explained",
    "two_outputs.json": "the page has 'a name/value pair for each output', and each is explained",
    "names_dup.json": "names that occur twice, as ImageNet's crane, are a warning",
    "viz_badcmap.json": "a colour map that nobody knows cannot be drawn",
}
"""Where we differ from the SDK on purpose, and why."""

METHOD_ONLY = {
    "viz_bad.json",
    "viz_blur_outl.json",
    "viz_clip.json",
    "viz_numeric.json",
    "viz_shade_px.json",
}
"""For Shapley the SDK does not look at visualization; the file is as wrong with any method."""


def verdicts(method: str) -> dict[str, bool]:
    """Whether the SDK accepted each case."""
    if not CASES.is_dir():
        return {}
    rows = (line.split(maxsplit=3) for line in (CASES / "VERDICTS.txt").read_text().splitlines())
    return {
        row[0]: row[2].startswith("ACCEPTED") for row in rows if len(row) > 2 and row[1] == method
    }


def accepted(name: str) -> bool:
    parsed = parse_metadata((CASES / name).read_text(), file=str(CASES / name))
    return all(problem.severity is not Severity.ERROR for problem in parsed.problems)


@pytest.mark.parametrize(("name", "verdict"), sorted(verdicts("[ig]").items()))
def test_verdict_for_integrated_gradients(name: str, verdict: bool) -> None:
    assert accepted(name) == (verdict != (name in DELIBERATE))


@pytest.mark.parametrize(("name", "verdict"), sorted(verdicts("[shapley]").items()))
def test_verdict_for_sampled_shapley(name: str, verdict: bool) -> None:
    assert accepted(name) == (verdict != (name in DELIBERATE or name in METHOD_ONLY))


def test_every_case_has_a_verdict() -> None:
    names = {path.name for path in CASES.glob("*.json")}
    assert len(names) > 30
    assert names == set(verdicts("[ig]")) == set(verdicts("[shapley]"))
    assert names >= set(DELIBERATE) | METHOD_ONLY
