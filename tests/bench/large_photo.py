"""Explain one photo of 4000×3000 by a method, and print the most memory that it took, in GB.

The model is two numpy functions that need next to nothing, so that what is seen is the method's.
"""

from __future__ import annotations

import resource
import sys

import numpy as np
import skimage.data
from PIL import Image

from pellucid.explain.dispatch import attribute
from pellucid.metadata.parameters import Lime, Method, Xrai
from pellucid.metadata.spec import Domain, ExplanationMetadata, InputSpec, Modality, OutputSpec
from pellucid.model import Array, FunctionModel, Tensors

METHODS: dict[str, Method] = {"xrai": Xrai(step_count=2), "lime": Lime(num_samples=40)}
COLOURS = np.float32([0.3, -0.2, 0.5])


def score(x: Tensors) -> Array:
    """The mean of a weighted sum of the colours, [n, 1]."""
    return np.asarray([[float(picture.mean(axis=(0, 1)) @ COLOURS)] for picture in x["image"]])


def slope(x: Tensors, target: Array) -> dict[str, Array]:
    """The gradient of `score`."""
    shape = x["image"].shape
    return {"image": np.broadcast_to(COLOURS / (shape[1] * shape[2]), shape)}


def main() -> None:
    """Explain, and say how much memory it took."""
    photo = Image.fromarray(skimage.data.astronaut()).resize((4000, 3000))
    x = {"image": (np.asarray(photo) / np.float32(255)).astype(np.float32)[None]}
    feature = InputSpec(
        name="image",
        tensor_name="image",
        modality=Modality.IMAGE,
        domain=Domain(minimum=0, maximum=1),
    )
    metadata = ExplanationMetadata(
        inputs=(feature,), output=OutputSpec(name="score", tensor_name="score")
    )
    attribute(
        FunctionModel(score, slope, frozenset({"image"})),
        x,
        [{"image": np.zeros_like(x["image"])}],
        np.array([0]),
        metadata,
        METHODS[sys.argv[1]],
        seed=0,
        numbers=[0],
        instances=[0],
    )
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9)


if __name__ == "__main__":
    main()
