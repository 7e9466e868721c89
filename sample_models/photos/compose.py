"""Compose the training pictures of the `photos` model from the photographs inside scikit-image."""

from pathlib import Path
from typing import Any

import numpy as np
import skimage
from PIL import Image, ImageDraw, ImageFilter

DATA = Path(skimage.__file__).parent / "data"
SIZE = 224
GRID = 14
NAMES = ["background", "astronaut", "cat", "coffee", "motorcycle", "retina", "rocket"]
FILES = {
    "astronaut": "astronaut.png",
    "cat": "chelsea.png",
    "coffee": "coffee.png",
    "motorcycle": "motorcycle_left.png",
    "retina": "retina.jpg",
    "rocket": "rocket.jpg",
}
TEXTURES = [
    "ihc.png",
    "hubble_deep_field.jpg",
    "brick.png",
    "grass.png",
    "gravel.png",
    "coins.png",
]
# The outline of each subject, x and y in percent of the photograph's width and height.
OUTLINES = {
    "astronaut": "33 3 52 2 58 10 57 22 52 30 58 38 58 46 68 56 71 66 85 67 97 78 100 90 100 100 "
    "8 100 4 85 5 66 10 53 24 45 22 36 26 30 36 29 32 22 31 10",
    "cat": "9 0 86 0 80 12 80 40 76 62 68 85 60 97 35 100 10 100 3 85 3 66 10 45",
    "coffee": "29 14 36 5 48 3 60 6 69 15 72 22 79 38 80 58 76 76 65 90 48 97 32 91 19 78 13 60 14 "
    "44 20 32 30 26",
    "motorcycle": "12 40 19 30 32 33 40 36 50 30 52 22 60 22 66 14 70 15 72 22 78 28 77 40 80 50 "
    "88 60 92 72 92 84 88 91 78 88 70 78 66 76 45 80 42 87 38 80 22 80 16 70 16 56 19 50 12 46",
    "retina": "50 0 75 7 93 25 99 50 93 75 75 93 50 99 25 93 7 75 1 50 7 25 25 7",
    "rocket": "48 34 50 31 52 34 53 60 54 90 55 96 45 96 47 90 48 60",
}


def photograph(name: str) -> Image.Image:
    """One of scikit-image's pictures, at most 480 pixels on its longer side."""
    picture = Image.open(DATA / name, formats=["JPEG", "PNG"]).convert("RGB")
    picture.thumbnail((480, 480), Image.Resampling.LANCZOS)
    return picture


def outline(subject: str, size: tuple[int, int], soften: float) -> Image.Image:
    """The subject's outline as a mask of this size."""
    numbers = [float(n) / 100 for n in OUTLINES[subject].split()]
    mask = Image.new("L", size)
    points = [(x * size[0], y * size[1]) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]
    ImageDraw.Draw(mask).polygon(points, fill=255)
    return mask.filter(ImageFilter.GaussianBlur(soften))


