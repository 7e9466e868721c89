"""What an input does to its own explanation costs that input, and no other."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pellucid
from pellucid.batch import Finished, Wanted, Work, worker
from pellucid.batch.items import Item, decode
from pellucid.batch.plan import Block


@pytest.fixture(scope="module")
def digits() -> pellucid.LoadedModel:
    from places import SAMPLES

    return pellucid.load(SAMPLES / "digits/model", steps=2, warn=lambda message: None)


def block(folder: Path, pictures: dict[str, bytes]) -> Block:
    items = []
    for number, (name, data) in enumerate(pictures.items()):
        path = folder / name
        path.write_bytes(data)
        items.append(Item(number=number, source=name, path=str(path), place=name, kind="picture"))
    return Block(number=0, items=tuple(items))


def picture(form: str = "PNG", size: tuple[int, int] = (28, 28)) -> bytes:
    out = io.BytesIO()
    Image.new("L", size, 90).save(out, form)
    return out.getvalue()


def errors(finished: Finished) -> dict[str, str]:
    return {it.name: str(it.error) for it in finished.records if it.error is not None}


def test_a_picture_that_no_jpeg_can_hold_fails_alone(
    digits: pellucid.LoadedModel, tmp_path: Path
) -> None:
    wide = picture("TIFF", (70_000, 40))
    given = block(tmp_path, {"a.png": picture(), "wide.tif": wide, "z.png": picture()})
    finished = Work(digits, Wanted(out=str(tmp_path / "out"))).run(given)
    assert errors(finished) == {
        "wide.tif": "wide.tif: a picture of 70,000×40 pixels cannot be written as JPEG, which has "
        "at most 65,500 on a side; make it smaller first"
    }
    assert [bool(it.result) for it in finished.records] == [True, False, True]


@pytest.mark.parametrize("stumbles", ["decoded", "drawn", "encoded"])
def test_whatever_a_decoder_or_an_encoder_raises_is_its_inputs_error(
    digits: pellucid.LoadedModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stumbles: str,
) -> None:
    given = block(tmp_path, {"a.png": picture(), "odd.png": picture(), "z.png": picture()})

    def stumble(*arguments: Any, **options: Any) -> Any:
        raise OSError(5, "Input/output error")

    def at_the_odd(real: Callable[..., Any]) -> Callable[..., Any]:
        def decoded(items: Sequence[Item], *rest: Any) -> Any:
            return stumble() if "odd.png" in [it.source for it in items] else real(items, *rest)

        return decoded

    def seldom(real: Callable[..., Any]) -> Callable[..., Any]:
        calls = iter((real, stumble, real))
        return lambda *arguments, **options: next(calls)(*arguments, **options)

    if stumbles == "decoded":
        monkeypatch.setattr(worker, "decode", at_the_odd(decode))
    elif stumbles == "drawn":
        drawn = pellucid.batch.rendering._at_own_size
        monkeypatch.setattr(pellucid.batch.rendering, "_at_own_size", seldom(drawn))
    else:
        encoded = pellucid.visualize.image_overlays.Drawing.as_file
        monkeypatch.setattr(pellucid.visualize.image_overlays.Drawing, "as_file", seldom(encoded))
    finished = Work(digits, Wanted(out=str(tmp_path / "out"))).run(given)
    assert list(errors(finished)) == ["odd.png"]
    assert "Input/output error" in errors(finished)["odd.png"]


def test_a_block_that_is_too_much_for_the_memory_is_halved_and_the_input_named(
    digits: pellucid.LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = block(tmp_path, {f"{i}.png": picture() for i in range(7)})
    explain, tried = pellucid.LoadedModel.explain, list[list[int]]()

    def short(self: Any, instances: Any, *rest: Any, **options: Any) -> Any:
        numbers = [it.index for it in instances]
        tried.append(numbers)
        if 4 in numbers or len(numbers) > 3:
            raise MemoryError
        return explain(self, instances, *rest, **options)

    monkeypatch.setattr(pellucid.LoadedModel, "explain", short)
    finished = Work(digits, Wanted(out=str(tmp_path / "out"))).run(given)
    assert errors(finished) == {
        "4.png": "4.png: there is not enough memory for it; make it smaller first"
    }
    assert [bool(it.result) for it in finished.records] == [True] * 4 + [False] + [True] * 2
    assert tried[:3] == [[*range(7)], [0, 1, 2], [3, 4, 5, 6]]
    results = [np.frombuffer(it.result or b"", np.uint8).size for it in finished.records]
    assert max(results) > 0
