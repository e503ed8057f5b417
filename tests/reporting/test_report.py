"""report: the pages say what is there and what is missing, and fetch nothing."""

import json
import re
import shutil
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from fashion_rir.reporting import headline, pages, report
from fashion_rir.thesis import claims, ledger
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.folders import Workspace

ROOT = Path(__file__).parents[2]


def write_record(
    workspace: Workspace, model: str, mean_ap: float, protocol: str = "held_out", **fields: str
) -> None:
    estimates = {
        metric: {"value": mean_ap, "low": mean_ap, "high": mean_ap} for metric in headline.METRICS
    }
    about = {"model": model, "backbone": model, "weights": "<none>", **fields}
    inputs = {"profile": workspace.profile, "data_hash": "abc", "n_queries": 9, "model": about,
              "measure": "cosine"}  # fmt: skip
    protocols = {protocol: {"labels": {"articleType": {"micro": estimates}}}}
    record = result_records.make_record("retrieval", f"{model}-cosine", inputs, protocols=protocols)
    result_records.write(record, workspace.results)


def page(workspace: Workspace) -> str:
    index = report.write(workspace)
    assert index == workspace.root / "reports" / workspace.profile / "index.html"
    return index.read_text(encoding="utf-8")


def test_without_a_record_the_index_says_what_is_missing(tmp_path: Path) -> None:
    found = page(Workspace(tmp_path, "full"))
    assert "Not there yet: There is no retrieval record in" in found
    assert "run the notebooks first" in found


def test_the_best_model_stands_first(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, "full")
    write_record(workspace, "vgg16", 0.25)
    write_record(workspace, "resnet50", 0.5)
    found = page(workspace)
    assert found.index("<td>ResNet50</td>") < found.index("<td>vgg16</td>")
    assert found.count("<td>0.500</td>") == len(headline.METRICS)
    assert "&lt;none&gt;" in found
    assert "Not there yet: The" not in found


def test_records_of_another_protocol_are_not_enough(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, "full")
    write_record(workspace, "vgg16", 0.25, protocol="thesis")
    assert "Not there yet: The record vgg16-cosine has nothing on" in page(workspace)


def test_the_first_page_answers_before_it_lists(tmp_path: Path) -> None:
    full = Path(__file__).parents[2] / "reports" / "full"
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "full").symlink_to(full)
    found = page(Workspace(tmp_path, "sample"))
    assert "profile sample</title>" in found
    places = [
        found.index(text) for text in ("Does a photo find", "data:image/png", "<h2>Retrieval")
    ]
    assert places == sorted(places)


@pytest.mark.parametrize("profile", ["quick", "sample"])
def test_the_index_names_its_profile(tmp_path: Path, profile: str) -> None:
    assert f"profile {profile}</title>" in page(Workspace(tmp_path, profile))


def write_executed(workspace: Workspace, name: str, *outputs: dict, source: str = "1") -> None:
    place = report.folder(workspace) / "notebooks"
    place.mkdir(parents=True, exist_ok=True)
    cells = [new_markdown_cell(f"# {name[:2]} · What is there?\n\n## A section"),
             new_code_cell(source, outputs=list(outputs), execution_count=1)]  # fmt: skip
    nbformat.write(new_notebook(cells=cells), place / f"{name}.ipynb")


def picture() -> dict:
    return new_output("display_data", {"image/png": "iVBORw0KGgo=", "text/plain": "<Figure>"})


def alt_of(found: str) -> list[str]:
    return re.findall(r'<img[^>]*alt="([^"]*)"', found)


def test_samples_stand_in_a_table_of_their_own(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, "full")
    write_record(workspace, "of-all", 0.25)
    write_record(workspace, "of-sample", 0.5)
    path = workspace.results / "of-sample-cosine.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"abc"', '"def"'), encoding="utf-8")
    found = page(workspace)
    assert found.count("<table") == 2
    assert "<td>of all</td>" in found and "<td>of sample</td>" in found


def test_a_long_table_is_folded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headline, "MOST_ROWS", 1)
    workspace = Workspace(tmp_path, "full")
    write_record(workspace, "vgg16", 0.25)
    write_record(workspace, "resnet50", 0.5)
    assert "<details><summary>1 more</summary>" in page(workspace)


def test_a_figure_is_described_by_its_title_or_its_section(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, "quick")
    write_executed(
        workspace, "01-titled", picture(), source='plot(title=f"Maps, profile {profile}")'
    )
    write_executed(workspace, "02-computed", picture(), source='plot(title=f"Maps of {name}")')
    write_executed(workspace, "03-untitled", picture())
    page(workspace)
    place = report.folder(workspace) / "notebooks"
    texts = [alt_of(path.read_text(encoding="utf-8")) for path in sorted(place.glob("*.html"))]
    rest = ". The numbers behind it stand in the tables beside it."
    assert texts == [
        [f"Figure: Maps, profile quick{rest}"],
        [f"Figure in the section 'A section'{rest}"],
        [f"Figure in the section 'A section'{rest}"],
    ]


def test_what_was_not_run_is_said(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, "quick")
    write_executed(workspace, "01-run")
    failed = new_output("error", ename="ValueError", evalue="no", traceback=["no"])
    write_executed(workspace, "02-failed", failed)
    (tmp_path / "notebooks").mkdir()
    for name in ("01-run", "03-never"):
        (tmp_path / "notebooks" / f"{name}.ipynb").write_text("{}", encoding="utf-8")
    (report.folder(workspace) / "notebooks" / "04-broken.ipynb").write_text("{", encoding="utf-8")
    found = page(workspace)
    assert '<a href="notebooks/01-run.html">01-run</a>: What is there?' in found
    assert "02-failed: it stopped before its end" in found
    assert "03-never: not run with the profile quick." in found
    assert "04-broken: 04-broken.ipynb is no notebook" in found
    assert "01-run: " not in found.partition("Not there yet")[2]


