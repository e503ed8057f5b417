"""boxes: boxes by hand, drawn products composed and split again, a search that cheats."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from fashion_rir.data.drawn.drawing import draw
from fashion_rir.data.drawn.sketch import Look
from fashion_rir.errors import ParameterError
from fashion_rir.search import boxes as search_boxes
from fashion_rir.search.boxes import (
    Box,
    Search,
    compose,
    composed,
    crop,
    intersection_over_union,
    match_boxes,
    split,
    study,
)

TYPES = ("Tshirts", "Handbags", "Watches", "Casual Shoes")


def product(article_type: str, *, seed: int = 0) -> Image.Image:
    """A drawn product of 60x80 pixels."""
    look = Look((40, 60, 150), (200, 60, 40), "plain", "Women", False)
    return draw(article_type, look, np.random.default_rng(seed))


def photo_of(*boxes: Box, size=(200, 100), background="white", colour="navy") -> Image.Image:
    """Filled rectangles on an even background."""
    photo = Image.new("RGB", size, background)
    for left, top, right, bottom in boxes:
        ImageDraw.Draw(photo).rectangle((left, top, right - 1, bottom - 1), fill=colour)
    return photo


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((0, 0, 4, 4), (0, 0, 4, 4), 1.0),
        ((0, 0, 4, 4), (2, 0, 6, 4), 8 / 24),
        ((0, 0, 4, 4), (1, 1, 3, 3), 4 / 16),
        ((0, 0, 4, 4), (4, 0, 8, 4), 0.0),  # side by side: the right edge is outside
        ((0, 0, 4, 4), (6, 6, 8, 8), 0.0),
    ],
)
def test_intersection_over_union(first: Box, second: Box, expected: float) -> None:
    assert intersection_over_union(first, second) == pytest.approx(expected)
    assert intersection_over_union(second, first) == pytest.approx(expected)


def test_an_empty_box_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"\(3, 0, 3, 4\) is empty"):
        intersection_over_union((0, 0, 4, 4), (3, 0, 3, 4))
    with pytest.raises(ParameterError, match="four finite numbers"):
        intersection_over_union((0, 0, 4), (0, 0, 4, 4))
    with pytest.raises(ParameterError, match="four finite numbers .* 'b'"):
        intersection_over_union((0, "b", 4, 4), (0, 0, 4, 4))
    with pytest.raises(ParameterError, match="four finite numbers .* nan"):
        intersection_over_union((0, 0, 4, np.nan), (0, 0, 4, 4))


def test_boxes_are_matched_by_the_largest_overlap_first() -> None:
    true = [(0, 0, 10, 10), (20, 0, 30, 10), (40, 0, 50, 10)]
    found = [(0, 0, 10, 8), (0, 0, 10, 9), (20, 0, 24, 10)]  # 0.8 and 0.9 of one; 0.4 of another
    matches = match_boxes(found, true)
    assert matches.pairs == [(1, 0)]
    assert (matches.recall, matches.precision) == (1 / 3, 1 / 3)
    loose = match_boxes(found, true, least=0.4)
    assert loose.pairs == [(1, 0), (2, 1)]
    assert (loose.recall, loose.precision) == (2 / 3, 2 / 3)


def test_nothing_found_has_no_precision() -> None:
    matches = match_boxes([], [(0, 0, 1, 1)])
    assert (matches.pairs, matches.recall, matches.precision) == ([], 0, 0)


@pytest.mark.parametrize(
    ("true", "least", "message"),
    [([], 0.5, "no true box"), ([(0, 0, 1, 1)], 0, "not 0"), ([(0, 0, 1, 1)], 1.5, "not 1.5")],
)
def test_match_boxes_refuses(true: list[Box], least: float, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        match_boxes([(0, 0, 1, 1)], true, least=least)


@pytest.mark.parametrize("n_pictures", [2, 3, 4])
def test_composed_products_do_not_overlap(n_pictures: int) -> None:
    pictures = [product(article_type) for article_type in TYPES[:n_pictures]]
    layouts = set()
    for seed in range(20):
        photo, boxes = compose(pictures, size=(200, 160), seed=seed)
        assert photo.size == (200, 160)
        assert len(boxes) == n_pictures
        outside = np.asarray(photo).copy()
        for number, (left, top, right, bottom) in enumerate(boxes):
            assert 0 <= left < right <= 200
            assert 0 <= top < bottom <= 160
            assert not any(
                intersection_over_union(boxes[number], other) for other in boxes[:number]
            )
            assert outside[top:bottom, left:right].min() < 240  # a product is there
            outside[top:bottom, left:right] = 255
        assert (outside == 255).all()  # and nowhere else
        layouts.add(tuple(boxes))
    assert len(layouts) == 20


def test_a_composed_box_keeps_the_products_shape() -> None:
    # White margins are cut off: of the 60x80 picture, 40x20 pixels are left.
    wide = photo_of((10, 30, 50, 50), size=(60, 80))
    for seed in range(10):
        _, boxes = compose([wide, wide], size=(300, 300), seed=seed)
        for left, top, right, bottom in boxes:
            assert (right - left) / (bottom - top) == pytest.approx(2, rel=0.05)


def test_composition_depends_on_the_seed_alone() -> None:
    pictures = [product("Tshirts"), product("Watches")]
    first, again = (compose(pictures, size=(200, 160), seed=3) for _ in range(2))
    assert first[1] == again[1]
    assert first[0].tobytes() == again[0].tobytes()


def test_compose_refuses() -> None:
    one = product("Tshirts")
    for n_pictures in (0, 1, 5):
        with pytest.raises(ParameterError, match=f"2 to 4 pictures, not of {n_pictures}"):
            compose([one] * n_pictures, size=(200, 200), seed=0)
    with pytest.raises(ParameterError, match="Picture 1 is all white"):
        compose([one, Image.new("RGB", (60, 80), "white")], size=(200, 200), seed=0)
    with pytest.raises(ParameterError, match="Picture 0 has the mode L"):
        compose([one.convert("L"), one], size=(200, 200), seed=0)
    for seed in range(5):  # whatever the layout
        with pytest.raises(ParameterError, match="72 x 300 .* make it 128 pixels wide and high"):
            compose([one] * 4, size=(72, 300), seed=seed)
        compose([one] * 4, size=(128, 128), seed=seed)


def test_split_finds_the_boxes_the_largest_first() -> None:
    small, large = (10, 20, 40, 50), (80, 10, 180, 90)
    assert split(photo_of(small, large)) == [large, small]
    assert split(photo_of(small, large), most=1) == [large]


def test_split_finds_a_single_product() -> None:
    assert split(photo_of((60, 20, 140, 80))) == [(60, 20, 140, 80)]


@pytest.mark.parametrize("background", ["white", "black", (90, 140, 200)])
def test_the_background_may_have_any_colour(background: str | tuple) -> None:
    assert split(photo_of((60, 20, 140, 80), background=background, colour="red")) == [
        (60, 20, 140, 80)
    ]


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (200, 100)])
def test_a_blank_photo_is_one_box(size: tuple[int, int]) -> None:
    assert split(Image.new("RGB", size, "beige")) == [(0, 0, *size)]
    assert split(photo_of(size=size, background=(250, 250, 250))) == [(0, 0, *size)]


def test_dirt_is_dropped() -> None:
    # A small box holds less than 0.002 * 200 * 100 = 40 pixels.
    found = split(photo_of((60, 20, 140, 80), (5, 5, 8, 8), (180, 80, 186, 86), (5, 80, 12, 87)))
    assert found == [(60, 20, 140, 80), (5, 80, 12, 87)]
    assert split(photo_of((5, 5, 8, 8))) == [(0, 0, 200, 100)]


def test_boxes_that_overlap_are_merged() -> None:
    # An L and, in its corner, a block that does not touch it.
    photo = photo_of((20, 10, 30, 90), (20, 80, 100, 90), (60, 20, 90, 60))
    assert split(photo) == [(20, 10, 100, 90)]
    # A merged box can reach a third one: all three become one.
    chain = [(0, 0, 4, 4), (6, 6, 9, 9), (3, 3, 7, 5), (5, 4, 8, 7)]
    assert search_boxes._merged(chain) == [(0, 0, 9, 9)]


def test_noise_and_faint_shadows_are_background() -> None:
    noise = np.random.default_rng(0).normal(180, 8, (100, 200, 3)).clip(0, 255).astype(np.uint8)
    noise[20:80, 60:140] = (30, 30, 90)
    assert split(Image.fromarray(noise)) == [(60, 20, 140, 80)]
    photo = photo_of((60, 75, 160, 90), colour=(243, 243, 243))
    photo.paste(photo_of((0, 0, 80, 60), size=(80, 60)), (60, 20))
    assert split(photo) == [(60, 20, 140, 80)]


def test_split_recovers_drawn_products() -> None:
    n_right = n_found = n_true = 0
    for seed in range(20):
        pictures = [product(article_type, seed=seed) for article_type in TYPES]
        photo, boxes = compose(pictures, size=(240, 240), seed=seed)
        matches = match_boxes(split(photo), boxes)
        n_right += len(matches.pairs)
        n_found, n_true = n_found + matches.n_found, n_true + matches.n_true
    assert n_right / n_true >= 0.95
    assert n_right / n_found >= 0.95


def test_split_refuses() -> None:
    with pytest.raises(ParameterError, match="mode RGBA, not RGB"):
        split(Image.new("RGBA", (20, 20)))
    with pytest.raises(ParameterError, match="at least 1 box, not 0"):
        split(Image.new("RGB", (20, 20)), most=0)


def test_crop_adds_a_margin_up_to_the_edge() -> None:
    photo = photo_of((60, 20, 140, 80))
    assert crop(photo, (60, 20, 140, 80), margin=0).size == (80, 60)
    assert crop(photo, (60, 20, 140, 80), margin=0).getcolors() == [(80 * 60, (0, 0, 128))]
    # 0.05 of 80 and of 60 are 4 and 3 pixels on each side.
    assert crop(photo, (60, 20, 140, 80)).size == (88, 66)
    assert crop(photo, (0, 0, 80, 100), margin=0.5).size == (120, 100)


@pytest.mark.parametrize(
    ("box", "margin", "message"),
    [
        ((10, 10, 10, 20), 0, "is empty"),
        ((20, 10, 10, 20), 0, "is empty"),
        ((-1, 0, 10, 10), 0, "not inside the photo of 200 x 100"),
        ((0, 0, 201, 10), 0, "not inside the photo"),
        ((300, 300, 310, 310), 0, "not inside the photo"),
        ((0, 0, 10, 10), -0.1, "0 to 1 of the box, not -0.1"),
        ((0, 0, 10, 10), np.nan, "not nan"),
    ],
)
def test_crop_refuses(box: Box, margin: float, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        crop(photo_of(), box, margin=margin)


# Four classes, four products each, each class of one colour; ids 10 to 13, 20 to 23 and so on.
COLOURS = {"Belts": (200, 0, 0), "Caps": (0, 160, 0), "Socks": (0, 0, 200), "Ties": (90, 90, 90)}
LABELS = {10 * n + i: name for n, name in enumerate(COLOURS, start=1) for i in range(8)}
PICTURES = {
    product_id: photo_of((15, 10, 45, 70), size=(60, 80), colour=COLOURS[name])
    for product_id, name in LABELS.items()
}


def by_commonest_colour(picture: Image.Image) -> list[int]:
    """All products, those of the class whose colour fills most of the picture first."""
    pixels = np.asarray(picture).reshape(-1, 3).astype(int)
    counts = {name: (np.abs(pixels - c).max(axis=1) < 20).sum() for name, c in COLOURS.items()}
    return sorted(LABELS, key=lambda product_id: -counts[LABELS[product_id]])


def study_of(
    catalog_pictures: dict, labels: dict, search: Search, **options: int
) -> dict[str, float]:
    return study(composed(catalog_pictures, **options), labels, search)


def test_study_counts_hits_by_hand() -> None:
    # Only two products, of two classes: the whole photo finds that of the larger one, each box
    # its own. A class has seven products left when the photo's own are taken out.
    pictures = {10: PICTURES[10], 20: PICTURES[20]}
    found = study_of(pictures, LABELS, by_commonest_colour, n_photos=4, per_photo=2, seed=0)
    assert found == {
        "n_photos": 4,
        "per_photo": 2,
        "n_products": 8,
        "hit_rate_whole_photo": 1 / 2,
        "hit_rate_true_boxes": 1.0,
        "hit_rate_detected_boxes": 1.0,
        "detection_recall": 1.0,
        "detection_precision": 1.0,
    }


def test_a_product_that_is_not_found_is_not_hit(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = {10: PICTURES[10], 20: PICTURES[20]}

    def largest_and_a_corner(photo: Image.Image) -> list[Box]:
        return [*split(photo, most=1), (0, 0, 3, 3), (0, 0, 4, 4)]

    monkeypatch.setattr(search_boxes, "split", largest_and_a_corner)
    found = study_of(pictures, LABELS, by_commonest_colour, n_photos=4, per_photo=2, seed=0)
    assert found["hit_rate_true_boxes"] == 1
    assert found["hit_rate_detected_boxes"] == found["detection_recall"] == 1 / 2
    assert found["detection_precision"] == 1 / 3


def test_the_photos_own_products_are_held_out() -> None:
    # Classes of one product: whatever the search says, there is nothing else of the class.
    labels = dict.fromkeys(LABELS, "Other") | {10: "Belts", 20: "Caps"}
    pictures = {10: PICTURES[10], 20: PICTURES[20]}
    found = study_of(pictures, labels, by_commonest_colour, n_photos=2, per_photo=2, seed=0)
    assert found["hit_rate_true_boxes"] == found["hit_rate_whole_photo"] == 0


def test_study_depends_on_the_seed_alone() -> None:
    first, again, other = (
        study_of(PICTURES, LABELS, by_commonest_colour, n_photos=5, per_photo=3, seed=seed)
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_photos": 0}, "at least 1 photo .* not for 0 photos of 2"),
        ({"per_photo": 1}, "2 to 4 different products .* photos of 1"),
        ({"per_photo": 5}, "2 to 4 different products .* photos of 5"),
        ({"catalog_pictures": {10: PICTURES[10]}}, "out of the 1 there are"),
        ({"labels": dict.fromkeys(LABELS, np.nan)}, r"Product \d\d has no label"),
        ({"search": lambda picture: [70, 71, 72, 73, 74]}, "returned product 70"),
        ({"search": lambda picture: list(LABELS)[:4]}, "must return at least 7 in all"),
    ],
)
def test_study_refuses(changes: dict, message: str) -> None:
    arguments = {"catalog_pictures": PICTURES, "labels": LABELS, "search": by_commonest_colour,
                 "n_photos": 1, "per_photo": 2, "seed": 0}  # fmt: skip
    with pytest.raises(ParameterError, match=message):
        study_of(**(arguments | changes))
