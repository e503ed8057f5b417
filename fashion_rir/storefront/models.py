"""What the storefront searches by: feature stores, made ready to be shared by all visitors.

Each model of the menu is a feature store in `data/features/<profile>/`. On first use its
embeddings are written as a gallery beside the shop window; from then on every visitor maps the
same file. A store that is missing, locked, half-written or of another catalogue is refused in a
sentence that says how to build it.
"""

import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from fashion_rir.embedding import encoder
from fashion_rir.embedding.backbones import BACKBONES
from fashion_rir.embedding.embed import Embedder
from fashion_rir.embedding.floors import MeanColour, RawPixels
from fashion_rir.embedding.joined import JoinedModel
from fashion_rir.embedding.onnx_engine import ExportedBackbone
from fashion_rir.embedding.store import FeatureStore
from fashion_rir.errors import FashionRirError, ParameterError, RecordError, StoreError
from fashion_rir.search.gallery import Gallery
from fashion_rir.storefront.shop import Shop
from fashion_rir.system import sha256_of, write_text
from fashion_rir.workspace import joined_store
from fashion_rir.workspace.folders import Workspace
from fashion_rir.workspace.short_names import short_name

Say = Callable[[str], None]

LOCK_SECONDS = 1.0  # how long a visitor waits for a store that another program is writing

N_QUERIES = 500  # test products that calibrate a threshold

SEED = 20  # of the split into training and test products

FLOORS = {"mean-colour": MeanColour, "raw-pixels": RawPixels}


def how_to_embed(workspace: Workspace) -> str:
    """What builds a feature store of the profile, as the end of a sentence."""
    profile = f"--profile {workspace.profile}"
    return (
        f"build it with `fashion-rir embed {profile}`, or run notebook 02 "
        f"(`fashion-rir study {profile} --only 02`)."
    )


def model_names(workspace: Workspace) -> list[str]:
    """The models that have a feature store, in alphabetical order."""
    folder = workspace.feature_store("any").parent
    return sorted(path.stem for path in folder.glob("*.sqlite"))


def shown_models(shop: Shop) -> list[str]:
    """Those of `model_names` whose embeddings are of this catalogue, not of a sample of it.

    A store that cannot be read now is among them; it says so when it is chosen.
    """
    shown = []
    for model in model_names(shop.workspace):
        try:
            is_shown = _is_of(shop, _open_store(shop.workspace.feature_store(model)))
        except StoreError:
            is_shown = True
        shown += [model] * is_shown
    return shown


def joined_model(shop: Shop) -> JoinedModel | None:
    """The joined model, if the catalogue has embeddings of it."""
    if not shop.workspace.feature_store(joined_store.MODEL).exists():
        return None
    try:
        model = joined_store.open_model()
        made_by = store_metadata(shop, joined_store.MODEL).get("weights_sha256")
    except FashionRirError:
        return None
    return model if made_by == model.sha256 else None


def labels(names: Sequence[str], model: JoinedModel | None) -> dict[str, str]:
    """What each model is called in the menu: its name, and how well it was measured to find."""
    found = dict(zip(names, names, strict=True))
    if model is not None and model.quality and joined_store.MODEL in found:
        type_share, colour_share = (round(100 * model.quality[label])
                                    for label in ("articleType", "baseColour"))  # fmt: skip
        found[joined_store.MODEL] = (
            f"joined: finds the same type {type_share} times of 100, the same colour {colour_share}"
        )
    return found


def store_metadata(shop: Shop, model: str) -> dict[str, str]:
    """What a feature store says of its model.

    Raises:
        StoreError: the store is missing, locked, no feature store, or of another catalogue.
    """
    path = shop.workspace.feature_store(model)
    if not path.exists():
        known = ", ".join(model_names(shop.workspace)) or "none"
        raise StoreError(
            f"There is no feature store {path.name} (there: {known}); "
            f"{how_to_embed(shop.workspace)}"
        )
    store = _open_store(path)
    if not _is_of(shop, store):
        raise StoreError(
            f"The feature store {path.name} was made from another catalogue than the one shown; "
            f"if it should be of this one, delete it, then {how_to_embed(shop.workspace)}"
        )
    return store.metadata


