"""Classical descriptors: how pictures were searched before convolutional networks.

A colour histogram (Swain and Ballard 1991), HOG (Dalal and Triggs 2005), a perceptual hash
(Zauner 2010) and a bag of visual words (Sivic and Zisserman 2003) over SIFT (Lowe 2004) or ORB
(Rublee et al. 2011), all but the histogram by OpenCV. They go through the same path as a network
(`embed.embed_catalog`). `preclustering` is the literature's search within one k-means
cluster only.
"""

from collections.abc import Iterable

import cv2
import numpy as np

from fashion_rir.embedding.embed import check_batch
from fashion_rir.embedding.floors import floor_metadata
from fashion_rir.errors import ParameterError, unknown_name
from fashion_rir.system import sha256_of

NEARLY_WHITE = 240  # of 255 in every channel: JPEG leaves a white background a little uneven

HUES, SATURATIONS, VALUES = 12, 4, 4  # levels of a colour that is neither grey nor black

COLOUR_DIM = 1 + VALUES + HUES * SATURATIONS * VALUES

HOG_DIM = 1764  # 7 x 7 blocks of 2 x 2 cells of 9 directions

HOG_CONSTANT = 0.1  # small beside a HOG's length, about 7

HASH_BITS = 64

# ORB's defaults are made for larger photos: a margin of 31 pixels would leave 66 of 128.
DETECTORS = {
    "sift": lambda: cv2.SIFT_create(nfeatures=100),
    "orb": lambda: cv2.ORB_create(nfeatures=200, edgeThreshold=15, fastThreshold=10),
}

LEARNED_DESCRIPTORS = 20  # of each picture, for the vocabulary


class ColourHistogram:
    """Which colours the product has, in HSV, whatever its shape and its background.

    The numbers: black, 4 greys up to white, then 12 hues x 4 saturations x 4 values. A pixel is
    shared between the nearest levels of each, so a colour near a border does not jump; and as the
    lowest saturation has no hue, and the lowest value neither hue nor saturation, a grey's noisy
    hue does no harm. The square root of the shares makes the cosine the Hellinger kernel
    (Arandjelovic and Zisserman 2012).
    """

    image_size = 64

    def embed(self, batch: np.ndarray) -> np.ndarray:
        """uint8 (n, size, size, 3) to float32 (n, 197), each of length 1."""
        check_batch(batch, self.image_size, "a descriptor")
        counts = [_colour_counts(picture[foreground(picture)]) for picture in batch]
        counts = np.reshape(counts, (len(batch), COLOUR_DIM)).astype(np.float32)
        return np.sqrt(counts / counts.sum(axis=1, keepdims=True))

    def metadata(self, preprocessing: str) -> dict[str, object]:
        """What a feature store says of it."""
        return floor_metadata("colour-histogram", self.image_size, preprocessing, COLOUR_DIM)


class Hog:
    """Histograms of oriented gradients: the outline, in cells of 8 x 8 pixels, plus a constant.

    The constant gives a picture without any edge a direction.
    """

    image_size = 64

    def __init__(self) -> None:
        """The parameters of the paper: blocks of 16 pixels every 8, cells of 8, 9 directions."""
        self._hog = cv2.HOGDescriptor((64, 64), (16, 16), (8, 8), (8, 8), 9)

    def embed(self, batch: np.ndarray) -> np.ndarray:
        """uint8 (n, size, size, 3) to float32 (n, 1765)."""
        check_batch(batch, self.image_size, "a descriptor")
        found = np.full((len(batch), HOG_DIM + 1), HOG_CONSTANT, dtype=np.float32)
        for row, picture in enumerate(batch):
            found[row, :HOG_DIM] = self._hog.compute(picture)
        return found

    def metadata(self, preprocessing: str) -> dict[str, object]:
        """What a feature store says of it."""
        return floor_metadata("hog", self.image_size, preprocessing, HOG_DIM + 1)


