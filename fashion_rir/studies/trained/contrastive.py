"""Contrastive training end to end: models h and i of the thesis, and what its chapter 6 advises.

Each run leaves a record of its training, one of its retrieval, and one of the pairs that it draws
together, so that it is not done twice. A batch shows two augmented views of each product.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from fashion_rir.data.catalog import Catalog
from fashion_rir.data.labels import LabelClasses, learn_labels, side_by_side
from fashion_rir.data.splits import Split, without_validation
from fashion_rir.embedding import backbones
from fashion_rir.embedding.embedded import Embedded
from fashion_rir.errors import ParameterError, unknown_name
from fashion_rir.studies import scoring
from fashion_rir.studies.study import Study
from fashion_rir.studies.trained import runs
from fashion_rir.studies.trained.end_to_end import Plan, Trained, cut, embedder, train
from fashion_rir.studies.trained.spread import spread
from fashion_rir.training import augmentation, end_to_end, fit
from fashion_rir.training.contrastive import Contrastive, first_attribute
from fashion_rir.training.end_to_end import CoreSettings, TunedEmbedder
from fashion_rir.training.fit import TrainingSettings
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.records import Record

N_VIEWS = 2

MEASURED_AUGMENTATION = "thesis"  # the views whose alignment is measured, for every run the same

MEASURED_VIEWS = 500  # products

SEARCHED = ("projection", "hidden")

ATTRIBUTES = {"type": "articleType", "colour": "baseColour", "gender": "gender", "usage": "usage"}


@dataclass(frozen=True)
class ContrastivePlan(Plan):
    """One way to train contrastively end to end.

    Attributes, beside those of `Plan`:
        objective: the loss and its batches.
        labels: the attributes that `objective` looks at, articleType first.
        pretrained: whether the backbone's weights are pretrained ones, or random.
    """

    core: CoreSettings = field(default_factory=lambda: CoreSettings(projection=128))
    augment: str = "thesis"
    family: str = "contrastive-end-to-end"
    objective: Contrastive = field(default_factory=lambda: Contrastive("nt_xent"))
    labels: tuple[str, ...] = ("articleType",)
    pretrained: bool = True


@dataclass(frozen=True)
class ContrastiveTask:
    """To draw alike products together; an `end_to_end.Task`.

    Attributes, beside those of a task:
        codes: classes, int64, shape (n_products,) or (n_products, n_labels).
        classes: the articleTypes.
        seed: of batches and augmentation.
    """

    name: str
    plan: ContrastivePlan
    parts: Split
    input_mode: str
    stages: dict[str, TrainingSettings]
    inputs: dict[str, object]
    codes: np.ndarray
    classes: LabelClasses
    seed: int

    @property
    def n_classes(self) -> int | None:
        """Of a hybrid's softmax."""
        return len(self.classes) if self.plan.objective.name == "hybrid" else None

    def folder(self, stage: str) -> str:
        """There is one stage."""
        return self.name

    def train(
        self, core: keras.Model, pictures: np.ndarray, stage: str, checkpoint: fit.Checkpoint
    ) -> pd.DataFrame:
        """Train on two views of each product; the augmenting layer makes them differ."""
        plan, fitting, is_fit = self.plan, self.stages[stage], self.parts.is_fit
        is_nt_xent = plan.objective.name == "nt_xent"
        labels = np.arange(is_fit.sum()) if is_nt_xent else self.codes[is_fit]
        sampler = plan.objective.batches(
            first_attribute(labels), fitting.batch_size, seed=self.seed
        )
        targets = plan.objective.targets(labels, "embedding")
        batches = fit.Batches(pictures[is_fit], targets, sampler, n_views=N_VIEWS)
        model = end_to_end.behind_inputs(
            core, self.input_mode, augment=plan.augment, seed=self.seed
        )
        training = fit.Training(fitting, self.seed, checkpoint)
        return fit.fit(model, batches, training, **plan.objective.compiled("embedding"))

    def scores(self, logits: np.ndarray) -> dict[str, object]:
        """See `runs.label_scores`."""
        is_test = self.parts.is_test
        return runs.label_scores(logits, first_attribute(self.codes)[is_test], self.classes)


def _by_type(name: str) -> Contrastive:
    """Four products of a type in each batch of 32."""
    return Contrastive(name, products_per_class=4)


H_32 = ContrastivePlan()  # 5 epochs, batches of 32, Adam at 0.001

FIXED_NORM = CoreSettings(projection=128, trained="all but batch normalisation")

# What the thesis describes (h, i), and what its chapter 6 advises, one change of h-32 at a time.
# The thesis names neither temperature nor learning rate.
CONTRASTIVE_RUNS = {
    "h-16": replace(H_32, fitting=TrainingSettings(batch_size=16)),
    "h-32": H_32,
    "i": replace(H_32, core=CoreSettings(hidden=None, projection=128), pretrained=False),
    "h-32-fixed-norm": replace(H_32, core=FIXED_NORM),
    "a": replace(H_32, objective=_by_type("supervised")),
    "b": replace(H_32, fitting=TrainingSettings(batch_size=128)),
    "c": replace(H_32, fitting=TrainingSettings(epochs=30)),
    "d": replace(H_32, augment="recommended"),
    "hybrid": replace(H_32, objective=_by_type("hybrid"), preprocessing="pad"),
    "triplet": replace(H_32, objective=_by_type("triplet")),
    "multi-attribute": replace(
        H_32, objective=_by_type("multi_attribute"), labels=("articleType", "baseColour", "gender")
    ),
    "hybrid-fixed-norm": replace(H_32, objective=_by_type("hybrid"), core=FIXED_NORM),
}

