"""Training on articleType end to end: model g of the thesis, its ablation, and done right.

Each experiment of notebook 04 leaves a record, and the state of its training in a folder of its
own, so that it is not done twice.
"""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from fashion_rir.data import splits
from fashion_rir.data.labels import learn_classes
from fashion_rir.embedding import backbones
from fashion_rir.errors import ParameterError, RecordError, unknown_name
from fashion_rir.studies import scoring
from fashion_rir.studies.study import Study
from fashion_rir.studies.trained import runs
from fashion_rir.training import batch_normalisation, end_to_end, fit, objectives, samplers
from fashion_rir.training.end_to_end import CoreSettings
from fashion_rir.training.fit import TrainingSettings
from fashion_rir.workspace import records as result_records


@dataclass(frozen=True)
class LabelRun:
    """One way to train on articleType end to end.

    Attributes:
        preprocessing: `resize` or `pad`.
        input_mode: `own` (what the weights were trained on), or one of `backbones.INPUT_MODES`.
        core: the head and what is trained.
        fitting: of the training; its number of epochs may be cut for a quick run.
        warm_up: of a first training of the head alone; None for none.
        augment: one of `augmentation.AUGMENTATIONS`.
        label_smoothing: as in `heads.HeadSettings`.
        balance: as in `heads.HeadSettings`.
        validated: whether a part of the training products is kept aside to choose the epoch.
        statistics: of batch normalisation, one of `batch_normalisation.STATISTICS`. Both share
            one training; the name of what is `settled` says so.
    """

    preprocessing: str = "resize"
    input_mode: str = "own"
    core: CoreSettings = field(default_factory=CoreSettings)
    fitting: TrainingSettings = field(default_factory=TrainingSettings)
    warm_up: TrainingSettings | None = None
    augment: str = "none"
    label_smoothing: float = 0.0
    balance: float = 0.0
    validated: bool = False
    statistics: str = "as trained"


SAID_APART = ("fitting", "warm_up", "statistics")  # of a plan, in a record's inputs

FROZEN = CoreSettings(trained="head")

# What the thesis describes (g), and what changes one thing of it at a time.
LABEL_RUNS = {
    "g": LabelRun(),
    "g-unit": LabelRun(input_mode="unit"),
    "g-fixed-norm": LabelRun(core=CoreSettings(trained="all but batch normalisation")),
    "g-frozen": LabelRun(core=FROZEN),
    "g-frozen-unit": LabelRun(core=FROZEN, input_mode="unit"),
    "g-frozen-pad": LabelRun(core=FROZEN, preprocessing="pad"),
    "g-frozen-linear": LabelRun(core=CoreSettings(activation="linear", trained="head")),
    "done-right": LabelRun(
        preprocessing="pad",
        core=CoreSettings(trained="all but batch normalisation"),
        warm_up=TrainingSettings(epochs=3, learning_rate=1e-3),
        fitting=TrainingSettings(
            epochs=6, learning_rate=1e-4, schedule="cosine", weight_decay=1e-4, patience=3
        ),
        augment="light",
        label_smoothing=0.1,
        balance=0.5,
        validated=True,
    ),
}


# Run, and the input mode that its embeddings are asked behind (None: the one trained behind).
ABLATION = (
    ("g", None),
    ("g", "unit"),
    ("g-unit", None),
    ("g-unit", "own"),
    ("g-fixed-norm", None),
    ("g-frozen", None),
    ("g-frozen", "unit"),
    ("g-frozen-unit", None),
    ("g-frozen-unit", "own"),
    ("g-frozen-pad", None),
    ("g-frozen-linear", None),
    ("done-right", None),
)


