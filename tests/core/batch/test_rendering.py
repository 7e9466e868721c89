"""Where the pictures of an input go, whatever its features are called."""

from __future__ import annotations

import os

from pellucid.batch.rendering import feature_places


def test_the_pictures_of_a_single_feature_are_called_as_the_input() -> None:
    assert feature_places("in/cat.jpg", ["image"]) == {"image": "in/cat.jpg"}


def test_several_features_have_a_place_each() -> None:
    places = feature_places("in/r.jsonl.0", ["left", "right"])
    assert places == {"left": "in/r.jsonl.0.left", "right": "in/r.jsonl.0.right"}


def test_features_whose_names_no_path_can_hold_never_share_a_place() -> None:
    features = ["a/b", "a_b", "a_b~1", "../up", "a[0]", "a\n", "x" * 300, "x" * 299 + "y"]
    places = feature_places("deep/" + "n" * 200, features)
    names = [place.removeprefix("deep/") for place in places.values()]
    assert len(set(names)) == len(features)
    assert all("/" not in name and "\n" not in name for name in names)
    assert max(len(os.fsencode(f"{name}.jpg")) for name in names) <= 255
