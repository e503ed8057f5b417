"""The storefront: upload a photo, or pick a product, and see the products that look like it.

One ipywidget. What is seen and clicked is in `storefront.js`; this side answers its messages. It
runs in JupyterLab, and by `fashion-rir storefront` as a page of its own (`storefront.server`).

An uploaded photo stays in the memory of the visitor's own process; nothing is written to disk.
"""

from collections.abc import Mapping
from pathlib import Path

import anywidget
import traitlets

from fashion_rir.errors import unknown_name
from fashion_rir.search.gallery import MEASURES
from fashion_rir.storefront import messages, models, photos
from fashion_rir.storefront.shop import Shop, open_shops
from fashion_rir.storefront.visit import Reply, Visit
from fashion_rir.workspace import joined_store
from fashion_rir.workspace.folders import Workspace


def open_storefront(workspace: Workspace, *, model: str | None = None) -> "Storefront":
    """The storefront of a profile.

    Args:
        workspace: of the profile; `prepare.prepare` has been run on it.
        model: what is searched by at first; the first one there if None or not there.

    Raises:
        StoreError: no shop window has been made.
    """
    return Storefront(open_shops(workspace), model=model)


class Storefront(anywidget.AnyWidget):
    """The app: one visitor's state, and the answers to what the page asks."""

    _esm = Path(__file__).with_name("storefront.js")
    _css = Path(__file__).with_name("storefront.css")
    shop_info = traitlets.Dict().tag(sync=True)

    def __init__(self, shops: Mapping[str, Shop], *, model: str | None = None) -> None:
        """Open the first of some catalogues.

        Args:
            shops: from `shop.open_shops`.
            model: as for `open_storefront`.
        """
        self._shops, self._model = dict(shops), model
        self._visits: dict[str, Visit] = {}
        self._catalogue = next(iter(self._shops))
        super().__init__(shop_info=self._about(self._catalogue))
        self.on_msg(self._answer)

    def answer(self, message: object, buffers: list) -> Reply:
        """The answer to one message of the page: a move to another catalogue, or `Visit.answer`."""
        if isinstance(message, dict) and message.get("kind") == "move":
            reply, out = self._move(message.get("catalogue"))
            return reply | {"request": message.get("request")}, out
        return self._visit_of(self._catalogue).answer(message, buffers)

    def _move(self, catalogue: object) -> Reply:
        """Go to another catalogue, with the uploaded photo."""
        if not isinstance(catalogue, str) or catalogue not in self._shops:
            error = unknown_name("catalogue", str(catalogue)[:80], self._shops)
            return {"kind": "error", "text": str(error)}, []
        here, there = self._visit_of(self._catalogue), self._visit_of(catalogue)
        self._catalogue = catalogue
        self.shop_info = self._about(self._catalogue)
        reply, out = there.take_over(here)
        return reply | {"kind": "move"}, out

    def _visit_of(self, catalogue: str) -> Visit:
        if catalogue not in self._visits:
            self._visits[catalogue] = Visit(self._shops[catalogue], self._say)
        return self._visits[catalogue]

    def _about(self, catalogue: str) -> dict[str, object]:
        """What the page is told of a catalogue."""
        shop, visit = self._shops[catalogue], self._visit_of(catalogue)
        names, joined = visit.names, visit.joined
        is_first = self._model in names and joined is None
        return {
            "catalogue": shop.workspace.profile if len(self._shops) == 1 else catalogue,
            "catalogues": list(self._shops),
            "is_own": shop.workspace.is_own,
            "is_drawn": shop.is_drawn,
            "n_products": len(shop.products),
            "models": names,
            "labels": models.labels(names, joined),
            "joined": None if joined is None else joined_store.MODEL,
            "changeable": {} if joined is None else dict(joined.classes),
            "model": self._model if is_first else next(iter(names), None),
            "measures": list(MEASURES),
            "page_sizes": list(messages.PAGE_SIZES),
            "filters": shop.choices,
            "max_bytes": photos.MAX_UPLOAD_BYTES,
            "sent_whole_bytes": photos.SENT_WHOLE_BYTES,
            "kept_side": photos.KEPT_SIDE,
            "fault": "" if names else _no_store(shop.workspace),
        }

    def _answer(self, _: object, message: object, buffers: list) -> None:
        reply, out = self.answer(message, buffers)
        self.send(reply, out)

    def _say(self, text: str) -> None:
        self.send({"kind": "status", "text": f"{text} …"})


def _no_store(workspace: Workspace) -> str:
    folder = workspace.feature_store("any").parent
    return (
        f"There is no feature store in data/{folder.relative_to(workspace.data).as_posix()} that "
        f"holds this catalogue; {models.how_to_embed(workspace)}"
    )
