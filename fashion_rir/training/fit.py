"""Train a Keras model from arrays: seeded, resumable, and stopped before it does harm.

Every epoch draws its batches, its dropout and its augmentation from the seed and the number of
the epoch alone. So a run that was killed and goes on behind the last epoch that was kept ends with
the same weights as one that was never interrupted.
"""

import io
import json
import math
import re
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from fashion_rir.errors import FashionRirError, ParameterError, TrainingError, unknown_name
from fashion_rir.system import one_process, whole_file, write_text

SCHEDULES = ("constant", "cosine")

OUT_OF_MEMORY = re.compile(
    "out of memory|resource_?exhausted|oom when allocating|memoryerror", re.IGNORECASE
)

# Seconds from one backup to the next: a kill costs no more than these, or one epoch if that takes
# longer. To keep each epoch of a small head would take a quarter of its training.
KEPT_EVERY = 2.0

Rows = np.ndarray  # int64: which products a batch takes

Sampler = Callable[[int], Sequence[Rows]]  # the batches of an epoch, by its number from 0


@dataclass(frozen=True)
class TrainingSettings:
    """How a model is trained.

    Attributes:
        epochs: passes over the training products, at least 1.
        batch_size: products a step, at least 1.
        learning_rate: of Adam, above 0; where a cosine schedule begins.
        schedule: `constant`, or `cosine` (falls to 0 at the last step; Loshchilov & Hutter 2017).
        weight_decay: decoupled, as in AdamW, at least 0; 0 is plain Adam.
        patience: stop after this many epochs, at least 1, without a better validation loss; None
            never.
    """

    epochs: int = 5
    batch_size: int = 32
    learning_rate: float = 1e-3
    schedule: str = "constant"
    weight_decay: float = 0.0
    patience: int | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ParameterError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if not self.learning_rate > 0:
            raise ParameterError(f"The learning rate must be above 0, not {self.learning_rate}.")
        if self.schedule not in SCHEDULES:
            raise unknown_name("schedule", self.schedule, SCHEDULES)
        if not self.weight_decay >= 0:
            raise ParameterError(f"The weight decay must be at least 0, not {self.weight_decay}.")
        if self.patience is not None and self.patience < 1:
            raise ParameterError(
                f"patience must be at least 1, or None for never, not {self.patience}."
            )


@dataclass(frozen=True)
class Checkpoint:
    """Where a training's state is kept, and what is trained.

    Attributes:
        folder: of this one training.
        identity: all that the weights depend on beside the settings: model, data, labels. A folder
            with another identity is refused.
    """

    folder: Path
    identity: Mapping[str, object]


@dataclass(frozen=True)
class Training:
    """One run of a training.

    Attributes:
        settings: epochs, learning rate and so on.
        seed: of weights, batches and dropout.
        checkpoint: where its state is kept; None for nowhere.
    """

    settings: TrainingSettings
    seed: int
    checkpoint: Checkpoint | None = None


class Batches(keras.utils.PyDataset):
    """Arrays cut into batches, anew for each epoch.

    Attributes:
        epoch: whose batches are handed out, from 0.
    """

    def __init__(
        self,
        inputs: np.ndarray,
        targets: np.ndarray | Mapping[str, np.ndarray],
        sampler: Sampler,
        *,
        weights: np.ndarray | None = None,
        n_views: int = 1,
    ) -> None:
        """Hold the arrays.

        Args:
            inputs: shape (n_products, ...).
            targets: shape (n_products, ...), or such arrays by the name of a model's output.
            sampler: the batches of an epoch; every epoch has the same number of them.
            weights: of each product in the loss, shape (n_products,); 1 if None.
            n_views: how often each product stands in a batch, one view behind the other; an
                augmenting model makes them differ.
        """
        super().__init__()
        self._inputs, self._targets, self._weights = inputs, targets, weights
        self._sampler, self._n_views = sampler, n_views
        self.epoch = 0

    @property
    def epoch(self) -> int:
        return self._epoch

    @epoch.setter
    def epoch(self, number: int) -> None:
        self._epoch = number
        self._batches = list(self._sampler(number))

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, position: int) -> tuple:
        rows = np.tile(self._batches[position], self._n_views)
        if isinstance(self._targets, Mapping):
            targets = {name: values[rows] for name, values in self._targets.items()}
        else:
            targets = self._targets[rows]
        batch = self._inputs[rows], targets
        return batch if self._weights is None else (*batch, self._weights[rows])


