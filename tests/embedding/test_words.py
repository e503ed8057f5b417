"""words: how texts are looked up."""

import numpy as np
import pytest

from fashion_rir.embedding.words import N_ROWS, plain_words, rows_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [("shirts, BLUE", ["shirt", "blue"]), ("Women's dresses", ["women", "dress"]),
     ("watches accessories", ["watch", "accessory"]), ("glass bus", ["glass", "bus"]),
     ("Caf\u00e9 T-Shirt", ["cafe", "t", "shirt"]), ("...", []), ("", [])],
)  # fmt: skip
def test_words_are_plain_and_in_the_singular(text, expected):
    assert plain_words(text) == expected


def test_order_case_and_number_do_not_count():
    assert sorted(rows_of("blue shirts")) == sorted(rows_of("SHIRT, Blue"))


def test_a_typing_error_shares_more_with_its_word_than_another_word_does():
    def shared(one: str, other: str) -> int:
        return len(set(rows_of(one)) & set(rows_of(other)))

    assert shared("sweatshirt", "sweatshrit") > shared("sweatshirt", "sandal")


def test_rows_are_the_table_s_and_a_long_text_is_cut():
    rows = rows_of("red " * 1000)
    assert rows.dtype == np.int64
    assert len(rows) < 500
    assert rows.min() >= 0 and rows.max() < N_ROWS
