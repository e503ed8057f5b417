"""cluster: the same feature store by any number of workers; what is wrong is named at once."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from fashion_rir.data import catalog
from fashion_rir.data.catalog import Catalog
from fashion_rir.data.drawn import shop
from fashion_rir.embedding import backbones, cluster, embed
from fashion_rir.embedding.cluster import Plan
from fashion_rir.embedding.store import FeatureStore
from fashion_rir.errors import ClusterError, ImageError, ParameterError, StoreError
from fashion_rir.studies.study import Study
from fashion_rir.studies.trained import head_sweep
from fashion_rir.studies.trained import heads as trained_heads
from fashion_rir.training import fit
from fashion_rir.training import heads as training_heads
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.folders import Workspace

pytest.importorskip("distributed")
SIZE = 32


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """Random weights in a file, which all workers find."""
    import keras

    keras.utils.set_random_seed(3)
    path = tmp_path_factory.mktemp("weights") / "random.weights.h5"
    keras.applications.MobileNetV2(
        include_top=False, weights=None, pooling="avg", input_shape=(SIZE, SIZE, 3)
    ).save_weights(path)
    return path


@pytest.fixture(scope="module")
def plan(weights: Path) -> Plan:
    return Plan("mobilenetv2", str(weights), SIZE)


@pytest.fixture(scope="module")
def products(tmp_path_factory) -> Catalog:
    return catalog.load(shop.generate(tmp_path_factory.mktemp("drawn"), n_products=60))


@pytest.fixture(scope="module")
def client(weights) -> Iterator:
    with cluster.connect(n_workers=2) as client:
        yield client


@pytest.fixture(scope="module")
def expected(weights: Path, products: Catalog, tmp_path_factory) -> np.ndarray:
    """By this process alone."""
    network = backbones.build("mobilenetv2", weights=str(weights), image_size=SIZE)
    path = tmp_path_factory.mktemp("alone") / "store.sqlite"
    return embed.embed_catalog(products, network, preprocessing="resize", path=path).load()[1]


def assert_is_whole(store: FeatureStore, products: Catalog, expected: np.ndarray) -> None:
    """Keras' own threads may add in another order, hence not bit by bit."""
    names, found = store.load()
    assert names == products.products["image_name"].tolist()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def test_two_workers_fill_the_store_like_one_process(client, plan, products, expected, tmp_path):
    path = tmp_path / "store.sqlite"
    store = cluster.embed_catalog(client, products, plan, path=path, batch_size=7)
    assert_is_whole(store, products, expected)
    network = backbones.build("mobilenetv2", weights=plan.weights, image_size=SIZE)
    said = network.metadata("resize") | {"data_hash": products.data_hash}
    assert store.metadata == {key: str(value) for key, value in said.items()}


def test_a_store_that_was_begun_is_continued(client, plan, products, expected, tmp_path):
    path = tmp_path / "store.sqlite"
    network = backbones.build("mobilenetv2", weights=plan.weights, image_size=SIZE)
    begun = products.subset(np.arange(60) < 25)
    said = network.metadata("resize")
    store = embed.open_store(path, products, said, "float32")
    names = begun.products["image_name"].tolist()
    store.append(names, expected[:25])
    found = cluster.embed_catalog(client, products, plan, path=path, batch_size=7)
    assert_is_whole(found, products, expected)
    assert found.load(names)[1].tobytes() == expected[:25].tobytes()


def test_a_damaged_photo_is_named_by_the_worker_and_the_rest_kept(
    client, plan, products, tmp_path, monkeypatch
):
    bad = products.products["image_name"][20]
    read = products.source.read
    monkeypatch.setattr(
        products.source, "read", lambda name: b"no picture" if name == bad else read(name)
    )
    path = tmp_path / "store.sqlite"
    with pytest.raises(ImageError, match=f"{bad} cannot be read as a picture"):
        cluster.embed_catalog(client, products, plan, path=path, batch_size=10)
    assert len(FeatureStore.open(path).image_names()) == 20


def test_a_worker_without_the_weights_is_named_before_work_starts(client, products, tmp_path):
    plan = Plan("mobilenetv2", str(tmp_path / "gone.h5"), SIZE)
    path = tmp_path / "store.sqlite"
    with pytest.raises(ClusterError, match=r"tcp://.* cannot take part: There is no weights"):
        cluster.embed_catalog(client, products, plan, path=path)
    assert not path.exists()


def test_a_worker_of_another_version_is_named_before_work_starts(
    client, plan, products, tmp_path, monkeypatch
):
    here = cluster.installed_versions("keras") | {"keras": "2.9"}
    monkeypatch.setattr(cluster, "installed_versions", lambda engine: here)
    path = tmp_path / "store.sqlite"
    with pytest.raises(ClusterError, match=r"it has keras .*, the client 2.9; install"):
        cluster.embed_catalog(client, products, plan, path=path)
    assert not path.exists()


def test_workers_with_different_weights_are_named():
    class Answer:
        def __init__(self, sha256: str) -> None:
            self.said = {"model": "m", "weights_sha256": sha256}

        def result(self) -> dict:
            return self.said

    class TwoWorkers:
        answers = {"tcp://a": Answer("12"), "tcp://b": Answer("34")}

        def nthreads(self) -> dict:
            return dict.fromkeys(self.answers, 1)

        def submit(self, *_: object, workers: list[str], **__: object) -> Answer:
            return self.answers[workers[0]]

    with pytest.raises(ClusterError, match=r"tcp://a and tcp://b .*sha256 is '12' and '34'"):
        cluster.check_workers(TwoWorkers(), Plan("vgg16", "imagenet"))


