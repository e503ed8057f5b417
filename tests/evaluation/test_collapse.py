"""collapse: a training that came to nothing is known by its random pairs, or by its accuracy."""

import pytest

from fashion_rir.evaluation.collapse import signs_of_collapse


@pytest.mark.parametrize(("alike", "n_signs"), [(0.0, 0), (0.66, 0), (0.67, 1), (1.0, 1)])
def test_two_thirds_of_random_pairs_alike(alike: float, n_signs: int) -> None:
    assert len(signs_of_collapse({"median": 0.9, "above 0.95": alike})) == n_signs


@pytest.mark.parametrize(("right", "n_signs"), [(0.01, 1), (0.02, 1), (0.16, 0)])
def test_a_classifier_at_one_percent(right: float, n_signs: int) -> None:
    assert len(signs_of_collapse(accuracy={"micro": right, "macro": 0.0})) == n_signs


def test_what_was_not_measured_is_no_sign() -> None:
    assert signs_of_collapse() == []