def open_gallery(
    shop: Shop, model: str, measure: str, say: Say = lambda text: None
) -> tuple[Gallery, dict[str, str]]:
    """The embeddings of a model, mapped into memory.

    Args:
        shop: from `shop.open_shop`.
        model: one of `model_names`.
        measure: one of `gallery.MEASURES`.
        say: told before long work.

    Returns:
        The gallery, in the catalogue's order, and the store's metadata.

    Raises:
        StoreError: as `store_metadata`; or the store lacks some of the products.
    """
    path = shop.workspace.feature_store(model)
    try:
        folder = _gallery_folder(shop, model, measure)
        about = json.loads((folder / "source.json").read_text(encoding="utf-8"))
        return Gallery.load(folder, measure), about["metadata"]
    except (OSError, ValueError, KeyError, TypeError, StoreError):
        pass  # not there yet, or of an older store: made now
    metadata = store_metadata(shop, model)
    say(f"Reading the embeddings of {model}")
    folder = _gallery_folder(shop, model, measure)
    vectors = FeatureStore.open(path).load(shop.products["image_name"])[1]
    made = Gallery(vectors, shop.products["id"], measure)
    partial = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    made.save(partial)
    write_text(partial / "source.json", json.dumps({"metadata": metadata}), StoreError)
    _put_in_place(partial, folder)
    return Gallery.load(folder, measure), metadata


def _gallery_folder(shop: Shop, model: str, measure: str) -> Path:
    """Where the gallery lies that was made of a store as it is now; never of another one.

    Raises:
        OSError: there is no such store.
    """
    status = shop.workspace.feature_store(model).stat()
    source = f"{shop.data_hash} {status.st_size} {status.st_mtime_ns}"
    kind = "cosine" if measure == "cosine" else "plain"
    name = f"{kind}-{sha256_of(source)[:12]}"
    return shop.folder / "galleries" / short_name(model) / name


def open_embedder(shop: Shop, metadata: Mapping[str, str]) -> Embedder:
    """What embeds a photo as a feature store's products were, without TensorFlow.

    Args:
        shop: says where the exports lie.
        metadata: of the store.

    Returns:
        A backbone's ONNX export, or a floor such as the mean colour.

    Raises:
        FashionRirError: the store's model has no export, or another than the store's.
    """
    name = metadata.get("backbone", "")
    if name == joined_store.BACKBONE:
        return joined_store.open_embedder(shop.workspace)
    if "encoder" in metadata:
        return _own_encoder(metadata)
    if name in FLOORS:
        return FLOORS[name]()
    if name not in BACKBONES:
        raise FashionRirError(
            f"{metadata.get('model', 'This model')} cannot embed a new photo here; pick a product "
            "of the catalogue, or another model."
        )
    path = export_path(shop.workspace, metadata)
    if not path.exists():
        raise FashionRirError(
            f"{metadata['model']} has no ONNX export, so it cannot embed a new photo; pick a "
            "product of the catalogue, another model, or start `fashion-rir storefront` again, "
            "which exports what it can."
        )
    embedder = ExportedBackbone(path)
    found = embedder.metadata(metadata["preprocessing"])
    for key in ("backbone", "image_size", "weights_sha256", "embedding_dim"):
        if str(found[key]) != metadata[key]:
            raise StoreError(
                f"The ONNX export {path.name} was made with {key} {str(found[key])[:20]}, the "
                f"feature store with {metadata[key][:20]}; delete the export and start "
                "`fashion-rir storefront` again."
            )
    return embedder


def _own_encoder(metadata: Mapping[str, str]) -> encoder.OnnxEncoder:
    opened = encoder.from_metadata(metadata["encoder"])
    if opened.metadata("any")["weights_sha256"] != metadata["weights_sha256"]:
        raise StoreError(
            f"The encoder {metadata['weights']} is another file than the one that the products "
            "were embedded by; put that one back, or index again."
        )
    return opened


def export_path(workspace: Workspace, metadata: Mapping[str, object]) -> Path:
    """Where the export of a backbone lies; as `stores.on_engine` names it."""
    name = f"{metadata['backbone']}-{metadata['image_size']}-{metadata['weights_sha256'][:12]}"
    return workspace.onnx_model(name)


