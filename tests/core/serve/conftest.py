"""A server for each file of tests, with the models that the tests ask."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from serving import Running, Stub, serving


@pytest.fixture(scope="module")
def wine() -> Iterator[Running]:
    """A server of wine, digits and code_or_prose, and of wine again in two versions."""
    from places import SAMPLES

    models = [f"{name}={SAMPLES / name / 'model'}" for name in ("wine", "digits", "code_or_prose")]
    versions = [f"cellar/{v}={SAMPLES / name / 'model'}" for v, name in VERSIONS.items()]
    with serving(*models, *versions) as running:
        yield running


VERSIONS = {"v9": "diabetes", "v10": "wine"}


@pytest.fixture
def stubbed(tmp_path: Path) -> Iterator[Callable[..., tuple[Running, Stub]]]:
    """``stubbed(settings)`` is a server of a model that answers when the test says so."""
    (tmp_path / "saved_model.pb").touch()
    with ExitStack() as stack:

        def start(**settings: Any) -> tuple[Running, Stub]:
            from pellucid.serve.server import ServerSettings

            stub = Stub()
            stack.callback(stub.gate.set)
            loaded = ServerSettings(poll=0, **settings)
            running = stack.enter_context(
                serving(f"stub={tmp_path}", settings=loaded, load=lambda directory: stub)
            )
            stack.callback(stub.gate.set)  # before the server is asked to end
            return running, stub

        yield start
