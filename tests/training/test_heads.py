"""heads: seeds, drawn clusters, rare classes, several labels, posteriors worked out by hand."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from fashion_rir.data.labels import LabelClasses
from fashion_rir.errors import ParameterError, TrainingError
from fashion_rir.training import fit, heads
from fashion_rir.training.fit import Checkpoint, Training, TrainingSettings
from fashion_rir.training.heads import Head, HeadSettings, JoinShares
from fashion_rir.training.objectives import Classification, one_hot

TYPE, COLOUR = "articleType", "baseColour"
CLASSES = {TYPE: LabelClasses(TYPE, ("Scarves", "Shirts", "Watches"))}
SETTINGS = HeadSettings(hidden=16, dropout=0.2)
FITTING = TrainingSettings(epochs=5, batch_size=30, learning_rate=0.02)
DIM = 6


def clusters(n_of_class: tuple[int, ...], *, spread: float, seed: int = 0) -> tuple:
    """Features around a centre a class, and the classes; the numbers differ much in size."""
    generator = np.random.default_rng(seed)
    codes = np.repeat(np.arange(len(n_of_class)), n_of_class)
    features = np.eye(DIM)[codes] + spread * generator.standard_normal((len(codes), DIM))
    return (features * [1, 100, 1e-3, 1, 1, 1] + 7).astype(np.float32), codes


def fitted(
    settings: HeadSettings = SETTINGS, fitting: TrainingSettings = FITTING, *, seed: int = 1,
    data: tuple | None = None, validation: tuple | None = None,
    checkpoint: Checkpoint | None = None,
) -> tuple:  # fmt: skip
    """A head of one label and its curve."""
    features, codes = clusters((40, 40, 40), spread=0.1) if data is None else data
    if validation is not None:
        validation = validation[0], {TYPE: validation[1]}
    objective = Classification(CLASSES, settings.label_smoothing, settings.balance)
    return heads.train_head((features, {TYPE: codes}), objective, settings,
                            Training(fitting, seed, checkpoint), validation=validation)  # fmt: skip


def train(*arguments: object, **options: object) -> Head:
    return fitted(*arguments, **options)[0]


def logits_of(head: Head, features: np.ndarray) -> np.ndarray:
    return head.outputs(features, TYPE)[TYPE]


def hidden_of(head: Head, features: np.ndarray) -> np.ndarray:
    return head.outputs(features, "hidden")["hidden"]


def recall(head: Head, features: np.ndarray, codes: np.ndarray, code: int) -> float:
    """Share of a class' products that the head tells."""
    found = logits_of(head, features[codes == code]).argmax(axis=1)
    return float((found == code).mean())


@pytest.fixture(scope="module")
def head() -> Head:
    return train()


# --- training ---


def test_a_head_tells_clusters_apart(head: Head) -> None:
    features, codes = clusters((50, 50, 50), spread=0.1, seed=9)
    outputs = head.outputs(features)
    assert (outputs[TYPE].argmax(axis=1) == codes).all()
    assert outputs[TYPE].shape == (150, 3)
    assert outputs["hidden"].shape == (150, 16)
    assert outputs["hidden"].min() >= 0  # ReLU
    assert set(outputs) == {TYPE, "hidden"}
    assert set(head.outputs(features, TYPE)) == {TYPE}


def test_the_same_seed_gives_the_same_head(head: Head) -> None:
    for found, expected in zip(train().model.get_weights(), head.model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_another_seed_gives_another_head(head: Head) -> None:
    features, _ = clusters((5, 5, 5), spread=0.1)
    assert np.abs(logits_of(train(seed=2), features) - logits_of(head, features)).max() > 1e-3


def test_a_linear_probe_has_one_layer_of_weights() -> None:
    probe = train(
        HeadSettings(hidden=None, dropout=0.0), replace(FITTING, epochs=10, learning_rate=0.1)
    )
    assert [w.shape for w in probe.model.trainable_weights] == [(DIM, 3), (3,)]
    features, codes = clusters((50, 50, 50), spread=0.1, seed=9)
    assert (logits_of(probe, features).argmax(axis=1) == codes).all()
    trained_on, _ = clusters((40, 40, 40), spread=0.1)
    expected = (features - trained_on.mean(axis=0)) / trained_on.std(axis=0)
    # The third number hardly varies and is not blown up.
    found = hidden_of(probe, features)
    np.testing.assert_allclose(
        np.delete(found, 2, axis=1), np.delete(expected, 2, axis=1), atol=1e-3
    )
    assert np.abs(found[:, 2]).max() < 0.1


def test_the_curve_has_validation_and_validation_leaves_missing_classes_out() -> None:
    asked, answers = clusters((8, 8, 8), spread=0.1, seed=2)
    curves = [
        fitted(SETTINGS, replace(FITTING, epochs=2), validation=validation)[1]
        for validation in [
            (asked, answers),
            (np.vstack([asked, asked[:4]]), np.append(answers, [-1] * 4)),
        ]
    ]
    assert {*curves[0]} == {"epoch", "loss", "accuracy", "val_loss", "val_accuracy"}
    assert curves[0].equals(curves[1])


def test_products_without_a_class_are_left_out(head: Head) -> None:
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
            logits_of(train(replace(SETTINGS, label_smoothing=share), fitting), features)
        ).max()
        for share in (0.0, 0.3)
    ]
    assert surest[0] > 0.99
    assert surest[1] < 0.95


