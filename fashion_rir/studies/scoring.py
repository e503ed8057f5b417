"""Run one experiment once: embed, search, score, and keep the record.

An experiment whose record is there, made from the same inputs, is not run again; so a study
that was broken off goes on where it stopped.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fashion_rir.data import splits
from fashion_rir.data.splits import ASKED_PROTOCOLS, Asking
from fashion_rir.embedding import embed
from fashion_rir.embedding.embedded import Embedded
from fashion_rir.errors import ParameterError, RecordError, unknown_name
from fashion_rir.evaluation import intervals
from fashion_rir.evaluation.protocols import (
    EVALUATED_LABELS,
    GRADED,
    GRADED_LABELS,
    PROTOCOLS,
    Evaluation,
    Scorer,
    evaluate,
    metrics_of,
    summarise,
)
from fashion_rir.evaluation.rankings import Rankings
from fashion_rir.search.transforms import TRANSFORMS
from fashion_rir.studies.names import comparison_name, named
from fashion_rir.studies.study import Study
from fashion_rir.system import whole_file
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace import stores
from fashion_rir.workspace.folders import Workspace
from fashion_rir.workspace.short_names import short_name


def transformed(model: Embedded, name: str, is_train: np.ndarray) -> Embedded:
    """A model's embeddings after one of `TRANSFORMS`, learned on training products only.

    Args:
        model: embeddings (n_products, embedding_dim) and metadata, from `embed`.
        name: one of `TRANSFORMS`.
        is_train: bool, shape (n_products,).

    Returns:
        The new embeddings, and the metadata with the transform in the model's name.

    Raises:
        ParameterError: unknown transform.
    """
    if name not in TRANSFORMS:
        raise unknown_name("transform", name, TRANSFORMS)
    vectors, metadata = model
    vectors = np.ascontiguousarray(TRANSFORMS[name](vectors, vectors[is_train]), dtype=np.float32)
    return Embedded(vectors, named(metadata, name, embedding_dim=vectors.shape[1]))


def retrieval(
    study: Study,
    model: Embedded,
    is_query: np.ndarray,
    *,
    measure: str,
    protocols: tuple[str, ...] = PROTOCOLS,
) -> dict:
    """Score a model's retrieval, or take the record of the same run.

    Args:
        study: its products, split, seed and folders.
        model: embeddings (n_products, embedding_dim) and metadata, from `embed`.
        is_query: bool, shape (n_products,): the test products.
        measure: one of `gallery.MEASURES`.
        protocols: some of `protocols.PROTOCOLS`.

    Returns:
        The record, also written to the profile's results; it may hold more protocols, if they
        were asked for before. The scores of the single queries lie beside the features
        (`read_scores`).
    """
    vectors, metadata = model
    inputs = result_records.describe(study.workspace, study.catalog, metadata) | {
        "n_queries": int(is_query.sum()),
        "measure": measure,
        "protocols": list(protocols),
        "labels": list(EVALUATED_LABELS),
        "graded_labels": list(GRADED_LABELS),
        "seed": study.seed,
    }
    name = short_name(metadata["model"], measure)
    scores_path = study.workspace.scores / f"{name}.parquet"
    if result_records.is_there(study.workspace.results, name) and scores_path.exists():
        record = result_records.read(study.workspace.results, name)
        recorded = record["inputs"].get("protocols", [])
        is_same = record["inputs_hash"] == result_records.hash_inputs(
            inputs | {"protocols": recorded}
        )
        if is_same and set(protocols) <= set(recorded):  # another notebook may have asked more
            return record
    start = time.perf_counter()
    found = evaluate(
        vectors, study.catalog.products, is_query, measure=measure, protocols=protocols
    )
    summaries = {protocol: summarise(e, seed=study.seed) for protocol, e in found.items()}
    seconds = time.perf_counter() - start
    write_scores(found, scores_path)
    record = result_records.make_record("retrieval", name, inputs, protocols=summaries,
                                 timings={"evaluation_seconds": round(seconds, 1)})  # fmt: skip
    result_records.write(record, study.workspace.results)
    return record


def write_scores(found: Mapping[str, Evaluation], path: Path) -> None:
    """Keep the single queries' scores, for `read_scores`.

    Args:
        found: evaluations by protocol.
        path: the Parquet file; its folder is made.

    Raises:
        RecordError: the place cannot be written.
    """
    tables = [
        scores.reset_index().assign(protocol=protocol, relevant_by=label)
        for protocol, result in found.items()
        for label, scores in (*result.scores.items(), (GRADED, result.graded))
    ]
    with whole_file(path, RecordError) as partial:
        pd.concat(tables, ignore_index=True).to_parquet(partial)


def read_scores(workspace: Workspace, name: str, *, protocol: str, label: str) -> pd.DataFrame:
    """The single queries' scores of an experiment.

    Args:
        workspace: of the profile.
        name: the record's name, `<model>-<measure>`.
        protocol: one of `protocols.PROTOCOLS`.
        label: what makes a product relevant, or `graded`.

    Returns:
        Index: product id of the query; columns: `protocols.metrics_of(label)` and `label`, the
        query's class.

    Raises:
        RecordError: there are none.
    """
    path = workspace.scores / f"{short_name(name)}.parquet"
    if not path.exists():
        raise RecordError(f"There are no scores at {path}; run the notebook that makes them.")
    try:
        scores = pd.read_parquet(path)
    except (OSError, ValueError) as error:  # of pyarrow
        raise RecordError(
            f"The scores {path} are damaged ({type(error).__name__}); delete the file and run the "
            "notebook that makes it."
        ) from error
    chosen = scores[(scores["protocol"] == protocol) & (scores["relevant_by"] == label)]
    if chosen.empty:
        raise RecordError(f"{path} has no query for protocol {protocol} and label {label}.")
    return chosen.set_index("id")[[*metrics_of(label), "label"]]


def comparison(
    study: Study,
    first: str,
    second: str,
    *,
    protocol: str = "held_out",
    label: str = "articleType",
) -> dict:
    """The paired difference of two experiments, as a record.

    Args:
        study: its products, split, seed and folders.
        first: a record's name.
        second: the record that is subtracted; it may have been asked more queries than `first`,
            only those of `first` count.
        protocol: one of `protocols.PROTOCOLS`.
        label: what makes a product relevant, or `graded`.

    Returns:
        A record of kind `comparison`: by metric the mean of first - second over the same
        queries, with its interval.

    Raises:
        RecordError: one is missing, or they are of different data or queries.
    """
    tables = [
        read_scores(study.workspace, n, protocol=protocol, label=label) for n in (first, second)
    ]
    if not set(tables[0].index) <= set(tables[1].index):
        raise RecordError(
            f"{first} and {second} were asked different queries and cannot be compared; run both "
            "with the same split."
        )
    tables[1] = tables[1].loc[tables[0].index]
    differences = {
        metric: intervals.estimate_dict(
            intervals.paired_difference(
                tables[0][metric].to_numpy(), tables[1][metric].to_numpy(), seed=study.seed
            )
        )
        for metric in metrics_of(label)
    }
    records = result_records.read_named(study.workspace.results, (first, second))
    first, second = (record["name"] for record in records)
    parents = {record["name"]: record for record in records}
    inputs = {
        "profile": study.workspace.profile,
        "data_hash": parents[first]["inputs"]["data_hash"],
        "first": first,
        "second": second,
        "parents": {name: parent["inputs_hash"] for name, parent in parents.items()},
        "protocol": protocol,
        "label": label,
        "seed": study.seed,
    }
    name = comparison_name(first, second, protocol, label)
    record = result_records.make_record(
        "comparison", name, inputs, differences=differences, n_queries=len(tables[0])
    )
    result_records.write(record, study.workspace.results)
    return record


def compare_all(
    study: Study,
    names: Sequence[str],
    *,
    protocol: str = "held_out",
    label: str = "articleType",
    metric: str = "mAP",
) -> dict:
    """The paired differences between all of some experiments, in one record.

    Args:
        study: its products, split, seed and folders.
        names: of retrieval records that were asked the same queries of the same catalogue.
        protocol: one of `protocols.PROTOCOLS`.
        label: what makes a product relevant, or `graded`.
        metric: one of `protocols.metrics_of(label)`.

    Returns:
        A record of kind `comparison-matrix`: `pairs`, a list with `first`, `second`, `value`, `low`
        and `high` of the mean of first - second, and the share of queries for which the first is
        `better` and `worse`.

    Raises:
        RecordError: one is missing, or they are of different data or queries.
    """
    names = [short_name(name) for name in names]
    parents = dict(
        zip(names, result_records.read_named(study.workspace.results, names), strict=True)
    )
    scores = {
        name: read_scores(study.workspace, name, protocol=protocol, label=label)[metric]
        for name in names
    }
    first_name, reference = next(iter(scores.items()))
    for name, values in scores.items():
        if not values.index.equals(reference.index):
            raise RecordError(
                f"{first_name} and {name} were asked different queries and cannot be compared; run "
                "both with the same split."
            )
    pairs = [
        _pair(first, second, scores[first].to_numpy(), scores[second].to_numpy(), study.seed)
        for place, first in enumerate(names)
        for second in names[place + 1 :]
    ]
    inputs = {
        "profile": study.workspace.profile,
        "data_hash": parents[first_name]["inputs"]["data_hash"],
        "parents": {name: parent["inputs_hash"] for name, parent in parents.items()},
        "protocol": protocol,
        "label": label,
        "metric": metric,
        "seed": study.seed,
    }
    name = f"matrix-{protocol}-{label}-{metric}"
    record = result_records.make_record("comparison-matrix", name, inputs, models=list(names),
                                 pairs=pairs, n_queries=len(reference))  # fmt: skip
    result_records.write(record, study.workspace.results)
    return record


def matrix_tables(record: Mapping) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The pairs of a record from `compare_all` as squares.

    Returns:
        Row less column, and whether that is noise (the interval holds 0); the diagonal is 0, and
        noise.
    """
    names = record["models"]
    difference = pd.DataFrame(0.0, index=names, columns=names)
    is_noise = pd.DataFrame(True, index=names, columns=names)
    for pair in record["pairs"]:
        first, second = pair["first"], pair["second"]
        difference.loc[first, second], difference.loc[second, first] = pair["value"], -pair["value"]
        is_noise.loc[first, second] = pair["low"] <= 0 <= pair["high"]
        is_noise.loc[second, first] = is_noise.loc[first, second]
    return difference, is_noise


