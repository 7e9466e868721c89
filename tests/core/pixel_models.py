"""Small models that prepare their pictures inside, in the ways that people write it.

Each builder writes a SavedModel with one input; `EXPECTED` says what a person who reads the code
knows that it takes for a picture: black, white, the order of the channels where it shows, and
whether these come first.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import zoo_tf1

from pellucid.runtime.engine.tensorflow import tf

keras = tf.keras
layers = keras.layers
v1 = tf.compat.v1

SIDE = 16
MEAN, DEVIATION = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
CAFFE = np.float32([103.939, 116.779, 123.68])
SOME_KERNEL = np.random.default_rng(5).normal(size=(3, 3, 3, 4)).astype(np.float32)


class Expected(NamedTuple):
    low: float
    high: float
    order: str | None = None
    channels_first: bool | None = False


Builder = Callable[[Path], None]
EXPECTED: dict[str, tuple[Builder, Expected | None]] = {}


def add(name: str, builder: Builder, expected: Expected | None) -> None:
    assert name not in EXPECTED
    EXPECTED[name] = builder, expected


def photos(white: float, black: float = 0.0, seed: int = 0) -> np.ndarray:
    """Pixels with the mean and spread of photos, between `black` and `white`."""
    drawn = np.random.default_rng(seed).normal([0.5, 0.45, 0.4], 0.25, (32, SIDE, SIDE, 3))
    return (black + np.clip(drawn, 0, 1) * (white - black)).astype(np.float32)


# Keras


def keras_model(prepare: Callable[[Any], Any], shape: Any = (SIDE, SIDE, 3), **known: Any) -> Any:
    x = layers.Input(shape, **known)
    y = layers.Conv2D(4, 3, activation="relu")(prepare(x))
    return keras.Model(x, layers.Dense(3)(layers.GlobalAveragePooling2D()(y)))


def export(model: Any, directory: Path) -> None:
    model.export(str(directory), verbose=False)


def saved(model: Any, directory: Path) -> None:
    tf.saved_model.save(model, str(directory))


def adapted(data: np.ndarray, **known: Any) -> Any:
    layer = layers.Normalization(**known)
    layer.adapt(data)
    return layer


def preprocessed(mode: str) -> Callable[[Any], Any]:
    """One of the modes of `keras.applications`, through a network that has it."""
    networks = {"tf": "mobilenet_v2", "torch": "densenet", "caffe": "vgg16"}
    return getattr(keras.applications, networks[mode]).preprocess_input  # type: ignore[no-any-return]


def augmented(x: Any) -> Any:
    for layer in (layers.RandomFlip(), layers.RandomRotation(0.1), layers.Rescaling(1 / 255)):
        x = layer(x)
    return x


def efficientnet(x: Any) -> Any:
    """What EfficientNetB0 does with its ImageNet weights, whose variances are deviations."""
    x = layers.Rescaling(1 / 255)(x)
    x = layers.Normalization(mean=MEAN, variance=DEVIATION)(x)
    return layers.Rescaling([1 / float(it) ** 0.5 for it in DEVIATION])(x)


BYTES, RGB_BYTES = Expected(0, 255), Expected(0, 255, "rgb")
KERAS: dict[str, tuple[Callable[[Any], Any], Expected | None]] = {
    "rescaling": (lambda x: layers.Rescaling(1 / 255)(x), BYTES),
    "rescaling_to_signed": (lambda x: layers.Rescaling(1 / 127.5, -1)(x), BYTES),
    "normalization_of_bytes": (lambda x: adapted(photos(255))(x), BYTES),
    "normalization_of_unit": (lambda x: adapted(photos(1))(x), Expected(0, 1)),
    "normalization_of_signed": (lambda x: adapted(photos(1, -1))(x), Expected(-1, 1)),
    "preprocess_tf": (preprocessed("tf"), BYTES),
    "preprocess_torch": (preprocessed("torch"), RGB_BYTES),
    "preprocess_caffe": (preprocessed("caffe"), RGB_BYTES),
    "nothing": (lambda x: x, None),
}
for how, write in (("export", export), ("save", saved)):
    for key, (prepare, wanted) in KERAS.items():
        add(f"keras_{how}_{key}", lambda d, p=prepare, w=write: w(keras_model(p), d), wanted)  # type: ignore[misc]

for key, prepare, wanted in (
    ("efficientnet", efficientnet, RGB_BYTES),
    ("augmented", augmented, BYTES),
    ("resized", lambda x: layers.Rescaling(2.0, -1.0)(layers.Resizing(9, 9)(x)), Expected(0, 1)),
    ("from_signed", lambda x: layers.Rescaling(0.5, 0.5)(x), Expected(-1, 1)),
):
    add(f"keras_{key}", lambda d, p=prepare: export(keras_model(p), d), wanted)  # type: ignore[misc]
for key in ("preprocess_tf", "preprocess_caffe"):
    add(
        f"keras_uint8_{key}",
        lambda d, p=KERAS[key][0]: export(  # type: ignore[misc]
            keras_model(lambda x: p(keras.ops.cast(x, "float32")), dtype="uint8"), d
        ),
        KERAS[key][1],
    )


def flat_digits(directory: Path) -> None:
    """Each of 64 pixels is standardized by itself; the corners never change."""
    pixels = np.random.default_rng(0).uniform(0, 1, (50, 8, 8)).astype(np.float32)
    pixels[:, 0, 0] = pixels[:, 7, 7] = 0
    x = layers.Input((64,))
    export(keras.Model(x, layers.Dense(3)(adapted(pixels.reshape(50, 64))(x))), directory)


def gray(directory: Path) -> None:
    x = layers.Input((SIDE, SIDE))
    y = layers.Dense(3)(layers.Flatten()(layers.Rescaling(1 / 255)(x)))
    export(keras.Model(x, y), directory)


add("keras_flat_normalized", flat_digits, Expected(0, 1, None, None))
add("keras_gray", gray, Expected(0, 255, None, None))


def batch_normalized(directory: Path, data: np.ndarray | None, write: Any = export) -> None:
    model = keras_model(lambda x: layers.BatchNormalization()(x))
    layer = model.layers[1]
    layer.gamma.assign([0.7, 1.3, 0.4])
    layer.beta.assign([0.3, -0.2, 0.6])
    if data is not None:
        layer.moving_mean.assign(data.mean((0, 1, 2)))
        layer.moving_variance.assign(data.var((0, 1, 2)))
    write(model, directory)


for key, data, wanted in (
    ("bytes", photos(255), BYTES),
    ("unit", photos(1), Expected(0, 1)),
    ("untrained", None, None),
):
    add(f"keras_batch_norm_{key}", lambda d, x=data: batch_normalized(d, x), wanted)  # type: ignore[misc]
add("keras_batch_norm_saved", lambda d: batch_normalized(d, photos(255), saved), BYTES)


# Modules of TensorFlow


class Network(tf.Module):
    """A convolution behind `prepare`, which is given `variables`."""

    def __init__(self, prepare: Callable[..., Any], first: bool, variables: Any) -> None:
        super().__init__()
        self.prepare, self.first = prepare, first
        self.variables_before = [tf.Variable(it, dtype=tf.float32) for it in variables]
        self.kernel = tf.Variable(SOME_KERNEL)

    def __call__(self, image: Any) -> Any:
        x = self.prepare(image, *self.variables_before)
        if self.first:
            x = tf.transpose(x, [0, 2, 3, 1])
        return {"scores": tf.reduce_mean(tf.nn.conv2d(x, self.kernel, 1, "SAME"), (1, 2))}


def module(
    name: str,
    prepare: Callable[..., Any],
    expected: Expected | None,
    shape: Any = (None, SIDE, SIDE, 3),
    dtype: Any = tf.float32,
    variables: Any = (),
    first: bool = False,
) -> None:
    def build(directory: Path) -> None:
        network = Network(prepare, first, variables)
        spec = tf.TensorSpec(shape, dtype, name="image")
        network.function = tf.function(network.__call__, input_signature=[spec])
        tf.saved_model.save(network, str(directory), signatures=network.function)

    add(f"module_{name}", build, expected)


def torch(x: Any) -> Any:
    return (x - MEAN) / DEVIATION


def by_hand(x: Any) -> Any:
    red, green, blue = tf.split(x * 255.0, 3, axis=3)
    return tf.concat([blue - CAFFE[0], green - CAFFE[1], red - CAFFE[2]], 3)


def stacked(x: Any) -> Any:
    red, green, blue = tf.unstack(x, axis=-1)
    return tf.stack([red - CAFFE[2], green - CAFFE[1], blue - CAFFE[0]], -1)


def asserted(x: Any) -> Any:
    tf.debugging.assert_less_equal(x, 255.0)
    tf.reduce_max(x)  # nobody asks for it
    return x / 255.0


@tf.autograph.experimental.do_not_convert
def halved(x: Any) -> Any:
    """By 8, which a single look at the body of the loop does not tell."""
    going = lambda n, x: n < 3  # noqa: E731
    return tf.while_loop(going, lambda n, x: (n + 1, x / 2.0), (0, x))[1]


@tf.autograph.experimental.do_not_convert
def counted(x: Any) -> Any:
    """By 256, which begins as 1, and becomes 4 in the first round."""
    going = lambda n, k: n < 4  # noqa: E731
    return x / tf.while_loop(going, lambda n, k: (n + 1, k * 4.0), (0, tf.constant(1.0)))[1]


UNIT_RGB = Expected(0, 1, "rgb")
FIRST = np.reshape(MEAN, (1, 3, 1, 1)), np.reshape(DEVIATION, (1, 3, 1, 1))
module("torch", torch, UNIT_RGB)
module("torch_of_bgr", lambda x: torch(x[..., ::-1]), Expected(0, 1, "bgr"))
module("caffe_of_rgb", lambda x: tf.reverse(x, [-1]) - CAFFE, RGB_BYTES)
module("caffe_of_bgr", lambda x: x - CAFFE, Expected(0, 255, "bgr"))
module("caffe_by_indices", lambda x: tf.gather(x, [2, 1, 0], axis=-1) - CAFFE, RGB_BYTES)
module("split_and_joined", by_hand, UNIT_RGB)
module("unstacked", stacked, RGB_BYTES)
module(
    "convert_image_dtype",
    lambda x: tf.image.convert_image_dtype(x, tf.float32),
    BYTES,
    dtype=tf.uint8,
)
module("uint8", lambda x: tf.cast(x, tf.float32), BYTES, dtype=tf.uint8)
module("through_uint8", lambda x: tf.cast(tf.cast(x, tf.uint8), tf.float32), BYTES)
module(
    "channels_first",
    lambda x: (x - FIRST[0]) / FIRST[1],
    Expected(0, 1, "rgb", True),
    shape=(None, 3, SIDE, SIDE),
    first=True,
)
module(
    "channels_first_of_any_size",
    lambda x: x / 255.0,
    Expected(0, 255, None, True),
    shape=(None, None, None, None),
    first=True,
)
module("any_rank", lambda x: x / 127.5 - 1, BYTES, shape=None)
module(
    "one_picture",
    lambda x: tf.expand_dims(tf.image.resize(x, (9, 9)), 0)[..., ::-1] - CAFFE,
    Expected(0, 255, "rgb", None),
    shape=(None, None, 3),
)
module("clipped", lambda x: tf.clip_by_value(x, 0.0, 1.0), Expected(0, 1))
module("turned_over", lambda x: 1 - x, Expected(0, 1))
module("centred", lambda x: x - 128.0, BYTES)
module("mean_picture", lambda x: x - photos(255)[0], BYTES)
module("of_16_bits", lambda x: x / 65535.0, Expected(0, 65535))
module("rgba", lambda x: torch(x[..., :3] / 255.0), RGB_BYTES, shape=(None, SIDE, SIDE, 4))
module(
    "gray_to_rgb",
    lambda x: tf.image.grayscale_to_rgb(x) / 255.0,
    BYTES,
    shape=(None, SIDE, SIDE, 1),
)
module("asserted", asserted, BYTES)
module("mean_in_variables", lambda x, m, s: (x - m) / s, UNIT_RGB, variables=[MEAN, DEVIATION])
for each, mapped in (("map_fn", tf.map_fn), ("vectorized_map", tf.vectorized_map)):
    module(f"{each}_signed", lambda x, t=mapped: t(lambda it: it / 127.5 - 1, x), BYTES)  # type: ignore[misc]
    module(
        f"{each}_caffe",
        lambda x, t=mapped: t(lambda it: it[..., ::-1] - CAFFE, x),  # type: ignore[misc]
        RGB_BYTES,
    )
module(
    "map_fn_with_variables",
    lambda x, m, s: tf.map_fn(lambda it: (it - m) / s, x),
    UNIT_RGB,
    variables=[MEAN, DEVIATION],
)
module(
    "map_fn_resized", lambda x: tf.map_fn(lambda it: tf.image.resize(it / 255, (9, 9)), x), BYTES
)
# What looks like it and is not
module(
    "map_fn_by_picture",
    lambda x: tf.map_fn(tf.image.per_image_standardization, x),
    None,
)
module("halved_in_a_loop", halved, None)
module("divided_by_a_counter", counted, None)
module("nothing", lambda x: x, None)
module("standardized_by_picture", tf.image.per_image_standardization, None)
module("by_its_maximum", lambda x: tf.where(tf.reduce_max(x) > 1, x / 255.0, x), None)
module("two_ways", lambda x: x / 255.0 + tf.math.log(x + 1.0), None)
module("gain", lambda x, k: x * k, None, variables=[1.3])
module(
    "gains_and_shifts",
    lambda x, k, b: x * k + b,
    None,
    variables=[[1.3, 0.8, 1.1], [0.2, -0.4, 0.1]],
)
module(
    "gain_behind_rescaling", lambda x, k, b: (x / 127.5 - 1) * k + b, BYTES, variables=[1.3, 0.2]
)
module("written_gain", lambda x: x * 1.3 - 0.5, None)


# Graphs of TensorFlow 1


def tf1(
    name: str,
    prepare: Callable[[Any], Any],
    expected: Expected | None,
    dtype: Any = tf.float32,
    frozen: bool = False,
    resource: bool = True,
) -> None:
    def build(directory: Path) -> None:
        with zoo_tf1.old_style(resource=resource):
            x = v1.placeholder(dtype, [None, SIDE, SIDE, 3], "image")
            y = prepare(tf.cast(x, tf.float32))
            v1.summary.image("what_training_saw", tf.cast(x, tf.float32))
            kernel = zoo_tf1.variable("kernel", SOME_KERNEL)
            scores = tf.reduce_mean(tf.nn.conv2d(y, kernel, 1, "SAME"), (1, 2), name="scores")
            if not frozen:
                zoo_tf1.save(directory, {"image": x}, {"scores": scores})
                return
            with v1.Session() as session:
                session.run(v1.global_variables_initializer())
                graph = v1.graph_util.convert_variables_to_constants(
                    session, session.graph_def, ["scores"]
                )
        with tf.Graph().as_default():
            x, scores = tf.import_graph_def(graph, return_elements=["image:0", "scores:0"], name="")
            zoo_tf1.save(directory, {"image": x}, {"scores": scores})

    add(f"tf1_{name}", build, expected)


def normalized(fused: bool) -> Callable[[Any], Any]:
    """A batch normalization that has seen bytes, with a scale and a shift that hide it."""

    def prepare(x: Any) -> Any:
        values = (
            [120.0, 110.0, 100.0],
            [4000.0, 4100.0, 3900.0],
            [0.5, 1.5, 0.8],
            [0.5, -0.5, 0.8],
        )
        mean, variance, scale, shift = (
            zoo_tf1.variable(name, np.float32(it))
            for name, it in zip(["mean", "variance", "scale", "shift"], values, strict=True)
        )
        if fused:
            return v1.nn.fused_batch_norm(x, scale, shift, mean, variance, is_training=False)[0]
        return tf.nn.batch_normalization(x, mean, variance, shift, scale, 1e-3)

    return prepare


tf1("tf", lambda x: x / 127.5 - 1.0, BYTES)
tf1("torch", lambda x: torch(x / 255.0), RGB_BYTES, resource=False)
tf1("caffe_frozen", lambda x: x[..., ::-1] - CAFFE, RGB_BYTES, frozen=True)
tf1("split_frozen", by_hand, UNIT_RGB, frozen=True)
tf1("uint8_frozen", lambda x: x / 127.5 - 1.0, BYTES, dtype=tf.uint8, frozen=True)
tf1("nothing", lambda x: x, None)
tf1("batch_norm", normalized(False), BYTES)
tf1("batch_norm_frozen", normalized(True), BYTES, frozen=True)
