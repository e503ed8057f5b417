"""command_line: what it prints, its exit codes, and one sentence for every error."""

import contextlib
import importlib.metadata
import io
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from PIL import Image

from fashion_rir import command_line
from fashion_rir.data import catalog, download
from fashion_rir.data.drawn import shop as drawn_shop
from fashion_rir.embedding.photo_head import PhotoHead
from fashion_rir.embedding.photo_pipeline import PhotoPipeline
from fashion_rir.studies.names import head_name
from fashion_rir.workspace import folders, joined_store, photo_search
from fashion_rir.workspace.short_names import short_name

ROOT = Path(__file__).parents[1]
Command = tuple[int, str, str]

# In the place of `quick`: drawn products, random weights.
SMALL_PROFILE = """
notebooks:
  02-pretrained-baselines:
    catalogue: drawn
    sample_size: null
    seed: 20
    photo_catalogue: drawn
    weights: none
    second_network: resnet50
    second_image_size: 96
    engine: keras
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project folder of its own, so that nothing is written into the repository."""
    root = tmp_path_factory.mktemp("home")
    (root / "notebooks").mkdir()
    (root / "profiles").mkdir()
    for profile in (ROOT / "profiles").glob("*.yaml"):
        (root / "profiles" / profile.name).write_bytes(profile.read_bytes())
    (root / "profiles" / "quick.yaml").write_text(SMALL_PROFILE, encoding="utf-8")
    return root


def run_command(home: Path, *words: object) -> Command:
    """Exit code, stdout and stderr of the command with these words, run in `home`."""
    out, err = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as end,
    ):
        patch.setenv(folders.HOME_VARIABLE, str(home))
        patch.delenv(folders.ARCHIVE_VARIABLE, raising=False)
        patch.setattr(drawn_shop, "generate", partial(drawn_shop.generate, n_products=60))
        patch.setattr(sys, "argv", ["fashion-rir", *map(str, words)])
        command_line.main()
    return end.value.code, out.getvalue(), err.getvalue()


@pytest.fixture
def call(home: Path) -> Callable[..., Command]:
    return partial(run_command, home)


def test_data_check_counts_and_lists(call, home: Path, catalog_folder: Path) -> None:
    (catalog_folder / "images" / "1003.jpg").write_bytes(b"no picture")
    (catalog_folder / "images" / "5555.jpg").write_bytes(b"no row")
    code, out, err = call("data", "check", "--catalogue", catalog_folder)
    assert (code, err) == (0, "")
    counts = dict(line.rsplit(maxsplit=1) for line in out.splitlines()[:-1])
    assert counts["products kept"] == "11"
    assert counts["unreadable photos"] == "1"
    assert counts["photos without a row"] == "1"
    path = home / "data" / "catalog" / "left-out.csv"
    assert out.splitlines()[-1] == f"Left out: 2; each is listed, with the reason, in {path}"
    assert pd.read_csv(path)["where"].tolist() == ["images/1003.jpg", "images/5555.jpg"]


def test_data_check_of_nothing_says_where_to_get_it(call, tmp_path: Path) -> None:
    code, out, err = call("data", "check", "--catalogue", tmp_path / "gone.zip")
    assert (code, out) == (1, "")
    assert err.startswith("Error: There is no catalogue at ")
    assert err.count("\n") == 1


def test_without_an_archive_no_command_takes_the_drawn_one(call) -> None:
    code, out, err = call("data", "check")
    assert (code, out) == (1, "")
    assert err.startswith("Error: FASHION_RIR_ARCHIVE is not set; download")


def test_data_fetch_says_what_to_do_next(call, home: Path, monkeypatch) -> None:
    monkeypatch.setattr(download, "fetch", lambda source, folder: folder / source)
    code, out, _ = call("data", "fetch", "--source", "kaggle")
    assert code == 0
    path = home / "data" / "raw" / "kaggle"
    assert out == f"The catalogue is at {path}\nSet FASHION_RIR_ARCHIVE to this path to use it.\n"


