"""The joined model's embeddings of a catalogue, and what embeds a photo beside them.

For the real catalogue they are made from the embeddings that travel with the project, without a
photo; for any other, its photos are embedded by the shipped networks.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from fashion_rir.data import images, shipped_files
from fashion_rir.data.catalog import Catalog
from fashion_rir.embedding import joined, onnx_engine, reduction, shipped_models
from fashion_rir.embedding.embed import Embedder, open_store
from fashion_rir.embedding.joined import JoinedModel
from fashion_rir.embedding.shipped_models import ReducedEmbedder, ShippedModel
from fashion_rir.embedding.store import FeatureStore
from fashion_rir.errors import FashionRirError
from fashion_rir.workspace import stores
from fashion_rir.workspace.folders import Workspace

FILE = "joined.npz"

COLOURS = "colour-histogram-64-resize"  # a source without a network

BACKBONE = "joined"

IMAGE_SIZE, PREPROCESSING = 224, "resize"

MODEL = f"{BACKBONE}-{IMAGE_SIZE}-{PREPROCESSING}"

KEPT_AT_ONCE = 2048  # vectors that are written together

Say = Callable[[str], None]


class JoinedEmbedder:
    """The shipped networks and the joined model: a photo in, its joined embedding out."""

    image_size = IMAGE_SIZE

    def __init__(self, model: JoinedModel, sources: Sequence[Embedder]) -> None:
        self._model, self._sources = model, list(sources)

    def embed_picture(self, image: Image.Image) -> np.ndarray:
        """The joined embedding of one RGB picture, float32 (dim,)."""
        matrices = [one.embed(images.fit(image, one.image_size, PREPROCESSING)[None])
                    for one in self._sources]  # fmt: skip
        return self._model.vectors(matrices)[0]

    def metadata(self, preprocessing: str) -> dict[str, object]:
        """What a feature store says of it."""
        return metadata(self._model)


def is_here() -> bool:
    """Whether the joined model has come with the project."""
    try:
        return shipped_files.path(FILE).is_file()
    except FashionRirError:
        return False


def open_model() -> JoinedModel:
    """The joined model that comes with the project.

    Raises:
        FashionRirError: it is not there, or damaged.
    """
    return joined.load(shipped_files.path(FILE))


def metadata(model: JoinedModel) -> dict[str, object]:
    """What a feature store of the joined model says."""
    return {
        "model": MODEL, "backbone": BACKBONE, "image_size": IMAGE_SIZE,
        "preprocessing": PREPROCESSING, "weights": FILE, "weights_sha256": model.sha256,
        "embedding_dim": model.dim,
    }  # fmt: skip


def make(workspace: Workspace, catalog: Catalog, say: Say = lambda text: None) -> FeatureStore:
    """The joined embeddings of a catalogue: taken from their store, or made.

    Args:
        workspace: says where the stores and exports lie.
        catalog: the products.
        say: told before long work.

    Raises:
        FashionRirError: the model or a photo cannot be read, or a store cannot be written.
    """
    model = open_model()
    path = workspace.feature_store(MODEL)
    if path.exists() and FeatureStore.open(path).metadata.get("weights_sha256") != model.sha256:
        path.unlink()  # of an older model; its sources are kept
    store = open_store(path, catalog, metadata(model), "float32")
    known = set(store.image_names())
    names = [name for name in dict.fromkeys(catalog.products["image_name"]) if name not in known]
    if not names:
        return store
    say(f"Joining the embeddings of {len(names):,} products")
    matrices = [_of_source(workspace, catalog, name, say) for name in model.sources]
    place = {name: row for row, name in enumerate(catalog.products["image_name"])}
    for start in range(0, len(names), KEPT_AT_ONCE):
        some = names[start : start + KEPT_AT_ONCE]
        rows = [place[name] for name in some]
        store.append(some, model.vectors([matrix[rows] for matrix in matrices]))
    return store


def export(workspace: Workspace, say: Say = lambda text: None) -> None:
    """Export the shipped networks, so that a photo is embedded without TensorFlow.

    Raises:
        FashionRirError: an export cannot be made.
    """
    for name in open_model().sources:
        source, path = open_source(name), export_path(workspace, open_source(name))
        if name != COLOURS and not (path.exists() and onnx_engine.check_path(path).exists()):
            say(f"Exporting {name} to ONNX, and comparing it with Keras")
            onnx_engine.OnnxBackbone(source.backbone(), path)


def open_embedder(workspace: Workspace) -> JoinedEmbedder:
    """What embeds a photo, without TensorFlow; `export` has been run.

    Raises:
        FashionRirError: an export is not there, or another than the one that was checked.
    """
    model = open_model()
    return JoinedEmbedder(model, [open_network(workspace, name) for name in model.sources])


def open_network(workspace: Workspace, name: str) -> ReducedEmbedder:
    """What embeds a photo as a source's products were, without TensorFlow.

    Args:
        workspace: says where the exports lie.
        name: one of `JoinedModel.sources`.

    Raises:
        FashionRirError: as `open_embedder`.
    """
    source = open_source(name)
    if name == COLOURS:
        return ReducedEmbedder(_colours(), source.reduction)
    exported = onnx_engine.ExportedBackbone(export_path(workspace, source))
    return ReducedEmbedder(exported, source.reduction)


def open_source(name: str) -> ShippedModel:
    """The shipped embeddings of a network, or of the colours.

    Args:
        name: one of `JoinedModel.sources`.

    Raises:
        FashionRirError: they are not there, or damaged.
    """
    if name != COLOURS:
        return shipped_models.open_model(name)
    found, codes = reduction.load(shipped_files.path(f"{COLOURS}.npz"))
    return ShippedModel(COLOURS, _colours().metadata(PREPROCESSING), {}, found, codes)


def _colours() -> Embedder:
    from fashion_rir.embedding.descriptors import ColourHistogram  # OpenCV takes a while

    return ColourHistogram()


def export_path(workspace: Workspace, source: ShippedModel) -> Path:
    """Where the export of a shipped network lies; as `stores.on_engine` names it."""
    about = source.metadata
    name = f"{about['backbone']}-{about['image_size']}-{str(about['weights_sha256'])[:12]}"
    return workspace.onnx_model(name)


def _of_source(workspace: Workspace, catalog: Catalog, name: str, say: Say) -> np.ndarray:
    """A shipped network's reduced embeddings of a catalogue: shipped ones, or made."""
    source = open_source(name)
    if source.is_known(catalog).all():
        return source.embedded(catalog)[0]
    say(f"Embedding {len(catalog):,} products by {name} (goes on where it stopped)")
    if name == COLOURS:
        network: Embedder = _colours()
    else:
        network = onnx_engine.OnnxBackbone(source.backbone(), export_path(workspace, source))
    embedder = ReducedEmbedder(network, source.reduction)
    path = workspace.feature_store(embedder.metadata(PREPROCESSING)["model"])
    if workspace.is_own and path.exists():
        FeatureStore.open(path).keep_only(list(catalog.products["image_name"]), catalog.data_hash)
    return stores.embed(workspace, catalog, embedder, preprocessing=PREPROCESSING)[0]
