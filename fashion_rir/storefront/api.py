"""The storefront for programs: `POST /search` takes a photo or a product, and gives JSON.

The same messages, checks and limits as the page's. What is wrong with a request is answered by
status 400 and one sentence.
"""

import base64
import binascii
import json
import threading
from asyncio import get_running_loop
from collections.abc import Callable, Mapping

from jupyter_server.base.handlers import JupyterHandler
from tornado import httputil, web

from fashion_rir.errors import FashionRirError, ParameterError, unknown_name
from fashion_rir.storefront.photos import MAX_UPLOAD_BYTES
from fashion_rir.storefront.shop import Shop
from fashion_rir.storefront.visit import Visit

MAX_BODY_BYTES = MAX_UPLOAD_BYTES * 4 // 3 + 100_000  # base64 takes a third more

FIELDS = ("photo", "product", "box", "settings", "words", "catalogue")

HOW_TO_ASK = (
    "Send a photo, a product's id or words, such as `curl -F photo=@photo.jpg ADDRESS/search` or "
    "`curl --json '{\"product\": 15970}' ADDRESS/search`."
)

# What a reply of the page holds that only the page needs.
FOR_THE_PAGE = ("kind", "request", "curve", "query_card")


class SearchApi:
    """Answers requests, one at a time; a search takes a fraction of a second.

    Opened on the first request, so that a storefront without any pays nothing.
    """

    def __init__(
        self, open_shops: Callable[[], Mapping[str, Shop]], model: str | None = None
    ) -> None:
        """Say where the catalogues are.

        Args:
            open_shops: opens them, by name; the first is searched if a request names none.
            model: what is searched by if a request names none; the first one if None.
        """
        self._open_shops, self._model = open_shops, model
        self._shops: Mapping[str, Shop] = {}
        self._visits: dict[str, Visit] = {}
        self._lock = threading.Lock()

    def answer(self, content_type: str, body: bytes) -> tuple[int, dict[str, object]]:
        """The answer to one request.

        Args:
            content_type: of the body: `application/json`, or a form as `curl -F` sends it.
            body: at most `MAX_BODY_BYTES` of it.

        Returns:
            Status 200 and what was found, or 400 and one sentence as `error`.
        """
        try:
            photo, message = read_request(content_type, body)
            with self._lock:
                return self._search(photo, message)
        except FashionRirError as error:
            return 400, {"error": str(error)}

    def _search(self, photo: bytes | None, message: dict) -> tuple[int, dict[str, object]]:
        visit = self._visit_of(message.pop("catalogue", None))
        names = visit.names
        is_first = self._model in names and visit.joined is None
        model = self._model if is_first else next(iter(names), "")
        settings = message.get("settings", {})
        said = message.pop("words", None)
        if isinstance(settings, dict):
            settings = {"model": model, **settings, **({"words": said} if said else {})}
        by_words = photo is None and message.get("product") is None
        asked = [({**message, "kind": "search", "settings": settings, "by_words": by_words}, [])]
        if photo is not None:
            asked.insert(0, ({"kind": "upload", "name": "The photo"}, [photo]))
        for one in asked:
            reply, _ = visit.answer(*one)
            if reply["kind"] == "error":
                return 400, {"error": reply["text"]}
        found = {name: value for name, value in reply.items() if name not in FOR_THE_PAGE}
        return 200, {"model": settings["model"], **found}

    def _visit_of(self, catalogue: object) -> Visit:
        if not self._shops:
            self._shops = self._open_shops()
        name = next(iter(self._shops)) if catalogue is None else catalogue
        if not isinstance(name, str) or name not in self._shops:
            raise unknown_name("catalogue", str(name)[:80], self._shops)
        if name not in self._visits:
            self._visits[name] = Visit(self._shops[name])
        return self._visits[name]


