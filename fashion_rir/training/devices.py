"""Training on several devices of one machine, by `keras.distribution` (JAX backend).

Data parallel: every device holds the whole model and takes an equal part of each batch; the
gradients are summed. The loss is the same as on one device, up to the order of sums.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from fashion_rir.errors import ParameterError


@contextmanager
def data_parallel(batch_size: int, n_products: int) -> Iterator[int]:
    """Build and train models inside this; the batches are shared out over all devices.

    Args:
        batch_size: products a step.
        n_products: in an epoch; the rest of a division by the batch size is a batch too, unless
            the sampler drops it.

    Yields:
        The number of devices; 1 changes nothing.

    Raises:
        ParameterError: another backend than JAX with several devices, or batches that cannot be
            shared out equally.

    Example:
        with data_parallel(batch_size=64, n_products=6400):
            heads.train_head(...)
    """
    import keras

    devices = keras.distribution.list_devices()
    if len(devices) < 2:
        yield 1
        return
    if keras.backend.backend() != "jax":
        raise ParameterError(
            f"{len(devices)} devices are used by the JAX backend only, not by "
            f"{keras.backend.backend()}; set KERAS_BACKEND=jax."
        )
    for what, number in (("batch", batch_size), ("last batch", n_products % batch_size)):
        if number % len(devices):
            raise ParameterError(
                f"A {what} of {number} products cannot be shared out over {len(devices)} devices; "
                "take a batch size, and a number of products, that they divide."
            )
    with keras.distribution.DataParallel(devices=devices).scope():
        yield len(devices)
