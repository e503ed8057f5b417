"""drawn_changes: a network whose answer is known sees drawn shapes change."""

import numpy as np

from fashion_rir.studies.trained import drawn_changes


class MeanColour:
    """Sees nothing but the mean colour of the pixels that are not paper."""

    image_size = 32

    def embed(self, batch: np.ndarray) -> np.ndarray:
        is_paper = (batch > 225).all(axis=-1, keepdims=True)
        inside = np.where(is_paper, 0, batch).sum(axis=(1, 2))
        return inside / np.maximum((~is_paper).sum(axis=(1, 2)), 1)


def test_the_same_shape_is_drawn_alike_in_either_colour() -> None:
    shown = {key: np.asarray(one) for key, one in drawn_changes.drawings(seed=3).items()}
    assert len(shown) == 4
    red, blue = shown["Tshirts", "red"], shown["Tshirts", "blue"]
    on_paper = [(picture == 255).all(axis=-1) for picture in (red, blue)]
    assert (on_paper[0] == on_paper[1]).all()
    assert (red != blue).any()


def test_a_change_of_the_hue_takes_the_colour_from_who_sees_only_colour() -> None:
    table = drawn_changes.kept(MeanColour(), ["none", "flip", "hue"], seed=3)
    assert table.loc[["none", "flip"], "colour kept"].tolist() == [1.0, 1.0]
    assert 0.3 < table.loc["hue", "colour kept"] < 0.9
