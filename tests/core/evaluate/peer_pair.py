"""Makes the reference values of information curves with PAIR's saliency, in a venv of its own:

    python -m venv /tmp/v && /tmp/v/bin/pip install 'numpy<1.24' saliency
    /tmp/v/bin/python tests/core/evaluate/peer_pair.py > tests/core/evaluate/pair.json

Its `pic` works with a numpy that still has `trapz`. The pictures, maps and scores are those of
`tests/core/small_network.py`, which needs numpy alone. Beside the numbers stand the sizes of the
compressed pictures, which depend on the version of libwebp, and what the blurred picture is.
Made with saliency 0.2.1, numpy 1.23.5 and Pillow 13.0.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from saliency.metrics import pic

sys.path.insert(0, str(Path(__file__).parents[1]))
from small_network import seen_pixels, sharpness, smooth_picture

THRESHOLDS = [0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.07, 0.10, 0.13, 0.21, 0.34, 0.5, 0.75]
measure = pic.estimate_image_entropy


def noting(sizes):
    def note(image):
        sizes.append(measure(image))
        return sizes[-1]

    return note


picture, ranking = smooth_picture()
curves, found = [], {"runs": []}
for sign in (1, -1):
    for turned in (0, 1, 2):
        values = np.rot90(sign * ranking, turned).copy()
        sizes = []
        pic.estimate_image_entropy = noting(sizes)
        result = pic.compute_pic_metric(
            picture,
            values,
            seen_pixels(),
            sharpness,
            THRESHOLDS,
            min_pred_value=-9,
            num_data_points=100,
        )
        curves.append(result)
        found["runs"].append(
            {
                "sign": sign, "turned": turned, "area": float(result.auc),
                "predictions": [float(it) for it in result.predictions],
                # The original's size is taken first, then that of the blurred picture.
                "sizes": [sizes[1], *sizes[2:], sizes[0]],
                "sums": [int(it.astype(int).sum()) for it in result.blurred_images],
            }
        )  # fmt: skip
found["median_area"] = float(pic.aggregate_individual_pic_results(curves).auc)
json.dump(found, sys.stdout, indent=1)
