"""towers: words and pictures meet."""

import numpy as np

from fashion_rir.training import towers
from fashion_rir.training.towers import TowerSettings, bag_of, fit_towers

SETTINGS = TowerSettings(n_numbers=8, batch_size=6, n_steps=60, rate=0.05)
NAMES = ["red shirt", "blue shirt", "red shoe", "blue shoe", "green sock", "black hat"]


def draw(generator: np.random.Generator) -> towers.Batch:
    return np.arange(6), NAMES, np.eye(6, dtype=bool)


def test_each_name_finds_its_picture_and_the_loss_falls():
    pictures = np.random.default_rng(0).standard_normal((6, 12)).astype(np.float32)
    images, texts, losses = fit_towers(pictures, draw, SETTINGS, seed=1)
    seen = pictures @ images
    seen /= np.linalg.norm(seen, axis=1, keepdims=True)
    alike = (bag_of(NAMES) @ texts) @ seen.T
    assert alike.argmax(axis=1).tolist() == list(range(6))
    assert losses[-1] < losses[0] / 4


def test_the_same_seed_gives_the_same_towers():
    pictures = np.eye(6, dtype=np.float32)
    first, second = (fit_towers(pictures, draw, SETTINGS, seed=1)[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_the_gradient_is_that_of_the_loss():
    generator = np.random.default_rng(2)
    pictures = generator.standard_normal((6, 5))
    images, texts = generator.standard_normal((5, 3)), generator.standard_normal((4096, 3))
    fits = np.eye(6, dtype=bool)
    fits[0, 2] = True
    bag = bag_of(NAMES)
    _, gradients = towers._loss((pictures, bag), (images, texts), fits, 0.5)
    for which, place in ((0, (1, 2)), (1, (int(bag.indices[0]), 1))):
        moved = [images.copy(), texts.copy()]
        losses = []
        for step in (1e-4, -1e-4):
            shifted = [one.copy() for one in moved]
            shifted[which][place] += step
            losses.append(towers._loss((pictures, bag), tuple(shifted), fits, 0.5)[0])
        slope = (losses[0] - losses[1]) / 2e-4
        np.testing.assert_allclose(gradients[which][place], slope, rtol=2e-3)
