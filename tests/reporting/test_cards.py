"""cards: every number is a record's; the committed cards are fresh; what is missing is said."""

from pathlib import Path

import pytest

from fashion_rir.data import catalog
from fashion_rir.data.drawn import shop
from fashion_rir.errors import RecordError
from fashion_rir.reporting import cards
from fashion_rir.studies.analysis import counts
from fashion_rir.studies.study import Study
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.folders import Workspace

ROOT = Path(__file__).parents[2]
FULL = Workspace(ROOT, "full")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, "full")


ABOUT = {"backbone": "resnet50+hog", "image_size": "64+32", "preprocessing": "pad+pad",
         "weights": "resnet50-v1.5-pqf-imagenet", "head": '{"hidden": null}'}  # fmt: skip


def write_training(workspace: Workspace, name: str, seed: int, family: str = "label-heads") -> str:
    """The record's hash, which a model that was trained so says."""
    about = {"family": family, "run": name, "seed": str(seed)}
    inputs = {"profile": workspace.profile, "data_hash": "abc", "n_products": 1000, "n_fit": 700,
              "n_validation": 100, "n_test": 200, "seed": seed, "run": name,
              "model": ABOUT | about}  # fmt: skip
    record = result_records.make_record(
        "training", f"{name}-seed{seed}", inputs, curve=[{"epoch": 1}, {"epoch": 2}],
        accuracy={"micro": 0.5 + seed / 100}, timings={"training_seconds": 90.0},
    )  # fmt: skip
    result_records.write(record, workspace.results)
    return record["inputs_hash"]


def write_retrieval(
    workspace: Workspace, run: str, seed: int, mean_ap: float, training: str,
    *, measure: str = "cosine",
) -> None:  # fmt: skip
    estimate = {"value": mean_ap, "low": mean_ap - 0.01, "high": mean_ap + 0.01}
    micro = {"mAP": estimate, "precision@10": estimate}
    labels = {"labels": {"articleType": {"micro": micro}}}
    name = f"{run}-seed{seed}-posterior"
    about = {"model": name, "family": "label-heads", "run": run, "seed": str(seed),
             "searched": "posterior", "training": training,
             "weights_sha256": "0123456789abcdef"}  # fmt: skip
    inputs = {"profile": workspace.profile, "data_hash": "abc", "measure": measure,
              "model": ABOUT | about}  # fmt: skip
    record = result_records.make_record("retrieval", f"{name}-{measure}", inputs,
                                 protocols={"held_out": labels})  # fmt: skip
    result_records.write(record, workspace.results)


