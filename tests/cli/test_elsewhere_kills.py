"""A run that writes to S3 and is killed, or loses the server: the same command ends in the same bytes."""

from __future__ import annotations

import io
import random
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from breaking_proxy import (
    BUSY,
    CUT_AFTER,
    CUT_BEFORE,
    CUT_WITHIN,
    HOLD_AFTER,
    HOLD_BEFORE,
    BreakingProxy,
    breaking_proxy,
)
from forked import Forks
from pellucid.errors import InstanceError
from pellucid.remote import read
from places import SAMPLES
from run_folders import untimed
from stores import s3_server
from waiting import until

KILLS = 4
OUT = "s3://shelf/out"


@pytest.fixture(scope="module")
def proxy() -> Iterator[BreakingProxy]:
    """A server of S3 behind a proxy, which the environment names."""
    with (
        pytest.MonkeyPatch.context() as patch,
        s3_server() as environment,
        breaking_proxy(environment["AWS_ENDPOINT_URL"]) as made,
    ):
        for name, value in {**environment, "AWS_ENDPOINT_URL": made.url}.items():
            patch.setenv(name, value)
        import fsspec

        from pellucid.remote import stores

        patch.setattr(stores, "PAUSES", ())
        stores._store.cache_clear()
        fsspec.filesystem("s3").clear_instance_cache()
        yield made
        stores._store.cache_clear()


@pytest.fixture(scope="module")
def store(proxy: BreakingProxy) -> Any:
    """The bucket, as it is read and changed behind the back of the program."""
    import fsspec

    found = fsspec.filesystem("s3", use_listings_cache=False)
    found.mkdir("shelf")
    images = sorted((SAMPLES / "digits/images").iterdir())
    for number in range(14):
        data = io.BytesIO()
        with Image.open(images[number % len(images)]) as picture:
            picture.rotate(number).save(data, "PNG")
        found.pipe_file(f"s3://shelf/in/{number % 3}/{number:02d}.png", data.getvalue())
    found.pipe_file("s3://shelf/in/0/broken.png", b"\x89PNG, but no further")
    return found


@pytest.fixture(autouse=True)
def emptied(store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    empty(store)


def empty(store: Any) -> None:
    for name in store.find("shelf/out"):
        store.rm_file(name)


def command() -> list[object]:
    options = ("--steps", 2, "--block-size", 4, "--raw", "--noisy-samples", 2, "--write", "csv")
    return ["batch", SAMPLES / "digits/model", "s3://shelf/in", "-o", OUT, *options]


def contents(store: Any) -> dict[str, str]:
    """Every object of the folder, timings aside."""
    names = store.find("shelf/out")
    return untimed({it.removeprefix("shelf/out/"): store.cat_file(it) for it in names})


@pytest.fixture(scope="module")
def undisturbed(forks: Forks, proxy: BreakingProxy, store: Any) -> tuple[dict[str, str], int]:
    """What a run leaves that nobody disturbs, and how many requests it makes."""
    empty(store)
    proxy.starts_over({})
    child = forks.start(*command())
    assert child.wait() == 1, child.err  # one input is broken
    asked = len(proxy.asked)
    return contents(store), asked


def test_killed_at_any_request_a_run_ends_in_the_same_bytes(
    forks: Forks,
    proxy: BreakingProxy,
    store: Any,
    undisturbed: tuple[dict[str, str], int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In its place on this machine, or on another one, which has nothing of it."""
    expected, asked = undisturbed
    assert len(expected) > 30 and asked > 100
    chance = random.Random(18)
    kills = 0
    while kills < KILLS:
        place, how = chance.randrange(1, asked), chance.choice((HOLD_BEFORE, HOLD_AFTER))
        proxy.starts_over({place: how})
        child = forks.start(*command())
        until(lambda it=child.process: proxy.held.is_set() or it.poll() is not None)
        if child.process.poll() is None:
            child.signal(signal.SIGKILL)
            assert child.wait() == -signal.SIGKILL
            kills += 1
            if kills % 3 == 0:
                monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / f"cache{kills}"))
        else:  # not so much was left to ask for
            assert child.wait() == 1, child.err
            proxy.starts_over({})
            assert contents(store) == expected
            empty(store)
    proxy.starts_over({})
    child = forks.start(*command())
    assert child.wait() == 1, child.err
    assert contents(store) == expected


def finished(program: Any, proxy: BreakingProxy, store: Any) -> tuple[dict[str, str], int]:
    """What `undisturbed` says of a run in this process, whose first model was another one.

    How many threads an operation has, and so its last bits, is what the first model says.
    """
    proxy.starts_over({})
    run = program(*command())
    assert run.code == 1, run.err
    asked = len(proxy.asked)
    found = contents(store)
    empty(store)
    return found, asked


def test_connections_that_break_change_nothing(
    program: Any, proxy: BreakingProxy, store: Any
) -> None:
    expected, asked = finished(program, proxy, store)
    chance = random.Random(19)
    ways = (CUT_BEFORE, CUT_AFTER, CUT_WITHIN, BUSY)
    proxy.starts_over({it: chance.choice(ways) for it in chance.sample(range(1, asked), 8)})
    run = program(*command())
    assert run.code == 1, run.err
    proxy.starts_over({})
    assert contents(store) == expected


def test_a_store_is_asked_again_by_the_program_and_its_package_but_not_by_all_between(
    proxy: BreakingProxy, store: Any
) -> None:
    """Their numbers are multiplied: five times botocore's, which are five, made minutes."""
    proxy.starts_over(dict.fromkeys(range(1, 1000), BUSY))
    with pytest.raises(InstanceError, match=r"the server is busy \(503\), also when it was asked"):
        read("s3://shelf/in/0/00.png", InstanceError)
    assert len(proxy.asked) <= 5
    proxy.starts_over({})


@pytest.mark.parametrize("part", [0.3, 0.9])
def test_a_server_that_is_gone_ends_the_run_and_the_same_command_goes_on(
    part: float,
    program: Any,
    proxy: BreakingProxy,
    store: Any,
) -> None:
    expected, asked = finished(program, proxy, store)
    gone = round(part * asked)
    proxy.starts_over(dict.fromkeys(range(gone, gone + 10_000), CUT_BEFORE))
    run = program(*command())
    assert run.code == 2
    assert run.err.splitlines()[-1].startswith(f"error: {OUT}/"), run.err
    assert "the connection was lost in the middle (" in run.err
    assert re.search(r"; \d+ of 15 inputs are done, and the same command goes on from", run.err)
    proxy.starts_over({})
    again = program(*command())
    assert again.code == 1, again.err
    assert contents(store) == expected
