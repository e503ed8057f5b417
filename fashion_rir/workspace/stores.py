"""Feature stores of a profile: embeddings are taken from there, or made."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from fashion_rir.data.catalog import Catalog
from fashion_rir.embedding import backbones, onnx_engine
from fashion_rir.embedding.embed import Embedder, embed_catalog
from fashion_rir.embedding.embedded import Embedded
from fashion_rir.embedding.store import FeatureStore
from fashion_rir.errors import ParameterError, StoreError, unknown_name
from fashion_rir.search import transforms
from fashion_rir.workspace.folders import Workspace
from fashion_rir.workspace.short_names import joint_name

ENGINES = ("keras", "onnx")


def stored_model(workspace: Workspace, catalog: Catalog, name: str) -> tuple[Catalog, Embedded]:
    """A model whose embeddings an earlier notebook has stored, with the products that it saw.

    Args:
        workspace: says where the store lies.
        catalog: all products; the store may hold a sample of them.
        name: of the model, such as `label-g-seed20`.

    Returns:
        The products of the store, in the catalogue's order, and their embeddings and metadata.

    Raises:
        StoreError: there is none, or it was made from another catalogue, or of the old layout.
    """
    store = FeatureStore.open(workspace.feature_store(name))
    if "training" in store.metadata and "family" not in store.metadata:
        raise StoreError(
            f"{store.path} is of the old layout, which does not say how its model was trained; run "
            f"`fashion-rir study --profile {workspace.profile}` to make it anew."
        )
    is_there = catalog.products["image_name"].isin(store.image_names()).to_numpy()
    if not is_there.any():
        raise StoreError(f"{store.path} holds no product of this catalogue; build it again.")
    part = catalog if is_there.all() else catalog.subset(is_there)
    store.require({"data_hash": part.data_hash})
    vectors = store.load(list(part.products["image_name"]))[1]
    return part, Embedded(vectors, store.metadata)


def on_part(model: Embedded, catalog: Catalog, part: Catalog) -> Embedded:
    """A model of the whole catalogue on a sample of it, under a name that says so.

    Args:
        model: embeddings of `catalog`.
        catalog: all products.
        part: some of them, in the same order.
    """
    vectors, metadata = model
    chosen = catalog.products["id"].isin(part.products["id"]).to_numpy()
    name = f"{metadata['model']}-of-{len(part)}"
    return Embedded(vectors[chosen], {**metadata, "model": name})


def embed(
    workspace: Workspace,
    catalog: Catalog,
    embedder: Embedder,
    *,
    preprocessing: str,
    engine: str = "keras",
    number_format: str = "float32",
) -> Embedded:
    """The catalogue's embeddings by a model: taken from its feature store, or made.

    Args:
        workspace: says where the store lies.
        catalog: the products.
        embedder: a backbone or a floor.
        preprocessing: `resize` or `pad`.
        engine: `keras`, or `onnx` for a backbone's faster twin.
        number_format: of a store that is made, `float32`, or `float16` in half the space.

    Returns:
        Float32 vectors, and the store's metadata. What another training of the same name has left
        is made anew.

    Raises:
        ParameterError: unknown engine or number format.
        StoreError: the store belongs to another model or catalogue, or cannot be written.
    """
    check_engine(engine)
    metadata = embedder.metadata(preprocessing) | {"data_hash": catalog.data_hash}
    names = catalog.products["image_name"]
    path = workspace.feature_store(metadata["model"])
    if "training" in metadata:
        _drop_earlier_training(path, metadata["training"])
    if not _is_complete(path, metadata, names):
        embedder = on_engine(workspace, embedder, engine)
        embed_catalog(catalog, embedder, preprocessing=preprocessing, path=path,
                                 number_format=number_format)  # fmt: skip
    store = FeatureStore.open(path)
    return Embedded(store.load(names)[1], store.metadata)


def on_engine(workspace: Workspace, embedder: Embedder, engine: str) -> Embedder:
    """The embedder, or a backbone's faster twin.

    Args:
        workspace: says where the twin's export lies.
        embedder: a backbone or a floor.
        engine: `keras`, or `onnx`.

    Raises:
        ParameterError: unknown engine.
        FashionRirError: see `onnx_engine.OnnxBackbone`.
    """
    check_engine(engine)
    if engine == "keras" or not isinstance(embedder, backbones.Backbone):
        return embedder
    export = f"{embedder.name}-{embedder.image_size}-{embedder.weights_sha256[:12]}"
    return onnx_engine.OnnxBackbone(embedder, workspace.onnx_model(export))


def joint_model(
    models: Sequence[Embedded],
) -> Embedded:
    """Several backbones' embeddings as one model: side by side, each of length 1.

    Args:
        models: embeddings and metadata of each, from `stores.embed`.
    """
    vectors = transforms.joint_features([matrix for matrix, _ in models])
    name = joint_name([metadata["model"] for _, metadata in models])
    return Embedded(vectors, _joined(models) | {"model": name, "embedding_dim": vectors.shape[1]})


def joint_metadata(
    models: Sequence[Embedded], settings: object, **training: object
) -> dict[str, object]:
    """What a head's embeddings depend on beside its weights.

    Args:
        models: embeddings and metadata of each backbone, from `stores.embed`.
        settings: the dataclass that says what the head is made of.
        training: its `family`, `run` and `seed` (see `words`), and the `label` that it learns.
    """
    joined = _joined(models)
    joined["features"] = joined.pop("model")
    joined["features_sha256"] = joined.pop("weights_sha256")
    return joined | {"head": json.dumps(asdict(settings)), **training}


def sampled(model: Embedded, catalog: Catalog, sample: Catalog) -> Embedded:
    """The stored embeddings of some of a catalogue's products, under a name of their own.

    Args:
        model: embeddings of the whole catalogue and their metadata, from `stores.embed`.
        catalog: the whole.
        sample: some of its products, from `catalog.sample`; the catalogue itself for all.

    Returns:
        The rows of the sample, in its order, named `<model>-of-<number of products>`.

    Raises:
        ParameterError: the sample holds a product that the catalogue does not.
    """
    rows = pd.Index(catalog.products["id"]).get_indexer(sample.products["id"])
    if (rows < 0).any():
        raise ParameterError(
            f"{(rows < 0).sum()} of {len(sample)} products of the sample are not in the catalogue; "
            "draw it from there."
        )
    matrix, metadata = model
    name = f"{metadata['model']}-of-{len(sample)}"
    return Embedded(matrix[rows], {**metadata, "model": name, "data_hash": sample.data_hash})


def check_engine(engine: str) -> None:
    """Refuse another name than those of `ENGINES`.

    Raises:
        ParameterError: unknown engine.
    """
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


def _joined(models: Sequence[Embedded]) -> dict[str, str]:
    """The backbones' metadata, joined by `+`."""
    keys = ("model", "backbone", "image_size", "preprocessing", "weights", "weights_sha256")
    return {key: "+".join(str(metadata[key]) for _, metadata in models) for key in keys}
