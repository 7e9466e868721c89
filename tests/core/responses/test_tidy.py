"""The tidy table: regions of pictures, names of columns, and the same rows in every form."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import numpy as np
import pytest

from pellucid.explain import Explanation, LabelAttribution, Results
from pellucid.inputs import Instance
from pellucid.metadata import (
    BaseMethod,
    Dialect,
    ExplanationMetadata,
    ExplanationParameters,
    InputSpec,
    IntegratedGradients,
    Lime,
    Modality,
    OutputSpec,
)
from pellucid.responses import tidy_groups, write_tidy

pyarrow = pytest.importorskip("pyarrow")
from pyarrow import parquet  # noqa: E402

REGIONS = np.array([[0, 0, 1], [0, 2, 1]])


def results(method: BaseMethod, values: np.ndarray, **label: Any) -> Results:
    metadata = ExplanationMetadata(
        inputs=(InputSpec(name="photo", modality=Modality.IMAGE), InputSpec(name="age")),
        output=OutputSpec(name="score"),
        dialect=Dialect.VERTEX,
    )
    features = {"photo": values, "age": np.array(0.25)}
    one = LabelAttribution(
        output="score", index=(1,), name="cat", score=0.75, baseline_score=0.5,
        values=features, features=features, approx_error=None, **label,
    )  # fmt: skip
    explanation = Explanation(prediction=np.zeros(2), labels=(one,), inputs={"age": np.array(31.0)})
    extras = {"id": "a", "columns": {"label": "dog", "camera": None}}
    return Results(
        (explanation,),
        (Instance({}, {}, 7, extras=extras),),
        metadata,
        ExplanationParameters(method=method),
    )


def rows(found: Results) -> list[tuple[Any, ...]]:
    ((_, *columns),) = tidy_groups(found, 0, "a.png", ["label", "camera"])
    return [*zip(*columns, strict=True)]


def test_a_picture_is_its_regions_or_its_sum() -> None:
    values = np.arange(18.0).reshape(2, 3, 3)
    by_hand = {
        number: float(values[number == REGIONS].sum()) for number in np.unique(REGIONS).tolist()
    }
    age = ("age", "31.0", 0.25, None)
    assert rows(results(IntegratedGradients(), values)) == [
        age,
        ("photo", None, float(values.sum()), None),
    ]
    boxes = {0: "0,0,2,2", 1: "2,0,3,2", 2: "1,1,2,2"}
    expected = [(f"photo[{it}]", boxes[it], total, None) for it, total in by_hand.items()]
    for shape in (values, np.moveaxis(values, -1, 0)):
        found = results(IntegratedGradients(), shape, segments={"photo": REGIONS})
        assert rows(found) == [age, *expected]
    ranked = results(IntegratedGradients(), values, ranks={"photo": REGIONS + 1})
    assert [it[0] for it in rows(ranked)[1:]] == ["photo[1]", "photo[2]", "photo[3]"]
    assert [it[1:] for it in rows(ranked)[1:]] == [it[1:] for it in expected]
    weights = np.array([0.5, -1.0, 2.0])
    lime = results(
        Lime(),
        weights[REGIONS],
        segments={"photo": REGIONS},
        diagnostics={"stability": 1.0},
        errors={"photo": np.array([0.1, 0.2, 0.4])[REGIONS]},
    )
    assert [(it[2], it[3]) for it in rows(lime)[1:]] == [
        pytest.approx(it) for it in ((0.5, 0.1), (-1.0, 0.2), (2.0, 0.4))
    ]


def test_all_forms_hold_the_same_rows_and_exact_numbers() -> None:
    found = results(IntegratedGradients(), np.full((1, 1), 1 / 3))
    kept = ["label", "camera"]
    files = {}
    for form in ("parquet", "csv", "jsonl"):
        out = io.BytesIO()
        write_tidy(out, form, kept, tidy_groups(found, 0, "a\u2028,\n.png", kept) * 2)  # type: ignore[arg-type]
        files[form] = out.getvalue()
    table = parquet.read_table(io.BytesIO(files["parquet"])).to_pylist()
    assert [json.loads(line) for line in files["jsonl"].decode().split("\n")[:-1]] == table
    read = [*csv.DictReader(io.StringIO(files["csv"].decode(), newline=""))]
    assert [{name: str(it) if it is not None else "" for name, it in row.items()} for row in table] == read  # fmt: skip
    assert len(table) == 4
    assert table[1] == {
        "input": "a\u2028,\n.png", "instance": 7, "id": "a", "kept_label": "dog", "camera": None,
        "output": "score", "index": "1", "label": "cat", "score": 0.75, "baseline_score": 0.5,
        "approx_error": None, "feature": "photo", "value": None, "attribution": 1 / 3,
        "error": None,
    }  # fmt: skip
