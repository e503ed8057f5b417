"""Pieces of the study's work, each small enough to be killed many times.

A piece takes a folder and works there; `reported` notes what it says is done. It goes on where an
earlier process stopped, as the study does.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fashion_rir.data import catalog, splits
from fashion_rir.data.drawn import shop as drawn_shop
from fashion_rir.embedding import embed as embedding_embed
from fashion_rir.embedding import floors
from fashion_rir.embedding.store import FeatureStore
from fashion_rir.errors import StoreError
from fashion_rir.reporting import report
from fashion_rir.search.gallery import Gallery
from fashion_rir.search.indexes import Index
from fashion_rir.studies import scoring
from fashion_rir.studies.study import Study
from fashion_rir.thesis import claims, ledger
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.folders import Workspace

ROOT = Path(__file__).parents[2]
N_PRODUCTS = 60
N_VALUES = 60  # of the record that is written over and over
SEED = 20
MODEL = {"model": "m-32-pad", "backbone": "m", "image_size": "32", "preprocessing": "pad",
         "weights": "none-seed0", "weights_sha256": "a" * 64, "embedding_dim": "8"}  # fmt: skip


def reported(folder: Path, what: str) -> None:
    """Note what is done, as a line that a later kill cannot take back."""
    with open(folder / "reported.txt", "a", encoding="utf-8") as file:
        file.write(what + "\n")


def _reported(folder: Path) -> list[str]:
    said = folder / "reported.txt"
    return said.read_text(encoding="utf-8").splitlines() if said.exists() else []


def shop(folder: Path) -> catalog.Catalog:
    """The drawn products."""
    return catalog.load(
        drawn_shop.generate(folder / "data" / "raw" / "drawn", n_products=N_PRODUCTS),
        folder / "data" / "catalog",
    )


def clusters(products: catalog.Catalog, dim: int = 8) -> np.ndarray:
    """Embeddings by chance, those of one type close together."""
    generator = np.random.default_rng(0)
    codes = products.products["articleType"].factorize()[0]
    spread = generator.normal(size=(len(products), dim))
    return (spread + 3 * generator.normal(size=(codes.max() + 1, dim))[codes]).astype(np.float32)


def embed(folder: Path) -> None:
    """Embed the drawn products, a few at a time."""

    append = FeatureStore.append

    def append_and_report(self: FeatureStore, names: list[str], matrix: np.ndarray) -> None:
        append(self, names, matrix)
        reported(folder, "\n".join(names))

    FeatureStore.append = append_and_report
    try:
        embedding_embed.embed_catalog(shop(folder), floors.RawPixels(), preprocessing="pad",
                                 path=folder / "store.sqlite", batch_size=2)  # fmt: skip
    finally:
        FeatureStore.append = append


def study(folder: Path) -> None:
    """A study's step: search by three measures, compare two, judge the claims, write the report."""
    workspace, products = Workspace(folder, "quick"), shop(folder)
    model = clusters(products), MODEL
    is_query = splits.is_test_product(products.products, seed=SEED)
    for measure in ("cosine", "euclidean", "manhattan"):
        record = scoring.retrieval(
            Study(workspace, products, SEED), model, is_query, measure=measure
        )
        reported(folder, record["name"])
    first, second = "m-32-pad-euclidean", "m-32-pad-cosine"
    reported(folder, scoring.comparison(Study(workspace, None, SEED), first, second)["name"])
    ledger.write(workspace)
    report.write(workspace)


def records(folder: Path) -> None:
    """One record and one ledger, written anew again and again; goes on behind what is reported."""
    workspace, done = Workspace(folder, "quick"), _reported(folder)
    first = int(done[-1]) + 1 if done else 0
    table = ledger.verdicts(claims.load()[:10], workspace.results)
    inputs = {"profile": "quick", "data_hash": "x"}
    record = result_records.make_record("kind", "count", inputs, long="x" * 20_000)
    for value in range(first, N_VALUES):
        result_records.write(record | {"value": value}, workspace.results)
        reported(folder, str(value))
        if value % 10 == 0:
            ledger.write(workspace, table)


