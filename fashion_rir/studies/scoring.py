"""Run one experiment once: embed, search, score, and keep the record.

An experiment whose record is there, made from the same inputs, is not run again; so a study
that was broken off goes on where it stopped.
"""

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

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

N_PAIRS = 20_000  # of random products, whose similarity is measured


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
    inputs = _inputs(study, metadata, is_query, measure, protocols)
    inputs = _widened(study, f"{metadata['model']}-{measure}", inputs)
    return _scored(study, inputs, lambda asked: evaluate(
        vectors, study.catalog.products, is_query, measure=measure, protocols=tuple(asked)
    ))  # fmt: skip


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
    path = _scores_path(workspace, name)
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


def comparison(study: Study, first: str, second: str, *, label: str = "articleType") -> dict:
    """The paired difference of two experiments held out, as a record.

    Args:
        study: its products, split, seed and folders.
        first: a record's name.
        second: the record that is subtracted; it may have been asked more queries than `first`,
            only those of `first` count.
        label: what makes a product relevant, or `graded`.

    Returns:
        A record of kind `comparison`: by metric the mean of first - second over the same
        queries, with its interval.

    Raises:
        RecordError: one is missing, or they are of different data or queries.
    """
    protocol = "held_out"
    records = result_records.read_named(study.results, (first, second))
    first, second = (record["name"] for record in records)
    inputs = {
        "profile": study.workspace.profile,
        "data_hash": records[0]["inputs"]["data_hash"],
        "first": first,
        "second": second,
        "parents": {record["name"]: record["inputs_hash"] for record in records},
        "protocol": protocol,
        "label": label,
        "seed": study.seed,
    }

    def compare() -> dict[str, object]:
        ours, theirs = _same_queries(study.workspace, (first, second), protocol, label)
        differences = {
            metric: intervals.paired_difference(ours[metric], theirs[metric], seed=study.seed)
            for metric in metrics_of(label)
        }
        estimates = {metric: intervals.estimate_dict(one) for metric, one in differences.items()}
        return {"differences": estimates, "n_queries": len(ours)}

    name = comparison_name(first, second, protocol, label)
    return study.record("comparison", name, inputs, compare)


def compare_all(study: Study, names: Sequence[str]) -> dict:
    """The paired differences of held-out mAP by articleType of some experiments, in one record.

    Args:
        study: its products, split, seed and folders.
        names: of retrieval records that were asked the same queries of the same catalogue.

    Returns:
        A record of kind `comparison-matrix`: `pairs`, a list with `first`, `second`, `value`, `low`
        and `high` of the mean of first - second, and the share of queries for which the first is
        `better` and `worse`.

    Raises:
        RecordError: one is missing, or they are of different data or queries.
    """
    protocol, label, metric = "held_out", "articleType", "mAP"
    records = result_records.read_named(study.results, names)
    names = [record["name"] for record in records]
    inputs = {
        "profile": study.workspace.profile,
        "data_hash": records[0]["inputs"]["data_hash"],
        "parents": {record["name"]: record["inputs_hash"] for record in records},
        "protocol": protocol,
        "label": label,
        "metric": metric,
        "seed": study.seed,
    }

    def compare() -> dict[str, object]:
        tables = _same_queries(study.workspace, names, protocol, label, is_part_enough=False)
        scores = {name: table[metric].to_numpy() for name, table in zip(names, tables, strict=True)}
        pairs = [
            _pair(first, second, scores, study.seed)
            for first, second in itertools.combinations(names, 2)
        ]
        return {"models": list(names), "pairs": pairs, "n_queries": len(tables[0])}

    name = f"matrix-{protocol}-{label}-{metric}"
    return study.record("comparison-matrix", name, inputs, compare)


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


def score_embedder(study: Study, embedder: embed.Embedder, *, preprocessing: str) -> Embedded:
    """Embed the catalogue into a feature store, and score its retrieval by cosine.

    Args:
        study: its products, split, seed and folders.
        embedder: a trained network.
        preprocessing: that of its training.

    Returns:
        The embeddings and their metadata. Two records are written: the retrieval, and the
        similarity of random pairs (`spread-<model>`).

    Raises:
        StoreError: see `stores.embed`.
    """
    model = stores.embed(study.workspace, study.catalog, embedder, preprocessing=preprocessing)
    record = retrieval(study, model, study.is_test, measure="cosine", protocols=ASKED_PROTOCOLS)
    study.record("spread", f"spread-{model[1]['model']}", record["inputs"],
                 lambda: {"similarity": similarity_spread(model[0], seed=study.seed)})  # fmt: skip
    return model


