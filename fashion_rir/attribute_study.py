"""The experiments of notebook 08 on heads of several attributes: one embedding in which type,
colour, gender and usage all count. Each leaves a record.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd

from fashion_rir import (
    attribute_heads,
    backbones,
    evaluation,
    experiments,
    head_study,
    heads,
    results,
    training,
    training_records,
)
from fashion_rir.attribute_heads import JoinShares
from fashion_rir.catalog import Catalog
from fashion_rir.errors import ParameterError
from fashion_rir.heads import HeadSettings
from fashion_rir.labels import LabelClasses, learn_classes
from fashion_rir.training import TrainingSettings
from fashion_rir.workspace import Workspace

ATTRIBUTES = ("articleType", "baseColour", "gender", "usage", "season")
JOINED = ("articleType", "baseColour", "gender", "usage")  # what the graded nDCG looks at
# In this order, each with the best of those before: how much beside the type's share of 1.
GRID = {
    "temperature": (0.2, 0.3, 0.4, 0.5),
    "baseColour": (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2),
    "gender and usage": (0.0, 0.005, 0.01, 0.02, 0.05),
    "stored": (0.0, 0.02, 0.05, 0.1),
}
FIRST = {"temperature": 0.3, "baseColour": 0.05, "gender and usage": 0.02, "stored": 0.05}


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

    def joined(
        self, what: str, stored: np.ndarray, shares: JoinShares
    ) -> tuple[np.ndarray, dict[str, object]]:
        """The joined embedding, with the metadata that `experiments.retrieval` needs.

        Args:
            what: says how it was joined; becomes part of the model's name.
            stored: float32 (n_products, dim), the features that the head was trained on.
            shares: of the parts.
        """
        vectors = attribute_heads.joined_embedding(self.logits, stored, shares)
        names = {"model": f"{self.name}-{what}", "embedding_dim": vectors.shape[1]}
        return vectors, {**self.metadata, "shares": describe(shares), **names}


def run_attribute_head(
    workspace: Workspace,
    catalog: Catalog,
    models: Sequence[tuple[np.ndarray, Mapping[str, object]]],
    settings: HeadSettings,
    fitting: TrainingSettings,
    *,
    kind: str = "attributes",
    labels: Sequence[str] = ATTRIBUTES,
    with_validation: bool = False,
    seed: int,
    split_seed: int,
) -> AttributeRun:
    """Train a head of several attributes on the stored embeddings of one or more models.

    Parameters are chosen with heads whose validation products were kept aside. When all is
    chosen, a last training may take these products in as well.

    Args:
        workspace: says where weights and records lie.
        catalog: the products.
        models: embeddings and metadata of each, from `experiments.embed`.
        settings: the head's form.
        fitting: epochs and so on; validation products choose the epoch.
        kind: what to call the head.
        labels: what it learns to tell.
        with_validation: train on the validation products too; then no epoch is chosen.
        seed: of weights, order and dropout.
        split_seed: of the split, which stays the same over several seeds.

    Returns:
        The head's answers; its record (kind `training`) is written, with the accuracy of each
        label on the test products.

    Raises:
        ParameterError: embeddings of another number of products, or too few classes.
        TrainingError: see `training.fit`.
    """
    name = f"{kind}-{'+'.join(str(metadata['model']) for _, metadata in models)}-seed{seed}"
    features = head_study.joint_features([matrix for matrix, _ in models])
    if len(features) != len(catalog):
        raise ParameterError(
            f"{len(features)} embeddings do not fit {len(catalog)} products; embed this catalogue."
        )
    parts = training_records.split(catalog.products, seed=split_seed)
    if with_validation:
        nobody = np.zeros_like(parts.is_validation)
        parts = training_records.Split(~parts.is_test, nobody, parts.is_test)
    classes, codes = _learned(catalog.products, labels, parts.is_fit)
    metadata = head_study.joint_metadata(models, settings, "+".join(labels), seed)
    inputs = training_records.describe(workspace, catalog, metadata, parts, seed) | {
        "run": kind,
        "labels": list(labels),
        "split_seed": split_seed,
        "stages": {"head": asdict(fitting)},
        "head": asdict(settings),
        "n_without_class": {label: int((found < 0).sum()) for label, found in codes.items()},
    }
    checkpoint = training.Checkpoint(
        training_records.folder(workspace, name, inputs), {"inputs": results.hash_inputs(inputs)}
    )
    sets = [(features[m], _of(codes, m)) for m in (parts.is_fit, parts.is_validation) if m.any()]
    start = time.perf_counter()
    head, curve = attribute_heads.train_attribute_head(
        *sets[0],
        classes,
        settings,
        fitting,
        seed=seed,
        validation=(*sets[1:], None)[0],
        checkpoint=checkpoint,
    )
    seconds = time.perf_counter() - start
    logits = head.logits(features)
    scores = {label: _scores(logits[label], codes[label], parts.is_test) for label in labels}
    record = training_records.write(workspace, name, inputs, curve, {"accuracy": scores},
                                    seconds=seconds)  # fmt: skip
    metadata |= {"weights_sha256": backbones.hash_values(head.model)}
    return AttributeRun(name, logits, metadata, record)


def ensemble(runs: Sequence[AttributeRun]) -> AttributeRun:
    """Heads of several seeds as one: the posteriors of each label are averaged.

    Args:
        runs: of the same kind on the same features.

    Returns:
        As an `AttributeRun` whose record is the first head's.

    Raises:
        ParameterError: no heads, or heads of different labels, classes or products.
    """
    kinds = {tuple(run.logits) for run in runs}
    if len(kinds) != 1:
        raise ParameterError(
            f"An ensemble takes heads of the same labels, not of {len(kinds)} kinds; give the "
            "seeds of one kind of head."
        )
    first = runs[0]
    seeds = "+".join(str(run.metadata["seed"]) for run in runs)
    logits = {
        label: heads.mean_logits([run.logits[label] for run in runs]) for label in first.logits
    }
    metadata = first.metadata | {
        "seed": seeds,
        "weights_sha256": "+".join(str(run.metadata["weights_sha256"])[:12] for run in runs),
    }
    name = f"{first.name.rpartition('-seed')[0]}-seeds{seeds}"
    return AttributeRun(name, logits, metadata, first.record)


def choose_shares(
    workspace: Workspace,
    catalog: Catalog,
    run: AttributeRun,
    stored: np.ndarray,
    *,
    split_seed: int,
    what: str = "joined",
    least_colour: float | None = None,
    n_queries: int = 500,
    grid: Mapping[str, Sequence[float]] = GRID,
) -> tuple[JoinShares, dict]:
    """The shares that join best, as validation products ask among training products.

    One parameter after the other, in the order of the grid, takes the best value: the one with
    the highest sum of mAP by articleType and graded nDCG@10; or, where a least precision by colour
    is asked for, the highest mAP of those that reach it. No test product has a say.

    Args:
        workspace: says where records lie.
        catalog: the products.
        run: the head.
        stored: the features that it was trained on, float32 (n_products, dim).
        split_seed: of the split.
        what: what to call the joined embedding; becomes part of the record's name.
        least_colour: precision@10 by baseColour that must be reached, 0 to 1; None for the sum.
        n_queries: validation products that ask, at most.
        grid: the values to try, by the names in `FIRST`.

    Returns:
        The shares and the record (kind `choice`) with a row for every trial. One of the same
        inputs is not made again.

    Raises:
        ParameterError: there is no validation product.
    """
    parts = training_records.split(catalog.products, seed=split_seed)
    asking = np.random.default_rng(split_seed).permutation(np.flatnonzero(parts.is_validation))
    if len(asking) == 0:
        raise ParameterError("There is no validation product to choose the shares by.")
    is_query = np.zeros(len(catalog), dtype=bool)
    is_query[asking[:n_queries]] = True
    inputs = experiments.describe(workspace, catalog, run.metadata) | {
        "n_queries": int(is_query.sum()),
        "grid": {name: list(values) for name, values in grid.items()},
        "first": FIRST,
        "least_colour": least_colour,
        "seed": split_seed,
    }
    name = f"choice-{run.name}-{what}"
    if (record := results.read_same(workspace.results, name, inputs)) is not None:
        return _shares(record["chosen"]), record
    rows, chosen = [], dict(FIRST)
    shown = ~parts.is_test  # the gallery: no test product has a say
    for parameter, values in grid.items():
        trials = [chosen | {parameter: value} for value in values]
        for trial in trials:
            vectors = attribute_heads.joined_embedding(
                {label: logits[shown] for label, logits in run.logits.items()},
                stored[shown], _shares(trial),
            )  # fmt: skip
            scores = _validation(vectors, catalog.products[shown], is_query[shown])
            rows.append({"varied": parameter, **trial, **scores})
        tried = rows[-len(trials) :]
        worth = [_worth(row, least_colour) for row in tried]
        chosen = trials[worth.index(max(worth))]
    record = results.make_record("choice", name, inputs, rows=rows, chosen=chosen)
    results.write(record, workspace.results)
    return _shares(chosen), record


def describe(shares: JoinShares) -> str:
    """Shares as a record holds them.

    Example:
        >>> describe(JoinShares({"articleType": 1, "baseColour": 0.05}, stored=0.1))
        'articleType 1, baseColour 0.05, stored 0.1 at temperature 0.3'
    """
    parts = {**shares.attributes, "stored": shares.stored}
    listed = ", ".join(f"{name} {share:g}" for name, share in parts.items() if share > 0)
    return f"{listed} at temperature {shares.temperature:g}"


def without(shares: JoinShares, *parts: str) -> JoinShares:
    """Shares with some parts set to 0, to see what each part gives.

    Args:
        shares: as chosen.
        parts: labels, or `stored`.

    Raises:
        ParameterError: a part that the shares do not have, or no part left.
    """
    known = {*shares.attributes, "stored"}
    unknown = sorted(set(parts) - known)
    if unknown:
        raise ParameterError(
            f"There is no share of {', '.join(unknown)}; there are {', '.join(sorted(known))}."
        )
    kept = {label: 0.0 if label in parts else share for label, share in shares.attributes.items()}
    return replace(shares, attributes=kept, stored=0.0 if "stored" in parts else shares.stored)


def _shares(chosen: Mapping[str, float]) -> JoinShares:
    others = chosen["gender and usage"]
    attributes = {"articleType": 1.0, "baseColour": chosen["baseColour"]}
    return JoinShares(attributes | {"gender": others, "usage": others}, chosen["stored"],
                      chosen["temperature"])  # fmt: skip


def _worth(scores: Mapping[str, float], least_colour: float | None) -> tuple[float, ...]:
    """What a choice maximises; see `choose_shares`."""
    if least_colour is None:
        return (scores["mAP"] + scores["nDCG@10"],)
    colour = scores["baseColour precision@10"]
    return min(colour, least_colour), scores["mAP"]  # first as far as asked for, then the mAP


def _validation(
    vectors: np.ndarray, products: pd.DataFrame, is_query: np.ndarray
) -> dict[str, float]:
    """What the choice looks at, and the colour beside it."""
    found = evaluation.evaluate(
        vectors, products, is_query, measure="cosine", protocols=("held_out",)
    )["held_out"]
    return {
        "mAP": results.rounded(found.scores["articleType"]["mAP"].mean()),
        "nDCG@10": results.rounded(found.graded["nDCG@10"].mean()),
        "baseColour precision@10": results.rounded(
            found.scores["baseColour"]["precision@10"].mean()
        ),
    }


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
        "micro": results.rounded(right.mean()) if known.any() else None,
        "n_products": int(known.sum()),
        "n_classes": logits.shape[1],
    }