def test_an_encoder_is_not_left_out_in_silence_where_workers_embed(call) -> None:
    code, out, err = call("embed", "--encoder", "own.onnx", "--scheduler", "local")
    assert (code, out) == (1, "")
    assert err.startswith("Error: --encoder and --scheduler do not go together")
    assert err.count("\n") == 1


def test_evaluate_without_records(call) -> None:
    code, out, err = call("evaluate", "--profile", "sample")
    assert (code, out) == (1, "")
    assert err.startswith("Error: There is no retrieval record in ")
    assert err.count("\n") == 1


def test_evaluate_prints_a_table_for_each_set_of_products(call, home: Path) -> None:
    folder = home / "reports" / "full" / "results"
    folder.mkdir(parents=True)
    sources = ["mobilenetv2-128-resize", "mobilenetv2-128-pad", "resnet50-224-pad"]
    joined = head_name("dense512", sources, 20) + "-posterior"
    for name in ("chance-cosine", "resnet50-224-pad-cosine", "label-g-seed20-cosine",
                 f"{joined}-cosine"):  # fmt: skip
        path = ROOT / "reports" / "full" / "results" / f"{short_name(name)}.json"
        (folder / path.name).write_bytes(path.read_bytes())
    code, out, err = call("evaluate", "--profile", "full")
    assert (code, err) == (0, "")
    all_products, sample = out.split("5,015 products")
    assert all_products.startswith("full: held_out, relevant by articleType, 44,072 products")
    assert all_products.index("ResNet50 224 px padded") < all_products.index("chance")
    assert "tuned on types, run g, seed 20" in sample and "left out" not in sample
    assert "\ndense head of 512 on 3 embeddings, posterior, seed 20  cosine" in all_products
    assert "\n3 embeddings: MobileNetV2 128 px padded + " in all_products
    assert "\nWeights: mobilenetv2-imagenet, resnet50-v1.5-pqf-imagenet\n" in all_products
    assert max(map(len, out.splitlines())) < 120
    code, out, err = call("evaluate", "--profile", "full", "--label", "sesaon")
    assert (code, out) == (1, "")
    assert "None of the 4 retrieval records of the profile full was scored by 'sesaon'" in err


def test_a_study_s_pages_are_written_again_one_by_one(call, home: Path) -> None:
    folder = home / "reports" / "sample"
    (folder / "results").mkdir(parents=True)
    record = ROOT / "reports" / "full" / "results" / "eda.json"
    (folder / "results" / "eda.json").write_bytes(record.read_bytes())
    code, out, err = call("ledger", "--profile", "sample")
    assert (code, err) == (0, "")
    assert out.split() == [str(folder / name) for name in ("ledger.md", "ledger.json")]
    code, out, err = call("cards", "--profile", "sample")
    assert (code, err) == (0, "")
    first, *missing = out.splitlines()
    assert first == str(folder / "cards" / "data.md")
    assert all(line.startswith("No training is recorded for the card ") for line in missing)
    code, out, err = call("report", "--profile", "sample")
    assert (code, out, err) == (0, f"The report is at {folder / 'index.html'}\n", "")
    assert (folder / "index.html").exists()


@pytest.mark.parametrize("command", ["report", "ledger", "cards"])
def test_pages_of_no_profile_are_refused_in_one_sentence(call, command: str) -> None:
    code, out, err = call(command, "--profile", "nope")
    assert (code, out) == (1, "")
    assert err.startswith("Error: Unknown profile 'nope'") and err.count("\n") == 1


def test_a_readme_without_records_says_what_is_missing(call, home: Path) -> None:
    (home / "README.md").write_bytes((ROOT / "README.md").read_bytes())
    code, out, err = call("readme")
    assert (code, out) == (1, "")
    assert "There is no record " in err and err.count("\n") == 1


