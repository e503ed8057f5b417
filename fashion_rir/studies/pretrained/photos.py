"""The experiments of notebook 08 on the photo itself: its size, how it is brought to a square,
and several products in one photo.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from fashion_rir.data.catalog import Catalog
from fashion_rir.data.splits import ASKED_PROTOCOLS
from fashion_rir.embedding import backbones, embed
from fashion_rir.embedding.embedded import Embedded
from fashion_rir.errors import ParameterError
from fashion_rir.evaluation import intervals
from fashion_rir.search import boxes
from fashion_rir.search.gallery import Gallery
from fashion_rir.studies import scoring
from fashion_rir.studies.study import Study
from fashion_rir.workspace import records as result_records

COLUMNS = {  # of the table: label and metric
    "mAP": ("articleType", "mAP"),
    "precision@10": ("articleType", "precision@10"),
    "colour P@10": ("baseColour", "precision@10"),
    "graded nDCG@10": ("graded", "nDCG@10"),
}

WAYS = {
    "hit_rate_whole_photo": "the whole photo",
    "hit_rate_detected_boxes": "each object that the detector finds",
    "hit_rate_true_boxes": "each object, as the reader crops it",
}


def score_pretrained(study: Study, plan: Sequence[tuple[str, int, str]]) -> list[str]:
    """Embed and score the catalogue by networks of several sizes and preprocessings.

    Args:
        study: its products, split, seed and folders.
        plan: backbone, image size in pixels and preprocessing of each.

    Returns:
        The models' names, in the plan's order.

    Raises:
        ParameterError: no entry, one that is no triple, an unknown name, or a size too small.
        WeightsError: the weights of a backbone are not to be had.
    """
    _check_plan(plan)
    names = []
    networks: dict[tuple[str, int], backbones.Backbone] = {}
    for backbone, size, preprocessing in plan:
        if (backbone, size) not in networks:
            networks[backbone, size] = study.network(backbone, size)
        model = study.embed(networks[backbone, size], preprocessing)
        scoring.retrieval(study, model, study.is_test, measure="cosine", protocols=ASKED_PROTOCOLS)
        names.append(str(model[1]["model"]))
    return names


def size_table(folder: Path, names: Sequence[str]) -> pd.DataFrame:
    """What size and preprocessing do, from the retrieval records of some models.

    Args:
        folder: a profile's results.
        names: of the models, from `score_pretrained`.

    Returns:
        One row a model: `backbone`, `image size` (pixels), `preprocessing`, `mAP` and
        `precision@10` by articleType, `colour P@10` and `graded nDCG@10`, held out, micro. The
        last is missing where a record is older than this metric.

    Raises:
        RecordError: one is missing, or they are of different data.
    """
    rows = []
    for record in result_records.read_named(folder, [f"{name}-cosine" for name in names]):
        model = record["inputs"]["model"]
        rows.append(
            {
                "backbone": model["backbone"],
                "image size": int(model["image_size"]),
                "preprocessing": model["preprocessing"],
                **{
                    column: record.estimate("held_out", label, metric).value
                    for column, (label, metric) in COLUMNS.items()
                    if record.has_scores("held_out", label)
                },
            }
        )
    return pd.DataFrame(rows)


def search_photos(
    study: Study,
    model: Embedded,
    embedder: embed.Embedder,
    *,
    n_photos: int,
    per_photo: Sequence[int] = (2, 3, 4),
) -> dict:
    """Search composed photos as a whole and object by object, as a record.

    Args:
        study: its products, split, seed and folders; photos are composed of test products.
        model: their embeddings (n_products, embedding_dim) and metadata.
        embedder: the network that made them; embeds the photos and what is cut out of them.
        n_photos: of each number of products.
        per_photo: products in a photo, 2 to 4, one row each.

    Returns:
        A record of kind `objects`; its `rows` are those of `boxes.study`, and `n_blank` counts
        the products that were not drawn on because their photo shows nothing but white. One of
        the same inputs is not made again.

    Raises:
        ParameterError: see `boxes.study`.
    """
    metadata = model[1]
    inputs = {
        **study.describe(metadata),
        "n_test": int(study.is_test.sum()),
        "n_photos": n_photos,
        "per_photo": list(per_photo),
        "detector": "split",
        "seed": study.seed,
    }
    return study.record("objects", objects_name(str(metadata["model"])), inputs,
                        lambda: _searched(study, model, embedder, inputs))  # fmt: skip


def objects_name(model: str) -> str:
    """The name of the record of `search_photos`."""
    return f"objects-{model}"


def objects_table(record: Mapping) -> pd.DataFrame:
    """The record of `search_photos`: one row a way to search, one column a number of products.

    The numbers are the share of a photo's products of whose class one is among the first 5
    results, 0 to 1.
    """
    rows = {f"{int(row['per_photo'])} products": row for row in record["rows"]}
    table = pd.DataFrame(
        {n: {way: row[key] for key, way in WAYS.items()} for n, row in rows.items()}
    )
    return table.rename_axis("searched with")


def _check_plan(plan: Sequence[tuple[str, int, str]]) -> None:
    if len(plan) == 0:
        raise ParameterError(
            "The plan is empty; give a backbone, an image size and a preprocessing once at least."
        )
    for entry in plan:
        if len(entry) != 3:
            raise ParameterError(
                f"The plan's entry {list(entry)} must hold a backbone, an image size in pixels and "
                "a preprocessing, such as ['mobilenetv2', 128, 'pad']."
            )


def _searched(
    study: Study, model: Embedded, embedder: embed.Embedder, inputs: Mapping
) -> dict[str, object]:
    """The content of the record of `search_photos`."""
    vectors, metadata = model
    products = study.catalog.products
    n_photos, per_photo = inputs["n_photos"], inputs["per_photo"]
    labels = products.set_index("id")["articleType"].dropna()
    is_known = products["articleType"].notna().to_numpy()
    pictures = TestPictures(
        study.catalog, study.is_test & is_known, most=4 * n_photos, seed=study.seed
    )
    gallery = Gallery(vectors[is_known], products["id"].to_numpy()[is_known], "cosine")
    n_found = boxes.CUTOFF + max(per_photo)

    def search(picture: Image.Image) -> list[int]:
        asked = embed.embed_image(picture, embedder, preprocessing=str(metadata["preprocessing"]))
        return gallery.search(asked[np.newaxis], n_found).ids[0].tolist()

    rows = []
    for n in per_photo:
        photos = boxes.composed(pictures, n_photos=n_photos, per_photo=n, seed=study.seed)
        found = boxes.study(photos, labels, search)
        rows.append({key: intervals.rounded(value) for key, value in found.items()})
    return {"rows": rows, "n_blank": pictures.n_blank}


class TestPictures(Mapping):
    """Photos of some test products by id, read when they are asked for.

    Attributes:
        n_blank: products that were left out because their photo is all white.
    """

    __test__ = False  # no test case for pytest

    def __init__(self, catalog: Catalog, is_chosen: np.ndarray, *, most: int, seed: int) -> None:
        """Draw products that show something.

        Args:
            catalog: the products.
            is_chosen: bool, shape (n_products,): those to draw from.
            most: how many, at most.
            seed: of the draw.
        """
        drawn = np.random.default_rng(seed).permutation(np.flatnonzero(is_chosen))[:most]
        products = catalog.products.iloc[np.sort(drawn)]
        self._catalog = catalog
        names = dict(zip(products["id"].tolist(), products["image_name"], strict=True))
        self._names = {one: name for one, name in names.items() if self._shows_something(name)}
        self.n_blank = len(names) - len(self._names)

    def __getitem__(self, product: int) -> Image.Image:
        return self._catalog.read_image(self._names[product])

    def __iter__(self) -> Iterator[int]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def _shows_something(self, name: str) -> bool:
        pixels = np.asarray(self._catalog.read_image(name))
        return bool((pixels.min(axis=2) < boxes.WHITE).any())
