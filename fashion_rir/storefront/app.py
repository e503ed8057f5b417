"""The storefront: upload a photo, or pick a product, and see the products that look like it.

One ipywidget. What is seen and clicked is in `storefront.js`; this side answers its messages. It
runs in JupyterLab, and by `fashion-rir storefront` as a page of its own (`storefront.server`).

An uploaded photo stays in the memory of the visitor's own process; nothing is written to disk.
"""

import io
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path, PureWindowsPath

import anywidget
import numpy as np
import traitlets
from PIL import Image

from fashion_rir.data import images
from fashion_rir.embedding import embed
from fashion_rir.errors import FashionRirError, ImageError, ParameterError
from fashion_rir.search.gallery import MEASURES, Gallery
from fashion_rir.storefront import map, models, search
from fashion_rir.storefront.search import Found, Settings
from fashion_rir.storefront.shop import Shop, open_shop
from fashion_rir.workspace.folders import Workspace

MAX_UPLOAD_BYTES = 8_000_000  # Jupyter's web socket takes messages of up to 10 MiB

MAX_UPLOAD_PIXELS = 30_000_000  # `images` takes larger photos of phones

KEPT_SIDE = 2048  # pixels: a larger upload is scaled down, by the page or once it is unpacked

SENT_WHOLE_BYTES = 2_000_000  # a larger photo is scaled down by the page before it is sent

SHOWN_SIDE = 480  # of the preview

MIN_CROP = 0.02  # share of a side

N_PICKS = 12

log = logging.getLogger(__name__)

Reply = tuple[dict[str, object], list[bytes]]


def open_storefront(workspace: Workspace, *, model: str | None = None) -> "Storefront":
    """The storefront of a profile.

    Args:
        workspace: of the profile; `prepare.prepare` has been run on it.
        model: what is searched by at first; the first one there if None or not there.

    Raises:
        StoreError: no shop window has been made.
    """
    return Storefront(open_shop(workspace), model=model)


