"""One table of every model of a profile, what it costs, and which ones no other beats."""

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fashion_rir import backbones, embeddings, experiments, onnx_engine, results
from fashion_rir.catalog import Catalog
from fashion_rir.errors import ParameterError, RecordError, unknown_name
from fashion_rir.workspace import Workspace

COSTS_NAME = "embedding-costs"
BATCH_SIZE = 64
HEAD = "head"  # what the cost of a head is looked up by
HEAD_CLASSES = 130  # about as many articleTypes as the real catalogue has
POOLING_IN_NAME = re.compile(r"-gem[\d.]+")  # costs nothing beside the network
INPUT_IN_NAME = r"-\d+-(?:resize|pad-white|pad|crop)"  # pixels, and how a photo becomes square
SOURCES_IN_NAME = re.compile(rf"[a-z0-9]+{INPUT_IN_NAME}(?:\+[a-z0-9-]+?{INPUT_IN_NAME}){{2,}}")
SEED_IN_NAME = re.compile(r"-seed(\d+)")
SEEDS_IN_NAME = re.compile(r"-seeds([\d+]+)")
COLUMNS = {  # of the table: label and metric
    "mAP": ("articleType", "mAP"),
    "MAP@R": ("articleType", "MAP@R"),
    "colour P@10": ("baseColour", "precision@10"),
    "graded nDCG@10": ("graded", "nDCG@10"),
}
EMBEDDING_COST, TRAINING_COST = "ms an image", "training s"

Work = tuple[Callable[[np.ndarray], object], np.ndarray]  # what to run, and on what


def measure_costs(
    workspace: Workspace,
    catalog: Catalog,
    embedders: Sequence[embeddings.Embedder],
    *,
    engine: str = "keras",
    head_dim: int,
    n_pictures: int = 256,
    n_rounds: int = 3,
) -> dict:
    """How long each embedder takes for a picture, all in the same run, as a record.

    Pictures are decoded before. Each embedder sees a batch first that is not timed; of the rounds
    the fastest counts, and the embedders take turns, as other work on the machine only slows.

    Args:
        workspace: says where the record lies.
        catalog: its first pictures are taken.
        embedders: backbones, and whatever else embeds.
        engine: what runs the backbones, see `experiments.embed`.
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
    names = catalog.products["image_name"].tolist()[:n_pictures]
    about = {_key(one): one.metadata("resize") for one in embedders}
    inputs = {
        "profile": workspace.profile,
        "data_hash": catalog.data_hash,
        "embedders": {key: {k: str(v) for k, v in one.items()} for key, one in about.items()},
        "engine": engine,
        "head_dim": head_dim,
        "n_pictures": len(names),
        "n_rounds": n_rounds,
        "batch_size": BATCH_SIZE,
    }
    if (record := results.read_same(workspace.results, COSTS_NAME, inputs)) is not None:
        return record
    from fashion_rir import finetuning  # with Keras, which the tables do without

    pictures = {
        size: finetuning.load_pictures(catalog, names, size, "resize")
        for size in {one.image_size for one in embedders}
    }
    running = {_key(one): _running(workspace, one, engine) for one in embedders}
    work = {key: (one.embed, pictures[one.image_size]) for key, one in running.items()}
    work[HEAD] = _head_work(len(names), head_dim)
    costs = {key: round(1000 * took / len(names), 4) for key, took in
             _fastest(work, n_rounds).items()}  # fmt: skip
    record = results.make_record("cost", COSTS_NAME, inputs, timings={"ms_an_image": costs})
    results.write(record, workspace.results)
    return record


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
        model: a retrieval record's `inputs.model`; several networks are joined by `+`.
        costs: `ms_an_image` of a cost record.

    Returns:
        Not a number where a network was not measured.

    Example:
        >>> two = {"backbone": "mobilenetv2+resnet50", "image_size": "128+224"}
        >>> embedding_cost(two, {"mobilenetv2-128": 5.0, "resnet50-224": 40.0})
        45.0
    """
    networks = POOLING_IN_NAME.sub("", model["backbone"]).split("+")
    keys = map(cost_key, networks, model["image_size"].split("+"))
    parts = [*keys, HEAD] if HEAD in model else keys
    return float(sum(costs.get(part, np.nan) for part in parts))


