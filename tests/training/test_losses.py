"""losses: against values worked out by hand, a second implementation in float64, and JAX."""

import os
import subprocess
import sys
from collections.abc import Callable
from math import exp, log
from pathlib import Path

import keras
import numpy as np
import pytest

from fashion_rir.errors import ParameterError
from fashion_rir.training import losses

TEMPERATURES = (0.01, 0.1, 1.0)
# Classes of five, three, two and one product; two products without a class.
LABELS = np.array([0, 1, 0, 2, -1, 0, 1, 3, 0, 1, 2, -1, 0])
ATTRIBUTES = np.column_stack([LABELS, np.arange(13) % 3 - 1, np.arange(13) % 2])
SHARES = (0.5, 0.3, 0.2)


def drawn_embeddings(n: int = 13, embedding_dim: int = 6, seed: int = 5) -> np.ndarray:
    """float32, of very different lengths."""
    generator = np.random.default_rng(seed)
    lengths = generator.uniform(0.1, 20, (n, 1))
    return (generator.standard_normal((n, embedding_dim)) * lengths).astype(np.float32)


def unit(embeddings: np.ndarray) -> np.ndarray:
    embeddings = np.asarray(embeddings, dtype=np.float64)
    return embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)


def slow_contrastive(embeddings: np.ndarray, weights: np.ndarray, temperature: float) -> float:
    """The formula of the paper, sum by sum, in float64."""
    similarities = unit(embeddings) @ unit(embeddings).T
    by_anchor = []
    for i, row in enumerate(similarities / temperature):
        others = [k for k in range(len(row)) if k != i]
        highest = max(row[k] for k in others)
        denominator = sum(exp(row[k] - highest) for k in others)
        terms = [weights[i, p] * (log(denominator) + highest - row[p]) for p in others]
        total = sum(weights[i, p] for p in others)
        if total > 0:
            by_anchor.append(sum(terms) / total)
    return float(np.mean(by_anchor))