class Storefront(anywidget.AnyWidget):
    """The app: one visitor's state, and the answers to what the page asks."""

    _esm = Path(__file__).with_name("storefront.js")
    _css = Path(__file__).with_name("storefront.css")
    shop_info = traitlets.Dict().tag(sync=True)

    def __init__(self, shop: Shop, *, model: str | None = None) -> None:
        self._shop = shop
        self._names = models.shown_models(shop)
        self._photo: Image.Image | None = None
        self._gallery: tuple[tuple[str, str], Gallery, dict[str, str]] | None = None
        self._embedder: tuple[str, embed.Embedder] | None = None
        self._maps: dict[str, np.ndarray] = {}
        first = model if model in self._names else next(iter(self._names), None)
        super().__init__(
            shop_info={
                "catalogue": shop.workspace.profile,
                "n_products": len(shop.products),
                "models": self._names,
                "model": first,
                "measures": list(MEASURES),
                "page_sizes": list(search.PAGE_SIZES),
                "filters": shop.choices,
                "max_bytes": MAX_UPLOAD_BYTES,
                "sent_whole_bytes": SENT_WHOLE_BYTES,
                "kept_side": KEPT_SIDE,
                "fault": "" if self._names else _no_store(shop.workspace),
            }
        )
        self.on_msg(self._answer)

    def answer(self, message: object, buffers: list) -> Reply:
        """The answer to one message of the page.

        Args:
            message: what is asked (`kind`: `picks`, `upload`, `search`, `csv` or `map`), and its
                details; nothing in it is trusted.
            buffers: the bytes that came with it.

        Returns:
            The reply and its buffers. A fault that the visitor can mend is a reply of the kind
            `error`; any other is too, and is written to the log.
        """
        message = message if isinstance(message, dict) else {}
        ways: dict[str, Callable[[dict, list], Reply]] = {
            "picks": self._picks, "upload": self._upload, "search": self._search,
            "csv": self._csv, "map": self._map,
        }  # fmt: skip
        try:
            way = ways.get(str(message.get("kind")))
            if way is None:
                raise ParameterError("The page asked for something unknown; reload it.")
            reply, out = way(message, buffers)
        except FashionRirError as error:
            reply, out = {"kind": "error", "text": str(error)}, []
        except Exception as error:  # one visitor's fault must not end his session
            log.exception("the storefront failed")
            text = f"Something went wrong ({type(error).__name__}). Try again, or reload the page."
            reply, out = {"kind": "error", "text": text}, []
        return reply | {"request": message.get("request")}, out

    def _answer(self, _: object, message: object, buffers: list) -> None:
        reply, out = self.answer(message, buffers)
        self.send(reply, out)

    def _say(self, text: str) -> None:
        self.send({"kind": "status", "text": f"{text} …"})

    def _picks(self, message: dict, _: list) -> Reply:
        text = str(message.get("text", ""))[:200]
        seed = message.get("seed", 0)
        rows = search.products_named(self._shop, text, most=N_PICKS,
                                       seed=seed if type(seed) is int else 0)  # fmt: skip
        return {"kind": "picks", "cards": self._cards(rows)}, self._photos(rows)

    def _upload(self, message: dict, buffers: list) -> Reply:
        name = PureWindowsPath(str(message.get("name", ""))).name[:80] or "The upload"
        data = bytes(buffers[0]) if buffers else b""
        self._photo = decode_upload(data, name)
        shown = self._photo.copy()
        shown.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
        size = {"width": self._photo.width, "height": self._photo.height}
        return {"kind": "upload", "name": name, **size}, [_jpeg(shown)]

    def _search(self, message: dict, _: list) -> Reply:
        start = time.perf_counter()
        settings = Settings.from_message(message.get("settings"), self._names)
        gallery = self._open_gallery(settings)[0]
        found, attributes = self._find(message, settings)
        curve = models.calibration(self._shop, settings.model, gallery, self._say)
        # The empty end of the bar: no similarity at all, or the largest distance that was seen.
        seen = [*curve["thresholds"][-1:], *found.distances[-1:].tolist()]
        empty = 1.0 if settings.measure == "cosine" else max(seen, default=1.0) or 1.0
        cards = self._cards(found.rows)
        for card, distance in zip(cards, found.distances.tolist(), strict=True):
            card |= {"distance": distance, "share": max(0.0, 1 - distance / empty)}
            card |= search.reasons(attributes, card["attributes"])
        photos = self._photos(found.rows)
        reply = {
            "kind": "results", "cards": cards, "curve": curve, "query": attributes,
            "n_matches": found.n_matches, "is_match": found.is_match, "has_more": found.has_more,
            "page": settings.page, "measure": settings.measure,
        }  # fmt: skip
        product = _product_id(message)
        if product is not None:
            row = self._row(product)
            reply["query_card"] = self._cards([row])[0]
            photos.append(self._shop.photo(row))
        return reply | {"seconds": time.perf_counter() - start}, photos

    def _csv(self, message: dict, _: list) -> Reply:
        settings = Settings.from_message(message.get("settings"), self._names)
        found = self._find(message, settings)[0]
        return {"kind": "csv", "csv": search.as_csv(self._shop, found, settings)}, []

    def _map(self, message: dict, _: list) -> Reply:
        settings = Settings.from_message(message.get("settings"), self._names)
        gallery, metadata = self._open_gallery(settings)
        if settings.model not in self._maps:
            self._maps[settings.model] = map.open_map(self._shop, metadata)
        made = self._maps[settings.model]
        product = _product_id(message)
        if product is not None and message.get("box") is None:
            spot = made[self._row(product)]
        else:
            vector = self._vector(message, metadata)
            spot = map.spot_of(made, self._shop, gallery, vector)
        return map.reply(self._shop, made, spot)

    def _find(self, message: dict, settings: Settings) -> tuple[Found, dict[str, str]]:
        """The results, and what the query is, or probably is."""
        gallery, metadata = self._open_gallery(settings)
        product = _product_id(message)
        if product is None:
            vector = self._vector(message, metadata)
            found = search.search(self._shop, gallery, vector, settings)
            near = gallery.search(vector[None], min(search.N_VOTERS, len(gallery))).ids[0]
            rows = [self._shop.row_of[int(one)] for one in near]
            return found, search.guessed_attributes(self._shop, rows)
        row = self._row(product)
        is_whole = message.get("box") is None
        vector = np.array(gallery.vectors[row]) if is_whole else self._vector(message, metadata)
        found = search.search(self._shop, gallery, vector, settings, own_id=product)
        return found, search.product_attributes(self._shop, row)

    def _open_gallery(self, settings: Settings) -> tuple[Gallery, dict[str, str]]:
        key = settings.model, settings.measure
        if self._gallery is None or self._gallery[0] != key:
            self._gallery = None  # one at a time: a gallery is what takes memory
            self._gallery = key, *models.open_gallery(self._shop, *key, self._say)
        return self._gallery[1:]

    def _vector(self, message: dict, metadata: dict[str, str]) -> np.ndarray:
        """The embedding of the uploaded photo, or of a product's, inside the crop box."""
        product = _product_id(message)
        photo = self._photo
        if product is not None:
            photo = self._shop.catalog.read_image(f"{product}.jpg")
        if photo is None:
            raise ImageError("There is no photo to search with; upload one, or pick a product.")
        model = metadata.get("model", "")
        if self._embedder is None or self._embedder[0] != model:
            self._say(f"Loading the network {model}")
            self._embedder = model, models.open_embedder(self._shop, metadata)
        cut = crop(photo, message.get("box"))
        return embed.embed_image(cut, self._embedder[1],
                                      preprocessing=metadata["preprocessing"])  # fmt: skip

    def _row(self, product: int) -> int:
        if product not in self._shop.row_of:
            raise ParameterError(f"There is no product {product} in this catalogue; pick another.")
        return self._shop.row_of[product]

    def _cards(self, rows: Sequence[int]) -> list[dict]:
        """What the page says of some products."""
        products = self._shop.products
        return [
            {
                "id": int(products["id"].iloc[row]),
                "name": _text(products["productDisplayName"].iloc[row]),
                "attributes": search.product_attributes(self._shop, row),
            }
            for row in rows
        ]

    def _photos(self, rows: Sequence[int]) -> list[bytes]:
        return [self._shop.photo(row) for row in rows]


