"""near_copies and label_noise: pairs, groups and doubts by hand."""

import numpy as np
import pandas as pd

from fashion_rir.studies.analysis import label_noise, near_copies

HASHES = np.ones((4, 64))
HASHES[1, :3] = HASHES[2, :20] = -1
VECTORS = np.array([[1, 0], [1, 0.05], [1, 0], [0, 1]], dtype="float32")


def test_a_pair_is_alike_by_hash_and_by_embedding() -> None:
    found = near_copies.find_pairs(HASHES, VECTORS, most_bits=4, least_similarity=0.9)
    assert found.rows.tolist() == [[0, 1]]  # 2 by embedding alone, 3 by hash alone
    assert found.bits.tolist() == [3]
    assert len(found.within(2, 0.9)) == 0 and len(found.within(4, 0.9)) == 1


def test_groups_hang_together_by_pairs_and_by_equal_photos() -> None:
    pairs = np.array([[0, 1], [1, 3]])
    found = near_copies.groups(6, pairs, ["a", "b", "c", "d", "c", "e"])
    assert found[0] == found[1] == found[3]
    assert found[2] == found[4]
    assert len({*found.tolist()}) == 3
    alone = near_copies.groups(2, np.empty((0, 2), dtype=int), ["a", "b"])
    assert alone[0] != alone[1]


def test_the_majority_of_a_photo_names_its_type() -> None:
    products = pd.DataFrame({
        "image_sha256": ["a", "a", "a", "b", "c", "c"],
        "articleType": ["Tops", "Shirts", "Tops", "Ties", "Socks", "Belts"],
    })  # fmt: skip
    found = label_noise.majority_types(products).tolist()
    assert found == ["Tops", "Tops", "Tops", "Ties", "Belts", "Belts"]  # of equals by name


def test_confident_learning_by_hand() -> None:
    """The limits are the means of each class' own: 0.8 for the first, 0.5 for the second."""
    posterior = np.array([[0.9, 0.1], [0.7, 0.3], [0.1, 0.9], [0.9, 0.1], [0.6, 0.4]])
    posterior = np.vstack([posterior, [np.nan, np.nan]])
    codes = np.array([0, 0, 1, 1, -1, 1])
    found = label_noise.confident_types(posterior, codes)
    assert found.tolist() == [0, 0, 1, 0, -1, 1]  # sure, not sure, sure, doubted, unknown, unasked