def similarity_spread(embeddings: np.ndarray, *, seed: int) -> dict:
    """How similar two products are that have nothing to do with each other.

    Args:
        embeddings: float32 (n_products, embedding_dim).
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
    first = generator.integers(len(embeddings), size=N_PAIRS)
    second = (first + generator.integers(1, len(embeddings), size=N_PAIRS)) % len(embeddings)
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
    galleries = {"held_out": np.ones_like(is_query), "unseen": asking.parts.is_test}

    def evaluate_rankings(protocols: Sequence[str]) -> dict[str, Evaluation]:
        found = {}
        for protocol in protocols:
            scorer = Scorer(study.catalog.products, is_query, (protocol,))
            rows = np.flatnonzero(galleries[protocol])
            for queries, order in rank(vectors, np.flatnonzero(is_query), rows, **parameters):
                scorer.add(queries, order)
            found[protocol] = scorer.result(protocol)
        return found

    inputs = _inputs(study, metadata, is_query, "cosine", protocols)
    return _scored(study, inputs, evaluate_rankings)


def kept_scores(
    study: Study, metadata: Mapping[str, object], is_query: np.ndarray, protocol: str,
    labels: Sequence[str],
) -> dict[str, pd.DataFrame] | None:  # fmt: skip
    """The single queries' scores by cosine under a protocol, if `retrieval` has kept them.

    Args:
        study: its products, split, seed and folders.
        metadata: of the embeddings.
        is_query: bool, shape (n_products,): the test products.
        protocol: one of `protocols.PROTOCOLS`.
        labels: what makes a product relevant.

    Returns:
        By label as `read_scores`; None if there are none of the same embeddings and queries.
    """
    name = f"{metadata['model']}-cosine"
    inputs = _widened(study, name, _inputs(study, metadata, is_query, "cosine", (protocol,)))
    is_there = result_records.read_same(study.results, name, inputs) is not None
    if not is_there or not _scores_path(study.workspace, name).exists():
        return None
    return {label: read_scores(study.workspace, name, protocol=protocol, label=label)
            for label in labels}  # fmt: skip


def _inputs(
    study: Study, metadata: Mapping[str, object], is_query: np.ndarray, measure: str,
    protocols: Sequence[str],
) -> dict[str, object]:  # fmt: skip
    """What a record of kind `retrieval` depends on."""
    return study.describe(metadata) | {
        "n_queries": int(is_query.sum()),
        "measure": measure,
        "protocols": list(protocols),
        "labels": list(EVALUATED_LABELS),
        "graded_labels": list(GRADED_LABELS),
        "seed": study.seed,
    }


def _widened(study: Study, name: str, inputs: dict[str, object]) -> dict[str, object]:
    """The inputs of the record that is there, if it is of the same run and more protocols."""
    if not result_records.is_there(study.results, name):
        return inputs
    record = result_records.read(study.results, name)
    asked = record["inputs"].get("protocols", [])
    wider = inputs | {"protocols": asked}
    is_same = record["inputs_hash"] == result_records.hash_inputs(wider)
    return wider if is_same and set(inputs["protocols"]) <= set(asked) else inputs


def _scored(
    study: Study,
    inputs: Mapping[str, object],
    find: Callable[[Sequence[str]], Mapping[str, Evaluation]],
) -> dict:
    """The record of kind `retrieval`; `find` evaluates protocols, where it is not there yet."""
    name = f"{inputs['model']['model']}-{inputs['measure']}"
    path = _scores_path(study.workspace, name)

    def evaluated() -> dict[str, object]:
        start = time.perf_counter()
        found = find(inputs["protocols"])
        summaries = {protocol: summarise(one, seed=study.seed) for protocol, one in found.items()}
        seconds = time.perf_counter() - start
        write_scores(found, path)
        return {"protocols": summaries, "timings": {"evaluation_seconds": round(seconds, 1)}}

    return study.record("retrieval", name, inputs, evaluated, beside=path)


def _scores_path(workspace: Workspace, name: str) -> Path:
    return workspace.scores / f"{short_name(name)}.parquet"


def _same_queries(
    workspace: Workspace, names: Sequence[str], protocol: str, label: str,
    *, is_part_enough: bool = True,
) -> list[pd.DataFrame]:  # fmt: skip
    """The scores of several records for the queries of the first.

    Raises:
        RecordError: a record was not asked these queries, or others too if no part is enough.
    """
    tables = [read_scores(workspace, name, protocol=protocol, label=label) for name in names]
    asked = tables[0].index
    for name, table in zip(names, tables, strict=True):
        is_same = table.index.equals(asked)
        if not (is_same or (is_part_enough and set(asked) <= set(table.index))):
            raise RecordError(
                f"{names[0]} and {name} were asked different queries and cannot be compared; run "
                "both with the same split."
            )
    return [table.loc[asked] for table in tables]


def _pair(
    first: str, second: str, scores: Mapping[str, np.ndarray], seed: int
) -> dict[str, object]:
    ours, theirs = scores[first], scores[second]
    estimate = intervals.paired_difference(ours, theirs, seed=seed)
    return {
        "first": first,
        "second": second,
        **intervals.estimate_dict(estimate),
        "better": intervals.rounded((ours > theirs).mean()),
        "worse": intervals.rounded((ours < theirs).mean()),
    }