def rows(card: str, start: str) -> list[list[str]]:
    """The cells of a card's table rows whose first cell begins so."""
    lines = [line for line in card.splitlines() if line.startswith(f"| {start}")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_committed_cards_are_those_of_the_committed_records() -> None:
    written, _ = cards.texts(FULL)
    folder = cards.card_folder(FULL)
    assert sorted(written) == sorted(path.stem for path in folder.glob("*.md"))
    for name, text in written.items():
        committed = (folder / f"{name}.md").read_text(encoding="utf-8")
        assert committed == text, "stale; run: fashion-rir cards --profile full"


def test_seeds_stand_in_one_row(workspace: Workspace) -> None:
    for seed, mean_ap in ((20, 0.6), (21, 0.7)):
        write_retrieval(workspace, "probe", seed, mean_ap, write_training(workspace, "probe", seed))
    card = cards.texts(workspace)[0]["label-heads"]
    training, scores = rows(card, "linear probe on 2 embeddings")
    assert training[1:7] == ["2", "700", "100", "200", "2", "1.5"]
    assert training[7] == "0.705"  # the mean of 0.70 and 0.71
    assert scores == ["linear probe on 2 embeddings, posterior", "2", "0.650", "", "0.650", "",
                      "0.071", "0.590 to 0.610", "`0123456789ab`"]  # fmt: skip
    assert "\n2 embeddings: HOG 32 px padded + ResNet50 64 px padded.\n" in card


def test_a_model_whose_training_is_not_recorded_is_left_out(workspace: Workspace) -> None:
    for seed in (2, 20):
        write_retrieval(workspace, "probe", seed, 0.5, write_training(workspace, "probe", seed))
    write_retrieval(workspace, "probe", 200, 0.9, "another")
    card = cards.texts(workspace)[0]["label-heads"]
    assert [row[1] for row in rows(card, "linear probe")] == ["2", "2"]


def test_other_measures_and_other_models_are_left_out(workspace: Workspace) -> None:
    training = write_training(workspace, "probe", 20)
    write_retrieval(workspace, "probe", 20, 0.5, training, measure="manhattan")
    write_retrieval(workspace, "other", 20, 0.5, "another")
    card = cards.texts(workspace)[0]["label-heads"]
    assert "No retrieval by cosine is recorded of these models yet." in card
    assert "a stand-in for the Keras release" in card


@pytest.mark.parametrize("kind", cards.kinds())
def test_each_training_has_its_card(workspace: Workspace, kind: str) -> None:
    write_training(workspace, "some-net", 20, kind)
    found, missing = cards.texts(workspace)
    assert list(found) == [kind]
    assert found[kind].startswith(f"# Model card: {cards.kinds()[kind]['title']}\n")
    assert len(missing) == len(cards.kinds()) - 1 + 1  # the other kinds, and the data card


def test_every_committed_training_has_a_card() -> None:
    cards_text = "\n".join(cards.texts(FULL)[0].values())
    records = [result_records.read(FULL.results, path.stem)
               for path in FULL.results.glob("*.json")]  # fmt: skip
    seeds: dict[tuple, list[dict]] = {}
    for one in records:
        if one["kind"] == "training":
            inputs = {key: value for key, value in one["inputs"].items() if key != "seed"}
            model = {key: value for key, value in inputs["model"].items() if key != "seed"}
            seeds.setdefault(str(inputs | {"model": model}), []).append(one)
    assert len(seeds) > 20
    for found in seeds.values():
        first = min(found, key=lambda one: one["inputs"]["seed"])
        assert cards_text.count(f"| `{first['inputs_hash'][:12]}` |") == 1


def test_no_card_calls_a_model_by_the_name_of_a_file() -> None:
    lines = "\n".join(cards.texts(FULL)[0].values()).splitlines()
    first_cells = [line.split("|")[1] for line in lines if line.startswith("| ")]
    assert len(first_cells) > 50
    for cell in first_cells:
        assert "-seed" not in cell and "-resize" not in cell and "+mobilenetv2" not in cell


def test_the_data_card_counts_what_the_record_counts(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, "quick")
    products = catalog.load(shop.generate(tmp_path / "raw", n_products=60))
    record = counts.summarise(Study(workspace, products, 1))
    card = cards.data_card(record)
    assert "60 products are used" in card
    gender = counts.counts(record, "gender")
    assert f"{gender.index[0]} {gender.iloc[0] / 60:.1%}" in card
    assert rows(card, "`articleType`")[0][1] == str(len(record["counts"]["articleType"]))


def test_writing_removes_a_card_whose_records_are_gone(workspace: Workspace) -> None:
    write_training(workspace, "probe", 20)
    folder = cards.card_folder(workspace)
    folder.mkdir()
    (folder / "from-scratch.md").write_text("old", encoding="utf-8")
    paths, missing = cards.write(workspace)
    assert [path.name for path in paths] == ["label-heads.md"]
    assert [path.name for path in folder.iterdir()] == ["label-heads.md"]
    assert "The data card needs the record of notebook 01." in missing


def test_without_records_there_is_no_card_and_the_reasons_are_said(workspace: Workspace) -> None:
    found, missing = cards.texts(workspace)
    assert found == {}
    assert len(missing) == 1 + len(cards.kinds())


def test_a_damaged_record_is_named(workspace: Workspace) -> None:
    workspace.results.mkdir(parents=True)
    (workspace.results / "broken.json").write_text("{", encoding="utf-8")
    with pytest.raises(RecordError, match="broken.json is no result record"):
        cards.texts(workspace)


def test_a_card_says_on_what_products_and_pixels() -> None:
    text = cards.texts(FULL)[0]["label-end-to-end"]
    said = "Trained and tested on 5,015 products at 64 pixels; 44,072 products at 80 pixels."
    assert said in text
