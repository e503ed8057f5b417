"""notebook_comparison: which differences between two runs of a notebook are faults."""

import notebook_comparison as comparison
import pytest
import study_runs
from nbformat.v4 import new_code_cell, new_notebook, new_output
from notebook_comparison import compare
from shown_tables import rows_of

from fashion_rir.reporting.notebooks import WIDGET, WIDGET_NOTE


def printed(text: str, **cell: object):
    return new_code_cell("f()", outputs=[new_output("stream", name="stdout", text=text)], **cell)


def shown(**data: str):
    kinds = {"html": "text/html", "plain": "text/plain", "png": "image/png"}
    output = new_output("display_data", {kinds[kind]: text for kind, text in data.items()})
    return new_code_cell("f()", outputs=[output])


def table(*rows: tuple) -> str:
    head, *body = rows
    cells = "".join(f"<th>{cell}</th>" for cell in head)
    lines = [f"<tr><th>{first}</th>" + "".join(f"<td>{cell}</td>" for cell in rest) + "</tr>"
             for first, *rest in body]  # fmt: skip
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def faults(found, committed) -> list[str]:
    return compare(found, committed).faults


@pytest.mark.parametrize(
    ("found", "committed"),
    [
        ("mAP 0.6465", "mAP 0.6451"),
        ("loss 212.4", "loss 212.1"),
        ("p 1e-05", "p 2.4e-05"),
        ("at 0x7f3a21bc4d10", "at 0x7f0000bc4d10"),
        ("a   0.1234\n", "a 0.123\n"),  # a table printed wider
        ("drawn in 3.5 s", "drawn in 9.5 s"),
    ],
)
def test_what_another_processor_may_change_is_no_fault(found, committed):
    assert faults(printed(found), printed(committed)) == []


@pytest.mark.parametrize(
    ("found", "committed"),
    [
        ("mAP 0.649", "mAP 0.645"),
        ("mAP -0.645", "mAP 0.645"),
        ("loss 312.0", "loss 212.0"),
        ("12 hits", "11 hits"),
        ("id 10002", "id 10003"),
        ("mAP nan", "mAP 0.645"),
        ("Shirts 0.5", "Watches 0.5"),
        ("0.5 0.6", "0.5"),
        ("raw0.05", "raw0.06"),  # a name
        ("Keras 3.15.1", "Keras 3.15.2"),
    ],
)
def test_all_else_is_a_fault(found, committed):
    assert len(faults(printed(found), printed(committed))) == 1


def test_more_or_other_outputs_are_a_fault():
    one = printed("a")
    two = new_code_cell("f()", outputs=[*one.outputs, *shown(plain="b").outputs])
    assert faults(two, one) and faults(one, two) and faults(shown(html="a"), one)


def test_a_stream_may_come_in_pieces_and_stderr_is_no_output():
    pieces = [new_output("stream", name="stdout", text=text) for text in ("a\n", "b\n")]
    log = new_output("stream", name="stderr", text="W0000")
    assert faults(new_code_cell("f()", outputs=[log, *pieces]), printed("a\nb\n")) == []


def test_a_widget_is_held_against_the_sentence_in_its_place():
    menu = new_output("display_data", {WIDGET: {"model_id": "5"}, "text/plain": "VBox(...)"})
    assert faults(new_code_cell("f()", outputs=[menu]), shown(plain=WIDGET_NOTE)) == []


def test_a_picture_must_be_there_with_its_axes():
    committed = shown(png="AAAA", plain="<Figure size 900x360 with 1 Axes>")
    assert faults(shown(png="BBBB", plain="<Figure size 900x420 with 1 Axes>"), committed) == []
    assert len(faults(shown(png="AAAA", plain="<Figure size 900x360 with 2 Axes>"), committed)) == 1
    assert faults(new_code_cell("f()"), committed)


def test_of_a_table_each_cell_is_compared():
    committed = shown(html=table(("", "mAP", "queries"), ("pad", "0.62", "119")), plain="")
    near = shown(html=table(("", "mAP", "queries"), ("pad", "0.63", "119")), plain="")
    assert faults(near, committed) == []
    for row in (("pad", "0.72", "119"), ("pad", "0.62", "118"), ("crop", "0.62", "119")):
        found = shown(html=table(("", "mAP", "queries"), row), plain="")
        assert len(faults(found, committed)) == 1
    assert faults(shown(html=table(("", "mAP", "queries")), plain=""), committed)