def fit(
    model: keras.Model,
    batches: Batches,
    training: Training,
    *,
    validation: tuple | None = None,
    **compiled: object,
) -> pd.DataFrame:
    """Train a model; go on where an earlier run of the same training stopped.

    Args:
        model: built; its weights are changed.
        batches: what it is trained on.
        training: epochs, learning rate and so on; the seed of dropout and augmentation (the order
            of products is the sampler's); and where the state is saved after each epoch. A folder
            that holds this training, finished, gives its weights at once.
        validation: inputs and targets; with it the weights of the best epoch are kept at the
            end, by validation loss, instead of the last ones.
        compiled: `loss`, `loss_weights` and `metrics`, as `model.compile` takes them.

    Returns:
        The learning curve, one row an epoch: `epoch` (from 1), `loss`, the metrics, and their
        `val_` twins.

    Raises:
        ParameterError: patience without validation.
        TrainingError: the loss is not finite, memory ran out, the folder cannot be written, is in
            use by another process, or holds a damaged state or that of another training.
    """
    settings, seed, checkpoint = training.settings, training.seed, training.checkpoint
    if settings.patience is not None and validation is None:
        raise _nothing_to_stop_by(settings.patience)
    n_steps = len(batches) * settings.epochs
    _compile(model, settings, n_steps, compiled)
    if checkpoint is None:
        return _run(model, batches, _Curve(None, settings), validation, seed)
    folder, curve = checkpoint.folder, _Curve(checkpoint.folder, settings)
    identity = {key: str(value) for key, value in checkpoint.identity.items()}
    plan = {"settings": asdict(settings), "seed": int(seed), "steps": n_steps, "identity": identity}
    if (folder / "finished.json").exists():
        return _finished(model, folder, plan, curve)
    _claim(folder, plan)
    with one_process(folder, TrainingError), _explained(folder, settings.batch_size):
        found = _run(model, batches, curve, validation, seed)
        _save_weights(model, folder / "final.weights.h5")
        write_text(folder / "finished.json", json.dumps(plan, indent=1), TrainingError)
        return found


def _compile(
    model: keras.Model, settings: TrainingSettings, n_steps: int, compiled: Mapping[str, object]
) -> None:
    # XLA takes minutes to compile a network for a CPU, and its convolutions are slower there.
    jit = "auto" if keras.backend.backend() == "jax" else False
    model.compile(_optimizer(settings, n_steps), jit_compile=jit, **compiled)
    # TensorFlow traces a step that makes variables twice, which takes longer than a short training.
    model.optimizer.build(model.trainable_variables)


def _run(
    model: keras.Model, batches: Batches, curve: "_Curve", validation: tuple | None, seed: int
) -> pd.DataFrame:
    """All epochs that are left; the state is kept in the curve's folder, if it has one."""
    folder, settings = curve.folder, curve.settings
    callbacks = [_EpochSeeds(batches, seed), _StopAtNaN(folder), _Progress(settings.epochs), curve]
    if folder is not None:
        callbacks.append(_Backup(folder, curve))
    with _explained(folder, settings.batch_size):
        model.fit(
            batches,
            epochs=settings.epochs,
            shuffle=False,
            verbose=0,
            validation_data=validation,
            # Without gradients, four times as many products take less memory.
            validation_batch_size=4 * settings.batch_size,
            callbacks=callbacks,
        )
        curve.restore_best(model)
    return curve.table()


class _EpochSeeds(keras.callbacks.Callback):
    """Batches, dropout and augmentation of an epoch depend on nothing before it."""

    def __init__(self, batches: Batches, seed: int) -> None:
        super().__init__()
        self._training_batches, self._seed = batches, seed

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._training_batches.epoch = epoch
        states = [v for v in self.model.variables if v.name == "seed_generator_state"]
        drawn = np.random.default_rng([self._seed, epoch]).integers(2**31, size=(len(states), 2))
        for state, value in zip(states, drawn, strict=True):
            state.assign(value.astype("uint32"))


class _StopAtNaN(keras.callbacks.Callback):
    """A loss that is no number never becomes one again, nor does a weight."""

    def __init__(self, folder: Path | None) -> None:
        super().__init__()
        self._folder = folder

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if not np.isfinite(logs["loss"]):
            self._stop(f"The loss became {logs['loss']} in step {batch + 1}")

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        # The last step's loss was found before it changed the weights, which are kept next.
        if not all(np.isfinite(values).all() for values in self.model.get_weights()):
            self._stop("A weight is no longer finite at the end")
        if not np.isfinite(logs.get("val_loss", 0.0)):
            self._stop(f"The validation loss became {logs['val_loss']} at the end")

    def _stop(self, what: str) -> None:
        kept = "nothing was kept"
        if self._folder is not None and self._epoch > 0:
            kept = f"the weights of an epoch before are kept in {_latest(self._folder)}"
        raise TrainingError(
            f"{what} of epoch {self._epoch + 1}, so training stopped; {kept}. Lower the learning "
            "rate."
        )


