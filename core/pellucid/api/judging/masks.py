"""Masks of pictures, white on their subject: found by the pictures' names, in one folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np
from PIL import Image

from pellucid.errors import InstanceError, SpecError, refuse_remote
from pellucid.evaluate import Subject
from pellucid.files import read_bytes
from pellucid.inputs import IMAGE_SUFFIXES, Instance, decode_picture
from pellucid.model import Array
from pellucid.notices import Where


@dataclass(frozen=True)
class Masks:
    """The masks in a folder, by the names of their files without the suffix."""

    folder: Path | None = None
    files: dict[str, Path] = field(default_factory=dict)

    @classmethod
    def of_folder(cls, folder: str | Path | None) -> Masks:
        """Return the masks of a folder. Raises SpecError where there are none."""
        if folder is None:
            return cls()
        refuse_remote(folder, SpecError)
        path = Path(folder)
        where = Where(file=str(path))
        if not path.is_dir():
            raise SpecError("is not a folder of masks", where=where)
        found: dict[str, Path] = {}
        for it in sorted(path.iterdir()):
            if it.suffix.lower() not in IMAGE_SUFFIXES or it.name.startswith("."):
                continue
            if it.stem in found:
                what = f"has two masks '{it.stem}', {found[it.stem].name} and {it.name}"
                raise SpecError(what, where=where, hint="keep one of them")
            found[it.stem] = it
        if not found:
            raise SpecError("has no masks", where=where, hint="masks are pictures, such as .png")
        return cls(path, found)

    @property
    def contents(self) -> str:
        """What tells these masks from others, "" without any."""
        if self.folder is None:
            return ""
        digest = sha256()
        for name, path in self.files.items():
            digest.update(name.encode(errors="surrogatepass") + b"\n" + read_bytes(path))
        return digest.hexdigest()

    def of(self, record: Instance, subject: Subject) -> Array | None:
        """Return the mask of an instance, bool [h, w] as the model sees it; None without masks.

        A mask has the size of the picture's file, or that of the model's input. Raises SpecError
        for an instance without a mask, and for one that does not fit.
        """
        if self.folder is None or subject.picture is None:
            return None
        name = Path(record.source or "").stem or (record.id or "")
        if name not in self.files:
            raise SpecError(
                f"has no mask for {record.place}",
                where=Where(file=str(self.folder)),
                hint=f"name it {name or 'NAME'}.png",
            )
        path = self.files[name]
        where = Where(file=str(path))
        try:
            mask = decode_picture(read_bytes(path), where).convert("L")
        except InstanceError as error:  # which is of no instance here
            raise SpecError(error.what, where=where) from error
        except OSError as error:
            raise SpecError(f"cannot be read: {error.strerror}", where=where) from error
        height, width = subject.picture.size
        sizes = [(width, height)]
        if record.image is not None:
            sizes.append(record.image.size)
        if mask.size not in sizes:
            wanted = " or ".join(dict.fromkeys(f"{w}×{h}" for w, h in reversed(sizes)))
            what = f"is {mask.width}×{mask.height}, and the picture is {wanted}"
            raise SpecError(what, where=where)
        if mask.size != (width, height):
            mask = mask.resize((width, height), Image.Resampling.NEAREST)
        return np.asarray(mask) > 127