class PerceptualHash:
    """64 signs of the picture's coarsest cosine waves, as +1 and -1.

    The Manhattan distance is twice the Hamming distance; the cosine ranks in the same way.
    """

    image_size = 32

    def __init__(self) -> None:
        """OpenCV's pHash."""
        self._hash = cv2.img_hash.PHash_create()

    def embed(self, batch: np.ndarray) -> np.ndarray:
        """uint8 (n, size, size, 3) to float32 (n, 64)."""
        check_batch(batch, self.image_size, "a descriptor")
        codes = np.empty((len(batch), HASH_BITS // 8), dtype=np.uint8)
        for row, picture in enumerate(batch):
            codes[row] = self._hash.compute(_grey(picture))
        return np.unpackbits(codes, axis=1).astype(np.float32) * 2 - 1

    def metadata(self, preprocessing: str) -> dict[str, object]:
        """What a feature store says of it."""
        return floor_metadata("perceptual-hash", self.image_size, preprocessing, HASH_BITS)


class BagOfVisualWords:
    """How often each word of a learned vocabulary of small patches is in the picture.

    Square roots of the words' shares, as in `ColourHistogram`. The last number is 1 for a picture
    without keypoints and 0 for all others: such pictures are like each other and like nothing
    else (`n_without_keypoints` counts them).

    Attributes:
        detector: `sift` or `orb`.
        vocabulary: float32, shape (n_words, descriptor_dim); None before `fit`.
    """

    image_size = 128

    def __init__(self, detector: str = "sift") -> None:
        """Choose the detector; `fit` comes next.

        Raises:
            ParameterError: unknown detector.
        """
        if detector not in DETECTORS:
            raise unknown_name("detector", detector, DETECTORS)
        self.detector = detector
        self.vocabulary: np.ndarray | None = None
        self._detector = DETECTORS[detector]()

    def fit(self, batches: Iterable[np.ndarray], *, n_words: int, seed: int) -> "BagOfVisualWords":
        """Learn the vocabulary by k-means.

        Args:
            batches: training pictures only, each uint8 (n, size, size, 3). Of each picture
                up to `LEARNED_DESCRIPTORS` are drawn, which bounds the memory.
            n_words: size of the vocabulary, from 2 to the number of descriptors drawn.
            seed: of the draw and of k-means.

        Returns:
            Itself.

        Raises:
            ParameterError: a batch of another kind, or `n_words` out of range.
        """
        from sklearn.cluster import MiniBatchKMeans

        generator = np.random.default_rng(seed)
        parts = [
            found[generator.permutation(len(found))[:LEARNED_DESCRIPTORS]]
            for batch in batches
            for found in self._descriptors(batch)
        ]
        n_found = sum(len(part) for part in parts)
        if not 2 <= n_words <= n_found:
            raise ParameterError(
                f"The training pictures give {n_found:,} descriptors; the vocabulary must have at "
                f"least 2 words and not more than these, not {n_words}."
            )
        model = MiniBatchKMeans(n_words, n_init=3, random_state=seed).fit(np.concatenate(parts))
        self.vocabulary = np.ascontiguousarray(model.cluster_centers_, dtype=np.float32)
        return self

    def embed(self, batch: np.ndarray) -> np.ndarray:
        """uint8 (n, size, size, 3) to float32 (n, n_words + 1), each of length 1.

        Raises:
            ParameterError: a batch of another kind, or there is no vocabulary.
        """
        words = self._known_words()
        found = self._descriptors(batch)
        picture = np.repeat(np.arange(len(batch)), [len(descriptors) for descriptors in found])
        descriptors = np.concatenate([words[:0], *found])
        # |d - w|^2 without |d|^2, which is the same for all words
        nearest = np.argmin(np.square(words).sum(axis=1) - 2 * descriptors @ words.T, axis=1)
        counts = np.zeros((len(batch), len(words) + 1), dtype=np.float32)
        np.add.at(counts, (picture, nearest), 1)
        counts[~counts.any(axis=1), -1] = 1
        return np.sqrt(counts / counts.sum(axis=1, keepdims=True))

    def metadata(self, preprocessing: str) -> dict[str, object]:
        """What a feature store says of it; the weights are the vocabulary.

        Raises:
            ParameterError: there is no vocabulary.
        """
        words = self._known_words()
        name = f"bag-of-{self.detector}-words-{len(words)}"
        about = floor_metadata(name, self.image_size, preprocessing, len(words) + 1)
        return about | {"weights": "k-means", "weights_sha256": sha256_of(words.tobytes())}

    def _known_words(self) -> np.ndarray:
        if self.vocabulary is None:
            raise ParameterError("The bag of visual words has no vocabulary; call fit first.")
        return self.vocabulary

    def _descriptors(self, batch: np.ndarray) -> list[np.ndarray]:
        """Of each picture: float32, shape (n_keypoints, descriptor_dim)."""
        check_batch(batch, self.image_size, "a descriptor")
        raw = [self._detector.detectAndCompute(_grey(picture), None)[1] for picture in batch]
        none = np.empty((0, self._detector.descriptorSize()), dtype=np.uint8)
        return [_comparable(none if found is None else found, self.detector) for found in raw]


def n_without_keypoints(embeddings: np.ndarray) -> int:
    """How many pictures had no keypoint.

    Args:
        embeddings: of a `BagOfVisualWords`, shape (n, n_words + 1).

    Example:
        >>> n_without_keypoints(np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))
        1
    """
    return int(np.count_nonzero(embeddings[:, -1]))


def foreground(picture: np.ndarray) -> np.ndarray:
    """Where the product is: all but the white that reaches the edge, and the black of padding.

    White inside the product, such as a print, belongs to it.

    Args:
        picture: uint8, shape (height, width, 3), RGB.

    Returns:
        bool, shape (height, width). Where nothing is left of a picture, all of it counts but
        the padding; where it is all black, all of it.

    Raises:
        ParameterError: a picture of another kind.
    """
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise ParameterError(
            f"A picture is uint8 of shape (height, width, 3), not {picture.dtype} of "
            f"{picture.shape}; take it from images.fit."
        )
    padding = _padding(picture)
    is_empty = padding | (picture.min(axis=2) >= NEARLY_WHITE)
    # A frame of empty pixels makes one part of all that reaches the edge.
    framed = np.pad(is_empty, 1, constant_values=True).astype(np.uint8)
    parts = cv2.connectedComponents(framed, connectivity=4)[1]
    is_product = parts[1:-1, 1:-1] != parts[0, 0]
    for mask in (is_product, ~padding):
        if mask.any():
            return mask
    return np.ones_like(padding)


def _grey(picture: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)


def _padding(picture: np.ndarray) -> np.ndarray:
    """bool (height, width): the wholly black rows and columns that begin at an edge."""
    is_black = ~picture.any(axis=2)
    rows, columns = (_from_both_ends(is_black.all(axis=axis)) for axis in (1, 0))
    return rows[:, None] | columns


def _from_both_ends(marks: np.ndarray) -> np.ndarray:
    """True up to the first false one from the left, and from the right."""
    from_left = np.logical_and.accumulate(marks)
    return from_left | np.logical_and.accumulate(marks[::-1])[::-1]


def _colour_counts(pixels: np.ndarray) -> np.ndarray:
    """Pixels a colour: uint8 (n_pixels, 3), RGB, to float32 (197,); see `ColourHistogram`."""
    hsv = cv2.cvtColor(pixels[None].astype(np.float32) / 255, cv2.COLOR_RGB2HSV)[0]
    hue = _level_shares(hsv[:, 0] / 360 * HUES, HUES)
    hue[:, 0] += hue[:, HUES]  # 360 degrees are 0 degrees
    saturation = _level_shares(hsv[:, 1] * SATURATIONS, SATURATIONS)
    value = _level_shares(hsv[:, 2] * VALUES, VALUES)
    tone = saturation[:, :, None] * value[:, None, :]
    counts = hue[:, :HUES].T @ tone.reshape(len(pixels), -1)
    counts = counts.reshape(HUES, SATURATIONS + 1, VALUES + 1)
    black, greys = counts[:, :, 0].sum(), counts[:, 0, 1:].sum(axis=0)
    return np.concatenate([[black], greys, counts[:, 1:, 1:].ravel()])


def _level_shares(values: np.ndarray, highest: int) -> np.ndarray:
    """A share in each of the levels 0 to `highest`, linear between the two nearest: float32,
    shape (n_values, highest + 1)."""
    distances = np.abs(values[:, None] - np.arange(highest + 1, dtype=np.float32))
    return np.maximum(0, 1 - distances)


def _comparable(descriptors: np.ndarray, detector: str) -> np.ndarray:
    """Descriptors between which the Euclidean distance says something, float32."""
    if detector == "orb":  # bits; the squared distance is the Hamming distance
        return np.unpackbits(descriptors, axis=1).astype(np.float32)
    # RootSIFT, Arandjelovic and Zisserman 2012
    return np.sqrt(descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1))
