"""Who may ask, and that no request reads or writes anything outside the model directory."""

from __future__ import annotations

import base64
import io
import json
import os
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from serving import Answer, Running, serving
from starlette.datastructures import Headers

from pellucid.errors import ModelError, SpecError
from pellucid.serve.auth import Guard, is_loopback, read_token
from pellucid.serve.http_errors import HttpError
from pellucid.serve.limits import Limits
from pellucid.serve.server import ServerSettings
from places import ROOT, SAMPLES

PHOTOS = "/v1/projects/p/locations/l/endpoints/photos:explain"
DIGITS = json.loads((SAMPLES / "digits" / "instances.json").read_text())


def refused(guard: Guard, **headers: str) -> int | None:
    try:
        guard.check(Headers({"host": "127.0.0.1:80", **headers}))
    except HttpError as http_error:
        return http_error.status
    return None


@pytest.mark.parametrize(
    "header, status",
    [
        ("Bearer secret", None),
        ("bearer secret", None),
        ("Bearer  secret", None),
        ("Bearer secre", 401),
        ("Bearer secrets", 401),
        ("Bearer s\u00e9cret", 401),
        ("Basic secret", 401),
        ("secret", 401),
        ("", 401),
    ],
)
def test_a_token_is_asked_for(header: str, status: int | None) -> None:
    assert refused(Guard("secret"), authorization=header) == status


@pytest.mark.parametrize(
    "origin, host, status",
    [
        ("http://127.0.0.1:80", "127.0.0.1:80", None),
        ("http://localhost:80", "localhost:80", None),
        ("https://evil.example", "127.0.0.1:80", 403),
        # A name that an attacker points at this machine is no better.
        ("http://evil.example:80", "evil.example:80", 403),
        ("null", "127.0.0.1:80", 403),
    ],
)
def test_pages_of_other_origins_may_not_ask(origin: str, host: str, status: int | None) -> None:
    assert refused(Guard(), origin=origin, host=host) == status


def test_with_a_token_a_page_may_have_any_name_of_its_own() -> None:
    own = {"origin": "https://explain.example", "host": "explain.example"}
    assert refused(Guard("secret"), authorization="Bearer secret", **own) is None


