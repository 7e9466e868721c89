"""A predictor for each test."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import pellucid
from pellucid.predictor import PredictorSettings
from stand_in import V2, StandIn, standing_in

Loads = Callable[..., Any]


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with standing_in() as running:
        yield running


@pytest.fixture
def loads(stand_in: StandIn, tmp_path: Path) -> Loads:
    """``loads(path, …)`` is the model behind a path of the predictor, by a file of its metadata."""
    signature = tmp_path / "signature.json"
    signature.write_text(json.dumps(V2))

    def load(path: str = "/v1/models/linear", **settings: Any) -> Any:
        asked = PredictorSettings(url=stand_in.url + path, **settings)
        return pellucid.load(signature, predictor=asked, warn=lambda message: None)

    return load