def test_times_are_left_out_of_a_table():
    committed = shown(html=table(("", "ms an image", "mAP"), ("pad", "3.5", "0.62")))
    assert faults(shown(html=table(("", "ms an image", "mAP"), ("pad", "9.5", "0.62"))),
                  committed) == []  # fmt: skip
    assert faults(shown(html=table(("", "ms an image", "mAP"), ("pad", "3.5", "0.82"))), committed)


HEAD = ("", "model", "mAP")


def test_rows_of_nearly_the_same_number_may_change_places_in_a_sorted_table():
    committed = shown(html=table(HEAD, ("0", "pad", "0.621"), ("1", "crop", "0.620")))
    found = shown(html=table(HEAD, ("0", "crop", "0.622"), ("1", "pad", "0.621")))
    assert faults(found, committed) == []


def test_rows_that_are_out_of_order_are_a_fault():
    committed = shown(html=table(HEAD, ("0", "pad", "0.7"), ("1", "crop", "0.5")))
    assert faults(shown(html=table(HEAD, ("0", "crop", "0.5"), ("1", "pad", "0.7"))), committed)


def test_a_row_that_changed_places_is_held_against_its_own():
    head = (*HEAD, "gain")
    committed = shown(html=table(head, ("0", "a", "0.62", "0.3"), ("1", "b", "0.62", "0.0")))
    found = shown(html=table(head, ("0", "b", "0.62", "0.3"), ("1", "a", "0.62", "0.0")))
    assert len(faults(found, committed)) == 2


def test_columns_are_held_against_those_of_the_same_heading():
    committed = shown(html=table(("", "mAP", "model"), ("0", "0.7", "pad")))
    assert faults(shown(html=table(("", "model", "mAP"), ("0", "pad", "0.7"))), committed) == []
    assert faults(shown(html=table(("", "model", "mAP"), ("0", "0.7", "pad"))), committed)


def test_a_heading_that_spans_rows_stands_in_each():
    html = ("<table><tr><th rowspan='2'>g</th><th>0</th><td>a</td></tr>"
            "<tr><th>1</th><td>b</td></tr></table>between")  # fmt: skip
    assert rows_of(html) == [["g", "0", "a"], ["g", "1", "b"], ["between"]]


def test_a_cell_of_times_is_not_compared():
    timed = printed("3 s", metadata={"tags": [comparison.TIMED]})
    assert faults(printed("4 s", metadata={"tags": [comparison.TIMED]}), timed) == []
    assert not comparison.is_compared(timed)
    assert comparison.is_compared(printed("3"))


def test_notebooks_are_compared_cell_by_cell():
    one, two = printed("1", id="a"), printed("2", id="b")
    papermill = new_code_cell("seed = 20", id="injected")
    committed = new_notebook(cells=[one, two])
    same = new_notebook(cells=[papermill, one, two])
    assert [found.faults for found in comparison.compare_notebooks(same, committed).values()] == [
        [], []]  # fmt: skip
    changed = new_notebook(cells=[printed("1", id="a"), printed("3", id="b")])
    found = comparison.compare_notebooks(changed, committed)
    assert not found["a"].faults and found["b"].faults
    assert comparison.compare_notebooks(new_notebook(cells=[one]), committed)["b"].faults


def test_a_cell_of_which_more_was_measured_has_a_wider_tolerance(monkeypatch):
    monkeypatch.setitem(comparison.WIDER, "chaotic", 0.1)
    assert faults(printed("mAP 0.70", id="chaotic"), printed("mAP 0.65", id="chaotic")) == []
    assert faults(printed("mAP 0.70", id="other"), printed("mAP 0.65", id="other"))
    assert faults(printed("mAP 0.80", id="chaotic"), printed("mAP 0.65", id="chaotic"))


def test_wider_tolerances_are_of_cells_that_are_there():
    ids = {cell.id for path in study_runs.NOTEBOOKS for cell in study_runs.read(path).cells}
    assert set(comparison.WIDER) <= ids
