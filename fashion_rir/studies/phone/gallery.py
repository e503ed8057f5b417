"""The shop as a phone photo meets it: its products as the shipped networks see them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from fashion_rir.data import shipped
from fashion_rir.data.catalog import Catalog
from fashion_rir.embedding import shipped_models
from fashion_rir.embedding.photo_head import PhotoHead
from fashion_rir.embedding.photo_pipeline import PhotoPipeline
from fashion_rir.search.cut_out import cut_out
from fashion_rir.studies.phone import changes, heads, results
from fashion_rir.studies.phone.relevance import Relevance, relevance
from fashion_rir.studies.study import Study
from fashion_rir.workspace import joined_store

NETWORKS = {"mobilenetv2": "mobilenetv2-128-resize",
            "efficientnetlite0": "efficientnetlite0-224-resize"}  # fmt: skip

AT_ONCE = 8  # pictures a call of the networks


@dataclass(frozen=True)
class PhoneGallery:
    """Products, and what embeds a photo beside them.

    Attributes:
        features: of the products, float32, shape (n_products, dim): the networks side by side.
        networks: by name, the columns that are its own.
        relevance: of the products to the labelled photos.
        groups: the types that each source class stands for.
        embedders: the networks, without TensorFlow.
        about: the networks' weights and hashes, for the records.
        seed: of draws and of the bootstrap.
    """

    features: np.ndarray
    networks: Mapping[str, slice]
    relevance: Relevance
    groups: Mapping[str, Sequence[str]]
    embedders: Sequence
    about: Mapping[str, object]
    seed: int

    def found(
        self, vectors: np.ndarray, network: str = "both", rows: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Precision of each photo at the cut-off, products ranked by the embeddings' cosine.

        Args:
            vectors: of the photos, float32, shape (n_photos, dim).
            network: one of `networks`, or `both`, side by side.
            rows: the labelled photos that they are of; all of them if None.
        """
        columns = self.networks.get(network, slice(None))
        scores = results.by_cosine(vectors[:, columns], self.features[:, columns])
        return results.found_rows(self._asked(rows), scores)

    def measured(
        self,
        found: Mapping[str, np.ndarray],
        rows: np.ndarray | None = None,
        before: Mapping[str, np.ndarray] | None = None,
    ) -> dict[str, object]:
        """What was found, with intervals; see `results.measured`."""
        return results.measured(found, self._asked(rows), seed=self.seed, before=before)

    def _asked(self, rows: np.ndarray | None) -> Relevance:
        return self.relevance if rows is None else self.relevance.of_rows(rows)

    def pipeline(self, head: PhotoHead) -> PhotoPipeline:
        """What answers a photo by a head that was trained on these embeddings."""
        return PhotoPipeline(self.embedders, head)

    def embed(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        """The networks' embeddings side by side: float32, shape (n_pictures, dim)."""
        return self.pipeline(PhotoHead({}, {}, {})).embed(pictures)

    def embed_photos(self, catalog: Catalog) -> np.ndarray:
        """Embeddings of all photos of a catalogue, as they are: float32, (n_photos, dim)."""
        names = list(catalog.products["image_name"])
        starts = tqdm(range(0, len(names), AT_ONCE), desc="phone photos", leave=False)
        return np.vstack([
            self.embed([catalog.read_image(name) for name in names[start : start + AT_ONCE]])
            for start in starts
        ])  # fmt: skip

    def embed_changes(self, catalog: Catalog, rows: Sequence[int]) -> Mapping[str, np.ndarray]:
        """Embeddings of some photos in all their changes.

        Args:
            catalog: the photos.
            rows: of those that are changed.

        Returns:
            By change (see `changes.changed`) float32, shape (n_rows, dim).
        """
        names, found = catalog.products["image_name"], []
        for row in tqdm(rows, desc="changed photos", leave=False):
            photo = catalog.read_image(names.iloc[row])
            pictures = changes.changed(photo, cut_out(photo))
            embedded = self.embed(list(pictures.values()))
            found.append(dict(zip(pictures, embedded, strict=True)))
        return changes.by_change(found)

    def sample(self, n_products: int) -> heads.CatalogueSample:
        """The catalogue's part of a training."""
        return heads.CatalogueSample(self.features, self.relevance.product_codes, n_products)


def open_gallery(study: Study) -> PhoneGallery:
    """The products of a study, and the shipped networks; these are exported on first use.

    Args:
        study: of the real catalogue, with its photos or without.

    Raises:
        FashionRirError: a shipped file is missing or changed, or a network cannot be exported.
    """
    workspace, catalog = study.workspace, study.catalog
    joined_store.export(workspace)
    models = [shipped_models.open_model(name) for name in NETWORKS.values()]
    ends = np.cumsum([0, *(model.codes.shape[1] for model in models)]).tolist()
    groups, photos = shipped.phone_groups(), shipped.phone_photos()
    about = {
        model.name: {"weights": model.metadata["weights"], "reduced to": model.codes.shape[1],
                     "weights_sha256": model.metadata["weights_sha256"]}
        for model in models
    }  # fmt: skip
    return PhoneGallery(
        np.hstack([model.embedded(catalog).vectors for model in models]),
        {name: slice(*ends[i : i + 2]) for i, name in enumerate(NETWORKS)},
        relevance(photos.products, catalog.products, groups),
        groups,
        [joined_store.open_network(workspace, name) for name in NETWORKS.values()],
        about,
        study.seed,
    )
