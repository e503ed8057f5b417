"""docs/your-own-catalogue.md: its commands do what it says, in its order, on fifty photos."""

import csv
import re
import shutil
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from fashion_rir import command_line
from fashion_rir.data import shipped
from fashion_rir.storefront import server

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "your-own-catalogue.md").read_text(encoding="utf-8")

RANDOM = ["--backbone", "mobilenetv2", "--weights", "none"]  # quicker than the joined model

pytestmark = pytest.mark.slow


def commands() -> list[list[str]]:
    """The page's commands, without the program's name."""
    blocks = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    return [line.split()[1:] for block in blocks for line in block.splitlines()]


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A project's folder with fifty of the shipped phone photos and a table of them."""
    for name in ("profiles", "notebooks"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("*-1*"))
    (tmp_path / "photos").mkdir()
    rows = []
    phone = shipped.phone_photos()
    for number, product in enumerate(phone.products.head(50).itertuples()):
        name = f"SKU-{number:04d}"
        photo = phone.source.read(product.image_name)
        (tmp_path / "photos" / f"{name}.jpg").write_bytes(photo)
        brand = ("Acme", "Brio")[number % 2]
        title, kind = product.productDisplayName, product.articleType
        rows.append([name, title, kind, product.baseColour, brand])
    with open(tmp_path / "products.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["sku", "title", "category", "color", "brand"], *rows])
    monkeypatch.setenv("FASHION_RIR_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_command_of_the_page_works_in_its_order(project, monkeypatch):
    served = []
    monkeypatch.setattr(server, "serve", lambda workspace, *_, **__: served.append(workspace))
    outputs = []
    for command in commands():
        random = RANDOM if command[0] == "index" else []
        answer = CliRunner().invoke(command_line.app, [*command, *random])
        assert answer.exit_code == 0, (command, answer.output, answer.exception)
        outputs.append(answer.output)
    alone, found, tabled, again, _ = outputs
    assert "50 embedded now, 0 were, 0 removed" in alone
    assert re.search(r"^SKU-0007 +0\.0000", found, re.MULTILINE)
    assert "50 embedded now" in tabled
    assert "0 embedded now, 50 were, 0 removed" in again
    assert [workspace.profile for workspace in served] == ["my-shop"]


def test_the_drafted_columns_are_those_that_the_page_shows(project):
    answer = CliRunner().invoke(
        command_line.app,
        ["index", "photos", "--table", "products.csv", "--name", "my-shop", *RANDOM],
    )
    assert answer.exit_code == 0, answer.output
    shown = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[1]
    drafted = yaml.safe_load((project / "products.columns.yaml").read_text(encoding="utf-8"))
    assert drafted == yaml.safe_load(shown)


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [(["index", "empty"], "holds no photo"), (["index", "gone"], "is not there"),
     (["index", "photos", "--columns", "my.yaml"], "name it by --table"),
     (["index", "photos", "--table", "products.xls"], "save it as .xlsx"),
     (["index", "photos", "--name", "quick"], "no name for a catalogue"),
     (["index", "photos", "--backbone", "mobilenet"], "did you mean"),
     (["storefront", "--catalogue", "my-shop"], "make it by `fashion-rir index FOLDER")],
)  # fmt: skip
def test_bad_input_is_one_sentence_before_work_starts(project, arguments, fault):
    (project / "empty").mkdir()
    answer = CliRunner().invoke(command_line.app, arguments)
    assert answer.exit_code == 1
    assert fault in str(answer.exception)
    assert not (project / "data").exists()
