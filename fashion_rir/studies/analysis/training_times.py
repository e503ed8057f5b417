"""How much longer a training takes than embedding the catalogue, in one run on one machine.

The thesis gives two ratios (sections 4.3 g and i) and neither machine nor times. A ratio of times
that were taken by turns says less of the machine than of the method: how often a photo passes
through the network, forward and back, and once more as a second view.
"""

import time
from collections.abc import Callable, Mapping

import numpy as np

from fashion_rir.evaluation import intervals
from fashion_rir.studies.study import Study
from fashion_rir.training.losses import nt_xent

EPOCHS = 5

TRAINED_SHARE = 0.8  # of the products, in model g; model i is not split in the thesis

BATCH = 32

N_ROUNDS = 4  # after one that does not count


def measure(study: Study, backbone: str, image_size: int) -> dict:
    """Time a batch that is embedded, one that is trained on labels, and one trained on views.

    Args:
        study: its seed and folders; photos are drawn at random, as their content takes no time.
        backbone: a network's name; all its layers are trained.
        image_size: side of its input in pixels.

    Returns:
        A record of kind `training_times`: `ratios` of training and embedding all products to
        embedding them, `label over embedding`, `scratch over embedding` and `scratch over label`,
        each the median of the rounds with the least and the largest as `low` and `high`.
    """
    inputs = {
        "profile": study.workspace.profile, "data_hash": study.catalog.data_hash,
        "n_products": len(study.catalog),
        "model": {"model": f"{backbone}-{image_size}-resize", "backbone": backbone,
                  "image_size": str(image_size), "preprocessing": "resize", "weights": "none"},
        "batch": BATCH, "epochs": EPOCHS, "n_rounds": N_ROUNDS, "seed": study.seed,
    }  # fmt: skip
    return study.record(
        "training_times", "training-times", inputs, lambda: _measured(study, backbone, image_size)
    )


def ratios(seconds: Mapping[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """What trainings take, in times of embedding all products.

    Args:
        seconds: a batch of `embedding`, `label` and `views`, one a round.

    Example:
        >>> one = {"embedding": [1.0], "label": [3.0], "views": [6.0]}
        >>> found = ratios({name: np.array(taken) for name, taken in one.items()})
        >>> [ratio["value"] for ratio in found.values()]  # 5 x 0.8 x 3 + 1, 5 x 6 + 1
        [13.0, 31.0, 2.384615]
    """
    label = EPOCHS * TRAINED_SHARE * seconds["label"] / seconds["embedding"] + 1
    scratch = EPOCHS * seconds["views"] / seconds["embedding"] + 1
    named = {
        "label over embedding": label,
        "scratch over embedding": scratch,
        "scratch over label": scratch / label,
    }
    return {name: _median(values) for name, values in named.items()}


def _measured(study: Study, backbone: str, image_size: int) -> Mapping[str, object]:
    steps = _steps(study, backbone, image_size)
    rounds = [{name: _timed(step) for name, step in steps.items()} for _ in range(N_ROUNDS + 1)]
    taken = {name: np.array([one[name] for one in rounds[1:]]) for name in steps}
    milliseconds = {name: 1000 * np.median(values) / BATCH for name, values in taken.items()}
    return {
        "ratios": ratios(taken),
        "timings": {f"{name} ms an image": round(value, 2) for name, value in milliseconds.items()},
    }


def _steps(study: Study, backbone: str, image_size: int) -> dict[str, Callable[[], object]]:
    """One batch of each, ready to be timed."""
    import keras
    from keras import layers

    network = study.network(backbone, image_size)
    generator = np.random.default_rng(study.seed)
    photos = generator.random((2 * BATCH, image_size, image_size, 3), dtype=np.float32)
    classes = generator.integers(143, size=BATCH)
    body = keras.models.clone_model(network.model)
    body.trainable = True
    hidden = layers.Dense(512, "relu")(body.output)
    label = keras.Model(body.input, layers.Dense(143, "softmax")(layers.Dropout(0.5)(hidden)))
    label.compile("adam", "sparse_categorical_crossentropy")
    views = keras.Model(body.input, layers.Dense(128)(body.output))
    views.compile("adam", lambda _, found: nt_xent(found[:BATCH], found[BATCH:], temperature=0.1))
    return {
        "embedding": lambda: body.predict_on_batch(photos[:BATCH]),
        "label": lambda: label.train_on_batch(photos[:BATCH], classes),
        "views": lambda: views.train_on_batch(photos, np.zeros(2 * BATCH)),
    }


def _timed(step: Callable[[], object]) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def _median(values: np.ndarray) -> dict[str, float]:
    return {"value": intervals.rounded(np.median(values)), "low": intervals.rounded(values.min()),
            "high": intervals.rounded(values.max())}  # fmt: skip
