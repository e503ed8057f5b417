"""figure_faults: which texts of a figure cannot be read."""

import json
from pathlib import Path

from figure_faults import FigureCanvasBase, faults, watch
from matplotlib.figure import Figure


def drawn(**labels: str) -> Figure:
    figure = Figure(figsize=(4, 3), layout="constrained")
    figure.subplots().set(**labels)
    return figure


def test_a_figure_that_can_be_read_has_none() -> None:
    assert faults(drawn(title="A title", xlabel="x", ylabel="y")) == []


def test_a_label_longer_than_the_figure_is_cut_off() -> None:
    assert faults(drawn(xlabel="long " * 40)) == [f"{'long ' * 40!r} is cut off"]


def test_texts_over_each_other_are_found_and_those_beside_each_other_not() -> None:
    figure = drawn()
    figure.axes[0].text(0.5, 0.5, "first")
    figure.axes[0].text(0.5, 0.1, "beside")
    assert faults(figure) == []
    figure.axes[0].text(0.52, 0.5, "second")
    assert faults(figure) == ["'first' is written over 'second'"]


def test_a_tick_outside_the_axis_is_not_seen() -> None:
    figure = drawn()
    figure.axes[0].set_xticks([0, 1, 50], ["0", "1", "fifty"])
    figure.axes[0].set_xlim(0, 1)
    assert faults(figure) == []


def test_what_is_saved_is_watched(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(FigureCanvasBase, "print_figure", FigureCanvasBase.print_figure)
    watch(tmp_path / "found.jsonl")
    drawn(title="good").savefig(tmp_path / "good.png")
    assert not (tmp_path / "found.jsonl").exists()
    drawn(title="bad", xlabel="long " * 40).savefig(tmp_path / "bad.png")
    (line,) = (tmp_path / "found.jsonl").read_text().splitlines()
    assert json.loads(line)["figure"] == "bad"
