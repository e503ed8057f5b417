"""The experiments of notebooks 04, 05 and 08 on heads: small networks on stored embeddings of the
whole catalogue, and the embeddings that can be made of what they say. Each leaves a record.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd

from fashion_rir.data import splits
from fashion_rir.data.labels import LabelClasses, learn_labels, side_by_side
from fashion_rir.data.splits import Split
from fashion_rir.embedding import backbones
from fashion_rir.embedding.embedded import Embedded
from fashion_rir.errors import ParameterError
from fashion_rir.evaluation import intervals, rankings
from fashion_rir.search import transforms
from fashion_rir.studies.names import head_name
from fashion_rir.studies.study import Study
from fashion_rir.studies.trained import runs
from fashion_rir.studies.trained.spread import spread
from fashion_rir.training import fit, heads
from fashion_rir.training.contrastive import Contrastive
from fashion_rir.training.fit import TrainingSettings
from fashion_rir.training.heads import Head, HeadSettings, JoinShares, ProjectionSettings
from fashion_rir.training.objectives import Classification
from fashion_rir.workspace import stores

ATTRIBUTES = ("articleType", "baseColour", "gender", "usage", "season")


TEMPERATURES = (0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 1.3)


# The heads of notebook 04, and how much of the pretrained embeddings is put back beside one.
LABEL_HEADS = {
    "probe": HeadSettings(hidden=None, label_smoothing=0.0),
    "dense512": HeadSettings(label_smoothing=0.0),
}

# Contrastive heads by kind: the objective, and the labels that it looks at.
CONTRASTIVE_HEADS: dict[str, tuple[Contrastive, tuple[str, ...]]] = {
    "supervised": (Contrastive("supervised"), ("articleType",)),
    "hybrid": (Contrastive("hybrid"), ("articleType",)),
    "triplet": (Contrastive("triplet"), ("articleType",)),
    "multi-attribute": (
        Contrastive("multi_attribute", shares=(0.6, 0.3, 0.1)),
        ("articleType", "baseColour", "gender"),
    ),
}


@dataclass(frozen=True)
class HeadPlan:
    """One head to be trained on stored embeddings.

    Attributes:
        kind: what to call it, such as `probe`.
        settings: its form.
        fitting: epochs, batch size (in products) and so on; with `patience`, validation products
            choose the epoch.
        seed: of weights, batches, views and dropout.
        labels: what it learns to tell, or what its objective looks at, articleType first.
        objective: of a contrastive head; None tells classes.
        with_validation: train on the validation products too; then no epoch is chosen. Parameters
            are chosen with heads whose validation products were kept aside.
    """

    kind: str
    settings: HeadSettings | ProjectionSettings
    fitting: TrainingSettings
    seed: int
    labels: Sequence[str] = ("articleType",)
    objective: Contrastive | None = None
    with_validation: bool = False


@dataclass(frozen=True)
class HeadRun:
    """A head trained on stored embeddings, and what it makes of every product.

    Attributes:
        name: such as `probe-resnet50-224-pad-seed20`.
        logits: by label, float32 (n_products, n_classes); none where no class is told.
        codes: by label the true classes, int64, shape (n_products,); -1 where there is none.
        classes: by label, in the order of the logits.
        metadata: of the embeddings that can be made of it, without name and size.
        record: of the training.
        hidden: float32, the hidden layer's numbers, shape (n_products, hidden); no columns for a
            probe and for a head of several labels.
        projection: of a contrastive head, float32, shape (n_products, projection).
        head: what answered, for other photos; None of an ensemble.
    """

    name: str
    logits: dict[str, np.ndarray]
    codes: dict[str, np.ndarray]
    classes: dict[str, LabelClasses]
    metadata: dict[str, object]
    record: dict
    hidden: np.ndarray
    projection: np.ndarray | None = None
    head: Head | None = None

    def embedding(self, what: str, vectors: np.ndarray, **made_by: object) -> Embedded:
        """Vectors made from this head, with the metadata that `scoring.retrieval` needs.

        Args:
            what: says what is searched; becomes part of the model's name.
            vectors: float32 (n_products, dim).
            made_by: what else they depend on, such as the temperature; `raw_share`, of the
                embeddings that the head saw, beside what it makes of them.
        """
        share = f"+raw{made_by['raw_share']}" if "raw_share" in made_by else ""
        about = {"model": f"{self.name}-{what}{share}", "embedding_dim": vectors.shape[1],
                 "searched": what}  # fmt: skip
        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        return Embedded(vectors, {**self.metadata, **made_by, **about})

    def joined(self, what: str, stored: np.ndarray, shares: JoinShares) -> Embedded:
        """The joined embedding, with the metadata that `scoring.retrieval` needs.

        Args:
            what: says how it was joined; becomes part of the model's name.
            stored: float32 (n_products, dim), the features that the head was trained on.
            shares: of the parts.
        """
        vectors = heads.joined_embedding(self.logits, stored, shares)
        return self.embedding(what, vectors, shares=str(shares))


def run_head(
    study: Study, models: Sequence[Embedded], plan: HeadPlan, *, views: np.ndarray | None = None
) -> HeadRun:
    """Train a head on the stored embeddings of one or more models.

    Args:
        study: its products, split, seed and folders.
        models: embeddings and metadata of each, from `stores.embed`.
        plan: the head, what it learns, and how.
        views: for `nt_xent`, from `views.stored_views`; the clean embeddings are searched.

    Returns:
        The head's answers; its record (kind `training`) is written, with the accuracy of what it
        tells and the spread of what it projects, on the test products.

    Raises:
        ParameterError: embeddings or views of another catalogue, or see `heads.train_head`.
        TrainingError: see `fit.fit`.
    """
    features, shown = _features(study, models, views)
    parts = splits.without_validation(study.is_test) if plan.with_validation else study.parts
    learned = learn_labels(study.catalog.products, plan.labels, parts.is_fit)
    task = (_Telling if plan.objective is None else _Projecting)(plan, parts, *learned)
    metadata = stores.joint_metadata(models, plan.settings, **task.training)
    name = head_name(plan.kind, [metadata["model"] for _, metadata in models], plan.seed)
    inputs = runs.describe(study, metadata, parts, plan.seed) | {
        "run": plan.kind,
        "split_seed": study.seed,
        "stages": {"head": asdict(plan.fitting)},
        "head": asdict(plan.settings),
        **task.inputs(study, shown),
    }
    examples, asked = ((shown[mask], task.targets(mask)) if mask.any() else None
                       for mask in (parts.is_fit, parts.is_validation))  # fmt: skip
    training = fit.Training(plan.fitting, plan.seed, runs.checkpoint(study, name, inputs))
    start = time.perf_counter()
    head, curve = heads.train_head(examples, task.objective, plan.settings, training,
                                   validation=asked)  # fmt: skip
    seconds = time.perf_counter() - start
    outputs = head.outputs(features, *task.outputs)
    record = study.record(
        "training", name, inputs,
        lambda: runs.content(curve, seconds, task.scores(study, head, outputs, shown)),
    )  # fmt: skip
    metadata |= runs.left_by(record) | {"weights_sha256": backbones.hash_values(head.model)}
    # A probe has no layer of its own; its standardised inputs would only fill the memory.
    hidden = outputs.get("hidden", features[:, :0])[:, : plan.settings.hidden or 0].copy()
    return HeadRun(name, task.logits(outputs), task.codes, task.classes, metadata, record, hidden,
                   outputs.get("projection"), head)  # fmt: skip


def ensemble(several: Sequence[HeadRun]) -> HeadRun:
    """Heads of several seeds as one: the posteriors of each label are averaged.

    Args:
        several: of the same kind on the same features.

    Returns:
        As a `HeadRun` whose `hidden` is empty and whose record is the first head's.

    Raises:
        ParameterError: no heads, or heads of different classes or products.
    """
    n_kinds = len({tuple(run.classes.values()) for run in several})
    if n_kinds != 1:
        raise ParameterError(
            f"An ensemble takes heads of one set of classes, not of {n_kinds}; give the seeds of "
            "one kind of head."
        )
    first = several[0]
    metadata = _averaged([run.metadata for run in several])
    seeds = [run.metadata["seed"] for run in several]
    return replace(
        first,
        name=head_name(str(metadata["run"]), str(metadata["features"]).split("+"), *seeds),
        logits={label: heads.mean_logits([run.logits[label] for run in several])
                for label in first.logits},
        metadata=metadata,
        hidden=first.hidden[:, :0],
        projection=None,
        head=None,
    )  # fmt: skip


def choose_temperature(
    logits: np.ndarray, codes: np.ndarray, parts: splits.Split, *, n_queries: int = 500, seed: int
) -> tuple[float, pd.DataFrame]:
    """The temperature whose posterior finds best, as validation products ask.

    The gallery holds training and validation products: no test product has a say.

    Args:
        logits: float32, shape (n_products, n_classes).
        codes: classes, shape (n_products,).
        parts: the split.
        n_queries: validation products that ask, at most.
        seed: of their draw.

    Returns:
        The best of `TEMPERATURES`, and the mAP by temperature.

    Raises:
        ParameterError: no validation product, or none that shares its class with another product.
    """
    asking = np.flatnonzero(parts.is_validation & (codes >= 0))
    if len(asking) == 0:
        raise ParameterError("There is no validation product to choose a temperature by.")
    drawn = np.random.default_rng(seed).permutation(asking)[:n_queries]
    rows = []
    for temperature in TEMPERATURES:
        vectors = heads.posterior_embedding(logits, temperature=temperature)
        ranked = rankings.rank_rows(vectors, drawn, np.flatnonzero(~parts.is_test))
        score = rankings.mean_average_precision(ranked, codes)
        rows.append({"temperature": temperature, "validation mAP": score})
    table = pd.DataFrame(rows)
    return float(table.loc[table["validation mAP"].idxmax(), "temperature"]), table


@dataclass(frozen=True)
class _Learning:
    """What a head learns of which products."""

    plan: HeadPlan
    parts: Split
    classes: dict[str, LabelClasses]
    codes: dict[str, np.ndarray]

    @property
    def training(self) -> dict[str, object]:
        """As `stores.joint_metadata` takes it."""
        return {"family": self.family, "run": self.plan.kind, "seed": self.plan.seed,
                "label": "+".join(self.plan.labels)}  # fmt: skip


class _Telling(_Learning):
    """A head that tells the classes of one label or several."""

    @property
    def family(self) -> str:
        return "attribute-heads" if len(self.classes) > 1 else "label-heads"

    @property
    def objective(self) -> Classification:
        settings = self.plan.settings
        return Classification(self.classes, settings.label_smoothing, settings.balance)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Of several labels nothing but what it tells: the hidden layer fills the memory."""
        return tuple(self.classes) if len(self.classes) > 1 else ()

    def targets(self, chosen: np.ndarray) -> dict[str, np.ndarray]:
        return {label: codes[chosen] for label, codes in self.codes.items()}

    def inputs(self, study: Study, shown: np.ndarray) -> dict[str, object]:
        n_without = {label: int((codes < 0).sum()) for label, codes in self.codes.items()}
        if len(self.classes) > 1:
            return {"labels": list(self.classes), "n_without_class": n_without}
        ((label, number),) = n_without.items()
        values = study.catalog.products[label]
        is_unseen = values.notna() & ~values.isin(values[~self.parts.is_test])
        return {"label": label, "n_without_class": number,
                "n_untrained_class": int(is_unseen.sum())}  # fmt: skip

    def logits(self, outputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {label: outputs[label] for label in self.classes}

    def scores(
        self, study: Study, head: Head, outputs: Mapping[str, np.ndarray], shown: np.ndarray
    ) -> dict[str, object]:
        is_test = self.parts.is_test
        if len(self.classes) > 1:
            return {"accuracy": {label: _accuracy(outputs[label][is_test], codes[is_test])
                                 for label, codes in self.codes.items()}}  # fmt: skip
        ((label, codes),) = self.codes.items()
        return runs.label_scores(outputs[label][is_test], codes[is_test], self.classes[label])


class _Projecting(_Learning):
    """A contrastive head."""

    family = "contrastive-heads"

    outputs = ()  # all of them

    @property
    def objective(self) -> Contrastive:
        return self.plan.objective

    def targets(self, chosen: np.ndarray) -> np.ndarray:
        return side_by_side(self.codes)[chosen]

    def inputs(self, study: Study, shown: np.ndarray) -> dict[str, object]:
        return {
            "labels": list(self.classes),
            "objective": self.objective.recorded(self.plan.fitting.batch_size),
            "n_views": shown.shape[1] if shown.ndim == 3 else 1,
            "n_without_class": int((self._types < 0).sum()),
        }

    def logits(self, outputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {next(iter(self.classes)): outputs["logits"]} if "logits" in outputs else {}

    def scores(
        self, study: Study, head: Head, outputs: Mapping[str, np.ndarray], shown: np.ndarray
    ) -> dict[str, object]:
        is_test, types = self.parts.is_test, self._types[self.parts.is_test]
        views = None
        if shown.ndim == 3:
            views = tuple(head.outputs(shown[is_test, view], "projection")["projection"]
                          for view in (0, 1))  # fmt: skip
        measured = spread(outputs["projection"][is_test], types, views=views, seed=study.seed)
        told = {
            label: runs.label_scores(logits[is_test], types, self.classes[label])
            for label, logits in self.logits(outputs).items()
        }
        return {"spread": measured} | next(iter(told.values()), {})

    @property
    def _types(self) -> np.ndarray:
        return next(iter(self.codes.values()))


def _averaged(metadata: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """What the embeddings of several seeds' heads depend on, whose outputs are averaged."""
    lengths = {"seed": None, "training": None, "weights_sha256": 12}
    return dict(metadata[0]) | {
        key: "+".join(str(one[key])[:length] for one in metadata) for key, length in lengths.items()
    }


def _features(
    study: Study, models: Sequence[Embedded], views: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """What is searched, and what is trained on: the same, or views of length 1."""
    features = shown = transforms.joint_features([matrix for matrix, _ in models])
    if views is not None:  # each as `joint_features` makes the clean embeddings
        rows = views.reshape(-1, views.shape[-1])
        shown = transforms.joint_features([rows]).reshape(views.shape)
    if not len(features) == len(shown) == len(study.catalog):
        and_views = "" if views is None else f" and {len(shown)} products with views"
        raise ParameterError(
            f"{len(features)} embeddings{and_views} do not fit {len(study.catalog)} products; "
            "embed this catalogue."
        )
    return features, shown


def _accuracy(logits: np.ndarray, codes: np.ndarray) -> dict[str, float]:
    """Of one label, on the test products that have it."""
    known = codes >= 0
    right = logits[known].argmax(axis=1) == codes[known]
    return {
        "micro": intervals.rounded(right.mean()) if known.any() else None,
        "n_products": int(known.sum()),
        "n_classes": logits.shape[1],
    }
