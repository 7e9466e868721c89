"""Keys come in the order of directories, and little is asked and held for that."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hypothesis import given
from hypothesis import strategies as st

from pellucid.remote import Found
from pellucid.remote.listing import folder_by_folder

BUCKET = "s3://bucket/"


def store(keys: list[str], asked: list[str]) -> Callable[[str], Iterator[Found]]:
    """A store that lists keys in their own order, and keeps what it was asked for."""

    def pages(stem: str) -> Iterator[Found]:
        asked.append(stem)
        found = (f"{BUCKET}{key}" for key in sorted(keys))
        return (Found(address=it) for it in found if it.startswith(stem))

    return pages


@given(
    st.sets(st.text(st.sampled_from("ab/-. 0é"), min_size=1, max_size=8), max_size=40),
    st.integers(1, 50),
)
def test_keys_are_sorted_folder_by_folder(names: set[str], ahead: int) -> None:
    keys = [it for it in names if not it.endswith("/")]
    found = [it.address for it in folder_by_folder(store(keys, []), BUCKET, ahead)]
    assert found == [f"{BUCKET}{it}" for it in sorted(keys, key=lambda it: it.split("/"))]


def test_of_many_names_only_what_may_come_before_all_of_them_is_asked_for() -> None:
    keys = [f"class-{n % 3}/photo-{n:04d}.png" for n in range(3000)]
    asked: list[str] = []
    found = [it.address for it in folder_by_folder(store(keys, asked), BUCKET, 100)]
    assert found == [f"{BUCKET}{it}" for it in sorted(keys)]
    inner = [f"{BUCKET}class-{n}/photo/" for n in range(3)]
    assert asked == [BUCKET, f"{BUCKET}class/", *inner]


def test_names_come_before_all_of_them_are_read() -> None:
    read = 0

    def pages(stem: str) -> Iterator[Found]:
        nonlocal read
        for number in range(10**6 if stem == BUCKET else 0):
            read += 1
            yield Found(address=f"{BUCKET}a-{number:07d}.png")

    first = [it.address for it, _ in zip(folder_by_folder(pages, BUCKET, 10), "abc", strict=False)]
    assert first == [f"{BUCKET}a-000000{n}.png" for n in range(3)]
    assert read < 30