def test_a_trained_head_is_taken_from_its_folder(head: Head, tmp_path) -> None:
    checkpoint = Checkpoint(tmp_path, {"features": "drawn"})
    train(checkpoint=checkpoint)
    again = train(checkpoint=checkpoint)
    for found, expected in zip(again.model.get_weights(), head.model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_checkpoint_of_another_head_or_backbone_is_refused(tmp_path) -> None:
    features, _ = clusters((5, 5, 5), spread=0.1)
    path = tmp_path / "head.weights.h5"

    def build(n_numbers: int = DIM, n_classes: int = 3, **changes: object) -> keras.Model:
        return heads.build_head(
            features[:, :n_numbers], replace(SETTINGS, **changes), {TYPE: n_classes}, seed=1
        )

    build().save_weights(path)
    fit.load_weights(build(), path)
    for other in (build(hidden=8), build(n_classes=4), build(5), build(hidden=None)):
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
    found = one_hot(np.array([1, 0]), 3)
    assert found.tolist() == [[0, 1, 0], [1, 0, 0]]
    assert found.dtype == np.float32


@pytest.mark.parametrize("code", [-1, 3])
def test_one_hot_refuses_what_is_no_class(code: int) -> None:
    with pytest.raises(ParameterError, match=f"class in row 1 is {code}; it must be 0 to 2"):
        one_hot(np.array([1, code]), 3)


# --- several labels ---

BOTH = {
    TYPE: LabelClasses(TYPE, ("shirt", "shoe")),
    COLOUR: LabelClasses(COLOUR, ("blue", "red")),
}


def products() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """32 products whose first number says the type, whose second one says the colour."""
    features = np.random.default_rng(0).normal(scale=0.1, size=(32, 4)).astype(np.float32)
    codes = {TYPE: np.arange(32) % 2, COLOUR: np.arange(32) // 2 % 2}
    features[:, 0] += codes[TYPE]
    features[:, 1] += codes[COLOUR]
    return features, codes


def train_both(features: np.ndarray, codes: dict, validation: tuple | None = None) -> tuple:
    settings = HeadSettings(hidden=8, dropout=0.0, label_smoothing=0.0)
    fitting = TrainingSettings(epochs=30, batch_size=16, learning_rate=0.05)
    return heads.train_head((features, codes), Classification(BOTH), settings,
                            Training(fitting, 1), validation=validation)  # fmt: skip


def test_a_head_learns_both_attributes() -> None:
    features, codes = products()
    head, curve = train_both(features, codes)
    outputs = head.outputs(features)
    for label, known in codes.items():
        assert (outputs[label].argmax(axis=1) == known).all()
    assert curve["loss"].iloc[-1] < curve["loss"].iloc[0]


def test_a_missing_colour_adds_nothing_but_the_type_counts() -> None:
    features, codes = products()
    codes[COLOUR] = np.where(np.arange(32) < 16, -1, codes[COLOUR])
    head, curve = train_both(features, codes, validation=(features, codes))
    assert (head.outputs(features)[TYPE].argmax(axis=1) == codes[TYPE]).all()
    assert np.isfinite(curve["val_loss"]).all()


def test_targets_are_smoothed_and_a_missing_one_is_all_zeros() -> None:
    features, codes = np.ones((3, 2)), {TYPE: np.array([1, -1, -1]), COLOUR: np.array([0, 0, -1])}
    found = Classification(BOTH, label_smoothing=0.2).examples(features, codes)
    np.testing.assert_allclose(found.targets[TYPE], [[0.1, 0.9], [0.0, 0.0]], rtol=1e-6)
    np.testing.assert_allclose(found.targets[COLOUR], [[0.9, 0.1], [0.9, 0.1]], rtol=1e-6)
    assert found.rows.shape == (2, 2)  # the last product has no class at all


def test_what_several_labels_cannot_learn_from_is_named() -> None:
    features, codes = products()
    with pytest.raises(ParameterError, match="32 embeddings and 5 classes of baseColour"):
        train_both(features, codes | {COLOUR: codes[COLOUR][:5]})
    with pytest.raises(ParameterError, match="None of 32 training products has a class of baseCol"):
        train_both(features, codes | {COLOUR: np.full(32, -1)})
    with pytest.raises(ParameterError, match="cannot be balanced"):
        Classification(BOTH, balance=0.5)


# --- joined embeddings ---


def test_the_cosine_of_a_joined_embedding_is_the_weighted_mean_of_its_parts():
    generator = np.random.default_rng(2)
    logits = {
        TYPE: generator.normal(size=(5, 2)),
        COLOUR: generator.normal(size=(5, 2)),
    }
    stored = generator.normal(size=(5, 3)).astype(np.float32)
    shares = JoinShares({TYPE: 2.0, COLOUR: 1.0}, stored=1.0, temperature=0.5)
    joined = heads.joined_embedding(logits, stored, shares)
    unit = stored / np.linalg.norm(stored, axis=1, keepdims=True)
    posteriors = [heads.posterior(logits[label], temperature=0.5) for label in logits]
    agreements = [np.sqrt(p) @ np.sqrt(p).T for p in posteriors]
    wanted = (2 * agreements[0] + agreements[1] + unit @ unit.T) / 4
    np.testing.assert_allclose(joined @ joined.T, wanted, atol=1e-5)


def test_a_part_without_a_share_is_left_out():
    logits = {TYPE: np.zeros((3, 2)), COLOUR: np.zeros((3, 2))}
    shares = JoinShares({TYPE: 1.0, COLOUR: 0.0})
    assert heads.joined_embedding(logits, np.ones((3, 7)), shares).shape == (3, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attributes": {TYPE: -1.0}}, "share of articleType must be at least 0"),
        ({"attributes": {TYPE: float("nan")}}, "share of articleType"),
        ({"attributes": {TYPE: 0.0}}, "All shares are 0"),
        ({"attributes": {TYPE: 1.0}, "temperature": 0.0}, "temperature must be above 0"),
        ({"attributes": {TYPE: 1.0}, "stored": -0.1}, "share of stored"),
    ],
)
def test_shares_out_of_range_are_named(options, message):
    with pytest.raises(ParameterError, match=message):
        JoinShares(**options)


def test_an_attribute_that_the_head_does_not_know_is_named():
    shares = JoinShares({"season": 1.0})
    with pytest.raises(ParameterError, match="says nothing of season; it knows articleType"):
        heads.joined_embedding({TYPE: np.zeros((2, 2))}, np.ones((2, 2)), shares)


# --- bad input ---


def test_features_of_another_width_are_refused(head: Head) -> None:
    for shape in [(2, DIM + 1), (DIM,)]:
        with pytest.raises(ParameterError, match=rf"shape \(n, {DIM}\), not \({shape[0]},"):
            head.outputs(np.zeros(shape, dtype=np.float32))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_feature_that_is_not_finite_is_named(value: float) -> None:
    features, codes = clusters((4, 4, 4), spread=0.1)
    features[7, 2] = value
    codes[:3] = -1  # the row is the caller's, with these products counted
    with pytest.raises(ParameterError, match="embedding in row 7 is not finite"):
        train(data=(features, codes))
    with pytest.raises(ParameterError, match="embedding in row 7 is not finite"):
        train(validation=(features, codes))


def test_labels_that_do_not_fit_are_refused() -> None:
    features, codes = clusters((4, 4, 4), spread=0.1)
    with pytest.raises(ParameterError, match="12 embeddings and 11 classes of articleType"):
        train(data=(features, codes[1:]))
    with pytest.raises(ParameterError, match="None of 12 training products has a class"):
        train(data=(features, np.full(12, -1)))
    with pytest.raises(ParameterError, match="None of 12 validation products has a class"):
        train(validation=(features, np.full(12, -1)))
    with pytest.raises(ParameterError, match="class in row 2 is 3; it must be 0 to 2"):
        train(data=(features, np.where(np.arange(12) == 2, 3, codes)))
    with pytest.raises(ParameterError, match="two classes apart at least; articleType has 1"):
        Classification({TYPE: LabelClasses(TYPE, ("Scarves",))})
    with pytest.raises(ParameterError, match="one label at least"):
        Classification({})
    with pytest.raises(ParameterError, match="codes of .*baseColour.* and classes of"):
        Classification(CLASSES).examples(features, {COLOUR: codes})


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