def calibration(
    shop: Shop, model: str, gallery: Gallery, say: Say = lambda text: None
) -> dict[str, list[float]]:
    """What each threshold promises: the share of matches among the pairs at or under it.

    Taken from the record of notebook 03 where there is one of the same catalogue; calibrated on
    `N_QUERIES` test products and kept otherwise.

    Args:
        shop: the products.
        model: the model's name.
        gallery: from `open_gallery`.
        say: told before long work.

    Returns:
        `thresholds` (distances, ascending), `precision` and `recall` in [0, 1]: equally long;
        empty if the test products hold no pair of one type, or of two.
    """
    name = short_name("thresholds", model, gallery.measure)
    recorded = _recorded_curve(shop, name)
    if recorded:
        return recorded
    path = shop.folder / "thresholds" / f"{name}.json"
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["fingerprint"] == _fingerprint(shop, gallery):
            return kept["curve"]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    say(f"Calibrating the threshold of {model}, {gallery.measure}")
    curve = _calibrated(shop, gallery)
    kept = {"fingerprint": _fingerprint(shop, gallery), "curve": curve}
    write_text(path, json.dumps(kept), StoreError)
    return curve


def _recorded_curve(shop: Shop, name: str) -> dict[str, list[float]] | None:
    from fashion_rir.workspace import records as result_records

    if not result_records.is_there(shop.workspace.results, name):
        return None
    try:
        record = result_records.read(shop.workspace.results, name)
    except RecordError:
        return None
    return record["curve"] if record["inputs"].get("data_hash") == shop.data_hash else None


def _calibrated(shop: Shop, gallery: Gallery) -> dict[str, list[float]]:
    from fashion_rir.data import splits
    from fashion_rir.evaluation import thresholds

    nothing = {"thresholds": [], "precision": [], "recall": []}
    try:
        is_test = splits.is_test_product(shop.products, seed=SEED)
    except ParameterError:  # a catalogue of one's own may have too few products, or no types
        return nothing
    is_test &= shop.products["articleType"].notna().to_numpy()
    if not is_test.any():
        return nothing
    queries = np.flatnonzero(splits.sample_queries(is_test, N_QUERIES, seed=SEED))
    generator = np.random.default_rng(SEED)
    others = np.sort(generator.permutation(np.flatnonzero(~is_test))[: thresholds.MAX_GALLERY])
    types = shop.products["articleType"].to_numpy()
    paired = Gallery(gallery.vectors[others], gallery.ids[others], gallery.measure)
    distances = paired.distances(gallery.vectors[queries])
    is_match = types[queries][:, None] == types[others]
    if is_match.all() or not is_match.any():
        return nothing
    return thresholds.thinned(thresholds.threshold_curve(distances, is_match))


def _fingerprint(shop: Shop, gallery: Gallery) -> list:
    """Changes when the embeddings or the products do; cheap, unlike a hash of all vectors."""
    sample = gallery.vectors[:: max(1, len(gallery) // 16)]
    return [shop.data_hash, list(gallery.vectors.shape), float(np.float64(sample.sum()))]


def _is_of(shop: Shop, store: FeatureStore) -> bool:
    """Whether a store holds this catalogue; one that does not say of which it is, may."""
    return store.metadata.get("data_hash", shop.data_hash) == shop.data_hash


def _open_store(path: Path) -> FeatureStore:
    """Open a store; one that another program is writing is refused, not waited for a minute."""
    try:
        uri = f"{path.resolve().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=LOCK_SECONDS)) as connection:
            connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError as error:
        if "locked" in str(error):
            raise StoreError(
                f"The feature store {path.name} is locked: another program is writing it. Wait "
                "for it to end (or end it), then search again."
            ) from error
        # Other faults are named by `FeatureStore`.
    return FeatureStore.open(path)


def _put_in_place(partial: Path, folder: Path) -> None:
    """Rename a finished folder; another visitor may have come first, with the same content.

    Older ones go, unless a visitor has them mapped and the system keeps them for him.
    """
    try:
        shutil.rmtree(folder, ignore_errors=True)  # there is one only if it is damaged
        partial.rename(folder)
    except OSError:
        if not folder.exists():
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        kind = folder.name.partition("-")[0]
        for old in folder.parent.glob(f"{kind}-*[0-9a-f]"):
            if old != folder:
                shutil.rmtree(old, ignore_errors=True)
