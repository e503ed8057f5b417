"""What holds for all inputs: hypothesis draws them; slow references say what is right.

`make torture` runs the same with many more examples.
"""

import csv
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest
from drawn_catalog import photo, product_row
from hostile_inputs import encoded
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from fashion_rir.data import catalog, images, sources, splits
from fashion_rir.embedding.store import FeatureStore
from fashion_rir.errors import CatalogError, ImageError, ParameterError, RecordError, StoreError
from fashion_rir.evaluation import metrics
from fashion_rir.search import gallery as search_gallery
from fashion_rir.search.gallery import Gallery
from fashion_rir.workspace import records as result_records

MEASURES = st.sampled_from(search_gallery.MEASURES)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)  # no half surrogates
SEED = st.integers(0, 2**32 - 1)
PICTURES = [photo(1), encoded(Image.new("RGBA", (20, 30), (9, 8, 7, 99))),
            encoded(Image.new("P", (9, 9)), "GIF"), encoded(Image.new("I;16", (9, 9)), "TIFF"),
            encoded(Image.new("L", (9, 9)), "BMP"),
            encoded(Image.new("RGB", (9, 9)), "WEBP")]  # fmt: skip


# --- readers ---


def load(data: bytes) -> catalog.Catalog:
    """A catalogue of two photos, 1 and 2, and this table."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "images").mkdir()
        for number in (1, 2):
            (folder / "images" / f"{number}.jpg").write_bytes(photo(number))
        (folder / "styles.csv").write_bytes(data)
        return catalog.load(folder)


@given(st.lists(st.lists(TEXT, min_size=1, max_size=5), min_size=1, max_size=6))
def test_any_table_comes_back_as_it_was_written(rows):
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    with TemporaryDirectory() as folder:
        (Path(folder) / "styles.csv").write_bytes(text.getvalue().encode())
        read = list(sources.open_source(Path(folder)).rows())
    if rows[0][0].startswith("\ufeff"):  # the byte order mark is no part of the text
        rows = [[rows[0][0][1:], *rows[0][1:]], *rows[1:]]
    assert read == rows


@given(st.lists(TEXT, min_size=9, max_size=9))
def test_any_labels_of_a_product_are_kept(labels):
    text = io.StringIO()
    csv.writer(text).writerows([catalog.COLUMNS, ["1", *labels], product_row(2)])
    row = load(text.getvalue().encode()).products.iloc[0]
    for column, label in zip(catalog.COLUMNS[1:], labels, strict=True):
        if column != "year":  # a number, or missing
            stripped = label.strip()
            found = row[column]
            assert (stripped in catalog.MISSING) if pd.isna(found) else (found == stripped)


@given(st.data())
def test_every_row_of_a_damaged_table_is_kept_or_counted(data):
    text = io.StringIO()
    csv.writer(text).writerows([catalog.COLUMNS, product_row(1), product_row(2)])
    damaged = damage(text.getvalue().encode(), data.draw)
    try:
        found = load(damaged)
    except CatalogError as error:
        assert "\n" not in str(error)
        return
    n_faulty = found.counts["malformed rows"] + found.counts["duplicate ids"]
    assert found.counts["rows in styles.csv"] == len(found.listed) + n_faulty
    assert len(found.listed) == len(found) + found.counts["products without a photo"]
    assert set(found.products["id"]) <= {1, 2}


@pytest.mark.filterwarnings("ignore:.*:UserWarning:PIL")  # of damaged EXIF
@given(st.data())
def test_a_damaged_picture_is_a_picture_or_one_sentence(data):
    damaged = damage(data.draw(st.sampled_from(PICTURES)), data.draw)
    try:
        image = images.decode(damaged, "query.jpg")
    except ImageError as error:
        assert str(error).startswith("query.jpg ")
        assert "\n" not in str(error)
        return
    assert image.mode == "RGB"
    for preprocessing in images.PREPROCESSING:
        assert images.fit(image, 8, preprocessing).shape == (8, 8, 3)


def damage(data: bytes, draw) -> bytes:
    """Cut off, overwrite, insert or repeat some bytes."""
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 40)))
        what = draw(st.binary(max_size=20) | st.just(data[start:end] * 2))
        data = data[:start] + what + data[end:] if draw(st.booleans()) else data[:start] + what
    return data


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 40))
def test_padding_keeps_the_shape_and_crops_nothing(width, height, size):
    white = Image.new("RGB", (width, height), "white")
    padded = images.fit(white, size, "pad") > 0
    rows, columns = padded.any(axis=(1, 2)).sum(), padded.any(axis=(0, 2)).sum()
    assert max(rows, columns) == size
    longest = max(width, height)
    assert abs(columns - max(1, width * size / longest)) <= 0.5
    assert abs(rows - max(1, height * size / longest)) <= 0.5


@given(hnp.arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(1, 5)),
                  elements=st.floats(width=32, allow_nan=False, allow_infinity=False)))  # fmt: skip
def test_embeddings_come_back_from_a_store_bit_by_bit(embeddings):
    names = [f"{row}.jpg" for row in range(len(embeddings))]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "s.sqlite"
        FeatureStore.create(path, {"embedding_dim": embeddings.shape[1]}).append(names, embeddings)
        assert FeatureStore.open(path).load()[1].tobytes() == embeddings.tobytes()


@given(st.data())
def test_a_damaged_store_gives_its_rows_or_one_sentence(data):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "s.sqlite"
        FeatureStore.create(path, {"embedding_dim": 2}).append(["1.jpg"], np.ones((1, 2)))
        path.write_bytes(damage(path.read_bytes(), data.draw))
        try:
            names, embeddings = FeatureStore.open(path).load()
        except StoreError as error:
            assert "\n" not in str(error)
            return
    assert embeddings.shape == (len(names), 2)
    assert np.isfinite(embeddings).all()


NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda some: st.lists(some, max_size=3) | st.dictionaries(TEXT, some, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(TEXT, JSON, max_size=4), JSON)
def test_any_record_comes_back_and_its_hash_is_that_of_its_inputs(inputs, value):
    inputs = {"profile": "quick", "data_hash": "x", **inputs}
    with TemporaryDirectory() as folder:
        result_records.write(
            result_records.make_record("kind", "a", inputs, value=value), Path(folder)
        )
        record = result_records.read(Path(folder), "a")
    assert record["value"] == value
    assert record["inputs_hash"] == result_records.hash_inputs(record["inputs"])
    turned = dict(reversed(inputs.items()))
    assert result_records.hash_inputs(turned) == record["inputs_hash"]


@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_file_called_a_record_is_one_sentence(data):
    with TemporaryDirectory() as folder:
        (Path(folder) / "a.json").write_bytes(data)
        with pytest.raises(RecordError, match="a.json is no") as caught:
            result_records.read(Path(folder), "a")
    assert "\n" not in str(caught.value)


# --- retrieval ---


def slow_distance(a: Sequence[float], b: Sequence[float], measure: str) -> float:
    if measure == "manhattan":
        return sum(abs(x - y) for x, y in zip(a, b, strict=True))
    if measure == "euclidean":
        return math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b, strict=True)))
    lengths = math.hypot(*a) * math.hypot(*b)
    return 1 - sum(x * y for x, y in zip(a, b, strict=True)) / lengths


@given(st.data(), MEASURES, SEED)
def test_search_equals_a_loop_over_all_products(data, measure, seed):
    generator = np.random.default_rng(seed)
    n_gallery, dim = data.draw(st.integers(2, 60)), data.draw(st.integers(1, 6))
    # Small whole numbers: many equal distances, and no rounding but under cosine.
    gallery = generator.integers(1, 4, (n_gallery, dim)).astype(np.float32)
    queries = generator.integers(1, 4, (3, dim)).astype(np.float32)
    ids = generator.permutation(1000)[:n_gallery]
    excluded = [int(ids[0]), -1, 2000]
    where = generator.random(n_gallery) < data.draw(st.sampled_from([1.0, 0.5, 0.1]))
    k = data.draw(st.integers(1, n_gallery - 1))
    found = Gallery(gallery, ids, measure).search(queries, k, exclude_ids=excluded, where=where)
    for query, own, row_ids, distances in zip(
        queries, excluded, found.ids, found.distances, strict=True
    ):
        pairs = [
            (slow_distance(query.tolist(), vector.tolist(), measure), position)
            for position, vector in enumerate(gallery)
            if where[position] and ids[position] != own
        ]
        expected = sorted(pairs)[:k]
        n_found = int((row_ids != -1).sum())
        assert n_found == len(expected)
        np.testing.assert_allclose(distances[:n_found], [d for d, _ in expected], atol=1e-6)
        if measure != "cosine":  # there, equal distances differ by their rounding
            assert row_ids[:n_found].tolist() == [ids[position] for _, position in expected]


@given(hnp.arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 30)),
                  elements=st.sampled_from([0, 1e-38, 0.5, 1, 2, 3e38, math.inf])))  # fmt: skip
def test_ranked_is_a_stable_sort(distances):
    expected = [sorted(range(len(row)), key=row.__getitem__) for row in distances.tolist()]
    assert search_gallery.ranked(distances).tolist() == expected


# --- metrics ---


@given(st.lists(st.booleans(), min_size=1, max_size=40).filter(any), st.integers(1, 45))
def test_metrics_equal_their_definitions(is_relevant, k):
    ranks = metrics.relevant_ranks(np.array(is_relevant))
    n_relevant = sum(is_relevant)
    precisions = [sum(is_relevant[: i + 1]) / (i + 1) for i in range(len(is_relevant))]
    hits = [i for i, relevant in enumerate(is_relevant) if relevant]
    assert metrics.hit_rate(ranks, k) == float(any(is_relevant[:k]))
    assert metrics.precision(ranks, k) == pytest.approx(sum(is_relevant[:k]) / k)
    assert metrics.reciprocal_rank(ranks) == pytest.approx(1 / (hits[0] + 1))
    assert metrics.average_precision(ranks) == pytest.approx(
        sum(precisions[i] for i in hits) / n_relevant
    )
    assert metrics.average_precision_at_r(ranks) == pytest.approx(
        sum(precisions[i] for i in hits if i < n_relevant) / n_relevant
    )


@given(st.lists(st.integers(0, 4), min_size=1, max_size=30).filter(any), st.integers(1, 12))
def test_ndcg_equals_its_definition_and_is_one_for_the_best_order(relevance, k):
    gains = metrics.exponential_gain(np.array(relevance))
    ideal = np.sort(gains)[::-1]
    sums = [
        sum((2 ** int(r) - 1) / math.log2(rank + 1) for rank, r in enumerate(order[:k], start=1))
        for order in (relevance, sorted(relevance, reverse=True))
    ]
    assert metrics.ndcg(gains, ideal, k) == pytest.approx(sums[0] / sums[1])
    assert metrics.ndcg(ideal, ideal, k) == pytest.approx(1)


@given(st.lists(st.integers(0, 15), min_size=1, max_size=60), SEED)
def test_a_photo_never_stands_on_both_sides_of_the_split(photos, seed):
    types = [f"type {number % 3}" for number in photos]
    products = pd.DataFrame({"id": range(len(photos)), "articleType": types,
                             "image_sha256": [f"{number:064x}" for number in photos]})  # fmt: skip
    try:
        is_test = splits.is_test_product(products, seed=seed)
    except ParameterError:  # no type can spare a photo
        assume(False)
    assert is_test.shape == (len(photos),)
    sides = pd.Series(is_test).groupby(products["image_sha256"]).nunique()
    assert (sides == 1).all()