def training_cost(record: Mapping, seconds: Mapping[str, float]) -> float:
    """Seconds that training took for the model of a retrieval record, without pretraining.

    Args:
        record: of kind `retrieval`. If its model's metadata have `trainings`, these are the names
            of its trainings, with spaces between. Else its training is the one whose name the
            model's begins with; one of several seeds (`-seeds20+21`) has one for each.
        seconds: by the name of each training record.

    Returns:
        0 for a model without training; not a number where a named training has no record.

    Example:
        >>> record = {"inputs": {"model": {"model": "probe-a-seeds1+2-posterior"}}}
        >>> training_cost(record, {"probe-a-seed1": 3.0, "probe-a-seed2": 4.0})
        7.0
    """
    model = record["inputs"]["model"]
    if "trainings" in model:
        return float(sum(seconds.get(name, np.nan) for name in model["trainings"].split()))
    name = model["model"]
    names = [name]
    if several := SEEDS_IN_NAME.search(name):
        names = [name.replace(several[0], f"-seed{seed}") for seed in several[1].split("+")]
    found = [[known for known in seconds if _belongs(one, known)] for one in names]
    return float(sum(seconds[max(known, key=len)] for known in found if known))


def model_table(
    folder: Path, *, data_hash: str, measure: str = "cosine"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Every model that was scored on a catalogue, the best mAP first.

    Args:
        folder: a profile's results.
        data_hash: of the catalogue; models that were scored on a sample of it are left out.
        measure: one of `retrieval.MEASURES`.

    Returns:
        The table: index `model`, without its seed; `seeds` (how many), `dim`, `weights`; for each
        of `COLUMNS` the means over the seeds, held out and `unseen`, micro and `macro`; `training
        s` (of one seed) and `ms an image` where they were measured. And the records that are left
        out: columns `record` and `reason`.

    Raises:
        RecordError: no record is left.
    """
    records, left_out = _comparable(_read_kind(folder, "retrieval"), data_hash, measure)
    if not records:
        raise RecordError(
            f"{folder} has no retrieval record by {measure} of this catalogue under both "
            "protocols; run the notebooks first."
        )
    groups: dict[str, list[dict]] = {}
    for record in records:
        groups.setdefault(SEED_IN_NAME.sub("", record["inputs"]["model"]["model"]), []).append(
            record
        )
    table = results.seed_table(groups, protocol="held_out", metrics=[]).set_index("model")
    for protocol in ("held_out", "unseen"):
        for average in ("micro", "macro"):
            found = results.seed_table(groups, protocol=protocol, metrics=COLUMNS.values(),
                                       average=average).set_index("model")  # fmt: skip
            words = [word for word in (protocol, average) if word not in ("held_out", "micro")]
            for name, (label, metric) in COLUMNS.items():
                table[" ".join([name, *words])] = found[f"{label} {metric}"]
    return _with_costs(table, folder, groups).sort_values("mAP", ascending=False), left_out


def short_names(names: Iterable[str]) -> list[str]:
    """Names that fit into a table or figure: three joined embeddings and more are only counted.

    Args:
        names: of models; one that would become another's keeps its length.

    Example:
        >>> short_names(["head-a-32-pad+b-32-pad+c-32-crop-hidden", "a-32-pad+b-32-pad"])
        ['head-3 embeddings-hidden', 'a-32-pad+b-32-pad']
    """
    names = list(names)
    found = [
        SOURCES_IN_NAME.sub(lambda one: f"{one[0].count('+') + 1} embeddings", name)
        for name in names
    ]
    return [
        name if found.count(short) > 1 else short for name, short in zip(names, found, strict=True)
    ]


def pareto_front(
    table: pd.DataFrame, *, costs: Sequence[str] = (), gains: Sequence[str] = ()
) -> pd.Series:
    """Which rows no other row beats: none is as good in all columns and better in one.

    Args:
        table: one row a model.
        costs: columns of which less is better.
        gains: columns of which more is better.

    Returns:
        bool, by the table's index. A row that lacks one of the numbers is not on the front.

    Raises:
        ParameterError: no column, or one that the table does not have.

    Example:
        >>> table = pd.DataFrame({"ms": [1, 2, 3], "mAP": [0.2, 0.6, 0.5]}, index=["a", "b", "c"])
        >>> pareto_front(table, costs=["ms"], gains=["mAP"]).tolist()
        [True, True, False]
    """
    columns = [*costs, *gains]
    absent = [column for column in columns if column not in table]
    if absent or not columns:
        raise ParameterError(
            f"A front is drawn over columns of the table; it has no {absent or 'columns given'} "
            f"(it has: {', '.join(map(str, table.columns))})."
        )
    values = table[columns].to_numpy(dtype=np.float64, copy=True)
    values[:, : len(costs)] *= -1  # more is better everywhere
    is_as_good = (values[:, None] >= values[None]).all(axis=2)  # [one, other]: one against other
    is_better = (values[:, None] > values[None]).any(axis=2)
    is_beaten = (is_as_good & is_better).any(axis=0)
    return pd.Series(~is_beaten & np.isfinite(values).all(axis=1), index=table.index)


def _key(embedder: embeddings.Embedder) -> str:
    about = embedder.metadata("resize")
    return cost_key(str(about["backbone"]), str(about["image_size"]))


def _running(
    workspace: Workspace, embedder: embeddings.Embedder, engine: str
) -> embeddings.Embedder:
    """The embedder, or a backbone's faster twin."""
    if engine not in experiments.ENGINES:
        raise unknown_name("engine", engine, experiments.ENGINES)
    if engine == "keras" or not isinstance(embedder, backbones.Backbone):
        return embedder
    export = f"{embedder.name}-{embedder.image_size}-{embedder.weights_sha256[:12]}"
    return onnx_engine.OnnxBackbone(embedder, workspace.onnx_model(export))


def _head_work(n_products: int, dim: int) -> Work:
    from fashion_rir import heads

    features = np.random.default_rng(0).normal(size=(n_products, dim)).astype(np.float32)
    head = heads.build_head(features, HEAD_CLASSES, heads.HeadSettings(), seed=0)
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


def _belongs(model: str, training: str) -> bool:
    """Whether a model's name says that it was made by a training."""
    return model == training or model.startswith(f"{training}-")


def _read_kind(folder: Path, kind: str) -> list[dict]:
    """All records of a kind, also of different catalogues."""
    records = [results.read(folder, file.stem) for file in sorted(folder.glob("*.json"))]
    return [record for record in records if record["kind"] == kind]


def _comparable(
    records: Iterable[dict], data_hash: str, measure: str
) -> tuple[list[dict], pd.DataFrame]:
    """The records of one catalogue and measure that all test products were asked for."""
    records = list(records)
    same_data = [r["inputs"]["n_queries"] for r in records if r["inputs"]["data_hash"] == data_hash]
    n_queries = max(same_data, default=0)
    kept, left_out = [], []
    for record in records:
        inputs = record["inputs"]
        if inputs["data_hash"] != data_hash:
            reason = "of another catalogue, such as a sample"
        elif inputs["measure"] != measure:
            reason = f"by {inputs['measure']}"
        elif inputs["n_queries"] != n_queries:
            reason = f"asked {inputs['n_queries']:,} of {n_queries:,} queries"
        elif not {"held_out", "unseen"} <= set(record["protocols"]):
            reason = "not under both protocols"
        else:
            kept.append(record)
            continue
        left_out.append({"record": record["name"], "reason": reason})
    return kept, pd.DataFrame(left_out, columns=["record", "reason"])


def _with_costs(
    table: pd.DataFrame, folder: Path, groups: Mapping[str, Sequence[dict]]
) -> pd.DataFrame:
    """The table with what each model costs to train and to embed."""
    trainings = _read_kind(folder, "training")
    seconds = {one["name"]: one["timings"]["training_seconds"] for one in trainings}
    measured = [one["timings"]["ms_an_image"] for one in _read_kind(folder, "cost")]
    costs = {name: cost for some in measured for name, cost in some.items()}
    trained = [
        float(np.mean([training_cost(record, seconds) for record in groups[name]]))
        for name in table.index
    ]
    embedded = [embedding_cost(groups[name][0]["inputs"]["model"], costs) for name in table.index]
    return table.assign(**{TRAINING_COST: trained, EMBEDDING_COST: embedded})
