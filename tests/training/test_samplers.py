"""samplers: batches worked out by hand, and what is refused before training starts."""

import numpy as np
import pytest

from fashion_rir.errors import ParameterError
from fashion_rir.training import samplers

CLASSES = np.array([0, 0, 0, 0, 0, 1, 1, 2, -1, -1, 3, 3, 3])  # 2 has one product, -1 has none


def balanced(classes: np.ndarray = CLASSES, **changes: int) -> np.ndarray:
    options = {"batches": 50, "classes_per_batch": 2, "products_per_class": 3, "seed": 1,
               "epoch": 0} | changes  # fmt: skip
    *shape, seed, epoch = options.values()
    return samplers.class_balanced_batches(classes, tuple(shape), seed=seed, epoch=epoch)


def test_a_single_product_and_a_missing_class_have_no_positive() -> None:
    expected = [True] * 7 + [False] * 3 + [True] * 3
    assert samplers.has_positive(CLASSES).tolist() == expected


def test_a_balanced_batch_holds_p_classes_of_k_products() -> None:
    batches = balanced()
    assert batches.dtype == np.int64
    assert batches.shape == (50, 6)
    for groups in CLASSES[batches].reshape(50, 2, 3):
        assert (groups == groups[:, :1]).all()
        assert groups[0, 0] != groups[1, 0]


def test_every_class_with_a_positive_is_drawn_equally_often() -> None:
    classes = CLASSES[balanced(batches=3000)]
    shares = np.bincount(classes.ravel(), minlength=4) / classes.size
    np.testing.assert_allclose(shares, [1 / 3, 1 / 3, 0, 1 / 3], atol=0.02)


def test_every_product_with_a_positive_is_drawn() -> None:
    assert set(np.unique(balanced())) == set(np.flatnonzero(samplers.has_positive(CLASSES)))


def test_a_product_is_repeated_only_when_its_class_is_used_up() -> None:
    for batch in balanced(products_per_class=5):
        for rows in batch.reshape(2, 5):
            _, counts = np.unique(rows, return_counts=True)
            expected = {0: [1] * 5, 1: [2, 3], 3: [1, 2, 2]}[int(CLASSES[rows[0]])]
            assert sorted(counts.tolist()) == expected


def test_balanced_batches_depend_on_seed_and_epoch_alone() -> None:
    np.testing.assert_array_equal(balanced(), balanced())
    assert (balanced() != balanced(seed=2)).any()
    assert (balanced() != balanced(epoch=1)).any()
    assert (balanced(seed=0, epoch=1) != balanced(seed=1, epoch=0)).any()


def test_a_longer_epoch_begins_with_the_same_batches() -> None:
    np.testing.assert_array_equal(balanced(batches=10), balanced()[:10])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes_per_batch": 1}, r"classes_per_batch \(P\) must be 2 to 3 here, not 1"),
        ({"classes_per_batch": 4}, r"classes_per_batch \(P\) must be 2 to 3 here, not 4"),
        ({"products_per_class": 0}, r"products_per_class \(K\) must be 2 to 5 here, not 0"),
        ({"products_per_class": 1}, r"products_per_class \(K\) must be 2 to 5 here, not 1"),
        ({"products_per_class": 6}, r"products_per_class \(K\) must be 2 to 5 here, not 6"),
        ({"batches": 0}, "batches must be at least 1, not 0"),
        ({"seed": -1}, "seed must be at least 0, not -1"),
        ({"epoch": -2}, "epoch must be at least 0, not -2"),
        ({"classes": np.zeros(9, dtype=int)}, "two classes with two products or more, not 1"),
        ({"classes": np.array([0, 0, 0, 1, -1, -1])}, "two products or more, not 1"),
        ({"classes": np.arange(9)}, "two classes with two products or more, not 0"),
        ({"classes": np.array(["Shirts", "Shirts"])}, "integers, one a product, not <U6"),
        ({"classes": np.array([0.0, 0.0, 1.0])}, "not float64"),
        ({"classes": np.zeros((3, 2), dtype=int)}, r"shape \(3, 2\)"),
        ({"classes": np.zeros(0, dtype=int)}, r"shape \(0,\)"),
        ({"classes": np.array([0, 0, -2, 1])}, "row 2 is -2"),
    ],
)
def test_balanced_batches_refuse(changes: dict, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        balanced(**changes)


@pytest.mark.parametrize(
    ("drop_last", "sizes"), [(False, [4, 4, 2]), (True, [4, 4])], ids=["whole", "dropped"]
)
def test_shuffled_batches_hold_every_product_once(drop_last: bool, sizes: list[int]) -> None:
    batches = samplers.shuffled_batches(10, batch_size=4, seed=0, epoch=0, drop_last=drop_last)
    assert [len(batch) for batch in batches] == sizes
    rows = np.concatenate(batches)
    assert len(np.unique(rows)) == sum(sizes)
    assert set(rows) <= set(range(10))
    assert rows.dtype == np.int64


def test_a_batch_size_that_divides_leaves_nothing_to_drop() -> None:
    for drop_last in (False, True):
        batches = samplers.shuffled_batches(6, batch_size=3, seed=0, epoch=0, drop_last=drop_last)
        assert [len(batch) for batch in batches] == [3, 3]


def test_shuffled_batches_depend_on_seed_and_epoch_alone() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        options = {"batch_size": 7, "seed": seed, "epoch": epoch, "drop_last": False}
        return np.concatenate(samplers.shuffled_batches(50, **options)).tolist()

    assert order(3, 4) == order(3, 4)
    assert len({tuple(order(*pair)) for pair in [(3, 4), (3, 5), (4, 4), (4, 3)]}) == 4
    assert order(3, 4) != list(range(50))


@pytest.mark.parametrize(
    ("n_products", "batch_size", "message"),
    [
        (10, 0, "batch_size must be 1 to 10 here, not 0"),
        (10, 11, "batch_size must be 1 to 10 here, not 11"),
        (0, 1, "n_products must be at least 1, not 0"),
    ],
)
def test_shuffled_batches_refuse(n_products: int, batch_size: int, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        samplers.shuffled_batches(
            n_products, batch_size=batch_size, seed=0, epoch=0, drop_last=True
        )


def test_weights_of_power_0_leave_products_equal() -> None:
    assert samplers.sampling_weights(np.array([0, 0, 7]), 0).tolist() == [1, 1, 1]


def test_weights_of_power_1_make_classes_equal() -> None:
    classes = np.array([0, 4, 0, 0, 4, 9])
    weights = samplers.sampling_weights(classes, 1)
    np.testing.assert_allclose(weights, [2 / 3, 1, 2 / 3, 2 / 3, 1, 2])


def test_weights_of_power_one_half_go_by_the_root_of_the_count() -> None:
    weights = samplers.sampling_weights(np.array([0, 0, 0, 0, 1]), 0.5)
    np.testing.assert_allclose(weights[4] / weights[0], 2)
    np.testing.assert_allclose(weights.mean(), 1)


@pytest.mark.parametrize(
    ("classes", "power", "message"),
    [
        ([0, 1], -0.1, "power must lie between 0 and 1, not -0.1"),
        ([0, 1], 1.5, "not 1.5"),
        ([0, 1], float("nan"), "not nan"),
        ([0, -1, -1], 1.0, "2 of 3 products have no class"),
        ([], 1.0, r"shape \(0,\)"),
    ],
)
def test_weights_refuse(classes: list[int], power: float, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        samplers.sampling_weights(np.array(classes), power)
