"""What augmented views say, on frozen features: batch size, temperature, and what is destroyed.

A view is a product's photo after a random change (`augmentation`), seen by a frozen network. Views
are embedded once, into feature stores as all else, and then
- NT-Xent (Chen et al. 2020) trains a head on pairs of them, in seconds for each batch size and
  temperature;
- a changed photo asks among the clean ones, which says what a change takes from an embedding.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fashion_rir.embedding.embed import Embedder, batches
from fashion_rir.embedding.embedded import Embedded
from fashion_rir.errors import ParameterError
from fashion_rir.evaluation import intervals
from fashion_rir.search.gallery import Gallery
from fashion_rir.studies import names, scoring
from fashion_rir.studies.study import Study
from fashion_rir.studies.trained.heads import HeadPlan, HeadRun, run_head
from fashion_rir.studies.trained.spread import spread
from fashion_rir.training import augmentation
from fashion_rir.training.contrastive import Contrastive
from fashion_rir.training.fit import TrainingSettings
from fashion_rir.training.heads import ProjectionSettings
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace import stores

# Batch sizes at one temperature, and temperatures at one batch size.
NT_XENT_GRID = (
    *((size, 0.1) for size in (16, 32, 128, 512, 1024)),
    *((128, temperature) for temperature in (0.05, 0.5, 1.0)),
)

SINGLE_AUGMENTATIONS = ("none", "flip", "rotation", "zoom", "crop", "brightness", "contrast",
                        "hue", "grey")  # fmt: skip

ASKED_LABELS = {"type": "articleType", "colour": "baseColour", "gender": "gender"}

FOUND_AMONG = 10  # first matches


@dataclass(frozen=True)
class ViewEmbedder:
    """A network that sees every photo through a random change: an `embed.Embedder`.

    The change of a batch depends on its pictures, the seed and the number of the view alone, so a
    store that was broken off goes on as if it had not been.

    Attributes:
        network: embeds the changed photos.
        augment: key in `augmentation.AUGMENTATIONS`.
        view: the number of the view, from 0.
        seed: of the changes.
    """

    network: Embedder
    augment: str
    view: int
    seed: int

    @property
    def image_size(self) -> int:
        """Side of the square input in pixels."""
        return self.network.image_size

    def embed(self, batch: np.ndarray) -> np.ndarray:
        """uint8 (n, image_size, image_size, 3) to float32 (n, embedding_dim)."""
        return self.network.embed(self.change(batch))

    def change(self, batch: np.ndarray) -> np.ndarray:
        """The pictures as this view shows them: uint8 of the same shape."""
        drawn = np.random.default_rng([self.seed, self.view, zlib.crc32(batch.tobytes())])
        augment = augmentation.augmenter(self.augment, seed=int(drawn.integers(2**31)))
        return np.asarray(augment(batch, training=True)).round().astype(np.uint8)

    def metadata(self, preprocessing: str) -> dict[str, object]:
        """What a feature store says of the view."""
        base = self.network.metadata(preprocessing)
        base.pop("engine", None)  # engines are interchangeable
        name = f"view{self.view}-{self.augment}-{base['model']}"
        return base | {"model": name, "augmentation": self.augment, "view_seed": self.seed}


def stored_views(
    study: Study, network: Embedder, *, augment: str, n_views: int, preprocessing: str
) -> np.ndarray:
    """Embeddings of several augmented views of every product, taken from their stores or made.

    Args:
        study: its products, split, seed and folders.
        network: a backbone, or its ONNX twin.
        augment: key in `augmentation.AUGMENTATIONS`.
        n_views: of each product, at least 2.
        preprocessing: `resize` or `pad`.

    Returns:
        float32, shape (n_products, n_views, embedding_dim).

    Raises:
        ParameterError: fewer than two views, or an unknown augmentation.
        StoreError: see `stores.embed`.
    """
    if n_views < 2:
        raise ParameterError(f"A pair takes 2 views of a product at least, not {n_views}.")
    several = [
        stores.embed(
            study.workspace, study.catalog, ViewEmbedder(network, augment, view, study.seed),
            preprocessing=preprocessing,
        )[0]
        for view in range(n_views)
    ]  # fmt: skip
    return np.stack(several, axis=1)


def score_before(study: Study, model: Embedded, views: np.ndarray) -> dict:
    """Score the frozen embeddings themselves, with which the heads are compared.

    Args:
        study: its products, split, seed and folders.
        model: the clean embeddings and their metadata, from `sampled`.
        views: from `stored_views`.

    Returns:
        A record of kind `pairs`, named `pairs-<model>`: alignment and uniformity of the test
        products; the retrieval, `<model>-cosine`, is written beside it.
    """
    is_test = study.is_test
    found = scoring.retrieval(study, model, is_test, measure="cosine", protocols=("held_out",))

    def pairs() -> dict[str, object]:
        codes = pd.factorize(study.catalog.products["articleType"])[0]
        seen = views[is_test, 0], views[is_test, 1]
        return {"pairs": spread(model[0][is_test], codes[is_test], views=seen, seed=study.seed)}

    return study.record("pairs", f"pairs-{model[1]['model']}", found["inputs"], pairs)


def head_name(model: str, batch_size: int, temperature: float, seed: int) -> str:
    """What a head of `train_on_views` is called.

    Example:
        >>> head_name("mobilenetv2-128-resize", 128, 0.1, 20)
        'nt-xent-b128-t0.1-mobilenetv2-128-resize-seed20'
    """
    return names.head_name(run_name(batch_size, temperature), [model], seed)


def run_name(batch_size: int, temperature: float) -> str:
    """The recipe of a head of `train_on_views`."""
    return f"nt-xent-b{batch_size}-t{temperature:g}"


def train_on_views(
    study: Study, model: Embedded, views: np.ndarray, point: tuple[int, float], *, epochs: int
) -> HeadRun:
    """Train a head by NT-Xent on stored views, and score it on the clean photos.

    Args:
        study: its products, split, seed and folders.
        model: the clean embeddings and their metadata, from `stores.embed`.
        views: from `stored_views`.
        point: products a step, of which each has two views there, and the temperature of NT-Xent.
        epochs: passes over the training products.

    Returns:
        The head's numbers; two records are written: `head_name(...)` (training, with alignment
        and uniformity) and the retrieval by its projection, `<that>-projection-cosine`.

    Raises:
        ParameterError: see `heads.run_head`.
        TrainingError: see `fit.fit`.
    """
    batch_size, temperature = point
    plan = HeadPlan(
        run_name(batch_size, temperature), ProjectionSettings(),
        TrainingSettings(epochs=epochs, batch_size=batch_size, schedule="cosine"), study.seed,
        objective=Contrastive("nt_xent", temperature=temperature),
    )  # fmt: skip
    run = run_head(study, [model], plan, views=views)
    projected = run.embedding("projection", run.projection, batch_size=batch_size,
                              temperature=temperature)  # fmt: skip
    scoring.retrieval(study, projected, study.is_test, measure="cosine", protocols=("held_out",))
    return run


def grid_table(
    folder: Path, model: str, *, grid: Sequence[tuple[int, float]] = NT_XENT_GRID, seed: int
) -> pd.DataFrame:
    """What batch size and temperature do, from the records of `train_on_views`.

    Args:
        folder: a profile's results.
        model: the name of the stored embeddings.
        grid: batch sizes and temperatures.
        seed: of the heads.

    Returns:
        First the row `before` (see `score_before`), then one row a head. Columns: `batch size`,
        `temperature` and `steps` of the training, missing in the first row; held-out `type P@10`,
        `colour P@10`, `gender P@10` (missing where no product has the label); `alignment of views`,
        `alignment of types`, `uniformity`.

    Raises:
        RecordError: a record is missing, or they are of different data.
        ParameterError: an empty grid.
    """
    if len(grid) == 0:
        raise ParameterError("The grid is empty; give one batch size and temperature at least.")
    names = [head_name(model, size, temperature, seed) for size, temperature in grid]
    heads = result_records.read_named(folder, names)
    found = result_records.read_named(
        folder, [f"{model}-cosine", *(f"{name}-projection-cosine" for name in names)]
    )
    before = result_records.read(folder, f"pairs-{model}")["pairs"]
    rows = [_grid_row(found[0], before)]
    for (size, temperature), head, record in zip(grid, heads, found[1:], strict=True):
        steps = head["inputs"]["n_fit"] // size * len(head["curve"])
        how = {"batch size": size, "temperature": temperature, "steps": steps}
        rows.append(how | _grid_row(record, head["spread"]))
    shown = ["before", *(f"batch {size}, temperature {t:g}" for size, t in grid)]
    table = pd.DataFrame(rows, index=pd.Index(shown, name="head"))
    return table[["batch size", "temperature", "steps", *rows[0]]]


def ask_changed(
    study: Study, model: Embedded, network: Embedder, augment: str, *, preprocessing: str
) -> dict:
    """Ask with changed photos of the test products among the clean photos of all.

    Args:
        study: its products, split, seed and folders.
        model: the clean embeddings and their metadata, from `stores.embed`.
        network: made them; a backbone, or its ONNX twin.
        augment: key in `augmentation.AUGMENTATIONS`.
        preprocessing: of `model`.

    Returns:
        A record of kind `augmentation`, named `changed-<augment>-<model>`, also written:
        `precision@10` by label (the product's own photo left out; value, low, high) and
        `own_rank`, where the product's own clean photo stands: its median, and the share of
        queries that find it first.
    """
    clean, metadata = model
    queries = np.flatnonzero(study.is_test)
    embedder = ViewEmbedder(network, augment, 0, study.seed)
    inputs = study.describe(metadata) | {
        "n_queries": len(queries),
        "augmentation": augment,
        "seed": study.seed,
    }

    def ask() -> dict[str, object]:
        products = study.catalog.products
        asking = list(products["image_name"].iloc[queries])
        photos = batches(study.catalog, asking, embedder.image_size, preprocessing, batch_size=64)
        asked = np.concatenate([embedder.embed(batch)[: len(chunk)] for chunk, batch in photos])
        precision, own_rank = _found(clean, asked, queries, products, seed=study.seed)
        return {"own_rank": own_rank, "precision@10": precision}

    return study.record("augmentation", f"changed-{augment}-{metadata['model']}", inputs, ask)


def changed_table(
    folder: Path, model: str, augmentations: Sequence[str] = SINGLE_AUGMENTATIONS
) -> pd.DataFrame:
    """How much of each attribute a changed photo still finds, from the records.

    Args:
        folder: a profile's results.
        model: the name of the clean embeddings.
        augmentations: `none` and others.

    Returns:
        Index: the augmentation. Columns: `type P@10`, `colour P@10`, `gender P@10`, each of them
        with `<column> left`, its share of that of `none`, `own photo first` (share of queries)
        and `own photo's median rank`.

    Raises:
        RecordError: a record is missing, or they are of different data.
    """
    records = result_records.read_named(
        folder, [f"changed-{augment}-{model}" for augment in augmentations]
    )
    rows = [
        {
            **{
                f"{short} P@10": record["precision@10"].get(label, {}).get("value", np.nan)
                for short, label in ASKED_LABELS.items()
            },
            "own photo first": record["own_rank"]["first"],
            "own photo's median rank": record["own_rank"]["median"],
        }
        for record in records
    ]
    table = pd.DataFrame(rows, index=pd.Index(augmentations, name="augmentation"))
    for column in [f"{short} P@10" for short in ASKED_LABELS]:
        table[f"{column} left"] = table[column] / table.loc["none", column]
    return table


def _grid_row(record: dict, pairs: dict) -> dict[str, float]:
    return {
        **{
            f"{short} P@10": record.estimate("held_out", label, "precision@10").value
            if record.has_scores("held_out", label)
            else np.nan
            for short, label in ASKED_LABELS.items()
        },
        **{key: pairs[key] for key in ("alignment of views", "alignment of types", "uniformity")},
    }


def _found(
    clean: np.ndarray, asked: np.ndarray, queries: np.ndarray, products: pd.DataFrame, *, seed: int
) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """precision@10 by label, without a query's own photo, and where that photo stands."""
    gallery = Gallery(clean, products["id"].to_numpy(), "cosine")
    first, ranks = [], []
    for block, order in gallery.rankings(asked):
        is_own = order == queries[block][:, None]
        ranks.append(is_own.argmax(axis=1) + 1)
        others = order[~is_own].reshape(len(order), -1)
        first.append(others[:, :FOUND_AMONG])
    first, ranks = np.concatenate(first), np.concatenate(ranks)
    precision = {}
    for label in ASKED_LABELS.values():
        codes = pd.factorize(products[label])[0]
        is_known = codes[queries] >= 0
        if not is_known.any():  # no product has the label
            continue
        is_hit = codes[first[is_known]] == codes[queries[is_known]][:, None]
        mean = intervals.bootstrap_mean(is_hit.mean(axis=1)[:, None], seed=seed)[0]
        precision[label] = intervals.estimate_dict(mean)
    own_rank = {"median": float(np.median(ranks)), "first": intervals.rounded((ranks == 1).mean())}
    return precision, own_rank