class Composer:
    """Makes training pictures."""

    def __init__(self, seed: int, darkest: float) -> None:
        self.rng, self.darkest = np.random.default_rng(seed), darkest
        self.photos = {name: photograph(file) for name, file in FILES.items()}
        self.textures = [photograph(file) for file in TEXTURES]

    def crop(self, picture: Image.Image, size: tuple[int, int], least: float) -> Image.Image:
        """A random part of the picture, of at least this share of each side, mirrored or not."""
        (w, h), (a, b) = picture.size, self.rng.uniform(least, 1, 2)
        x, y = self.rng.uniform(0, w * (1 - a)), self.rng.uniform(0, h * (1 - b))
        part = picture.resize(size, Image.Resampling.BILINEAR, (x, y, x + w * a, y + h * b))
        flip = self.rng.random() < 0.5
        return part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if flip else part

    def texture(self, size: tuple[int, int]) -> Image.Image:
        """A patch without any subject: a recoloured texture, or one plain colour."""
        plain = Image.new("RGB", size, tuple(int(v) for v in self.rng.integers(0, 256, 3)))
        source = self.textures[self.rng.integers(len(self.textures))]
        return Image.blend(
            plain, self.crop(source, size, 0.15), self.rng.choice([0.0, 0.5, 0.8, 1.0])
        )

    def empty(self) -> Image.Image:
        """A background: a photograph whose subject is covered, or a texture."""
        if self.rng.random() < 0.25:
            return self.texture((SIZE, SIZE))
        name = self.rng.choice(list(FILES))
        photo = self.photos[name].copy()
        cover = outline(name, photo.size, 1).filter(ImageFilter.MaxFilter(13))
        photo.paste(self.texture(photo.size), mask=cover.filter(ImageFilter.GaussianBlur(3)))
        return self.crop(photo, (SIZE, SIZE), 0.35)

    def jitter(self, picture: Image.Image, light: Any) -> Image.Image:
        """The picture with other contrast and colours, then darkened to this share of its light."""
        x = np.asarray(picture, np.float32) / 255
        x = (x - 0.5) * self.rng.uniform(0.75, 1.25) + 0.5 + self.rng.uniform(-0.1, 0.1)
        x = np.clip(x * self.rng.uniform(0.88, 1.12, 3), 0, 1) * light
        return Image.fromarray((x * 255).astype(np.uint8))

    def make(self, label: int) -> tuple[Any, Any, float]:
        """A picture [224, 224, 3] with this label, the subject's share of each cell, the light."""
        subject = NAMES[label] if label else str(self.rng.choice(list(FILES)))
        photo = self.photos[subject]
        mask = outline(subject, photo.size, 1.2)
        if label and self.rng.random() < 0.3:
            picture, shape = photo, mask
            w, h = photo.size
            x0, y0, x1, y1 = mask.getbbox() or (0, 0, w, h)
            u = self.rng.uniform(0, 1, 4)
            box = (x0 * u[0], y0 * u[1], x1 + (w - x1) * u[2], y1 + (h - y1) * u[3])
            picture = photo.resize((SIZE, SIZE), Image.Resampling.BILINEAR, box)
            shape = mask.resize((SIZE, SIZE), Image.Resampling.BILINEAR, box)
            if self.rng.random() < 0.5:
                picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
                shape = shape.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        else:
            picture, shape = self.empty(), Image.new("L", (SIZE, SIZE))
            if label or self.rng.random() < 0.4:
                picture, shape = self.paste(picture, photo if label else None, mask)
        cells = shape.resize((GRID, GRID), Image.Resampling.BOX)
        light, around = np.where(self.rng.random(2) < 0.5, self.rng.uniform(self.darkest, 1, 2), 1)
        around = light if self.rng.random() < 0.4 else around
        lights = around + (light - around) * np.asarray(shape, np.float32)[..., None] / 255
        return np.asarray(self.jitter(picture, lights)), np.asarray(cells) / 255, float(light)

    def paste(
        self,
        onto: Image.Image,
        photo: Image.Image | None,
        mask: Image.Image,
    ) -> tuple[Image.Image, Image.Image]:
        """The subject (or texture in its shape) pasted at random, and the mask of where it went."""
        box = mask.getbbox() or (0, 0, *mask.size)
        cut, shape = (photo or self.texture(mask.size)).crop(box), mask.crop(box)
        scale = SIZE * self.rng.uniform(0.4, 1.05) / max(cut.size)
        stretch = np.exp(self.rng.uniform(-0.4, 0.4))
        size = (
            max(8, int(cut.width * scale * stretch)),
            max(8, int(cut.height * scale / stretch)),
        )
        cut, shape = cut.resize(size, Image.Resampling.LANCZOS), shape.resize(size)
        if self.rng.random() < 0.5:
            cut = cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            shape = shape.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        angle = float(self.rng.normal(0, 8))
        cut = self.jitter(cut, self.rng.uniform(0.7, 1)).rotate(angle, Image.Resampling.BILINEAR)
        shape = shape.rotate(angle, Image.Resampling.BILINEAR)
        x, y = (int(self.rng.uniform(0.2, 0.8) * SIZE - side / 2) for side in size)
        onto.paste(cut, (x, y), shape)
        where = Image.new("L", (SIZE, SIZE))
        where.paste(shape, (x, y))
        return onto, where

    def many(self, count: int) -> tuple[Any, Any, Any]:
        """Pictures, the probability each class should get, and what is in each cell [14, 14]."""
        labels = np.arange(count) % 8 % 7
        pictures, cells, light = zip(*(self.make(int(label)) for label in labels), strict=True)
        share = np.minimum(1, np.array(light, np.float32) / 0.25)[:, None]
        wanted = np.eye(len(NAMES), dtype=np.float32)
        wanted = share * wanted[labels] + (1 - share) * wanted[0]
        return (
            np.stack(pictures),
            wanted,
            (np.stack(cells) > 0.25) * labels[:, None, None],
        )
