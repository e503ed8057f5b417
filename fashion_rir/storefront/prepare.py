"""What the storefront needs before its first visitor; made once, checked at each start."""

from collections.abc import Callable, Mapping

from fashion_rir.data.catalog import Catalog
from fashion_rir.data.images import PREPROCESSING
from fashion_rir.embedding import backbones, onnx_engine
from fashion_rir.embedding.embedded import Embedded
from fashion_rir.embedding.store import FeatureStore
from fashion_rir.errors import FashionRirError, StoreError, WeightsError, unknown_name
from fashion_rir.search.gallery import MEASURES
from fashion_rir.storefront import models
from fashion_rir.storefront.shop import Shop, beside
from fashion_rir.storefront.shop import prepare as prepare_shop
from fashion_rir.workspace import joined_store, stores
from fashion_rir.workspace.folders import Workspace
from fashion_rir.workspace.maps import MapSettings

Say = Callable[[str], None]
MakeMap = Callable[[Workspace, Catalog, Embedded, MapSettings], object]

MAP_PRODUCTS = 5000  # a map of more products takes minutes: notebook 07 makes it

LEAST_MAP_PRODUCTS = 100  # a map of fewer shows nothing


def prepare(
    workspace: Workspace,
    parameters: Mapping[str, object],
    say: Say = lambda text: None,
    *,
    every_export: bool = True,
    make_map: MakeMap | None = None,
) -> Shop:
    """Shop windows, feature stores, galleries, thresholds, and an ONNX export of each backbone.

    Where the photos are another catalogue's than the products, the storefront has both: the one
    with photos is the first.

    Args:
        workspace: of the profile.
        parameters: of notebook 10: `catalogue`, `sample_size`, `seed`, `photo_catalogue` if it is
            another, `weights`, and `backbone`, `image_size` and `preprocessing` of the model that
            is searched by at first.
        say: told before long work, and what could not be done.
        every_export: export all pretrained backbones that have a feature store, not only the
            first model's.
        make_map: such as `tsne.map_for_shop`, makes the map of a small catalogue; without it,
            notebook 07 makes it.

    Returns:
        The first catalogue's shop.

    Raises:
        CatalogError: the catalogue is not there or cannot be read.
        FashionRirError: the first model can be neither found nor made.
        ParameterError: an unknown network or preprocessing, or a size out of range.
    """
    if not workspace.is_own:  # whose model may be anybody's encoder
        _check_first_model(parameters)
    seed, size = parameters["seed"], parameters["sample_size"]
    catalogs = [workspace.load_catalog(parameters["catalogue"], sample_size=size, seed=seed)]
    with_photos = parameters.get("photo_catalogue", parameters["catalogue"])
    if with_photos != parameters["catalogue"]:
        catalogs.insert(0, workspace.load_catalog(with_photos, seed=seed))
    shops = [
        _prepare_one(place, catalog, parameters, say, every_export)
        for place, catalog in zip((workspace, beside(workspace)), catalogs, strict=False)
    ]
    first = shops[0]
    if make_map and LEAST_MAP_PRODUCTS <= len(first.products) <= MAP_PRODUCTS:
        _map_model(first, _searched_by(first, parameters), make_map, say)
    return first


def _prepare_one(
    workspace: Workspace, catalog: Catalog, parameters: Mapping[str, object], say: Say,
    every_export: bool,
) -> Shop:  # fmt: skip
    """One catalogue's shop, and all that a visitor of it needs."""
    shop = prepare_shop(workspace, catalog, say, called=_called(catalog))
    first = first_model(parameters)
    if joined_store.is_here() and _join(shop, catalog, parameters, say):
        first = joined_store.MODEL
    if not _is_ready(shop, first):
        say(f"Embedding {len(catalog):,} products by {first} (goes on where it stopped)")
        network = _build(parameters["backbone"], parameters["image_size"], parameters)
        stores.embed(workspace, catalog, network, preprocessing=parameters["preprocessing"],
                     engine="onnx")  # fmt: skip
    for model in models.shown_models(shop) if every_export else [first]:
        try:
            _export(shop, model, parameters, say)
        except FashionRirError as error:
            say(f"Products only: {model} cannot embed photos. {error}")
    for measure in MEASURES:
        gallery = models.open_gallery(shop, first, measure, say)[0]
        models.calibration(shop, first, gallery, say)
    return shop