# What each run is, in a table.
DESCRIPTIONS = {
    "untrained": "the pretrained network as it is",
    "h-16": "model h, batches of 16",
    "h-32": "model h, batches of 32",
    "i": "model i: from random weights",
    "h-32-fixed-norm": "h-32, batch normalisation fixed",
    "a": "a: types as positives (SupCon)",
    "b": "b: batches of 128",
    "c": "c: 30 epochs",
    "d": "d: crop, brightness, contrast too",
    "hybrid": "cross-entropy + SupCon, padded",
    "triplet": "semi-hard triplets of types",
    "multi-attribute": "type, colour and gender as positives",
    "hybrid-fixed-norm": "cross-entropy + SupCon, batch normalisation fixed",
}


def training_name(run: str, backbone_name: str, image_size: int, seed: int) -> str:
    """What a run is called on disk: one backbone's runs never take another's place.

    Example:
        >>> training_name("h-32", "resnet50", 64, 20)
        'contrastive-h-32-resnet50-64-seed20'
    """
    return f"contrastive-{run}-{backbone_name}-{image_size}-seed{seed}"


def build_backbone(
    run: str, name: str, *, weights: str, image_size: int, seed: int
) -> backbones.Backbone:
    """The network that a run starts from; model i's has random weights whatever `weights` says.

    Args:
        run: key in `CONTRASTIVE_RUNS`.
        name: key in `backbones.BACKBONES`.
        weights: as in `backbones.build`.
        image_size: side of the square input in pixels.
        seed: of random weights.

    Raises:
        ParameterError: unknown run, and see `backbones.build`.
    """
    weights = weights if _plan(run).pretrained else "none"
    return backbones.build(name, weights=weights, image_size=image_size, seed=seed)


def train_end_to_end(
    study: Study,
    backbone: backbones.Backbone,
    run: str,
    *,
    plan: ContrastivePlan | None = None,
    epochs: int | None = None,
) -> Trained:
    """Train one of `CONTRASTIVE_RUNS`, or take what an earlier run of the same has left.

    Args:
        study: its products, split, seed and folders.
        backbone: from `build_backbone`; its weights are changed in place.
        run: key in `CONTRASTIVE_RUNS`; with a plan of your own, what to call it.
        plan: how to train; `CONTRASTIVE_RUNS[run]` if None.
        epochs: at most this many, for a quick run; the run's own if None.

    Returns:
        The trained network; its record (kind `training`) is written.

    Raises:
        ParameterError: unknown run, or batches that the products cannot fill (see
            `training.contrastive.Contrastive.batches`).
        TrainingError: see `fit.fit`.
    """
    plan = plan or _plan(run)
    fitting = cut(plan.fitting, epochs)
    name = training_name(run, backbone.name, backbone.image_size, study.seed)
    parts = without_validation(study.is_test)
    classes, codes = learn_labels(study.catalog.products, plan.labels, parts.is_fit)
    inputs = {
        "run": run,
        "labels": list(plan.labels),
        "stages": {"contrastive": asdict(fitting)},
        "objective": plan.objective.recorded(fitting.batch_size),
        "core": asdict(plan.core),
        "augment": plan.augment,
        "preprocessing": plan.preprocessing,
        "input_mode": backbone.input_mode,
    }
    task = ContrastiveTask(name, plan, parts, backbone.input_mode, {"contrastive": fitting},
                           inputs, side_by_side(codes), classes[plan.labels[0]],
                           study.seed)  # fmt: skip
    return train(study, backbone, task)


def score_trained(study: Study, trained: Trained, *, searched: str = "projection") -> Embedded:
    """Embed the catalogue by a trained network, and score its retrieval and its pairs.

    Args:
        study: its products, split, seed and folders.
        trained: from `train_end_to_end`.
        searched: `projection`, the head's last layer, or `hidden`, the ReLU layer before it.

    Returns:
        Embeddings and metadata. Three records are written: `<name>-cosine` (retrieval),
        `spread-<name>` (similarity of random pairs) and `pairs-<name>` (alignment, uniformity),
        where the name of the hidden layer ends in `-hidden`.

    Raises:
        ParameterError: unknown layer, no hidden layer, or another split than that of the training.
    """
    if searched not in SEARCHED:
        raise unknown_name("layer to search", searched, SEARCHED)
    is_hidden = searched == "hidden"
    name = f"{trained.name}-hidden" if is_hidden else trained.name
    core = _hidden_core(trained) if is_hidden else trained.core
    found = embedder(study, trained, name, core, searched=searched)
    return _score(study, found, trained.preprocessing)


