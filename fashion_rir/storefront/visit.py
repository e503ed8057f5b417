"""One visitor: what he has uploaded and opened, and the answers to what he asks.

The page's widget (`app`) and the API (`api`) ask in the same messages, see `messages`.
"""

import logging
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from fashion_rir.embedding import embed
from fashion_rir.embedding.joined import JoinedModel
from fashion_rir.embedding.photo_head import product_codes
from fashion_rir.embedding.photo_pipeline import NO_MATCH, PhotoPipeline, PhotoQuery
from fashion_rir.errors import FashionRirError, ImageError, ParameterError
from fashion_rir.search.gallery import Gallery
from fashion_rir.storefront import map, messages, models, photos, search, uploads
from fashion_rir.storefront.messages import Picks, Query, Settings, Upload
from fashion_rir.storefront.shop import Shop
from fashion_rir.workspace import joined_store

N_PICKS = 12

log = logging.getLogger(__name__)

Reply = tuple[dict[str, object], list[bytes]]


class Opened(NamedTuple):
    """A query, ready to be searched.

    Attributes:
        gallery: what is searched.
        vector: by which, float32, shape (dim,).
        row: of the product that it is of; None if of none.
        upload: what an uploaded photo was told to show; None if it was not told.
    """

    gallery: Gallery | uploads.LabelGallery
    vector: np.ndarray
    row: int | None = None
    upload: PhotoQuery | None = None


