"""Blocks that are asked of a model in turn, several at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from pellucid.ahead import at_a_time, in_turn
from pellucid.cancellation import Cancelled, cancelled_when, check
from pellucid.model import ContrastModel, FunctionModel, HoldingModel


def test_answers_come_in_the_order_of_their_blocks() -> None:
    second = threading.Event()

    def ask(number: int) -> int:
        if number == 0:
            assert second.wait(30), "the second block is asked while the first has no answer"
        elif number == 1:
            second.set()
        return number * number

    assert [*in_turn(ask, iter(range(9)), 2)] == [n * n for n in range(9)]


@pytest.mark.parametrize("count", [1, 3])
def test_the_memory_of_a_block_may_be_used_again_for_the_one_so_many_later(count: int) -> None:
    held = [np.zeros(4) for _ in range(count)]

    def blocks() -> Iterator[np.ndarray]:
        for number in range(20):
            held[number % count][:] = number
            yield held[number % count]

    found = [*in_turn(lambda block: block.copy(), blocks(), count)]
    assert [it.tolist() for it in found] == [[n] * 4 for n in range(20)]


def test_an_error_ends_the_blocks_that_are_under_way() -> None:
    begun, ended = threading.Event(), threading.Event()

    def ask(number: int) -> None:
        if number == 0:
            assert begun.wait(30)
            raise ValueError("no")
        begun.set()
        try:
            while not ended.wait(0.001):
                check()
        except Cancelled:
            ended.set()
            raise

    with pytest.raises(ValueError, match="no"):
        [*in_turn(ask, iter(range(2)), 2)]
    assert ended.is_set()


def test_what_is_given_up_is_given_up_in_every_block() -> None:
    given_up = threading.Event()

    def ask(number: int) -> None:
        given_up.set()
        while True:
            check()

    with pytest.raises(Cancelled), cancelled_when(given_up.is_set):
        [*in_turn(ask, iter(range(3)), 3)]


def test_a_model_takes_one_question_at_a_time_unless_it_says_otherwise() -> None:
    class Remote(FunctionModel):
        at_a_time = 4

    made = [
        kind(lambda x: x["x"], lambda x, t: {}, frozenset()) for kind in (FunctionModel, Remote)
    ]
    assert [at_a_time(it) for it in made] == [1, 4]
    assert at_a_time(HoldingModel(ContrastModel(made[1], 0), frozenset())) == 4