class _Progress(keras.callbacks.Callback):
    """One bar an epoch."""

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self._epochs = epochs

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._bar = tqdm(total=self.params["steps"], desc=f"epoch {epoch + 1}/{self._epochs}",
                         unit="step", leave=False)  # fmt: skip

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._bar.update()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._bar.close()


class _Backup(keras.callbacks.BackupAndRestore):
    """Goes on behind the last epoch that was kept: the first, and then one every `KEPT_EVERY`."""

    def __init__(self, folder: Path, curve: "_Curve") -> None:
        super().__init__(_latest(folder).parent, double_checkpoint=True, delete_checkpoint=False)
        self._folder, self._curve = folder, curve
        self._kept_at = -math.inf

    def on_train_begin(self, logs: dict | None = None) -> None:
        # A kill can leave Keras' own note of the epoch cut short, or one epoch behind the weights
        # beside it. The optimizer, saved with the weights, knows the epoch too.
        for note in _latest(self._folder).parent.glob("training_metadata.json*"):
            note.unlink()
        try:
            with _all_weights_found():
                super().on_train_begin(logs)
        except Exception as error:  # h5py and Keras raise several types
            raise _damaged(self._folder, error) from error
        epoch = int(self.model.optimizer.iterations) // self.params["steps"]
        if epoch > 0:
            self._curve.read(epoch)
        # A run that was killed when it had just lost patience has no epoch left.
        self.model._initial_epoch = self.params["epochs"] if self._curve.is_whole() else epoch

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        is_due = time.monotonic() - self._kept_at >= KEPT_EVERY
        if is_due and not self._curve.is_whole():  # at the end the weights are kept anyway
            super().on_epoch_end(epoch, logs)
            self._kept_at = time.monotonic()


class _Curve(keras.callbacks.Callback):
    """Keeps the learning curve and the best weights; stops when patience is at its end.

    Keras' own EarlyStopping and ModelCheckpoint forget at a restart what was best, and how long
    ago.
    """

    def __init__(self, folder: Path | None, settings: TrainingSettings) -> None:
        super().__init__()
        self.folder, self.settings = folder, settings
        self._rows: list[dict[str, float]] = []
        self._best: list[np.ndarray] | None = None

    def read(self, epochs: int | None = None) -> None:
        """Take up what an earlier run wrote: of its first epochs, or of all."""
        try:
            text = (self.folder / "curve.csv").read_text(encoding="utf-8")
            table = pd.read_csv(io.StringIO(text))[:epochs]
            numbers = list(range(1, 1 + (len(table) if epochs is None else epochs)))
            if not text.endswith("\n") or table["epoch"].tolist() != numbers:
                raise ValueError("a part of the curve is missing")
        except (OSError, ValueError, KeyError) as error:
            raise _damaged(self.folder, error) from error
        self._rows = table.to_dict("records")

    def on_train_begin(self, logs: dict | None = None) -> None:
        # Else Keras begins where an earlier training of the same model was taken up.
        self.model._initial_epoch = 0

    def is_whole(self) -> bool:
        """Whether all epochs were run, or patience came to its end."""
        best, patience = self._best_epoch(), self.settings.patience
        is_patience_over = bool(best and patience) and len(self._rows) - best >= patience
        return len(self._rows) >= self.settings.epochs or is_patience_over

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._rows.append({"epoch": epoch + 1} | {k: float(v) for k, v in logs.items()})
        if self._best_epoch() == epoch + 1:
            self._best = self.model.get_weights()
            if self.folder is not None:
                _save_weights(self.model, self.folder / "best.weights.h5")
        if self.folder is not None:
            write_text(self.folder / "curve.csv", self.table().to_csv(index=False), TrainingError)
        self.model.stop_training = self.is_whole()

    def restore_best(self, model: keras.Model) -> None:
        """Leave the model with the weights of its best epoch by validation, if there is one."""
        if self._best_epoch() is None:
            return
        if self._best is None:  # it was in the run before
            load_weights(model, self.folder / "best.weights.h5")
        else:
            model.set_weights(self._best)

    def table(self) -> pd.DataFrame:
        return pd.DataFrame(self._rows)

    def _best_epoch(self) -> int | None:
        rows = [row for row in self._rows if "val_loss" in row]
        return int(min(rows, key=lambda row: row["val_loss"])["epoch"]) if rows else None


