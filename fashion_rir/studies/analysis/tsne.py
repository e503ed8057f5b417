"""t-SNE: a map of the products on which alike embeddings lie close (van der Maaten & Hinton 2008).

Embeddings are brought to length 1 (so that the Euclidean distance ranks as the cosine does), then
to 50 numbers by principal components, and laid out in the plane by openTSNE (Policar et al. 2024)
with exact neighbours and, from 10,000 products on, the FFT-accelerated repulsion of Linderman et
al. (2019). The thesis uses scikit-learn's `TSNE`, the same method by a slower way.

One thread does the work: the same embeddings, settings and machine give the same map, bit for bit.
"""

import time
from collections.abc import Mapping
from dataclasses import asdict

import numpy as np
import openTSNE
from openTSNE import affinity, initialization, nearest_neighbors
from scipy.sparse import csr_matrix
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits

from fashion_rir.data.catalog import Catalog
from fashion_rir.embedding.embedded import Embedded
from fashion_rir.errors import ParameterError, StoreError
from fashion_rir.evaluation import intervals
from fashion_rir.search.gallery import Gallery
from fashion_rir.studies.study import Study
from fashion_rir.workspace import maps
from fashion_rir.workspace.folders import Workspace
from fashion_rir.workspace.maps import MapSettings, Projection

NEIGHBOURS_PER_PERPLEXITY = 3  # as many neighbours as t-SNE looks at, by convention

# Exactly how every map is made.
METHOD = {
    "components": 50,
    "iterations": 500,
    "early_iterations": 250,
    "early_exaggeration": 12,
    "learning_rate": "auto",  # n_products / exaggeration (Belkina et al. 2019)
    "momentum": 0.8,
    "repulsion": "auto",  # Barnes-Hut below 10,000 products, FFT from there on
    "neighbours": "exact",
}

PLACING_NEIGHBOURS = 15  # that pull a new point to its place

PLACING_PERPLEXITY = 5


def project(study: Study, model: Embedded, settings: MapSettings) -> Projection:
    """Lay a catalogue out by a model's embeddings, or take the map that is there.

    Args:
        study: its products, split, seed and folders.
        model: embeddings (n_products, embedding_dim) and metadata, from `stores.embed`.
        settings: perplexity, seed and start.

    Returns:
        The map, also kept under `data/projections/`.

    Raises:
        ParameterError: a perplexity that is too large for the products, or as many embeddings as
            there are no products.
        StoreError: an embedding is not finite or all zeros, or the kept map is damaged.
    """
    about = describe(study, model[1], settings)
    path = maps.map_path(study.workspace, about)
    ids = study.catalog.products["id"].to_numpy(np.int64)
    if path.exists():
        return maps.load(path, about, ids)
    start = time.perf_counter()
    unit = Gallery(model[0], ids, "cosine").vectors
    check_perplexity(settings.perplexity, len(ids))
    mean, components = principal_components(unit)
    points = to_points(unit, mean, components)
    coordinates, divergence = layout(points, settings)
    seconds = round(time.perf_counter() - start, 1)
    made = Projection(maps.map_name(about), about, ids, coordinates, points, mean, components,
                      intervals.rounded(divergence), seconds)  # fmt: skip
    maps.save(made, path)
    return made


def describe(
    study: Study, metadata: Mapping[str, object], settings: MapSettings
) -> dict[str, object]:
    """What a map is made from: two maps are the same if this is."""
    return study.describe(metadata) | {
        "settings": asdict(settings),
        "method": METHOD,
        "program": f"openTSNE {openTSNE.__version__}",
    }


def check_perplexity(perplexity: float, n_products: int) -> None:
    """Refuse a perplexity whose neighbours are more than there are products.

    Raises:
        ParameterError: it is too large.
    """
    most = (n_products - 1) / NEIGHBOURS_PER_PERPLEXITY
    if perplexity > most:
        raise ParameterError(
            f"A perplexity of {perplexity:g} looks at {NEIGHBOURS_PER_PERPLEXITY} times as many "
            f"neighbours, and there are {n_products} products; take at most {most:.0f}."
        )