def score_embedder(
    study: Study,
    embedder: embed.Embedder,
    *,
    preprocessing: str,
) -> Embedded:
    """Embed the catalogue into a feature store, and score its retrieval by cosine.

    Args:
        study: its products, split, seed and folders.
        embedder: a trained network.
        preprocessing: that of its training.

    Returns:
        As `score_trained`.

    Raises:
        StoreError: see `stores.embed`.
    """
    model = stores.embed(study.workspace, study.catalog, embedder, preprocessing=preprocessing)
    is_test = splits.is_test_product(study.catalog.products, seed=study.seed)
    record = retrieval(study, model, is_test, measure="cosine", protocols=("held_out", "unseen"))
    spread = result_records.make_record(
        "spread", f"spread-{model[1]['model']}", record["inputs"],
        similarity=similarity_spread(model[0], seed=study.seed),
    )  # fmt: skip
    result_records.write(spread, study.workspace.results)
    return model


def similarity_spread(embeddings: np.ndarray, *, n_pairs: int = 20_000, seed: int) -> dict:
    """How similar two products are that have nothing to do with each other.

    Args:
        embeddings: float32 (n_products, embedding_dim).
        n_pairs: random pairs.
        seed: of the draw.

    Returns:
        Cosine similarity of random pairs: `median`, and `above 0.95`, the share of pairs above the
        threshold that the thesis used for model g.

    Raises:
        ParameterError: fewer than two products.
    """
    if len(embeddings) < 2:
        raise ParameterError(f"A pair takes at least 2 products, not {len(embeddings)}.")
    generator = np.random.default_rng(seed)
    first = generator.integers(len(embeddings), size=n_pairs)
    second = (first + generator.integers(1, len(embeddings), size=n_pairs)) % len(embeddings)
    unit = embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)
    similarity = np.einsum("ij,ij->i", unit[first], unit[second])
    return {
        "median": intervals.rounded(np.median(similarity)),
        "above 0.95": intervals.rounded((similarity > 0.95).mean()),
    }


