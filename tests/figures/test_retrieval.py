"""retrieval: a row shows its query, then its matches, hits and misses told apart."""

from matplotlib import pyplot as plt
from PIL import Image

from fashion_rir.figures import retrieval

PICTURE = Image.new("RGB", (60, 80), "red")


def search(*hits: bool) -> retrieval.Search:
    captions = [f"Shirts\n{number}" for number in range(len(hits))]
    return retrieval.Search(PICTURE, "query\nShirts", [PICTURE] * len(hits), captions, hits)


def test_each_search_has_its_row_and_count() -> None:
    figure, axes = retrieval.rows({"a": search(True, False, True), "b": search(False)}, title="All")
    assert len(axes) == 2
    assert figure.get_suptitle() == "All"
    assert [band.get_suptitle() for band in figure.subfigs] == [
        "a: 2 of 3 match",
        "b: 0 of 1 match",
    ]
    titles = [[ax.get_title() for ax in row] for row in axes]
    assert titles[0][:4] == ["query\nShirts", "✓ Shirts\n0", "✗ Shirts\n1", "✓ Shirts\n2"]
    assert titles[1][:3] == ["query\nShirts", "✗ Shirts\n0", ""]


def test_hits_and_misses_have_frames_of_different_colours() -> None:
    _, axes = retrieval.rows({"a": search(True, False)})
    colours = [ax.spines["left"].get_edgecolor() for ax in axes[0][:3]]
    assert len(set(colours)) == 3


def test_a_search_without_a_match_shows_its_query() -> None:
    _, axes = retrieval.rows({"a": search()})
    assert [ax.get_title() for ax in axes[0] if ax.get_title()] == ["query\nShirts"]


def test_a_large_photo_is_made_small_and_stays_as_it_was() -> None:
    large = Image.new("RGB", (3000, 4000))
    _, axes = retrieval.rows({"a": retrieval.Search(large, "", [], [], [])})
    assert axes[0, 0].images[0].get_array().shape == (120, 90, 3)
    assert large.size == (3000, 4000)


def test_a_figure_of_photos_is_a_jpeg_and_shown_once() -> None:
    figure, _ = retrieval.rows({"a": search(True)})
    shown = retrieval.as_photo(figure)
    assert shown.data.startswith(b"\xff\xd8")
    assert plt.get_fignums() == []
