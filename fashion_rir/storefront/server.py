"""The storefront as a web page: Voila, kept to one notebook, one machine, and its own files.

Voila starts a kernel for each visitor and runs in it the cells of notebook 10 that are tagged
`parameters` and `storefront`; the notebook's lesson is left out. It listens on 127.0.0.1, which
no other machine can reach; `WARNING` says what another address would mean.
"""

import contextlib
import ipaddress
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import nbformat
from jupyter_server.utils import url_path_join
from nbformat import NotebookNode
from traitlets.config import Config
from voila.app import Voila

from fashion_rir.errors import ParameterError
from fashion_rir.storefront.api import SearchApi, SearchHandler
from fashion_rir.storefront.prepare import first_model
from fashion_rir.storefront.shop import open_shops
from fashion_rir.workspace.folders import HOME_VARIABLE, Workspace

NOTEBOOK = "10-storefront"

SHOWN_TAGS = ("parameters", "storefront")

IDLE_SECONDS = 20 * 60  # a kernel without a page that long is ended

# Bytes; behind it come /voila_xxxxxxxx/kernel-<36>-ipc-<n>: 103 in all is what macOS takes.
LONGEST_SOCKET_FOLDER = 36

MAX_MESSAGE_BYTES = 10 * 2**20  # an upload of the largest allowed size fits

WARNING = (
    "Careful: at {ip} every machine that reaches this one can use the storefront, and each visitor "
    "starts a Python process. Show it to others only behind a server that encrypts, asks for a "
    "password and limits their number; the catalogue's photos must be yours to show."
)


class StorefrontServer(Voila):
    """Voila with this project's page, and a check that a browser means this host."""

    name = "voila"
    search_api: SearchApi | None = None

    def init_handlers(self) -> list:
        """Voila's own, behind the API's address."""
        path = url_path_join(self.server_url, "search")
        own = [(path, SearchHandler, {"api": self.search_api})] if self.search_api else []
        return [*own, *super().init_handlers()]

    def setup_template_dirs(self) -> None:
        super().setup_template_dirs()
        self.template_paths.insert(0, str(Path(__file__).with_name("page")))

    def init_settings(self) -> dict:
        # Otherwise a hostile page could reach a loopback address under its own host's name.
        is_open = not is_loopback(self.ip)
        return super().init_settings() | {
            "allow_remote_access": is_open,
            "local_hostnames": ["localhost"],
            "websocket_max_message_size": MAX_MESSAGE_BYTES,
        }


def serve(
    workspace: Workspace, parameters: Mapping[str, object], *, ip: str = "127.0.0.1",
    port: int = 8866, open_browser: bool = True,
) -> None:  # fmt: skip
    """Serve the storefront until it is interrupted.

    Args:
        workspace: of the profile; `prepare.prepare` has been run on it.
        parameters: of notebook 10, with `profile`.
        ip: the address to listen on; 127.0.0.1 is reached from this machine only.
        port: the port; the next free one if it is taken.
        open_browser: show it in the reader's browser.

    Raises:
        ParameterError: no address.
    """
    is_loopback(ip)  # refuses what is no address
    os.environ[HOME_VARIABLE] = str(workspace.root)
    app = StorefrontServer(config=server_config(parameters))
    app.notebook_path = str(workspace.root / "notebooks" / f"{NOTEBOOK}.ipynb")
    app.root_dir = str(workspace.root / "notebooks")
    app.ip, app.port, app.open_browser = ip, port, open_browser
    app.search_api = SearchApi(lambda: open_shops(workspace), first_model(parameters))
    app.initialize(argv=[])
    app.start()


def server_config(parameters: Mapping[str, object]) -> Config:
    """Voila's settings: no source, no traceback, no other template, no file of the folder."""

    def prelaunch(_: object, notebook: NotebookNode, cwd: str) -> NotebookNode:
        return page_notebook(notebook, parameters)

    config = Config()
    config.VoilaConfiguration.template = "lab"
    config.VoilaConfiguration.allow_template_override = "NO"
    config.VoilaConfiguration.allow_theme_override = "NO"
    config.VoilaConfiguration.strip_sources = True
    config.VoilaConfiguration.show_tracebacks = False
    config.VoilaConfiguration.file_allowlist = []
    config.VoilaConfiguration.file_denylist = [".*"]
    config.VoilaConfiguration.prelaunch_hook = prelaunch
    config.VoilaConfiguration.extension_denylist = ["jupyterlab_pygments"]  # colours for code
    folder = socket_folder()
    if folder is not None:
        # Files, which only this user can open. Ports are found free and then taken by another
        # when several visitors come at once, and their kernel dies.
        config.KernelManager.transport = "ipc"
        config.Voila.connection_dir_root = folder
    config.AsyncMappingKernelManager.cull_idle_timeout = IDLE_SECONDS
    config.AsyncMappingKernelManager.cull_interval = 60
    return config


def socket_folder() -> str | None:
    """A folder for the kernels' sockets, whose paths may have about a hundred bytes.

    Returns:
        The folder for temporary files, unless its path is too long, as it is on macOS; None where
        there is no short one, or no such sockets.
    """
    if os.name != "posix":
        return None
    for folder in (tempfile.gettempdir(), os.environ.get("XDG_RUNTIME_DIR"), "/tmp"):
        is_short = folder is not None and len(os.fsencode(folder)) <= LONGEST_SOCKET_FOLDER
        if is_short and os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK):
            return folder
    return None


def page_notebook(notebook: NotebookNode, parameters: Mapping[str, object]) -> NotebookNode:
    """The cells of notebook 10 that make the page, with the profile's parameters.

    Args:
        notebook: the whole notebook; it stays as it is.
        parameters: by name, as papermill would inject them.
    """
    cells = []
    for cell in notebook.cells:
        tags = set(cell.metadata.get("tags", []))
        if not tags & set(SHOWN_TAGS):
            continue
        if "parameters" in tags:
            lines = [f"{name} = {value!r}" for name, value in parameters.items()]
            cell = nbformat.v4.new_code_cell("\n".join(lines), metadata={"tags": ["parameters"]})
        cells.append(cell)
    page = nbformat.from_dict({**notebook, "cells": cells})
    page.metadata["title"] = "Find it by photo"
    return page


def is_loopback(ip: str) -> bool:
    """Whether an address is reached from this machine only.

    Raises:
        ParameterError: it is no address.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("0.0.0.0")
        (True, False)
    """
    if ip == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(ip).is_loopback
    raise ParameterError(f"{ip!r} is no IP address; give 127.0.0.1, or the machine's own.")
