"""What is asked of each instance, and whose fault it is where that fails."""

from __future__ import annotations

import pytest

from pellucid.errors import InstanceError, OutOfMemoryError
from pellucid.explain.targets import placed


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (InstanceError("it is refused", 1), "the method moves it: it is refused"),
        (OutOfMemoryError("it takes too much", 1), "it takes too much"),
    ],
)
def test_what_else_was_asked_is_said_unless_memory_is_lacking(
    error: InstanceError, said: str
) -> None:
    found = placed(error, [7, 9], "the method moves it")
    assert (found.what, found.where.instance) == (said, 9)


def test_a_place_that_is_said_already_stays() -> None:
    error = InstanceError("it is refused", 1).at(instance=3)
    assert placed(error, [7, 9], "why") is error
