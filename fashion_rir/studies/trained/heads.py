"""The experiments of notebook 04 and 08 on heads: small networks on stored embeddings of the
whole catalogue, and the embeddings that can be made of what they say. Each leaves a record.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from fashion_rir.data import splits
from fashion_rir.data.labels import LabelClasses, class_codes, learn_classes
from fashion_rir.embedding import backbones
from fashion_rir.embedding.embedded import Embedded
from fashion_rir.errors import ParameterError
from fashion_rir.evaluation import intervals, rankings
from fashion_rir.search import transforms
from fashion_rir.studies.names import head_name
from fashion_rir.studies.study import Study
from fashion_rir.studies.trained.runs import describe, folder, label_scores, left_by, write
from fashion_rir.studies.trained.spread import spread
from fashion_rir.training import fit, heads
from fashion_rir.training.contrastive import Contrastive, first_attribute
from fashion_rir.training.fit import TrainingSettings
from fashion_rir.training.heads import HeadSettings, JoinShares, ProjectionSettings
from fashion_rir.training.objectives import Classification
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace import stores

ATTRIBUTES = ("articleType", "baseColour", "gender", "usage", "season")


@dataclass(frozen=True)
class AttributeRun:
    """A head of several attributes, and what it says of every product.

    Attributes:
        name: such as `attributes-resnet50-224-pad-seed20`.
        logits: by label, float32 (n_products, n_classes).
        metadata: of the embeddings that can be made of them, without name and size.
        record: of the training.
    """

    name: str
    logits: dict[str, np.ndarray]
    metadata: dict[str, object]
    record: dict

    def joined(self, what: str, stored: np.ndarray, shares: JoinShares) -> Embedded:
        """The joined embedding, with the metadata that `scoring.retrieval` needs.

        Args:
            what: says how it was joined; becomes part of the model's name.
            stored: float32 (n_products, dim), the features that the head was trained on.
            shares: of the parts.
        """
        vectors = heads.joined_embedding(self.logits, stored, shares)
        about = {"model": f"{self.name}-{what}", "embedding_dim": vectors.shape[1],
                 "searched": what}  # fmt: skip
        return Embedded(vectors, {**self.metadata, "shares": str(shares), **about})


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
class HeadRun:
    """A head trained on stored embeddings, and what it says of every product.

    Attributes:
        name: such as `probe-resnet50-224-pad-seed20`.
        logits: float32, shape (n_products, n_classes).
        hidden: float32, the hidden layer's numbers, shape (n_products, hidden); none for a probe.
        codes: true classes, int64, shape (n_products,); -1 where there is none.
        classes: in the order of the logits.
        metadata: of the embeddings that can be made of them, without name and size.
        record: of the training.
    """

    name: str
    logits: np.ndarray
    hidden: np.ndarray
    codes: np.ndarray
    classes: LabelClasses
    metadata: dict[str, object]
    record: dict

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


@dataclass(frozen=True)
class ContrastiveRun(HeadRun):
    """A contrastive head and what it makes of every product.

    As `HeadRun`; `logits` are a hybrid's, and have no columns otherwise; `codes` and `classes`
    are of articleType.

    Attributes:
        projection: float32, shape (n_products, projection).
    """

    projection: np.ndarray


def run_head(
    study: Study,
    models: Sequence[Embedded],
    kind: str,
    settings: HeadSettings,
    fitting: TrainingSettings,
    *,
    label: str = "articleType",
    seed: int,
) -> HeadRun:
    """Train a head on the stored embeddings of one or more backbones.

    Args:
        study: its products, split, seed and folders.
        models: embeddings and metadata of each backbone, from `stores.embed`.
        kind: what to call the head, such as `probe`.
        settings: its form.
        fitting: epochs and so on; with `patience`, validation products choose the epoch.
        label: what it learns to tell.
        seed: of weights, order and dropout.

    Returns:
        The head's answers; its record (kind `training`) is written.

    Raises:
        ParameterError: embeddings of another number of products, or too few classes.
        TrainingError: see `fit.fit`.
    """
    name = head_name(kind, [metadata["model"] for _, metadata in models], seed)
    features = transforms.joint_features([matrix for matrix, _ in models])
    if len(features) != len(study.catalog):
        raise ParameterError(
            f"{len(features)} embeddings do not fit {len(study.catalog)} products; embed this "
            "catalogue."
        )
    parts = splits.split(study.catalog.products, seed=study.seed)
    values = study.catalog.products[label]
    is_train = parts.is_fit | parts.is_validation
    n_unseen = int((values.notna() & ~values.isin(values[is_train])).sum())
    values = values.where(values.isin(values[parts.is_fit]))  # a class that nobody could learn
    classes = learn_classes(label, values, parts.is_fit)
    codes = classes.codes(values)
    metadata = stores.joint_metadata(models, settings, family="label-heads", run=kind, seed=seed,
                                     label=label)  # fmt: skip
    inputs = describe(study, metadata, parts, seed) | {
        "run": kind,
        "label": label,
        "split_seed": study.seed,
        "stages": {"head": asdict(fitting)},
        "head": asdict(settings),
        "n_without_class": int((codes < 0).sum()),
        "n_untrained_class": n_unseen,
    }
    checkpoint = fit.Checkpoint(
        folder(study.workspace, name, inputs), {"inputs": result_records.hash_inputs(inputs)}
    )
    start = time.perf_counter()
    head, curve = heads.train_head(
        (features[parts.is_fit], {label: codes[parts.is_fit]}),
        Classification({label: classes}, settings.label_smoothing, settings.balance),
        settings, fit.Training(fitting, seed, checkpoint),
        validation=(features[parts.is_validation], {label: codes[parts.is_validation]}),
    )  # fmt: skip
    seconds = time.perf_counter() - start
    outputs = head.outputs(features)
    scores = label_scores(outputs[label][parts.is_test], codes[parts.is_test], classes)
    record = write(study.workspace, name, inputs, curve, scores, seconds=seconds)
    metadata |= left_by(record) | {"weights_sha256": backbones.hash_values(head.model)}
    # A probe has no layer of its own; its standardised inputs would only fill the memory.
    hidden = outputs["hidden"][:, : settings.hidden or 0].copy()
    return HeadRun(name, outputs[label], hidden, codes, classes, metadata, record)


def ensemble(runs: Sequence[HeadRun]) -> HeadRun:
    """Heads of several seeds as one: their posteriors are averaged.

    Args:
        runs: of the same kind on the same features.

    Returns:
        As a `HeadRun` whose `hidden` is empty and whose record is the first head's.

    Raises:
        ParameterError: no heads, or heads of different classes or products.
    """
    n_kinds = len({run.classes for run in runs})
    if n_kinds != 1:
        raise ParameterError(
            f"An ensemble takes heads of one set of classes, not of {n_kinds}; give the seeds of "
            "one kind of head."
        )
    first = runs[0]
    seeds = [run.metadata["seed"] for run in runs]
    metadata = averaged([run.metadata for run in runs])
    name = head_name(str(metadata["run"]), str(metadata["features"]).split("+"), *seeds)
    logits = heads.mean_logits([run.logits for run in runs])
    return HeadRun(name, logits, np.empty((len(logits), 0), dtype=np.float32), first.codes,
                   first.classes, metadata, first.record)  # fmt: skip


def averaged(metadata: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """What the embeddings of several seeds' heads depend on, whose outputs are averaged."""
    parts = {"seed": None, "training": None, "weights_sha256": 12}
    return dict(metadata[0]) | {
        key: "+".join(str(one[key])[:length] for one in metadata) for key, length in parts.items()
    }