def slow_nt_xent(both: np.ndarray, temperature: float) -> float:
    """NT-Xent of two stacked views."""
    is_other_view = np.roll(np.eye(len(both)), len(both) // 2, axis=0)
    return slow_contrastive(both, is_other_view, temperature)


def slow_triplet(embeddings: np.ndarray, labels: np.ndarray, margin: float) -> float:
    """Schroff et al. (2015), pair by pair."""
    embeddings = unit(embeddings)
    hinges = []
    for a, anchor in enumerate(embeddings):
        distances = ((embeddings - anchor) ** 2).sum(axis=1)
        is_same = (labels == labels[a]) & (labels != -1)
        negatives = [d for n, d in enumerate(distances) if n != a and not is_same[n]]
        for p in np.flatnonzero(is_same):
            if p != a and negatives:
                farther = [d for d in negatives if d > distances[p]]
                negative = min(farther) if farther else max(negatives)
                hinges.append(max(distances[p] - negative + margin, 0))
    return float(np.mean(hinges))


def same_label(labels: np.ndarray) -> np.ndarray:
    return ((labels[:, None] == labels) & (labels[:, None] != -1)).astype(np.float64)


def value_and_gradient(loss: Callable, embeddings: np.ndarray) -> tuple[float, np.ndarray]:
    """By the backend's own differentiation."""
    if keras.backend.backend() == "jax":
        import jax

        value, gradient = jax.jit(jax.value_and_grad(loss))(jax.numpy.asarray(embeddings))
    else:
        import tensorflow as tf

        embeddings = tf.constant(embeddings)
        with tf.GradientTape() as tape:
            tape.watch(embeddings)
            value = loss(embeddings)
        gradient = tape.gradient(value, embeddings)
    return float(value), np.asarray(gradient)


def views_loss(temperature: float) -> Callable:
    """NT-Xent as a function of two stacked views; of an odd number the middle one stays out."""
    return lambda x: losses.nt_xent(x[: len(x) // 2], x[-(len(x) // 2) :], temperature=temperature)


def every_loss(temperature: float) -> dict[str, Callable]:
    """All losses as functions of embeddings (13, embedding_dim)."""
    return {
        "nt_xent": views_loss(temperature),
        "supervised": lambda x: losses.supervised_contrastive(x, LABELS, temperature=temperature),
        "several": lambda x: losses.multi_attribute(
            x, ATTRIBUTES, shares=SHARES, temperature=temperature
        ),
        "triplet": lambda x: losses.triplet_semi_hard(x, LABELS, margin=temperature),
        "uniformity": losses.uniformity,
        "alignment": lambda x: losses.alignment(x[:6], x[6:12]),
    }


def values_and_gradients() -> dict[str, np.ndarray]:
    """By `<loss> <temperature>`: the value, and behind ` gradient` the gradient."""
    found = {}
    for temperature in TEMPERATURES:
        for name, loss in every_loss(temperature).items():
            value, gradient = value_and_gradient(loss, drawn_embeddings())
            found[f"{name} {temperature}"] = np.array(value)
            found[f"{name} {temperature} gradient"] = gradient
    return found


def test_nt_xent_of_four_vectors_by_hand() -> None:
    first = np.array([[1.0, 0.0], [0.0, 1.0]])
    second = np.array([[0.6, 0.8], [-0.6, 0.8]])
    # Similarities: 1-2 0; 1-1' 0.6; 1-2' -0.6; 2-1' 0.8; 2-2' 0.8; 1'-2' -0.36 + 0.64 = 0.28.
    # At temperature 0.5 each is doubled.
    by_view = [
        -log(exp(1.2) / (exp(0) + exp(1.2) + exp(-1.2))),
        -log(exp(1.6) / (exp(0) + exp(1.6) + exp(1.6))),
        -log(exp(1.2) / (exp(1.2) + exp(1.6) + exp(0.56))),
        -log(exp(1.6) / (exp(-1.2) + exp(1.6) + exp(0.56))),
    ]
    found = losses.nt_xent(first, second, temperature=0.5)
    assert float(found) == pytest.approx(sum(by_view) / 4, abs=1e-6)
    # The length of the vectors does not matter.
    found = losses.nt_xent(first * 7, second / 3, temperature=0.5)
    assert float(found) == pytest.approx(sum(by_view) / 4, abs=1e-6)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_nt_xent_equals_the_formula_in_float64(temperature: float) -> None:
    both = drawn_embeddings(16)
    found = losses.nt_xent(both[:8], both[8:], temperature=temperature)
    assert float(found) == pytest.approx(slow_nt_xent(both, temperature), rel=1e-5, abs=1e-5)


def test_nt_xent_is_supervised_contrastive_of_two_views() -> None:
    both = drawn_embeddings(16)
    product = np.tile(np.arange(8), 2)
    found = losses.supervised_contrastive(both, product, temperature=0.1)
    expected = losses.nt_xent(both[:8], both[8:], temperature=0.1)
    assert float(found) == float(expected)


@pytest.mark.parametrize("temperature", [0.05, 0.5])
def test_the_gradient_of_nt_xent_equals_finite_differences(temperature: float) -> None:
    both = drawn_embeddings(6, 3)
    _, found = value_and_gradient(views_loss(temperature), both)
    expected, step = np.zeros(both.shape), 1e-5
    for index in np.ndindex(both.shape):
        up, down = both.astype(np.float64), both.astype(np.float64)
        up[index] += step
        down[index] -= step
        difference = slow_nt_xent(up, temperature) - slow_nt_xent(down, temperature)
        expected[index] = difference / (2 * step)
    assert np.abs(expected).max() > 0.01
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def test_supervised_contrastive_by_hand() -> None:
    embeddings = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    labels = np.array([0, 0, 0, 1])  # the last has no positive and does not count
    near, far, opposite = exp(1), exp(0), exp(-1)
    first = -(log(near / (near + far + opposite)) + log(far / (near + far + opposite))) / 2
    third = -log(far / (far + far + far))
    found = losses.supervised_contrastive(embeddings, labels, temperature=1.0)
    assert float(found) == pytest.approx((2 * first + third) / 3, abs=1e-6)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_supervised_contrastive_equals_the_formula_in_float64(temperature: float) -> None:
    embeddings = drawn_embeddings()
    expected = slow_contrastive(embeddings, same_label(LABELS), temperature)
    for labels in (LABELS, LABELS[:, None], LABELS.astype(np.float32)):
        found = losses.supervised_contrastive(embeddings, labels, temperature=temperature)
        assert float(found) == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_weights_of_0_and_1_give_supervised_contrastive() -> None:
    embeddings = drawn_embeddings()
    found = losses.weighted_contrastive(embeddings, same_label(LABELS), temperature=0.2)
    expected = losses.supervised_contrastive(embeddings, LABELS, temperature=0.2)
    assert float(found) == float(expected)


def test_weights_equal_the_formula_in_float64() -> None:
    embeddings = drawn_embeddings()
    weights = np.random.default_rng(8).random((13, 13))
    weights[4] = 0  # no positive
    found = losses.weighted_contrastive(embeddings, weights, temperature=0.2)
    assert float(found) == pytest.approx(slow_contrastive(embeddings, weights, 0.2), rel=1e-5)


def test_attribute_weights_add_up_what_is_equal() -> None:
    labels = np.array([[0, 5, 1], [0, 5, 2], [0, -1, 1], [1, 5, 1], [-1, 5, 1], [0, -1, 2]])
    found = np.asarray(losses.attribute_weights(labels, [0.5, 0.3, 0.2]))
    expected = [
        [1.0, 0.8, 0.7, 0.0, 0.0, 0.5],
        [0.8, 1.0, 0.5, 0.0, 0.0, 0.7],
        [0.7, 0.5, 0.7, 0.0, 0.0, 0.5],  # two missing colours are not the same colour
        [0.0, 0.0, 0.0, 1.0, 0.0, 0.0],  # another type, whatever else is equal
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        [0.5, 0.7, 0.5, 0.0, 0.0, 0.7],
    ]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_multi_attribute_weights_the_positives() -> None:
    embeddings = drawn_embeddings()
    weights = np.asarray(losses.attribute_weights(ATTRIBUTES, SHARES))
    found = losses.multi_attribute(embeddings, ATTRIBUTES, shares=SHARES, temperature=0.2)
    assert float(found) == pytest.approx(slow_contrastive(embeddings, weights, 0.2), rel=1e-5)
    type_only = losses.multi_attribute(embeddings, LABELS[:, None], shares=[1.0], temperature=0.2)
    supervised = losses.supervised_contrastive(embeddings, LABELS, temperature=0.2)
    assert float(type_only) == float(supervised) != float(found)


def test_triplets_by_hand() -> None:
    embeddings = np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0], [0.0, 1.0]])
    labels = np.array([0, 0, 1, 1])
    # Of 0 and 1 the positive is at 0, negatives at 0 and 2: only 2 is farther, and beyond the
    # margin. Of 2 the positive is at 2, negatives at 0 and 0: the farthest is taken. Of 3 the
    # positive is at 2, negatives at 2 and 2: as far is not farther, so 2 is taken too.
    found = losses.triplet_semi_hard(embeddings, labels, margin=0.5)
    assert float(found) == pytest.approx((0 + 0 + (2 - 0 + 0.5) + (2 - 2 + 0.5)) / 4)


