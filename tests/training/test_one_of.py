import numpy as np
import pytest

from fashion_rir.errors import ParameterError
from fashion_rir.training.one_of import Examples, Settings, allowed_classes, joined, target, train

CLASSES = {"articleType": ("Caps", "Hat", "Jeans")}

SETTINGS = Settings(hidden=16, dropout=0.0, input_dropout=0.0, epochs=30, batch_size=16)


def drawn(codes: np.ndarray, allowed: np.ndarray, seed: int = 0) -> Examples:
    """Three clouds of points, one a class."""
    centres = np.array([[4, 0], [0, 4], [-4, -4]])
    noise = np.random.default_rng(seed).normal(size=(len(codes), 2))
    return Examples((centres[codes] + noise).astype(np.float32), {"articleType": allowed},
                    np.ones(len(codes), np.float32))  # fmt: skip


def accuracy(head, codes: np.ndarray) -> float:
    asked = drawn(codes, allowed_classes(codes, 3), seed=1)
    return (head.posteriors(asked.features)["articleType"].argmax(1) == codes).mean()


def test_known_classes_are_learned():
    codes = np.arange(120) % 3
    head = train(drawn(codes, allowed_classes(codes, 3)), CLASSES, seed=0, settings=SETTINGS)
    assert accuracy(head, np.arange(90) % 3) > 0.95


def test_one_of_two_classes_teaches_what_is_not_either_of_them():
    codes = np.arange(120) % 3
    allowed = np.where((codes < 2)[:, None], [True, True, False], [False, False, True])
    head = train(drawn(codes, allowed), CLASSES, seed=0, settings=SETTINGS)
    asked = drawn(codes, allowed, seed=1)
    found = head.posteriors(asked.features)["articleType"]
    assert ((found * allowed).sum(axis=1) > 0.5).mean() > 0.95


def test_a_few_known_classes_and_many_vague_ones_tell_all_apart():
    codes = np.arange(120) % 3
    few = codes[:9]
    allowed = np.where((codes < 2)[:, None], [True, True, False], [False, False, True])
    both = joined([drawn(few, allowed_classes(few, 3)), drawn(codes, allowed)])
    head = train(both, CLASSES, seed=0, settings=SETTINGS)
    assert accuracy(head, np.arange(90) % 3) > 0.9


def test_what_may_be_anything_teaches_nothing():
    posterior = np.array([[0.2, 0.3, 0.5]])
    assert target(posterior, np.ones((1, 3), bool), 0.1).tolist() == posterior.tolist()


def test_the_gradient_is_that_of_the_marginal_likelihood():
    logits, allowed = np.array([0.3, -0.2, 0.9]), np.array([True, False, True])

    def loss(values: np.ndarray) -> float:
        powers = np.exp(values)
        return -np.log((powers * allowed).sum() / powers.sum())

    steps = np.eye(3) * 1e-5
    by_differences = [(loss(logits + s) - loss(logits - s)) / 2e-5 for s in steps]
    posterior = np.exp(logits) / np.exp(logits).sum()
    gradient = posterior - target(posterior[None], allowed[None], 0.0)[0]
    assert gradient == pytest.approx(by_differences, abs=1e-6)


def test_the_same_seed_gives_the_same_head():
    codes = np.arange(30) % 3
    examples = drawn(codes, allowed_classes(codes, 3))
    quick = Settings(hidden=8, epochs=2, batch_size=8)
    first, second = (train(examples, CLASSES, seed=5, settings=quick) for _ in range(2))
    assert all((first.arrays[name] == second.arrays[name]).all() for name in first.arrays)


def test_an_example_that_may_be_nothing_is_refused():
    with pytest.raises(ParameterError, match="articleType"):
        drawn(np.array([0]), np.zeros((1, 3), bool))
