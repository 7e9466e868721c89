"""Train the `digits` sample model: handwritten digits, a CNN, Keras 3 export.

Data: the 1797 digits that come inside scikit-learn (`sklearn.datasets.load_digits`: the test part
of the UCI "Optical Recognition of Handwritten Digits" set, E. Alpaydin and C. Kaynak, CC BY 4.0;
scikit-learn itself is BSD-3). They are 8x8 grey images, here enlarged to 28x28 (cubic) and scaled
to [0, 1] with a background of 0.
Network: two convolutions with ReLU and average pooling, a third convolution, a dense layer, softmax
over ten classes; trained with smoothed labels.
Score: accuracy 0.9933 on 450 held-out digits (stratified split, never used in training or to
choose anything).

Run `python sample_models/digits/make.py`; it writes `model/`, `instances.json` and `images/`
beside itself.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from PIL import Image
from skimage.transform import resize
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

HERE = Path(__file__).resolve().parent
NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
SHOWN = [3, 7, 0, 5, 8, 2]


def load() -> tuple[Any, Any]:
    """All digits as float32 [n, 28, 28] in [0, 1], in 8-bit steps, and their labels."""
    small, labels = load_digits(return_X_y=True)
    big = [resize(x.reshape(8, 8) / 16.0, (28, 28), order=3, mode="constant") for x in small]
    grey = np.clip(np.round(np.stack(big) * 255), 0, 255)
    return (grey / 255).astype(np.float32), labels


def build() -> Any:
    """The network."""
    image = keras.Input((28, 28), name="image")
    x = keras.layers.Reshape((28, 28, 1))(image)
    for filters in (16, 32):
        x = keras.layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = keras.layers.AveragePooling2D(2)(x)
    x = keras.layers.Conv2D(32, 3, activation="relu")(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dropout(0.4)(x)
    x = keras.layers.Dense(48, activation="relu")(x)
    x = keras.layers.Dense(10, activation="softmax", name="probabilities")(x)
    return keras.Model(image, x)


def main() -> None:
    """Train, score, export."""
    keras.utils.set_random_seed(7)
    tf.config.experimental.enable_op_determinism()
    x, y = load()
    x_train, x_test, y_train, y_test = train_test_split(
        x, y, test_size=450, random_state=7, stratify=y
    )
    model = build()
    steps = 40 * (len(x_train) // 64)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
    optimizer = keras.optimizers.Adam(rate)
    # Smoothed labels keep the softmax from saturating, where gradients vanish.
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
    model.compile(optimizer, loss, metrics=["accuracy"])
    one_hot = np.eye(len(NAMES), dtype=np.float32)
    model.fit(x_train, one_hot[y_train], batch_size=64, epochs=40, verbose=0)
    score = model.evaluate(x_test, one_hot[y_test], verbose=0)[1]
    print(f"accuracy on {len(x_test)} held-out digits: {score:.4f}")

    shutil.rmtree(HERE / "model", ignore_errors=True)
    model.export(HERE / "model", verbose=False)
    saved = SavedModel.FromString((HERE / "model/saved_model.pb").read_bytes())
    signature = saved.meta_graphs[0].signature_def["serving_default"]
    metadata = {
        "inputs": {
            "image": {
                "input_tensor_name": signature.inputs["image"].name,
                "modality": "image",
                "domain": {"min": 0, "max": 1},
                "visualization": {
                    "type": "pixels",
                    "polarity": "positive",
                    "clip_below_percentile": 80,
                    "clip_above_percentile": 99.9,
                    "color_map": "pink_green",
                    "overlay_type": "grayscale",
                },
            }
        },
        "outputs": {
            "probabilities": {
                "output_tensor_name": signature.outputs["output_0"].name,
                "index_name_mapping": NAMES,
            }
        },
        "framework": "tensorflow",
    }
    (HERE / "model/explanation_metadata.json").write_text(json.dumps(metadata, indent=2) + "\n")

    chosen = [int(np.flatnonzero(y_test == digit)[0]) for digit in SHOWN]
    instances = [np.round(x_test[i].astype(float), 4).tolist() for i in chosen[:3]]
    (HERE / "instances.json").write_text(json.dumps({"instances": instances}) + "\n")
    shutil.rmtree(HERE / "images", ignore_errors=True)
    (HERE / "images").mkdir()
    for i in chosen:
        pixels = np.round(x_test[i] * 255).astype(np.uint8)
        Image.fromarray(pixels).save(HERE / "images" / f"{NAMES[y_test[i]]}.png", optimize=True)


if __name__ == "__main__":
    main()
