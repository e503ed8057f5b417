"""A joined model small enough to be worked out by hand, of a drawn catalogue's mean colours."""

import numpy as np

from fashion_rir.embedding import words
from fashion_rir.embedding.joined import LOOKS, WORDS, JoinedModel

TYPES, COLOURS = ["Casual Shoes", "Shirts"], ["Blue", "Red"]


def joined_model(dim: int = 2, n_words: int = 2) -> JoinedModel:
    """Reads two numbers: red says 'Shirts' and 'Red', blue says 'Casual Shoes' and 'Blue'."""
    texts = np.zeros((words.N_ROWS, n_words), dtype=np.float32)
    for word, row in (("shirt", (0, 1)), ("red", (0, 1)), ("shoe", (1, 0)), ("blue", (1, 0))):
        texts[words.rows_of(word)] = row
    out = np.array([[0, 4], [4, 0], [0, 0]], dtype=np.float32)
    arrays = {
        "mean": np.zeros(dim, np.float32), "deviation": np.ones(dim, np.float32),
        "hidden": np.eye(dim, 2, dtype=np.float32), "hidden_bias": np.zeros(2, np.float32),
        "images": np.vstack([[[0, 1], [1, 0]], np.zeros((dim, 2))]).astype(np.float32),
        "texts": texts, "out-articleType": out, "out-baseColour": out,
    }  # fmt: skip
    shares = {"articleType": 0.6, "baseColour": 0.2, LOOKS: 0.1, WORDS: 0.1}
    return JoinedModel(["mean"], arrays, {"articleType": TYPES, "baseColour": COLOURS}, shares,
                       1.0, {"articleType": 0.86, "baseColour": 0.59})  # fmt: skip


RED, BLUE = np.array([[1.0, 0.0]], np.float32), np.array([[0.0, 1.0]], np.float32)
