"""Search a profile's products by one picture, for the command line."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from PIL import Image

from fashion_rir.data.catalog import SHOWN_ID, Catalog
from fashion_rir.embedding import backbones, embed, encoder, photo_head, photo_pipeline
from fashion_rir.embedding.embed import Embedder
from fashion_rir.embedding.photo_pipeline import PhotoPipeline, PhotoQuery
from fashion_rir.embedding.store import FeatureStore
from fashion_rir.errors import StoreError
from fashion_rir.search.gallery import Gallery
from fashion_rir.workspace import joined_store
from fashion_rir.workspace.folders import Workspace


def own_model(workspace: Workspace, parameters: Mapping[str, object]) -> tuple[Embedder, str]:
    """What embedded a catalogue of one's own, and how pictures become square.

    Args:
        workspace: of the catalogue.
        parameters: that it was indexed with.

    Raises:
        FashionRirError: the encoder, or the backbone's weights, are no longer there.
    """
    if parameters["backbone"] == joined_store.BACKBONE:
        joined_store.export(workspace)
        return joined_store.open_embedder(workspace), joined_store.PREPROCESSING
    names = ("backbone", "image_size", "preprocessing")
    store = "-".join(str(parameters[name]) for name in names)
    said = FeatureStore.open(workspace.feature_store(store)).metadata.get("encoder")
    if said is not None:
        return encoder.from_metadata(said), str(parameters["preprocessing"])
    network = backbones.build(str(parameters["backbone"]), weights=str(parameters["weights"]),
                              image_size=int(parameters["image_size"]),
                              seed=int(parameters["seed"]))  # fmt: skip
    return network, str(parameters["preprocessing"])


def by_words(
    workspace: Workspace, catalog: Catalog, text: str, picture: Image.Image | None, k: int
) -> tuple[pd.DataFrame, int]:
    """The products that go best with words, and with a picture if there is one.

    Args:
        workspace: says where the joined model's embeddings lie; they are made if need be.
        catalog: the products.
        text: the words.
        picture: RGB; None for words alone.
        k: how many products.

    Returns:
        As `nearest`.

    Raises:
        FashionRirError: the joined model is not there, or no word is.
    """
    model = joined_store.open_model()
    vectors = joined_store.make(workspace, catalog).load(list(catalog.products["image_name"]))[1]
    vector = np.zeros(model.dim, dtype=np.float32)
    if picture is not None:
        joined_store.export(workspace)
        vector = joined_store.open_embedder(workspace).embed_picture(picture)
    query = model.changed(vector, text=text)
    return _found(catalog.products, vectors, query, ("cosine", k)), len(vectors)


def open_pipeline(workspace: Workspace) -> PhotoPipeline:
    """The pipeline for phone photos that travels with the project, without TensorFlow.

    Args:
        workspace: says where the exports lie; `joined_store.export` makes them.

    Raises:
        FashionRirError: a shipped file is missing or changed, the extra `onnx` is not installed,
            or an export is missing or damaged.
    """
    head = photo_pipeline.shipped_head()
    networks = [joined_store.open_network(workspace, name) for name in head.networks]
    return PhotoPipeline(networks, head)


def by_photo(pipeline: PhotoPipeline, catalog: Catalog, asked: PhotoQuery, k: int) -> pd.DataFrame:
    """The products whose own labels go best with what a photo shows.

    Args:
        pipeline: whose answer is asked.
        catalog: the products, with type and colour.
        asked: from `PhotoPipeline.query`.
        k: how many products.

    Returns:
        Rows of the catalogue's table, the best first; equal ones in the catalogue's order.
    """
    codes = photo_head.product_codes(catalog.products, pipeline.head.classes)
    scores = photo_head.label_scores(asked.posteriors, codes)
    found = photo_head.first_ranked(scores, min(max(k, 1), len(catalog)))
    return catalog.products.iloc[found[0]]


def nearest(
    workspace: Workspace,
    catalog: Catalog,
    picture: Image.Image,
    model: tuple[Embedder, str],
    search: tuple[str, int],
) -> tuple[pd.DataFrame, int]:
    """The products that look most like a picture.

    Args:
        workspace: says where the embeddings lie.
        catalog: the products, at least those that were embedded.
        picture: RGB.
        model: the network, and how a picture becomes square.
        search: one of `gallery.MEASURES`, and how many products.

    Returns:
        One row a product, the closest first, with `shown_id` and `distance` beside the
        catalogue's columns; and how many products were searched.

    Raises:
        StoreError: there are no embeddings of this model, or of other products.
    """
    network, preprocessing = model
    metadata = network.metadata(preprocessing)
    store = FeatureStore.open(workspace.feature_store(metadata["model"]))
    store.require(metadata)
    known = set(store.image_names())
    absent = sorted(known - set(catalog.products["image_name"]))
    if absent:
        raise StoreError(
            f"{store.path} holds {len(absent)} photos that the catalogue lacks (first: "
            f"{absent[0]}); name the catalogue that it was made from."
        )
    products = catalog.products[catalog.products["image_name"].isin(known)]
    vectors = store.load(list(products["image_name"]))[1]
    vector = embed.embed_image(picture, network, preprocessing=preprocessing)
    return _found(products, vectors, vector, search), len(vectors)


def _found(
    products: pd.DataFrame, vectors: np.ndarray, vector: np.ndarray, search: tuple[str, int]
) -> pd.DataFrame:
    """The closest products with their distances; see `nearest`."""
    measure, k = search
    matches = Gallery(vectors, products["id"], measure).search(vector[None], k)
    found = products.set_index("id").loc[matches.ids[0]]
    shown = found[SHOWN_ID] if SHOWN_ID in found else found.index.astype("str")
    return found.assign(**{SHOWN_ID: shown, "distance": matches.distances[0]})