@pytest.mark.parametrize("margin", [0.1, 1.0])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_triplets_equal_the_search_pair_by_pair(margin: float, seed: int) -> None:
    embeddings = drawn_embeddings(seed=seed)
    found = losses.triplet_semi_hard(embeddings, LABELS, margin=margin)
    assert float(found) == pytest.approx(slow_triplet(embeddings, LABELS, margin), abs=1e-5)


def test_alignment_and_uniformity_by_hand() -> None:
    first = np.array([[2.0, 0.0], [0.0, 1.0]])
    second = np.array([[0.0, 3.0], [0.6, 0.8]])  # squared distances 2 and 0.36 + 0.04
    assert float(losses.alignment(first, second)) == pytest.approx((2 + 0.4) / 2)
    corners = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])  # squared distances 2, 2 and 4
    expected = log((2 * exp(-4) + exp(-8)) / 3)
    assert float(losses.uniformity(corners)) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_float16_gives_nearly_what_float32_does(temperature: float) -> None:
    embeddings = drawn_embeddings()
    for name, loss in every_loss(temperature).items():
        value, gradient = value_and_gradient(loss, embeddings.astype(np.float16))
        expected = float(loss(embeddings))
        assert value == pytest.approx(expected, rel=1e-2, abs=1e-2), name
        assert np.isfinite(gradient).all(), name


