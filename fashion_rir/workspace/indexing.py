"""Index a catalogue of one's own: what is there is named first, then it is embedded.

Run again, it embeds what is new or has changed, and removes what is gone.
"""

import re
from collections.abc import Callable
from pathlib import Path

from fashion_rir.data import own_catalogue, own_photos, own_table
from fashion_rir.data.catalog import Catalog
from fashion_rir.data.own_catalogue import Listing
from fashion_rir.embedding.embed import Embedder
from fashion_rir.embedding.store import FeatureStore
from fashion_rir.errors import CatalogError, ParameterError
from fashion_rir.system import one_process
from fashion_rir.workspace import joined_store, stores
from fashion_rir.workspace.folders import Workspace

Say = Callable[[str], None]

FEW_PRODUCTS = 10  # a page of results shows all of them


def name_of(folder: Path) -> str:
    """What a folder's catalogue is called if nothing is said.

    Example:
        >>> name_of(Path("/photos/My shop 2024"))
        'My-shop-2024'
    """
    return re.sub(r"[^\w.-]+", "-", folder.resolve().name).strip("-.")[:60]


def list_products(
    folder: Path, table: Path | None, columns: Path | None, say: Say = lambda text: None
) -> Listing:
    """What a folder and a table hold, checked before any photo is looked into.

    Args:
        folder: of the photos.
        table: of the products; None if there are photos alone.
        columns: says what the table's columns are; drafted beside the table if None.
        say: told what was found.

    Raises:
        CatalogError, ParameterError: what is missing, doubled, or does not fit together.
    """
    if table is None and columns is not None:
        raise ParameterError(f"{columns} says what the columns of a table are; name it by --table.")
    photos = own_photos.photos_in(folder)
    say(f"{len(photos.paths):,} photos in {folder}")
    if table is None:
        listing = own_catalogue.list_photos(folder, photos)
    else:
        found = own_table.read_table(table)
        path = columns or table.with_suffix(".columns.yaml")
        known, is_new = own_catalogue.columns_of(found, photos, path, is_given=columns is not None)
        parts = ", ".join(f"{role} {column!r}" for role, column in known.mapped())
        say(f"{'Drafted' if is_new else 'Read'} {path}: {parts}")
        listing = own_catalogue.list_table(folder, photos, found, known)
    for what, count in listing.counts.items():
        if count:
            say(f"  {count:>8,}  {what}")
    for where, what, reason in listing.left_out[:3]:
        say(f"            such as {where}, {what}: {reason}")
    if len(listing.products) < FEW_PRODUCTS:
        say(f"Only {len(listing.products)} products: every search will show all of them.")
    return listing


def index(
    workspace: Workspace,
    listing: Listing,
    embedder: Embedder | None,
    parameters: dict[str, object],
    say: Say = lambda text: None,
) -> Catalog:
    """Look into the photos of a listing, and embed what is new.

    Args:
        workspace: of the catalogue, from `folders.open_own`.
        listing: from `list_products`.
        embedder: the network; None for the joined model that comes with the project.
        parameters: what the catalogue is opened with later; at least `preprocessing` and `engine`.
        say: told what was done.

    Returns:
        The catalogue, kept in `workspace.own_home`.

    Raises:
        CatalogError: no photo can be read, or another process is at it.
        StoreError: the embeddings cannot be kept.
    """
    home = workspace.own_home
    with one_process(home, CatalogError):
        catalog = own_catalogue.look_into(listing, home / "photos.parquet")
        n_bad = catalog.counts["photos that cannot be read"]
        if n_bad:
            last = catalog.left_out.iloc[-1]
            say(f"  {n_bad:>8,}  photos that cannot be read, such as {last['reason']}")
        preprocessing = str(parameters["preprocessing"])
        model = embedder.metadata(preprocessing)["model"] if embedder else joined_store.MODEL
        path, n_gone, n_known = workspace.feature_store(model), 0, 0
        if path.exists():
            store = FeatureStore.open(path)
            n_gone = store.keep_only(list(catalog.products["image_name"]), catalog.data_hash)
            n_known = len(store.image_names())
        if embedder is None:
            joined_store.make(workspace, catalog, say)
        else:
            stores.embed(workspace, catalog, embedder, preprocessing=preprocessing,
                         engine=str(parameters["engine"]))  # fmt: skip
        own_catalogue.save(catalog, home, parameters)
    n_new = catalog.products["image_name"].nunique() - n_known
    say(f"{len(catalog):,} products by {model}: {n_new:,} embedded now, {n_known:,} were, "
        f"{n_gone:,} removed")  # fmt: skip
    if len(catalog.left_out):
        say(f"What is left out stands in {home / 'left-out.csv'}")
    return catalog
