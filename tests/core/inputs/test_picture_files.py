"""Files of pictures: which formats are read, and what is said of all others."""

from __future__ import annotations

import io
import os
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from mutated import mutated, originals
from PIL import Image

from pellucid.errors import InstanceError, OutOfMemoryError
from pellucid.inputs import decode_picture, open_picture
from pellucid.inputs.picture_files import FORMATS, NOT_READ
from pellucid.notices import Where

WHERE = Where(name="it.png")


def test_only_the_formats_that_are_named_are_read() -> None:
    read = set()
    for form, data in originals():
        try:
            assert decode_picture(data, WHERE).size == (23, 19)
            read.add(form.split()[0])
        except InstanceError as error:
            assert str(error) == f"it.png: {NOT_READ}", form
    # And AVIF, where Pillow has it: from 11.3 on.
    assert read == set(FORMATS) >= {"PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF"}


def test_no_picture_starts_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (eps,) = (data for form, data in originals() if form.startswith("EPS"))
    started = tmp_path / "started"
    ghost = tmp_path / "gs"
    ghost.write_text(f"#!/bin/sh\ntouch {started}\n")
    ghost.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(InstanceError, match="not a picture we read"):
        decode_picture(eps, WHERE)
    with pytest.raises(Image.UnidentifiedImageError):
        open_picture(eps)
    assert not started.exists()


def test_of_damaged_pictures_nothing_comes_out_but_one_sentence(
    capfd: pytest.CaptureFixture[str],
) -> None:
    refused = 0
    for form, data in mutated(seed=16, count=400):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                decode_picture(data, WHERE)
            except InstanceError as error:
                refused += 1
                assert str(error).startswith("it.png: ") and "\n" not in str(error), form
    assert 200 < refused < 400
    # What Pillow's wheels for Linux have inside; elsewhere it may not be within reach.
    assert sys.platform != "linux" or capfd.readouterr().err == ""


def test_a_picture_that_there_is_no_memory_for_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(picture: Image.Image) -> None:
        raise MemoryError

    out = io.BytesIO()
    Image.new("L", (8, 8)).save(out, "BMP")
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", full)
    with pytest.raises(OutOfMemoryError, match=r"it\.png: there is not enough memory for it"):
        decode_picture(out.getvalue(), WHERE)


def test_a_nan_that_signals_is_refused_as_any_other() -> None:
    """To widen one is an invalid operation, of which numpy warns on stderr."""
    gray = np.full((8, 8), 0x7FA00000, np.uint32).view(np.float32)
    out = io.BytesIO()
    Image.fromarray(gray).save(out, "TIFF")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InstanceError, match="its gray values are not all finite numbers"):
            decode_picture(out.getvalue(), WHERE)