def read_request(content_type: str, body: bytes) -> tuple[bytes | None, dict[str, object]]:
    """What a request asks for.

    Args:
        content_type: as for `SearchApi.answer`.
        body: of the request.

    Returns:
        The photo's bytes, if there is one, and the other fields.

    Raises:
        ParameterError: too large, no JSON and no form, an unknown field, or not exactly one of
            photo and product.
    """
    if len(body) > MAX_BODY_BYTES:
        raise ParameterError(
            f"The request is too large: a photo may have {MAX_UPLOAD_BYTES / 1e6:.0f} MB. Scale it "
            "down first."
        )
    is_form = content_type.startswith("multipart/form-data")
    fields = _form(content_type, body) if is_form else _json(body)
    if not isinstance(fields, dict):
        raise ParameterError(HOW_TO_ASK)
    for name in fields:
        if name not in FIELDS:
            raise unknown_name("field", name[:80], FIELDS)
    photo = fields.pop("photo", None)
    given = [photo is not None, fields.get("product") is not None]
    if all(given) or not any((*given, fields.get("words"))):
        raise ParameterError(HOW_TO_ASK)
    if isinstance(photo, str):
        try:
            photo = base64.b64decode(photo.partition("base64,")[2] or photo, validate=True)
        except (binascii.Error, ValueError) as error:
            raise ParameterError("The photo is no base64; send its bytes so, or as a form.") from (
                error
            )
    if photo is not None and not isinstance(photo, bytes):
        raise ParameterError("The photo is no base64; send its bytes so, or as a form.")
    return photo, fields


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ParameterError(f"The request is no JSON. {HOW_TO_ASK}") from error


def _form(content_type: str, body: bytes) -> dict[str, object]:
    texts: dict[str, list[bytes]] = {}
    files: dict[str, list[httputil.HTTPFile]] = {}
    try:
        httputil.parse_body_arguments(content_type, body, texts, files)
        found = {name: values[-1].decode() for name, values in texts.items()}
    except (httputil.HTTPInputError, ValueError) as error:
        raise ParameterError(f"The form cannot be read. {HOW_TO_ASK}") from error
    fields: dict[str, object] = {name: values[-1]["body"] for name, values in files.items()}
    for name, text in found.items():
        fields[name] = _json(text.encode()) if name in ("settings", "box") else text
    return fields


@web.stream_request_body
class SearchHandler(JupyterHandler):
    """`POST /search`. Jupyter's handler refuses requests that mean another host."""

    def initialize(self, api: SearchApi) -> None:
        self._api, self._parts = api, []

    def check_xsrf_cookie(self) -> None:
        """No cookie is needed: a search changes nothing, and other sites cannot read its answer."""

    async def prepare(self) -> None:
        self.request.connection.set_max_body_size(2 * MAX_BODY_BYTES)
        length = self.request.headers.get("Content-Length", "0")
        if length.isdecimal() and int(length) > MAX_BODY_BYTES:
            self._say(*self._api.answer("", b" " * (MAX_BODY_BYTES + 1)))
            return
        await super().prepare(_redirect_to_login=False)

    def data_received(self, chunk: bytes) -> None:
        if sum(map(len, self._parts)) <= MAX_BODY_BYTES:
            self._parts.append(chunk)

    @web.authenticated
    async def post(self) -> None:
        content_type = self.request.headers.get("Content-Type", "")
        answered = get_running_loop().run_in_executor(
            None, self._api.answer, content_type, b"".join(self._parts)
        )
        self._say(*await answered)

    def get(self) -> None:
        """Say how to ask."""
        self._say(400, {"error": HOW_TO_ASK})

    def write_error(self, status_code: int, **_: object) -> None:
        """What Tornado or Jupyter refuses, such as another host's name, in one sentence too."""
        text = f"The server refused the request ({self._reason}). {HOW_TO_ASK}"
        self._say(status_code, {"error": text})

    def _say(self, status: int, reply: dict[str, object]) -> None:
        self.set_status(status)
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.finish(json.dumps(reply, ensure_ascii=False))
