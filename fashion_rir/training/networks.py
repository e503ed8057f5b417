"""Small networks to be trained from scratch on the catalogue, and GeM pooling.

ResNet-18 and ResNet-34 (He et al. 2016, "Deep Residual Learning for Image Recognition"),
AlexNet (Krizhevsky et al. 2012, "ImageNet Classification with Deep Convolutional Neural
Networks") and GoogLeNet (Szegedy et al. 2015, "Going Deeper with Convolutions"), each without
its classifier. They end in one embedding a picture, by global pooling.

In all of them a convolution pads with zeros to keep its size ("same"), has no bias, and is
followed by batch normalisation.

They were made for pictures of 224 pixels, which they bring down to a feature map of 7x7. From
112 pixels up that total stride of 32 stays. Below, the first layers reduce by 2 in place of 4,
so that 48 pixels still leave a map of 3x3, and no picture below 112 pixels costs more than one
of 224.
"""

from collections.abc import Callable
from functools import partial

import keras
import numpy as np

from fashion_rir.data.images import MAX_SIZE
from fashion_rir.errors import ParameterError, unknown_name

LEAST_IMAGE_SIZE = 48

FULL_STRIDE_SIZE = 112  # side in pixels from which the first layers are the papers' own

SMALLEST_FEATURE = 1e-6  # what GeM pooling takes for zero, whose logarithm it could not take

# Channels of GoogLeNet's inception blocks 3a to 5b (Szegedy et al. 2015, table 1): 1x1; 3x3
# reduced, 3x3; 5x5 reduced, 5x5; behind the pooling. Each line of blocks begins with a pooling.
INCEPTION_BLOCKS = (
    ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
    (
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
    ),
    ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
)


class GeMPooling(keras.layers.Layer):
    """Generalised-mean pooling of a feature map to one number a channel.

    GeM = (mean over the positions of x^p)^(1/p) (Radenovic et al. 2018, "Fine-tuning CNN Image
    Retrieval with No Human Annotation"). p = 1 is average pooling; the larger p, the nearer to
    maximum pooling. Features are those behind a ReLU: a negative one counts as zero.

    Args:
        p: the exponent, at least 1.
        options: of every Keras layer, such as `name`.

    Raises:
        ParameterError: p below 1 or not finite.
    """

    def __init__(self, p: float = 3.0, **options: object) -> None:
        _check_exponent(p)
        super().__init__(**{"dtype": "float32"} | options)  # a power is too much for float16
        self._exponent = float(p)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the weight `p`, which is not trained."""
        start = keras.initializers.Constant(self._exponent)
        self.p = self.add_weight(shape=(), initializer=start, trainable=False, name="p")

    def call(self, feature_maps: keras.KerasTensor) -> keras.KerasTensor:
        """(n, height, width, channels) to (n, channels)."""
        ops = keras.ops
        features = ops.maximum(feature_maps, SMALLEST_FEATURE)
        # Over its largest feature no power of a channel overflows, and the mean is never zero.
        # The result does not depend on this scale, so neither does the gradient.
        largest = ops.stop_gradient(ops.max(features, axis=(1, 2), keepdims=True))
        mean = ops.mean(ops.power(features / largest, self.p), axis=(1, 2))
        return largest[:, 0, 0] * ops.power(mean, 1 / self.p)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape without height and width."""
        return input_shape[0], input_shape[-1]


def gem(feature_maps: np.ndarray, p: float = 3.0) -> np.ndarray:
    """Generalised-mean pooling (see `GeMPooling`) of feature maps that are stored already.

    Args:
        feature_maps: float, shape (n, height, width, channels); negative features count as zero.
        p: the exponent, at least 1.

    Returns:
        Same dtype, shape (n, channels).

    Raises:
        ParameterError: p below 1 or not finite, or an array of another number of dimensions.

    Example:
        >>> gem(np.array([[[[1.0], [7.0]]]]), p=2).tolist()  # sqrt((1 + 49) / 2)
        [[5.0]]
    """
    _check_exponent(p)
    if feature_maps.ndim != 4:
        raise ParameterError(
            "Feature maps to be pooled have the shape (n, height, width, channels), not "
            f"{feature_maps.shape}; store them before any pooling."
        )
    features = np.maximum(feature_maps, SMALLEST_FEATURE)
    largest = features.max(axis=(1, 2), keepdims=True)
    mean = np.mean((features / largest) ** p, axis=(1, 2))
    return largest[:, 0, 0] * mean ** (1 / p)


def resnet(images: keras.KerasTensor, n_blocks: tuple[int, ...]) -> keras.KerasTensor:
    """Feature maps of a residual network of basic blocks (He et al. 2016, table 1).

    A shortcut that changes its number of channels is a 1x1 convolution (their option B). Below
    112 pixels the 7x7 convolution becomes a 3x3 one, and the first pooling is left out.

    Args:
        images: shape (n, size, size, 3).
        n_blocks: of each stage; a stage has twice the channels of the one before, from 64.

    Returns:
        Shape (n, height, width, 512) after four stages.
    """
    features = _stem(images)
    for stage, n in enumerate(n_blocks):
        for block in range(n):
            strides = 2 if stage > 0 and block == 0 else 1
            features = _basic_block(features, 64 * 2**stage, strides)
    return features


