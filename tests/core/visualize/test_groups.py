"""Groups of maps: how they are kept, told apart, announced, and drawn."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pellucid.model import Array
from pellucid.responses import encode
from pellucid.visualize.overview import Counted, Maps, Overview, class_groups, overview_pictures
from pellucid.visualize.overview.groups import FEWEST, groups_of
from pellucid.visualize.overview.maps import MAPS, SIDE, cells_of


def maps_of(count: int, *, marked: int = 0) -> Array:
    """Maps of a blot that wanders, the first of them with a corner of their own."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:8, :8]
    at = random.uniform(3, 6, (count, 2, 1, 1))
    maps = np.exp(-((y - at[:, 0]) ** 2 + (x - at[:, 1]) ** 2) / 4)
    maps += 0.03 * random.standard_normal(maps.shape)
    maps[:marked, 0, 0] -= 0.8 + 0.05 * random.random(marked)
    return np.stack([cells_of(it) for it in maps])


@pytest.mark.parametrize("shape", [(40, 24), (40, 24, 3), (3, 40, 24)])
def test_a_map_is_averaged_over_cells_and_its_channels_are_added_up(
    shape: tuple[int, ...],
) -> None:
    values = np.zeros(shape)
    values[..., -12:, -3:] = 1 if len(shape) == 2 or shape[0] == 3 else 0
    if shape[-1] == 3:
        values[-12:, -3:, :] = 1
    values = -values
    cells = cells_of(values)
    assert cells.shape == (SIDE, SIDE) and cells.dtype == np.int8
    assert cells.min() == -127 and cells[-1, -1] == -127 and cells[:10].max() == 0
    assert cells_of(np.zeros((3, 5))).tolist() == [[0] * 5] * 3


def test_a_group_with_a_cell_of_its_own_is_a_finding_whatever_its_sign() -> None:
    found = groups_of(maps_of(100, marked=30))
    assert len(found) == 2 and found[0].cell == (0, 0) and found[0].apart > 5
    assert set(found[0].members) == {*range(30)}
    assert sorted((*found[0].members, *found[1].members)) == [*range(100)]


@pytest.mark.parametrize("marked", [0, 5])
def test_no_group_is_announced_where_none_is_or_where_it_is_too_small(marked: int) -> None:
    found = groups_of(maps_of(100, marked=marked))
    assert 2 <= len(found) <= 6 and all(it.cell is None for it in found)
    assert sorted(it for group in found for it in group.members) == [*range(100)]


def test_maps_that_are_too_few_or_all_the_same_have_no_finding() -> None:
    assert groups_of(maps_of(FEWEST - 1)) == []
    same = groups_of(np.repeat(maps_of(1), FEWEST, axis=0))
    assert all(it.cell is None for it in same)


def test_a_sample_is_bounded_and_the_same_in_whatever_parts() -> None:
    numbers = [*range(1000)]
    whole, parts = Maps(), Maps()
    cells = maps_of(1)[0]
    for number in numbers:
        whole.take("y[0]", f"{number}", f"{number}.png", cells)
    for start in range(0, 1000, 100):
        part = Maps()
        for number in reversed(numbers[start : start + 100]):
            part.take("y[0]", f"{number}", f"{number}.png", cells)
        parts.add(Maps.read(json.loads(encode(part.document()))))
    assert len(whole.drawn["y[0]"]) <= 1.5 * MAPS
    assert whole.counts == parts.counts == {"y[0]": 1000}
    names = [[it.name for it in found.of("y[0]")] for found in (whole, parts)]
    assert names[0] == names[1] and len(names[0]) == MAPS
    np.testing.assert_array_equal(parts.of("y[0]")[0].cells, cells)
    odd = Maps()
    odd.take("y[0]", "0", "odd", cells[:4])
    whole.add(odd)
    assert all(it.cells.shape == cells.shape for it in whole.of("y[0]"))


def test_a_finding_is_said_and_its_picture_comes_first() -> None:
    overview, maps = Overview(pictures=["image"]), Maps()
    for key, marked in ((0, 0), (1, 30)):
        for number, cells in enumerate(maps_of(60, marked=marked)):
            maps.take(f"y[{key}]", f"{number}", f"{number}.png", cells)
        overview.count(Counted(output="y", index=(key,), name=f"c{key}", features={}))
    clean, found = class_groups(maps, overview)
    assert clean.sentence == "" and clean.document()["finding"] is False
    assert found.sentence.startswith(
        "c1: 30 of 60 maps have a place that the others have not, row 1 of 8, column 1 of 8 ("
    )
    document = found.document()
    assert document["groups"][0]["inputs"][0] == document["groups"][0]["medoid"]
    pictures = [*overview_pictures(overview, "integrated gradients", [clean, found])]
    assert [(it.kind, it.label) for it in pictures] == [("groups", "c1"), ("groups", "c0")]
    assert pictures[0].pixels.shape[0] > 300 and np.ptp(pictures[0].pixels) > 200
