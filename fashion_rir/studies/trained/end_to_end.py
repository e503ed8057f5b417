"""Training a network end to end, whatever it learns: train, embed, score, keep.

`labels` and `contrastive` say what each of their runs learns (a `Task`); all else is the same, and
is here. A training leaves a record, and its state in a folder of its own, so that it is not done
twice.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import keras
import numpy as np
import pandas as pd

from fashion_rir.data.splits import Split
from fashion_rir.embedding.backbones import Backbone
from fashion_rir.errors import ParameterError
from fashion_rir.studies.study import Study
from fashion_rir.studies.trained import runs
from fashion_rir.training import batch_normalisation, end_to_end, fit
from fashion_rir.training.end_to_end import CoreSettings, TunedEmbedder
from fashion_rir.training.fit import TrainingSettings


@dataclass(frozen=True)
class Plan:
    """What every plan of a training end to end says.

    Attributes:
        preprocessing: `resize` or `pad`.
        core: the head and what is trained.
        fitting: of the training; its number of epochs may be cut for a quick run.
        augment: one of `augmentation.AUGMENTATIONS`.
        statistics: of batch normalisation, one of `batch_normalisation.STATISTICS`. Both share
            one training; the name of what is `settled` says so.
        family: one of `words.FAMILIES`.
    """

    preprocessing: str = "resize"
    core: CoreSettings = field(default_factory=CoreSettings)
    fitting: TrainingSettings = field(default_factory=TrainingSettings)
    augment: str = "none"
    statistics: str = "as trained"
    family: str = "label-end-to-end"


class Task(Protocol):
    """What one training has of its own.

    Attributes:
        name: of the training, such as `label-g-seed20`.
        plan: how to train.
        parts: who is trained on, who chooses, and who asks.
        input_mode: what the network is trained behind, one of `backbones.INPUT_MODES`.
        n_classes: that the network tells apart; None if it has no softmax.
        stages: the settings of each part of the training, by name, in their order.
        inputs: what a record's numbers depend on beside `runs.describe`.
    """

    name: str
    plan: Plan
    parts: Split
    input_mode: str
    n_classes: int | None
    stages: Mapping[str, TrainingSettings]
    inputs: Mapping[str, object]

    def folder(self, stage: str) -> str:
        """What the folder of a stage's state is called."""

    def train(
        self, core: keras.Model, pictures: np.ndarray, stage: str, checkpoint: fit.Checkpoint
    ) -> pd.DataFrame:
        """Train a core in place; the learning curve.

        Args:
            core: see `training.end_to_end`.
            pictures: of all products, uint8, shape (n_products, size, size, 3).
            stage: key in `stages`.
            checkpoint: where the state is kept.
        """

    def scores(self, logits: np.ndarray) -> dict[str, object]:
        """How well the classes of the test products are told, as a record holds it."""


@dataclass(frozen=True)
class Trained:
    """A network trained end to end.

    Attributes:
        name: such as `label-g-seed20`.
        core: see `training.end_to_end`.
        input_mode: what it was trained behind.
        own_mode: what the backbone's weights were trained behind before.
        preprocessing: likewise.
        base: the metadata of the backbone before training.
        record: of the training.
    """

    name: str
    core: keras.Model
    input_mode: str
    own_mode: str
    preprocessing: str
    base: Mapping[str, object]
    record: dict


def train(study: Study, backbone: Backbone, task: Task) -> Trained:
    """Train a network, or take what an earlier run of the same has left.

    Args:
        study: its products, split, seed and folders.
        backbone: freshly built; its weights are changed in place.
        task: what it learns, and how.

    Returns:
        The trained network; its record (kind `training`) is written.

    Raises:
        TrainingError: see `fit.fit`.
    """
    plan, parts, mode = task.plan, task.parts, task.input_mode
    core = end_to_end.build_core(backbone, plan.core, n_classes=task.n_classes, seed=study.seed)
    base = backbone.metadata(plan.preprocessing)
    name, inputs = task.name, runs.describe(study, base, parts, study.seed) | task.inputs
    image_names = list(study.catalog.products["image_name"])
    pictures = end_to_end.load_pictures(
        study.catalog, image_names, backbone.image_size, plan.preprocessing
    )
    start = time.perf_counter()
    curves = [
        task.train(core, pictures, stage, runs.checkpoint(study, task.folder(stage), inputs))
        for stage in task.stages
    ]
    seconds = time.perf_counter() - start
    if settled := batch_normalisation.recorded(plan.statistics):
        shown = pictures[parts.is_fit]
        batch_normalisation.settle(core.layers[1], mode, shown, seed=study.seed)
        name, inputs = f"{name}-settled", inputs | settled
    about = {"family": plan.family, "run": inputs["run"], "seed": str(study.seed)}
    about |= {"statistics": inputs["statistics"]} if settled else {}
    inputs = inputs | {"model": inputs["model"] | about}  # checkpoints are known by those before

    def scores() -> dict[str, object]:
        if task.n_classes is None:
            return {}
        network, asked = end_to_end.behind_inputs(core, mode), pictures[parts.is_test]
        return task.scores(end_to_end.predict(network, asked)["logits"])

    record = study.record("training", name, inputs,
                          lambda: runs.content(pd.concat(curves), seconds, scores()))  # fmt: skip
    return Trained(name, core, mode, backbone.input_mode, plan.preprocessing, base, record)


def cut(fitting: TrainingSettings, epochs: int | None) -> TrainingSettings:
    """The same with so many epochs at most; as it is if None."""
    return fitting if epochs is None else replace(fitting, epochs=min(epochs, fitting.epochs))


def embedder(
    study: Study, trained: Trained, name: str, core: keras.Model, **asked: object
) -> TunedEmbedder:
    """What embeds by a trained network; refuses to ask products that it was trained on.

    Args:
        study: its products, split, seed and folders.
        trained: from `train`.
        name: what the embeddings are called.
        core: the trained network, or a part of it.
        asked: what else the embeddings depend on; `input_mode` is the network's, if not given.

    Raises:
        ParameterError: a split other than that of the training.
    """
    trained_seed = trained.record["inputs"]["seed"]
    if study.seed != trained_seed:
        raise ParameterError(
            f"{trained.name} was trained with the split of seed {trained_seed}; with that of seed "
            f"{study.seed}, products would ask that it was trained on."
        )
    asked = {"input_mode": trained.input_mode, **runs.left_by(trained.record), **asked}
    model = end_to_end.behind_inputs(core, asked["input_mode"])
    return TunedEmbedder(name, model, trained.base, asked)
