"""A network's weights as plain arrays in an `.npz`, `<layer>/<weight>`, in half precision.

Nothing in such a file is executed when it is read, as a pickle would be. float16 takes half of
float32's space; batch normalisation stays float32, since its variances span many powers of ten.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fashion_rir.errors import WeightsError
from fashion_rir.system import whole_file

KERNEL = "kernel"  # what is rounded


def load(network: object, path: Path) -> None:
    """Set a Keras model's weights to those of a file.

    Args:
        network: with the layer names of the file.
        path: of the `.npz`.

    Raises:
        WeightsError: the file lacks a weight, has one too many, or one of another shape.
        ValueError: it is no `.npz` of plain arrays (or another error of NumPy's reader).
    """
    wanted = dict(_named(network))
    with np.load(path, allow_pickle=False) as arrays:
        found = {name: arrays[name] for name in arrays.files}
    odd = sorted(wanted.keys() ^ found.keys())
    odd += [name for name in wanted.keys() & found.keys()
            if found[name].shape != tuple(wanted[name].shape)]  # fmt: skip
    if odd:
        raise WeightsError(f"{path} does not fit {network.name}: see its array {odd[0]!r}.")
    for name, variable in wanted.items():
        variable.assign(found[name].astype(np.float32))


def save(network: object, path: Path) -> None:
    """Write a Keras model's weights, convolutions' kernels rounded to float16.

    Args:
        network: a Keras model with uniquely named layers.
        path: of the `.npz`; the file is the same for the same weights.
    """
    arrays = {name: np.asarray(variable) for name, variable in _named(network)}
    for name in arrays:
        if name.endswith(KERNEL):
            arrays[name] = arrays[name].astype(np.float16)
    with whole_file(path) as partial, open(partial, "wb") as file:
        np.savez(file, **arrays)


def _named(network: object) -> Iterator[tuple[str, object]]:
    """Each weight of a network with its name in the file."""
    for layer in network.layers:
        for variable in layer.weights:
            yield f"{layer.name}/{variable.path.rsplit('/', 1)[-1]}", variable
