"""A project folder with a small shop: drawn products, and two feature stores without a network."""

import io
import shutil
from pathlib import Path

import yaml
from drawn_catalog import write_catalog
from PIL import Image, ImageDraw

from fashion_rir.data import catalog
from fashion_rir.embedding import embed
from fashion_rir.embedding.floors import MeanColour, RawPixels
from fashion_rir.workspace.folders import Workspace, open_workspace

ROOT = Path(__file__).parents[1]
HOSTILE_NAME = "<img src=x onerror=\"document.title='run'\"> Socks"
FORMULA_NAME = '=HYPERLINK("x")'
MODEL = "mean-colour-32-resize"
PARAMETERS = {
    "catalogue": "real", "sample_size": None, "seed": 20, "weights": "none",
    "backbone": "mean-colour", "image_size": 32, "preprocessing": "resize",
}  # fmt: skip
# Fifty shirts from dark to light red, fifty shoes in blues, and one pair of socks.
SHIRTS = {2001 + i: (150 + 2 * i, i, i) for i in range(50)}
SHOES = {3001 + i: (i, i, 150 + 2 * i) for i in range(50)}
SOCKS = {4001: (30, 160, 60)}


def shop_folder(root: Path) -> Path:
    """Draw the products and lay out the project's folder; returns the catalogue's folder."""
    products = {**SHIRTS, **SHOES, **SOCKS}
    folder = write_catalog(root / "catalogue", list(map(row, products)),
                           list(map(picture, products.values())))  # fmt: skip
    (root / "profiles").mkdir()
    (root / "notebooks").mkdir()
    text = yaml.safe_dump({"notebooks": {"10-storefront": PARAMETERS}})
    (root / "profiles" / "shop.yaml").write_text(text, encoding="utf-8")
    shutil.copy(ROOT / "notebooks" / "10-storefront.ipynb", root / "notebooks")
    return folder


def embedded_shop(root: Path) -> tuple[Workspace, catalog.Catalog]:
    """`shop_folder`, its products embedded by mean colour and by raw pixels."""
    folder = shop_folder(root)
    workspace = open_workspace("shop", root)
    products = catalog.load(folder)
    for floor in (MeanColour(), RawPixels()):
        model = floor.metadata("resize")["model"]
        embed.embed_catalog(products, floor, preprocessing="resize",
                            path=workspace.feature_store(model))  # fmt: skip
    return workspace, products


def row(product: int) -> list[str]:
    """The ten fields of a product."""
    if product in SOCKS:
        labels = ["Unisex", "Apparel", "Socks", "Socks", "Green", "Fall", "2011", "Casual"]
        return [str(product), *labels, HOSTILE_NAME]
    if product in SHIRTS:
        gender = "Women" if product % 2 else "Men"
        labels = [gender, "Apparel", "Topwear", "Shirts", "Red", "Summer", "2012", "Casual"]
        name = FORMULA_NAME if product == 2002 else f"Anna Red Shirt {product}"
        return [str(product), *labels, name]
    labels = ["Men", "Footwear", "Shoes", "Casual Shoes", "Blue", "Winter", "2012", "Sports"]
    return [str(product), *labels, f"Bert Blue Shoe {product}"]


def picture(
    colour: tuple[int, int, int], *, size: tuple[int, int] = (60, 80), kind: str = "JPEG"
) -> bytes:
    """A picture of a plain rectangle on white."""
    image = Image.new("RGB", size, "white")
    ImageDraw.Draw(image).rectangle((8, 8, size[0] - 8, size[1] - 8), fill=colour)
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=95)
    return buffer.getvalue()
