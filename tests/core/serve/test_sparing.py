"""The garbage collector passes over the models while they are served, and over nothing for ever."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest
from serving import Stub, serving

from pellucid.serve.warm_up import Sparing
from places import SAMPLES


class Cyclic:
    """What only the garbage collector can free."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    gc.unfreeze()
    yield
    gc.unfreeze()


def test_what_is_loaded_is_passed_over_from_the_beginning_to_the_end() -> None:
    sparing = Sparing(60)
    assert gc.get_freeze_count() == 0
    sparing.begin()
    assert gc.get_freeze_count() > 0
    sparing.end()
    assert gc.get_freeze_count() == 0


async def _replaced(sparing: Sparing) -> weakref.ref[Cyclic]:
    """Serve something, take it away, and say that it was."""
    model = Cyclic()
    gone = weakref.ref(model)
    sparing.begin()
    del model
    gc.collect()
    assert gone() is not None
    sparing.changed()
    return gone


def test_a_model_that_is_served_no_more_is_freed_and_the_others_are_passed_over_again() -> None:
    async def run() -> None:
        sparing = Sparing(0)
        gone = await _replaced(sparing)
        assert gc.get_freeze_count() == 0
        while gc.get_freeze_count() == 0:
            await asyncio.sleep(0)
        assert gone() is None
        sparing.end()

    asyncio.run(asyncio.wait_for(run(), 60))


def test_while_requests_may_hold_a_model_that_was_replaced_nothing_is_passed_over() -> None:
    async def run() -> None:
        sparing = Sparing(3600)
        gone = await _replaced(sparing)
        gc.collect()
        assert gone() is None
        assert gc.get_freeze_count() == 0
        sparing.changed()  # another one, which only takes longer
        sparing.end()
        assert gc.get_freeze_count() == 0

    asyncio.run(asyncio.wait_for(run(), 60))


def test_changes_before_the_beginning_are_none() -> None:
    sparing = Sparing(60)
    sparing.changed()
    sparing.end()
    assert gc.get_freeze_count() == 0


def test_a_server_passes_over_its_models_until_it_ends() -> None:
    with serving(f"stub={SAMPLES / 'wine' / 'model'}", load=lambda directory: Stub()):
        assert gc.get_freeze_count() > 0
    assert gc.get_freeze_count() == 0
