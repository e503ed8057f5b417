"""protocol_grid: the ways to cut and divide an average precision, and the search over them."""

from pathlib import Path

import numpy as np
import pytest

from fashion_rir.data import catalog
from fashion_rir.errors import ParameterError
from fashion_rir.evaluation import metrics
from fashion_rir.studies.analysis import protocol_grid
from fashion_rir.studies.analysis.protocol_grid import average_precision_at, closest, measure
from fashion_rir.studies.study import Study
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.folders import Workspace

RANKS = np.array([2, 3, 40])


@pytest.mark.parametrize(
    ("k", "way", "expected"),
    [
        (5, "relevant", (1 / 2 + 2 / 3) / 3),
        (5, "relevant within k", (1 / 2 + 2 / 3) / 3),
        (2, "relevant within k", (1 / 2) / 2),
        (5, "hits", (1 / 2 + 2 / 3) / 2),
        (1, "hits", 0),
        (99, "hits", (1 / 2 + 2 / 3 + 3 / 40) / 3),
    ],
)
def test_average_precision_by_hand(k: int, way: str, expected: float) -> None:
    assert average_precision_at(RANKS, k, way) == pytest.approx(expected)


def test_of_the_whole_ranking_it_is_the_average_precision() -> None:
    for way in protocol_grid.NORMALISATIONS:
        assert average_precision_at(RANKS, 100, way) == metrics.average_precision(RANKS)


def test_bad_cut_off_and_normalisation_are_refused() -> None:
    with pytest.raises(ParameterError, match="at least 1, not 0"):
        average_precision_at(RANKS, 0, "hits")
    with pytest.raises(ParameterError, match="did you mean 'hits'"):
        average_precision_at(RANKS, 5, "hit")


@pytest.fixture
def measured(tmp_path: Path, catalog_folder: Path) -> dict:
    products = catalog.load(catalog_folder)
    vectors = np.random.default_rng(0).standard_normal((12, 3)).astype(np.float32)
    is_query = np.arange(12) < 9
    return measure(
        Study(Workspace(tmp_path, "quick"), products, 0),
        (vectors, {"model": "drawn"}),
        is_query,
        labels=("articleType", "masterCategory"),
    )


def test_a_grid_that_fits_the_gallery_is_tried(measured: dict) -> None:
    table = closest(measured, target=0.7)
    cutoffs = {"5", "10", "all"}  # eleven other products
    assert set(table["cutoff"]) == cutoffs
    assert len(table) == 2 * 2 * (2 * 3 + 1) * 2  # protocols, labels, cells, averages
    assert table["difference"].abs().is_monotonic_increasing
    assert (table["mAP"] - 0.7 - table["difference"]).abs().max() < 1e-9
    whole = table[(table["cutoff"] == "all") & (table["average"] == "micro")]
    assert set(whole["normalised_by"]) == {"relevant"}


def test_the_query_itself_raises_the_score(measured: dict) -> None:
    table = closest(measured).set_index(["label", "cutoff", "normalised_by", "average"])
    own, out = (table[table["protocol"] == name]["mAP"] for name in ("thesis", "held_out"))
    assert (own >= out.reindex(own.index)).all()


def test_the_same_run_is_not_run_again(
    tmp_path: Path, catalog_folder: Path, measured: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*args: object, **options: object) -> None:
        raise AssertionError("ranked again")

    monkeypatch.setattr("fashion_rir.evaluation.rankings.score_views", never)
    products = catalog.load(catalog_folder)
    workspace, model = Workspace(tmp_path, "quick"), (np.zeros((12, 3)), {"model": "drawn"})
    again = measure(Study(workspace, products, 0), model, np.arange(12) < 9,
                    labels=("articleType", "masterCategory"))  # fmt: skip
    assert again == result_records.read(workspace.results, "protocol-grid-drawn") == measured
