"""Words as they are looked up: whole, and in parts, so that small typing errors count little.

A text becomes the numbers of a few rows of a table with `N_ROWS` rows, by a hash that is the same
on every machine. Plurals are cut to the singular; a word's parts of three letters stand beside it.
"""

import re
import unicodedata
import zlib

import numpy as np

N_ROWS = 4096

N_LETTERS = 3  # of a part of a word

MOST_LETTERS = 200  # of a text; the rest is passed over


def plain_words(text: str) -> list[str]:
    """The words of a text in lower case, without accents, in the singular.

    Example:
        >>> plain_words("Blue, SHIRTS & dresses for Women's Caf\u00e9")
        ['blue', 'shirt', 'dress', 'for', 'women', 'cafe']
    """
    folded = unicodedata.normalize("NFKD", text[:MOST_LETTERS].casefold())
    letters = "".join(one for one in folded if not unicodedata.combining(one))
    return [
        _singular(word) for word in re.findall(r"[a-z0-9]+", re.sub("['\u2019]s\\b", "", letters))
    ]


def rows_of(text: str) -> np.ndarray:
    """The rows of the table that a text takes: of each word, and of its parts.

    Returns:
        int64, each 0 to `N_ROWS` - 1; none where the text has no word.
    """
    parts: list[str] = []
    for word in plain_words(text):
        marked = f"<{word}>"
        parts += [word] * N_LETTERS  # the whole word weighs as much as three of its parts
        parts += [marked[i : i + N_LETTERS] for i in range(len(marked) - N_LETTERS + 1)]
    return np.array([zlib.crc32(part.encode()) % N_ROWS for part in parts], dtype=np.int64)


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
