"""Pictures: what is in a file becomes the exact tensor that an input wants, and is shown again."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from pellucid.errors import InstanceError
from pellucid.inputs.images import to_picture
from pellucid.inputs.picture_files import NOT_READ
from pellucid.inputs.readers import (
    InputInfo,
    read_file,
    read_image,
)
from pellucid.metadata.spec import Domain

X4 = InputInfo(name="x", dtype="float32", shape=(None, 4))
PHOTO = InputInfo(name="image", dtype="float32", shape=(None, 4, 6, 3))
GRAY = InputInfo(name="image", dtype="float32", shape=(None, 4, 6))
BYTES = InputInfo(name="image_bytes", dtype="string", shape=(None,))


def message(call: Callable[[], object]) -> str:
    with pytest.raises(InstanceError) as caught:
        call()
    return str(caught.value)


def corners() -> Any:
    """Four different corners, so that any turn or flip shows: uint8 [4, 6, 3]."""
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[:2, :3] = (250, 0, 0)
    pixels[:2, 3:] = (0, 250, 0)
    pixels[2:, :3] = (0, 0, 250)
    pixels[2:, 3:] = (250, 250, 250)
    return pixels


def encoded(picture: Image.Image, form: str, **options: Any) -> bytes:
    out = BytesIO()
    picture.save(out, form, **options)
    return out.getvalue()


def pixels_of(data: bytes, info: InputInfo = PHOTO) -> Any:
    return read_image(data, [info]).tensors[info.name]


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "WEBP", "GIF"])
def test_lossless_files_give_their_exact_pixels(form: str, tmp_path: Path) -> None:
    options = {"lossless": True} if form == "WEBP" else {}
    path = tmp_path / f"picture.{form.lower()}"
    path.write_bytes(encoded(Image.fromarray(corners()), form, **options))
    got = next(read_file(path, [PHOTO]))
    assert got.source == got.value == str(path)
    assert np.array_equal(got.tensors["image"], (corners() / 255).astype(np.float32))
    assert got.image is not None and np.array_equal(np.asarray(got.image), corners())


def test_of_an_animation_the_first_frame_is_taken() -> None:
    first, second = (Image.new("RGB", (6, 4), color) for color in ("red", "blue"))
    data = encoded(first, "GIF", save_all=True, append_images=[second])
    assert np.array_equal(pixels_of(data)[0, 0], [1, 0, 0])


def test_a_jpeg_is_close_to_its_pixels() -> None:
    data = encoded(Image.fromarray(corners()), "JPEG", quality=100, subsampling=0)
    assert np.abs(pixels_of(data) - corners() / 255).max() < 0.03


TURNS: dict[int, Callable[[Any], Any]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a),
}


@pytest.mark.parametrize("orientation", [1, 2, 3, 4, 5, 6, 7, 8])
def test_exif_orientation_is_honoured(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    lying = Image.fromarray(corners()).resize((48, 32), Image.Resampling.NEAREST)
    data = encoded(lying, "JPEG", exif=exif, quality=100, subsampling=0)
    info = InputInfo(name="image", dtype="float32", shape=(None, None, None, 3))
    expected = TURNS[orientation](np.asarray(lying)) / 255
    got = pixels_of(data, info)
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() < 0.03


def test_bytes_are_sent_as_they_are_and_drawn_as_the_model_sees_them(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(Image.fromarray(corners()), "JPEG", exif=exif)
    path = tmp_path / "turned.jpg"
    path.write_bytes(data)
    got = read_image(path, [BYTES])
    assert got.tensors["image_bytes"].shape == () and got.tensors["image_bytes"].item() == data
    assert got.image is not None and got.image.size == (6, 4)
    assert read_image(data, [BYTES]).value == {"b64": base64.b64encode(data).decode()}


def test_transparency_lies_over_white() -> None:
    half = Image.new("RGBA", (6, 4), (255, 0, 0, 51))
    assert np.allclose(pixels_of(encoded(half, "PNG"))[0, 0], [1, 0.8, 0.8], atol=1 / 255)
    palette = Image.fromarray(corners()).quantize(4)
    index = palette.getpixel((0, 0))
    data = encoded(palette, "PNG", transparency=index)
    got = pixels_of(data)
    assert np.array_equal(got[0, 0], [1, 1, 1])
    assert np.allclose(got[3, 5], 250 / 255, atol=3 / 255)
    gray = Image.new("LA", (6, 4), (0, 0))
    assert np.array_equal(pixels_of(encoded(gray, "PNG")), np.ones((4, 6, 3)))


def test_gray_of_sixteen_bits_is_divided_by_257() -> None:
    deep = np.linspace(0, 65535, 24).round().astype(np.uint16).reshape(4, 6)
    expected = np.rint(deep / 257) / 255
    for form in ("PNG", "TIFF"):
        got = pixels_of(encoded(Image.fromarray(deep), form), GRAY)
        assert np.array_equal(got, expected.astype(np.float32)), form


def test_floating_point_gray_is_read_on_its_own_scale() -> None:
    unit = np.linspace(0, 1, 24, dtype=np.float32).reshape(4, 6)
    got = pixels_of(encoded(Image.fromarray(unit), "TIFF"), GRAY)
    assert np.abs(got - unit).max() <= 0.5 / 255 + 1e-6
    for low, high in ((-1, 1), (0, 255), (0, 65535)):
        data = encoded(Image.fromarray(low + unit * (high - low)), "TIFF")
        instance = read_image(data, [GRAY])
        assert np.abs(instance.tensors["image"] - unit).max() <= 0.5 / 255 + 1e-6
        said = f"its floating-point values were read as {low}..{high}"
        assert [str(note) for note in instance.notes] == [said]


@pytest.mark.parametrize(
    ("values", "what"),
    [
        (np.float32([[-5, 5]]), "its gray values run from -5 to 5, and not within 0..1, -1..1, "),
        (np.float32([[0, 1e6]]), "its gray values run from 0 to 1e+06, and not within 0..1, "),
        (np.float32([[0, np.nan]]), "its gray values are not all finite numbers; "),
        (np.int32([[-1, 5]]), "its gray values run from -1 to 5, and not within 0..65535; "),
    ],
)
def test_gray_on_no_usual_scale_is_refused_and_not_called_damaged(values: Any, what: str) -> None:
    said = message(lambda: pixels_of(encoded(Image.fromarray(values), "TIFF")))
    assert said.startswith(f"the picture: {what}")
    assert said.endswith("; save it with 8 or 16 bits")


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (
            b"\0\0\0\x18ftypheic" + b"\0" * 99,
            "a HEIC picture cannot be read; save it as PNG or JPEG",
        ),
        (b"\0" * 128 + b"DICM" + b"\0" * 99, "a DICOM file cannot be read; save it as PNG or JPEG"),
        (b"<svg width='1'></svg>", "an SVG drawing cannot be read; save it as PNG or JPEG"),
        (
            b"II*\0\x08\0\0\0" + b"\0" * 99,
            "a TIFF file whose values are of a type that cannot be read; save it with 8 or 16 bits",
        ),
    ],
)
def test_a_picture_of_a_kind_that_is_not_read_is_called_what_it_is(data: bytes, what: str) -> None:
    assert message(lambda: pixels_of(data)) == f"the picture: {what}"


def test_cmyk_is_converted() -> None:
    data = encoded(Image.new("CMYK", (6, 4), (0, 255, 255, 0)), "JPEG", quality=100)
    assert np.abs(pixels_of(data)[0, 0] - [1, 0, 0]).max() < 0.02


def test_a_gray_picture_fills_three_channels_and_colour_becomes_luma() -> None:
    gray = Image.new("L", (6, 4), 51)
    assert np.allclose(pixels_of(encoded(gray, "PNG")), 0.2)
    assert np.array_equal(pixels_of(encoded(gray, "PNG"), GRAY), np.full((4, 6), np.float32(0.2)))
    green = encoded(Image.new("RGB", (6, 4), (0, 255, 0)), "PNG")
    assert np.allclose(pixels_of(green, GRAY), 0.587)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((None, 4, 6), (4, 6)),
        ((None, 4, 6, 1), (4, 6, 1)),
        ((None, 3, 4, 6), (3, 4, 6)),
        ((None, None, None, 3), (8, 12, 3)),
        ((None, None, None), (8, 12)),
        ((None, 784), (784,)),
        ((None, 192), (192,)),
        (None, (8, 12, 3)),
    ],
)
def test_a_picture_becomes_the_shape_that_the_input_wants(
    shape: tuple[int | None, ...] | None, expected: tuple[int, ...]
) -> None:
    info = InputInfo(name="image", dtype="float32", shape=shape)
    assert pixels_of(encoded(Image.new("RGB", (12, 8)), "PNG"), info).shape == expected


@pytest.mark.parametrize(
    ("dtype", "domain", "black", "white"),
    [
        ("float32", None, 0, 1),
        ("float32", Domain(minimum=-1, maximum=1), -1, 1),
        ("float32", Domain(maximum=255), 0, 255),
        ("float32", Domain(minimum=-1, maximum=1, original_mean=0.5), -1, 1),
        ("float64", Domain(original_mean=0.5, original_stddev=0.25), -2, 2),
        ("float64", Domain(original_mean=127.5, original_stddev=127.5), -1, 1),
        ("uint8", None, 0, 255),
        ("int8", None, -128, 127),
        ("int32", Domain(minimum=0, maximum=1), 0, 1),
    ],
)
def test_pixels_are_scaled_to_the_domain_and_shown_back(
    dtype: str, domain: Domain | None, black: float, white: float
) -> None:
    info = InputInfo(name="image", dtype=dtype, shape=(None, 1, 2, 3), domain=domain)
    picture = np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)
    got = pixels_of(encoded(Image.fromarray(picture), "PNG"), info)
    assert got.dtype == dtype
    assert got[0, :, 0].tolist() == [black, white]
    assert np.array_equal(to_picture(got, info), picture)


@given(hnp.arrays(np.uint8, (4, 6, 3)), st.sampled_from([(0, 1), (-1, 1), (0, 255), (-3, 5)]))
def test_showing_undoes_scaling_exactly(picture: Any, span: tuple[float, float]) -> None:
    domain = Domain(minimum=span[0], maximum=span[1])
    for shape in ((None, 4, 6, 3), (None, 3, 4, 6), (None, None, None, 3)):
        info = InputInfo(name="image", dtype="float32", shape=shape, domain=domain)
        got = pixels_of(encoded(Image.fromarray(picture), "PNG"), info)
        assert np.array_equal(to_picture(got, info), picture)


def test_resizing_keeps_means_and_is_not_rounded_to_eight_bits() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
    got = pixels_of(encoded(Image.fromarray(picture), "PNG"))
    # An antialiased reduction by 8 averages; picking pixels would miss this by 0.1 and more.
    assert np.allclose(got.mean((0, 1)), picture.mean((0, 1)) / 255, atol=0.01)
    assert np.abs(got * 255 - np.rint(got * 255)).max() > 0.4
    flat = pixels_of(encoded(Image.new("RGB", (37, 51), (10, 20, 30)), "PNG"))
    assert np.allclose(flat, np.array([10, 20, 30]) / 255, atol=1e-6)


def test_resizing_is_the_triangle_filter() -> None:
    ramp = np.tile(np.arange(12, dtype=np.uint8) * 20, (8, 1))
    got = pixels_of(encoded(Image.fromarray(ramp), "PNG"), GRAY)
    # Reduction by 2: weights 1 3 3 1 (of 8) around each centre; linear inside a ramp.
    assert np.allclose(got[0, 1:-1] * 255, (np.arange(1, 5) * 2 + 0.5) * 20, atol=1e-4)
    assert np.isclose(got[0, 0] * 255, (3 * 0 + 3 * 20 + 1 * 40) / 7)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 1, (0, 255)), (-1, 1, (0, 255)), (0, 255, (0, 255)), (-5, 20, (0, 255)), (0, 128, (0, 128))],
)  # fmt: skip
def test_without_a_domain_the_values_tell_the_scale(
    low: float, high: float, expected: tuple[int, int]
) -> None:
    got = to_picture(np.array([[low, high]]), GRAY)
    assert got.dtype == np.uint8 and got.shape == (1, 2, 3)
    assert (int(got[0, 0, 0]), int(got[0, 1, 0])) == expected


def test_what_is_no_picture_is_not_shown() -> None:
    assert message(lambda: to_picture(np.zeros(13), X4)) == (
        "input 'x': values of shape [13] are not a picture"
    )
    assert message(lambda: to_picture(np.full((2, 2), np.nan), GRAY)) == (
        "input 'image': the picture has values that are not finite"
    )


PNG = encoded(Image.new("RGB", (6, 4)), "PNG")


def test_the_input_for_the_picture_is_found_or_asked_for() -> None:
    tag = InputInfo(name="tag", dtype="string", shape=(None,))
    got = read_image(PNG, [tag, PHOTO], values={"tag": "beach"})
    assert got.tensors["tag"].item() == b"beach" and got.tensors["image"].shape == (4, 6, 3)
    other = InputInfo(name="depth", dtype="float32", shape=(None, 4, 6, 1))
    assert message(lambda: read_image(PNG, [PHOTO, other])) == (
        "the picture: which input takes the picture, 'image' or 'depth'?"
    )
    assert read_image(PNG, [PHOTO, other], "depth", values={"image": corners()}).tensors[
        "depth"
    ].shape == (4, 6, 1)
    assert message(lambda: read_image(PNG, [PHOTO], "imag")) == (
        "the picture: the model has no input 'imag'; did you mean 'image'?"
    )
    assert message(lambda: read_image(PNG, [tag, PHOTO])) == "the picture: missing input 'tag'"
    assert message(lambda: read_image(PNG, [X4])) == (
        "the picture: no input of the model takes a picture ('x' is float32 [4])"
    )
    assert message(lambda: read_image(PNG, [X4], "x")) == (
        "input 'x' is float32 [4], which cannot hold a picture"
    )


def test_files_that_are_no_pictures_cost_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "p.jpg"
    assert message(lambda: read_image(path, [PHOTO])) == f"{path}: no such file"
    assert message(lambda: read_image(tmp_path, [PHOTO])) == (
        f"{tmp_path}: is a directory; name the files in it"
    )
    path.write_bytes(b"")
    assert message(lambda: list(read_file(path, [PHOTO]))) == f"{path}: the file is empty"
    path.write_bytes(b"hello, this is text")
    assert message(lambda: read_image(path, [PHOTO])) == (f"{path}: {NOT_READ}")
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    whole = encoded(Image.fromarray(noise), "JPEG")
    path.write_bytes(whole[: len(whole) // 2])
    assert message(lambda: read_image(path, [PHOTO])).startswith(
        f"{path}: the picture is damaged (image file is truncated ("
    )
    whole = encoded(Image.fromarray(noise), "PNG")
    path.write_bytes(whole[:200] + bytes(100) + whole[300:])
    assert message(lambda: read_image(path, [PHOTO])).startswith(f"{path}: the picture is damaged")


@given(st.binary(max_size=60), st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"]))
def test_damaged_files_never_cost_more_than_a_sentence(junk: bytes, form: str) -> None:
    data = bytearray(encoded(Image.fromarray(corners()), form))
    middle = len(data) // 3
    data[middle : middle + len(junk)] = junk
    try:
        assert pixels_of(bytes(data)).shape == (4, 6, 3)
    except InstanceError as error:
        assert str(error).startswith("the picture: ")


def bomb(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [10_000, 30_000])
def test_a_decompression_bomb_is_not_opened(side: int) -> None:
    assert message(lambda: pixels_of(bomb(side, side))) == (
        "the picture: the picture has more than 89,478,485 pixels; make it smaller first"
    )