def score_rankings(
    study: Study,
    model: Embedded,
    asking: Asking,
    rank: Callable[..., Rankings],
    parameters: Mapping[str, float],
) -> dict:
    """Score rankings as `scoring.retrieval` scores embeddings, or take the same run's record.

    Args:
        study: its products, split, seed and folders.
        model: what is ranked by, and the metadata of what comes out.
        asking: who asks.
        rank: one of `RANKING`.
        parameters: of `rank`.

    Returns:
        A record of kind `retrieval`, and the single queries' scores beside the features. Under
        `unseen` the gallery that is ranked, and whose neighbours vote, holds test products only.
    """
    vectors, metadata = model
    is_query = asking.is_query()
    protocols = ASKED_PROTOCOLS if asking.n_queries is None else ASKED_PROTOCOLS[:1]
    inputs = {
        **result_records.describe(study.workspace, study.catalog, metadata),
        "n_queries": int(is_query.sum()),
        "measure": "cosine",
        "protocols": list(protocols),
        "labels": list(EVALUATED_LABELS),
        "graded_labels": list(GRADED_LABELS),
        "seed": asking.seed,
    }
    name = short_name(metadata["model"], "cosine")
    scores_path = study.workspace.scores / f"{name}.parquet"
    if (
        scores_path.exists()
        and (record := result_records.read_same(study.workspace.results, name, inputs)) is not None
    ):
        return record
    start = time.perf_counter()
    galleries = {
        "held_out": np.ones(len(study.catalog), dtype=bool),
        "unseen": asking.parts.is_test,
    }
    found = {}
    for protocol in protocols:
        rows = np.flatnonzero(galleries[protocol])
        scorer = Scorer(study.catalog.products, is_query, (protocol,))
        for queries, order in rank(vectors, np.flatnonzero(is_query), rows, **parameters):
            scorer.add(queries, order)
        found[protocol] = scorer.result(protocol)
    summaries = {p: summarise(one, seed=asking.seed) for p, one in found.items()}
    seconds = time.perf_counter() - start
    write_scores(found, scores_path)
    record = result_records.make_record("retrieval", name, inputs, protocols=summaries,
                                 timings={"evaluation_seconds": round(seconds, 1)})  # fmt: skip
    result_records.write(record, study.workspace.results)
    return record


def _pair(
    first: str, second: str, ours: np.ndarray, theirs: np.ndarray, seed: int
) -> dict[str, object]:
    estimate = intervals.paired_difference(ours, theirs, seed=seed)
    return {
        "first": first,
        "second": second,
        **intervals.estimate_dict(estimate),
        "better": intervals.rounded((ours > theirs).mean()),
        "worse": intervals.rounded((ours < theirs).mean()),
    }
