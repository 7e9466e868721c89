"""EfficientNet-Lite0 (https://github.com/tensorflow/tpu, models/official/efficientnet/lite)."""

import re
from collections.abc import Mapping
from typing import Any

import keras

SIZE = 224
# Kernel, stride of the first block, expansion, filters, blocks.
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
# How PyTorch lays out the weights of a layer, and Keras in its own order.
NORMALIZATION = ("weight", "bias", "running_mean", "running_var")


def normalized(x: Any, convolution: Any, name: str) -> Any:
    """A convolution, then batch normalization of this name."""
    return keras.layers.BatchNormalization(epsilon=1e-3, name=name)(convolution(x))


def convolution(filters: int, name: str, kernel: int = 1, strides: int = 1) -> Any:
    """An ordinary convolution; of one pixel, if no kernel is given."""
    return keras.layers.Conv2D(
        filters, kernel, strides=strides, padding="same", use_bias=False, name=name
    )


def block(x: Any, name: str, kernel: int, strides: int, expansion: int, filters: int) -> Any:
    """An inverted residual block; what comes in is added where the shapes agree."""
    inner = x
    if expansion > 1:
        expand = convolution(expansion * x.shape[-1], f"{name}.expand_conv")
        inner = keras.layers.ReLU(6)(normalized(inner, expand, f"{name}.bn0"))
    depthwise = keras.layers.DepthwiseConv2D(
        kernel, strides=strides, padding="same", use_bias=False, name=f"{name}.depthwise_conv"
    )
    inner = keras.layers.ReLU(6)(normalized(inner, depthwise, f"{name}.bn1"))
    inner = normalized(inner, convolution(filters, f"{name}.project_conv"), f"{name}.bn2")
    return keras.layers.Add()([x, inner]) if x.shape == inner.shape else inner


def build(weights: Mapping[str, Any]) -> Any:
    """The network with these weights, a state dict of PyTorch; layers are named as its modules are.

    It takes images [batch, 224, 224, 3] in 0..255 and gives probabilities [batch, 1000].
    """
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = keras.layers.Rescaling(1 / 128, -127 / 128)(image)
    x = keras.layers.ReLU(6)(normalized(x, convolution(32, "conv_stem", 3, 2), "bn0"))
    number = 0
    for kernel, first, expansion, filters, blocks in STAGES:
        for strides in (first, *[1] * (blocks - 1)):
            x = block(x, f"blocks.{number}", kernel, strides, expansion, filters)
            number += 1
    x = keras.layers.ReLU(6)(normalized(x, convolution(1280, "conv_head"), "bn1"))
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dense(1000, name="fc")(x)
    model = keras.Model(image, keras.layers.Softmax(name="probabilities")(x))
    fill(model, weights)
    return model


def fill(model: Any, weights: Mapping[str, Any]) -> None:
    """Give each layer its weights; every one of them is used, but for counts of batches."""
    left = {
        # PyTorch's modules are private attributes: _blocks.0._bn1.
        re.sub(r"(^|\.)_", r"\1", name): value
        for name, value in weights.items()
        if not name.endswith(".num_batches_tracked")
    }
    for layer in model.layers:
        match layer:
            case keras.layers.BatchNormalization():
                layer.set_weights([left.pop(f"{layer.name}.{part}") for part in NORMALIZATION])
            case keras.layers.DepthwiseConv2D():
                layer.set_weights([left.pop(f"{layer.name}.weight").transpose(2, 3, 0, 1)])
            case keras.layers.Conv2D():
                layer.set_weights([left.pop(f"{layer.name}.weight").transpose(2, 3, 1, 0)])
            case keras.layers.Dense():
                layer.set_weights([left.pop("fc.weight").T, left.pop("fc.bias")])
    assert not left, f"no layer takes {', '.join(left)}"