class Visit:
    """A visitor's state. One process may hold several, of which each is asked one at a time.

    Attributes:
        names: the models that may be chosen; the joined one first, where it is there.
        joined: that one, whose queries can be changed and said in words; None if it is not there.
    """

    def __init__(self, shop: Shop, say: Callable[[str], None] = lambda text: None) -> None:
        """Begin a visit.

        Args:
            shop: from `shop.open_shop`.
            say: told before long work.
        """
        names = models.shown_models(shop)
        self.names = sorted(names, key=lambda name: name != joined_store.MODEL)
        self.joined = models.joined_model(shop)
        self._shop, self._say = shop, say
        self._photo: Image.Image | None = None
        self._name = ""
        self._gallery: tuple[tuple[str, str], Gallery, dict[str, str]] | None = None
        self._embedder: tuple[str, embed.Embedder] | None = None
        self._maps: dict[str, np.ndarray] = {}
        self._pipeline: PhotoPipeline | None = None
        self._is_pipeline_tried = False

    def answer(self, message: object, buffers: list) -> Reply:
        """The answer to one message of the page.

        Args:
            message: what is asked, see `messages`; nothing in it is trusted.
            buffers: the bytes that came with it.

        Returns:
            The reply and its buffers. A fault that the visitor can mend is a reply of the kind
            `error`; any other is too, and is written to the log.
        """
        ways: dict[str, Callable[[messages.Message, bytes], Reply]] = {
            "picks": self._picks, "upload": self._upload, "search": self._search,
            "csv": self._csv, "map": self._map,
        }  # fmt: skip
        try:
            asked = messages.read(message, self.names, list(self._shop.choices))
            reply, out = ways[asked.kind](asked, bytes(buffers[0]) if buffers else b"")
        except FashionRirError as error:
            reply, out = {"kind": "error", "text": str(error)}, []
        except Exception as error:  # one visitor's fault must not end his session
            log.exception("the storefront failed")
            text = f"Something went wrong ({type(error).__name__}). Try again, or reload the page."
            reply, out = {"kind": "error", "text": text}, []
        request = message.get("request") if isinstance(message, dict) else None
        return reply | {"request": request}, out

    def take_over(self, other: "Visit") -> Reply:
        """Go on with the photo that was uploaded on a visit to another catalogue.

        Returns:
            What the page shows of the photo, as after an upload; nothing if there is none.
        """
        self._photo, self._name = other._photo, other._name
        return ({}, []) if self._photo is None else self._uploaded()

    def _picks(self, asked: Picks, _: bytes) -> Reply:
        rows = search.products_named(self._shop, asked.text, most=N_PICKS, seed=asked.seed)
        return {"kind": "picks", "cards": self._cards(rows)}, self._photos(rows)

    def _upload(self, asked: Upload, data: bytes) -> Reply:
        name = asked.name or "The upload"
        self._photo, self._name = photos.decode_upload(data, name), name
        return self._uploaded()

    def _uploaded(self) -> Reply:
        size = {"width": self._photo.width, "height": self._photo.height}
        return {"kind": "upload", "name": self._name, **size}, [photos.preview(self._photo)]

    def _search(self, asked: Query, _: bytes) -> Reply:
        start = time.perf_counter()
        opened, settings = self._open_query(asked)
        gallery, vector, row, upload = opened
        found = search.search(self._shop, gallery, vector, settings, own_id=asked.product)
        curve = self._curve(opened, settings.model)
        if row is None:
            attributes = search.guessed_attributes(self._shop, gallery, vector)
        else:
            attributes = search.product_attributes(self._shop, row)
        attributes |= {self._shop.attributes[name]: value
                       for name, value in settings.changed.items()}  # fmt: skip
        # The empty end of the bar: no similarity at all, or the largest distance that was seen.
        seen = [*curve["thresholds"][-1:], *found.distances[-1:].tolist()]
        empty = 1.0 if settings.measure == "cosine" else max(seen, default=1.0) or 1.0
        cards = self._cards(found.rows)
        for card, distance in zip(cards, found.distances.tolist(), strict=True):
            card |= {"distance": distance, "share": max(0.0, 1 - distance / empty)}
            card |= search.reasons(attributes, card["attributes"])
        reply = {
            "kind": "results", "cards": cards, "curve": curve, "query": attributes,
            "n_matches": found.n_matches, "is_match": found.is_match, "has_more": found.has_more,
            "page": settings.page, "measure": settings.measure,
        }  # fmt: skip
        out = self._photos([*found.rows, *([] if row is None else [row])])
        if row is not None:
            reply["query_card"] = self._cards([row])[0]
        if upload is not None:
            reply["upload"] = uploads.message_of(upload, self._pipeline)
            out.append(photos.preview(upload.cut.picture))
            if not upload.is_match(self._pipeline.head.least_confidence):
                reply |= {"is_match": False, "why": NO_MATCH}
        return reply | {"seconds": time.perf_counter() - start}, out

    def _curve(self, opened: Opened, model: str) -> dict[str, list[float]]:
        """What each threshold promises; nothing for a ranking by labels, which has none."""
        if isinstance(opened.gallery, uploads.LabelGallery):
            return {"thresholds": [], "precision": [], "recall": []}
        return models.calibration(self._shop, model, opened.gallery, self._say)

    def _csv(self, asked: Query, _: bytes) -> Reply:
        opened, settings = self._open_query(asked)
        found = search.search(self._shop, opened.gallery, opened.vector, settings,
                              own_id=asked.product)  # fmt: skip
        return {"kind": "csv", "csv": search.as_csv(self._shop, found, settings)}, []

    def _map(self, asked: Query, _: bytes) -> Reply:
        model = asked.settings.model
        if model not in self._maps:
            metadata = self._open_gallery(asked.settings)[1]
            self._maps[model] = map.open_map(self._shop, metadata)
        opened, _ = self._open_query(asked)
        spots, row = self._maps[model], opened.row
        is_whole = row is not None and asked.box is None
        spot = (spots[row] if is_whole
                else map.spot_of(spots, self._shop, opened.gallery, opened.vector))  # fmt: skip
        return map.reply(self._shop, spots, spot)

    def _open_query(self, asked: Query) -> tuple[Opened, Settings]:
        """What is searched and by what, and the settings that hold for it."""
        opened, settings = self._query_itself(asked), asked.settings
        if settings.changed or settings.weights or settings.words:
            vector = self._joined_of(settings).changed(opened.vector, values=settings.changed,
                                                       weights=settings.weights,
                                                       text=settings.words)  # fmt: skip
            return opened._replace(vector=vector), settings
        if opened.upload is None:
            return opened, settings
        head = self._pipeline.head
        codes = product_codes(self._shop.products, head.classes)
        by_labels = uploads.LabelGallery(opened.gallery, codes, opened.upload.posteriors)
        whole = settings.model_copy(update={"threshold": None, "measure": "cosine"})
        return opened._replace(gallery=by_labels), whole

    def _joined_of(self, settings: Settings) -> JoinedModel:
        if self.joined is None or settings.model != joined_store.MODEL:
            raise ParameterError(
                f"{settings.model} finds by photos alone; take the model {joined_store.MODEL} to "
                "change a query or to search by words."
            )
        return self.joined

    def _query_itself(self, asked: Query) -> Opened:
        """As `_open_query`, before it is changed."""
        gallery, metadata = self._open_gallery(asked.settings)
        if asked.by_words:
            return Opened(gallery, np.zeros(self._joined_of(asked.settings).dim, np.float32))
        if asked.product is None:
            row, photo = None, self._photo
            if photo is None:
                raise ImageError("There is no photo to search with; upload one, or pick a product.")
        else:
            row = self._shop.row(asked.product)
            if asked.box is None:
                return Opened(gallery, np.array(gallery.vectors[row]), row)
            if self._shop.is_drawn:
                raise ParameterError(
                    "This product is shown as a drawing, since its photo is not here; only the "
                    "whole product can be searched with."
                )
            photo = self._shop.catalog.read_image(self._shop.products["image_name"].iloc[row])
        photo, embedder = photos.crop(photo, asked.box), self._open_embedder(metadata)
        pipeline = self._open_pipeline() if row is None else None
        if pipeline is not None and asked.settings.model == joined_store.MODEL:
            upload = pipeline.query(photo, is_cut=asked.settings.is_cut)
            vector = uploads.told(self.joined, embedder.embed_picture(upload.cut.picture),
                                  upload.posteriors, pipeline.head.classes)  # fmt: skip
            return Opened(gallery, vector, None, upload)
        vector = embed.embed_image(photo, embedder, preprocessing=metadata["preprocessing"])
        return Opened(gallery, vector, row)

    def _open_pipeline(self) -> PhotoPipeline | None:
        """What tells uploads; opened for the first one."""
        if not self._is_pipeline_tried and self.joined is not None:
            self._pipeline = uploads.open_pipeline(self._shop)
        self._is_pipeline_tried = True
        return self._pipeline

    def _open_gallery(self, settings: Settings) -> tuple[Gallery, dict[str, str]]:
        key = settings.model, settings.measure
        if self._gallery is None or self._gallery[0] != key:
            self._gallery = None  # one at a time: a gallery is what takes memory
            self._gallery = key, *models.open_gallery(self._shop, *key, self._say)
        return self._gallery[1:]

    def _open_embedder(self, metadata: dict[str, str]) -> embed.Embedder:
        model = metadata.get("model", "")
        if self._embedder is None or self._embedder[0] != model:
            self._say(f"Loading the network {model}")
            self._embedder = model, models.open_embedder(self._shop, metadata)
        return self._embedder[1]

    def _cards(self, rows: Sequence[int]) -> list[dict]:
        """What the page says of some products."""
        products = self._shop.products
        return [
            {
                "id": self._shop.shown_ids[row],
                "name": _text(products["productDisplayName"].iloc[row]),
                "attributes": search.product_attributes(self._shop, row),
            }
            for row in rows
        ]

    def _photos(self, rows: Sequence[int]) -> list[bytes]:
        return [self._shop.photo(row) for row in rows]


def _text(value: object) -> str:
    return value if isinstance(value, str) else "(without a name)"
