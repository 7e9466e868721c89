"""What an operation of the model refuses is the request's fault, and names the instance."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from serving import Running, serving

import refusing


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory = tmp_path_factory.mktemp("refusing") / "model"
    refusing.build(directory)
    with serving(f"records={directory}") as running:
        yield running


@pytest.mark.parametrize("verb", ["explain", "predict"])
@pytest.mark.parametrize("kind", refusing.refused())
def test_a_record_that_the_model_refuses_is_a_bad_request(
    kind: str, verb: str, server: Running
) -> None:
    bad, said = refusing.refused()[kind]
    good = refusing.record(2)
    answer = server.post(f"/v1/models/records:{verb}", refusing.request(good, bad))
    assert answer.status == 400
    error = answer.json["error"]
    assert error.startswith(f"instances[1]: {refusing.begins(kind)}") and said in error
    assert server.post(f"/v1/models/records:{verb}", refusing.request(good)).status == 200
