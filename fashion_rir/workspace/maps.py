"""Maps of a catalogue, as they are kept."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from fashion_rir.errors import ParameterError, StoreError, check_seed, unknown_name
from fashion_rir.system import whole_file
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.folders import Workspace
from fashion_rir.workspace.short_names import short_name

SCHEMA_VERSION = 1

STARTS = ("pca", "random")


_ARRAYS = ("ids", "coordinates", "points", "mean", "components")


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


def map_name(about: Mapping) -> str:
    """What a map and its record are called.

    Example:
        >>> settings = {"perplexity": 30, "seed": 20, "start": "random"}
        >>> map_name({"model": {"model": "resnet50-224-pad"}, "settings": settings})
        'tsne-resnet50-224-pad-perplexity30-seed20-random'
    """
    settings = about["settings"]
    start = [] if settings["start"] == "pca" else [settings["start"]]
    laid_out = f"perplexity{settings['perplexity']:g}-seed{settings['seed']}"
    return short_name("tsne", about["model"]["model"], laid_out, *start)


def map_path(workspace: Workspace, about: Mapping) -> Path:
    """Where a map is kept; another map of the same name goes elsewhere."""
    name = f"{map_name(about)}-{result_records.hash_inputs(about)[:8]}.npz"
    return workspace.data / "projections" / workspace.profile / name


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
    with whole_file(path, StoreError, ending=".npz") as partial:
        np.savez(partial, text=np.array(json.dumps(about)), **arrays)


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
