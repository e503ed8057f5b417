"""Run one experiment once: embed, search, score, and keep the record.

An experiment whose record is there, made from the same inputs, is not run again; so a study
that was broken off goes on where it stopped.
"""

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from fashion_rir import (
    backbones,
    embeddings,
    evaluation,
    intervals,
    onnx_engine,
    results,
    transforms,
)
from fashion_rir.catalog import Catalog
from fashion_rir.errors import RecordError, unknown_name
from fashion_rir.feature_store import FeatureStore
from fashion_rir.retrieval import MEASURES
from fashion_rir.whole_files import whole_file
from fashion_rir.workspace import Workspace

ENGINES = ("keras", "onnx")
FLOORS = ("mean-colour-32-resize", "raw-pixels-16-resize")
WHITENED_DIM = 256
# What a transform makes of the embeddings, given those of the training products.
TRANSFORMS = {
    "l2": lambda vectors, train: transforms.l2_normalise(vectors),
    "power": lambda vectors, train: transforms.power_normalise(vectors),
    "whiten256": lambda vectors, train: transforms.fit_whitening(
        train, min(WHITENED_DIM, len(train) - 1, train.shape[1])
    )(vectors),
    "binary": lambda vectors, train: transforms.binarise(vectors, np.median(train, axis=0)),
}
# Notebook 03: the measures that say something new after each transform.
TRANSFORM_RUNS = {
    "l2": ("euclidean", "manhattan"),
    "power": ("cosine", "manhattan"),
    "whiten256": ("cosine", "euclidean"),
    "binary": ("manhattan",),
}


def baseline_models(resnet50_image_size: int) -> list[str]:
    """The pretrained networks of notebook 02, resized and padded."""
    networks = ("mobilenetv2-128", f"resnet50-{resnet50_image_size}")
    return [f"{network}-{way}" for network in networks for way in ("resize", "pad")]


def baseline_runs(resnet50_image_size: int) -> list[tuple[str, str]]:
    """Model and measure of notebook 02's experiments: every network and measure, and floors."""
    networks = [(m, measure) for m in baseline_models(resnet50_image_size) for measure in MEASURES]
    return [*networks, *((floor, "cosine") for floor in (*FLOORS, "chance"))]


def baseline_pairs(resnet50_image_size: int) -> list[tuple[str, str]]:
    """The records that notebook 02 compares query by query: preprocessing, measures, networks."""
    mobilenetv2, mobilenetv2_pad, resnet50, resnet50_pad = baseline_models(resnet50_image_size)
    padding = [(mobilenetv2_pad, mobilenetv2), (resnet50_pad, resnet50)]
    pairs = [(f"{pad}-{m}", f"{resize}-{m}") for m in MEASURES for pad, resize in padding]
    for model in (mobilenetv2, resnet50_pad):
        pairs += [(f"{model}-cosine", f"{model}-{other}") for other in MEASURES[1:]]
    # The last is the thesis' own pair of networks: it never padded MobileNetV2's photos.
    return pairs + [
        (f"{resnet50_pad}-cosine", f"{m}-cosine") for m in (mobilenetv2_pad, mobilenetv2)
    ]


def similarity_pairs(*models: str) -> list[tuple[str, str]]:
    """The records that notebook 03 compares: each measure and transform with the raw cosine."""
    pairs = []
    for model in models:
        baseline = f"{model}-cosine"
        pairs += [(f"{model}-{measure}", baseline) for measure in MEASURES if measure != "cosine"]
        pairs += [
            (f"{model}+{transform}-{measure}", baseline)
            for transform, measures in TRANSFORM_RUNS.items()
            for measure in measures
        ]
    return pairs


def comparison_name(first: str, second: str, protocol: str, label: str) -> str:
    """The name of the record that compares two records."""
    return f"{first}-minus-{second}-{protocol}-{label}"


