"""Batch normalisation: settle its statistics after a training, and train it in one kernel.

In training a layer normalises by the mean and the variance of the batch, afterwards by moving
averages of both. With a momentum of 0.99 or 0.999 these still hold much of their first values
after a few hundred steps, and they lag behind weights that go on changing. `settle` estimates
them again for the weights as they are at the end.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import keras
import numpy as np

from fashion_rir.embedding import backbones
from fashion_rir.errors import ParameterError, unknown_name

STATISTICS = ("as trained", "settled")

N_SETTLING = 4096  # pictures

SETTLING_BATCH = 64


def recorded(statistics: str) -> dict[str, object]:
    """What a record's inputs say of the statistics; nothing where they are as trained.

    Args:
        statistics: one of `STATISTICS`.

    Raises:
        ParameterError: another word.
    """
    if statistics not in STATISTICS:
        raise unknown_name("kind of statistics", statistics, STATISTICS)
    if statistics == "as trained":
        return {}
    return {"statistics": statistics, "n_settling": N_SETTLING, "settling_batch": SETTLING_BATCH}


def settle(
    network: keras.Model, input_mode: str, pictures: np.ndarray, *, n_pictures: int = N_SETTLING,
    seed: int,
) -> int:  # fmt: skip
    """Estimate the statistics of batch normalisation again ("precise BN", Wu & Johnson 2021).

    The mean of a layer becomes the average of the batches' means in training mode; its variance
    the average of their variances plus the variance of their means.

    Args:
        network: its layers that learn are changed in place; those that are fixed stay.
        input_mode: what the network was trained behind, one of `backbones.INPUT_MODES`.
        pictures: uint8, shape (n, size, size, 3), training photos without augmentation.
        n_pictures: how many of them are drawn, at most; a last batch that is not full is left
            out.
        seed: of the draw.

    Returns:
        How many layers were settled.

    Raises:
        ParameterError: no batch normalisation learns, or there are fewer than two pictures.
    """
    kind = keras.layers.BatchNormalization
    layers = [one for one in network.layers if isinstance(one, kind) and one.trainable]
    if not layers:
        raise ParameterError(
            f"No batch normalisation of {network.name} was trained, so there are no statistics to "
            "settle; leave them 'as trained'."
        )
    batch_size = min(SETTLING_BATCH, n_pictures, len(pictures))
    if batch_size < 2:
        raise ParameterError(
            f"Statistics are settled on at least 2 training photos, not {batch_size}; give more."
        )
    drawn = np.random.default_rng(seed).permutation(len(pictures))[:n_pictures]
    inputs = keras.Input(network.input_shape[1:], dtype="uint8")
    model = keras.Model(inputs, network(backbones.input_layers(inputs, input_mode)))
    starts = range(0, len(drawn) - batch_size + 1, batch_size)
    batches = (pictures[drawn[start : start + batch_size]] for start in starts)
    means, variances = _statistics(model, layers, batches)
    for number, layer in enumerate(layers):
        of_batches = np.array([batch[number] for batch in means])
        within = np.mean([batch[number] for batch in variances], axis=0)
        layer.moving_mean.assign(of_batches.mean(axis=0))
        layer.moving_variance.assign(within + of_batches.var(axis=0))
    return len(layers)


def _statistics(
    model: keras.Model, layers: Sequence[keras.layers.Layer], batches: Iterable[np.ndarray]
) -> tuple[list, list]:
    """Mean and variance of every batch, in every layer."""
    momenta = [layer.momentum for layer in layers]
    means, variances = [], []
    for layer in layers:
        layer.momentum = 0.0  # the moving averages are those of the last batch alone
    try:
        for batch in batches:
            model(batch, training=True)
            means.append([np.array(layer.moving_mean, np.float64) for layer in layers])
            variances.append([np.array(layer.moving_variance, np.float64) for layer in layers])
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
    return means, variances


class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Keras' batch normalisation, in TensorFlow's one kernel while it learns.

    Keras computes moments, scale and shift one behind the other, each of which reads the whole
    feature map. On a CPU one kernel trains ResNet50 a quarter faster and MobileNetV2 half as fast
    again. The results are the same but for rounding. Outside training, and on other backends or
    types, it is Keras' own.
    """

    def call(
        self,
        inputs: keras.KerasTensor,
        training: bool | None = None,
        mask: keras.KerasTensor | None = None,
    ) -> keras.KerasTensor:
        """(n, height, width, channels) to the same shape."""
        is_plain = len(inputs.shape) == 4 and mask is None and self.scale and self.center
        is_learning = training is True and self.trainable
        is_float32 = keras.backend.standardize_dtype(inputs.dtype) == "float32"
        if not (is_learning and is_plain and is_float32 and self._has_kernel()):
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

        ops = keras.ops
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs, scale=self.gamma, offset=self.beta, mean=[], variance=[],
            epsilon=self.epsilon, is_training=True,
        )  # fmt: skip
        # The kernel gives the variance of a sample, over n - 1; Keras keeps that over n.
        n = ops.cast(ops.size(inputs) // inputs.shape[-1], "float32")
        kept = ((self.moving_mean, mean), (self.moving_variance, variance * (n - 1) / n))
        for moving, found in kept:
            moving.assign(moving * self.momentum + found * (1 - self.momentum))
        return outputs

    def _has_kernel(self) -> bool:
        is_last = self.axis in (-1, 3)
        return keras.backend.backend() == "tensorflow" and is_last and not self.synchronized


def with_fused_kernels(backbone: backbones.Backbone) -> backbones.Backbone:
    """The same backbone, faster to train end to end on a CPU (see `FusedBatchNormalization`).

    Args:
        backbone: from `backbones.build`; not changed.

    Returns:
        A backbone with the same weights, whose metadata say `batch_normalisation: fused`.
    """
    network = backbone.network
    fused = keras.models.clone_model(network, clone_function=_fused_layer)
    fused.set_weights(network.get_weights())
    inputs = keras.Input(backbone.model.input_shape[1:], dtype="uint8", name="image")
    scaled = backbones.input_layers(inputs, backbone.input_mode)
    model = keras.Model(inputs, fused(scaled), name=backbone.model.name)
    return replace(backbone, model=model, is_fused=True)


def _fused_layer(layer: keras.layers.Layer) -> keras.layers.Layer:
    is_normalisation = type(layer) is keras.layers.BatchNormalization
    kind = FusedBatchNormalization if is_normalisation else type(layer)
    return kind.from_config(layer.get_config())
