"""heads: seeds, drawn clusters, rare classes, and posteriors worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from fashion_rir.data.labels import LabelClasses
from fashion_rir.errors import ParameterError, TrainingError
from fashion_rir.training import fit, heads
from fashion_rir.training.fit import Checkpoint, TrainingSettings
from fashion_rir.training.heads import HeadSettings, LabelHead

CLASSES = LabelClasses("articleType", ("Scarves", "Shirts", "Watches"))
SETTINGS = HeadSettings(hidden=16, dropout=0.2)
FITTING = TrainingSettings(epochs=5, batch_size=30, learning_rate=0.02)
DIM = 6


def clusters(n_of_class: tuple[int, ...], *, spread: float, seed: int = 0) -> tuple:
    """Features around a centre a class, and the classes; the numbers differ much in size."""
    generator = np.random.default_rng(seed)
    codes = np.repeat(np.arange(len(n_of_class)), n_of_class)
    features = np.eye(DIM)[codes] + spread * generator.standard_normal((len(codes), DIM))
    return (features * [1, 100, 1e-3, 1, 1, 1] + 7).astype(np.float32), codes


def train(
    settings: HeadSettings = SETTINGS, fitting: TrainingSettings = FITTING, *, seed: int = 1,
    data: tuple | None = None, **options: object,
) -> LabelHead:  # fmt: skip
    features, codes = clusters((40, 40, 40), spread=0.1) if data is None else data
    head, _ = heads.train_label_head(
        features, codes, CLASSES, settings, fitting, seed=seed, **options
    )
    return head


def recall(head: LabelHead, features: np.ndarray, codes: np.ndarray, code: int) -> float:
    """Share of a class' products that the head tells."""
    found = head.logits(features[codes == code]).argmax(axis=1)
    return float((found == code).mean())


@pytest.fixture(scope="module")
def head() -> LabelHead:
    return train()


# --- training ---


def test_a_head_tells_clusters_apart(head: LabelHead) -> None:
    features, codes = clusters((50, 50, 50), spread=0.1, seed=9)
    assert (head.logits(features).argmax(axis=1) == codes).all()
    assert head.logits(features).shape == (150, 3)
    assert head.embeddings(features).shape == (150, 16)
    assert head.embeddings(features).min() >= 0  # ReLU


