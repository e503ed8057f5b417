"""One table of every model of a profile, what it costs, and which ones no other beats."""

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from fashion_rir.embedding import embed
from fashion_rir.errors import ParameterError, RecordError
from fashion_rir.studies.study import Study
from fashion_rir.workspace import stores

COSTS_NAME = "embedding-costs"

BATCH_SIZE = 64

HEAD = "head"  # what the cost of a head is looked up by

HEAD_CLASSES = 130  # about as many articleTypes as the real catalogue has

EMBEDDING_COST, TRAINING_COST = "ms an image", "training s"

Work = tuple[Callable[[np.ndarray], object], np.ndarray]  # what to run, and on what


def measure_costs(
    study: Study,
    embedders: Sequence[embed.Embedder],
    *,
    head_dim: int,
    n_pictures: int = 256,
    n_rounds: int = 3,
) -> dict:
    """How long each embedder takes for a picture, all in the same run, as a record.

    Pictures are decoded before. Each embedder sees a batch first that is not timed; of the rounds
    the fastest counts, and the embedders take turns, as other work on the machine only slows.

    Args:
        study: its products, split, seed and folders.
        embedders: backbones, and whatever else embeds.
        head_dim: numbers a product that a head on stored embeddings takes; a head with a hidden
            layer of 512 and 130 classes is measured, too.
        n_pictures: that are embedded in a round, at least 1.
        n_rounds: at least 1.

    Returns:
        A record of kind `cost`, whose timings hold `ms_an_image` by `cost_key`, and of the `head`.
        One of the same inputs is not made again.

    Raises:
        ParameterError: no embedder, unknown engine, or a number below 1.
    """
    if not embedders or min(n_pictures, n_rounds, head_dim) < 1:
        raise ParameterError(
            "Costs are measured of at least 1 embedder, picture, round and number, not of "
            f"{len(embedders)}, {n_pictures}, {n_rounds} and {head_dim}."
        )
    about = {_key(one): one.metadata("resize") for one in embedders}
    inputs = {
        "profile": study.workspace.profile,
        "data_hash": study.catalog.data_hash,
        "embedders": {key: {k: str(v) for k, v in one.items()} for key, one in about.items()},
        "engine": study.engine,
        "head_dim": head_dim,
        "n_pictures": min(n_pictures, len(study.catalog)),
        "n_rounds": n_rounds,
        "batch_size": BATCH_SIZE,
    }
    return study.record("cost", COSTS_NAME, inputs,
                        lambda: _measured(study, embedders, inputs))  # fmt: skip


def cost_table(record: Mapping, *, reference: str) -> pd.DataFrame:
    """The record of `measure_costs`, the cheapest first.

    Args:
        record: of kind `cost`.
        reference: the embedder that costs 1, such as `mobilenetv2-128`.

    Returns:
        Columns `ms an image`, `images a second`, and `relative` to the reference.

    Raises:
        RecordError: the reference was not measured.
    """
    costs = pd.Series(record["timings"]["ms_an_image"], name=EMBEDDING_COST).sort_values()
    if reference not in costs:
        raise RecordError(
            f"The record {record['name']} has no cost of {reference!r} (it has: "
            f"{', '.join(costs.index)}); measure it too."
        )
    table = pd.DataFrame({EMBEDDING_COST: costs, "images a second": 1000 / costs})
    return table.assign(relative=costs / costs[reference]).rename_axis("embedder")


def cost_key(backbone: str, image_size: int | str) -> str:
    """What the cost of a network at a size is looked up by.

    Example:
        >>> cost_key("mobilenetv2", 128)
        'mobilenetv2-128'
    """
    return f"{backbone}-{image_size}"


def embedding_cost(model: Mapping[str, str], costs: Mapping[str, float]) -> float:
    """Milliseconds that a model needs for a picture: the sum over the networks that it asks.

    A network that sees the photo prepared in two ways is asked twice. A head comes on top.

    Args:
        model: a retrieval record's `inputs.model`; several networks are joined by `+`. Where its
            pooling is not the network's own, which costs nothing, `network` is the network.
        costs: `ms_an_image` of a cost record.

    Returns:
        Not a number where a network was not measured.

    Example:
        >>> two = {"backbone": "mobilenetv2+resnet50", "image_size": "128+224"}
        >>> embedding_cost(two, {"mobilenetv2-128": 5.0, "resnet50-224": 40.0})
        45.0
    """
    networks = model.get("network", model["backbone"]).split("+")
    keys = map(cost_key, networks, model["image_size"].split("+"))
    parts = [*keys, HEAD] if HEAD in model else keys
    return float(sum(costs.get(part, np.nan) for part in parts))


def training_cost(model: Mapping[str, str], seconds: Mapping[str, float]) -> float:
    """Seconds that training took for a model, without pretraining.

    Args:
        model: a retrieval record's `inputs.model`; `training` holds the hashes of its trainings'
            records, joined by `+`.
        seconds: by the hash of each training's record.

    Returns:
        0 for a model without training; not a number where a training has no record.

    Example:
        >>> training_cost({"training": "1a+2b"}, {"1a": 3.0, "2b": 4.0})
        7.0
    """
    trainings = model["training"].split("+") if "training" in model else []
    return float(sum(seconds.get(one, np.nan) for one in trainings))


def _measured(
    study: Study, embedders: Sequence[embed.Embedder], inputs: Mapping
) -> dict[str, object]:
    """The content of the record of `measure_costs`."""
    from fashion_rir.training import end_to_end  # with Keras, which the tables do without

    n_pictures = inputs["n_pictures"]
    names = study.catalog.products["image_name"].tolist()[:n_pictures]
    pictures = {
        size: end_to_end.load_pictures(study.catalog, names, size, "resize")
        for size in {one.image_size for one in embedders}
    }
    running = {_key(one): stores.on_engine(study.workspace, one, inputs["engine"])
               for one in embedders}  # fmt: skip
    work = {key: (one.embed, pictures[one.image_size]) for key, one in running.items()}
    work[HEAD] = _head_work(n_pictures, inputs["head_dim"])
    costs = {key: round(1000 * took / n_pictures, 4)
             for key, took in _fastest(work, inputs["n_rounds"]).items()}  # fmt: skip
    return {"timings": {"ms_an_image": costs}}


def _key(embedder: embed.Embedder) -> str:
    about = embedder.metadata("resize")
    return cost_key(str(about["backbone"]), str(about["image_size"]))


def _head_work(n_products: int, dim: int) -> Work:
    from fashion_rir.training import heads

    features = np.random.default_rng(0).normal(size=(n_products, dim)).astype(np.float32)
    head = heads.build_head(features, heads.HeadSettings(), {"logits": HEAD_CLASSES}, seed=0)
    return head.predict_on_batch, features


def _fastest(work: Mapping[str, Work], n_rounds: int) -> dict[str, float]:
    """Seconds of the fastest round of each."""
    for run, inputs in work.values():
        run(inputs[:BATCH_SIZE])
    fastest = dict.fromkeys(work, np.inf)
    for _ in range(n_rounds):
        for key, (run, inputs) in work.items():
            start = time.perf_counter()
            for first in range(0, len(inputs), BATCH_SIZE):
                run(inputs[first : first + BATCH_SIZE])
            fastest[key] = min(fastest[key], time.perf_counter() - start)
    return fastest
