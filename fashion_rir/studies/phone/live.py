"""A small version of the records' experiments, for a notebook: one split, one view, few products.

Photos of one garment are on one side of the split. What is trained on and what asks are both of
the shipped 1,000; the records ask all of them, five folds, with more photos to learn from.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from fashion_rir.embedding.photo_head import PhotoHead
from fashion_rir.errors import ParameterError
from fashion_rir.studies.phone import heads, results
from fashion_rir.studies.phone.gallery import PhoneGallery
from fashion_rir.studies.phone.heads import PhonePhotos, Setting, Trial
from fashion_rir.studies.phone.relevance import Relevance
from fashion_rir.studies.study import Study

N_PRODUCTS = 4000  # of the catalogue, that each head is trained on


@dataclass(frozen=True)
class SmallStudy:
    """A split of the labelled photos.

    Attributes:
        setting: who is trained on (`more`) and who asks (`asked`).
        asks: bool, shape (n_photos,): the photos that ask.
        relevance: of the catalogue to those.
        seed: of the split and of the trainings.
    """

    setting: Setting
    asks: np.ndarray
    relevance: Relevance
    seed: int

    def train(self, trial: Trial) -> PhotoHead:
        """A head that has seen none of the photos that ask."""
        everybody = np.ones(len(self.setting.more.table), dtype=bool)
        return heads.train(self.setting, trial, everybody, seed=self.seed)

    def precision(self, head: PhotoHead) -> pd.DataFrame:
        """Precision at ten of each photo that asks, products ranked by their own labels."""
        said = heads.ask(head, self.setting.asked)
        scores = results.by_labels(said, self.relevance)
        return pd.DataFrame(results.found_rows(self.relevance, scores))

    def curve(self, trial: Trial, counts: Sequence[int]) -> tuple[pd.DataFrame, PhotoHead]:
        """Precision by the number of labelled photos; with none the catalogue alone is known.

        Args:
            trial: of the trainings.
            counts: labelled photos; the last one's head is handed back.

        Raises:
            ParameterError: fewer than none, or more than there are.
        """
        rows, most = {}, len(self.setting.more.table)
        for count in counts:
            if not 0 <= count <= most:
                raise ParameterError(
                    f"0 to {most} phone photos can be trained on here, not {count}."
                )
            knows = "none" if count == 0 else trial.knows
            head = self.train(replace(trial, knows=knows, n_photos=count))
            rows[count] = self.precision(head).mean()
        table = pd.DataFrame(rows).T.rename_axis("labelled photos")
        return table, head


def drawn(study: Study, n_photos: int, n_drawn: int) -> np.ndarray:
    """Some of the photos, each at most once: rows, int64, ascending.

    Raises:
        ParameterError: none, or more than there are.
    """
    if not 1 <= n_drawn <= n_photos:
        raise ParameterError(f"1 to {n_photos:,} photos can be changed, not {n_drawn}.")
    return np.sort(np.random.default_rng(study.seed).permutation(n_photos)[:n_drawn])


def small_study(
    study: Study, gallery: PhoneGallery, photos: pd.DataFrame, embeddings: np.ndarray
) -> SmallStudy:
    """Split the labelled photos: one fold asks, the others are trained on.

    Args:
        study: whose seed and split of the catalogue are taken.
        gallery: the products.
        photos: the labelled photos' table.
        embeddings: of the whole photos, float32, shape (n_photos, dim).
    """
    garments = heads.alike_groups(embeddings[:, gallery.networks["efficientnetlite0"]])
    asks = heads.folds(garments, seed=study.seed) == 0
    everybody = PhonePhotos(photos.assign(garment=garments), {"whole": embeddings})
    setting = Setting(
        heads.with_kinds(gallery.relevance.classes, gallery.groups),
        gallery.groups,
        gallery.sample(N_PRODUCTS),
        study.parts.is_fit,
        everybody.rows(~asks),
        everybody.rows(asks),
    )
    return SmallStudy(setting, asks, gallery.relevance.of_rows(asks), study.seed)