def _called(catalog: Catalog) -> str:
    return "phone photos" if "source_class" in catalog.products else "products of the shop"


def _searched_by(shop: Shop, parameters: Mapping[str, object]) -> str:
    """The model that a shop is searched by at first."""
    is_joined = models.joined_model(shop) is not None
    return joined_store.MODEL if is_joined else first_model(parameters)


def _join(shop: Shop, catalog: Catalog, parameters: Mapping[str, object], say: Say) -> bool:
    """Whether the joined model is ready.

    It is made of the real catalogue, where its store was begun, and where the networks that it
    joins are those of the profile.
    """
    path = shop.workspace.feature_store(joined_store.MODEL)
    try:
        source = joined_store.open_source(joined_store.open_model().sources[0])
        is_wanted = parameters["weights"] == "shipped" or path.exists()
        if not is_wanted and not source.is_known(catalog).all():
            return False
        joined_store.make(shop.workspace, catalog, say)
        joined_store.export(shop.workspace, say)
    except FashionRirError as error:
        say(f"Without the joined model: {error}")
        return False
    return True


def _check_first_model(parameters: Mapping[str, object]) -> None:
    """Refuse what names no model, also where another one is searched by at first."""
    known = {"backbone": (*backbones.BACKBONES, *models.FLOORS), "preprocessing": PREPROCESSING}
    for what, names in known.items():
        if parameters[what] not in names:
            raise unknown_name(what, parameters[what], names)
    backbones.check_weights(str(parameters["weights"]))
    backbones.check_image_size(str(parameters["backbone"]), int(parameters["image_size"]))


def first_model(parameters: Mapping[str, object]) -> str:
    """The name of the model that is searched by at first."""
    return "-".join(str(parameters[key]) for key in ("backbone", "image_size", "preprocessing"))


def _is_ready(shop: Shop, model: str) -> bool:
    try:
        models.open_gallery(shop, model, "cosine")
    except StoreError:
        return False
    return True


def _build(name: str, image_size: object, parameters: Mapping[str, object]) -> backbones.Backbone:
    return backbones.build(name, weights=str(parameters["weights"]), image_size=int(image_size),
                           seed=int(parameters["seed"]))  # fmt: skip


def _export(shop: Shop, model: str, parameters: Mapping[str, object], say: Say) -> None:
    """Export the backbone of a feature store, if it is a pretrained one and has no export yet."""
    metadata = models.store_metadata(shop, model)
    is_backbone = metadata.get("backbone") in backbones.BACKBONES
    if not is_backbone or model != first_model(metadata):
        return  # a trained model has a name of its own; it is searched by products only
    path = models.export_path(shop.workspace, metadata)
    if path.exists() and onnx_engine.check_path(path).exists():
        return
    say(f"Exporting {model} to ONNX, and comparing it with Keras")
    network = _build(metadata["backbone"], metadata["image_size"], parameters)
    if network.weights_sha256 != metadata["weights_sha256"]:
        raise WeightsError(f"Its weights {metadata['weights']} are not the ones at hand.")
    onnx_engine.OnnxBackbone(network, path)


def _map_model(shop: Shop, model: str, make_map: MakeMap, say: Say) -> None:
    try:
        store = FeatureStore.open(shop.workspace.feature_store(model))
        vectors = store.load(shop.products["image_name"])[1]
        make_map(shop.workspace, shop.catalog, (vectors, store.metadata), MapSettings())
    except FashionRirError as error:
        say(f"No t-SNE map: {error}")
