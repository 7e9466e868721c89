"""What candidates may be called, and what their names mean."""

from __future__ import annotations

import pytest

from pellucid.errors import SpecError
from pellucid.evaluate import Candidate, candidates_of, chosen_measures
from pellucid.metadata import Modality, given_settings

PICTURES = {Modality.IMAGE}


def settings(written, modalities=()):
    (found,) = candidates_of([written], modalities)
    return {n: it for n, it in given_settings(found.settings).items() if n != "method"}


@pytest.mark.parametrize(
    "written, expected",
    [
        ("ig", {}),
        ("integrated-gradients", {}),
        ("ig:blur=20", {"blur_sigma": 20.0}),
        ("ig:steps=10", {"steps": 10}),
        ("ig:blur", {"baseline": "blur"}),
        ("ig:baseline=0.5:steps=3", {"baseline": "0.5", "steps": 3}),
        ("ig:midpoint", {"quadrature": "midpoint"}),
        ("smoothgrad", {"noisy_samples": 3}),
        ("smoothgrad:noise=0.3", {"noisy_samples": 3, "noise_sigma": 0.3}),
        ("shapley:regions", {"players": "regions"}),
        ("lime:slic:samples=50", {"segmentation": "slic", "samples": 50}),
        ("lime:positive=false", {"positive_only": False}),
    ],
)
def test_a_name_with_settings(written, expected) -> None:
    assert settings(written) == expected


def test_what_is_usual_for_pictures_may_be_written_otherwise() -> None:
    assert settings("shapley", PICTURES) == {"players": "regions", "paths": 10}
    assert settings("shapley:paths=50", PICTURES) == {"players": "regions", "paths": 50}
    assert settings("shapley:elements", PICTURES) == {"players": "elements"}


def test_every_method_is_a_candidate_where_none_is_named() -> None:
    names = [it.name for it in candidates_of([], PICTURES)]
    assert names == ["ig", "smoothgrad", "xrai", "shapley", "lime"]
    assert [it.name for it in candidates_of([])] == ["ig", "shapley"]
    texts = [it.name for it in candidates_of([], {Modality.TEXT})]
    assert texts == ["ig", "shapley", "lime"]


@pytest.mark.parametrize(
    "written, said",
    [
        ("igg", "'igg' is not a method; did you mean 'ig'?"),
        ("examples", "'examples' is not a method"),
        ("ig:color=red", "'color' is not one setting of integrated gradients"),
        ("ig:blur=", "'blur' is not one setting"),
        ("ig:slic", "'slic' is no setting of integrated gradients"),
        ("ig:steps=1.5", "steps is a number, and '1.5' is none"),
        ("lime:positive=perhaps", "positive_only is true or false"),
        ("ig:steps=-1", "'ig:steps=-1': steps: -1 is out of range"),
    ],
)
def test_what_is_none_is_said(written, said) -> None:
    with pytest.raises(SpecError) as error:
        candidates_of([written])
    assert said in error.value.sentence()


def test_candidates_may_be_records() -> None:
    own = Candidate(name="mine")
    assert candidates_of([own, "ig"])[0] is own
    with pytest.raises(SpecError, match="two candidates 'mine'"):
        candidates_of([own, own])


def test_metrics_are_chosen_by_name_and_masks_ask_for_their_own() -> None:
    def names(*written, **named):
        return [m.name for it in chosen_measures(written, **named) for m in it.metrics]

    usual = ["deletion", "insertion", "deletion_normalised", "insertion_normalised"]
    assert names() == usual == names("insertion")
    assert names(masks=True) == [*usual, "inside", "pointing"]
    assert len(names("all")) == len({*names("all")}) == 22
    with pytest.raises(SpecError, match="did you mean 'insertion'"):
        chosen_measures(["insertionn"])
