"""Draw the sample photos in several ways, each above the arguments of `pellucid visualize` for it.

Run `python sample_models/contact_sheet.py demo/contact_sheet.png`; most of its ten seconds go into
LIME and Shapley values.
"""

import os
import shlex
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pellucid
from pellucid.inputs.readers import read_image
from pellucid.metadata import SETTINGS
from pellucid.visualize.grid import Cell, grid
from pellucid.visualize.panel import encode
from pellucid_cli.commands.visualize import visualize
from pellucid_cli.options.visualize import ViewOptions, view_of

PHOTOS = Path(__file__).resolve().parent / "photos"
# What is asked of the method; the rest is about drawing.
KNOWN = {*SETTINGS, "method"}
EVERYTHING = "--set clip_below_percentile=0"
REGIONS = f"--set color_map=viridis --set blur_sigma=0 {EVERYTHING}"
LONGEST = 184

# A row for each photo: what is drawn of it after the original.
ROWS = {
    "cat": [
        "--set type=outlines --set overlay_type=original",
        "--set polarity=both",
        f"--method xrai {REGIONS}",
    ],
    "coffee": [
        f"--set overlay_type=mask_black {EVERYTHING} --set clip_above_percentile=60",
        f"--set overlay_type=none --set color_map=viridis {EVERYTHING}",
        "--set polarity=both --set color_map=pink_white_green --set overlay_type=original",
    ],
    "astronaut": [
        "--set clip_below_percentile=90",
        "--set clip_below_percentile=70",
        "--set clip_below_percentile=30",
    ],
    "rocket": [
        "--noisy-samples 10 --noise-sigma 0.03 --set blur_sigma=2",
        "--method sampled-shapley --players regions --set color_map=red_green",
        "--method lime --segmentation slic --set color_map=red",
    ],
}


def cells() -> list[Cell]:
    """Return the cells of the sheet, row by row."""
    model = pellucid.load(PHOTOS / "model", warn=lambda sentence: None)
    found = []
    for name, row in ROWS.items():
        instance = read_image(PHOTOS / "images" / f"{name}.jpg", model.inputs)
        found.append(Cell(picture=np.asarray(instance.image), title=f"{name}.jpg"))
        explained: dict[str, Any] = {}
        for arguments in row:
            words = ["model", "photo", *shlex.split(arguments)]
            options = visualize.make_context("visualize", words).params
            looking = {it.name: options[it.name] for it in fields(ViewOptions)}
            view = view_of(ViewOptions(**looking), None)
            settings = {k: v for k, v in options.items() if k in KNOWN and v is not None}
            key = repr(settings)
            if key not in explained:
                explained[key] = model.explain([instance], **settings)
            (drawing,) = explained[key].draw(0, visualization=view.visualization).values()
            found.append(
                Cell(
                    picture=drawing.overlay,
                    caption=arguments.replace(" --", "\n--"),
                    visualization=drawing.visualization,
                )
            )
    return found


def main(out: Path) -> None:
    """Write the sheet."""
    columns = 1 + max(map(len, ROWS.values()))
    drawn = grid(
        cells(),
        columns=columns,
        title="pellucid visualize sample_models/photos/model PHOTO ...",
        longest=LONGEST,
    )
    out.write_bytes(encode(drawn, "png"))
    print(out)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
