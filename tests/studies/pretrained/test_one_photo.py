"""one_photo: matches and misses within thresholds, by hand."""

import numpy as np
import pytest

from fashion_rir.embedding.embedded import Embedded
from fashion_rir.studies.pretrained import one_photo
from fashion_rir.thesis import numbers

CODES = np.array([0, 0, 1, -1])  # the last has no type


@pytest.fixture
def counts() -> one_photo.Counts:
    """On a line at 0, 18.5, 21 and 30: Euclidean thresholds are 18, 19, 20 and 22."""
    vectors = np.array([[0.0], [18.5], [21.0], [30.0]], dtype="float32")
    return one_photo.count(Embedded(vectors, {}), CODES, np.array([0, 3]), "euclidean")


def test_counts_by_hand(counts: one_photo.Counts) -> None:
    assert sorted(counts.matches) == sorted(
        numbers.THESIS_THRESHOLDS["mobilenetv2", "resize", "euclidean"]
    )
    assert counts.matches[18].tolist() == [0, 0]  # itself is left out
    assert counts.matches[19].tolist() == [1, 0]
    assert counts.misses[20].tolist() == [0, 2]  # without a type everything is a miss
    assert counts.misses[22].tolist() == [1, 2]


def test_exactly_means_without_a_miss(counts: one_photo.Counts) -> None:
    assert counts.exactly(19, matches=1).tolist() == [True, False]
    assert counts.exactly(22, matches=1).tolist() == [False, False]