def stages(case: str) -> np.ndarray:
    """Embeddings at the ends of what a training meets."""
    embeddings = drawn_embeddings()
    if case == "all zeros in one row":  # as a ReLU may give
        embeddings[3] = 0
    if case == "collapsed":
        embeddings[:] = embeddings[0]
    if case == "opposite":
        embeddings[1::2] = -embeddings[0]
        embeddings[::2] = embeddings[0]
    if case == "large in float16":
        embeddings *= np.float32(60_000 / np.abs(embeddings).max())
    if case == "small in float16":
        embeddings *= np.float32(1e-4)
    return embeddings


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize(
    "case",
    ["all zeros in one row", "collapsed", "opposite", "large in float16", "small in float16"],
)
def test_values_and_gradients_are_finite(case: str, dtype: type) -> None:
    embeddings = stages(case).astype(dtype)
    for temperature in TEMPERATURES:
        for name, loss in every_loss(temperature).items():
            value, gradient = value_and_gradient(loss, embeddings)
            assert np.isfinite(value), (name, temperature)
            assert np.isfinite(gradient).all(), (name, temperature)


def test_a_batch_without_positives_gives_nothing_to_learn() -> None:
    found = {
        "supervised": lambda x: losses.supervised_contrastive(x, np.arange(13), temperature=0.1),
        "triplet": lambda x: losses.triplet_semi_hard(x, np.arange(13), margin=0.1),
        "one class": lambda x: losses.triplet_semi_hard(x, np.zeros(13, int), margin=4.0),
    }
    for name, loss in found.items():
        value, gradient = value_and_gradient(loss, drawn_embeddings())
        assert value == 0, name
        assert not gradient.any(), name


@pytest.mark.parametrize(
    ("function", "labels", "options"),
    [
        (losses.supervised_contrastive, LABELS, {"temperature": 0.1}),
        (losses.multi_attribute, ATTRIBUTES, {"shares": SHARES, "temperature": 0.1}),
        (losses.triplet_semi_hard, LABELS, {"margin": 0.5}),
    ],
)
def test_a_model_trains_with_each_loss(function: Callable, labels: np.ndarray, options) -> None:
    keras.utils.set_random_seed(0)
    head = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4)])
    head.compile(keras.optimizers.SGD(0.0), loss=losses.as_keras_loss(function, **options))
    embeddings, labels = np.tile(drawn_embeddings(), (2, 1)), np.tile(labels.T, 2).T
    # The last batch is shorter: in a compiled step the number of products is not known.
    history = head.fit(embeddings, labels, batch_size=20, shuffle=False, verbose=0)
    projected = head.predict(embeddings, verbose=0)
    by_batch = [float(function(projected[s], labels[s], **options))
                for s in (slice(20), slice(20, 26))]  # fmt: skip
    expected = (20 * by_batch[0] + 6 * by_batch[1]) / 26
    assert history.history["loss"][0] == pytest.approx(expected, rel=1e-4)


def test_the_loss_goes_down_in_training() -> None:
    keras.utils.set_random_seed(0)
    head = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4)])
    loss = losses.as_keras_loss(losses.supervised_contrastive, temperature=0.1)
    head.compile(keras.optimizers.Adam(0.05), loss=loss, jit_compile=False)
    history = head.fit(drawn_embeddings(), LABELS, epochs=20, batch_size=13, verbose=0)
    assert history.history["loss"][-1] < 0.7 * history.history["loss"][0]


