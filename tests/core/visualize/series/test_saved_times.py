"""Times that were saved and changed since: one sentence, and no traceback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid.api import unpack
from pellucid.errors import InstanceError
from pellucid.inputs import Beside, read_file
from series_models import lstm_model


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("saved")
    model = pellucid.load(lstm_model(folder / "m"), warn=lambda it: None)
    (folder / "x.csv").write_text("time,a,b,c,d\n0,1,2,3,4\n5,1,2,3,4\n", "utf-8")
    rows = list(read_file(folder / "x.csv", model.inputs, beside=Beside(time="time")))
    (folder / "a.npz").write_bytes(model.explain(rows, steps=5).pack())
    with np.load(folder / "a.npz") as arrays:
        return dict(arrays)


def saved(packed: dict[str, Any], folder: Path, times: object) -> bytes:
    document = json.loads(packed["pellucid.json"].tobytes())
    assert document["instances"][0]["beside"]["time"]["at"] == [0.0, 5.0]
    document["instances"][0]["beside"]["time"] = times
    changed = np.frombuffer(json.dumps(document).encode(), np.uint8)
    np.savez(folder / "b.npz", **{**packed, "pellucid.json": changed})
    return (folder / "b.npz").read_bytes()


@pytest.mark.parametrize(
    "times",
    [
        7,
        {"column": "t", "at": 3, "dates": False},
        {"column": "t", "at": ["soon"], "dates": False},
        {"at": [0, 1]},
    ],
)
def test_what_is_no_time_is_damaged(packed: dict[str, Any], tmp_path: Path, times: object) -> None:
    with pytest.raises(InstanceError, match="is damaged"):
        unpack(saved(packed, tmp_path, times), "b.npz")


@pytest.mark.parametrize("at", [[0.0], [0.0, 1.0, 2.0], [5.0, 0.0], [], [1e308, -1e308]])
def test_times_that_do_not_fit_are_not_drawn(
    packed: dict[str, Any], tmp_path: Path, at: list[float]
) -> None:
    data = saved(packed, tmp_path, {"column": "t", "at": at, "dates": True})
    assert unpack(data, "b.npz").draw(0)["signal"].series.axis == "step"


@pytest.mark.parametrize("at", [[0.0, 1e300], [-1e308, 1e308], [0.0, 5e-324]])
def test_times_of_any_size_are_drawn(
    packed: dict[str, Any], tmp_path: Path, at: list[float]
) -> None:
    for dates in (True, False):
        data = saved(packed, tmp_path, {"column": "t", "at": at, "dates": dates})
        assert unpack(data, "b.npz").draw(0)["signal"].overlay.shape[1] == 972