def decode_upload(data: bytes, name: str) -> Image.Image:
    """An uploaded file as a picture: by its content, whatever it is called; its first frame.

    Args:
        data: the file's bytes.
        name: what the visitor calls it.

    Raises:
        ImageError: empty, too large, no picture, or damaged.
    """
    if len(data) > MAX_UPLOAD_BYTES:
        raise ImageError(
            f"{name} has {len(data) / 1e6:.1f} MB; the limit is {MAX_UPLOAD_BYTES / 1e6:.0f} MB. "
            "Scale it down first."
        )
    photo = images.decode(data, name, for_size=KEPT_SIDE // images.DRAFT_MARGIN,
                          max_pixels=MAX_UPLOAD_PIXELS)  # fmt: skip
    photo.thumbnail((KEPT_SIDE, KEPT_SIDE))
    return photo


def crop(photo: Image.Image, box: object) -> Image.Image:
    """The part of a photo inside a box.

    Args:
        photo: the whole.
        box: left, top, right and bottom as shares of the sides; the whole photo if None.

    Raises:
        ParameterError: no such box, or one that is too small.
    """
    if box is None:
        return photo
    try:
        left, top, right, bottom = (float(value) for value in box)
    except (TypeError, ValueError) as error:
        raise ParameterError("A crop box is four numbers; draw it again.") from error
    is_inside = 0 <= left < right <= 1 and 0 <= top < bottom <= 1
    if not is_inside or min(right - left, bottom - top) < MIN_CROP:
        raise ParameterError("The crop box is too small, or not on the photo; draw it again.")
    width, height = photo.size
    corners = [left * width, top * height, right * width, bottom * height]
    left, top, right, bottom = (round(value) for value in corners)
    return photo.crop((left, top, max(right, left + 1), max(bottom, top + 1)))


def _product_id(message: dict) -> int | None:
    """The catalogue product that is asked with; None if it is the uploaded photo."""
    product = message.get("product")
    return product if type(product) is int else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else "(without a name)"


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def _no_store(workspace: Workspace) -> str:
    folder = workspace.feature_store("any").parent
    return (
        f"There is no feature store in data/{folder.relative_to(workspace.data).as_posix()} that "
        f"holds this catalogue; {models.how_to_embed(workspace)}"
    )
