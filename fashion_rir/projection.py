"""t-SNE: a map of the products on which alike embeddings lie close (van der Maaten & Hinton 2008).

Embeddings are brought to length 1 (so that the Euclidean distance ranks as the cosine does), then
to 50 numbers by principal components, and laid out in the plane by openTSNE (Policar et al. 2024)
with exact neighbours and, from 10,000 products on, the FFT-accelerated repulsion of Linderman et
al. (2019). The thesis uses scikit-learn's `TSNE`, the same method by a slower way.

One thread does the work: the same embeddings, settings and machine give the same map, bit for bit.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import openTSNE
from openTSNE import affinity, initialization, nearest_neighbors
from scipy.sparse import csr_matrix
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits

from fashion_rir import results
from fashion_rir.catalog import Catalog
from fashion_rir.errors import ParameterError, StoreError, check_seed, unknown_name
from fashion_rir.retrieval import Gallery
from fashion_rir.workspace import Workspace

Model = tuple[np.ndarray, Mapping[str, object]]  # embeddings and metadata, as `experiments.embed`

SCHEMA_VERSION = 1
STARTS = ("pca", "random")
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


@dataclass(frozen=True)
class MapSettings:
    """What a map depends on beside its embeddings.

    Attributes:
        perplexity: about how many neighbours each product is held to; above 1, and below a third
            of the products.
        seed: of the start; 0 or more.
        start: `pca` (the first two principal components, jittered by the seed), or `random`.
    """

    perplexity: float = 30
    seed: int = 20
    start: str = "pca"

    def __post_init__(self) -> None:
        if self.start not in STARTS:
            raise unknown_name("start of a map", self.start, STARTS)
        if not self.perplexity > 1:
            raise ParameterError(f"The perplexity must be above 1, not {self.perplexity}.")
        check_seed(self.seed)


@dataclass(frozen=True)
class Projection:
    """A map of a catalogue.

    Attributes:
        name: such as `tsne-resnet50-224-pad-perplexity30-seed20`.
        about: what it was made from: profile, catalogue, model, settings, method.
        ids: product ids, int64, shape (n_products,).
        coordinates: float64, shape (n_products, 2), without unit.
        points: the products before they were laid out, float32, shape (n_products, components).
        mean: what was subtracted before, shape (embedding_dim,).
        components: what was multiplied with then, shape (components, embedding_dim).
        divergence: Kullback-Leibler divergence of map and embedding; t-SNE makes it small. Maps
            of the same perplexity and products can be compared by it.
        seconds: that the making took.
    """

    name: str
    about: dict[str, object]
    ids: np.ndarray
    coordinates: np.ndarray
    points: np.ndarray
    mean: np.ndarray
    components: np.ndarray
    divergence: float
    seconds: float

    def __len__(self) -> int:
        return len(self.ids)


def project(
    workspace: Workspace, catalog: Catalog, model: Model, settings: MapSettings
) -> Projection:
    """Lay a catalogue out by a model's embeddings, or take the map that is there.

    Args:
        workspace: says where maps lie.
        catalog: the products.
        model: embeddings (n_products, embedding_dim) and metadata, from `experiments.embed`.
        settings: perplexity, seed and start.

    Returns:
        The map, also kept under `data/projections/`.

    Raises:
        ParameterError: a perplexity that is too large for the products, or as many embeddings as
            there are no products.
        StoreError: an embedding is not finite or all zeros, or the kept map is damaged.
    """
    about = describe(workspace, catalog, model[1], settings)
    path = map_path(workspace, about)
    ids = catalog.products["id"].to_numpy(np.int64)
    if path.exists():
        return load(path, about, ids)
    start = time.perf_counter()
    unit = Gallery(model[0], ids, "cosine").vectors
    check_perplexity(settings.perplexity, len(ids))
    mean, components = principal_components(unit)
    points = to_points(unit, mean, components)
    coordinates, divergence = layout(points, settings)
    seconds = round(time.perf_counter() - start, 1)
    made = Projection(map_name(about), about, ids, coordinates, points, mean, components,
                      results.rounded(divergence), seconds)  # fmt: skip
    save(made, path)
    return made


def describe(
    workspace: Workspace, catalog: Catalog, metadata: Mapping[str, object], settings: MapSettings
) -> dict[str, object]:
    """What a map is made from: two maps are the same if this is."""
    return {
        "profile": workspace.profile,
        "data_hash": catalog.data_hash,
        "n_products": len(catalog),
        "model": {key: str(value) for key, value in metadata.items() if key != "data_hash"},
        "settings": asdict(settings),
        "method": METHOD,
        "program": f"openTSNE {openTSNE.__version__}",
    }


def map_name(about: Mapping) -> str:
    """What a map and its record are called.

    Example:
        >>> settings = {"perplexity": 30, "seed": 20, "start": "random"}
        >>> map_name({"model": {"model": "resnet50-224-pad"}, "settings": settings})
        'tsne-resnet50-224-pad-perplexity30-seed20-random'
    """
    settings = about["settings"]
    start = "" if settings["start"] == "pca" else f"-{settings['start']}"
    model = about["model"]["model"]
    return f"tsne-{model}-perplexity{settings['perplexity']:g}-seed{settings['seed']}{start}"


def map_path(workspace: Workspace, about: Mapping) -> Path:
    """Where a map is kept; another map of the same name goes elsewhere."""
    name = f"{map_name(about)}-{results.hash_inputs(about)[:8]}.npz"
    return workspace.data / "projections" / workspace.profile / name


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


def place(projection: Projection, model: Model) -> np.ndarray:
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
    require_model(projection, model[1])
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


def require_model(projection: Projection, metadata: Mapping[str, object]) -> None:
    """Refuse embeddings of another model than the map's.

    Raises:
        StoreError: they are; names the first difference.
    """
    for key in ("model", "weights_sha256"):
        here, there = str(metadata.get(key)), str(projection.about["model"].get(key))
        if here != there:
            raise StoreError(
                f"The map {projection.name} was made with {key} {there[:40]}, the embeddings with "
                f"{here[:40]}; take those of the map's model, or make a map of theirs."
            )


def save(projection: Projection, path: Path) -> None:
    """Keep a map, whole or not at all.

    Raises:
        StoreError: the place cannot be written.
    """
    arrays = {key: getattr(projection, key) for key in _ARRAYS}
    about = {"schema": SCHEMA_VERSION, "about": projection.about,
             "divergence": projection.divergence, "seconds": projection.seconds}  # fmt: skip
    partial = path.with_suffix(".part.npz")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(partial, text=np.array(json.dumps(about)), **arrays)
        partial.replace(path)
    except OSError as error:
        raise StoreError(f"Cannot write the map {path} ({error.strerror}).") from error


def load(path: Path, about: Mapping, ids: np.ndarray) -> Projection:
    """A map that was kept.

    Args:
        path: from `map_path`.
        about: from `describe`: what it must be made from.
        ids: of the products, in the catalogue's order.

    Raises:
        StoreError: nothing there, damaged, or a map of another model, catalogue or settings.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            text = json.loads(str(file["text"]))
            arrays = {key: file[key] for key in _ARRAYS}
        found = Projection(map_name(text["about"]), text["about"], **arrays,
                           divergence=text["divergence"], seconds=text["seconds"])  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
        raise StoreError(
            f"There is no whole map at {path} ({type(error).__name__}); delete it and run notebook "
            "07 again."
        ) from error
    if (version := text.get("schema")) != SCHEMA_VERSION:
        raise StoreError(
            f"{path} has schema version {version}, this program reads {SCHEMA_VERSION}; "
            "delete it and run notebook 07 again."
        )
    for key in about:
        if found.about.get(key) != json.loads(json.dumps(about[key])):
            raise StoreError(f"The map {path} differs in {key} from what is asked for; delete it.")
    is_whole = found.coordinates.shape == (len(ids), 2) and np.isfinite(found.coordinates).all()
    if not is_whole or not np.array_equal(found.ids, ids):
        raise StoreError(
            f"The map {path} is not of these {len(ids)} products, or has a coordinate that is not "
            "finite; delete it and run notebook 07 again."
        )
    return found


_ARRAYS = ("ids", "coordinates", "points", "mean", "components")


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