def alexnet(images: keras.KerasTensor) -> keras.KerasTensor:
    """Feature maps of AlexNet's five convolutions (Krizhevsky et al. 2012, figure 2).

    Batch normalisation behind every convolution takes the place of the local response
    normalisation, which is out of use since. The layers are whole: the paper splits them over
    two GPUs for want of memory. Below 112 pixels the first stride is 2 in place of 4.

    Args:
        images: shape (n, size, size, 3).

    Returns:
        Shape (n, height, width, 256).
    """
    features = _convolution(images, 96, 11, strides=2 if _is_small(images) else 4)
    features = _convolution(_halve(features), 256, 5)
    features = _convolution(_halve(features), 384, 3)
    features = _convolution(features, 384, 3)
    features = _convolution(features, 256, 3)
    return _halve(features)


def googlenet(images: keras.KerasTensor) -> keras.KerasTensor:
    """Feature maps of GoogLeNet (Szegedy et al. 2015, table 1).

    Without the two auxiliary classifiers. Batch normalisation takes the place of the local
    response normalisation (as in Ioffe and Szegedy 2015), and makes those needless. Below 112
    pixels the 7x7 convolution becomes a 3x3 one, and the first pooling is left out.

    Args:
        images: shape (n, size, size, 3).

    Returns:
        Shape (n, height, width, 1024).
    """
    features = _convolution(_stem(images), 64, 1)
    features = _convolution(features, 192, 3)
    for blocks in INCEPTION_BLOCKS:
        features = _halve(features)
        for channels in blocks:
            features = _inception(features, channels)
    return features


NETWORKS: dict[str, Callable[[keras.KerasTensor], keras.KerasTensor]] = {
    "resnet18": partial(resnet, n_blocks=(2, 2, 2, 2)),
    "resnet34": partial(resnet, n_blocks=(3, 4, 6, 3)),
    "alexnet": alexnet,
    "googlenet": googlenet,
}


def build_network(name: str, *, image_size: int) -> keras.Model:
    """Build a network with random weights, without a classifier.

    The weights come from Keras' own generator: call `keras.utils.set_random_seed` first.

    Args:
        name: key in `NETWORKS`.
        image_size: side of the square input in pixels, at least 48.

    Returns:
        A model from float32 RGB in [-1, 1], shape (n, image_size, image_size, 3), to float32 of
        shape (n, embedding_dim): 512 for the ResNets, 256 for AlexNet, 1024 for GoogLeNet.

    Raises:
        ParameterError: unknown network, or pictures that are too small.
    """
    if name not in NETWORKS:
        raise unknown_name("network", name, NETWORKS)
    if not LEAST_IMAGE_SIZE <= image_size <= MAX_SIZE:
        raise ParameterError(
            f"{name} takes images of {LEAST_IMAGE_SIZE} to {MAX_SIZE} pixels, not {image_size}."
        )
    images = keras.Input((image_size, image_size, 3), name="image")
    embeddings = keras.layers.GlobalAveragePooling2D()(NETWORKS[name](images))
    return keras.Model(images, embeddings, name=name)


def _is_small(images: keras.KerasTensor) -> bool:
    return images.shape[1] < FULL_STRIDE_SIZE


def _stem(images: keras.KerasTensor) -> keras.KerasTensor:
    """The first layers of ResNet and GoogLeNet, to a quarter (or half) of the side."""
    if _is_small(images):
        return _convolution(images, 64, 3, strides=2)
    return _halve(_convolution(images, 64, 7, strides=2))


def _basic_block(features: keras.KerasTensor, filters: int, strides: int) -> keras.KerasTensor:
    """Two 3x3 convolutions, whose result is added to what came in."""
    shortcut = features
    if strides > 1:
        shortcut = _convolution(features, filters, 1, strides=strides, activation="linear")
    features = _convolution(features, filters, 3, strides=strides)
    features = _convolution(features, filters, 3, activation="linear")
    return keras.layers.ReLU()(keras.layers.Add()([features, shortcut]))


def _inception(features: keras.KerasTensor, channels: tuple[int, ...]) -> keras.KerasTensor:
    """Convolutions of three sizes and a pooling side by side, their channels joined."""
    one, reduced_three, three, reduced_five, five, behind_pooling = channels
    pooled = keras.layers.MaxPooling2D(3, strides=1, padding="same")(features)
    branches = [
        _convolution(features, one, 1),
        _convolution(_convolution(features, reduced_three, 1), three, 3),
        _convolution(_convolution(features, reduced_five, 1), five, 5),
        _convolution(pooled, behind_pooling, 1),
    ]
    return keras.layers.Concatenate()(branches)


def _convolution(
    features: keras.KerasTensor,
    filters: int,
    size: int,
    *,
    strides: int = 1,
    activation: str = "relu",
) -> keras.KerasTensor:
    """Convolution of size x size, batch normalisation, activation."""
    features = keras.layers.Conv2D(
        filters, size, strides=strides, padding="same", use_bias=False,
        kernel_initializer="he_normal",  # for layers with a ReLU (He et al. 2015)
    )(features)  # fmt: skip
    # Keras' usual momentum of 0.99 is too slow for the few steps that a small catalogue gives.
    features = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(features)
    return keras.layers.Activation(activation)(features)


def _halve(features: keras.KerasTensor) -> keras.KerasTensor:
    return keras.layers.MaxPooling2D(3, strides=2, padding="same")(features)


def _check_exponent(p: float) -> None:
    if not 1 <= p < np.inf:
        raise ParameterError(
            f"The exponent p of GeM pooling lies between 1 (average) and infinity, not at {p}."
        )