def choose_temperature(
    logits: np.ndarray,
    codes: np.ndarray,
    parts: splits.Split,
    *,
    n_queries: int = 500,
    seed: int,
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
        score = mean_average_precision(vectors, codes, drawn, ~parts.is_test)
        rows.append({"temperature": temperature, "validation mAP": score})
    table = pd.DataFrame(rows)
    return float(table.loc[table["validation mAP"].idxmax(), "temperature"]), table


def mean_average_precision(
    embeddings: np.ndarray, codes: np.ndarray, queries: np.ndarray, in_gallery: np.ndarray
) -> float:
    """mAP by cosine of some queries over a part of the products, each without itself.

    Args:
        embeddings: float32, shape (n_products, dim).
        codes: classes, shape (n_products,).
        queries: row numbers, in the gallery too.
        in_gallery: bool, shape (n_products,).

    Returns:
        The mean over the queries that share a class with another product of the gallery.

    Raises:
        ParameterError: there is no such query.
    """
    ranked = rankings.rank_rows(embeddings, queries, np.flatnonzero(in_gallery))
    return rankings.mean_average_precision(ranked, codes)


def run_attribute_head(
    study: Study,
    models: Sequence[Embedded],
    settings: HeadSettings,
    fitting: TrainingSettings,
    *,
    kind: str = "attributes",
    labels: Sequence[str] = ATTRIBUTES,
    with_validation: bool = False,
    seed: int,
) -> AttributeRun:
    """Train a head of several attributes on the stored embeddings of one or more models.

    Parameters are chosen with heads whose validation products were kept aside. When all is
    chosen, a last training may take these products in as well.

    Args:
        study: its products, split, seed and folders.
        models: embeddings and metadata of each, from `stores.embed`.
        settings: the head's form.
        fitting: epochs and so on; validation products choose the epoch.
        kind: what to call the head.
        labels: what it learns to tell.
        with_validation: train on the validation products too; then no epoch is chosen.
        seed: of weights, order and dropout.

    Returns:
        The head's answers; its record (kind `training`) is written, with the accuracy of each
        label on the test products.

    Raises:
        ParameterError: embeddings of another number of products, or too few classes.
        TrainingError: see `fit.fit`.
    """
    name = head_name(kind, [metadata["model"] for _, metadata in models], seed)
    features = transforms.joint_features([matrix for matrix, _ in models])
    if len(features) != len(study.catalog):
        raise ParameterError(
            f"{len(features)} embeddings do not fit {len(study.catalog)} products; embed this "
            "catalogue."
        )
    parts = splits.split(study.catalog.products, seed=study.seed)
    if with_validation:
        nobody = np.zeros_like(parts.is_validation)
        parts = splits.Split(~parts.is_test, nobody, parts.is_test)
    classes, codes = _learned(study.catalog.products, labels, parts.is_fit)
    metadata = stores.joint_metadata(models, settings, family="attribute-heads", run=kind,
                                     seed=seed, label="+".join(labels))  # fmt: skip
    inputs = describe(study, metadata, parts, seed) | {
        "run": kind,
        "labels": list(labels),
        "split_seed": study.seed,
        "stages": {"head": asdict(fitting)},
        "head": asdict(settings),
        "n_without_class": {label: int((found < 0).sum()) for label, found in codes.items()},
    }
    checkpoint = fit.Checkpoint(
        folder(study.workspace, name, inputs), {"inputs": result_records.hash_inputs(inputs)}
    )
    sets = [(features[m], _of(codes, m)) for m in (parts.is_fit, parts.is_validation) if m.any()]
    start = time.perf_counter()
    head, curve = heads.train_head(
        sets[0], Classification(classes, settings.label_smoothing), settings,
        fit.Training(fitting, seed, checkpoint), validation=(*sets[1:], None)[0],
    )  # fmt: skip
    seconds = time.perf_counter() - start
    logits = head.outputs(features, *labels)
    scores = {label: _scores(logits[label], codes[label], parts.is_test) for label in labels}
    record = write(study.workspace, name, inputs, curve, {"accuracy": scores},
                                    seconds=seconds)  # fmt: skip
    metadata |= left_by(record) | {"weights_sha256": backbones.hash_values(head.model)}
    return AttributeRun(name, logits, metadata, record)


def run_contrastive_head(
    study: Study,
    models: Sequence[Embedded],
    kind: str,
    objective: Contrastive,
    settings: ProjectionSettings,
    fitting: fit.TrainingSettings,
    *,
    labels: Sequence[str] = ("articleType",),
    views: np.ndarray | None = None,
    seed: int,
) -> ContrastiveRun:
    """Train a contrastive head on the stored embeddings of one or more backbones.

    Args:
        study: its products, split, seed and folders.
        models: embeddings and metadata of each backbone, from `stores.embed`.
        kind: what to call the head, such as `supervised-1024`.
        objective: the loss and its batches.
        settings: the head's form.
        fitting: epochs, batch size (in products) and so on; with `patience`, validation products
            choose the epoch.
        labels: the attributes, articleType first; more than one for `multi_attribute` only.
        views: for `nt_xent`: stored embeddings of augmented views of every product by the one
            model in `models`, shape (n_products, n_views, dim). Clean embeddings are searched.
        seed: of weights, batches, views and dropout.

    Returns:
        The head's numbers for every product; its record (kind `training`) is written.

    Raises:
        ParameterError: embeddings or views of another number of products, no views for NT-Xent,
            and see `training.heads.train_head`.
        TrainingError: see `fit.fit`.
    """
    name = head_name(kind, [metadata["model"] for _, metadata in models], seed)
    features = transforms.joint_features([matrix for matrix, _ in models])
    shown = features if views is None else _unit_views(views)
    if not len(features) == len(shown) == len(study.catalog):
        raise ParameterError(
            f"{len(features)} embeddings and {len(shown)} products with views do not fit "
            f"{len(study.catalog)} products; embed this catalogue."
        )
    parts = splits.split(study.catalog.products, seed=study.seed)
    codes, classes = class_codes(study.catalog.products, labels, parts.is_fit)
    types = first_attribute(codes)
    metadata = stores.joint_metadata(models, settings, family="contrastive-heads", run=kind,
                                     seed=seed, label="+".join(labels))  # fmt: skip
    inputs = describe(study, metadata, parts, seed) | {
        "run": kind,
        "labels": list(labels),
        "split_seed": study.seed,
        "stages": {"head": asdict(fitting)},
        "head": asdict(settings),
        "objective": objective_inputs(objective, fitting.batch_size),
        "n_views": 1 if views is None else int(views.shape[1]),
        "n_without_class": int((types < 0).sum()),
    }
    checkpoint = fit.Checkpoint(
        folder(study.workspace, name, inputs), {"inputs": result_records.hash_inputs(inputs)}
    )
    start = time.perf_counter()
    head, curve = heads.train_head(
        (shown[parts.is_fit], codes[parts.is_fit]), objective, settings,
        fit.Training(fitting, seed, checkpoint),
        validation=(shown[parts.is_validation], codes[parts.is_validation]),
    )  # fmt: skip
    seconds = time.perf_counter() - start
    outputs = head.outputs(features)
    logits = outputs.get("logits", np.empty((len(features), 0), dtype=np.float32))
    seen = None
    if views is not None:
        seen = [
            head.outputs(shown[parts.is_test, view], "projection")["projection"] for view in (0, 1)
        ]
    measured = spread(
        outputs["projection"][parts.is_test], types[parts.is_test], views=seen, seed=study.seed
    )
    scores = {"spread": measured}
    if objective.name == "hybrid":
        scores |= label_scores(logits[parts.is_test], types[parts.is_test], classes)
    record = write(study.workspace, name, inputs, curve, scores, seconds=seconds)
    metadata |= left_by(record) | {"weights_sha256": backbones.hash_values(head.model)}
    hidden = outputs["hidden"][:, : settings.hidden or 0].copy()
    return ContrastiveRun(name, logits, hidden, types, classes, metadata, record,
                          outputs["projection"])  # fmt: skip


def objective_inputs(objective: Contrastive, batch_size: int) -> dict[str, object]:
    """An objective as a record holds it: only what it uses, with P and K of its batches."""
    used = {"name": objective.name}
    if objective.name == "triplet":
        used["margin"] = objective.margin
    else:
        used["temperature"] = objective.temperature
    if objective.name == "multi_attribute":
        used["shares"] = list(objective.shares)
    if objective.name == "hybrid":
        used["cross_entropy_share"] = objective.cross_entropy_share
    k = objective.products_per_class
    if objective.name == "nt_xent" or k is None:
        return used | {"batches": "shuffled"}
    return used | {"batches": "P x K", "P": batch_size // k, "K": k}


def _learned(
    products: pd.DataFrame, labels: Sequence[str], is_fit: np.ndarray
) -> tuple[dict[str, LabelClasses], dict[str, np.ndarray]]:
    """Classes and codes by label; a class that no product was trained on is no class."""
    classes, codes = {}, {}
    for label in labels:
        values = products[label]
        values = values.where(values.isin(values[is_fit]))
        classes[label] = learn_classes(label, values, is_fit)
        codes[label] = classes[label].codes(values)
    return classes, codes


def _of(codes: Mapping[str, np.ndarray], chosen: np.ndarray) -> dict[str, np.ndarray]:
    return {label: values[chosen] for label, values in codes.items()}


def _scores(logits: np.ndarray, codes: np.ndarray, is_test: np.ndarray) -> dict[str, float]:
    """Accuracy of one label on the test products that have it."""
    known = is_test & (codes >= 0)
    right = logits[known].argmax(axis=1) == codes[known]
    return {
        "micro": intervals.rounded(right.mean()) if known.any() else None,
        "n_products": int(known.sum()),
        "n_classes": logits.shape[1],
    }


def _unit_views(views: np.ndarray) -> np.ndarray:
    """Each view of length 1, as `transforms.joint_features` makes the clean embeddings."""
    rows = views.reshape(-1, views.shape[-1])
    return transforms.joint_features([rows]).reshape(views.shape)
