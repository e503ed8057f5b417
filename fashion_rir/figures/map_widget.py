"""The interactive map of notebook 07: hover for a product, drag over a region, drop a photo.

The dots are drawn in the browser; names and pictures are asked of the running kernel, one at a
time, from the reader's own catalogue. Nothing of them is kept in a notebook.
"""

import base64
import html
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import anywidget
import ipywidgets
import matplotlib.colors
import numpy as np
import pandas as pd
import traitlets
from PIL import Image

from fashion_rir.data import images
from fashion_rir.data.catalog import Catalog
from fashion_rir.errors import FashionRirError, ImageError
from fashion_rir.figures import maps
from fashion_rir.workspace.maps import Projection

SHOWN_PICTURES = 24  # of a selected region

SHOWN_TYPES = 8


class MapWidget(anywidget.AnyWidget):
    """The dots. What happens on them is told by `hovered` and `selected`."""

    _esm = Path(__file__).with_name("map_widget.js")
    description = traitlets.Unicode().tag(sync=True)
    points = traitlets.Bytes().tag(sync=True)  # float32 x, y in 0 to 1, y downwards
    classes = traitlets.Bytes().tag(sync=True)  # uint8, one a dot: place in the palette
    palette = traitlets.List(traitlets.Unicode()).tag(sync=True)
    placed = traitlets.List().tag(sync=True)  # [x, y] of the photos that were dropped
    hovered = traitlets.Int(-1).tag(sync=True)  # row of a product, -1 for none
    card = traitlets.Dict({"row": -1}).tag(sync=True)  # what is shown of the hovered product
    selected = traitlets.List(traitlets.Int()).tag(sync=True)  # rows in the dragged rectangle


def explorer(
    catalog: Catalog,
    made: Projection,
    label: str,
    place: Callable[[Image.Image], np.ndarray] | None = None,
) -> ipywidgets.Widget:
    """The map of a catalogue, to be explored.

    Args:
        catalog: the products of the map.
        made: the map.
        label: what colours the dots.
        place: from a photo to its place on the map, float32 (1, 2), by the map's model; without
            it, no photo can be dropped.

    Returns:
        The map; below it what is selected, and a button to drop a photo. `children[0]` is a
        `MapWidget`, `children[-1]` an `ipywidgets.HTML`.
    """
    scale = _scale(made.coordinates)
    values = catalog.products[label]
    colours = maps.colours_of(values)
    codes = pd.Index(list(colours)).get_indexer(values)
    dots = MapWidget(
        description=f"t-SNE map of {len(made)} products, coloured by {label}",
        points=scale(made.coordinates).astype(np.float32).tobytes(),
        classes=np.where(codes < 0, len(colours), codes).astype(np.uint8).tobytes(),
        palette=[*map(matplotlib.colors.to_hex, colours.values()), maps.LIGHT_GREY],
    )
    panel = ipywidgets.HTML("Drag over a region to see its products.")

    _answer(dots, panel, catalog)
    if place is None:
        return ipywidgets.VBox([dots, panel])
    button = ipywidgets.FileUpload(accept="image/*", description="Drop a photo")

    def drop(change: dict) -> None:
        for file in change["new"]:
            panel.value, placed = _dropped(catalog, made, file, place)
            dots.placed = [*dots.placed, *scale(placed).tolist()]

    button.observe(drop, names="value")
    return ipywidgets.VBox([dots, button, panel])


def product_card(catalog: Catalog, row: int) -> dict[str, object]:
    """What is shown of a product: `row`, `caption`, and `picture` as a data URI.

    A picture that can no longer be read leaves its place to the error's text.
    """
    product = catalog.products.iloc[row]
    about = [product["productDisplayName"], product["articleType"], product["baseColour"]]
    caption = " · ".join(str(value) for value in about if pd.notna(value))
    try:
        picture = data_uri(catalog.read_image(product["image_name"]))
    except ImageError as error:
        return {"row": row, "caption": f"{caption} ({error})", "picture": ""}
    return {"row": row, "caption": caption, "picture": picture}


def selection_html(catalog: Catalog, rows: Sequence[int]) -> str:
    """The products of a region: how many, of which types, and some of their pictures."""
    if not rows:
        return "There is no product in this region."
    chosen = catalog.products.iloc[list(rows)]
    types = chosen["articleType"].value_counts()
    listed = ", ".join(f"{name} ({count:,})" for name, count in types.head(SHOWN_TYPES).items())
    rest = f" and {len(types) - SHOWN_TYPES} more" if len(types) > SHOWN_TYPES else ""
    spread = np.linspace(0, len(rows) - 1, min(SHOWN_PICTURES, len(rows))).astype(int)
    cards = [product_card(catalog, rows[place]) for place in spread]
    pictures = "".join(_img(card["picture"], str(card["caption"])) for card in cards)
    return f"<p>{len(rows):,} products: {html.escape(listed + rest)}</p>{pictures}"


def data_uri(picture: Image.Image) -> str:
    """A picture as the text of an `src`."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _answer(dots: MapWidget, panel: ipywidgets.HTML, catalog: Catalog) -> None:
    """Show the product that is hovered over, and those of a selected region."""

    def hover(change: dict) -> None:
        if change["new"] >= 0:
            dots.card = product_card(catalog, change["new"])

    def select(change: dict) -> None:
        panel.value = selection_html(catalog, change["new"])

    dots.observe(hover, names="hovered")
    dots.observe(select, names="selected")


def _dropped(
    catalog: Catalog, made: Projection, file: dict, place: Callable[[Image.Image], np.ndarray]
) -> tuple[str, np.ndarray]:
    """What to say of an uploaded photo, and its places on the map: one, or none at a fault."""
    try:
        picture = images.decode(bytes(file["content"]), str(file["name"]))
        placed = place(picture)
    except FashionRirError as error:
        return f"<p>{html.escape(str(error))}</p>", np.empty((0, 2))
    name = html.escape(str(file["name"]))
    nearest = np.linalg.norm(made.coordinates - placed, axis=1).argsort()[:SHOWN_TYPES].tolist()
    text = (
        f"<p>{name} is at the cross. {_img(data_uri(picture), name)} Nearest on the map:</p>"
        f"{selection_html(catalog, nearest)}"
    )
    return text, placed


def _scale(coordinates: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """A function that brings the map into 0 to 1, its shape kept, y downwards as on screens."""
    low, size = coordinates.min(axis=0), np.ptp(coordinates, axis=0).max()

    def scale(places: np.ndarray) -> np.ndarray:
        scaled = (places - low) / size
        return np.stack([scaled[:, 0], 1 - scaled[:, 1]], axis=1)

    return scale


def _img(source: str, caption: str) -> str:
    caption = html.escape(caption)
    return f'<img src="{source}" alt="{caption}" title="{caption}" style="height:80px;margin:2px">'
