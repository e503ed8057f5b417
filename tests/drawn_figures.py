"""What tests read from a drawn figure."""

from matplotlib.axes import Axes


def assert_labelled(axes: Axes, title: str) -> None:
    """The title, and a name for each axis."""
    assert axes.get_title() == title
    assert axes.get_xlabel()
    assert axes.get_ylabel()


def texts(axes: Axes) -> list[str]:
    """What is written among the data."""
    return [text.get_text() for text in axes.texts]


def legend(axes: Axes) -> list[str]:
    """The names in the legend of the axes, or else of the whole figure; none without one."""
    shown = [axes.get_legend(), *axes.figure.legends]
    first = next((one for one in shown if one), None)
    return [text.get_text() for text in first.get_texts()] if first else []
