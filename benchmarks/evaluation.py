"""How fast is the exact mAP of full rankings, beside what one would pick instead?

    python benchmarks/evaluation.py [--products 3000] [--queries 500] [--dim 2048]
    python benchmarks/evaluation.py --catalogue real --everything

Beside scikit-learn's and ranx's in a loop, and pytorch-metric-learning's. All sides get the same
distances (made once, outside the clock) and four label columns, and run in this process, in turn;
the best of three rounds counts. Their average precisions (of pytorch-metric-learning: their mean)
must agree to 1e-9; for that the others get ties broken by the catalogue's order, as ours are
(scikit-learn would pool tied products, ranx leave their order open). Without ranx (extra `test`) or
pytorch-metric-learning (extra `peers`), the row says so.
`--everything` ranks all products of the catalogue against all, distances included, and prints
seconds and the peak of memory.
"""

import argparse
import resource
import sys
import time
from collections.abc import Callable

import limits
import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score

from fashion_rir.evaluation import rankings
from fashion_rir.evaluation.rankings import RANKED_LABELS
from fashion_rir.search import gallery as search_gallery
from fashion_rir.workspace.folders import open_workspace

ROUNDS = 3
METRIC_LEARNING = "pytorch-metric-learning"
Scores = dict[str, np.ndarray]  # by label, the average precision of each query, or their mean


def main() -> None:
    """Compare, or measure the whole catalogue."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--catalogue", default="drawn", help="drawn or real")
    parser.add_argument("--products", type=int, default=3000)
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--dim", type=int, default=2048)
    parser.add_argument("--everything", action="store_true")
    arguments = parser.parse_args()
    catalog = open_workspace("quick").load_catalog(arguments.catalogue)
    products, generator = catalog.products, np.random.default_rng(0)
    if not arguments.everything:
        chosen = generator.permutation(len(products))[: arguments.products]
        products = products.iloc[chosen].reset_index(drop=True)
    vectors = generator.standard_normal((len(products), arguments.dim), dtype=np.float32)
    if arguments.everything:
        rank_everything(vectors, products)
    else:
        compare(vectors, products, arguments.queries)


def rank_everything(vectors: np.ndarray, products: pd.DataFrame) -> None:
    """All products against all: what the study does."""
    start = time.perf_counter()
    rankings.score_views(vectors, products, {"": rankings.everyone(products)})
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{len(products)} products against all, {vectors.shape[1]} numbers, "
          f"{len(RANKED_LABELS)} labels: {seconds:.0f} s, at most {peak:.2f} GiB")  # fmt: skip


def compare(vectors: np.ndarray, products: pd.DataFrame, n_queries: int) -> None:
    """Print seconds and ratios of all sides on the same distances."""
    gallery = search_gallery.Gallery(vectors, products["id"], "cosine")
    distances = gallery.distances(vectors[:n_queries])
    codes = {label: pd.factorize(products[label])[0] for label in RANKED_LABELS}
    sides = {"fashion_rir": ours, "scikit-learn": by_scikit_learn, **by_ranx_if_there(),
             **by_metric_learning_if_there()}  # fmt: skip
    # Less than float32 can tell apart, so that only ties are moved.
    untied = distances.astype(np.float64) + np.arange(distances.shape[1]) * 1e-13
    given = {name: distances if name == "fashion_rir" else untied for name in sides}
    seconds, scores = best_of_rounds(sides, given, codes)
    print(f"{len(distances)} queries, {distances.shape[1]} products, {len(codes)} labels; best of "
          f"{ROUNDS}")  # fmt: skip
    for name, taken in seconds.items():
        for label, values in scores[name].items():
            ours_too = scores["fashion_rir"][label]
            expected = ours_too if np.ndim(values) else np.nanmean(ours_too)
            np.testing.assert_allclose(values, expected, rtol=0, atol=1e-9)
        ratio = taken / seconds["fashion_rir"]
        print(f"{name:<26}{taken:>9.2f} s{ratio:>8.1f} times ours")
    least = min(limits.seconds_of(lambda: np.sort(distances, axis=1)) for _ in range(ROUNDS))
    print(f"{'one sort of each row':<26}{least:>9.2f} s: the limit, of which ours reaches "
          f"{least / seconds['fashion_rir']:.0%}")  # fmt: skip
    for name, extra in (("ranx", "test"), (METRIC_LEARNING, "peers")):
        if name not in seconds:
            print(f"{name:<26} not installed (extra '{extra}')")


def best_of_rounds(
    sides: dict[str, Callable[..., Scores]],
    given: dict[str, np.ndarray],
    codes: dict[str, np.ndarray],
) -> tuple[dict[str, float], dict[str, Scores]]:
    """The fewest seconds of each side, the sides taking turns, and what they found."""
    seconds, scores = dict.fromkeys(sides, np.inf), {}
    for _ in range(ROUNDS):
        for name, side in sides.items():
            start = time.perf_counter()
            scores[name] = side(given[name], codes)
            seconds[name] = min(seconds[name], time.perf_counter() - start)
    return seconds, scores


def ours(distances: np.ndarray, codes: dict[str, np.ndarray]) -> Scores:
    """One ranking a query for all labels; all of `rankings.METRICS`, of which the mAP is kept."""
    numbers = np.arange(distances.shape[1])
    classes = {label: pd.Series(code).where(code >= 0) for label, code in codes.items()}
    view = rankings.View(is_query=numbers < len(distances))
    scorer = rankings.Scorer(pd.DataFrame(classes).assign(id=numbers), {"all": view}, list(codes))
    for start in range(0, len(distances), 100):
        order = search_gallery.ranked(distances[start : start + 100])
        scorer.add(numbers[start : start + len(order)], order)
    tables = scorer.result("all").scores
    rows = numbers[: len(distances)]
    return {label: tables[label]["mAP"].reindex(rows).to_numpy() for label in codes}


def by_scikit_learn(distances: np.ndarray, codes: dict[str, np.ndarray]) -> Scores:
    """`average_precision_score`, one call a query and label."""
    found = {label: np.full(len(distances), np.nan) for label in codes}
    for query, row in enumerate(distances):
        scores = -np.delete(row, query)
        for label, code in codes.items():
            is_relevant = np.delete(code, query) == code[query]
            if code[query] >= 0 and is_relevant.any():
                found[label][query] = average_precision_score(is_relevant, scores)
    return found


def by_ranx_if_there() -> dict[str, Callable[..., Scores]]:
    """ranx' `map` over judgements and runs of its own form; compiled before the clock starts."""
    try:
        import ranx
    except ImportError:
        return {}

    def side(distances: np.ndarray, codes: dict[str, np.ndarray]) -> Scores:
        names = np.array([f"d{row}" for row in range(distances.shape[1])])
        runs = {f"q{q}": dict(zip(np.delete(names, q), -np.delete(row, q),
                                  strict=True)) for q, row in enumerate(distances)}  # fmt: skip
        found = {}
        for label, code in codes.items():
            judged = {
                f"q{q}": dict.fromkeys(np.delete(names, q)[np.delete(code, q) == code[q]], 1)
                for q in range(len(distances))
                if code[q] >= 0 and np.count_nonzero(code == code[q]) > 1
            }
            run = ranx.Run({name: runs[name] for name in judged})
            values = ranx.evaluate(ranx.Qrels(judged), run, "map", return_mean=False)
            by_query = dict(zip(sorted(judged), values, strict=True))
            found[label] = np.array([by_query.get(f"q{q}", np.nan) for q in range(len(distances))])
        return found

    some = np.random.default_rng(0).random((3, 9), dtype=np.float32)
    side(some, {"label": np.arange(9) % 2})
    return {"ranx": side}


