"""separation: four points by hand, scikit-learn on samples, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import pairwise_distances, silhouette_score

from fashion_rir.errors import ParameterError, StoreError
from fashion_rir.evaluation import separation
from fashion_rir.evaluation.separation import MEASURED, separate

# Directions at 0, 90, 180 and 90 degrees: cosine distances are 0, 1 or 2.
POINTS = np.array([[1, 0], [0, 2], [-3, 0], [0, 5]], dtype=np.float32)


def products(types: list[str | None]) -> pd.DataFrame:
    return pd.DataFrame({"id": range(101, 101 + len(types)), "articleType": types})


def random_case(n: int = 300, seed: int = 0) -> tuple[np.ndarray, pd.DataFrame]:
    generator = np.random.default_rng(seed)
    classes = generator.choice(["a", "b", "c", "d"], n, p=[0.5, 0.3, 0.19, 0.01])
    centres = {name: generator.standard_normal(16) for name in "abcd"}
    points = np.array([centres[name] for name in classes]) + generator.standard_normal((n, 16))
    return points.astype(np.float32), products(list(classes))


def test_distances_and_silhouette_by_hand() -> None:
    found = separate(POINTS, products(["x", "x", "y", "y"]), label="articleType", seed=0)
    # Within: 0-1 is 1, 2-3 is 1. Between: 0-2 is 2, 0-3 is 1, 1-2 is 1, 1-3 is 0.
    values = {name: estimate.value for name, estimate in found.estimates.items()}
    silhouettes = [(1.5 - 1) / 1.5, (0.5 - 1) / 1, (1.5 - 1) / 1.5, (0.5 - 1) / 1]
    assert values == pytest.approx(
        {
            "silhouette": np.mean(silhouettes),
            "intra_class_distance": 1,
            "inter_class_distance": 1,
            "separation_ratio": 1,
        }
    )
    assert list(values) == list(MEASURED)
    # The sums of both classes' directions are 1 / sqrt(2) from each of their products.
    assert found.centroids["intra_class_distance"] == pytest.approx(1 - np.sqrt(0.5))
    assert found.centroids["inter_class_distance"] == pytest.approx(1)


def test_equal_to_scikit_learn_and_to_all_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "fashion_rir.evaluation.separation.BLOCK", 64
    )  # several blocks, the last one short
    points, table = random_case()
    found = separate(points, table, label="articleType", seed=0)
    exact, labels = points.astype(np.float64), table["articleType"].to_numpy()
    expected = silhouette_score(exact, labels, metric="cosine")
    assert found.estimates["silhouette"].value == pytest.approx(expected, abs=1e-6)
    distances = pairwise_distances(exact, metric="cosine")
    is_same = labels[:, None] == labels
    is_pair = ~np.eye(len(labels), dtype=bool)
    intra, inter = distances[is_same & is_pair].mean(), distances[~is_same].mean()
    assert found.estimates["intra_class_distance"].value == pytest.approx(intra, rel=1e-6)
    assert found.estimates["inter_class_distance"].value == pytest.approx(inter, rel=1e-6)
    assert found.estimates["separation_ratio"].value == pytest.approx(inter / intra, rel=1e-6)
    for name in "abcd":
        mine, others = labels == name, labels != name
        row = found.classes.loc[name]
        assert row["products"] == mine.sum()
        assert row["inter_class_distance"] == pytest.approx(
            distances[np.ix_(mine, others)].mean(), rel=1e-6
        )
    assert found.by_class["inter_class_distance"] == pytest.approx(
        found.classes["inter_class_distance"].mean()
    )


def test_the_interval_is_that_of_pairs_drawn_again() -> None:
    points, table = random_case(120)
    found = separate(points, table, label="articleType", seed=1)
    labels = table["articleType"].to_numpy()
    distances = pairwise_distances(points.astype(np.float64), metric="cosine")
    is_same = (labels[:, None] == labels) & ~np.eye(120, dtype=bool)
    is_other = labels[:, None] != labels
    generator = np.random.default_rng(2)
    drawn = []
    for _ in range(2000):
        weights = np.bincount(generator.integers(120, size=120), minlength=120)
        pairs = np.outer(weights, weights)
        intra = (pairs * distances)[is_same].sum() / pairs[is_same].sum()
        inter = (pairs * distances)[is_other].sum() / pairs[is_other].sum()
        drawn.append((intra, inter, inter / intra))
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    for number, name in enumerate(MEASURED[1:]):
        estimate = found.estimates[name]
        assert estimate.low < estimate.value < estimate.high
        width = high[number] - low[number]
        assert estimate.high - estimate.low == pytest.approx(width, rel=0.15)


def test_a_class_of_one_product_has_a_silhouette_of_0_and_is_counted() -> None:
    found = separate(POINTS, products(["x", "x", "y", None]), label="articleType", seed=0)
    assert found.n_lone == 1
    assert found.n_without_class == 1
    assert found.n_products == 3
    assert found.classes.loc["y", "silhouette"] == 0
    assert np.isnan(found.classes.loc["y", "intra_class_distance"])
    expected = silhouette_score(POINTS[:3], ["x", "x", "y"], metric="cosine")
    assert found.estimates["silhouette"].value == pytest.approx(expected, abs=1e-6)


def test_equal_directions_have_distance_0() -> None:
    points = np.array([[1, 0, 3], [2, 0, 6], [0, 1, 0.3], [0, 1, 0]], dtype=np.float32)
    found = separate(points, products(["x", "x", "y", "y"]), label="articleType", seed=0)
    assert found.classes.loc["x", "intra_class_distance"] == 0
    assert found.classes.loc["x", "silhouette"] == 1


def test_classes_of_equal_embeddings_have_no_ratio() -> None:
    points = np.array([[1, 0, 3], [2, 0, 6], [0, 1, 0.3], [0, 3, 0.9]], dtype=np.float32)
    with pytest.raises(ParameterError, match="there is no separation ratio"):
        separate(points, products(["x", "x", "y", "y"]), label="articleType", seed=0)


def test_one_class_is_refused() -> None:
    with pytest.raises(ParameterError, match="4 products are of the one class 'x' by articleType"):
        separate(POINTS, products(["x"] * 4), label="articleType", seed=0)
    with pytest.raises(ParameterError, match="no class at all by articleType"):
        separate(POINTS, products([None] * 4), label="articleType", seed=0)


def test_only_classes_of_one_product_are_refused() -> None:
    with pytest.raises(ParameterError, match="No articleType has two products"):
        separate(POINTS, products(["a", "b", "c", "d"]), label="articleType", seed=0)


def test_bad_embeddings_name_the_product() -> None:
    table = products(["x", "x", "y", "y"])
    points = POINTS.copy()
    points[2, 0] = np.nan
    with pytest.raises(StoreError, match="product 103 is not finite"):
        separate(points, table, label="articleType", seed=0)
    points[2] = 0
    with pytest.raises(StoreError, match="product 103 is all zeros"):
        separate(points, table, label="articleType", seed=0)
    with pytest.raises(ParameterError, match="3 embeddings and 4 products"):
        separate(POINTS[:3], table, label="articleType", seed=0)


def test_the_sums_count_a_product_s_distance_to_itself_as_0() -> None:
    points, _ = random_case(50)
    codes = np.arange(50) % 3
    distances = pairwise_distances(points.astype(np.float64), metric="cosine")
    expected = np.stack([distances[:, codes == code].sum(axis=1) for code in range(3)], axis=1)
    np.testing.assert_allclose(separation.distance_sums(points, codes), expected, rtol=1e-5)
