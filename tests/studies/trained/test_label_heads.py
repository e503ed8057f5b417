"""label_heads: heads trained, made embeddings, scored; two studies' tables side by side."""

import numpy as np
import pandas as pd
import pytest

from fashion_rir.embedding.embedded import Embedded
from fashion_rir.errors import ParameterError
from fashion_rir.studies import names
from fashion_rir.studies.study import Study
from fashion_rir.studies.trained import label_heads
from fashion_rir.workspace import records as result_records


def stored(shop, name: str, seed: int) -> Embedded:
    """Types in clear, beside noise."""
    codes = pd.factorize(shop.products["articleType"])[0]
    noise = np.random.default_rng(seed).normal(size=(len(shop), 4))
    vectors = np.hstack([np.eye(codes.max() + 1)[codes] * 2, noise]).astype(np.float32)
    return Embedded(vectors, {
        "model": name, "backbone": name, "image_size": "8", "preprocessing": "resize",
        "weights": "none", "weights_sha256": name, "embedding_dim": vectors.shape[1],
        "data_hash": shop.data_hash,
    })  # fmt: skip


@pytest.fixture(scope="module")
def experiment(workspace, shop) -> label_heads.HeadExperiment:
    models = [stored(shop, "a-8-resize", 1), stored(shop, "b-8-resize", 2)]
    sources = names.head_sources(models, "B")
    return label_heads.HeadExperiment(
        Study(workspace, shop, 20), sources, epochs=3, n_seeds=1, n_asked=10, raw_shares=(0.05,)
    )


def test_heads_are_trained_and_scored_as_the_cost_groups_name_them(experiment) -> None:
    trained = experiment.train(["head on MobileNetV2", "head on both"])
    posteriors = experiment.score_all(trained)
    assert list(posteriors) == [run.name for runs in trained.values() for run in runs]
    folder = experiment.study.results
    groups = names.cost_groups(["a-8-resize", "b-8-resize"], (20,), "B")
    assert "heads of all seeds" not in groups
    table = label_heads.cost_table(folder, groups)
    assert list(table.index) == [
        "MobileNetV2 as it is", "B as it is", "both as they are", "head on MobileNetV2",
        "head on both", "its hidden layer", "head + 5% as they are",
    ]  # fmt: skip
    assert table["mAP"].between(0, 1).all()
    record = result_records.read(folder, groups["head on both"][0])
    assert record["inputs"]["n_queries"] <= 10
    assert list(label_heads.accuracy_table(trained).index) == list(trained)
    recorded = label_heads.recorded_accuracy(
        folder, {name: groups[name] for name in ("B as it is", "head on both")}
    )
    assert list(recorded.index) == ["head on both"]
    assert 0 <= experiment.unseen_map(list(posteriors.values())[-1]) <= 1


def test_an_unknown_head_is_refused(experiment) -> None:
    with pytest.raises(ParameterError, match="head on nothing"):
        experiment.train(["head on nothing"])


def test_pairs_without_averaged_seeds_compare_the_best_head_with_each_other() -> None:
    groups = names.cost_groups(["a", "b"], (20,), "B")
    pairs = names.cost_pairs(groups)
    head = groups["head on both"][0]
    assert all(head in pair[:2] for pair in pairs)
    assert [second for first, second, _ in pairs if first == head] == [
        groups[name][0] for name in ("B as it is", "both as they are", "probe on both",
                                     "head on MobileNetV2", "head on B", "its hidden layer")
    ]  # fmt: skip


def test_two_tables_side_by_side_share_the_row_of_the_second_network() -> None:
    live = pd.DataFrame({"mAP": [0.5, 0.7]}, index=["Lite0 as it is", "head on both"])
    rows = ["ResNet50 as it is", "head on both", "head on all three"]
    full = pd.DataFrame({"mAP": [0.4, 0.8, 0.9]}, index=rows)
    both = label_heads.beside(live, full, ["mAP"], called=["Lite0", "ResNet50"])
    assert list(both.columns) == ["mAP", "mAP, full run"]
    assert list(both.index) == ["second network as it is", "head on both", "head on all three"]
    assert both["mAP"].tolist()[:2] == [0.5, 0.7] and np.isnan(both["mAP"].iloc[2])
    assert both["mAP, full run"].tolist() == [0.4, 0.8, 0.9]
