"""The storefront: upload a photo, or pick a product, and see the products that look like it.

One ipywidget. What is seen and clicked is in `storefront.js`; this side answers its messages. It
runs in JupyterLab, and by `fashion-rir storefront` as a page of its own (`storefront.server`).

An uploaded photo stays in the memory of the visitor's own process; nothing is written to disk.
"""

from pathlib import Path

import anywidget
import traitlets

from fashion_rir.search.gallery import MEASURES
from fashion_rir.storefront import messages, models, photos
from fashion_rir.storefront.shop import Shop, open_shop
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
    return Storefront(open_shop(workspace), model=model)


class Storefront(anywidget.AnyWidget):
    """The app: one visitor's state, and the answers to what the page asks."""

    _esm = Path(__file__).with_name("storefront.js")
    _css = Path(__file__).with_name("storefront.css")
    shop_info = traitlets.Dict().tag(sync=True)

    def __init__(self, shop: Shop, *, model: str | None = None) -> None:
        self._visit = Visit(shop, self._say)
        names = self._visit.names
        joined = self._visit.joined
        first = model if model in names and joined is None else next(iter(names), None)
        super().__init__(
            shop_info={
                "catalogue": shop.workspace.profile,
                "is_own": shop.workspace.is_own,
                "n_products": len(shop.products),
                "models": names,
                "labels": models.labels(names, joined),
                "joined": None if joined is None else joined_store.MODEL,
                "changeable": {} if joined is None else dict(joined.classes),
                "model": first,
                "measures": list(MEASURES),
                "page_sizes": list(messages.PAGE_SIZES),
                "filters": shop.choices,
                "max_bytes": photos.MAX_UPLOAD_BYTES,
                "sent_whole_bytes": photos.SENT_WHOLE_BYTES,
                "kept_side": photos.KEPT_SIDE,
                "fault": "" if names else _no_store(shop.workspace),
            }
        )
        self.on_msg(self._answer)

    def answer(self, message: object, buffers: list) -> Reply:
        """The answer to one message of the page; see `Visit.answer`."""
        return self._visit.answer(message, buffers)

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
