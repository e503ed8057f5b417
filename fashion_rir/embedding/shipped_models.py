"""The real catalogue's embeddings that travel with the project, and what puts a photo beside them.

They were made by the shipped networks and reduced (see `reduction`), which changes how well they
find; `embeddings.json` says by how much, and so does `ShippedModel.difference` wherever they are
used.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fashion_rir.data import shipped, shipped_files
from fashion_rir.data.catalog import Catalog
from fashion_rir.embedding import backbones, reduction
from fashion_rir.embedding.embed import Embedder
from fashion_rir.embedding.embedded import Embedded
from fashion_rir.errors import StoreError, unknown_name

ABOUT = "embeddings.json"

TRANSFORM = "reduced128"  # 128 directions, one byte each

METRICS = ("mAP", "precision@10")  # of what the whole embeddings and the reduced ones find


@dataclass(frozen=True)
class ShippedModel:
    """A shipped network's reduced embeddings of the real catalogue.

    Attributes:
        name: of the whole embeddings, such as `mobilenetv2-128-resize`.
        metadata: of the whole embeddings: network, weights, image size, preprocessing.
        measured: what was found with `whole` and with `reduced` embeddings: metric to value, low,
            high; `protocol`, `label`, `n_queries`, `n_products`.
        reduction: from the network's embeddings to the reduced ones.
        codes: int8, shape (n_products, n_directions), in the shipped table's order.
    """

    name: str
    metadata: Mapping[str, object]
    measured: Mapping[str, object]
    reduction: reduction.Reduction
    codes: np.ndarray

    def is_known(self, catalog: Catalog) -> np.ndarray:
        """Which products have an embedding here: bool, shape (n_products,).

        Args:
            catalog: the shipped table, the real archive, or some of either. A product whose photo
                is not the shipped one's, byte for byte, has none.
        """
        return _rows(catalog) >= 0

    def embedded(self, catalog: Catalog) -> Embedded:
        """The reduced embeddings of a catalogue's products.

        Args:
            catalog: as in `is_known`; all of it must be known.

        Returns:
            float32, shape (n_products, n_directions), in the catalogue's order, and metadata.

        Raises:
            StoreError: a product has no embedding here.
        """
        rows = _rows(catalog)
        unknown = catalog.products["id"].to_numpy()[rows < 0]
        if len(unknown):
            raise StoreError(
                f"{len(unknown):,} of {len(rows):,} products have no shipped embedding, as their "
                f"id or photo is not in the shipped table (the first: {unknown[0]}); leave them "
                "out (`is_known`), or embed the catalogue by `fashion-rir embed`."
            )
        about = _reduced(self.metadata, self.codes.shape[1])
        about |= {"data_hash": catalog.data_hash}
        return Embedded(self.reduction.decode(self.codes[rows]), about)

    def backbone(self) -> backbones.Backbone:
        """The network that made the embeddings, with the shipped weights."""
        return backbones.build(str(self.metadata["backbone"]), weights="shipped",
                               image_size=int(str(self.metadata["image_size"])))  # fmt: skip

    def embedder(self, network: Embedder | None = None) -> "ReducedEmbedder":
        """What puts a new photo into the space of these embeddings.

        Args:
            network: `backbone()` or its twin on another engine; `backbone()` if None.
        """
        return ReducedEmbedder(network or self.backbone(), self.reduction)

    def difference(self) -> str:
        """What reducing changes, as a sentence for wherever these embeddings are used."""
        whole, reduced = self.measured["whole"], self.measured["reduced"]
        found = " and ".join(
            f"{metric} {reduced[metric]['value']:.3f} instead of {whole[metric]['value']:.3f}"
            for metric in METRICS
        )
        return (
            f"{self.name} is reduced from {int(str(self.metadata['embedding_dim'])):,} numbers to "
            f"{self.codes.shape[1]} of one byte: {found} "
            f"({self.measured['n_queries']:,} held-out queries, by {self.measured['label']})."
        )


class ReducedEmbedder:
    """A network and the reduction of what it gives; embeds like any other."""

    def __init__(self, network: Embedder, reduce: reduction.Reduction) -> None:
        self.image_size = network.image_size
        self.calls_at_once = getattr(network, "calls_at_once", 1)
        self._network, self._reduce = network, reduce

    def embed(self, batch: np.ndarray) -> np.ndarray:
        """uint8 (n, image_size, image_size, 3) to float32 (n, n_directions)."""
        return self._reduce(self._network.embed(batch))

    def reduce(self, embeddings: np.ndarray) -> np.ndarray:
        """The network's own embeddings, float32 (n, dim), to float32 (n, n_directions)."""
        return self._reduce(embeddings)

    def metadata(self, preprocessing: str) -> dict[str, object]:
        """The network's, and that its embeddings are reduced."""
        return _reduced(self._network.metadata(preprocessing), len(self._reduce.steps))


def names() -> list[str]:
    """The shipped embeddings, such as `mobilenetv2-128-resize`.

    Raises:
        ShippedError: see `shipped_files.path`.
    """
    return list(_about())


def open_model(name: str) -> ShippedModel:
    """Shipped embeddings and their reduction.

    Args:
        name: one of `names`.

    Raises:
        ParameterError: unknown name.
        ShippedError: see `shipped_files.path`.
    """
    about = _about()
    if name not in about:
        raise unknown_name("shipped model", name, about)
    found, codes = reduction.load(shipped_files.path(f"{name}.npz"))
    return ShippedModel(name, about[name]["metadata"], about[name]["measured"], found, codes)


def differences() -> pd.DataFrame:
    """What reducing changes: one row a shipped model and metric, `whole`, `reduced`, `change`.

    Raises:
        ShippedError: see `shipped_files.path`.
    """
    rows = []
    for name, about in _about().items():
        for metric in METRICS:
            whole, reduced = (about["measured"][kind][metric] for kind in ("whole", "reduced"))
            change = reduced["value"] - whole["value"]
            rows.append((name, metric, whole["value"], reduced["value"], change))
    return pd.DataFrame(rows, columns=["model", "metric", "whole", "reduced", "change"])


def _about() -> dict[str, dict]:
    return json.loads(shipped_files.path(ABOUT).read_text(encoding="utf-8"))["models"]


def _reduced(metadata: Mapping[str, object], n_directions: int) -> dict[str, object]:
    """Metadata of embeddings that were reduced."""
    model = f"{metadata['model']}-{TRANSFORM}"
    return {**metadata, "model": model, "transform": TRANSFORM, "embedding_dim": n_directions}


def _rows(catalog: Catalog) -> np.ndarray:
    """Each product's row among the embeddings, -1 where it has none."""
    photos = shipped.TableSource(shipped_files.path(shipped.TABLE)).photos()
    there = pd.MultiIndex.from_frame(photos[["image_name", "image_sha256"]])
    return there.get_indexer(pd.MultiIndex.from_frame(catalog.products[list(there.names)]))