def by_metric_learning_if_there() -> dict[str, Callable[..., Scores]]:
    """`AccuracyCalculator`'s mAP over whole rankings; it sorts the same distances by torch."""
    try:
        import torch
        from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
    except (ImportError, OSError):  # OSError: a build for a graphics card that is not there
        return {}

    def side(distances: np.ndarray, codes: dict[str, np.ndarray]) -> Scores:
        found = {}
        for label, code in codes.items():
            # It wants the queries first in the gallery; those without a label do not ask.
            is_asking = code[: len(distances)] >= 0
            asking = np.flatnonzero(is_asking)
            order = np.concatenate([asking, np.setdiff1d(np.arange(len(code)), asking)])
            given = torch.from_numpy(distances[np.ix_(asking, order)])

            def ranked(query, k, reference, ref_includes_query, given=given):  # noqa: ANN001, ANN202
                places = torch.argsort(given, dim=1)
                is_other = places != torch.arange(len(given))[:, None]
                return None, places[is_other].reshape(len(given), -1)[:, :k]

            calculator = AccuracyCalculator(
                include=("mean_average_precision",), knn_func=ranked, device=torch.device("cpu")
            )
            rows = order[:, None].astype(np.float32)
            answer = calculator.get_accuracy(
                rows[: len(asking)], code[asking], rows, code[order], ref_includes_query=True
            )
            found[label] = np.float64(answer["mean_average_precision"])
        return found

    return {METRIC_LEARNING: side}


if __name__ == "__main__":
    sys.exit(main())
