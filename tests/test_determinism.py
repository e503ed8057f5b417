"""The same seed gives the same numbers, another one others, and nothing else has a say."""

import ast
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from torture import comparison

from fashion_rir.data import catalog, splits
from fashion_rir.data.drawn import outsiders, shop
from fashion_rir.embedding import floors
from fashion_rir.evaluation import intervals
from fashion_rir.studies.analysis import tsne
from fashion_rir.studies.pretrained import classical
from fashion_rir.training import samplers
from fashion_rir.workspace import maps

ROOT = Path(__file__).parents[1]
N = 90
CODES = np.arange(N) % 5
FEATURES = (np.random.default_rng(3).normal(size=(N, 6)) + 2 * CODES[:, None]).astype(np.float32)
PRODUCTS = pd.DataFrame({"id": range(N), "articleType": CODES.astype(str),
                         "image_sha256": [f"{row:064x}" for row in range(N)]})  # fmt: skip
IS_TEST = np.arange(N) % 4 == 0
LEGACY = {"rand", "randn", "randint", "random", "choice", "permutation", "shuffle", "normal",
          "uniform", "seed", "sample", "RandomState"}  # fmt: skip
SEEDED = {"KMeans", "MiniBatchKMeans", "TSNE", "PCA", "TruncatedSVD", "train_test_split",
          "LogisticRegression", "SeedGenerator"}  # fmt: skip


def trained_head(seed: int) -> np.ndarray:
    from fashion_rir.data import labels
    from fashion_rir.training import fit, heads, objectives

    label = "articleType"
    classes = labels.learn_classes(label, PRODUCTS[label], ~IS_TEST)
    head, _ = heads.train_head(
        (FEATURES[~IS_TEST], {label: CODES[~IS_TEST]}),
        objectives.Classification({label: classes}, label_smoothing=0.1),
        heads.HeadSettings(hidden=4, dropout=0.5),
        fit.Training(fit.TrainingSettings(epochs=1, batch_size=32), seed),
    )  # fmt: skip
    return head.outputs(FEATURES, label)[label]


def augmented(seed: int) -> np.ndarray:
    from fashion_rir.training import augmentation

    pictures = np.full((4, 16, 16, 3), 100.0, dtype=np.float32)
    pictures[:, 4:9, 2:5] = 200
    return np.asarray(augmentation.augmenter("strong", seed=seed)(pictures, training=True))


RANDOM: dict[str, Callable[[int], object]] = {
    "split": lambda seed: splits.is_test_product(PRODUCTS, seed=seed),
    "queries": lambda seed: splits.sample_queries(IS_TEST, 9, seed=seed),
    "chance embeddings": lambda seed: floors.random_embeddings(N, seed=seed),
    "bootstrap": lambda seed: intervals.bootstrap_mean(FEATURES, seed=seed)[0].low,
    "class bootstrap": lambda seed: intervals.bootstrap_mean(
        FEATURES, seed=seed, classes=CODES)[0].low,
    "paired bootstrap": lambda seed: intervals.paired_difference(
        FEATURES[:, 0], FEATURES[:, 1], seed=seed).low,
    "outsiders": lambda seed: [p.tobytes() for p in outsiders.outsider_pictures(4, seed=seed)],
    "shuffled batches": lambda seed: np.concatenate(samplers.shuffled_batches(
        N, batch_size=30, seed=seed, epoch=0, drop_last=False)),
    "balanced batches": lambda seed: samplers.class_balanced_batches(
        CODES, (2, 3, 4), seed=seed, epoch=0),
    "clusters": lambda seed: str(classical.preclustering(
        FEATURES, IS_TEST, CODES, n_clusters=7, seed=seed)),
    "map": lambda seed: tsne.layout(FEATURES, maps.MapSettings(
        perplexity=5, seed=seed))[0],
    "training of a head": trained_head,
    "augmentation": augmented,
}  # fmt: skip


def stir(number: int) -> None:
    """Leave every global generator in a state of its own."""
    import keras

    keras.utils.set_random_seed(number)
    random.seed(number + 1)
    np.random.seed(number + 2)  # noqa: NPY002


@pytest.mark.parametrize("name", RANDOM)
def test_the_seed_and_nothing_else_decides(name):
    draw = RANDOM[name]
    stir(1)
    first = draw(20)
    stir(2)
    np.testing.assert_array_equal(first, draw(20))
    stir(2)
    assert not np.array_equal(first, draw(21))


def test_the_drawn_catalogue_depends_on_its_seed_alone(tmp_path):
    drawn = []
    for number, seed in enumerate((7, 7, 8)):
        stir(number)
        folder = shop.generate(tmp_path / str(number), n_products=60, seed=seed)
        drawn.append(catalog.load(folder).data_hash)
    assert drawn[0] == drawn[1] != drawn[2]


# --- nothing random without a seed ---


def unseeded(code: str) -> list[str]:
    """Uses of chance that no seed reaches, each with its line."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found += [f"{node.lineno}: import random" for a in node.names if a.name == "random"]
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        words = called.split(".") if re.fullmatch(r"[\w.]+", called) else [""]
        names = {keyword.arg for keyword in node.keywords}
        if words[-1] == "default_rng" and not (node.args or names):
            found.append(f"{node.lineno}: default_rng without a seed")
        elif words[:2] in (["np", "random"], ["numpy", "random"]) and words[-1] in LEGACY:
            found.append(f"{node.lineno}: {'.'.join(words)}")
        elif words[:2] == ["keras", "random"] and not (names & {"seed"} or node.args):
            found.append(f"{node.lineno}: {'.'.join(words)} without a seed")
        elif words[-1] in SEEDED and not (names & {"random_state", "seed"} or node.args):
            found.append(f"{node.lineno}: {words[-1]} without a seed")
    return found


def test_no_module_draws_without_a_seed():
    faults = [
        f"{path.name}:{fault}"
        for path in sorted((ROOT / "fashion_rir").glob("*.py"))
        for fault in unseeded(path.read_text(encoding="utf-8"))
    ]
    assert faults == []


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("import random", "1: import random"),
        ("np.random.default_rng()", "1: default_rng without a seed"),
        ("np.random.shuffle(rows)", "1: np.random.shuffle"),
        ("keras.random.uniform(shape=(3,))", "1: keras.random.uniform without a seed"),
        ("KMeans(n_clusters=3)", "1: KMeans without a seed"),
    ],
)
def test_a_draw_without_a_seed_is_found(code, fault):
    assert unseeded(code) == [fault]


# --- a study's step, twice ---

STEP = """
import sys
from pathlib import Path
from torture import work
work.study(Path(sys.argv[1]))
"""


def test_a_step_of_the_study_gives_the_same_bytes_twice(tmp_path):
    for number in ("1", "2"):
        (tmp_path / number).mkdir()
        done = subprocess.run(
            [sys.executable, "-c", STEP, str(tmp_path / number)],
            cwd=ROOT, capture_output=True, text=True, timeout=300,
            env=os.environ | {"PYTHONHASHSEED": number, "TQDM_DISABLE": "1"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    one, two = tmp_path / "1", tmp_path / "2"
    assert comparison.differences(one, two) == []
    pages = sorted(path.relative_to(one) for path in one.glob("reports/**/*.html"))
    assert pages
    assert all((one / page).read_bytes() == (two / page).read_bytes() for page in pages)