def principal_components(unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The directions in which unit vectors differ most.

    Args:
        unit: float32, shape (n_products, embedding_dim), of length 1.

    Returns:
        The mean, shape (embedding_dim,), and the components, shape (n_components, embedding_dim):
        50, or as many as there are products less one, or numbers.
    """
    n_components = min(METHOD["components"], len(unit) - 1, unit.shape[1])
    solver = "covariance_eigh" if len(unit) > unit.shape[1] else "full"  # the quicker one
    with threadpool_limits(1):  # several threads add in another order
        fitted = PCA(n_components, svd_solver=solver).fit(unit)
    return fitted.mean_.astype(np.float32), fitted.components_.astype(np.float32)


def to_points(unit: np.ndarray, mean: np.ndarray, components: np.ndarray) -> np.ndarray:
    """Unit vectors in the directions of `principal_components`, (n_products, n_components)."""
    with threadpool_limits(1):
        return (unit - mean) @ components.T


def layout(points: np.ndarray, settings: MapSettings) -> tuple[np.ndarray, float]:
    """Coordinates in the plane.

    Args:
        points: float32, shape (n_products, n_components), the most telling component first.
        settings: perplexity, seed and start.

    Returns:
        float64, shape (n_products, 2), and the Kullback-Leibler divergence.

    Raises:
        ParameterError: see `check_perplexity`.
        StoreError: all points are the same.
    """
    check_perplexity(settings.perplexity, len(points))
    if np.ptp(points[:, 0]) == 0:
        raise StoreError("All embeddings are the same, so no map can tell them apart.")
    rows = range(len(points))
    k = max(2, int(NEIGHBOURS_PER_PERPLEXITY * settings.perplexity))
    with threadpool_limits(1):
        near = Gallery(points, rows, "euclidean").search(points, k, exclude_ids=rows)
        # Made anew for each map: openTSNE's exaggeration changes the last digits in place.
        held = affinity.PerplexityBasedNN(
            perplexity=settings.perplexity,
            knn_index=nearest_neighbors.PrecomputedNeighbors(near.ids, near.distances),
        )
        made = openTSNE.TSNE(
            n_iter=METHOD["iterations"],
            early_exaggeration_iter=METHOD["early_iterations"],
            early_exaggeration=METHOD["early_exaggeration"],
            learning_rate=METHOD["learning_rate"],
            initial_momentum=METHOD["momentum"],
            final_momentum=METHOD["momentum"],
            negative_gradient_method=METHOD["repulsion"],
            random_state=settings.seed,
            n_jobs=1,
        ).fit(affinities=held, initialization=_start(points, settings))
    return np.asarray(made), float(made.kl_divergence)


def map_for_shop(
    workspace: Workspace, catalog: Catalog, model: Embedded, settings: MapSettings
) -> Projection:
    """As `project`, for who has no study, such as the storefront."""
    return project(Study(workspace, catalog), model, settings)


def place(projection: Projection, model: Embedded) -> np.ndarray:
    """Put new pictures onto a map that stays as it is (Policar et al. 2023).

    Each goes to the median of its nearest products, and settles from there; new pictures do not
    see each other.

    Args:
        projection: of the model that embedded the pictures.
        model: embeddings of the pictures, float32 (n_pictures, embedding_dim), and metadata.

    Returns:
        float64, shape (n_pictures, 2).

    Raises:
        ParameterError: the embeddings are no table.
        StoreError: another model than the map's, or an embedding that is not finite or all zeros.
    """
    maps.require_model(projection, model[1])
    embeddings = np.asarray(model[0], dtype=np.float32)
    if embeddings.ndim != 2 or embeddings.shape[1] != len(projection.mean):
        raise ParameterError(
            f"Pictures have embeddings of shape (n_pictures, {len(projection.mean)}), not "
            f"{embeddings.shape}."
        )
    unit = Gallery(embeddings, range(len(embeddings)), "cosine").vectors
    points = to_points(unit, projection.mean, projection.components)
    on_map = openTSNE.TSNEEmbedding(
        projection.coordinates,
        _NewPoints(projection.points),
        negative_gradient_method=METHOD["repulsion"],
        n_jobs=1,
    )
    centre = projection.coordinates.max(axis=0) + projection.coordinates.min(axis=0)
    with threadpool_limits(1):
        found = on_map.transform(points, perplexity=PLACING_PERPLEXITY, k=PLACING_NEIGHBOURS)
    return np.asarray(found) + centre / 2  # openTSNE moves the map's centre to 0


class _NewPoints(affinity.Affinities):
    """How new points hold to those of a map; the map itself is done and needs none."""

    def __init__(self, points: np.ndarray) -> None:
        super().__init__()
        self.gallery = Gallery(points, range(len(points)), "euclidean")
        self.P = csr_matrix((len(points), len(points)))

    def to_new(
        self, data: np.ndarray, perplexity: float = PLACING_PERPLEXITY,
        return_distances: bool = False,
    ) -> tuple | csr_matrix:  # fmt: skip
        n_products = len(self.gallery)
        near = self.gallery.search(data, min(PLACING_NEIGHBOURS, n_products))
        held = affinity.joint_probabilities_nn(
            near.ids, near.distances, [min(perplexity, n_products / NEIGHBOURS_PER_PERPLEXITY)],
            symmetrize=False, normalization="point-wise", n_reference_samples=n_products,
        )  # fmt: skip
        return (held, near.ids, near.distances) if return_distances else held


def _start(points: np.ndarray, settings: MapSettings) -> np.ndarray:
    """Where the products stand before they move: close together, as t-SNE wants it."""
    if settings.start == "random":
        return initialization.random(len(points), 2, random_state=settings.seed)
    first_two = np.zeros((len(points), 2))
    first_two[:, : points.shape[1]] = points[:, :2]
    return initialization.jitter(initialization.rescale(first_two), random_state=settings.seed)