def embed(
    workspace: Workspace,
    catalog: Catalog,
    embedder: embeddings.Embedder,
    *,
    preprocessing: str,
    engine: str = "keras",
    number_format: str = "float32",
) -> tuple[np.ndarray, dict[str, str]]:
    """The catalogue's embeddings by a model: taken from its feature store, or made.

    Args:
        workspace: says where the store lies.
        catalog: the products.
        embedder: a backbone or a floor.
        preprocessing: `resize` or `pad`.
        engine: `keras`, or `onnx` for a backbone's faster twin.
        number_format: of a store that is made, `float32`, or `float16` in half the space.

    Returns:
        float32 of shape (n_products, embedding_dim), in the catalogue's order, and the store's
        metadata. What another training of the same name has left is made anew.

    Raises:
        ParameterError: unknown engine or number format.
        StoreError: the store belongs to another model or catalogue, or cannot be written.
    """
    _check_engine(engine)
    metadata = embedder.metadata(preprocessing) | {"data_hash": catalog.data_hash}
    names = catalog.products["image_name"]
    path = workspace.feature_store(metadata["model"])
    if "training" in metadata:
        _drop_earlier_training(path, metadata["training"])
    if not _is_complete(path, metadata, names):
        embedder = on_engine(workspace, embedder, engine)
        embeddings.embed_catalog(catalog, embedder, preprocessing=preprocessing, path=path,
                                 number_format=number_format)  # fmt: skip
    store = FeatureStore.open(path)
    return store.load(names)[1], store.metadata


def on_engine(
    workspace: Workspace, embedder: embeddings.Embedder, engine: str
) -> embeddings.Embedder:
    """The embedder, or a backbone's faster twin.

    Args:
        workspace: says where the twin's export lies.
        embedder: a backbone or a floor.
        engine: `keras`, or `onnx`.

    Raises:
        ParameterError: unknown engine.
        FashionRirError: see `onnx_engine.OnnxBackbone`.
    """
    _check_engine(engine)
    if engine == "keras" or not isinstance(embedder, backbones.Backbone):
        return embedder
    export = f"{embedder.name}-{embedder.image_size}-{embedder.weights_sha256[:12]}"
    return onnx_engine.OnnxBackbone(embedder, workspace.onnx_model(export))


def transformed(
    model: tuple[np.ndarray, Mapping[str, object]], name: str, is_train: np.ndarray
) -> tuple[np.ndarray, dict[str, object]]:
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
    changes = {"model": f"{metadata['model']}+{name}", "embedding_dim": vectors.shape[1]}
    return vectors, {**metadata, **changes, "transform": name}


def describe(
    workspace: Workspace, catalog: Catalog, metadata: Mapping[str, object]
) -> dict[str, object]:
    """What the numbers of every experiment on embeddings depend on; each adds its own.

    Args:
        workspace: of the profile.
        catalog: the products.
        metadata: of the embeddings.
    """
    return {
        "profile": workspace.profile,
        "data_hash": catalog.data_hash,
        "n_products": len(catalog),
        "model": {key: str(value) for key, value in metadata.items() if key != "data_hash"},
    }


def retrieval(
    workspace: Workspace,
    catalog: Catalog,
    model: tuple[np.ndarray, Mapping[str, object]],
    is_query: np.ndarray,
    *,
    measure: str,
    seed: int,
    protocols: tuple[str, ...] = evaluation.PROTOCOLS,
) -> dict:
    """Score a model's retrieval, or take the record of the same run.

    Args:
        workspace: says where records lie.
        catalog: the products.
        model: embeddings (n_products, embedding_dim) and metadata, from `embed`.
        is_query: bool, shape (n_products,): the test products.
        measure: one of `retrieval.MEASURES`.
        seed: of the split and the bootstrap.
        protocols: some of `evaluation.PROTOCOLS`.

    Returns:
        The record, also written to the profile's results; it may hold more protocols, if they
        were asked for before. The scores of the single queries lie beside the features
        (`read_scores`).
    """
    vectors, metadata = model
    inputs = describe(workspace, catalog, metadata) | {
        "n_queries": int(is_query.sum()),
        "measure": measure,
        "protocols": list(protocols),
        "labels": list(evaluation.EVALUATED_LABELS),
        "graded_labels": list(evaluation.GRADED_LABELS),
        "seed": seed,
    }
    name = f"{metadata['model']}-{measure}"
    scores_path = workspace.scores / f"{name}.parquet"
    if (workspace.results / f"{name}.json").exists() and scores_path.exists():
        record = results.read(workspace.results, name)
        recorded = record["inputs"].get("protocols", [])
        is_same = record["inputs_hash"] == results.hash_inputs(inputs | {"protocols": recorded})
        if is_same and set(protocols) <= set(recorded):  # another notebook may have asked more
            return record
    start = time.perf_counter()
    found = evaluation.evaluate(
        vectors, catalog.products, is_query, measure=measure, protocols=protocols
    )
    summaries = {protocol: results.summarise(e, seed=seed) for protocol, e in found.items()}
    seconds = time.perf_counter() - start
    write_scores(found, scores_path)
    record = results.make_record("retrieval", name, inputs, protocols=summaries,
                                 timings={"evaluation_seconds": round(seconds, 1)})  # fmt: skip
    results.write(record, workspace.results)
    return record


