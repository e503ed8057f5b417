"""Training on articleType end to end: model g of the thesis, its ablation, and done right.

Each experiment of notebook 04 leaves a record, and the state of its training in a folder of its
own, so that it is not done twice.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from fashion_rir.data.labels import LabelClasses, learn_classes
from fashion_rir.data.splits import Split, without_validation
from fashion_rir.embedding import backbones
from fashion_rir.embedding.embedded import Embedded
from fashion_rir.errors import RecordError, unknown_name
from fashion_rir.studies import scoring
from fashion_rir.studies.study import Study
from fashion_rir.studies.trained import runs
from fashion_rir.studies.trained.end_to_end import Plan, Trained, cut, embedder, train
from fashion_rir.training import end_to_end, fit, objectives, samplers
from fashion_rir.training.end_to_end import CoreSettings
from fashion_rir.training.fit import TrainingSettings
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace import words


@dataclass(frozen=True)
class LabelRun(Plan):
    """One way to train on articleType end to end.

    Attributes, beside those of `Plan`:
        input_mode: `own` (what the weights were trained on), or one of `backbones.INPUT_MODES`.
        warm_up: of a first training of the head alone; None for none.
        label_smoothing: as in `heads.HeadSettings`.
        balance: as in `heads.HeadSettings`.
        validated: whether a part of the training products is kept aside to choose the epoch.
    """

    input_mode: str = "own"
    warm_up: TrainingSettings | None = None
    label_smoothing: float = 0.0
    balance: float = 0.0
    validated: bool = False


# What each run is, in a table.
DESCRIPTIONS = {
    "g": "g: everything learns",
    "g-unit": "g, trained in [0, 1]",
    "g-fixed-norm": "g, batch normalisation fixed",
    "g-frozen": "g, the network frozen",
    "g-frozen-unit": "frozen, trained in [0, 1]",
    "g-frozen-pad": "frozen, padded photos",
    "g-frozen-linear": "frozen, no ReLU",
    "done-right": "done right",
}

ASKED = {None: "", "unit": "; asked in [0, 1]", "own": "; asked in its own range"}

FULL_SIZE = 35_000  # products trained on, at least

SAID_APART = ("fitting", "warm_up", "statistics", "family")  # of a plan, in a record's inputs

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
class LabelTask:
    """To tell the articleTypes; an `end_to_end.Task`.

    Attributes, beside those of a task:
        classes: to tell.
        codes: of each product, int64, shape (n_products,).
        seed: of batches, dropout and augmentation.
    """

    name: str
    plan: LabelRun
    parts: Split
    input_mode: str
    stages: dict[str, TrainingSettings]
    inputs: dict[str, object]
    classes: LabelClasses
    codes: np.ndarray
    seed: int

    @property
    def n_classes(self) -> int:
        """Of the articleTypes."""
        return len(self.classes)

    def folder(self, stage: str) -> str:
        """A stage has a folder of its own."""
        return f"{self.name}-{stage}"

    def train(
        self, core: keras.Model, pictures: np.ndarray, stage: str, checkpoint: fit.Checkpoint
    ) -> pd.DataFrame:
        """Train the head alone on features made once, or the whole network."""
        plan, parts, fitting = self.plan, self.parts, self.stages[stage]
        codes, mode = self.codes, self.input_mode
        chosen = {"fit": parts.is_fit, "validation": parts.is_validation}
        shown = {what: pictures[mask] for what, mask in chosen.items() if mask.any()}
        if stage == "warm-up" or plan.core.trained == "head":
            shown = {what: end_to_end.pooled_features(core, mode, some)
                     for what, some in shown.items()}  # fmt: skip
            model = core.get_layer("top")
        else:
            model = end_to_end.behind_inputs(core, mode, augment=plan.augment, seed=self.seed)
        sets = {what: (some, objectives.one_hot(codes[chosen[what]], self.n_classes))
                for what, some in shown.items()}  # fmt: skip
        fit_codes = codes[parts.is_fit]
        batch_size = min(fitting.batch_size, len(fit_codes))
        batches = fit.Batches(
            *sets["fit"],
            objectives.shuffled(len(fit_codes), batch_size, seed=self.seed, drop_last=False),
            weights=samplers.sampling_weights(fit_codes, plan.balance) if plan.balance else None,
        )
        loss = keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=plan.label_smoothing
        )
        classifier = keras.Model(model.inputs, model.output["logits"])
        return fit.fit(
            classifier, batches, fit.Training(fitting, self.seed, checkpoint), loss=loss,
            metrics=["accuracy"], validation=sets.get("validation"),
        ).assign(stage=stage)  # fmt: skip

    def scores(self, logits: np.ndarray) -> dict[str, object]:
        """See `runs.label_scores`."""
        return runs.label_scores(logits, self.codes[self.parts.is_test], self.classes)


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
    parts = study.parts if plan.validated else without_validation(study.is_test)
    values = study.catalog.products["articleType"]
    classes = learn_classes("articleType", values, ~parts.is_test)
    input_mode = backbone.input_mode if plan.input_mode == "own" else plan.input_mode
    stages = {"warm-up": plan.warm_up, "fine-tuning": plan.fitting}
    stages = {stage: cut(fitting, epochs) for stage, fitting in stages.items() if fitting}
    inputs = {
        "run": run,
        "label": "articleType",
        "stages": {stage: asdict(fitting) for stage, fitting in stages.items()},
        **{k: v for k, v in asdict(plan).items() if k not in SAID_APART},
        "input_mode": input_mode,
    }
    task = LabelTask(f"label-{run}-seed{study.seed}", plan, parts, input_mode, stages, inputs,
                     classes, classes.codes(values), study.seed)  # fmt: skip
    return train(study, backbone, task)


def score_trained(study: Study, trained: Trained, *, asked: str | None = None) -> Embedded:
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
    said = {"asked": asked} if asked else {}
    found = embedder(study, trained, model_name(trained.name, asked), trained.core,
                     input_mode=modes[asked], **said)  # fmt: skip
    return scoring.score_embedder(study, found, preprocessing=trained.preprocessing)


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
        if result_records.is_there(folder, f"spread-{name}"):
            shown[run, asked] = trained_name, f"{name}-cosine", f"spread-{name}"
    if not shown:
        raise RecordError(f"There is no ablation record in {folder}; run notebook 04 first.")
    names = [name for three in shown.values() for name in three]
    records = dict(zip(names, result_records.read_named(folder, names), strict=True))
    rows = []
    for (run, asked), three in shown.items():
        training_record, found, spread = (records[name] for name in three)
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
                "mAP": found.estimate("held_out", "articleType", "mAP").value,
                "precision@10": found.estimate("held_out", "articleType", "precision@10").value,
                "median similarity": spread["similarity"]["median"],
                "pairs above 0.95": spread["similarity"]["above 0.95"],
            }
        )
    return pd.DataFrame(rows)


def ablation_names(run: str, seed: int) -> dict[str, str]:
    """The embeddings that the ablation asks of a run, by what to call them in a table.

    Args:
        run: key in `LABEL_RUNS`.
        seed: of the training.

    Example:
        >>> ablation_names("g", 20)["g: everything learns; asked in [0, 1]"]
        'label-g-seed20-asked-unit'
    """
    return {
        DESCRIPTIONS[run] + ASKED[asked]: model_name(f"label-{run}-seed{seed}", asked)
        for of_run, asked in ABLATION
        if of_run == run
    }


def full_size_names(folder: Path) -> dict[str, str]:
    """The trainings on `FULL_SIZE` products and more, whatever they are called.

    Args:
        folder: a profile's results.

    Returns:
        The embeddings' names by their words; none where there is no such training.
    """
    trained = result_records.read_kind(folder, "training")
    found = [
        one for one in trained
        if one["inputs"]["model"].get("family") == "label-end-to-end"
        and one["inputs"]["n_fit"] >= FULL_SIZE
    ]  # fmt: skip
    return {_in_words(one["inputs"]["model"]): one["name"] for one in found}


def _in_words(model: Mapping[str, str]) -> str:
    run = model["run"].removesuffix(f"-{model['backbone']}-{model['image_size']}")
    settled = ", settled" if model.get("statistics") == "settled" else ""
    network = words.WORDS.get(model["backbone"], model["backbone"])
    return f"{network}, {DESCRIPTIONS.get(run, run)}{settled}"


def trained_table(folder: Path, names: Mapping[str, str]) -> pd.DataFrame:
    """How well networks tell types, find and spread, from the records.

    Args:
        folder: a profile's results.
        names: embeddings by what to call them, such as `{"model g": "label-g-seed20"}`.

    Returns:
        Index: what they are called. `trained on` (products), `accuracy` (of the classifier behind
        the input mode that it was trained behind; missing for another), held-out `mAP` and `P@10`
        by articleType, `colour P@10`, and of two random products `median similarity` and `pairs
        above 0.95` (a share).

    Raises:
        RecordError: a record is missing, or they are of different data.
    """
    found = result_records.read_named(folder, [f"{name}-cosine" for name in names.values()])
    trained = {one["inputs_hash"]: one for one in result_records.read_kind(folder, "training")}
    rows = []
    for name, record in zip(names.values(), found, strict=True):
        model = record["inputs"]["model"]
        training = trained[model["training"]]
        spread = result_records.read(folder, f"spread-{name}")["similarity"]
        rows.append(
            {
                "trained on": training["inputs"]["n_fit"],
                "accuracy": np.nan if "asked" in model else training["accuracy"]["micro"],
                "mAP": record.estimate("held_out", "articleType", "mAP").value,
                "P@10": record.estimate("held_out", "articleType", "precision@10").value,
                "colour P@10": record.estimate("held_out", "baseColour", "precision@10").value,
                "median similarity": spread["median"],
                "pairs above 0.95": spread["above 0.95"],
            }
        )
    return pd.DataFrame(rows, index=pd.Index(names, name="model"))
