"""fit: killed and taken up again, stopped before it does harm, and refused with a reason."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from fashion_rir.errors import ParameterError, TrainingError
from fashion_rir.training import fit, samplers
from fashion_rir.training.augmentation import augmenter
from fashion_rir.training.fit import Batches, Checkpoint, Training, TrainingSettings

N_PICTURES = 32
SETTINGS = TrainingSettings(epochs=3, batch_size=16, learning_rate=0.05, schedule="cosine")
IDENTITY = {"model": "small", "data_hash": "abc"}


class Killed(Exception):
    """Stands for whatever ends a run."""


def network(augment: str = "flip") -> keras.Model:
    """A small classifier with all that is drawn or remembered while it trains."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((8, 8, 3), dtype="uint8")
    pictures = keras.layers.Rescaling(1 / 255)(augmenter(augment, seed=0)(inputs))
    hidden = keras.layers.Dense(8, "relu")(keras.layers.Flatten()(pictures))
    hidden = keras.layers.Dropout(0.5)(keras.layers.BatchNormalization(momentum=0.5)(hidden))
    return keras.Model(inputs, keras.layers.Dense(3)(hidden))


def labelled_pictures(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """uint8 (n, 8, 8, 3), the brighter the higher their class of three."""
    generator = np.random.default_rng(seed)
    classes = generator.integers(0, 3, n)
    pictures = generator.integers(0, 128, (n, 8, 8, 3)) + 60 * classes[:, None, None, None]
    return pictures.astype(np.uint8), classes


def shuffled(epoch: int) -> list[np.ndarray]:
    return samplers.shuffled_batches(N_PICTURES, batch_size=16, seed=5, epoch=epoch,
                                     drop_last=False)  # fmt: skip


def killed_in(number: int) -> Callable[[int], list[np.ndarray]]:
    """A sampler that ends the run when epoch `number` begins, counted from 0."""

    def sampler(epoch: int) -> list[np.ndarray]:
        if epoch == number:
            raise Killed
        return shuffled(epoch)

    return sampler


def train(
    folder: Path | None,
    model: keras.Model,
    batches: Batches | None = None,
    *,
    settings: TrainingSettings = SETTINGS,
    identity: dict = IDENTITY,
    seed: int = 3,
) -> pd.DataFrame:
    return fit.fit(
        model,
        batches or Batches(*labelled_pictures(N_PICTURES, seed=0), shuffled),
        Training(settings, seed, None if folder is None else Checkpoint(folder, identity)),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        validation=labelled_pictures(20, seed=1),
    )


def train_until_killed(folder: Path, model: keras.Model, epoch: int) -> None:
    with pytest.raises(Killed):
        train(folder, model, Batches(*labelled_pictures(N_PICTURES, seed=0), killed_in(epoch)))


def assert_same_weights(model: keras.Model, other: keras.Model) -> None:
    for found, expected in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


def assert_same_curve(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


def truncate(path: Path, n_bytes: int | None = None) -> None:
    """Cut a file to its first bytes: to half of them, or to all but some."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2 if n_bytes is None else len(data) - n_bytes])


@pytest.fixture(scope="module", autouse=True)
def each_epoch_is_kept() -> Iterator[None]:
    """Although an epoch takes less than the seconds from one backup to the next."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(fit, "KEPT_EVERY", 0)
        yield


@pytest.fixture(scope="module")
def whole() -> tuple[keras.Model, pd.DataFrame]:
    """A training that was never interrupted, and saved nothing."""
    model = network()
    return model, train(None, model)


@pytest.fixture(scope="module")
def broken_off(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a training left that was killed as its second epoch began, and its third."""
    folder = tmp_path_factory.mktemp("broken") / "off"
    train_until_killed(folder, network(), 1)
    train_until_killed(folder, network(), 2)
    return folder


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a training left that came to its end."""
    folder = tmp_path_factory.mktemp("finished") / "training"
    train(folder, network())
    return folder


@pytest.fixture
def state(broken_off: Path, tmp_path: Path) -> Path:
    """A copy of `broken_off`, to be spoilt."""
    return Path(shutil.copytree(broken_off, tmp_path / "state"))


@pytest.fixture
def end_state(finished: Path, tmp_path: Path) -> Path:
    """A copy of `finished`, to be spoilt."""
    return Path(shutil.copytree(finished, tmp_path / "end"))


def no_training(*_: object, **__: object) -> None:
    raise AssertionError("trained again")


# --- an uninterrupted run ---


def test_the_curve_has_a_row_an_epoch(whole: tuple[keras.Model, pd.DataFrame]) -> None:
    _, curve = whole
    assert curve["epoch"].tolist() == [1, 2, 3]
    assert {*curve} == {"epoch", "loss", "accuracy", "val_loss", "val_accuracy"}
    assert curve["val_loss"].iloc[-1] < curve["val_loss"].iloc[0]


def test_the_same_seed_gives_the_same_weights_whether_saved_or_not(
    whole: tuple[keras.Model, pd.DataFrame], finished: Path
) -> None:
    model, curve = whole
    saved = network()
    fit.load_weights(saved, finished / "final.weights.h5")
    assert_same_weights(saved, model)
    assert pd.read_csv(finished / "curve.csv")["epoch"].tolist() == curve["epoch"].tolist()


def test_another_seed_draws_another_dropout(whole: tuple[keras.Model, pd.DataFrame]) -> None:
    _, curve = whole
    other = train(None, network(), seed=4)
    assert other["loss"][0] != curve["loss"][0]


def test_every_epoch_draws_anew() -> None:
    in_order = Batches(*labelled_pictures(N_PICTURES, seed=0), lambda epoch: [np.arange(32)])
    settings = TrainingSettings(epochs=3, batch_size=32, learning_rate=1e-12)
    curve = train(None, network(), in_order, settings=settings)
    assert curve["loss"].nunique() == 3  # the weights do not move: only dropout and augmentation


def test_the_weights_of_the_best_epoch_are_kept(
    whole: tuple[keras.Model, pd.DataFrame], tmp_path: Path
) -> None:
    # Trained towards 0 and asked for 1: the first epoch is the best.
    model, curve = train_apart(tmp_path, epochs=3, patience=None)
    assert curve["val_loss"].is_monotonic_increasing
    after_one, _ = train_apart(None, epochs=1, patience=None)
    assert_same_weights(model, after_one)


def test_cosine_falls_to_zero_and_weight_decay_is_passed_on() -> None:
    model = network("none")
    train(None, model, settings=replace(SETTINGS, weight_decay=0.1))
    assert int(model.optimizer.iterations) == 3 * 2
    assert float(model.optimizer.learning_rate) == pytest.approx(0, abs=1e-9)
    assert model.optimizer.weight_decay == 0.1
    constant, _ = train_apart(None, epochs=2, patience=None)
    assert float(constant.optimizer.learning_rate) == pytest.approx(0.01)


def test_no_weight_decay_gives_what_adamw_gives_with_a_decay_of_zero(
    whole: tuple[keras.Model, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    adamw = keras.optimizers.AdamW
    monkeypatch.setattr(keras.optimizers, "Adam", lambda rate: adamw(rate, weight_decay=0.0))
    model = network()
    train(None, model)
    assert_same_weights(model, whole[0])


# --- killed, and taken up again ---


def test_a_run_killed_twice_goes_on_to_the_same_end(
    state: Path, whole: tuple[keras.Model, pd.DataFrame]
) -> None:
    expected, curve = whole
    assert len(pd.read_csv(state / "curve.csv")) == 2
    model = network()
    assert_same_curve(train(state, model), curve)
    assert_same_weights(model, expected)
    assert (state / "finished.json").exists()


def test_a_run_goes_on_from_its_first_epoch_where_later_ones_were_too_quick_to_be_kept(
    whole: tuple[keras.Model, pd.DataFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, curve = whole
    monkeypatch.setattr(fit, "KEPT_EVERY", 1000)
    train_until_killed(tmp_path, network(), 2)
    drawn: list[int] = []

    def sampler(epoch: int) -> list[np.ndarray]:
        drawn.append(epoch)
        return shuffled(epoch)

    model, pictures = network(), labelled_pictures(N_PICTURES, seed=0)
    assert_same_curve(train(tmp_path, model, Batches(*pictures, sampler)), curve)
    assert_same_weights(model, expected)
    assert drawn[1:] == [1, 2]  # the second epoch was not kept; the batches began with the first


def test_killed_before_the_first_backup(
    state: Path, whole: tuple[keras.Model, pd.DataFrame]
) -> None:
    expected, curve = whole
    shutil.rmtree(state / "backup")
    model = network()
    assert_same_curve(train(state, model), curve)
    assert_same_weights(model, expected)


def train_and_die(folder: str) -> None:
    """Train, and be killed at the second step of the second epoch; for a process of its own."""

    class Deadly(Batches):
        def __getitem__(self, position: int) -> tuple:
            if self.epoch == 1 and position == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            return super().__getitem__(position)

    train(Path(folder), network(), Deadly(*labelled_pictures(N_PICTURES, seed=0), shuffled))


def run_here(call: str, folder: Path, **variables: str) -> subprocess.CompletedProcess:
    """Call a function of this file in a process of its own."""
    script = f"import sys, test_fit; test_fit.{call}(sys.argv[1])"
    paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    return subprocess.run(
        [sys.executable, "-c", script, str(folder)], capture_output=True, text=True, timeout=300,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))} | variables,
    )  # fmt: skip


@pytest.mark.slow
def test_sigkill_amid_an_epoch(whole: tuple[keras.Model, pd.DataFrame], tmp_path: Path) -> None:
    expected, curve = whole
    done = run_here("train_and_die", tmp_path, KERAS_BACKEND=keras.backend.backend())
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(pd.read_csv(tmp_path / "curve.csv")) == 1
    model = network()
    assert_same_curve(train(tmp_path, model), curve)
    assert_same_weights(model, expected)


def test_killed_after_the_last_epoch(
    end_state: Path, whole: tuple[keras.Model, pd.DataFrame]
) -> None:
    expected, curve = whole
    (end_state / "finished.json").unlink()
    (end_state / "final.weights.h5").unlink()
    model = network()
    assert_same_curve(train(end_state, model), curve)
    assert_same_weights(model, expected)


@pytest.mark.parametrize("note", ['{"epoch": 1, "batch": 0}', '{"epo'])
def test_killed_between_the_two_files_of_the_backup(
    note: str, state: Path, whole: tuple[keras.Model, pd.DataFrame]
) -> None:
    expected, curve = whole
    (state / "backup" / "training_metadata.json").write_text(note)
    for name in ("curve.csv", "finished.json", "best.weights.h5"):
        (state / f".{name}.1.part").write_bytes(b"cut")  # as such a kill leaves it
    model = network()
    assert_same_curve(train(state, model), curve)
    assert_same_weights(model, expected)


def test_killed_while_the_backup_was_written(
    state: Path, whole: tuple[keras.Model, pd.DataFrame]
) -> None:
    expected, curve = whole
    truncate(state / "backup" / "latest.weights.h5")  # the one before it is there, too
    model = network()
    assert_same_curve(train(state, model), curve)
    assert_same_weights(model, expected)


def test_a_finished_training_gives_its_weights_at_once(
    finished: Path, whole: tuple[keras.Model, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, curve = whole
    model = network()
    monkeypatch.setattr(model, "fit", no_training)
    assert_same_curve(train(finished, model), curve)
    assert_same_weights(model, expected)


def test_a_later_training_of_the_same_model_begins_at_its_first_epoch(end_state: Path) -> None:
    model = network()
    (end_state / "finished.json").unlink()
    train(end_state, model)  # taken up behind the last epoch
    assert len(train(None, model, settings=replace(SETTINGS, epochs=2))) == 2


# --- patience ---


def train_apart(
    folder: Path | None, *, epochs: int, patience: int | None, killed: int | None = None
) -> tuple[keras.Model, pd.DataFrame]:
    """Training leads away from what validation asks for: every epoch is worse than the last."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="ones")])
    inputs = np.ones((8, 2), dtype=np.float32)

    def sampler(epoch: int) -> list[np.ndarray]:
        if epoch == killed:
            raise Killed
        return [np.arange(8)]

    settings = TrainingSettings(epochs=epochs, batch_size=8, learning_rate=0.01, patience=patience)
    curve = fit.fit(
        model,
        Batches(inputs, np.zeros(8), sampler),
        Training(settings, 0, None if folder is None else Checkpoint(folder, {})),
        loss="mse",
        validation=(inputs, np.full(8, 2.0)),
    )
    return model, curve


def test_patience_stops_and_gives_the_best_epoch(tmp_path: Path) -> None:
    model, curve = train_apart(tmp_path, epochs=10, patience=3)
    assert len(curve) == 1 + 3
    assert_same_weights(model, train_apart(None, epochs=1, patience=None)[0])


def test_patience_counts_on_after_a_restart(tmp_path: Path) -> None:
    expected, curve = train_apart(None, epochs=10, patience=3)
    with pytest.raises(Killed):
        train_apart(tmp_path, epochs=10, patience=3, killed=2)
    model, found = train_apart(tmp_path, epochs=10, patience=3)
    assert_same_curve(found, curve)
    assert_same_weights(model, expected)  # of the epoch before the kill


def test_killed_when_patience_was_just_lost(tmp_path: Path) -> None:
    expected, curve = train_apart(tmp_path, epochs=10, patience=3)
    (tmp_path / "finished.json").unlink()
    model, found = train_apart(tmp_path, epochs=10, patience=3, killed=4)
    assert_same_curve(found, curve)
    assert_same_weights(model, expected)


def test_patience_without_validation_is_refused() -> None:
    with pytest.raises(ParameterError, match="patience of 2 needs validation products"):
        fit.fit(
            network("none"),
            Batches(*labelled_pictures(N_PICTURES, seed=0), shuffled),
            Training(replace(SETTINGS, patience=2), 0),
            loss="mse",
        )


# --- another training, or damage ---


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 4}, "with seed 3, not 4"),
        ({"settings": replace(SETTINGS, learning_rate=0.01)}, "with settings .*0.05.*, not .*0.01"),
        ({"identity": {**IDENTITY, "data_hash": "xyz"}}, "with identity .*abc.*, not .*xyz"),
        ({"identity": {}}, "with identity .*abc.*, not {}"),
    ],
)
def test_the_folder_of_another_training_is_refused(
    changes: dict, message: str, broken_off: Path, finished: Path
) -> None:
    for folder in (broken_off, finished):
        with pytest.raises(TrainingError, match=message) as caught:
            train(folder, network("none"), **changes)
        assert str(folder) in str(caught.value)


def test_an_identity_is_compared_as_it_is_written(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = json.loads((finished / "finished.json").read_text())
    assert plan["identity"] == IDENTITY
    model = network()
    monkeypatch.setattr(model, "fit", no_training)
    train(finished, model, identity=dict(reversed(IDENTITY.items())), seed=np.int64(3))


@pytest.mark.parametrize("cut", [None, 1, 3])
@pytest.mark.parametrize("name", ["finished.json", "curve.csv", "final.weights.h5"])
def test_a_damaged_end_is_named(name: str, cut: int | None, end_state: Path) -> None:
    truncate(end_state / name, cut)
    with pytest.raises(TrainingError, match=r"(is damaged|cannot be loaded)") as caught:
        train(end_state, network())
    assert str(end_state) in str(caught.value)


@pytest.mark.parametrize("cut", [None, 1, 3])
@pytest.mark.parametrize("name", ["plan.json", "curve.csv", "backup/latest.weights.h5"])
def test_a_damaged_state_is_named(name: str, cut: int | None, state: Path) -> None:
    truncate(state / name, cut)
    (state / "backup" / "latest.weights.h5.bkp").write_bytes(b"no weights")
    with pytest.raises(TrainingError, match="is damaged, or .*delete the folder") as caught:
        train(state, network())
    assert str(state) in str(caught.value)


@pytest.mark.parametrize("name", ["plan.json", "finished.json"])
@pytest.mark.parametrize("content", [b"[]", b"3", b"\xff\xfe", b""])
def test_a_plan_that_is_none_is_named(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TrainingError, match=f"{tmp_path.name} is damaged"):
        train(tmp_path, network("none"))


def test_a_curve_with_a_row_missing_is_named(state: Path, end_state: Path) -> None:
    for folder in (state, end_state):
        lines = (folder / "curve.csv").read_text().splitlines(keepends=True)
        (folder / "curve.csv").write_text("".join(lines[:-1]))
        with pytest.raises(TrainingError, match="is damaged"):
            train(folder, network())


def test_damaged_best_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        train_apart(tmp_path, epochs=4, patience=None, killed=2)
    truncate(tmp_path / "best.weights.h5")
    with pytest.raises(TrainingError, match="best.weights.h5 cannot be loaded"):
        train_apart(tmp_path, epochs=4, patience=None)
    assert not (tmp_path / "finished.json").exists()


def test_the_backup_of_another_network_is_named(state: Path) -> None:
    keras.utils.set_random_seed(1)
    inputs = keras.Input((8, 8, 3), dtype="uint8")
    hidden = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
    with pytest.raises(TrainingError, match="is damaged"):
        train(state, keras.Model(inputs, keras.layers.Dense(3)(hidden)))


def test_the_backup_of_a_training_of_other_layers_is_named(tmp_path: Path) -> None:
    ones = np.ones((4, 5), dtype=np.float32)

    def train_top(is_frozen: bool, sampler: fit.Sampler) -> None:
        model = top()
        model.layers[0].trainable = not is_frozen
        training = Training(TrainingSettings(epochs=2), 0, Checkpoint(tmp_path, {}))
        fit.fit(model, Batches(ones, ones[:, :3], sampler), training, loss="mse")

    def killed(epoch: int) -> list[np.ndarray]:
        if epoch == 1:
            raise Killed
        return [np.arange(4)]

    with pytest.raises(Killed):
        train_top(True, killed)
    # Keras would only warn, and begin anew with an optimizer that knows nothing.
    with pytest.raises(TrainingError, match="or that of another model"):
        train_top(False, lambda epoch: [np.arange(4)])


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(TrainingError, match="Cannot write .*folder"):
        train(tmp_path / "file" / "folder", network("none"))


# --- a checkpoint for another model ---


def top(width: int = 4, n_classes: int = 3, n_inputs: int = 5) -> keras.Model:
    return keras.Sequential(
        [keras.Input((n_inputs,)), keras.layers.Dense(width), keras.layers.Dense(n_classes)]
    )


@pytest.mark.parametrize("other", [{"width": 8}, {"n_classes": 4}, {"n_inputs": 6}])
def test_weights_of_another_head_or_backbone_are_refused(other: dict, tmp_path: Path) -> None:
    path = tmp_path / "head.weights.h5"
    top().save_weights(path)
    fit.load_weights(top(), path)
    with pytest.raises(TrainingError, match="head.weights.h5 cannot .*another head size or backb"):
        fit.load_weights(top(**other), path)


@pytest.mark.parametrize("content", [None, b"", b"no HDF5"])
def test_missing_or_corrupt_weights_are_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "head.weights.h5"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TrainingError, match="head.weights.h5 cannot be loaded"):
        fit.load_weights(top(), path)


# --- no number, no memory ---


def train_numbers(
    folder: Path | None, inputs: list[float], targets: list[float], loss: object, epochs: int
) -> keras.Model:
    """Two products an epoch, one a step, in order; a single weight."""
    model = keras.Sequential(
        [keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")]
    )
    settings = TrainingSettings(epochs=epochs, batch_size=1, learning_rate=0.1)
    fit.fit(
        model,
        Batches(
            np.array(inputs, dtype=np.float32)[:, None],
            np.array(targets, dtype=np.float32)[:, None],
            lambda epoch: [np.array([2 * epoch]), np.array([2 * epoch + 1])],
        ),
        Training(settings, 0, None if folder is None else Checkpoint(folder, {})),
        loss=loss,
    )
    return model


def assert_first_epoch_is_kept(folder: Path, inputs: list[float], loss: object) -> None:
    model = train_numbers(None, inputs, [1.0] * len(inputs), loss, epochs=1)
    kept = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    fit.load_weights(kept, folder / "backup" / "latest.weights.h5")
    assert_same_weights(kept, model)
    assert np.isfinite(kept.get_weights()[0]).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_loss_that_is_no_number_stops_and_keeps_the_epoch_before(
    value: float, tmp_path: Path
) -> None:
    inputs = [2.0, 3.0, 2.0, value]
    message = "loss became .* in step 2 of epoch 2.* are kept in .*latest.weights.h5. Lower the"
    with pytest.raises(TrainingError, match=message):
        train_numbers(tmp_path, inputs, [1.0] * 4, "mse", epochs=2)
    assert_first_epoch_is_kept(tmp_path, inputs, "mse")
    assert len(pd.read_csv(tmp_path / "curve.csv")) == 1


def length(targets: keras.KerasTensor, outputs: keras.KerasTensor) -> keras.KerasTensor:
    """Without a gradient where the target is 0: infinity times 0."""
    return keras.ops.sqrt(keras.ops.square(targets * outputs))


def test_a_last_step_that_spoils_the_weights_is_not_kept(tmp_path: Path) -> None:
    inputs = [2.0, 3.0, 2.0, 3.0]
    with pytest.raises(TrainingError, match="weight is no longer finite at the end of epoch 2"):
        train_numbers(tmp_path, inputs, [1.0, 1.0, 1.0, 0.0], length, epochs=2)
    assert_first_epoch_is_kept(tmp_path, inputs, length)


@pytest.mark.parametrize("is_saved", [True, False])
def test_no_number_in_the_first_epoch_keeps_nothing(is_saved: bool, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="step 1 of epoch 1, so training stopped; nothing was"):
        train_numbers(tmp_path if is_saved else None, [np.nan, 1.0], [1.0, 1.0], "mse", epochs=1)
    assert not (tmp_path / "backup").exists()


def test_a_validation_loss_that_is_no_number_stops(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    ones = np.ones((2, 1), dtype=np.float32)
    with pytest.raises(TrainingError, match="validation loss became nan at the end of epoch 1"):
        fit.fit(
            model,
            Batches(ones, ones, lambda epoch: [np.arange(2)]),
            Training(TrainingSettings(epochs=1), 0),
            loss="mse",
            validation=(ones * np.nan, ones),
        )


@pytest.mark.parametrize(
    ("error", "batch_size", "message"),
    [
        (MemoryError(), 16, "batch size of 16; try a batch size of 8"),
        (RuntimeError("OOM when allocating tensor with shape[16,64]"), 5, "try a batch size of 2"),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory while"), 2, "try a batch size of 1"),
        (RuntimeError("numpy._ArrayMemoryError: Unable to allocate"), 4, "try a batch size of 2"),
        (MemoryError(), 1, "batch size of 1; try smaller pictures"),
    ],
)
def test_a_lack_of_memory_names_a_batch_size(
    error: Exception, batch_size: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    model = network("none")
    monkeypatch.setattr(model, "fit", fail)
    with pytest.raises(TrainingError, match=message):
        train(None, model, settings=replace(SETTINGS, batch_size=batch_size))


def test_a_lack_of_memory_while_a_batch_is_put_together() -> None:
    class Large(Batches):
        def __getitem__(self, position: int) -> tuple:
            if self.epoch == 1:
                raise MemoryError("Unable to allocate 9 GiB")
            return super().__getitem__(position)

    ones = np.ones((4, 5), dtype=np.float32)
    batches = Large(ones, ones[:, :3], lambda epoch: [np.arange(4)])
    settings = TrainingSettings(epochs=2, batch_size=4)
    with pytest.raises(TrainingError, match="try a batch size of 2"):
        fit.fit(top(), batches, Training(settings, 0), loss="mse")


def test_a_full_disk_keeps_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Killed):
        train_apart(tmp_path, epochs=2, patience=None, killed=1)
    before = (tmp_path / "backup" / "latest.weights.h5").read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(TrainingError, match="Cannot write .*No space left.* is as it was"):
        train_apart(tmp_path, epochs=2, patience=None)
    assert (tmp_path / "backup" / "latest.weights.h5").read_bytes() == before


def test_other_errors_are_not_covered_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("something else")

    model = network("none")
    monkeypatch.setattr(model, "fit", fail)
    with pytest.raises(RuntimeError, match="something else"):
        train(None, model)


# --- settings and batches ---


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1, not 0"),
        ({"batch_size": 0}, "batch_size must be at least 1, not 0"),
        ({"learning_rate": 0.0}, "learning rate must be above 0, not 0.0"),
        ({"learning_rate": float("nan")}, "learning rate must be above 0, not nan"),
        ({"schedule": "cosin"}, "schedule 'cosin'; did you mean 'cosine'"),
        ({"weight_decay": -0.1}, "weight decay must be at least 0, not -0.1"),
        ({"patience": 0}, "patience must be at least 1, or None for never, not 0"),
    ],
)
def test_settings_out_of_range_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        TrainingSettings(**changes)


def test_batches_follow_the_sampler_of_their_epoch() -> None:
    orders = [[[0, 1], [2]], [[2, 0], [1]]]
    batches = Batches(np.array([10, 20, 30]), np.array([0, 1, 2]),
                      lambda epoch: [np.array(rows) for rows in orders[epoch]])  # fmt: skip
    assert len(batches) == 2
    assert [part.tolist() for part in batches[0]] == [[10, 20], [0, 1]]
    batches.epoch = 1
    assert [part.tolist() for part in batches[0]] == [[30, 10], [2, 0]]
    assert [part.tolist() for part in batches[1]] == [[20], [1]]


def test_batches_of_views_weights_and_named_targets() -> None:
    targets = {"logits": np.array([0, 1, 2]), "colour": np.array([5, 6, 7])}
    batches = Batches(np.array([10, 20, 30]), targets, lambda epoch: [np.array([2, 0])],
                      weights=np.array([0.5, 1.0, 2.0]), n_views=2)  # fmt: skip
    inputs, found, weights = batches[0]
    assert inputs.tolist() == [30, 10, 30, 10]
    assert found["logits"].tolist() == [2, 0, 2, 0]
    assert found["colour"].tolist() == [7, 5, 7, 5]
    assert weights.tolist() == [2.0, 0.5, 2.0, 0.5]


# --- JAX ---


def resume_on_jax(folder: str) -> None:
    """Killed and taken up again equals uninterrupted; for a process of its own."""
    assert keras.backend.backend() == "jax"
    expected, model = network("flip"), network("flip")
    curve = train(None, expected)
    train_until_killed(Path(folder), network("flip"), 2)
    assert_same_curve(train(Path(folder), model), curve)
    assert_same_weights(model, expected)
    for path in ("finished.json", "final.weights.h5"):  # killed after the last epoch
        (Path(folder) / path).unlink()
    model = network("flip")
    assert_same_curve(train(Path(folder), model), curve)
    assert_same_weights(model, expected)


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_end_on_jax(tmp_path: Path) -> None:
    pytest.importorskip("jax")
    done = run_here("resume_on_jax", tmp_path, KERAS_BACKEND="jax", JAX_PLATFORMS="cpu")
    assert done.returncode == 0, done.stderr
