"""What is in the catalogue: the counts behind every table and figure of notebook 01."""

import numpy as np
import pandas as pd

from fashion_rir.data.catalog import COLUMNS, LABELS, identical_groups
from fashion_rir.errors import CatalogError, ParameterError
from fashion_rir.evaluation import intervals
from fashion_rir.studies.study import Study

COUNTED = (*LABELS, "year")

CROSSED = (("gender", "masterCategory"), ("masterCategory", "season"))  # Figures 4.2.9, 4.2.10

N_FIRST_ROWS = 9  # the thesis' Table 4.2.1 is headed 'top 10' and shows nine

RARE = 10


def summarise(study: Study) -> dict:
    """Count the catalogue and keep the counts as a record.

    Args:
        study: its products, split, seed and folders.

    Returns:
        A record of kind `eda`, also written to the profile's results as `eda`.
    """
    inputs = {"profile": study.workspace.profile, "data_hash": study.catalog.data_hash,
              "n_products": len(study.catalog), "n_listed": len(study.catalog.listed),
              "seed": study.seed}  # fmt: skip
    return study.record("eda", "eda", inputs, lambda: _counted(study))


def counts(record: dict, column: str) -> pd.Series:
    """Products by value of a column, the most frequent first (years in their order).

    Raises:
        KeyError: the column is not one of `COUNTED`.
    """
    series = pd.Series(record["counts"][column], name="products", dtype="int64")
    series.index.name = column
    if column == "year":
        return series.sort_index()
    return series.sort_values(ascending=False, kind="stable")


def crossed(record: dict, row: str, column: str) -> pd.DataFrame:
    """Products by two columns at once; the most frequent rows and columns first."""
    table = pd.DataFrame(record["crossed"][f"{row} x {column}"]).T.fillna(0).astype("int64")
    rows = counts(record, row).index
    columns = counts(record, column).index
    return table.reindex(index=rows, columns=columns, fill_value=0)


def long_tail(record: dict) -> pd.Series:
    """How unequal the articleTypes are, in a few numbers."""
    types = counts(record, "articleType")
    shares = types.cumsum() / types.sum()
    return pd.Series(
        {
            "articleTypes": len(types),
            "with one product": int((types == 1).sum()),
            f"with fewer than {RARE} products": int((types < RARE).sum()),
            "types that hold 75 % of the products": int((shares < 0.75).sum() + 1),
            "share of the most frequent type": round(float(shares.iloc[0]), 3),
        },
        name="value",
    )


def name_accuracy(products: pd.DataFrame, is_test: np.ndarray, *, without_type: bool) -> float:
    """How often a Naive Bayes on the words of the product name finds the articleType.

    Args:
        products: a catalogue's table (`productDisplayName`, `articleType`); a product without
            an articleType does not count.
        is_test: bool, shape (n_products,): scored on these, trained on the others.
        without_type: take the words of the type's own name out of the product name first.

    Returns:
        Accuracy on the test products, in [0, 1].

    Raises:
        ParameterError: no product to train on, or none to test.
        CatalogError: the names hold no word to learn from.
    """
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.naive_bayes import MultinomialNB

    names = products["productDisplayName"].fillna("").str.lower()
    types = products["articleType"]
    if without_type:
        names = pd.Series(
            [_without(name, kind) for name, kind in zip(names, types, strict=True)],
            index=products.index,
        )
    test, train = types.notna() & is_test, types.notna() & ~is_test
    if not test.any() or not train.any():
        raise ParameterError(
            f"The split holds {train.sum()} products to train on and {test.sum()} to test; both "
            "are needed."
        )
    words = CountVectorizer(binary=True)
    try:
        counts = words.fit_transform(names[train])
    except ValueError as error:  # an empty vocabulary
        raise CatalogError(
            "The column productDisplayName holds no word to learn from; fill it."
        ) from error
    model = MultinomialNB(alpha=0.1).fit(counts, types[train])
    return float(model.score(words.transform(names[test]), types[test]))


def _counted(study: Study) -> dict[str, object]:
    """The content of the record of `summarise`."""
    products = study.catalog.products
    sizes = products["width"].astype(str) + "x" + products["height"].astype(str)
    return {
        "repairs": study.catalog.counts,
        "first_rows": _rows(products[list(COLUMNS)].head(N_FIRST_ROWS)),
        "counts": {column: _counts(products[column]) for column in COUNTED},
        "listed": _listed(study.catalog.listed),
        "missing": {column: int(products[column].isna().sum()) for column in COLUMNS},
        "crossed": {f"{a} x {b}": _crossed(products, a, b) for a, b in CROSSED},
        "sizes": _counts(sizes),
        "identical": _identical(identical_groups(products)),
        "told_by_name": _name(products, study.is_test),
    }


def _listed(rows: pd.DataFrame) -> dict[str, dict[str, int]]:
    """All rows of styles.csv, also those without a photo: classes and missing values."""
    return {
        column: {"values": int(rows[column].nunique()), "missing": int(rows[column].isna().sum())}
        for column in COLUMNS
    }


def _rows(table: pd.DataFrame) -> list[dict]:
    return [
        {key: None if pd.isna(value) else str(value) for key, value in row.items()}
        for row in table.to_dict("records")
    ]


def _counts(series: pd.Series) -> dict[str, int]:
    found = series.dropna().astype(str).value_counts()
    return {str(key): int(found[key]) for key in sorted(found.index)}


def _crossed(products: pd.DataFrame, row: str, column: str) -> dict[str, dict[str, int]]:
    table = pd.crosstab(products[row], products[column])
    return {
        str(key): {str(name): int(count) for name, count in values.items()}
        for key, values in table.iterrows()
    }


def _identical(copies: pd.DataFrame) -> dict[str, int]:
    groups = copies.groupby("image_sha256")
    disagree = {
        f"groups that disagree in {label}": int((groups[label].nunique(dropna=False) > 1).sum())
        for label in ("articleType", "gender", "baseColour")
    }
    largest = int(groups.size().max()) if len(copies) else 0
    return {"photos": len(copies), "groups": groups.ngroups, "largest group": largest, **disagree}


def _name(products: pd.DataFrame, is_test: np.ndarray) -> dict[str, float]:
    return {
        "accuracy by the name": intervals.rounded(
            name_accuracy(products, is_test, without_type=False)
        ),
        "accuracy by the name without the type's own words": intervals.rounded(
            name_accuracy(products, is_test, without_type=True)
        ),
        "share of the most frequent type": intervals.rounded(
            products["articleType"].value_counts(normalize=True).iloc[0]
        ),
    }


def _without(name: str, article_type: str) -> str:
    """`puma men grey t-shirt` without the words that begin like those of `Tshirts`."""
    stems = {word.rstrip("s")[:5] for word in str(article_type).lower().split()}
    words = name.replace("t-shirt", "tshirt").split()
    return " ".join(word for word in words if not any(word.startswith(stem) for stem in stems))