def index(folder: Path) -> None:
    """Save two indexes in one folder in turn, again and again."""
    for number in (*range(6), 1):
        Index(gallery(number % 2), "hnsw").save(folder / "index")
        reported(folder, str(number % 2))


def gallery(number: int) -> Gallery:
    """One of two galleries."""
    vectors = np.random.default_rng(number).normal(size=(400, 8)).astype(np.float32)
    return Gallery(vectors, range(400), "euclidean")


def head(folder: Path) -> None:
    """Train a head on stored embeddings, and write its record."""
    from fashion_rir.studies.trained import heads
    from fashion_rir.training.fit import TrainingSettings
    from fashion_rir.training.heads import HeadSettings

    workspace, products = Workspace(folder, "quick"), shop(folder)
    model = clusters(products), MODEL | {"data_hash": products.data_hash}
    settings = HeadSettings(hidden=16, label_smoothing=0.0)
    fitting = TrainingSettings(epochs=6, batch_size=16, learning_rate=0.01, schedule="cosine")
    plan = heads.HeadPlan("dense16", settings, fitting, SEED)
    run = heads.run_head(Study(workspace, products, SEED), [model], plan)
    reported(folder, run.record["name"])


def notebook(folder: Path) -> None:
    """The study's command on its first notebook, kernel and all."""
    for name in ("notebooks", "profiles"):
        if not (folder / name).exists():
            (folder / name).symlink_to(ROOT / name)
    (folder / "reports").mkdir(exist_ok=True)
    if not (folder / "reports" / "full").exists():
        (folder / "reports" / "full").symlink_to(ROOT / "reports" / "full")
    environment = os.environ | {"FASHION_RIR_HOME": str(folder)}
    command = [sys.executable, "-m", "fashion_rir", "study", "--only", "01"]
    subprocess.run(command, env=environment, check=True, cwd=folder)


WORK: dict[str, Callable[[Path], None]] = {
    "embedding": embed,
    "study step": study,
    "record and ledger writing": records,
    "index saving": index,
    "head training": head,
    "study command": notebook,
}


# --- what must hold after a kill, whenever it came ---


def faults(name: str, folder: Path) -> list[str]:
    """What a kill has lost, doubled or left half-written."""
    done = _reported(folder)
    seen = [
        path
        for path in folder.rglob("*.json")
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)  # scratch
    ]
    found = [f"{path.relative_to(folder)} is half-written" for path in seen if _is_half(path)]
    return found + _CHECKS.get(name, lambda folder, done: [])(folder, done)


def _is_half(path: Path) -> bool:
    if path.name in ("training_metadata.json", "plan.json"):  # Keras' own; read with care
        return False
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return True
    return False


def _check_store(folder: Path, done: list[str]) -> list[str]:
    if not (folder / "store.sqlite").exists():
        return [f"{len(done)} rows lost with their store"] if done else []
    names = FeatureStore.open(folder / "store.sqlite").image_names()
    found = [f"{name} is lost" for name in done if name not in set(names)]
    return found + (["a row is doubled"] if len(set(names)) < len(names) else [])


def _check_study(folder: Path, done: list[str]) -> list[str]:
    place = Workspace(folder, "quick").results
    return [f"{name} is lost" for name in done if not (place / f"{name}.json").exists()]


def _check_count(folder: Path, done: list[str]) -> list[str]:
    if not done:
        return []
    value = result_records.read(Workspace(folder, "quick").results, "count")["value"]
    return [] if value in (int(done[-1]), int(done[-1]) + 1) else ["a value is lost"]


def _check_index(folder: Path, done: list[str]) -> list[str]:
    """An index may be refused and built again, but never be a wrong one."""
    try:
        loaded = Index.load(folder / "index", "hnsw")
    except StoreError:
        return []
    query = gallery(7).vectors[:5]
    expected = [gallery(number).search(query, 3).ids.tolist() for number in (0, 1)]
    return [] if loaded.gallery.search(query, 3).ids.tolist() in expected else ["a wrong index"]


_CHECKS = {
    "embedding": _check_store,
    "study step": _check_study,
    "record and ledger writing": _check_count,
    "index saving": _check_index,
}