def score_untrained(
    study: Study, backbone: backbones.Backbone, *, preprocessing: str = "resize"
) -> Embedded:
    """As `score_trained`, for the pooled features of a backbone as it is: the state before.

    Args:
        study: its products, split, seed and folders.
        backbone: freshly built.
        preprocessing: `resize` or `pad`.
    """
    network = backbone.network
    inputs = keras.Input(network.input_shape[1:], name="scaled")
    core = keras.Model(inputs, {"embedding": network(inputs)})
    embedder = TunedEmbedder(
        training_name("untrained", backbone.name, backbone.image_size, study.seed),
        end_to_end.behind_inputs(core, backbone.input_mode),
        backbone.metadata(preprocessing),
        {"input_mode": backbone.input_mode, "searched": "pooled features"},
    )
    return _score(study, embedder, preprocessing)


def runs_table(folder: Path, names: Mapping[str, str]) -> pd.DataFrame:
    """What each run finds and how its embeddings lie, from the records.

    Args:
        folder: a profile's results.
        names: embeddings by what to call them in the table, such as
            `{"model h": "contrastive-h-32-resnet50-64-seed20"}`.

    Returns:
        Index: the names to show. Columns: held-out `mAP` by articleType, `precision@10` by type,
        colour, gender and usage (missing where no product has the label), graded `nDCG@10`,
        `alignment of views`, `alignment of types`, `uniformity`, the median similarity of two
        random products, and `seconds` of the training (missing for a network as it is, and where
        the training has no record).

    Raises:
        RecordError: a record is missing, or they are of different data.
    """
    names = dict(names)
    found = result_records.read_named(folder, [f"{name}-cosine" for name in names.values()])
    trained = {one["inputs_hash"]: one["timings"]["training_seconds"]
               for one in result_records.read_kind(folder, "training")}  # fmt: skip
    rows = []
    for name, record in zip(names.values(), found, strict=True):
        pairs = result_records.read(folder, f"pairs-{name}")["pairs"]
        spread = result_records.read(folder, f"spread-{name}")["similarity"]
        seconds = trained.get(record["inputs"]["model"].get("training"), np.nan)
        rows.append(
            {
                "mAP": record.estimate("held_out", "articleType", "mAP").value,
                **{
                    f"{short} P@10": _precision(record, label)
                    for short, label in ATTRIBUTES.items()
                },
                "nDCG@10": record.estimate("held_out", "graded", "nDCG@10").value,
                "alignment of views": pairs["alignment of views"],
                "alignment of types": pairs["alignment of types"],
                "uniformity": pairs["uniformity"],
                "median similarity": spread["median"],
                "seconds": seconds,
            }
        )
    return pd.DataFrame(rows, index=pd.Index(names, name="run"))


def _precision(record: Record, label: str) -> float:
    if not record.has_scores("held_out", label):
        return np.nan
    return record.estimate("held_out", label, "precision@10").value


def _plan(run: str) -> ContrastivePlan:
    if run not in CONTRASTIVE_RUNS:
        raise unknown_name("contrastive run", run, CONTRASTIVE_RUNS)
    return CONTRASTIVE_RUNS[run]


def _hidden_core(trained: Trained) -> keras.Model:
    """The same network, ending at the ReLU layer before the projection."""
    if trained.record["inputs"]["core"]["hidden"] is None:
        raise ParameterError(f"{trained.name} has no hidden layer; search its projection.")
    inputs = keras.Input(trained.core.input_shape[1:], name="scaled")
    pooled = trained.core.layers[1](inputs)
    dense = trained.core.get_layer("top").layers[1]
    return keras.Model(inputs, {"embedding": dense(pooled)})


def _score(study: Study, embedder: TunedEmbedder, preprocessing: str) -> Embedded:
    model = scoring.score_embedder(study, embedder, preprocessing=preprocessing)
    name = str(model[1]["model"])
    scored = result_records.read(study.results, f"{name}-cosine")
    inputs = scored["inputs"] | {"augmentation": MEASURED_AUGMENTATION}

    def pairs() -> dict[str, object]:
        is_test = study.is_test
        codes = pd.factorize(study.catalog.products["articleType"])[0]
        views = _views(study.catalog.subset(is_test), embedder, preprocessing, seed=study.seed)
        return {"pairs": spread(model[0][is_test], codes[is_test], views=views, seed=study.seed)}

    study.record("pairs", f"pairs-{name}", inputs, pairs)
    return model


def _views(
    queries: Catalog, embedder: TunedEmbedder, preprocessing: str, *, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings of two augmented views of some test products."""
    rows = np.random.default_rng(seed).permutation(len(queries))[:MEASURED_VIEWS]
    names = list(queries.products["image_name"].iloc[rows])
    pictures = end_to_end.load_pictures(queries, names, embedder.image_size, preprocessing)
    augment = augmentation.augmenter(MEASURED_AUGMENTATION, seed=seed)

    def look() -> np.ndarray:
        return np.concatenate(
            [
                embedder.embed(np.asarray(augment(batch, training=True)).round().astype(np.uint8))
                for batch in np.array_split(pictures, -(-len(pictures) // 64))
            ]
        )

    return look(), look()
