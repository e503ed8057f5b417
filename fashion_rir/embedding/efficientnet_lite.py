"""EfficientNet-Lite: EfficientNet without squeeze-and-excitation, with ReLU6 everywhere.

Made for small devices by Google (github.com/tensorflow/tpu, models/official/efficientnet/lite);
the scaling of width and depth is that of Tan and Le, *EfficientNet: Rethinking Model Scaling for
Convolutional Neural Networks*, 2019. Keras has no such network of its own.
"""

import math
from typing import NamedTuple

EPSILON = 0.001  # of every batch normalisation

EMBEDDING_DIM = 1280

STEM_CHANNELS = 32  # stem and head are not scaled


class Stage(NamedTuple):
    """Blocks of one kind: the first may halve the picture, the others add what they are given."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)

SCALES = {"EfficientNetLite0": (1.0, 1.0), "EfficientNetLite2": (1.1, 1.2)}  # width, depth


def build(name: str, image_size: int) -> object:
    """An EfficientNet-Lite without its classifier, globally average-pooled, with random weights.

    Args:
        name: key in `SCALES`.
        image_size: side of the square input in pixels.

    Returns:
        A `keras.Model` from float32 (n, image_size, image_size, 3) in the input mode `lite` to
        float32 (n, 1280).
    """
    import keras

    width, depth = SCALES[name]
    inputs = keras.Input((image_size, image_size, 3))
    x = _convolution(inputs, STEM_CHANNELS, 3, "stem", stride=2)
    number = 0
    for place, stage in enumerate(STAGES):
        is_scaled = 0 < place < len(STAGES) - 1
        repeats = math.ceil(stage.repeats * depth) if is_scaled else stage.repeats
        channels = scaled_channels(stage.channels, width)
        for repeat in range(repeats):
            stride = stage.stride if repeat == 0 else 1
            x = _block(x, stage._replace(stride=stride, channels=channels), f"block{number}_")
            number += 1
    x = _convolution(x, EMBEDDING_DIM, 1, "head")
    outputs = keras.layers.GlobalAveragePooling2D(name="avg_pool")(x)
    return keras.Model(inputs, outputs, name=name.lower())


def scaled_channels(channels: int, width: float) -> int:
    """Channels times width, to the nearest multiple of 8, but never below 90 % of it.

    Example:
        >>> [scaled_channels(channels, 1.1) for channels in (16, 24, 40, 320)]
        [16, 24, 48, 352]
    """
    wanted = channels * width
    nearest = max(8, int(wanted + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * wanted else nearest


def _block(inputs: object, stage: Stage, prefix: str) -> object:
    """Widen, filter each channel by itself, narrow again: an inverted bottleneck."""
    import keras

    x, channels = inputs, inputs.shape[-1]
    if stage.expansion != 1:
        x = _conv_layer(channels * stage.expansion, 1, f"{prefix}expand_conv")(x)
        x = _normalised(x, f"{prefix}bn0")
    x = keras.layers.DepthwiseConv2D(stage.kernel, stage.stride, "same", use_bias=False,
                                     name=f"{prefix}depthwise_conv")(x)  # fmt: skip
    x = _normalised(x, f"{prefix}bn1")
    x = _conv_layer(stage.channels, 1, f"{prefix}project_conv")(x)
    x = _normalised(x, f"{prefix}bn2", activated=False)
    if stage.stride == 1 and stage.channels == channels:
        x = keras.layers.Add(name=f"{prefix}add")([x, inputs])
    return x


def _convolution(x: object, channels: int, kernel: int, name: str, *, stride: int = 1) -> object:
    return _normalised(_conv_layer(channels, kernel, f"{name}_conv", stride)(x), f"{name}_bn")


def _conv_layer(channels: int, kernel: int, name: str, stride: int = 1) -> object:
    import keras

    return keras.layers.Conv2D(channels, kernel, stride, "same", use_bias=False, name=name)


def _normalised(x: object, name: str, *, activated: bool = True) -> object:
    import keras

    x = keras.layers.BatchNormalization(epsilon=EPSILON, name=name)(x)
    return keras.layers.ReLU(6.0, name=f"{name}_relu6")(x) if activated else x