def _optimizer(settings: TrainingSettings, n_steps: int) -> keras.optimizers.Optimizer:
    rate = settings.learning_rate
    if settings.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, n_steps)
    if settings.weight_decay == 0:  # AdamW would take nothing from every weight, at a cost
        return keras.optimizers.Adam(rate)
    return keras.optimizers.AdamW(rate, weight_decay=settings.weight_decay)


@contextmanager
def _explained(folder: Path | None, batch_size: int) -> Iterator[None]:
    """Say what to do where memory or the disk is full."""
    try:
        yield
    except FashionRirError:
        raise
    except Exception as error:
        if isinstance(error, MemoryError) or OUT_OF_MEMORY.search(str(error)):
            smaller = f"a batch size of {batch_size // 2}" if batch_size > 1 else "smaller pictures"
            raise TrainingError(
                f"Memory ran out at a batch size of {batch_size}; try {smaller}."
            ) from error
        if isinstance(error, OSError) and folder is not None:
            raise _unwritable(folder, error) from error
        raise


def _latest(folder: Path) -> Path:
    """Where the weights behind the last whole epoch are, and the optimizer's state."""
    return folder / "backup" / "latest.weights.h5"


def _claim(folder: Path, plan: dict) -> None:
    """Say what is trained here; refuse to go on with another training's state."""
    path = folder / "plan.json"
    if path.exists():
        _require_plan(path, plan)
        return
    write_text(path, json.dumps(plan, indent=1), TrainingError)


def _require_plan(path: Path, wanted: dict) -> None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        differing = [key for key in wanted if found.get(key) != wanted[key]]
    except (OSError, ValueError, AttributeError) as error:  # the last: no mapping
        raise _damaged(path.parent, error) from error
    if differing:
        key = differing[0]
        raise TrainingError(
            f"{path.parent} holds a training with {key} {found.get(key)}, not {wanted[key]}; "
            "delete that folder, or name another one."
        )


def _finished(model: keras.Model, folder: Path, plan: dict, curve: "_Curve") -> pd.DataFrame:
    _require_plan(folder / "finished.json", plan)
    curve.read()
    if not curve.is_whole():
        raise _damaged(folder, ValueError("a part of the curve is missing"))
    load_weights(model, folder / "final.weights.h5")
    return curve.table()


def _save_weights(model: keras.Model, path: Path) -> None:
    """Whole or not at all, without the optimizer."""
    with whole_file(path, TrainingError, ending=".weights.h5") as partial:
        _uncompiled(model).save_weights(partial)


def load_weights(model: keras.Model, path: Path) -> None:
    """Put saved weights into a model.

    Args:
        model: built as the one that was saved.
        path: a `.weights.h5` file.

    Raises:
        TrainingError: the file is missing, damaged, or of a model of another shape.
    """
    try:
        with _all_weights_found():
            _uncompiled(model).load_weights(path)
    except Exception as error:  # h5py and Keras raise several types
        raise TrainingError(
            f"{path} cannot be loaded into this model: it is damaged, or of another head size or "
            f"backbone ({type(error).__name__}). Train again in another folder."
        ) from error


@contextmanager
def _all_weights_found() -> Iterator[None]:
    """Keras only warns of a layer or an optimizer that finds nothing of its own in a file."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Skipping (nested container|variable loading)")
        yield


def _uncompiled(model: keras.Model) -> keras.Model:
    """The same layers without the optimizer."""
    return keras.Model(model.inputs, model.outputs)


def _nothing_to_stop_by(patience: int) -> ParameterError:
    return ParameterError(
        f"A patience of {patience} needs validation products, by whose loss training stops, and "
        "there are none; set some aside, or set patience to None."
    )


def _damaged(folder: Path, error: Exception) -> TrainingError:
    return TrainingError(
        f"The training's state in {folder} is damaged, or that of another model "
        f"({type(error).__name__}); delete the folder and train again."
    )


def _unwritable(folder: Path, error: OSError) -> TrainingError:
    return TrainingError(
        f"The training's state cannot be written to {folder} ({error}); what was kept before is "
        "intact. See that the folder is writable and has space, then start again."
    )