def write_scores(found: Mapping[str, evaluation.Evaluation], path: Path) -> None:
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
        for label, scores in (*result.scores.items(), (evaluation.GRADED, result.graded))
    ]
    with whole_file(path, RecordError) as partial:
        pd.concat(tables, ignore_index=True).to_parquet(partial)


def read_scores(workspace: Workspace, name: str, *, protocol: str, label: str) -> pd.DataFrame:
    """The single queries' scores of an experiment.

    Args:
        workspace: of the profile.
        name: the record's name, `<model>-<measure>`.
        protocol: one of `evaluation.PROTOCOLS`.
        label: what makes a product relevant, or `graded`.

    Returns:
        Index: product id of the query; columns: `evaluation.metrics_of(label)` and `label`, the
        query's class.

    Raises:
        RecordError: there are none.
    """
    path = workspace.scores / f"{name}.parquet"
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
    return chosen.set_index("id")[[*evaluation.metrics_of(label), "label"]]


def comparison(
    workspace: Workspace,
    first: str,
    second: str,
    *,
    protocol: str = "held_out",
    label: str = "articleType",
    seed: int,
) -> dict:
    """The paired difference of two experiments, as a record.

    Args:
        workspace: of the profile.
        first: a record's name.
        second: the record that is subtracted; it may have been asked more queries than `first`,
            only those of `first` count.
        protocol: one of `evaluation.PROTOCOLS`.
        label: what makes a product relevant, or `graded`.
        seed: of the bootstrap.

    Returns:
        A record of kind `comparison`: by metric the mean of first - second over the same
        queries, with its interval.

    Raises:
        RecordError: one is missing, or they are of different data or queries.
    """
    tables = [read_scores(workspace, n, protocol=protocol, label=label) for n in (first, second)]
    if not set(tables[0].index) <= set(tables[1].index):
        raise RecordError(
            f"{first} and {second} were asked different queries and cannot be compared; run both "
            "with the same split."
        )
    tables[1] = tables[1].loc[tables[0].index]
    differences = {
        metric: results.estimate_dict(
            intervals.paired_difference(
                tables[0][metric].to_numpy(), tables[1][metric].to_numpy(), seed=seed
            )
        )
        for metric in evaluation.metrics_of(label)
    }
    records = results.read_named(workspace.results, (first, second))
    parents = dict(zip((first, second), records, strict=True))
    inputs = {
        "profile": workspace.profile,
        "data_hash": parents[first]["inputs"]["data_hash"],
        "first": first,
        "second": second,
        "parents": {name: parent["inputs_hash"] for name, parent in parents.items()},
        "protocol": protocol,
        "label": label,
        "seed": seed,
    }
    name = comparison_name(first, second, protocol, label)
    record = results.make_record(
        "comparison", name, inputs, differences=differences, n_queries=len(tables[0])
    )
    results.write(record, workspace.results)
    return record


def _check_engine(engine: str) -> None:
    if engine not in ENGINES:
        raise unknown_name("engine", engine, ENGINES)


def _drop_earlier_training(path: Path, training: str) -> None:
    """Remove what another training of the same name left: its weights can make it again."""
    if path.exists() and FeatureStore.open(path).metadata.get("training") not in (None, training):
        path.unlink()


def _is_complete(path: Path, metadata: Mapping[str, object], names: pd.Series) -> bool:
    if not path.exists():
        return False
    store = FeatureStore.open(path)
    store.require(metadata)
    return set(names) <= set(store.image_names())
