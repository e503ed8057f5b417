"""Which products of the catalogue answer a phone photo, and how many of the first ten do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fashion_rir.embedding.photo_head import codes_of
from fashion_rir.errors import ParameterError
from fashion_rir.evaluation import intervals

CUTOFF = 10  # results that a shopper sees at once

AGREEMENT = {"articleType": 0.975, "baseColour": 0.875}  # of two people who label the same photo


@dataclass(frozen=True)
class Relevance:
    """What the queries are asked by, and what the products are.

    Attributes:
        classes: by label, the names of the classes that the codes number.
        query_codes: by `articleType` and `baseColour`, int64, shape (n_queries,).
        product_codes: likewise, shape (n_products,); -1 where unknown.
        in_group: bool, shape (n_queries, n_types): the types that count as what the photo shows.
    """

    classes: Mapping[str, tuple[str, ...]]
    query_codes: Mapping[str, np.ndarray]
    product_codes: Mapping[str, np.ndarray]
    in_group: np.ndarray

    def of_rows(self, rows: np.ndarray) -> "Relevance":
        """The same for some of the queries."""
        codes = {label: values[rows] for label, values in self.query_codes.items()}
        return Relevance(self.classes, codes, self.product_codes, self.in_group[rows])

    def found(self, ranked: np.ndarray) -> dict[str, np.ndarray]:
        """Which of some products are relevant.

        Args:
            ranked: product rows, int64, shape (n_queries, k).

        Returns:
            By `group`, `articleType`, `baseColour` and `both`, bool, same shape.
        """
        types = self.product_codes["articleType"][ranked]
        same = {label: self.product_codes[label][ranked] == codes[:, None]
                for label, codes in self.query_codes.items()}  # fmt: skip
        group = np.take_along_axis(self.in_group, types, axis=1)
        return {"group": group, **same, "both": same["articleType"] & same["baseColour"]}

    def chance(self) -> dict[str, float]:
        """Precision of products drawn at random, by the same four."""
        types, colours = self.product_codes["articleType"], self.product_codes["baseColour"]
        of_type = np.bincount(types, minlength=self.in_group.shape[1]) / len(types)
        pairs = pd.Series(list(zip(types, colours, strict=True))).value_counts(normalize=True)
        asked = list(
            zip(*(self.query_codes[x] for x in ("articleType", "baseColour")), strict=True)
        )
        return {
            "group": float((self.in_group @ of_type).mean()),
            "articleType": float(of_type[self.query_codes["articleType"]].mean()),
            "baseColour": float(np.mean([(colours == c).mean()
                                         for c in self.query_codes["baseColour"]])),
            "both": float(np.mean([pairs.get(pair, 0.0) for pair in asked])),
        }  # fmt: skip


def relevance(
    photos: pd.DataFrame,
    products: pd.DataFrame,
    groups: Mapping[str, Sequence[str]],
) -> Relevance:
    """The relevance of a catalogue's products to labelled photos.

    Args:
        photos: `articleType`, `baseColour` and `source_class`, one row a query.
        products: `articleType` and `baseColour`, one row a product.
        groups: the types that each source class stands for.

    Raises:
        ParameterError: a photo of a class that the groups, or the catalogue, do not have.
    """
    classes = {label: tuple(sorted(products[label].dropna().unique()))
               for label in ("articleType", "baseColour")}  # fmt: skip
    for label, column in (("source_class", groups), *classes.items()):
        unknown = sorted(set(photos[label].dropna()) - set(column))
        if unknown:
            raise ParameterError(f"No {label} {unknown[0]!r} is known here; leave its photos out.")
    known = {group: np.isin(classes["articleType"], names) for group, names in groups.items()}
    return Relevance(
        classes,
        {label: codes_of(photos[label], names) for label, names in classes.items()},
        {label: codes_of(products[label], names) for label, names in classes.items()},
        np.stack([known[group] for group in photos["source_class"]]),
    )


def precision_rows(found: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Each query's precision at the cut-off, one column for each kind of relevance."""
    return pd.DataFrame({name: values.mean(axis=1) for name, values in found.items()})


def summary(rows: pd.DataFrame, types: np.ndarray, *, seed: int) -> dict[str, dict]:
    """Means with 95 % intervals: over the queries, and over the types (each counting the same).

    Args:
        rows: from `precision_rows`.
        types: of each query.
        seed: of the bootstrap.
    """
    values = rows.to_numpy()
    found = {}
    for name, classes in (("micro", None), ("macro", types)):
        estimates = intervals.bootstrap_mean(values, seed=seed, classes=classes)
        found[name] = {label: intervals.estimate_dict(one)
                       for label, one in zip(rows, estimates, strict=True)}  # fmt: skip
    return found
