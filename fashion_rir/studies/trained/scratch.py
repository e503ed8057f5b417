"""Small networks trained on the catalogue from nothing, without ImageNet: for notebook 08."""

from dataclasses import replace
from pathlib import Path

import keras
import pandas as pd

from fashion_rir.embedding import backbones
from fashion_rir.embedding.backbones import Backbone
from fashion_rir.embedding.embedded import Embedded
from fashion_rir.errors import ParameterError
from fashion_rir.studies.study import Study
from fashion_rir.studies.trained.labels import LabelRun, Trained, score_trained, train_end_to_end
from fashion_rir.training import networks
from fashion_rir.training.end_to_end import CoreSettings
from fashion_rir.training.fit import TrainingSettings
from fashion_rir.workspace import records as result_records

INPUT_MODE = "tf"  # [-1, 1], which `networks` are made for

# From nothing, a network needs all layers, a high rate and more epochs than fine-tuning.
SCRATCH_PLAN = LabelRun(
    preprocessing="resize",
    core=CoreSettings(hidden=None, dropout=0.2),
    fitting=TrainingSettings(
        epochs=10, batch_size=32, learning_rate=1e-3, schedule="cosine", weight_decay=1e-4
    ),
    augment="light",
    label_smoothing=0.1,
    validated=True,
    family="from-scratch",
)


def scratch_backbone(name: str, *, image_size: int, seed: int) -> Backbone:
    """One of `networks.NETWORKS` with random weights, as a backbone: it can be trained likewise.

    Args:
        name: key in `networks.NETWORKS`.
        image_size: side of the square input in pixels, at least `networks.LEAST_IMAGE_SIZE`.
        seed: of the weights.

    Returns:
        The backbone; uint8 pictures in.

    Raises:
        ParameterError: unknown network, or pictures that are too small.
    """
    keras.utils.set_random_seed(seed)
    network = networks.build_network(name, image_size=image_size)
    inputs = keras.Input((image_size, image_size, 3), dtype="uint8", name="image")
    model = keras.Model(inputs, network(backbones.input_layers(inputs, INPUT_MODE)), name=name)
    return Backbone(name, image_size, f"none-seed{seed}", backbones.hash_values(network),
                    INPUT_MODE, model)  # fmt: skip


def train_from_scratch(
    study: Study,
    name: str,
    *,
    image_size: int,
    epochs: int | None = None,
    statistics: str = "as trained",
) -> tuple[Trained, Embedded]:
    """Train a small network on articleType and score it, or take what an earlier run has left.

    Args:
        study: its products, split, seed and folders.
        name: key in `networks.NETWORKS`.
        image_size: see `scratch_backbone`.
        epochs: at most this many; `SCRATCH_PLAN`'s own if None.
        statistics: of batch normalisation, one of `batch_normalisation.STATISTICS`.

    Returns:
        The trained network, and its embeddings with their metadata (see
        `labels.score_trained`).

    Raises:
        ParameterError: as for `scratch_backbone`, or too few classes.
        TrainingError: see `fit.fit`.
    """
    backbone = scratch_backbone(name, image_size=image_size, seed=study.seed)
    run = run_name(name, image_size)
    plan = replace(SCRATCH_PLAN, statistics=statistics)
    trained = train_end_to_end(study, backbone, run, plan=plan, epochs=epochs)
    return trained, score_trained(study, trained)


def run_name(network: str, image_size: int) -> str:
    """What a training from nothing is called."""
    return f"scratch-{network}-{image_size}"


def scratch_table(
    folder: Path, networks_trained: list[str], *, image_size: int, seed: int
) -> pd.DataFrame:
    """What the networks learned from nothing, from the records.

    Args:
        folder: a profile's results.
        networks_trained: keys in `networks.NETWORKS`.
        image_size: of the trainings.
        seed: likewise.

    Returns:
        One row a network: `epochs`, `training s`, `accuracy`, `mAP`, `precision@10` and `colour
        P@10`, held out and micro.

    Raises:
        RecordError: one is missing, or they are of different data.
        ParameterError: no network.
    """
    if not networks_trained:
        raise ParameterError("No network was trained from nothing; name one at least.")
    names = [f"label-{run_name(network, image_size)}-seed{seed}" for network in networks_trained]
    trainings = result_records.read_named(folder, names)
    scores = result_records.read_named(folder, [f"{name}-cosine" for name in names])
    rows = []
    for network, training, score in zip(networks_trained, trainings, scores, strict=True):
        by_type = [score.estimate("held_out", "articleType", one).value
                   for one in ("mAP", "precision@10")]  # fmt: skip
        rows.append(
            {
                "network": network,
                "epochs": len(training["curve"]),
                "training s": training["timings"]["training_seconds"],
                "accuracy": training["accuracy"]["micro"],
                "mAP": by_type[0],
                "precision@10": by_type[1],
                "colour P@10": score.estimate("held_out", "baseColour", "precision@10").value,
            }
        )
    return pd.DataFrame(rows).set_index("network")
