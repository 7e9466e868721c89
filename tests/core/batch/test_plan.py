"""Where blocks are cut, and what a plan fixes before the run begins."""

from __future__ import annotations

from pathlib import Path

from made import VECTOR, table

from pellucid.batch.items import decode
from pellucid.batch.plan import Plan, Selection, write_listing
from pellucid.errors import InstanceError
from pellucid.inputs import Instance
from pellucid.inputs.found import Inputs


def planned(root: Path, *, size: int = 4, selection: Selection = Selection()) -> Plan:
    listing = root / "listing.gz"
    total, names, stamps = write_listing(listing, Inputs(named=[str(root)]), str(root), VECTOR)
    return Plan(
        listing=listing, root=str(root), total=total, names=names, contents=stamps,
        size=size, selection=selection,
    )  # fmt: skip


def numbers(plan: Plan) -> list[list[int]]:
    blocks = list(plan.cut(VECTOR))
    assert [block.number for block in blocks] == list(range(plan.blocks))
    return [[item.number for item in block.items] for block in blocks]


def chosen(plan: Plan) -> list[int]:
    return [number for block in numbers(plan) for number in block]


def test_blocks_are_cut_at_fixed_places_across_files(tmp_path: Path) -> None:
    table(tmp_path / "a.csv", 5)
    table(tmp_path / "b.csv", 6)
    plan = planned(tmp_path)
    assert plan.total == 11
    assert numbers(plan) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10]]


def test_a_sample_keeps_the_order_and_the_numbers_of_all_inputs(tmp_path: Path) -> None:
    table(tmp_path / "a.csv", 50)
    table(tmp_path / "b.csv", 50)
    first = chosen(planned(tmp_path, selection=Selection(sample=10)))
    assert len(first) == 10 and first == sorted(first) and first != list(range(10))
    again = chosen(planned(tmp_path, selection=Selection(sample=10)))
    other = chosen(planned(tmp_path, selection=Selection(sample=10, seed=1)))
    assert again == first != other
    limited = chosen(planned(tmp_path, selection=Selection(sample=10, limit=3)))
    assert limited == first[:3]


def test_an_item_holds_what_its_place_says(tmp_path: Path) -> None:
    table(tmp_path / "a.csv", 5)
    table(tmp_path / "b.csv", 6, first=5)
    plan = planned(tmp_path, selection=Selection(sample=6, seed=3))
    for block in plan.cut(VECTOR):
        for item, found in zip(block.items, decode(block.items, VECTOR), strict=True):
            assert isinstance(found, Instance)
            assert found.tensors["x"][0] == found.index == item.number


def test_a_file_that_becomes_shorter_does_not_shift_what_follows(tmp_path: Path) -> None:
    table(tmp_path / "a.csv", 5)
    table(tmp_path / "b.csv", 3, first=5)
    plan = planned(tmp_path)
    table(tmp_path / "a.csv", 2)
    items = [item for block in plan.cut(VECTOR) for item in block.items]
    assert [item.number for item in items] == list(range(8))
    found = [*decode(items, VECTOR)]
    for it in found[2:5]:
        assert isinstance(it, InstanceError)
        assert "has become shorter since its instances were" in it.what
    assert isinstance(found[5], Instance) and found[5].tensors["x"][0] == 5


def test_results_are_cut_into_files_of_ten_thousand(tmp_path: Path) -> None:
    table(tmp_path / "a.csv", 25_000)
    plan = planned(tmp_path, size=256)
    assert (plan.blocks, plan.shards) == (98, 3)
    assert [len(plan.shard(it)) for it in range(3)] == [39, 39, 20]
    assert all(plan.shard_of(b) == it for it in range(3) for b in plan.shard(it))
