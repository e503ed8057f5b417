"""Photo heads with and without phone labels, asked by photos that they never saw.

Photos that look nearly alike (the same garment again) are one group; a group is either trained on
or asked, never both. So a head is trained for each fold, and every labelled photo is asked once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from fashion_rir.embedding.photo_head import (
    KIND,
    LABELS,
    OTHER,
    PhotoHead,
    codes_of,
    kinds_of,
    mean_of_views,
)
from fashion_rir.search.transforms import l2_normalise
from fashion_rir.training import one_of

N_FOLDS = 5

ALIKE = 0.94  # cosine of two photos' reduced Lite0 embeddings: from here on one garment's

TRAINED_VIEWS = ("whole", "cut")

# How a head that was trained is asked: as it is shipped, and with one thing changed.
VIEWS = ("whole", "cut", "whole mirrored", "cut mirrored")
WAYS = {
    "shipped": VIEWS,
    "not mirrored": ("whole", "cut"),
    "whole photo only": ("whole", "whole mirrored"),
    "cut-out only": ("cut", "cut mirrored"),
    "not rounded": VIEWS,
}  # fmt: skip

# How the networks are asked as they are; of several views the mean is taken.
RAW_VIEWS = {"whole": ("whole",), "cut": ("cut",), "four views": VIEWS}

KNOWLEDGE = ("none", "coarse", "fine")  # of what the phone photos show


@dataclass(frozen=True)
class PhonePhotos:
    """Photos and what the networks make of them.

    Attributes:
        table: `source_file`, `source_class`, `articleType`, `baseColour` (missing where nobody
            wrote it down) and `garment` (see `alike_groups`), one row a photo.
        views: by name the embeddings of each photo in that view, float32, shape (n_photos, dim);
            see `photo_pipeline.views_of`.
    """

    table: pd.DataFrame
    views: Mapping[str, np.ndarray]

    def rows(self, is_taken: np.ndarray) -> "PhonePhotos":
        """Some of the photos."""
        views = {name: rows[is_taken] for name, rows in self.views.items()}
        return PhonePhotos(self.table.iloc[is_taken].reset_index(drop=True), views)

    def examples(
        self, classes: Mapping[str, tuple[str, ...]], is_of: np.ndarray, trial: "Trial"
    ) -> one_of.Examples:
        """All views of each photo, with what is known of it, `coarse` or `fine`.

        Args:
            classes: by label, the names of the classes.
            is_of: from `photo_head.kinds_of`.
            trial: says what is known, and what a photo weighs.
        """
        kinds = codes_of(self.table["source_class"], classes[KIND])
        allowed = {
            "articleType": is_of.T[kinds] > 0,
            "baseColour": np.ones((len(self.table), len(classes["baseColour"])), dtype=bool),
            KIND: one_of.allowed_classes(kinds, len(classes[KIND])),
        }
        if trial.knows == "fine":
            for label in LABELS:
                codes = codes_of(self.table[label], classes[label])
                rows = one_of.allowed_classes(codes, len(classes[label]))
                allowed[label] = np.where((codes >= 0)[:, None], rows, allowed[label])
        weights = np.full(len(self.table), trial.weight, dtype=np.float32)
        views = [one_of.Examples(self.views[name], allowed, weights)
                 for name in TRAINED_VIEWS if name in self.views]  # fmt: skip
        return one_of.joined(views)


@dataclass(frozen=True)
class CatalogueSample:
    """The catalogue's part of the training.

    Attributes:
        features: float32, shape (n_products, dim).
        codes: by label, int64, shape (n_products,); -1 where unknown.
        n_products: how many are drawn for a training.
    """

    features: np.ndarray
    codes: Mapping[str, np.ndarray]
    n_products: int

    def examples(
        self,
        classes: Mapping[str, tuple[str, ...]],
        is_of: np.ndarray,
        is_fit: np.ndarray,
        *,
        seed: int,
    ) -> one_of.Examples:
        """Products drawn from those that may be trained on; `is_of` from `kinds_of`."""
        drawn = np.random.default_rng(seed).permutation(np.flatnonzero(is_fit))
        drawn = np.sort(drawn[: self.n_products])
        allowed = {label: one_of.allowed_classes(self.codes[label][drawn], len(classes[label]))
                   for label in LABELS}  # fmt: skip
        types = self.codes["articleType"][drawn]
        allowed[KIND] = np.where((types >= 0)[:, None], is_of[types] > 0, True)
        weights = np.ones(len(drawn), dtype=np.float32)
        return one_of.Examples(np.asarray(self.features[drawn]), allowed, weights)


def alike_groups(embeddings: np.ndarray, least_cosine: float = ALIKE) -> np.ndarray:
    """Photos that look nearly alike, directly or over others, as one group: int64, (n_photos,).

    Args:
        embeddings: float32, shape (n_photos, dim).
        least_cosine: from here on two photos are alike.
    """
    unit = l2_normalise(embeddings)
    is_alike = csr_matrix(unit @ unit.T >= least_cosine)
    return connected_components(is_alike, directed=False)[1].astype(np.int64)


def folds(garment: np.ndarray, *, seed: int) -> np.ndarray:
    """The fold of each photo, 0 to `N_FOLDS` - 1; photos of one garment share it."""
    n_groups = int(garment.max()) + 1
    return (np.random.default_rng(seed).permutation(n_groups) % N_FOLDS)[garment]


def ask(head: PhotoHead, photos: PhonePhotos, way: str = "shipped") -> dict[str, np.ndarray]:
    """What a head says of photos, one of `WAYS`; from those of its views that are there."""
    asked = head if way == "not rounded" else head.rounded()
    views = [photos.views[name] for name in WAYS[way] if name in photos.views]
    return mean_of_views([asked.posteriors(view) for view in views])


@dataclass(frozen=True)
class Trial:
    """One way to train the photo heads.

    Attributes:
        knows: of the phone photos, one of `KNOWLEDGE`; `none` trains on the catalogue alone.
        settings: of the training.
        n_photos: phone photos that are trained on, at most; None for all of the other folds'.
        weight: of a phone photo's view beside a product's 1.
    """

    knows: str
    settings: one_of.Settings
    n_photos: int | None = None
    weight: float = 1.0


@dataclass(frozen=True)
class Setting:
    """What all trials share.

    Attributes:
        classes: by label, the names of the classes; of `kind` too.
        groups: the types that each source class, the garment's kind, stands for.
        catalogue: the catalogue's part of the training.
        is_fit: bool, shape (n_products,): the products that may be trained on.
        more: the photos to train on, with all that is known of them.
        asked: the labelled photos that ask; each is in `more` too, by `source_file`.
    """

    classes: Mapping[str, tuple[str, ...]]
    groups: Mapping[str, Sequence[str]]
    catalogue: CatalogueSample
    is_fit: np.ndarray
    more: PhonePhotos
    asked: PhonePhotos


def train(setting: Setting, trial: Trial, is_trained: np.ndarray, *, seed: int) -> PhotoHead:
    """A head on the catalogue and on some of the photos.

    Args:
        setting: the data.
        trial: what is known, and how it is trained.
        is_trained: bool, shape (n_more,): the photos that may be trained on.
        seed: of draws, weights and batches.
    """
    is_of = kinds_of(setting.classes["articleType"], setting.groups)
    classes, kinds = setting.classes, setting.groups
    if trial.knows == "none":  # the catalogue alone tells kinds no better than types
        classes, kinds = {label: classes[label] for label in LABELS}, {}
    products = setting.catalogue.examples(setting.classes, is_of, setting.is_fit, seed=seed)
    parts = [products]
    n_used = 0
    if trial.knows != "none":
        used = np.flatnonzero(is_trained)
        used = np.sort(np.random.default_rng(seed).permutation(used)[: trial.n_photos])
        files = set(setting.more.table["source_file"].iloc[used])
        small = setting.asked.table["source_file"].isin(files).to_numpy()
        parts += [
            photos.examples(setting.classes, is_of, trial)
            for photos in (setting.more.rows(used), setting.asked.rows(small))
            if len(photos.table)
        ]
        n_used = len(used)
    about = {"knows": trial.knows, "n_products": len(products.features), "n_photos": n_used}
    head = one_of.train(one_of.joined(parts), classes, seed=seed, settings=trial.settings,
                        about=about)  # fmt: skip
    return replace(head, kinds=kinds)


def with_kinds(
    classes: Mapping[str, tuple[str, ...]], groups: Mapping[str, Sequence[str]]
) -> dict[str, tuple[str, ...]]:
    """The classes of all labels: those of the catalogue, and the garments' kinds."""
    return {**classes, KIND: (*groups, OTHER)}


def cross_validated(
    setting: Setting, trial: Trial, *, seed: int
) -> dict[str, dict[str, np.ndarray]]:
    """What heads say of the labelled photos that they were not trained on.

    Args:
        setting: the data.
        trial: how each head is trained; one that knows nothing of the photos is trained once.
        seed: of folds and trainings.

    Returns:
        By way (see `WAYS`) and label float32, shape (n_asked, n_classes).
    """
    fold = folds(setting.more.table["garment"].to_numpy(), seed=seed)
    if trial.knows == "none":
        fold = np.zeros_like(fold)
    of_file = dict(zip(setting.more.table["source_file"], fold, strict=True))
    fold_asked = setting.asked.table["source_file"].map(of_file).to_numpy()
    parts: dict[str, list] = {way: [] for way in WAYS}
    for number in np.unique(fold):
        head = train(setting, trial, fold != number, seed=seed)
        photos = setting.asked.rows(fold_asked == number)
        for way, some in parts.items():
            some.append(ask(head, photos, way))
    place = np.argsort(np.argsort(fold_asked, kind="stable"))  # where each photo is among the parts
    return {
        way: {label: np.vstack([one[label] for one in some])[place] for label in some[0]}
        for way, some in parts.items()
    }
