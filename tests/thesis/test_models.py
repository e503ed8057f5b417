"""models: the table of the thesis' models goes with what else is said of them."""

from pathlib import Path

from fashion_rir.thesis import models, numbers
from fashion_rir.workspace import words

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def test_the_nine_models_stand_in_the_thesis_order() -> None:
    table = models.table()
    assert "".join(table.index) == "abcdefghi"
    assert table.notna().all(axis=None)


def test_pretrained_models_are_named_as_in_every_other_table() -> None:
    table = models.table()
    pixels = {"mobilenetv2": "128", "resnet50": "224"}
    for (backbone, preprocessing, measure), letter in numbers.THESIS_MODELS.items():
        model = {"backbone": backbone, "image_size": pixels[backbone],
                 "preprocessing": preprocessing}  # fmt: skip
        assert table.loc[letter, "our name"] == words.in_words(model)
        assert table.loc[letter, "measure"].lower() == measure


def test_trained_models_are_named_as_in_every_other_table() -> None:
    table = models.table()
    families = {"g": "label-end-to-end", "h": "contrastive-end-to-end"}
    for letter, run in {"g": "g", "h": "h-32"}.items():
        model = {"backbone": "resnet50", "family": families[letter], "run": run}
        assert table.loc[letter, "our name"] == words.in_words(model)


def test_the_notebooks_that_it_names_are_there() -> None:
    table = models.table()
    numbers_named = {one for column in ("trained in", "scored in") for cell in table[column]
                     for one in cell.split(", ") if one != "–"}  # fmt: skip
    assert all(list(NOTEBOOKS.glob(f"{number}-*.ipynb")) for number in numbers_named)
