"""search: pages, thresholds, filters, reasons, and the table."""

import csv
import io

import numpy as np
import pytest
from drawn_shop import FORMULA_NAME, HOSTILE_NAME, MODEL

from fashion_rir.errors import ParameterError
from fashion_rir.search.gallery import Gallery
from fashion_rir.storefront import search
from fashion_rir.storefront.messages import Settings


@pytest.fixture(scope="module")
def gallery(shop):
    """Each product at its own place on a line: shirts 0 to 49, shoes 150 to 199, socks at 300."""
    places = [*range(50), *range(150, 200), 300]
    return Gallery(np.array(places, np.float32)[:, None], shop.products["id"], "euclidean")


def at(place: float) -> np.ndarray:
    return np.array([place], dtype=np.float32)


def settings(**changes: object) -> Settings:
    return Settings(**{"model": MODEL, "measure": "euclidean", "n_results": 12} | changes)


def test_a_page_holds_the_closest_products_and_the_next_page_goes_on(shop, gallery):
    first = search.search(shop, gallery, at(0), settings())
    assert first.rows.tolist() == list(range(12))
    assert first.distances.tolist() == list(range(12))
    assert (first.n_matches, first.is_match, first.has_more) == (101, True, True)
    last = search.search(shop, gallery, at(0), settings(page=8))
    assert (last.rows.tolist(), last.has_more) == ([96, 97, 98, 99, 100], False)
    assert search.search(shop, gallery, at(0), settings(page=9)).rows.tolist() == []


def test_the_own_product_is_not_among_the_results(shop, gallery):
    found = search.search(shop, gallery, at(5), settings(), own_id=2006)
    assert 5 not in found.rows
    assert found.n_matches == 100


def test_filters_leave_only_what_has_them(shop, gallery):
    found = search.search(shop, gallery, at(0), settings(wanted={"articleType": "Casual Shoes"}))
    assert (found.rows.tolist(), found.n_matches) == (list(range(50, 62)), 50)
    wanted = {"gender": "Women", "articleType": "Socks"}
    none = search.search(shop, gallery, at(0), settings(wanted=wanted))
    assert (none.rows.tolist(), none.n_matches, none.is_match) == ([], 0, False)


def test_a_threshold_cuts_and_counts(shop, gallery):
    found = search.search(shop, gallery, at(0), settings(threshold=3.0))
    assert (found.rows.tolist(), found.n_matches, found.has_more) == ([0, 1, 2, 3], 4, False)
    many = search.search(shop, gallery, at(0), settings(threshold=20.0), own_id=2001)
    assert (len(many.rows), many.n_matches, many.has_more) == (12, 20, True)


def test_nothing_under_the_threshold_gives_the_nearest_as_no_match(shop, gallery):
    found = search.search(shop, gallery, at(99), settings(threshold=3.0))
    assert (found.is_match, found.n_matches) == (False, 0)
    assert found.rows.tolist()[:2] == [49, 48]


def test_an_unknown_value_of_a_filter_names_the_nearest(shop, gallery):
    with pytest.raises(ParameterError, match="did you mean 'Men'"):
        search.search(shop, gallery, at(0), settings(wanted={"gender": "men"}))


def test_most_of_the_nearest_say_what_a_photo_shows(shop):
    # Of the ten nearest, six are shirts (three for women) and four are shoes (for men).
    places = np.full(101, 90.0)
    places[[0, 1, 2, 3, 4, 5, 50, 51, 52, 53]] = 0
    near = Gallery(places.astype(np.float32)[:, None], shop.products["id"], "euclidean")
    guessed = search.guessed_attributes(shop, near, at(0))
    expected = {"type": "Shirts", "colour": "Red", "gender": "Men", "season": "Summer"}
    assert guessed == expected | {"usage": "Casual"}
    places[[50, 51, 52, 53, 6, 7, 8, 9]] = [90] * 4 + [0] * 4  # ten shirts, five for women
    near = Gallery(places.astype(np.float32)[:, None], shop.products["id"], "euclidean")
    assert "gender" not in search.guessed_attributes(shop, near, at(0))


def test_the_table_holds_the_page_and_runs_no_formula(shop, gallery):
    found = search.search(shop, gallery, at(0), settings())
    rows = list(csv.DictReader(io.StringIO(search.as_csv(shop, found, settings()))))
    assert [row["id"] for row in rows[:3]] == ["2001", "2002", "2003"]
    assert rows[1]["name"] == f"'{FORMULA_NAME}"
    assert (rows[2]["distance"], rows[2]["colour"], rows[2]["rank"]) == ("2", "Red", "3")


def test_products_are_found_by_words_in_any_order(shop):
    assert search.products_named(shop, "shirt RED anna", most=3) == [0, 2, 3]  # 1 is the formula
    assert search.products_named(shop, "3007") == [56]
    assert search.products_named(shop, "no such thing") == []
    assert search.products_named(shop, "onerror") == [100]
    assert shop.products["productDisplayName"].iloc[100] == HOSTILE_NAME


@pytest.mark.parametrize(
    "text",
    ["shirt, RED", "red,shirt", "shirt; red", "“red” shirt!", "(red) / shirt", "red & shirt",
     "shirt,\u00a0red.", "shírt réd", "ｓｈｉｒｔ red", "shirt – red"],
)  # fmt: skip
def test_what_stands_between_and_around_words_does_not_matter(shop, text):
    found = search.products_named(shop, text, most=200)
    assert len(found) > 3
    assert found == search.products_named(shop, "shirt red", most=200)


def test_marks_inside_a_word_belong_to_it():
    assert search.plain_words("T-shirts, men's 3/4 & v.neck") == [
        "t-shirts", "men's", "3", "4", "v.neck"]  # fmt: skip


def test_marks_alone_are_no_words(shop):
    assert search.products_named(shop, " ,;! ", seed=1) == search.products_named(shop, "", seed=1)


def test_without_words_products_of_different_types_are_drawn(shop):
    rows = search.products_named(shop, "  ", seed=1)
    assert sorted(shop.products["articleType"].iloc[rows]) == ["Casual Shoes", "Shirts", "Socks"]
