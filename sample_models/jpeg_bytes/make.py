"""Make the `jpeg_bytes` sample model: the `photos` model behind a signature that takes JPEG files.

Data: none of its own; it wraps `../photos/model`, which has to be there, and ships two of its
photographs.
Graph: a vector of byte strings; each is decoded, resized to 224x224 (with antialiasing) and scaled
to [0, 1]; the batch of decoded images carries the name `decoded_image`, and explanations are made
there; then the network of `photos`.
Score: that of `photos`; both instances get the right class, which is asserted.

Run `python sample_models/jpeg_bytes/make.py`; it writes `model/` and `instances.json` beside
itself.
"""

import base64
import io
import json
import shutil
from pathlib import Path
from typing import Any

import tensorflow as tf
from PIL import Image
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

HERE = Path(__file__).resolve().parent
PHOTOS = HERE.parent / "photos"
SIZE = 224
BYTES = tf.TensorSpec([None], tf.string, name="image_bytes")
SHOWN = ["cat", "coffee"]


def decode(data: Any) -> Any:
    """One JPEG file as float32 [224, 224, 3] in [0, 1]."""
    pixels = tf.io.decode_jpeg(data, channels=3)
    return tf.ensure_shape(
        tf.image.resize(pixels, (SIZE, SIZE), antialias=True) / 255, (SIZE, SIZE, 3)
    )


def wrap() -> Any:
    """The photos network, fed with files."""
    model = tf.Module()
    model.network = tf.saved_model.load(str(PHOTOS / "model"))

    def serve(image_bytes: Any) -> dict[str, Any]:
        element = tf.TensorSpec((SIZE, SIZE, 3), tf.float32)
        images = tf.map_fn(decode, image_bytes, fn_output_signature=element)
        images = tf.identity(images, name="decoded_image")
        return {"probabilities": tf.identity(model.network.serve(images), name="probabilities")}

    model.serve = tf.function(serve, input_signature=[BYTES])
    return model


def jpeg(name: str) -> bytes:
    """A shipped photograph as a JPEG file of a few kilobytes."""
    picture = Image.open(PHOTOS / "images" / f"{name}.jpg", formats=["JPEG"])
    picture.thumbnail((256, 256))
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=85)
    return data.getvalue()


def main() -> None:
    """Wrap and export."""
    photos = json.loads((PHOTOS / "model/explanation_metadata.json").read_text())
    names = photos["outputs"]["subject"]["index_name_mapping"]
    model = wrap()
    shutil.rmtree(HERE / "model", ignore_errors=True)
    tf.saved_model.save(model, str(HERE / "model"), signatures={"serving_default": model.serve})
    saved = SavedModel.FromString((HERE / "model/saved_model.pb").read_bytes())
    signature = saved.meta_graphs[0].signature_def["serving_default"]

    files = [jpeg(name) for name in SHOWN]
    loaded = tf.saved_model.load(str(HERE / "model"))
    predict = loaded.signatures["serving_default"]
    scores = predict(image_bytes=tf.constant(files))["probabilities"].numpy()
    for name, row in zip(SHOWN, scores, strict=True):
        print(f"{name}: {names[row.argmax()]} {row.max():.3f}")
        assert names[row.argmax()] == name

    image = {
        **photos["inputs"]["image"],
        "input_tensor_name": "StatefulPartitionedCall/decoded_image:0",
    }
    output = {
        "output_tensor_name": signature.outputs["probabilities"].name,
        "index_name_mapping": names,
    }
    metadata = {
        "inputs": {"image": image},
        "outputs": {"probabilities": output},
        "framework": "tensorflow",
    }
    (HERE / "model/explanation_metadata.json").write_text(json.dumps(metadata, indent=2) + "\n")
    instances = [{"image_bytes": {"b64": base64.b64encode(data).decode()}} for data in files]
    (HERE / "instances.json").write_text(json.dumps({"instances": instances}, indent=1) + "\n")


if __name__ == "__main__":
    main()
