"""server: what Voila shows and to whom; the page itself is in test_page."""

import os
import shutil
import tempfile
import uuid
from pathlib import Path

import pytest
import zmq
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from typer.testing import CliRunner

from fashion_rir import command_line
from fashion_rir.errors import ParameterError
from fashion_rir.storefront import prepare, server
from fashion_rir.storefront.server import is_loopback, page_notebook, server_config, socket_folder


def test_the_page_is_the_tagged_cells_with_the_profiles_parameters():
    notebook = new_notebook(
        cells=[
            new_markdown_cell("# 10 · A lesson"),
            new_code_cell("profile = 'quick'", metadata={"tags": ["parameters"]}),
            new_code_cell("long_lesson()"),
            new_code_cell("open_storefront()", metadata={"tags": ["storefront"]}),
        ]
    )
    page = page_notebook(notebook, {"profile": "full", "sample_size": None})
    sources = [cell.source for cell in page.cells]
    assert sources == ["profile = 'full'\nsample_size = None", "open_storefront()"]
    assert len(notebook.cells) == 4


def test_voila_shows_no_source_no_traceback_and_no_file():
    shown = server_config({}).VoilaConfiguration
    assert (shown.strip_sources, shown.show_tracebacks) == (True, False)
    assert (shown.file_allowlist, shown.file_denylist) == ([], [".*"])
    assert (shown.allow_template_override, shown.allow_theme_override) == ("NO", "NO")


@pytest.mark.parametrize(
    ("ip", "expected"),
    [("127.0.0.1", True), ("127.1.2.3", True), ("::1", True), ("localhost", True),
     ("0.0.0.0", False), ("192.168.1.5", False), ("::", False)],
)  # fmt: skip
def test_loopback_addresses_are_known(ip, expected):
    assert is_loopback(ip) is expected


@pytest.mark.parametrize("ip", ["", "*", "example.org", "127.0.0.1:8866"])
def test_what_is_no_address_is_refused(ip):
    with pytest.raises(ParameterError, match="no IP address; give 127.0.0.1"):
        is_loopback(ip)


@pytest.mark.parametrize(("ip", "is_warned"), [("127.0.0.1", False), ("0.0.0.0", True)])
def test_the_command_says_what_to_do_before_others_see_it(monkeypatch, ip, is_warned):
    served = []
    monkeypatch.setattr(prepare, "prepare", lambda *_, **__: None)
    monkeypatch.setattr(server, "serve", lambda *_, **options: served.append(options))
    answer = CliRunner().invoke(command_line.app, ["storefront", "--ip", ip])
    assert answer.exit_code == 0, answer.output
    assert ("encrypts, asks for a password" in answer.output) == is_warned
    assert served == [{"ip": ip, "port": 8866, "open_browser": True}]


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such sockets")
@pytest.mark.parametrize("length", [20, 49, 90, 150])
def test_a_kernel_s_socket_can_be_opened_however_long_the_temporary_folder_is(length, monkeypatch):
    root = Path(tempfile.mkdtemp(dir="/tmp"))
    long = root / ("x" * max(1, length - len(str(root)) - 1))
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    folder = server_config({}).Voila.connection_dir_root
    with zmq.Context() as context, context.socket(zmq.REP) as socket:
        place = Path(tempfile.mkdtemp(prefix="voila_", dir=folder))
        socket.bind(f"ipc://{place}/kernel-{uuid.uuid4()}-ipc-5")
    shutil.rmtree(place)
    shutil.rmtree(root)


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such sockets")
def test_where_no_short_folder_is_kernels_are_reached_by_ports(monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert socket_folder() is None
    assert "transport" not in server_config({}).KernelManager