@dataclass(frozen=True)
class Trained:
    """A network trained end to end.

    Attributes:
        name: such as `label-g-seed20`.
        core: see `finetuning`.
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


def train_end_to_end(
    study: Study,
    backbone: backbones.Backbone,
    run: str,
    *,
    plan: LabelRun | None = None,
    epochs: int | None = None,
) -> Trained:
    """Train one of `LABEL_RUNS`, or take what an earlier run of the same has left.

    Args:
        study: its products, split, seed and folders.
        backbone: freshly built; its weights are changed in place.
        run: key in `LABEL_RUNS`; with a plan of your own, what to call it.
        plan: how to train; `LABEL_RUNS[run]` if None.
        epochs: at most this many, for a quick run; the run's own if None.

    Returns:
        The trained network; its record (kind `training`) is written.

    Raises:
        ParameterError: unknown run, or too few classes.
        TrainingError: see `fit.fit`.
    """
    if plan is None:
        if run not in LABEL_RUNS:
            raise unknown_name("label run", run, LABEL_RUNS)
        plan = LABEL_RUNS[run]
    name = f"label-{run}-seed{study.seed}"
    parts = splits.split(study.catalog.products, seed=study.seed)
    if not plan.validated:
        nobody = np.zeros_like(parts.is_validation)
        parts = splits.Split(~parts.is_test, nobody, parts.is_test)
    classes = learn_classes("articleType", study.catalog.products["articleType"], ~parts.is_test)
    codes = classes.codes(study.catalog.products["articleType"])
    input_mode = backbone.input_mode if plan.input_mode == "own" else plan.input_mode
    core = end_to_end.build_core(backbone, plan.core, n_classes=len(classes), seed=study.seed)
    base = backbone.metadata(plan.preprocessing)
    stages = _stages(plan, epochs)
    inputs = runs.describe(study, base, parts, study.seed) | {
        "run": run,
        "label": "articleType",
        "stages": {stage: asdict(fitting) for stage, fitting in stages.items()},
        **{k: v for k, v in asdict(plan).items() if k not in SAID_APART},
        "input_mode": input_mode,
    }
    pictures = end_to_end.load_pictures(
        study.catalog,
        list(study.catalog.products["image_name"]),
        backbone.image_size,
        plan.preprocessing,
    )
    start = time.perf_counter()
    curves = []
    for stage, fitting in stages.items():
        place = runs.folder(study.workspace, f"{name}-{stage}", inputs)
        checkpoint = fit.Checkpoint(place, {"inputs": result_records.hash_inputs(inputs)})
        curve = _fit_stage(
            core,
            pictures,
            codes,
            parts,
            plan,
            fitting,
            stage=stage,
            input_mode=input_mode,
            checkpoint=checkpoint,
            seed=study.seed,
        )
        curves.append(curve.assign(stage=stage))
    seconds = time.perf_counter() - start
    if settled := batch_normalisation.recorded(plan.statistics):
        batch_normalisation.settle(
            core.layers[1], input_mode, pictures[parts.is_fit], seed=study.seed
        )
        name, inputs = f"{name}-settled", inputs | settled
    logits = _predict(core, input_mode, pictures[parts.is_test])["logits"]
    scores = runs.label_scores(logits, codes[parts.is_test], classes)
    record = runs.write(study.workspace, name, inputs, pd.concat(curves), scores,
                                    seconds=seconds)  # fmt: skip
    return Trained(name, core, input_mode, backbone.input_mode, plan.preprocessing, base, record)


def score_trained(
    study: Study, trained: Trained, *, asked: str | None = None
) -> tuple[np.ndarray, dict[str, str]]:
    """Embed the catalogue by a trained network into a feature store, and score its retrieval.

    Args:
        study: its products, split, seed and folders.
        trained: from `train_end_to_end`.
        asked: another input mode than it was trained behind, `own` or `unit`, for the ablation.

    Returns:
        float32 (n_products, embedding_dim) and the store's metadata, as `stores.embed`. Two
        records are written: the retrieval by cosine, and the similarity of random pairs.

    Raises:
        ParameterError: unknown input mode, or a split other than that of the training.
        StoreError: see `stores.embed`.
    """
    modes = {None: trained.input_mode, "own": trained.own_mode, "unit": "unit"}
    if asked not in modes:
        raise unknown_name("input mode to ask behind", asked, ("own", "unit"))
    trained_seed = trained.record["inputs"]["seed"]
    if study.seed != trained_seed:
        raise ParameterError(
            f"{trained.name} was trained with the split of seed {trained_seed}; with that of seed "
            f"{study.seed}, products would ask that it was trained on."
        )
    embedder = end_to_end.TunedEmbedder(
        model_name(trained.name, asked),
        end_to_end.behind_inputs(trained.core, modes[asked]),
        trained.base,
        {"input_mode": modes[asked], "training": trained.record["inputs_hash"]},
    )
    return scoring.score_embedder(study, embedder, preprocessing=trained.preprocessing)


def model_name(trained_name: str, asked: str | None) -> str:
    """What the embeddings of a trained network are called, behind its own or another mode."""
    return trained_name if asked is None else f"{trained_name}-asked-{asked}"


def ablation_table(folder: Path, *, seed: int) -> pd.DataFrame:
    """What each change of model g does, from the records.

    Args:
        folder: a profile's results.
        seed: of the runs.

    Returns:
        One row a run of `ABLATION` whose records are there: what was trained and how, accuracy (of
        the classifier as trained), held-out mAP and precision@10 by articleType, and the median
        similarity of two random products with the share of pairs above 0.95.

    Raises:
        RecordError: there are none, or they are of different data.
    """
    shown = {}
    for run, asked in ABLATION:
        trained_name = f"label-{run}-seed{seed}"
        name = model_name(trained_name, asked)
        if (folder / f"spread-{name}.json").exists():
            shown[run, asked] = trained_name, f"{name}-cosine", f"spread-{name}"
    if not shown:
        raise RecordError(f"There is no ablation record in {folder}; run notebook 04 first.")
    names = [name for three in shown.values() for name in three]
    records = dict(zip(names, result_records.read_named(folder, names), strict=True))
    rows = []
    for (run, asked), three in shown.items():
        training_record, found, spread = (records[name] for name in three)
        micro = found["protocols"]["held_out"]["labels"]["articleType"]["micro"]
        plan = LABEL_RUNS[run]
        rows.append(
            {
                "run": run,
                "learns": plan.core.trained,
                "photos": plan.preprocessing,
                "activation": plan.core.activation,
                "trained behind": plan.input_mode,
                "asked behind": asked or plan.input_mode,
                "accuracy": np.nan if asked else training_record["accuracy"]["micro"],
                "mAP": micro["mAP"]["value"],
                "precision@10": micro["precision@10"]["value"],
                "median similarity": spread["similarity"]["median"],
                "pairs above 0.95": spread["similarity"]["above 0.95"],
            }
        )
    return pd.DataFrame(rows)


def _stages(plan: LabelRun, epochs: int | None) -> dict[str, TrainingSettings]:
    stages = {"warm-up": plan.warm_up, "fine-tuning": plan.fitting}
    return {
        stage: fitting if epochs is None else replace(fitting, epochs=min(epochs, fitting.epochs))
        for stage, fitting in stages.items()
        if fitting is not None
    }


def _fit_stage(
    core: keras.Model,
    pictures: np.ndarray,
    codes: np.ndarray,
    parts: splits.Split,
    plan: LabelRun,
    fitting: TrainingSettings,
    *,
    stage: str,
    input_mode: str,
    checkpoint: fit.Checkpoint,
    seed: int,
) -> pd.DataFrame:
    """One training: of the head alone on features made once, or of the whole network."""
    is_head_only = stage == "warm-up" or plan.core.trained == "head"
    chosen = {"fit": parts.is_fit, "validation": parts.is_validation}
    sets = {what: (pictures[mask], codes[mask]) for what, mask in chosen.items() if mask.any()}
    if is_head_only:
        sets = {
            what: (end_to_end.pooled_features(core, input_mode, x), y)
            for what, (x, y) in sets.items()
        }
        model = core.get_layer("top")
    else:
        model = end_to_end.behind_inputs(core, input_mode, augment=plan.augment, seed=seed)
    n_classes = core.output["logits"].shape[-1]
    sets = {what: (x, objectives.one_hot(y, n_classes)) for what, (x, y) in sets.items()}
    fit_codes = codes[parts.is_fit]
    batches = fit.Batches(
        *sets["fit"],
        lambda epoch: samplers.shuffled_batches(
            len(fit_codes), batch_size=min(fitting.batch_size, len(fit_codes)), seed=seed,
            epoch=epoch, drop_last=False,
        ),
        weights=samplers.sampling_weights(fit_codes, plan.balance) if plan.balance else None,
    )  # fmt: skip
    loss = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=plan.label_smoothing
    )
    classifier = keras.Model(model.inputs, model.output["logits"])
    return fit.fit(
        classifier, batches, fitting, loss=loss, metrics=["accuracy"],
        validation=sets.get("validation"), checkpoint=checkpoint, seed=seed,
    )  # fmt: skip


def _predict(core: keras.Model, input_mode: str, pictures: np.ndarray) -> dict[str, np.ndarray]:
    return end_to_end.predict(end_to_end.behind_inputs(core, input_mode), pictures)
