"""What a notebook works in: the products of a profile, their split, the seed, and what is kept."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from fashion_rir.data import catalog as catalogs
from fashion_rir.data import splits
from fashion_rir.data.catalog import Catalog
from fashion_rir.embedding import backbones, shipped_models
from fashion_rir.embedding.embed import Embedder
from fashion_rir.embedding.embedded import Embedded
from fashion_rir.workspace import parameters, stores
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.folders import Workspace, open_workspace


@dataclass(frozen=True)
class Study:
    """The products of a profile, and how they are split, embedded and asked.

    Attributes:
        workspace: says where features, models and records lie.
        catalog: the products; None where records are read only.
        seed: of sample, split, weights, training order and bootstrap.
        weights: of the pretrained networks, `imagenet` or `none`.
        engine: what runs them, one of `stores.ENGINES`.
        catalogue: what the products are called, one of `folders.CATALOGUES`.
    """

    workspace: Workspace
    catalog: Catalog | None = None
    seed: int = 0
    weights: str = "imagenet"
    engine: str = "keras"
    catalogue: str = ""

    @property
    def results(self) -> Path:
        """Where the profile's records lie."""
        return self.workspace.results

    @property
    def figures(self) -> Path:
        """Where the profile's figures lie."""
        return self.workspace.figures

    @cached_property
    def is_test(self) -> np.ndarray:
        """The products that ask, bool, shape (n_products,)."""
        return splits.is_test_product(self.catalog.products, seed=self.seed)

    @cached_property
    def parts(self) -> splits.Split:
        """Who is trained on, who chooses, and who asks."""
        return splits.split(self.catalog.products, seed=self.seed)

    def describe(self, metadata: Mapping[str, object]) -> dict[str, object]:
        """What the numbers of every experiment on embeddings depend on; each adds its own.

        Args:
            metadata: of the embeddings.
        """
        return {
            "profile": self.workspace.profile,
            "data_hash": self.catalog.data_hash,
            "n_products": len(self.catalog),
            "model": {key: str(value) for key, value in metadata.items() if key != "data_hash"},
        }

    def on(self, catalogue: str) -> "Study":
        """The same study of another catalogue's products, all of them.

        Args:
            catalogue: one of `folders.CATALOGUES`.

        Raises:
            ParameterError, CatalogError, ShippedError: see `Workspace.load_catalog`.
        """
        if catalogue == self.catalogue:
            return self
        catalog = self.workspace.load_catalog(catalogue, seed=self.seed)
        return replace(self, catalog=catalog, catalogue=catalogue)

    def sample(self, n_products: int | None) -> "Study":
        """The same study on a stratified sample of its products; on all of them if None.

        Raises:
            ParameterError: more products than there are, or fewer than one.
        """
        if n_products is None:
            return self
        return replace(self, catalog=catalogs.sample(self.catalog, n_products, seed=self.seed))

    def network(self, name: str, image_size: int | None = None) -> backbones.Backbone:
        """A backbone with the study's weights, freshly built.

        Raises:
            ParameterError: see `backbones.build`.
            WeightsError: see `backbones.build`.
        """
        return backbones.build(name, weights=self.weights, image_size=image_size, seed=self.seed)

    def embed(self, network: backbones.Backbone, preprocessing: str) -> Embedded:
        """The products' embeddings by a network: taken from its feature store, or made.

        Of the catalogue `shipped`, whose photos are not there, those that travel with the project
        are taken, which are reduced; see `shipped_models`.

        Raises:
            ParameterError: no such embeddings travel with the project, and see `stores.embed`.
            StoreError: see `stores.embed`.
            ShippedError: see `shipped_files.path`.
        """
        if self.catalogue == "shipped":
            name = str(network.metadata(preprocessing)["model"])
            return shipped_models.open_model(name).embedded(self.catalog)
        return stores.embed(
            self.workspace, self.catalog, network, preprocessing=preprocessing, engine=self.engine
        )

    def embedder(self, network: backbones.Backbone, preprocessing: str) -> Embedder:
        """What puts a new photo into the space of `embed`.

        Args:
            network: the backbone that `embed` was given.
            preprocessing: likewise.

        Returns:
            The network itself; of the catalogue `shipped`, the network and the reduction behind it.

        Raises:
            ParameterError, ShippedError: as for `embed`.
        """
        if self.catalogue == "shipped":
            name = str(network.metadata(preprocessing)["model"])
            return shipped_models.open_model(name).embedder(network)
        return stores.on_engine(self.workspace, network, self.engine)

    def record(
        self,
        kind: str,
        name: str,
        inputs: Mapping[str, object],
        make: Callable[[], Mapping[str, object]],
        *,
        beside: Path | None = None,
    ) -> dict:
        """What was measured: the record of an earlier run with the same inputs, or a new one.

        Args:
            kind: what sort of record, such as `retrieval`.
            name: its file's name, without ending.
            inputs: all that the numbers depend on.
            make: measures; its answer becomes the record's content.
            beside: a file that `make` leaves; where it is gone, all is made again.

        Raises:
            RecordError: an earlier record is damaged, or the place cannot be written.
        """
        is_whole = beside is None or beside.exists()
        record = result_records.read_same(self.results, name, inputs) if is_whole else None
        if record is None:
            record = result_records.make_record(kind, name, inputs, **make())
            result_records.write(record, self.results)
        return record


def open_study(notebook: str, values: Mapping[str, object]) -> Study:
    """The study of a notebook, its parameters checked first.

    Args:
        notebook: its name without ending, such as `04-label-fine-tuning`.
        values: its parameters by name, such as `globals()`; what else is there is not looked at.

    Raises:
        ParameterError: a parameter of the wrong kind, an unknown profile or catalogue, or a seed
            or sample size out of range.
        CatalogError: the real catalogue is not there or cannot be read.
    """
    parameters.check(notebook, values)
    stores.check_engine(values.get("engine", "keras"))
    backbones.check_weights(values.get("weights", "none"))
    seed = values["seed"]
    workspace = open_workspace(values["profile"])
    catalog = workspace.load_catalog(
        values["catalogue"], sample_size=values["sample_size"], seed=seed
    )
    networks = {name: values[name] for name in ("weights", "engine") if name in values}
    return Study(workspace, catalog, seed, **networks, catalogue=values["catalogue"])