def test_notebooks_are_executed_in_place_and_what_they_log_is_shown(call, tmp_path: Path) -> None:
    cells = [new_code_cell("import sys\n1 + 1"), new_code_cell("print('no', file=sys.stderr)")]
    path = tmp_path / "01-small.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    code, out, err = call("notebooks", path)
    assert (code, out) == (0, f"{path} ...\n")
    assert err == f"{path} wrote to stderr (not kept):\nno\n\n"
    assert nbformat.read(path, as_version=4).cells[0].outputs[0].data == {"text/plain": "2"}
    nbformat.write(new_notebook(cells=[new_code_cell("1 / 0")]), path)
    code, out, err = call("notebooks", path)
    assert code == 1
    assert err.startswith("Error: 01-small.ipynb stopped in cell ")


def test_a_query_that_is_no_picture(call, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    code, out, err = call("search", tmp_path / "text.jpg", "--catalogue", "drawn")
    assert (code, out) == (1, "")
    assert err.startswith("Error: ")
    assert "text.jpg cannot be read as a picture" in err
    assert err.count("\n") == 1


SMALL = ("--image-size", "32")  # the rest is what the profile says


@pytest.fixture(scope="module")
def embedded(home: Path) -> Command:
    """The drawn catalogue in the feature store."""
    return run_command(home, "embed", *SMALL)


def test_embed_says_where_the_embeddings_are(home: Path, embedded: Command) -> None:
    code, out, err = embedded
    path = home / "data" / "features" / "quick" / "mobilenetv2-32-resize.sqlite"
    assert (code, err) == (0, "")
    assert out == f"60 embeddings of 1,280 numbers are in {path}\n"
    assert path.exists()


def test_search_finds_the_product_itself_first(call, home: Path, embedded: Command) -> None:
    shop = catalog.load(home / "data" / "raw" / "drawn")
    row = shop.products.drop_duplicates("image_sha256", keep=False).iloc[7]
    image = home / "data" / "raw" / "drawn" / "images" / row["image_name"]
    code, out, err = call("search", image, "-k", 3, *SMALL)
    assert (code, err) == (0, "")
    head, columns, *lines = out.splitlines()
    assert head == (
        "quick: the 3 nearest of 60 products by mobilenetv2-32-resize (none-seed20), cosine"
    )
    assert columns.split() == ["id", "distance", "articleType", "productDisplayName"]
    assert len(lines) == 3
    product, distance = lines[0].split()[:2]
    assert (product, distance) == (str(row["id"]), "0.0000")
    assert row["articleType"] in lines[0]
    assert row["productDisplayName"] in lines[0]
    distances = [float(line.split()[1]) for line in lines]
    assert distances == sorted(distances)


class Nothing:
    """Embeds every picture as two zeros."""

    image_size = 8

    def embed(self, batch: np.ndarray) -> np.ndarray:
        return np.zeros((len(batch), 2), np.float32)


@pytest.fixture
def red_skirts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is shown, the pipeline is sure of a red skirt."""
    classes = {"articleType": ("Caps", "Skirts"), "baseColour": ("Blue", "Red")}
    sure = np.float32([0, 5])
    arrays = {"mean": np.zeros(2), "scale": np.ones(1), "hidden": np.zeros((2, 1)),
              "hidden_bias": np.zeros(1)}  # fmt: skip
    for label in classes:
        arrays |= {label: np.zeros((1, 2)), f"{label}_bias": sure}
    head = PhotoHead(classes, arrays, {"networks": [], "least_confidence": 0.5})
    monkeypatch.setattr(joined_store, "export", lambda workspace: None)
    monkeypatch.setattr(photo_search, "open_pipeline", lambda _: PhotoPipeline([Nothing()], head))


def drawn_photo(folder: Path) -> Path:
    image = Image.new("RGB", (90, 120), (110, 170, 110))
    image.paste((200, 20, 20), (20, 30, 70, 90))
    image.save(folder / "photo.png")
    return folder / "photo.png"


def test_search_tells_what_a_photo_shows_and_finds_products_of_that(call, red_skirts, tmp_path):
    code, out, err = call("search", drawn_photo(tmp_path), "-k", 3, "--catalogue", "shipped")
    assert (code, err) == (0, "")
    cut, kind, colour, *products = out.splitlines()
    assert cut.startswith("Cut out: ")
    assert kind.startswith("articleType: Skirts 99%")
    assert colour.startswith("baseColour: Red 99%")
    assert len(products) == 3
    assert all(line.split()[1:3] == ["Skirts", "Red"] for line in products)


def test_search_leaves_the_photo_whole_if_told_so(call, red_skirts, tmp_path):
    code, out, _ = call("search", drawn_photo(tmp_path), "--no-cut", "--catalogue", "shipped")
    assert code == 0 and out.startswith("The whole photo is searched.")


@pytest.mark.parametrize(
    "words",
    [("--as-it-is",), ("--backbone", "mobilenetv2", "--image-size", 32)],
    ids=["told so", "a network is named"],
)
def test_search_asks_the_embeddings_where_a_network_is_named_or_it_is_told_so(
    call, red_skirts, tmp_path, words
):
    code, out, err = call("search", drawn_photo(tmp_path), "--catalogue", "shipped", *words)
    assert "articleType:" not in out  # the shipped products have no feature store here
    assert code == 1 and err.startswith("Error: ")


def test_a_photo_is_told_in_any_labelled_catalogue_if_asked_for(call, red_skirts, tmp_path):
    code, out, err = call("search", drawn_photo(tmp_path), "--as-photo", "--catalogue", "drawn")
    assert (code, err) == (0, "") and "articleType: Skirts" in out


def test_search_refuses_the_store_of_another_catalogue(
    call, catalog_folder: Path, embedded: Command
) -> None:
    image = catalog_folder / "images" / "1001.jpg"
    code, out, err = call("search", image, "--catalogue", catalog_folder, *SMALL)
    assert (code, out) == (1, "")
    assert "holds 60 photos that the catalogue lacks" in err


def test_search_refuses_the_store_of_other_weights(
    call, catalog_folder: Path, embedded: Command
) -> None:
    image = catalog_folder / "images" / "1001.jpg"
    code, out, err = call("search", image, "--seed", 21, *SMALL)
    assert (code, out) == (1, "")
    assert "was made with weights 'none-seed20', the query with 'none-seed21'" in err


def test_embed_takes_catalogue_sample_weights_and_size_from_the_profile(
    call, home: Path, catalog_folder: Path, monkeypatch
) -> None:
    text = (home / "profiles" / "quick.yaml").read_text(encoding="utf-8")
    text = text.replace("sample_size: null", "sample_size: 9").replace("size: 96", "size: 32")
    (home / "profiles" / "mine.yaml").write_text(text, encoding="utf-8")
    code, out, err = call("embed", "--profile", "mine", "--backbone", "resnet50")
    path = home / "data" / "features" / "mine" / "resnet50-32-resize.sqlite"
    assert (code, err) == (0, "")
    assert out.endswith(f" embeddings of 2,048 numbers are in {path}\n")
    assert 9 <= int(out.split()[0]) < 60  # one of each type at least
    text = text.replace("weights: none", "").replace(": drawn", ": real")
    (home / "profiles" / "mine.yaml").write_text(text, encoding="utf-8")
    code, out, err = call("embed", "--profile", "mine")
    assert (code, out) == (1, "")
    assert err.startswith("Error: profiles/mine.yaml gives 02-pretrained-baselines no weights;")
    code, out, err = call("embed", "--profile", "mine", "--weights", "none")
    assert err.startswith("Error: FASHION_RIR_ARCHIVE is not set; download")


def test_the_version_is_that_of_the_package(call) -> None:
    code, out, _ = call("--version")
    assert (code, out) == (0, f"fashion-rir {importlib.metadata.version('fashion-rir')}\n")


def test_an_interrupted_command_says_how_to_go_on(call, monkeypatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command_line, "_workspace", interrupt)
    code, out, err = call("evaluate")
    assert (code, out) == (130, "")
    assert err == "Interrupted; run the same command again to go on.\n"


def test_a_wrong_option_is_a_usage_error(call) -> None:
    code, _, err = call("evaluate", "--nothing")
    assert code == 2
    assert "No such option" in err
