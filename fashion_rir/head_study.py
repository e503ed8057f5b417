"""The experiments of notebook 04 and 08 on heads: small networks on stored embeddings of the
whole catalogue, and the embeddings that can be made of what they say. Each leaves a record.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from fashion_rir import backbones, heads, metrics, results, training, training_records
from fashion_rir.catalog import Catalog
from fashion_rir.errors import ParameterError
from fashion_rir.heads import HeadSettings
from fashion_rir.labels import LabelClasses, learn_classes
from fashion_rir.retrieval import Gallery
from fashion_rir.training import TrainingSettings
from fashion_rir.workspace import Workspace

TEMPERATURES = (0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 1.3)


# The heads of notebook 04, and how much of the pretrained embeddings is put back beside one.
LABEL_HEADS = {
    "probe": HeadSettings(hidden=None, label_smoothing=0.0),
    "dense512": HeadSettings(label_smoothing=0.0),
}
RAW_SHARES = (0.05, 0.2, 0.4, 0.6)


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

    def embedding(
        self, what: str, vectors: np.ndarray, **made_by: object
    ) -> tuple[np.ndarray, dict[str, object]]:
        """Vectors made from this head, with the metadata that `experiments.retrieval` needs.

        Args:
            what: says how they were made; becomes part of the model's name.
            vectors: float32 (n_products, dim).
            made_by: what else they depend on, such as the temperature.
        """
        names = {"model": f"{self.name}-{what}", "embedding_dim": vectors.shape[1]}
        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        return vectors, {**self.metadata, **made_by, **names}


def run_head(
    workspace: Workspace,
    catalog: Catalog,
    models: Sequence[tuple[np.ndarray, Mapping[str, object]]],
    kind: str,
    settings: HeadSettings,
    fitting: TrainingSettings,
    *,
    label: str = "articleType",
    seed: int,
    split_seed: int,
) -> HeadRun:
    """Train a head on the stored embeddings of one or more backbones.

    Args:
        workspace: says where weights and records lie.
        catalog: the products.
        models: embeddings and metadata of each backbone, from `experiments.embed`.
        kind: what to call the head, such as `probe`.
        settings: its form.
        fitting: epochs and so on; with `patience`, validation products choose the epoch.
        label: what it learns to tell.
        seed: of weights, order and dropout.
        split_seed: of the split, which stays the same over several seeds.

    Returns:
        The head's answers; its record (kind `training`) is written.

    Raises:
        ParameterError: embeddings of another number of products, or too few classes.
        TrainingError: see `training.fit`.
    """
    names = [str(metadata["model"]) for _, metadata in models]
    name = f"{kind}-{'+'.join(names)}-seed{seed}"
    features = joint_features([matrix for matrix, _ in models])
    if len(features) != len(catalog):
        raise ParameterError(
            f"{len(features)} embeddings do not fit {len(catalog)} products; embed this catalogue."
        )
    parts = training_records.split(catalog.products, seed=split_seed)
    values = catalog.products[label]
    is_train = parts.is_fit | parts.is_validation
    n_unseen = int((values.notna() & ~values.isin(values[is_train])).sum())
    values = values.where(values.isin(values[parts.is_fit]))  # a class that nobody could learn
    classes = learn_classes(label, values, parts.is_fit)
    codes = classes.codes(values)
    metadata = joint_metadata(models, settings, label, seed)
    inputs = training_records.describe(workspace, catalog, metadata, parts, seed) | {
        "run": kind,
        "label": label,
        "split_seed": split_seed,
        "stages": {"head": asdict(fitting)},
        "head": asdict(settings),
        "n_without_class": int((codes < 0).sum()),
        "n_untrained_class": n_unseen,
    }
    checkpoint = training.Checkpoint(
        training_records.folder(workspace, name, inputs), {"inputs": results.hash_inputs(inputs)}
    )
    start = time.perf_counter()
    head, curve = heads.train_label_head(
        features[parts.is_fit], codes[parts.is_fit], classes, settings, fitting, seed=seed,
        validation=(features[parts.is_validation], codes[parts.is_validation]),
        checkpoint=checkpoint,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    outputs = head.model.predict(features, batch_size=heads.PREDICTED_AT_ONCE, verbose=0)
    scores = training_records.label_scores(
        outputs["logits"][parts.is_test], codes[parts.is_test], classes
    )
    record = training_records.write(workspace, name, inputs, curve, scores, seconds=seconds)
    metadata |= {"weights_sha256": backbones.hash_values(head.model)}
    # A probe has no layer of its own; its standardised inputs would only fill the memory.
    hidden = outputs["embedding"][:, : settings.hidden or 0].copy()
    return HeadRun(name, outputs["logits"], hidden, codes, classes, metadata, record)


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
    seeds = "+".join(str(run.metadata["seed"]) for run in runs)
    metadata = first.metadata | {
        "seed": seeds,
        "weights_sha256": "+".join(str(run.metadata["weights_sha256"])[:12] for run in runs),
    }
    name = f"{first.name.rpartition('-seed')[0]}-seeds{seeds}"
    logits = heads.mean_logits([run.logits for run in runs])
    return HeadRun(name, logits, np.empty((len(logits), 0), dtype=np.float32), first.codes,
                   first.classes, metadata, first.record)  # fmt: skip


def joint_model(
    models: Sequence[tuple[np.ndarray, Mapping[str, object]]],
) -> tuple[np.ndarray, dict[str, object]]:
    """Several backbones' embeddings as one model: side by side, each of length 1.

    Args:
        models: embeddings and metadata of each, from `experiments.embed`.
    """
    vectors = joint_features([matrix for matrix, _ in models])
    metadata = _joined(models)
    return vectors, metadata | {"embedding_dim": vectors.shape[1]}


def joint_features(matrices: Sequence[np.ndarray]) -> np.ndarray:
    """Embeddings of several backbones side by side, each of length 1.

    Args:
        matrices: float32, each of shape (n_products, dim_i).

    Returns:
        float32, shape (n_products, sum of dims).

    Raises:
        ParameterError: no embeddings, or of different numbers of products.
    """
    if len({len(m) for m in matrices}) != 1:
        raise ParameterError(
            "Embeddings side by side must be of the same products, not of "
            f"{[len(m) for m in matrices]}; embed the same catalogue by each backbone."
        )
    lengths = [np.maximum(np.linalg.norm(m, axis=1, keepdims=True), 1e-12) for m in matrices]
    return np.hstack([m / length for m, length in zip(matrices, lengths, strict=True)])


def joint_metadata(
    models: Sequence[tuple[np.ndarray, Mapping[str, object]]],
    settings: object,
    label: str,
    seed: int,
) -> dict[str, object]:
    """What a head's embeddings depend on beside its weights.

    Args:
        models: embeddings and metadata of each backbone, from `experiments.embed`.
        settings: the dataclass that says what the head is made of.
        label: what it learns to tell.
        seed: of the training.
    """
    joined = _joined(models)
    joined["features"] = joined.pop("model")
    joined["features_sha256"] = joined.pop("weights_sha256")
    return joined | {"head": json.dumps(asdict(settings)), "label": label, "seed": seed}


def cost_groups(models: Sequence[str], seeds: Sequence[int]) -> dict[str, list[str]]:
    """The retrieval records of notebook 04's heads, several seeds of one kind together.

    Args:
        models: the names of the stored embeddings: MobileNetV2 resized and padded, ResNet50 padded.
        seeds: of the heads.

    Returns:
        Names of records by what to call the group in a table.
    """
    resized, padded, resnet50 = models
    both, all_three = f"{resized}+{resnet50}", f"{resized}+{padded}+{resnet50}"
    first = f"dense512-{all_three}-seed{seeds[0]}"

    def posteriors(head: str) -> list[str]:
        return [f"{head}-seed{seed}-posterior-cosine" for seed in seeds]

    return {
        "MobileNetV2 as it is": [f"{resized}-cosine"],
        "ResNet50 as it is": [f"{resnet50}-cosine"],
        "all three as they are": [f"{all_three}-cosine"],
        "probe on both": posteriors(f"probe-{both}"),
        "head on MobileNetV2": posteriors(f"dense512-{resized}"),
        "head on ResNet50": posteriors(f"dense512-{resnet50}"),
        "head on both": posteriors(f"dense512-{both}"),
        "head on all three": posteriors(f"dense512-{all_three}"),
        "its hidden layer": [f"{first}-hidden-cosine"],
        "heads of all seeds": [
            f"dense512-{all_three}-seeds{'+'.join(map(str, seeds))}-posterior-cosine"
        ],
        **{f"head + {s:.0%} as they are": [f"{first}-posterior+raw{s}-cosine"] for s in RAW_SHARES},
    }


def cost_pairs(groups: Mapping[str, Sequence[str]]) -> list[tuple[str, str, str]]:
    """What notebook 04 compares query by query: two records and a label, from `cost_groups`."""
    head = groups["head on all three"][0]
    others = ("ResNet50 as it is", "all three as they are", "probe on both", "head on MobileNetV2",
              "head on ResNet50", "head on both", "its hidden layer")  # fmt: skip
    pairs = [(head, groups[other][0]) for other in others]
    pairs.append((groups["heads of all seeds"][0], head))
    pairs += [(groups[f"head + {s:.0%} as they are"][0], head) for s in RAW_SHARES]
    return [(first, second, "articleType") for first, second in pairs]


def choose_temperature(
    logits: np.ndarray,
    codes: np.ndarray,
    parts: training_records.Split,
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
    queries = queries[codes[queries] >= 0]
    rows = np.flatnonzero(in_gallery)
    gallery = Gallery(embeddings[rows], rows, "cosine")
    scores = []
    for block, order in gallery.rankings(embeddings[queries]):
        for query, ranking in zip(queries[block], rows[order], strict=True):
            ranks = metrics.relevant_ranks(codes[ranking[ranking != query]] == codes[query])
            if len(ranks):
                scores.append(metrics.average_precision(ranks))
    if not scores:
        raise ParameterError(
            "No query shares its class with another product of the gallery, so there is no mAP; "
            "take more products."
        )
    return float(np.mean(scores))


def _joined(models: Sequence[tuple[np.ndarray, Mapping[str, object]]]) -> dict[str, str]:
    """The backbones' metadata, joined by `+`."""
    keys = ("model", "backbone", "image_size", "preprocessing", "weights", "weights_sha256")
    return {key: "+".join(str(metadata[key]) for _, metadata in models) for key in keys}
