"""What ends the work on a request: its deadline, its client, or whoever cancels the task."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

import pytest
from starlette.requests import Request

from pellucid.serve.deadline import Deadline
from pellucid.serve.http_errors import CLIENT_GONE, HttpError

LATE = HttpError(HTTPStatus.GATEWAY_TIMEOUT, "late")


def request(*messages: dict[str, Any], then: asyncio.Event | None = None) -> Request:
    left = list(messages)

    async def receive() -> dict[str, Any]:
        if not left:
            await (then or asyncio.Event()).wait()
            return {"type": "http.disconnect"}
        return left.pop(0)

    return Request({"type": "http", "method": "POST", "path": "/", "headers": []}, receive)


async def for_ever() -> None:
    await asyncio.Event().wait()


def test_in_time_nothing_happens() -> None:
    async def scene() -> str:
        with Deadline(30, lambda: LATE) as deadline:
            deadline.watch(request())
            await asyncio.sleep(0)
        for _ in range(5):
            await asyncio.sleep(0)  # and nothing is left that could end what comes after it
        return "done"

    assert asyncio.run(scene()) == "done"


def test_the_deadline_says_what_was_late() -> None:
    async def scene() -> None:
        stage = [HttpError(HTTPStatus.REQUEST_TIMEOUT, "reading")]
        with Deadline(0.02, lambda: stage[0]):
            stage[0] = LATE
            await for_ever()

    with pytest.raises(HttpError) as caught:
        asyncio.run(scene())
    assert caught.value is LATE


def test_who_goes_away_is_not_worked_for() -> None:
    async def scene() -> list[str]:
        leaves, done = asyncio.Event(), []
        asyncio.get_running_loop().call_soon(leaves.set)
        try:
            with Deadline(30, lambda: LATE) as deadline:
                deadline.watch(request({"type": "http.request"}, then=leaves))
                await for_ever()
        except HttpError as http_error:
            assert http_error.status == CLIENT_GONE
            await asyncio.sleep(0)  # the task itself lives on
            done.append("answered")
        return done

    assert asyncio.run(scene()) == ["answered"]


def test_whoever_else_cancels_the_task_is_heard() -> None:
    async def work() -> None:
        with Deadline(30, lambda: LATE):
            await for_ever()

    async def scene() -> bool:
        task = asyncio.ensure_future(work())
        await asyncio.sleep(0)  # it is at work
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    assert asyncio.run(scene())
