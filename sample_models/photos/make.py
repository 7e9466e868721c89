"""Train the `photos` sample model: colour photographs, a small MobileNet-like network.

Data: the photographs that come inside scikit-image (see SOURCES.txt for each one's origin and
licence). There is one photograph of each subject, so this is no general classifier: it knows these
six things, wherever and however large they are pasted. To make the network look at the subject and
not at what surrounds it, compose.py cuts every subject out along a hand-drawn outline and pastes
it, turned, scaled and recoloured, on parts of the other photographs, whose own subjects are
covered with texture; the same backgrounds without a subject, or with a patch of texture in the
shape of one, are the class `background`. Of a very dark subject (less than a quarter of its light)
a part of the label goes to `background`: mixup with black, so that the scores do not jump just
beside a black image. While training, a second head, which is not exported, says for each cell of
a 14x14 grid which subject is there.
Network: a strided convolution, six depthwise-separable blocks with batch normalization and ReLU,
global average pooling, a dense layer, softmax over seven classes.
Score: accuracy 0.9788 on 800 further pictures made the same way with another seed (the same
photographs, so it says nothing about other cats); the six shipped photographs get the right class,
among them the right-hand motorcycle, which was never trained on (the left-hand one, the same
scene from 20 cm beside, was).

Run `python sample_models/photos/make.py` (about 7 minutes on two cores); it writes `model/` and
`images/` beside itself.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from compose import FILES, NAMES, SIZE, Composer, photograph
from PIL import Image
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

HERE = Path(__file__).resolve().parent


def block(x: Any, filters: int, strides: int) -> Any:
    """A depthwise-separable convolution, each half with batch normalization and ReLU."""
    x = keras.layers.DepthwiseConv2D(3, strides=strides, padding="same", use_bias=False)(x)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.95)(x))
    x = keras.layers.Conv2D(filters, 1, use_bias=False)(x)
    return keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.95)(x))


def build() -> tuple[Any, Any]:
    """The network that is exported, and the same with the second head for training."""
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = keras.layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False)(image)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.95)(x))
    for filters, strides in ((32, 2), (64, 2), (64, 1), (128, 2), (128, 1), (160, 1)):
        x = block(x, filters, strides)
    cells = keras.layers.Conv2D(len(NAMES), 1, activation="softmax", name="cells")(x)
    x = keras.layers.Dropout(0.2)(keras.layers.GlobalAveragePooling2D()(x))
    subject = keras.layers.Dense(len(NAMES), activation="softmax", name="subject")(x)
    return keras.Model(image, subject), keras.Model(image, [subject, cells])


def batches(composer: Composer, count: int) -> Any:
    """The training pictures in [0, 1] with what is wanted of both heads, shuffled."""
    pictures, wanted, cells = composer.many(count)
    data = tf.data.Dataset.from_tensor_slices((pictures, (wanted, cells)))
    data = data.shuffle(count, seed=7).batch(32, drop_remainder=True)
    return data.map(lambda x, y: (tf.cast(x, tf.float32) / 255, y)).prefetch(2)


def write_metadata() -> None:
    """The explanation metadata, beside the exported model."""
    saved = SavedModel.FromString((HERE / "model/saved_model.pb").read_bytes())
    signature = saved.meta_graphs[0].signature_def["serving_default"]
    visualization = {
        "type": "pixels",
        "blur_sigma": 4,
        "polarity": "positive",
        "clip_below_percentile": 85,
        "clip_above_percentile": 99.9,
        "color_map": "pink_green",
        "overlay_type": "grayscale",
    }
    image = {
        "input_tensor_name": signature.inputs["image"].name,
        "modality": "image",
        "domain": {"min": 0, "max": 1},
        "visualization": visualization,
    }
    output = {
        "output_tensor_name": signature.outputs["output_0"].name,
        "index_name_mapping": NAMES,
    }
    metadata = {
        "inputs": {"image": image},
        "outputs": {"subject": output},
        "framework": "tensorflow",
    }
    (HERE / "model/explanation_metadata.json").write_text(json.dumps(metadata, indent=2) + "\n")


def ship() -> list[str]:
    """Write the six photographs to images/; the motorcycle is the one that was never trained on."""
    shutil.rmtree(HERE / "images", ignore_errors=True)
    (HERE / "images").mkdir()
    for name, file in {**FILES, "motorcycle": "motorcycle_right.png"}.items():
        picture = photograph(file)
        if name == "rocket":
            w, h = picture.size
            picture = picture.crop((int(0.24 * w), int(0.12 * h), int(0.76 * w), h))
        picture.save(HERE / "images" / f"{name}.jpg", quality=90)
    return sorted(FILES)


def main() -> None:
    """Train, score, export."""
    keras.utils.set_random_seed(7)
    count, epochs = 4000, 20
    data = batches(Composer(1, 0.02), count)
    model, trained = build()
    rate = keras.optimizers.schedules.CosineDecay(4e-3, count * epochs // 32)
    loss = ["categorical_crossentropy", "sparse_categorical_crossentropy"]
    trained.compile(keras.optimizers.Adam(rate), loss)
    trained.fit(data, epochs=epochs, shuffle=False, verbose=2)

    shutil.rmtree(HERE / "model", ignore_errors=True)
    model.export(HERE / "model", verbose=False)
    write_metadata()
    loaded = tf.saved_model.load(str(HERE / "model"))
    predict = loaded.signatures["serving_default"]

    pictures, wanted, _ = Composer(2, 0.25).many(800)
    found = model.predict(pictures.astype(np.float32) / 255, verbose=0)
    accuracy = float(np.mean(found.argmax(1) == wanted.argmax(1)))
    print(f"accuracy on {len(found)} further pictures of the same photographs: {accuracy:.4f}")
    for name in ship():
        photo = Image.open(HERE / "images" / f"{name}.jpg", formats=["JPEG"])
        picture = photo.resize((SIZE, SIZE))
        scores = predict(image=tf.constant(np.asarray(picture, np.float32)[None] / 255))["output_0"]
        print(f"{name}.jpg: {NAMES[int(np.argmax(scores))]} {float(np.max(scores)):.3f}")
        assert NAMES[int(np.argmax(scores))] == name


if __name__ == "__main__":
    main()