def test_the_same_seed_gives_the_same_head(head: LabelHead) -> None:
    for found, expected in zip(train().model.get_weights(), head.model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_another_seed_gives_another_head(head: LabelHead) -> None:
    features, _ = clusters((5, 5, 5), spread=0.1)
    assert np.abs(train(seed=2).logits(features) - head.logits(features)).max() > 1e-3


def test_a_linear_probe_has_one_layer_of_weights() -> None:
    probe = train(
        HeadSettings(hidden=None, dropout=0.0), replace(FITTING, epochs=10, learning_rate=0.1)
    )
    assert [w.shape for w in probe.model.trainable_weights] == [(DIM, 3), (3,)]
    features, codes = clusters((50, 50, 50), spread=0.1, seed=9)
    assert (probe.logits(features).argmax(axis=1) == codes).all()
    trained_on, _ = clusters((40, 40, 40), spread=0.1)
    expected = (features - trained_on.mean(axis=0)) / trained_on.std(axis=0)
    # The third number hardly varies and is not blown up.
    np.testing.assert_allclose(
        np.delete(probe.embeddings(features), 2, axis=1), np.delete(expected, 2, axis=1), atol=1e-3
    )
    assert np.abs(probe.embeddings(features)[:, 2]).max() < 0.1


def test_the_curve_has_validation_and_validation_leaves_missing_classes_out() -> None:
    features, codes = clusters((40, 40, 40), spread=0.1)
    asked, answers = clusters((8, 8, 8), spread=0.1, seed=2)
    curves = [
        heads.train_label_head(
            features, codes, CLASSES, SETTINGS, replace(FITTING, epochs=2), seed=1,
            validation=validation,
        )[1]
        for validation in [
            (asked, answers),
            (np.vstack([asked, asked[:4]]), np.append(answers, [-1] * 4)),
        ]
    ]  # fmt: skip
    assert {*curves[0]} == {"epoch", "loss", "accuracy", "val_loss", "val_accuracy"}
    assert curves[0].equals(curves[1])


def test_products_without_a_class_are_left_out(head: LabelHead) -> None:
    features, codes = clusters((40, 40, 40), spread=0.1)
    strange = np.full((10, DIM), 1e3, dtype=np.float32)
    data = np.vstack([strange, features]), np.append([-1] * 10, codes)
    for found, expected in zip(
        train(data=data).model.get_weights(), head.model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


def test_balance_finds_more_of_a_rare_class() -> None:
    data = clusters((200, 200, 8), spread=1.0)
    asked = clusters((100, 100, 100), spread=1.0, seed=3)
    settings = HeadSettings(hidden=None, dropout=0.0, label_smoothing=0.0)
    equal, balanced = (
        recall(train(replace(settings, balance=balance), data=data), *asked, code=2)
        for balance in (0.0, 1.0)
    )
    assert balanced > equal + 0.2


def test_label_smoothing_holds_the_posterior_back() -> None:
    features, _ = clusters((40, 40, 40), spread=0.1)
    fitting = replace(FITTING, epochs=8, learning_rate=0.05)
    surest = [
        heads.posterior(
            train(replace(SETTINGS, label_smoothing=share), fitting).logits(features)
        ).max()
        for share in (0.0, 0.3)
    ]
    assert surest[0] > 0.99
    assert surest[1] < 0.95


def test_a_trained_head_is_taken_from_its_folder(head: LabelHead, tmp_path) -> None:
    checkpoint = Checkpoint(tmp_path, {"features": "drawn"})
    train(checkpoint=checkpoint)
    again = train(checkpoint=checkpoint)
    for found, expected in zip(again.model.get_weights(), head.model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_checkpoint_of_another_head_or_backbone_is_refused(tmp_path) -> None:
    features, _ = clusters((5, 5, 5), spread=0.1)
    path = tmp_path / "head.weights.h5"
    build = heads.build_head
    build(features, 3, SETTINGS, seed=1).save_weights(path)
    fit.load_weights(build(features, 3, SETTINGS, seed=2), path)
    for other in (
        build(features, 3, replace(SETTINGS, hidden=8), seed=1),
        build(features, 4, SETTINGS, seed=1),
        build(features[:, :5], 3, SETTINGS, seed=1),
        build(features, 3, replace(SETTINGS, hidden=None), seed=1),
    ):
        with pytest.raises(TrainingError, match="of another head size or backbone"):
            fit.load_weights(other, path)


# --- posteriors ---


def test_posterior_by_hand() -> None:
    logits = np.log(np.array([[1, 3], [4, 1]], dtype=np.float32))
    np.testing.assert_allclose(heads.posterior(logits), [[1 / 4, 3 / 4], [4 / 5, 1 / 5]], rtol=1e-6)
    # A temperature of 1/2 squares before the division.
    expected = [[1 / 10, 9 / 10], [16 / 17, 1 / 17]]
    np.testing.assert_allclose(heads.posterior(logits, temperature=0.5), expected, rtol=1e-6)
    assert heads.posterior(logits).dtype == np.float32


def test_posterior_of_large_logits() -> None:
    found = heads.posterior(np.array([[1e4, 1e4, -1e4]], dtype=np.float32), temperature=0.1)
    assert found.tolist() == [[0.5, 0.5, 0.0]]


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_a_temperature_out_of_range_is_refused(temperature: float) -> None:
    with pytest.raises(ParameterError, match="temperature must be above 0, not"):
        heads.posterior_embedding(np.zeros((1, 2)), temperature=temperature)


def test_the_cosine_of_posterior_embeddings_is_the_bhattacharyya_coefficient() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (20, 7)).astype(np.float32)
    embeddings = heads.posterior_embedding(logits, temperature=0.7)
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, rtol=1e-6)
    p = np.exp(logits / 0.7) / np.exp(logits / 0.7).sum(axis=1, keepdims=True)
    coefficient = np.sqrt(p[:, None, :] * p[None, :, :]).sum(axis=2)
    np.testing.assert_allclose(embeddings @ embeddings.T, coefficient, atol=1e-5)


def test_mean_logits_by_hand() -> None:
    first = np.log(np.array([[1.0, 3.0]], dtype=np.float32))
    second = np.log(np.array([[8.0, 2.0]], dtype=np.float32)) + 5  # a shift means nothing
    found = heads.mean_logits([first, second])
    np.testing.assert_allclose(np.exp(found), [[(1 / 4 + 4 / 5) / 2, (3 / 4 + 1 / 5) / 2]])
    assert found.dtype == np.float32
    certain = heads.mean_logits([np.array([[0.0, -1e4]])])
    assert np.isfinite(certain).all()


@pytest.mark.parametrize("shapes", [[], [(2, 3), (2, 4)], [(2, 3), (1, 3)]])
def test_the_mean_of_unlike_logits_is_refused(shapes: list[tuple[int, int]]) -> None:
    with pytest.raises(ParameterError, match="logits of one shape"):
        heads.mean_logits([np.zeros(shape) for shape in shapes])


def test_one_hot() -> None:
    found = heads.one_hot(np.array([1, 0]), 3)
    assert found.tolist() == [[0, 1, 0], [1, 0, 0]]
    assert found.dtype == np.float32


@pytest.mark.parametrize("code", [-1, 3])
def test_one_hot_refuses_what_is_no_class(code: int) -> None:
    with pytest.raises(ParameterError, match=f"class in row 1 is {code}; it must be 0 to 2"):
        heads.one_hot(np.array([1, code]), 3)


# --- bad input ---


def test_features_of_another_width_are_refused(head: LabelHead) -> None:
    for shape in [(2, DIM + 1), (DIM,)]:
        with pytest.raises(ParameterError, match=rf"shape \(n, {DIM}\), not \({shape[0]},"):
            head.logits(np.zeros(shape, dtype=np.float32))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_feature_that_is_not_finite_is_named(value: float) -> None:
    features, codes = clusters((4, 4, 4), spread=0.1)
    features[7, 2] = value
    codes[:3] = -1  # the row is the caller's, with these products counted
    with pytest.raises(ParameterError, match="embedding in row 7 is not finite"):
        heads.build_head(features, 3, SETTINGS, seed=0)
    with pytest.raises(ParameterError, match="embedding in row 7 is not finite"):
        train(data=(features, codes))
    with pytest.raises(ParameterError, match="embedding in row 7 is not finite"):
        train(validation=(features, codes))


def test_labels_that_do_not_fit_are_refused() -> None:
    features, codes = clusters((4, 4, 4), spread=0.1)
    with pytest.raises(ParameterError, match="12 embeddings and 11 classes of training products"):
        train(data=(features, codes[1:]))
    with pytest.raises(ParameterError, match="None of 12 training products has a class"):
        train(data=(features, np.full(12, -1)))
    with pytest.raises(ParameterError, match="None of 12 validation products has a class"):
        train(validation=(features, np.full(12, -1)))
    with pytest.raises(ParameterError, match="class in row 2 is 3; it must be 0 to 2"):
        train(data=(features, np.where(np.arange(12) == 2, 3, codes)))
    with pytest.raises(ParameterError, match="two classes apart at least, not 1"):
        heads.build_head(features, 1, SETTINGS, seed=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden": 0}, "hidden must be at least 1, or None for no hidden layer, not 0"),
        ({"activation": "rely"}, "activation 'rely'; did you mean 'relu'"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1, not 1.0"),
        ({"label_smoothing": -0.1}, "label_smoothing must be at least 0 and below 1, not -0.1"),
        ({"balance": 1.5}, "balance must lie between 0 and 1, not 1.5"),
    ],
)
def test_settings_out_of_range_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        HeadSettings(**changes)