JAX = """
import sys
import keras
import numpy as np
import test_losses

assert keras.backend.backend() == "jax"
np.savez(sys.argv[1], **test_losses.values_and_gradients())
assert "tensorflow" not in sys.modules
"""


@pytest.mark.slow
def test_jax_gives_what_tensorflow_gives(tmp_path: Path) -> None:
    pytest.importorskip("jax")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("compares with TensorFlow")
    path = str(tmp_path / "found.npz")
    done = subprocess.run(
        [sys.executable, "-c", JAX, path], capture_output=True, text=True, timeout=300,
        env=os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu",
                          "PYTHONPATH": str(Path(__file__).parent)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    expected = values_and_gradients()
    with np.load(path) as found:
        assert set(found) == set(expected)
        for name, values in expected.items():
            scale = max(1, np.abs(values).max())
            assert np.abs(values).max() > 0, name
            np.testing.assert_allclose(found[name], values, atol=1e-5 * scale, err_msg=name)


EMBEDDINGS = drawn_embeddings(4, 2)
FOUR_LABELS = np.array([0, 0, 1, 1])


@pytest.mark.parametrize("temperature", [0, 0.0, -0.1, float("nan"), float("inf"), "0.1", None])
def test_a_temperature_that_is_not_above_0_is_refused(temperature: object) -> None:
    message = f"above 0, usually 0.01 to 1, not {temperature!r}"
    calls = [
        lambda: losses.check_temperature(temperature),
        lambda: losses.nt_xent(EMBEDDINGS, EMBEDDINGS, temperature=temperature),
        lambda: losses.supervised_contrastive(EMBEDDINGS, FOUR_LABELS, temperature=temperature),
        lambda: losses.weighted_contrastive(EMBEDDINGS, np.eye(4), temperature=temperature),
        lambda: losses.multi_attribute(
            EMBEDDINGS, FOUR_LABELS[:, None], shares=[1], temperature=temperature
        ),
        lambda: losses.as_keras_loss(losses.supervised_contrastive, temperature=temperature),
    ]
    for call in calls:
        with pytest.raises(ParameterError, match=message):
            call()


@pytest.mark.parametrize("margin", [0, -0.2, 4.1, float("nan"), "0.2"])
def test_a_margin_out_of_range_is_refused(margin: object) -> None:
    with pytest.raises(ParameterError, match=f"above 0 and up to 4, not {margin!r}"):
        losses.triplet_semi_hard(EMBEDDINGS, FOUR_LABELS, margin=margin)
    with pytest.raises(ParameterError, match="above 0 and up to 4"):
        losses.as_keras_loss(losses.triplet_semi_hard, margin=margin)


@pytest.mark.parametrize(
    ("function", "labels", "options"),
    [
        (losses.supervised_contrastive, FOUR_LABELS[:3], {"temperature": 0.1}),
        (losses.triplet_semi_hard, FOUR_LABELS[:3], {"margin": 0.1}),
        (losses.multi_attribute, FOUR_LABELS[:3, None], {"shares": [1], "temperature": 0.1}),
    ],
)
def test_labels_of_another_length_are_refused(function: Callable, labels, options) -> None:
    with pytest.raises(ParameterError, match="4 embeddings but 3 labels"):
        function(EMBEDDINGS, labels, **options)


@pytest.mark.parametrize("function", [losses.supervised_contrastive, losses.triplet_semi_hard])
def test_labels_that_do_not_fit_are_refused(function: Callable) -> None:
    options = {losses.supervised_contrastive: {"temperature": 1.0}}.get(function, {"margin": 1.0})
    with pytest.raises(ParameterError, match=r"\(n,\) or \(n, 1\), not \(4, 2\); .*multi_attrib"):
        function(EMBEDDINGS, np.zeros((4, 2), dtype=int), **options)
    with pytest.raises(ParameterError, match="of type <U1, but must be integers"):
        function(EMBEDDINGS, np.array(["a", "a", "b", "b"]), **options)


@pytest.mark.parametrize("function", [losses.alignment, losses.nt_xent])
def test_views_of_different_products_are_refused(function: Callable) -> None:
    options = {"temperature": 0.1} if function is losses.nt_xent else {}
    with pytest.raises(ParameterError, match=r"shapes \(4, 2\) and \(3, 2\)"):
        function(EMBEDDINGS, EMBEDDINGS[:3], **options)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.eye(3), r"of shape \(3, 3\), but 4 embeddings need \(4, 4\)"),
        (np.ones((4, 3)), r"of shape \(4, 3\)"),
        (np.ones(4), r"of shape \(4,\)"),
        (np.full((4, 4), 1.5), r"between 1.5 and 1.5; bring them into \[0, 1\]"),
        (np.full((4, 4), -0.5), "between -0.5"),
        (np.full((4, 4), np.nan), "between nan"),
    ],
)
def test_weights_that_do_not_fit_are_refused(weights: np.ndarray, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        losses.weighted_contrastive(EMBEDDINGS, weights, temperature=0.1)


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ([0.5, 0.3, 0.1], r"sum to 1, not \[0.5, 0.3, 0.1\]"),
        ([1.5, -0.5, 0.0], "0 or more and sum to 1"),
        ([0.5, 0.5, float("nan")], "nan"),
        ([0.5, 0.5], r"2 shares need labels of shape \(n, 2\), not \(13, 3\)"),
    ],
)
def test_shares_that_do_not_fit_are_refused(shares: list[float], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        losses.attribute_weights(ATTRIBUTES, shares)


def test_shares_are_checked_before_training() -> None:
    with pytest.raises(ParameterError, match="sum to 1"):
        losses.as_keras_loss(losses.multi_attribute, shares=[0.5], temperature=0.1)


@pytest.mark.parametrize(
    ("function", "options", "message"),
    [
        (losses.nt_xent, {"temperature": 0.1}, "nt_xent with .* is no loss of embeddings and"),
        (losses.weighted_contrastive, {"temperature": 0.1}, "weighted_contrastive with"),
        (losses.supervised_contrastive, {"temprature": 0.1}, "temprature"),
        (losses.supervised_contrastive, {}, "missing a required argument: 'temperature'"),
    ],
)
def test_a_function_that_is_no_loss_of_labels_is_refused(function, options, message) -> None:
    with pytest.raises(ParameterError, match=message):
        losses.as_keras_loss(function, **options)


def test_a_keras_loss_keeps_its_name() -> None:
    loss = losses.as_keras_loss(losses.triplet_semi_hard, margin=0.2)
    assert loss.__name__ == "triplet_semi_hard"


@pytest.mark.parametrize("embeddings", [np.zeros(4), np.zeros((4, 2, 2))])
def test_embeddings_of_another_shape_are_refused(embeddings: np.ndarray) -> None:
    with pytest.raises(ParameterError, match=r"of shape \(n, embedding_dim\), not"):
        losses.uniformity(embeddings)


def test_uniformity_of_nearly_the_same_embeddings_is_not_above_zero() -> None:
    for seed in range(30):
        generator = np.random.default_rng(seed)
        alike = generator.random(64) + 1e-5 * generator.random((18, 64))
        assert -1e-4 < float(losses.uniformity(alike.astype(np.float32))) <= 0


def test_uniformity_of_one_embedding_is_refused() -> None:
    with pytest.raises(ParameterError, match="two embeddings or more, not 1"):
        losses.uniformity(np.ones((1, 3)))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([3, 3, 3], "3 products are of 1 class"),
        ([3, 3, -1], "3 products are of 1 class"),
        ([-1, -1], "2 products are of 0 class"),
        ([0, 1, 2, -1, -1], "No two of the 5 products are of the same class"),
        ([[0, 7], [1, 7]], "No two of the 2 products"),
        ([], r"shape \(0,\)"),
        ([0.5, 0.5], "not float64"),
        (["a", "a"], "not <U1"),
    ],
)
def test_a_batch_that_teaches_nothing_is_refused(labels: list, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        losses.check_batch(np.array(labels))


def test_a_good_batch_passes() -> None:
    losses.check_batch(LABELS)
    losses.check_batch(ATTRIBUTES)