def test_the_store_of_another_model_is_not_added_to(client, plan, products, tmp_path):
    path = tmp_path / "store.sqlite"
    FeatureStore.create(path, {"model": "other", "embedding_dim": 3})
    with pytest.raises(StoreError, match="was made with model 'other'"):
        cluster.embed_catalog(client, products, plan, path=path)


def test_a_sweep_writes_the_records_of_heads_trained_one_by_one(client, products, tmp_path):
    generator = np.random.default_rng(0)
    vectors = generator.standard_normal((60, 8)).astype(np.float32)
    keys = ("model", "backbone", "image_size", "preprocessing", "weights", "weights_sha256")
    models = [(vectors, dict.fromkeys(keys, "made"))]
    runs = list(head_sweep.grid([0], [20, 21], epochs=2))
    swept = Workspace(tmp_path / "swept", "quick")
    found = head_sweep.run(client, Study(swept, products, 20), models, runs)
    assert [record["inputs"]["seed"] for record in found] == [20, 21]
    plan = trained_heads.HeadPlan(
        "probe", training_heads.HeadSettings(hidden=None, label_smoothing=0.0),
        fit.TrainingSettings(epochs=2, batch_size=128), 21,
    )  # fmt: skip
    study = Study(Workspace(tmp_path / "alone", "quick"), products, 20)
    alone = trained_heads.run_head(study, models, plan)
    assert (
        result_records.read(swept.results, "probe-made-seed21")["inputs"] == alone.record["inputs"]
    )
    assert found[1]["accuracy"] == alone.record["accuracy"]
    losses = [[row["loss"] for row in record["curve"]] for record in (found[1], alone.record)]
    np.testing.assert_allclose(*losses, rtol=1e-4)
    # All of it is there: nothing is asked of the workers again.
    assert head_sweep.run(None, Study(swept, products, 20), models, runs) == found


def test_a_training_that_fails_on_a_worker_is_named(tmp_path, monkeypatch):
    import distributed

    failed = subprocess.CompletedProcess([], 1, "", "Traceback:\nTrainingError: loss is not finite")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    worker = SimpleNamespace(local_directory=str(tmp_path))
    monkeypatch.setattr(distributed, "get_worker", lambda: worker)
    (one,) = head_sweep.grid([0], [20], epochs=1)
    with pytest.raises(ClusterError, match="probe, seed 20, failed: TrainingError: loss is not"):
        head_sweep._train(("quick", pd.DataFrame(), [], "articleType", 20), "token", one)


def test_what_a_sweep_shares_comes_back_from_its_files(tmp_path):
    products = pd.DataFrame({"id": [1, 2], "articleType": ["Shirts", None]})
    products["year"] = pd.array([2011, None], dtype="Int64")
    matrix = np.array([[1, 2], [3, 4]], dtype=np.float32)
    shared = ("quick", products, [(matrix, {"model": "a"})], "articleType", 20)
    head_sweep._write_shared(shared, tmp_path / "shared")
    profile, found, ((vectors, metadata),), label, seed = head_sweep._read_shared(
        tmp_path / "shared"
    )
    assert (profile, metadata, label, seed) == ("quick", {"model": "a"}, "articleType", 20)
    pd.testing.assert_frame_equal(found, products)
    np.testing.assert_array_equal(vectors, matrix)


# The last one that needs the workers: a new one takes seconds to load Keras.
def test_a_killed_worker_costs_nothing_but_time(
    client, plan, products, expected, tmp_path, monkeypatch
):
    killed = []
    append = FeatureStore.append

    def append_and_kill(store: FeatureStore, *batch: object) -> None:
        append(store, *batch)
        if not killed:
            killed.append(next(iter(client.run(os.getpid).values())))
            os.kill(killed[0], signal.SIGKILL)

    monkeypatch.setattr(FeatureStore, "append", append_and_kill)
    path = tmp_path / "store.sqlite"
    store = cluster.embed_catalog(client, products, plan, path=path, batch_size=2)
    assert len(killed) == 1
    assert_is_whole(store, products, expected)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "127.0.0.1:9", "nonsense://x"])
def test_no_scheduler_at_the_address_is_said_within_seconds(address):
    start = time.monotonic()
    with (
        pytest.raises(ClusterError, match=f"No scheduler answers at '{address}'"),
        cluster.connect(address),
    ):
        pass
    assert time.monotonic() - start < 4 * cluster.PATIENCE


def test_without_the_extra_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(ClusterError, match=r"pip install -e '\.\[distributed\]'"),
        cluster.connect(),
    ):
        pass


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"backbone": "mobilnetv2"}, "did you mean 'mobilenetv2'"),
        ({"engine": "onyx"}, "did you mean 'onnx'"),
        ({"preprocessing": "padd"}, "did you mean 'pad'"),
        ({"weights": "none"}, "Random weights would differ from worker to worker"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(change, message):
    with pytest.raises(ParameterError, match=message):
        Plan(**({"backbone": "mobilenetv2", "weights": "imagenet"} | change))


def test_no_worker_is_too_few():
    with pytest.raises(ParameterError, match="at least 1, not 0"), cluster.connect(n_workers=0):
        pass
