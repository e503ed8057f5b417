"""outsiders: drawn pictures of no fashion."""

import numpy as np
import pytest

from fashion_rir.data.drawn.outsiders import SIZE, outsider_pictures
from fashion_rir.errors import ParameterError


def pixels(n_pictures: int, *, seed: int) -> list[np.ndarray]:
    return [np.asarray(picture) for picture in outsider_pictures(n_pictures, seed=seed)]


def test_pictures_have_the_size_of_a_catalogue_photo() -> None:
    pictures = outsider_pictures(11, seed=0)
    assert len(pictures) == 11
    assert {(picture.size, picture.mode) for picture in pictures} == {(SIZE, "RGB")}


def test_the_same_seed_draws_the_same_pictures() -> None:
    first, again, other = pixels(10, seed=1), pixels(10, seed=1), pixels(10, seed=2)
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert not any((a == b).all() for a, b in zip(first, other, strict=True))


def test_no_picture_comes_twice() -> None:
    assert len({picture.tobytes() for picture in pixels(50, seed=0)}) == 50


def test_every_kind_comes_in_turn() -> None:
    for start in (0, 5):  # two rounds
        landscape, page, board, gradient, noise = pixels(10, seed=3)[start : start + 5]
        assert (landscape[-1] == landscape[-1, 0]).all()  # the ground is one colour
        assert len(np.unique(landscape.reshape(-1, 3), axis=0)) == 4  # sky, hill, ground, sun
        assert (page[:, :3] == 255).all()  # a white margin
        assert len(np.unique(page.reshape(-1, 3), axis=0)) == 2
        colours = np.unique(board.reshape(-1, 3), axis=0)
        assert len(colours) == 2
        assert np.abs(np.diff(gradient.astype(int), axis=0)).max() < 20  # no edge anywhere
        assert np.abs(np.diff(noise.astype(int), axis=0)).max() > 150


@pytest.mark.parametrize("n_pictures", [0, -1])
def test_fewer_than_one_picture_is_refused(n_pictures: int) -> None:
    with pytest.raises(ParameterError, match=f"at least 1 picture, not {n_pictures}"):
        outsider_pictures(n_pictures, seed=0)
