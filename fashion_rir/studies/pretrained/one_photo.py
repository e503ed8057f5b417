"""Is there a photo that gives the thesis' counts? Its sample photo is not named, so each is tried.

The thesis counts by eye what its search returns for one photo within a threshold (section 4.3 a
to c): some matches, and as a rule no miss. Such a count is possible if some photo of the catalogue
gives it; that the median photo gives another says nothing against it. A match is a product of the
photo's own articleType here. The photo itself is of the data set, so that it stands in the gallery
there: all is counted with it and without it.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fashion_rir.embedding.embedded import Embedded
from fashion_rir.evaluation import rankings
from fashion_rir.search.gallery import Gallery
from fashion_rir.studies.study import Study
from fashion_rir.thesis import numbers

QUERY = {"with the query": 1, "without the query": 0}  # what it adds to the matches

BLOCK = 200  # photos that ask at a time

N_MANHATTAN = 1000  # photos that ask by Manhattan distance, whatever they give by the others

_MODEL = ("mobilenetv2", "resize")  # the thesis' models a, b and c


@dataclass(frozen=True)
class Counts:
    """How many products lie within each threshold of each photo.

    Attributes:
        rows: the photos that asked, shape (n,).
        matches: by threshold, how many of the photo's type, itself left out, shape (n,).
        misses: likewise, how many of another.
    """

    rows: np.ndarray
    matches: dict[float, np.ndarray]
    misses: dict[float, np.ndarray]

    def exactly(self, threshold: float, *, matches: int) -> np.ndarray:
        """bool, shape (n,): so many matches, and no miss."""
        return (self.matches[threshold] == matches) & (self.misses[threshold] == 0)


def count(model: Embedded, codes: np.ndarray, rows: np.ndarray, measure: str) -> Counts:
    """Count matches and misses within the thesis' thresholds.

    Args:
        model: embeddings (n_products, dim) and metadata.
        codes: of articleTypes, one a product; -1 where there is none, which matches nothing.
        rows: of the photos that ask.
        measure: one of `gallery.MEASURES`, with thresholds in `numbers.THESIS_THRESHOLDS`.
    """
    values = numbers.THESIS_THRESHOLDS[(*_MODEL, measure)]
    matches, misses = (np.zeros((len(values), len(rows)), dtype=int) for _ in range(2))
    gallery = Gallery(model.vectors, np.arange(len(codes)), measure)
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        asked = slice(start, start + len(block))
        distances = gallery.distances(model.vectors[block])
        distances[np.arange(len(block)), block] = np.inf
        is_match = (codes[block][:, None] == codes) & (codes[block] >= 0)[:, None]
        for number, value in enumerate(values):
            is_near = distances < value
            matches[number, asked] = (is_near & is_match).sum(axis=1)
            misses[number, asked] = is_near.sum(axis=1) - matches[number, asked]
    return Counts(rows, dict(zip(values, matches, strict=True)),
                  dict(zip(values, misses, strict=True)))  # fmt: skip


def search(study: Study, model: Embedded) -> dict:
    """How many photos of the catalogue give the thesis' counts.

    Args:
        study: its products, seed and folders.
        model: the resized MobileNetV2's embeddings and metadata.

    Returns:
        A record of kind `one_photo`: `photos`, by a key of `QUERY` and by what is counted the
        number of photos that give exactly that; `asked`, how many were tried by each measure. By
        Manhattan distance that is a sample, and besides all that give the final count by one of
        the others, so that what is asked of several measures is of all photos.
    """
    inputs = study.describe(model.metadata) | {
        "thresholds": {measure: list(numbers.THESIS_THRESHOLDS[(*_MODEL, measure)])
                       for measure in ("euclidean", "cosine", "manhattan")},
        "n_manhattan": N_MANHATTAN,
        "seed": study.seed,
    }  # fmt: skip
    return study.record("one_photo", "one-photo", inputs, lambda: _searched(study, model))


def _searched(study: Study, model: Embedded) -> Mapping[str, object]:
    codes = rankings.class_codes(study.catalog.products["articleType"])
    everyone = np.arange(len(codes))
    euclidean, cosine = (count(model, codes, everyone, name) for name in ("euclidean", "cosine"))
    finals = [cosine.exactly(0.22, matches=4 - own) for own in QUERY.values()]
    finals += [euclidean.exactly(19, matches=3 - own) for own in QUERY.values()]
    drawn = np.random.default_rng(study.seed).permutation(everyone)[:N_MANHATTAN]
    asked = np.union1d(drawn, np.flatnonzero(np.any(finals, axis=0)))
    manhattan = count(model, codes, asked, "manhattan")
    photos = {
        said: {what: len(rows) for what, rows in _given(own, euclidean, cosine, manhattan).items()}
        for said, own in QUERY.items()
    }
    counts = {"euclidean": euclidean, "cosine": cosine, "manhattan": manhattan}
    return {"photos": photos, "asked": {name: len(one.rows) for name, one in counts.items()}}


def _given(own: int, euclidean: Counts, cosine: Counts, manhattan: Counts) -> dict[str, np.ndarray]:
    """What the thesis counts, in words, and the photos that give it; `own` is the query's."""
    is_found = cosine.matches[0.15] > 0  # else 'all results match' would be said of none
    is_same = np.all([counts[0.2] == counts[0.15] for counts in (cosine.matches, cosine.misses)],
                     axis=0)  # fmt: skip
    given = {
        "euclidean 18: 2 matches": euclidean.rows[euclidean.exactly(18, matches=2 - own)],
        "euclidean 19: 3 matches": euclidean.rows[euclidean.exactly(19, matches=3 - own)],
        "euclidean 20: 1 miss": euclidean.rows[euclidean.misses[20] == 1],
        "euclidean 22: misses": euclidean.rows[euclidean.misses[22] > euclidean.misses[20]],
        "cosine 0.85: no miss": cosine.rows[is_found & (cosine.misses[0.15] == 0)],
        "cosine 0.75: misses": cosine.rows[cosine.misses[0.25] > 0],
        "cosine 0.80: as 0.85": cosine.rows[is_found & is_same],
        "cosine 0.78: 4 matches": cosine.rows[cosine.exactly(0.22, matches=4 - own)],
        "manhattan 300: 2 matches": manhattan.rows[manhattan.exactly(300, matches=2 - own)],
        "manhattan 350: 4 matches": manhattan.rows[manhattan.exactly(350, matches=4 - own)],
        "manhattan 360: 1 miss": manhattan.rows[
            (manhattan.misses[360] == 1) & (manhattan.misses[350] == 0)
        ],
    }
    at_last = [
        given[what]
        for what in (
            "cosine 0.78: 4 matches",
            "euclidean 19: 3 matches",
            "manhattan 350: 4 matches",
        )
    ]
    return given | {
        "cosine 4 and euclidean 3": _all_of(at_last[0], at_last[1]),
        "cosine 4 and manhattan 4": _all_of(at_last[0], at_last[2]),
        "euclidean 3 and manhattan 4": _all_of(at_last[1], at_last[2]),
        "euclidean 3, cosine 4 and manhattan 4": _all_of(*at_last),
        "everything": _all_of(*given.values()),
    }  # fmt: skip


def _all_of(*photos: np.ndarray) -> np.ndarray:
    """The photos that are in each of several lists."""
    return functools.reduce(np.intersect1d, photos)