def test_a_damaged_record_is_named_on_the_page(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, "full")
    workspace.results.mkdir(parents=True)
    (workspace.results / "eda.json").write_text("{", encoding="utf-8")
    found = page(workspace)
    assert "eda.json is no result record" in found


def test_the_ledger_shows_every_claim_and_filters_by_verdict(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, "full")
    found = page(workspace)
    every = claims.load()
    text = (report.folder(workspace) / "ledger.html").read_text(encoding="utf-8")
    assert text.count('<article class="claim"') == len(every)
    buttons = dict(re.findall(r'<button data-verdict="([^"]+)"[^>]*>[^<]*\((\d+)\)', text))
    shown = re.findall(r'<article class="claim" data-verdict="([^"]+)"', text)
    assert {name: shown.count(name) for name in shown} == {k: int(v) for k, v in buttons.items()}
    assert 'class="filters" role="group" aria-label="Show by verdict" hidden' in text
    assert '<a href="ledger.html">' in found


def test_the_index_names_the_records_that_the_ledger_lacks() -> None:
    assert report._waiting({}) == []
    coverage = {"first": ["a", "b"], "second": ["b"]}
    assert report._waiting(coverage) == ["Ledger: 2 claims wait for 2 records: first, second."]
    coverage = {str(n): ["a"] for n in range(7)}
    assert report._waiting(coverage)[0].endswith("7 records: 0, 1, 2, 3, 4 and 2 more.")


def test_the_words_of_the_report_are_explained(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, "full")
    assert "glossary.html" not in page(workspace)
    shutil.copy(ROOT / "README.md", tmp_path)
    assert '<a href="glossary.html">Glossary</a>' in page(workspace)
    text = (report.folder(workspace) / "glossary.html").read_text(encoding="utf-8")
    assert "<td>feature store</td>" in text and "Licence" not in text


def test_the_ledger_of_the_quick_profile_is_that_of_the_full_run(tmp_path: Path) -> None:
    committed = ROOT / "reports" / "full" / "results"
    shutil.copytree(committed, Workspace(tmp_path, "full").results)
    found = page(Workspace(tmp_path, "quick"))
    assert "by the committed records of the full run" in found
    quick, full = (json.loads((tmp_path / "reports" / profile / "ledger.json").read_text("utf-8"))
                   for profile in ("quick", write_full(tmp_path)))  # fmt: skip
    assert quick == full
    assert quick["summary"]["reproduced"] > 30


def write_full(root: Path) -> str:
    ledger.write(Workspace(root, "full"))
    return "full"


def test_the_thesis_page_links_the_cell_and_the_claim(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, "full")
    (tmp_path / "notebooks").mkdir()
    cell = new_code_cell('draw(title="Bars (Figure 5.2.10)")', id="a1b2c3d4")
    nbformat.write(new_notebook(cells=[cell]), tmp_path / "notebooks" / "06-run.ipynb")
    page(workspace)
    text = (report.folder(workspace) / "thesis.html").read_text(encoding="utf-8")
    assert "06-run, cell 1" in text and "notebooks/06-run.html" not in text  # was not run
    write_executed(workspace, "06-run")
    page(workspace)
    text = (report.folder(workspace) / "thesis.html").read_text(encoding="utf-8")
    assert '<a href="notebooks/06-run.html#cell-id=a1b2c3d4">06-run</a>' in text
    claim = next(one for one in claims.load() if one.where == "Figure 5.2.10")
    assert f'href="ledger.html#{claim.id}"' in text


def test_every_verdict_has_a_sign_beside_its_colourless_word() -> None:
    assert set(report.SIGNS) == set(ledger.VERDICTS)


def test_the_report_of_the_committed_records_has_all_parts(tmp_path: Path) -> None:
    committed = Path(__file__).parents[2] / "reports" / "full" / "results"
    workspace = Workspace(tmp_path, "full")
    shutil.copytree(committed, workspace.results)
    found = page(workspace)
    assert "44,072 products" in found
    assert 'href="cards/data.html"' in found
    card = (report.folder(workspace) / "cards" / "label-heads.html").read_text(encoding="utf-8")
    assert '<div class="scroll text"><table>' in card
    assert "reproduced: " in found


def test_no_page_fetches_anything(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, "quick")
    write_executed(workspace, "01-run", picture(), source='plot(title="A title")')
    page(workspace)
    pages = list(report.folder(workspace).rglob("*.html"))
    assert len(pages) >= 3
    for path in pages:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"""(src|href)=["']?(https?:)?//""", text), path
        for fetched in ("<link", "@import", "url(", "<script src", "<iframe"):
            assert fetched not in text, path
        assert '<meta name="viewport"' in text
        assert "prefers-color-scheme: dark" in text and "@media print" in text
    assert "<script" not in (report.folder(workspace) / "index.html").read_text(encoding="utf-8")


def test_a_title_is_never_read_as_html() -> None:
    assert "<title>&lt;b&gt;</title>" in pages.render("page.html", title="<b>", body="")


def test_seeds_of_a_model_stand_in_one_row(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, "full")
    about = {"backbone": "hog+vgg16", "family": "label-heads", "searched": "posterior"}
    for seed, mean_ap in (("20", 0.4), ("21", 0.6)):
        write_record(workspace, f"probe-{seed}", mean_ap, seed=seed, **about)
    found = page(workspace)
    assert found.count("<td>linear probe on 2 embeddings, posterior</td>") == 1
    assert "2 embeddings: HOG + vgg16." in found
    assert "<td>± 0.141 over seeds</td>" in found
    assert "<td>0.500</td>" in found
