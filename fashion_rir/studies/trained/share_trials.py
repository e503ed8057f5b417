"""What the shares of a joined embedding do to its matches, without joining it anew each time.

Two joined embeddings are as similar as the weighted mean of what they have in common in each part
(see `training.heads.joined_embedding`). So the parts' similarities are computed once, and a trial
of other shares is a sum.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fashion_rir.errors import ParameterError
from fashion_rir.training import heads

STORED = "stored"  # the part of the embeddings that the head has seen


@dataclass(frozen=True)
class ShareTrial:
    """Queries and products, part by part.

    Attributes:
        parts: by part, float32 (n_queries, n_products), -1 to 1: how alike they are in it.
        is_same: by label, bool (n_queries, n_products): whether both have the same class.
        own: the row of each query among the products, -1 where it is none of them.
    """

    parts: Mapping[str, np.ndarray]
    is_same: Mapping[str, np.ndarray]
    own: np.ndarray

    def similarity(self, shares: Mapping[str, float]) -> np.ndarray:
        """How alike queries and products are: float32 (n_queries, n_products).

        Args:
            shares: of each part, 0 or more; a part that is not named has none.

        Raises:
            ParameterError: an unknown part, a share below 0, or all of them 0.
        """
        unknown = sorted(set(shares) - set(self.parts))
        if unknown:
            raise ParameterError(
                f"There is no part {', '.join(unknown)}; there are {', '.join(self.parts)}."
            )
        if min(shares.values(), default=0) < 0 or not any(shares.values()):
            raise ParameterError("Shares are 0 or more, and one of them above 0.")
        weighted = sum(np.float32(share) * self.parts[part] for part, share in shares.items())
        return weighted / np.float32(sum(shares.values()))

    def matches(self, shares: Mapping[str, float], k: int = 10) -> np.ndarray:
        """The rows of each query's k closest other products, (n_queries, k)."""
        similarity = self.similarity(shares)
        asked = np.flatnonzero(self.own >= 0)
        similarity[asked, self.own[asked]] = -np.inf
        return np.argsort(-similarity, axis=1, kind="stable")[:, :k]

    def precision(self, shares: Mapping[str, float], k: int = 10) -> dict[str, float]:
        """By label, the share of the k closest that have the query's class."""
        found = self.matches(shares, k)
        return {label: float(np.take_along_axis(same, found, axis=1).mean())
                for label, same in self.is_same.items()}  # fmt: skip


Answers = tuple[Mapping[str, np.ndarray], np.ndarray, pd.DataFrame]


def share_trial(
    queries: Answers, gallery: Answers, labels: Sequence[str], *, temperature: float
) -> ShareTrial:
    """Compare queries and products part by part.

    Args:
        queries: what the head tells of each (by label float32 (n, n_classes)), the embeddings that
            it has seen (float32 (n, dim)), and their table (`id` and the labels).
        gallery: likewise.
        labels: whose posteriors are parts; a query without the label agrees with no product.
        temperature: of the posteriors.
    """
    parts, is_same = {}, {}
    for label in labels:
        asked, there = (heads.posterior_embedding(logits[label], temperature=temperature)
                        for logits, _, _ in (queries, gallery))  # fmt: skip
        parts[label] = asked @ there.T
        values, classes = (table[label].to_numpy(object) for *_, table in (queries, gallery))
        is_same[label] = (values[:, None] == classes[None]) & ~pd.isna(values)[:, None]
    asked, there = (_unit(stored) for _, stored, _ in (queries, gallery))
    parts[STORED] = asked @ there.T
    own = pd.Index(gallery[2]["id"]).get_indexer(queries[2]["id"])
    return ShareTrial(parts, is_same, own)


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