def test_a_token_comes_from_a_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    file.write_text("from-file\n")
    monkeypatch.delenv("PELLUCID_SERVE_TOKEN", raising=False)
    assert read_token(None) is None
    monkeypatch.setenv("PELLUCID_SERVE_TOKEN", "from-environment")
    assert (read_token(None), read_token(file)) == ("from-environment", "from-file")
    for content in ("", "  \n", "two words"):
        file.write_text(content)
        with pytest.raises(SpecError, match="holds no token"):
            read_token(file)
    with pytest.raises(SpecError, match="cannot be read: No such file"):
        read_token(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "host, loopback",
    [
        *((host, True) for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost")),
        *((host, False) for host in ("0.0.0.0", "::", "192.168.1.4", "example.org")),
    ],
)
def test_what_only_this_machine_can_reach(host: str, loopback: bool) -> None:
    assert is_loopback(host) == loopback


def test_everything_but_probes_needs_the_token() -> None:
    settings = ServerSettings(poll=0, guard=Guard("secret"))
    with serving(f"wine={SAMPLES / 'wine' / 'model'}", settings=settings) as running:
        open_paths = ("/healthz", "/readyz")
        assert [running.get(path).status for path in open_paths] == [200, 200]
        closed = ("/v1/models", "/v1/models/wine", "/metrics", "/v1/projects/p/models/wine")
        for path in closed:
            answer = running.get(path)
            assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer"), path
            assert running.get(path, Authorization="Bearer secret").status == 200, path
        assert running.post("/v1/models/wine:explain", {"instances": [1]}).status == 401


# Files


@pytest.fixture(scope="module")
def photos() -> Iterator[Running]:
    models = [f"{name}={SAMPLES / name / 'model'}" for name in ("photos", "jpeg_bytes", "digits")]
    settings = ServerSettings(poll=0, limits=Limits(pixels=1_000_000))
    with serving(*models, settings=settings) as running:
        yield running


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[list[str]]:
    """Every path that this process opens, lists or changes while a test runs."""
    seen: list[str] = []
    on = [True]

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if on and event in ("open", "os.listdir", "os.scandir", "os.rename", "os.remove"):
            path = os.fsdecode(arguments[0]) if isinstance(arguments[0], str | bytes) else ""
            # The program's own files are no business of a request's.
            seen.extend([path] if path and not path.startswith(str(ROOT / "core")) else [])

    sys.addaudithook(hook)
    yield seen
    on.clear()


FILE_BASELINES = [
    [{"file": "/etc/hostname.npy"}],
    [{"file": "../../digits/images/five.png"}],
    [{"file": "gs://bucket/baseline.npy"}],
    {"file": "/etc/hostname.png"},
    [[{"file": "x.npy"}]],
    ["/etc/passwd"],
    "gs://bucket/baseline.npy",
]


@pytest.mark.parametrize("baselines", FILE_BASELINES, ids=json.dumps)
def test_a_baseline_of_a_request_names_no_file(
    photos: Running, opened: list[str], baselines: object
) -> None:
    image = np.zeros((224, 224, 3)).tolist()
    override = {"metadata": {"inputs": {"image": {"inputBaselines": baselines}}}}
    body = {"instances": [image], "explanationSpecOverride": override}
    answer = photos.post(PHOTOS, body)
    assert (answer.status, answer.json["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert not opened


@pytest.mark.parametrize(
    "part",
    [
        {"inputTensorName": "read_file:0"},
        {"encodedTensorName": "../secret:0"},
        {"indicesTensorName": "gs://bucket/x"},
        {"visualization": {"file": "/etc/passwd"}},
    ],
    ids=json.dumps,
)
def test_a_request_points_at_no_other_tensor(photos: Running, part: dict[str, Any]) -> None:
    override = {"metadata": {"inputs": {"image": part}}}
    body = {"instances": DIGITS["instances"][:1], "explanationSpecOverride": override}
    path = "/v1/projects/p/locations/l/endpoints/digits:explain"
    answer = photos.post(path, body)
    assert (answer.status, answer.json["error"]["status"]) == (400, "INVALID_ARGUMENT")


@pytest.mark.parametrize(
    "metadata",
    [{"outputs": {}}, {"latentSpaceSource": "gs://b"}, {"featureAttributionsSchemaUri": "x"}],
)
def test_a_request_changes_nothing_else_of_the_metadata(
    photos: Running, metadata: dict[str, Any]
) -> None:
    body = {"instances": DIGITS["instances"][:1], "explanationSpecOverride": {"metadata": metadata}}
    assert photos.post("/v1/projects/p/locations/l/endpoints/digits:explain", body).status == 400


@pytest.mark.parametrize(
    "name",
    [
        "..",
        "%2e%2e",
        "..%2f..%2fetc",
        "digits%2f..%2fphotos",
        "/etc/passwd",
        "%2Fetc%2Fpasswd",
        "gs://bucket/model",
        "gs%3A%2F%2Fbucket%2Fmodel",
        "digits%00",
        "model",
    ],
)
def test_a_name_is_no_path(photos: Running, opened: list[str], name: str) -> None:
    paths = (
        f"/v1/models/{name}",
        f"/v1/projects/p/models/{name}",
        f"/v1/projects/p/models/digits/versions/{name}",
        f"/v1/projects/p/locations/l/endpoints/{name}",
        f"/v1/models/digits/{name}",
        f"/{name}",
    )
    for path in paths:
        assert photos.get(path).status == 404, path
        assert photos.post(f"{path}:explain", DIGITS).status in (404, 405), path
    assert not opened


@pytest.mark.parametrize(
    "text", ["/etc/passwd", "gs://bucket/x.jpg", "file:///etc/passwd", "~/.ssh"]
)
def test_a_string_is_the_bytes_of_a_picture_and_no_name(
    photos: Running, opened: list[str], text: str
) -> None:
    answer = photos.post("/v1/models/jpeg_bytes:explain", {"instances": [{"bytes": text}]})
    assert answer.status == 400
    answer = photos.post("/v1/models/jpeg_bytes:explain", {"instances": [text]})
    assert answer.status == 400
    assert text not in opened and not [p for p in opened if "passwd" in p]


def test_a_model_that_reads_files_by_name_is_not_served(tmp_path: Path) -> None:
    from pellucid.runtime.engine.tensorflow import tf

    class Reader(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def serve(self, name: Any) -> Any:
            length = tf.map_fn(
                lambda n: tf.strings.length(tf.io.read_file(n)), name, fn_output_signature=tf.int32
            )
            return {"score": tf.cast(length, tf.float32)}

    module = Reader()
    tf.saved_model.save(module, str(tmp_path), signatures={"serving_default": module.serve})
    with pytest.raises(ModelError, match="ReadFile"), serving(f"reader={tmp_path}"):
        pass


def picture(size: tuple[int, int], form: str) -> bytes:
    held = io.BytesIO()
    Image.new("L", size).save(held, form, compress_level=1)
    return held.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that says it is huge and holds nothing."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [head, b"IDAT" + zlib.compress(b"")]
    chunks = (struct.pack(">I", len(p) - 4) + p + struct.pack(">I", zlib.crc32(p)) for p in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def sent(photos: Running, data: bytes) -> Answer:
    body = {"instances": [{"b64": base64.b64encode(data).decode()}]}
    return photos.post("/v1/models/jpeg_bytes:explain", body)


def test_a_picture_that_cannot_be_measured_is_refused(photos: Running) -> None:
    answer = sent(photos, png_header(60000, 60000)[:20] + b"\0" * 100)
    assert (answer.status, answer.json) == (400, {"error": "instances[0]: the picture is damaged"})


@pytest.mark.parametrize(
    "data",
    [
        lambda: picture((2000, 1000), "JPEG"),
        lambda: picture((30000, 30000), "PNG"),  # seconds, which collecting need not take
        lambda: png_header(65535, 65535),
        lambda: png_header(2**31 - 1, 2**31 - 1),
    ],
    ids=["jpeg", "png", "header", "largest"],
)
def test_a_picture_that_is_huge_in_memory_is_refused(
    photos: Running, data: Callable[[], bytes]
) -> None:
    answer = sent(photos, data())
    assert answer.status == 413 and "more than 1,000,000 pixels" in answer.json["error"]
