"""A full disk and a read-only one at every place where the study writes.

Each writer gets a small disk in memory (tmpfs), whose mounting needs the rights of root.
"""

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fashion_rir.data import catalog
from fashion_rir.data.drawn import shop
from fashion_rir.embedding.store import FeatureStore
from fashion_rir.errors import FashionRirError
from fashion_rir.figures import plots
from fashion_rir.reporting import cards, report
from fashion_rir.search.indexes import Index
from fashion_rir.studies import scoring
from fashion_rir.studies.study import Study
from fashion_rir.thesis import claims, ledger
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.folders import Workspace
from torture import work

MEGABYTES = 24
INPUTS = {"profile": "quick", "data_hash": "x"}


@dataclass(frozen=True)
class Writer:
    """One place where the study writes.

    Attributes:
        write: writes the n-th version into a folder.
        read: what is there, by its content.
    """

    write: Callable[[Path, int], object]
    read: Callable[[Path], object]


def _files(folder: Path) -> dict[str, bytes]:
    """All files but those that are half-written or notes."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "part" not in path.name and path.name not in ("filling", "lock")
    }


def _store(folder: Path, number: int) -> None:
    store = FeatureStore.create(folder / "store.sqlite", {"embedding_dim": 50_000})
    store.append([f"{number}.jpg"], np.full((1, 50_000), number))


def _stored(folder: Path) -> object:
    path = folder / "store.sqlite"
    return FeatureStore.open(path).image_names() if path.exists() else []


def _record(folder: Path, number: int) -> None:
    record = result_records.make_record("kind", "a", INPUTS, value=number, long="x" * 100_000)
    result_records.write(record, folder)


def _scores(folder: Path, number: int) -> None:
    from fashion_rir.evaluation import protocols

    products = work.shop(_elsewhere()).products
    found = protocols.evaluate(
        np.random.default_rng(number).normal(size=(len(products), 4)).astype(np.float32),
        products, np.arange(len(products)) < 20, measure="cosine", protocols=("held_out",),
    )  # fmt: skip
    scoring.write_scores(found, folder / "scores.parquet")


def _figure(folder: Path, number: int) -> None:
    import matplotlib.pyplot as plt
    import pandas as pd

    figure, _ = plots.bar_counts(pd.Series({"a": 3, "b": number + 1}), title="Counts")
    try:
        plots.save(figure, folder, "figure")
    finally:
        plt.close(figure)


def _ledger(folder: Path, number: int) -> None:
    ledger.write(Workspace(folder, "quick"), ledger.verdicts(claims.load()[: 5 + number], folder))


def _cards(folder: Path, number: int) -> None:
    from fashion_rir.studies.analysis import counts

    workspace, elsewhere = Workspace(folder, "quick"), Workspace(_elsewhere(), "quick")
    record = counts.summarise(Study(elsewhere, work.shop(elsewhere.root), 20))
    record["inputs"]["n_products"] += number
    workspace.results.mkdir(parents=True, exist_ok=True)
    result_records.write(record, workspace.results)
    cards.write(workspace)


def _report(folder: Path, number: int) -> None:
    report.write(Workspace(folder, "quick"))


def _index(folder: Path, number: int) -> None:
    Index(work.gallery(number), "hnsw").save(folder)


def _training(folder: Path, number: int) -> None:
    import keras

    from fashion_rir.training import fit

    keras.utils.set_random_seed(0)
    inputs = keras.Input((400,))
    model = keras.Model(inputs, keras.layers.Dense(300)(inputs))
    ones = np.ones((8, 400), dtype=np.float32)
    batches = fit.Batches(ones, ones[:, :300], lambda epoch: [np.arange(8)])
    place = fit.Checkpoint(folder / str(number), {"a": 1})
    training = fit.Training(fit.TrainingSettings(epochs=2 + number), 0, place)
    fit.fit(model, batches, training, loss="mse")


def _finished_trainings(folder: Path) -> object:
    return sorted(path.parent.name for path in folder.glob("*/finished.json"))


def _catalogue(folder: Path, number: int) -> None:
    shop.generate(folder / "drawn", n_products=60, seed=number)


def _check(folder: Path, number: int) -> None:
    source = work.shop(_elsewhere()).source.path
    catalog.load(source, folder / "cache" / str(number))


def _map(folder: Path, number: int) -> None:
    from fashion_rir.workspace import maps

    arrays = {key: np.full((3000, 2), number) for key in maps._ARRAYS}
    maps.save(maps.Projection("map", {}, **arrays, divergence=1.0, seconds=1.0), folder / "map.npz")


def _elsewhere() -> Path:
    """A folder on the usual disk that outlasts a call."""
    folder = Path(tempfile.gettempdir()) / f"torture-{os.getuid()}-shop"
    folder.mkdir(exist_ok=True)
    return folder


WRITERS = {
    "feature store": Writer(_store, _stored),
    "record": Writer(_record, _files),
    "scores": Writer(_scores, _files),
    "figure": Writer(_figure, _files),
    "ledger": Writer(_ledger, _files),
    "cards": Writer(_cards, _files),
    "report": Writer(_report, _files),
    "index": Writer(_index, _files),
    "training": Writer(_training, _finished_trainings),
    "drawn catalogue": Writer(_catalogue, _files),
    "catalogue check": Writer(_check, _files),
    "map": Writer(_map, _files),
}


def can_mount() -> bool:
    """Whether this process may mount a disk in memory."""
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.suppress(OSError, subprocess.CalledProcessError),
        _small_disk(Path(folder)),
    ):
        return True
    return False


def faults(name: str) -> list[str]:
    """What goes wrong for one of `WRITERS` on a full and on a read-only disk."""
    writer = WRITERS[name]
    with tempfile.TemporaryDirectory() as folder, _small_disk(Path(folder)) as disk:
        found = _refused(writer, disk, 0, _full(disk), "full, nothing there")
        writer.write(disk, 0)
        found += _refused(writer, disk, 1, _full(disk), "full")
        found += _refused(writer, disk, 1, _read_only(disk), "read-only")
        writer.write(disk, 1)  # and it goes on
    return found


def _refused(
    writer: Writer, disk: Path, number: int, trouble: contextlib.AbstractContextManager, what: str
) -> list[str]:
    before, found = writer.read(disk), []
    with trouble:
        try:
            writer.write(disk, number)
            found.append(f"{what}: it was not noticed")
        except FashionRirError as error:
            if "\n" in str(error):
                found.append(f"{what}: more than a sentence: {error}")
        except Exception as error:
            found.append(f"{what}: {type(error).__name__} {error}")
    if writer.read(disk) != before:
        found.append(f"{what}: what was there has changed")
    return found


@contextmanager
def _small_disk(folder: Path) -> Iterator[Path]:
    options = ["-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", str(folder)]
    subprocess.run(["mount", *options], check=True, capture_output=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)


@contextmanager
def _full(disk: Path) -> Iterator[None]:
    with open(disk / "filling", "wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    try:
        yield
    finally:
        (disk / "filling").unlink()


@contextmanager
def _read_only(disk: Path) -> Iterator[None]:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True, capture_output=True)
