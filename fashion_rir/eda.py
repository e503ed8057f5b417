"""What is in the catalogue: the counts behind every table and figure of notebook 01."""

import pandas as pd

from fashion_rir import catalog as catalogs
from fashion_rir import floors, results
from fashion_rir.catalog import Catalog
from fashion_rir.splits import is_test_product
from fashion_rir.workspace import Workspace

COUNTED = (*catalogs.LABELS, "year")
CROSSED = (
    ("gender", "masterCategory"),
    ("masterCategory", "season"),
)  # Figures 4.2.9, 4.2.10
N_FIRST_ROWS = 9  # the thesis' Table 4.2.1 is headed 'top 10' and shows nine
RARE = 10


def summarise(workspace: Workspace, catalog: Catalog, *, seed: int) -> dict:
    """Count the catalogue and keep the counts as a record.

    Args:
        workspace: says where the record goes.
        catalog: the products.
        seed: of the split for the question what the product name tells.

    Returns:
        A record of kind `eda`, also written to the profile's results as `eda`.
    """
    products = catalog.products
    inputs = {"profile": workspace.profile, "data_hash": catalog.data_hash,
              "n_products": len(catalog), "seed": seed}  # fmt: skip
    copies = catalogs.identical_groups(products)
    sizes = products["width"].astype(str) + "x" + products["height"].astype(str)
    record = results.make_record(
        "eda",
        "eda",
        inputs,
        repairs=catalog.counts,
        first_rows=_rows(products[list(catalogs.COLUMNS)].head(N_FIRST_ROWS)),
        counts={column: _counts(products[column]) for column in COUNTED},
        listed=_listed(catalog.listed),
        missing={column: int(products[column].isna().sum()) for column in catalogs.COLUMNS},
        crossed={f"{a} x {b}": _crossed(products, a, b) for a, b in CROSSED},
        sizes=_counts(sizes),
        identical=_identical(copies),
        told_by_name=_name(products, seed),
    )
    results.write(record, workspace.results)
    return record


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


def _listed(rows: pd.DataFrame) -> dict[str, dict[str, int]]:
    """All rows of styles.csv, also those without a photo: classes and missing values."""
    return {
        column: {
            "values": int(rows[column].nunique()),
            "missing": int(rows[column].isna().sum()),
        }
        for column in catalogs.COLUMNS
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
    return {
        "photos": len(copies),
        "groups": groups.ngroups,
        "largest group": largest,
        **disagree,
    }


def _name(products: pd.DataFrame, seed: int) -> dict[str, float]:
    is_test = is_test_product(products, seed=seed)
    return {
        "accuracy by the name": results.rounded(
            floors.name_accuracy(products, is_test, without_type=False)
        ),
        "accuracy by the name without the type's own words": results.rounded(
            floors.name_accuracy(products, is_test, without_type=True)
        ),
        "share of the most frequent type": results.rounded(
            products["articleType"].value_counts(normalize=True).iloc[0]
        ),
    }
