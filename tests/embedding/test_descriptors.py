"""descriptors: what each descriptor sees and does not see, and the pre-clustering by hand."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from fashion_rir.data import catalog
from fashion_rir.embedding import descriptors, embed
from fashion_rir.errors import ParameterError, StoreError
from fashion_rir.studies.pretrained import classical

RED, BLUE, WHITE, BLACK = (200, 30, 30), (30, 30, 200), (255, 255, 255), (0, 0, 0)
# Products on a circle, by their angle in degrees; k-means parts the first ten at 45. The last
# two ask: the one at 44 has an exact match in the other cluster.
ANGLES = np.array([0, 5, 10, 15, 30, 60, 75, 80, 85, 90, 44, 2])
LABELS = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0])
IS_QUERY = np.arange(12) >= 10


def flat(colour: tuple[int, int, int], size: int) -> np.ndarray:
    return np.full((size, size, 3), colour, dtype=np.uint8)


def cross(size: int, colour: tuple[int, int, int] = RED, *, share: float = 0.8) -> np.ndarray:
    """A cross on white whose arms span this share of the picture."""
    picture = flat(WHITE, size)
    long, short = round(share * size / 2), round(share * size / 6)
    middle = size // 2
    picture[middle - long : middle + long, middle - short : middle + short] = colour
    picture[middle - short : middle + short, middle - long : middle + long] = colour
    return picture


def textured(seed: int) -> np.ndarray:
    """Blots on white, 128 pixels: corners enough for any detector."""
    noise = np.random.default_rng(seed).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    picture = flat(WHITE, 128)
    picture[20:108, 20:108] = cv2.resize(noise, (88, 88), interpolation=cv2.INTER_NEAREST)
    return picture


def cosine(embedder, first: np.ndarray, second: np.ndarray) -> float:
    """Similarity of two pictures, -1 to 1."""
    a, b = embedder.embed(np.stack([first, second]))
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def hamming(first: np.ndarray, second: np.ndarray) -> float:
    """Bits of the perceptual hash in which two pictures differ."""
    a, b = descriptors.PerceptualHash().embed(np.stack([first, second]))
    return float(np.abs(a - b).sum() / 2)


@pytest.fixture(scope="module")
def bags() -> dict[str, descriptors.BagOfVisualWords]:
    """One of each detector, with twelve words learned from eight pictures."""
    batch = np.stack([textured(seed) for seed in range(8)])
    return {
        detector: descriptors.BagOfVisualWords(detector).fit([batch], n_words=12, seed=0)
        for detector in descriptors.DETECTORS
    }


@pytest.fixture(scope="module", params=["colour", "hog", "hash", "sift", "orb"])
def embedder(request: pytest.FixtureRequest, bags: dict) -> embed.Embedder:
    simple = {
        "colour": descriptors.ColourHistogram(),
        "hog": descriptors.Hog(),
        "hash": descriptors.PerceptualHash(),
    }
    return (simple | bags)[request.param]


def test_identical_pictures_have_identical_embeddings(embedder) -> None:
    size = embedder.image_size
    pictures = [cross(size), cross(size, BLUE, share=0.5), cross(size)]
    first, other, again = embedder.embed(np.stack(pictures))
    assert (first == again).all()
    assert (first == embedder.embed(pictures[0][None])[0]).all()  # whatever else is in the batch
    assert (first != other).any()


def test_the_metadata_say_what_is_embedded(embedder) -> None:
    size = embedder.image_size
    found = embedder.embed(np.stack([cross(size)] * 2))
    about = embedder.metadata("pad")
    assert found.dtype == np.float32
    assert found.shape == (2, about["embedding_dim"])
    assert (about["image_size"], about["preprocessing"]) == (size, "pad")
    assert about["model"] == f"{about['backbone']}-{size}-pad"


@pytest.mark.parametrize("colour", [WHITE, BLACK, (128, 128, 128)])
def test_a_picture_of_one_colour_has_a_direction(embedder, colour) -> None:
    found = embedder.embed(flat(colour, embedder.image_size)[None])
    assert np.isfinite(found).all()
    assert np.linalg.norm(found) > 0.05


def test_an_empty_batch_has_no_embeddings(embedder) -> None:
    size = embedder.image_size
    found = embedder.embed(np.empty((0, size, size, 3), dtype=np.uint8))
    assert found.shape == (0, embedder.metadata("pad")["embedding_dim"])


@pytest.mark.parametrize("change", ["float", "size", "grey", "single", "list"])
def test_another_kind_of_batch_is_refused(embedder, change: str) -> None:
    batch = cross(embedder.image_size)[None]
    bad = {
        "float": batch.astype(np.float32),
        "size": batch[:, :-1],
        "grey": batch[..., 0],
        "single": batch[0],
        "list": batch.tolist(),
    }
    size = embedder.image_size
    with pytest.raises(ParameterError, match=rf"uint8 of shape \(n, {size}, {size}, 3\), not"):
        embedder.embed(bad[change])


def test_the_embedders_cannot_be_taken_for_each_other(bags: dict) -> None:
    embedders = (descriptors.ColourHistogram(), descriptors.Hog(), descriptors.PerceptualHash())
    abouts = [one.metadata("pad") for one in (*embedders, *bags.values())]
    assert len({about["weights_sha256"] for about in abouts}) == 5
    assert len({about["model"] for about in abouts}) == 5


def test_a_catalogue_is_embedded_like_by_a_network(
    embedder, catalog_folder: Path, tmp_path: Path
) -> None:
    products = catalog.load(catalog_folder)
    store = embed.embed_catalog(
        products, embedder, preprocessing="pad", path=tmp_path / "features.sqlite", batch_size=5
    )
    names = list(products.products["image_name"])
    found = store.load(names)[1]
    image = products.read_image(names[7])
    assert len(found) == 12
    assert (found[7] == embed.embed_image(image, embedder, preprocessing="pad")).all()


def test_the_colour_counts_by_hand() -> None:
    pictures = [flat((255, 0, 0), 64), flat(WHITE, 64), flat((204, 204, 204), 64), flat(BLACK, 64)]
    red, white, grey, black = descriptors.ColourHistogram().embed(np.stack(pictures))
    # behind black and four greys: hue 0, the highest saturation and value
    assert red[5 + 3 * 4 + 3] == pytest.approx(1)
    assert white[4] == pytest.approx(1)
    assert black[0] == pytest.approx(1)
    # 204 of 255 is level 3.2 of 4: 0.8 of it in the third grey, 0.2 in white
    np.testing.assert_allclose(np.square(grey[:5]), [0, 0, 0, 0.8, 0.2], atol=1e-5)
    assert np.linalg.norm(grey) == pytest.approx(1)


def test_hues_close_a_circle() -> None:
    colour = descriptors.ColourHistogram()
    picture = flat((255, 0, 10), 64)  # just below 360 degrees
    assert cosine(colour, picture, flat((255, 10, 0), 64)) > 0.85
    assert cosine(colour, picture, flat((255, 0, 255), 64)) == pytest.approx(0, abs=1e-6)


def test_a_noisy_hue_of_a_grey_does_no_harm() -> None:
    colour = descriptors.ColourHistogram()
    greys = flat((120, 120, 124), 64), flat((124, 120, 120), 64)  # bluish and reddish
    assert cosine(colour, *greys) > 0.85
    blacks = flat((6, 0, 0), 64), flat((0, 0, 6), 64)  # saturated, but black
    assert cosine(colour, *blacks) > 0.85


def test_the_same_shape_in_red_and_blue() -> None:
    assert cosine(descriptors.ColourHistogram(), cross(64), cross(64, BLUE)) < 0.1
    assert cosine(descriptors.Hog(), cross(64), cross(64, BLUE)) > 0.99


def test_another_shape_of_the_same_colour() -> None:
    bar = flat(WHITE, 64)
    bar[8:20, 4:60] = RED
    assert cosine(descriptors.ColourHistogram(), cross(64), bar) > 0.99
    assert cosine(descriptors.Hog(), cross(64), bar) < 0.6


def test_a_wider_border_does_not_change_the_colour() -> None:
    colour = descriptors.ColourHistogram()
    product = cross(64)
    assert cosine(colour, product, cross(64, share=0.4)) > 0.99
    padded = product.copy()
    padded[:, :6] = padded[:, -6:] = BLACK
    assert cosine(colour, product, padded) > 0.99


def test_the_foreground_by_hand() -> None:
    picture = flat(WHITE, 8)
    picture[:, :1] = BLACK  # padding
    picture[2:7, 2:7] = BLACK  # a black product
    picture[4, 4] = WHITE  # with a white print
    picture[0, 4] = (241, 250, 255)  # JPEG noise
    expected = np.zeros((8, 8), dtype=bool)
    expected[2:7, 2:7] = True
    assert (descriptors.foreground(picture) == expected).all()


def test_a_foreground_is_never_empty() -> None:
    assert descriptors.foreground(flat(WHITE, 4)).all()
    assert descriptors.foreground(flat(BLACK, 4)).all()
    padded = flat(WHITE, 4)
    padded[:, 3] = BLACK
    assert descriptors.foreground(padded).tolist() == [[True, True, True, False]] * 4


def test_a_black_product_is_no_padding() -> None:
    picture = flat(WHITE, 8)
    picture[:, 3:5] = BLACK  # from edge to edge, but with white on both sides
    assert descriptors.foreground(picture)[:, 3:5].all()


@pytest.mark.parametrize("picture", [np.zeros((4, 4, 3)), np.zeros((4, 4), dtype=np.uint8)])
def test_a_foreground_needs_a_picture(picture: np.ndarray) -> None:
    with pytest.raises(ParameterError, match=r"uint8 of shape \(height, width, 3\), not"):
        descriptors.foreground(picture)


def test_the_hash_of_a_brighter_picture_is_near() -> None:
    first, second = (cv2.resize(textured(seed), (32, 32)) for seed in (1, 2))
    brighter = np.minimum(first.astype(int) + 12, 255).astype(np.uint8)
    assert hamming(first, first) == 0
    assert hamming(first, brighter) <= 6
    assert hamming(first, second) > 16


def test_the_hash_is_of_signs() -> None:
    codes = descriptors.PerceptualHash().embed(np.stack([cross(32), flat(WHITE, 32)]))
    assert set(np.unique(codes)) == {-1, 1}


@pytest.mark.parametrize("detector", ["sift", "orb"])
def test_words_of_the_same_patches_elsewhere(bags: dict, detector: str) -> None:
    picture = textured(20)
    moved = np.roll(picture, (6, -5), axis=(0, 1))
    assert cosine(bags[detector], picture, moved) > 0.9


@pytest.mark.parametrize("detector", ["sift", "orb"])
def test_pictures_without_keypoints_are_alike_and_counted(bags: dict, detector: str) -> None:
    pictures = [flat(WHITE, 128), textured(3), flat(BLACK, 128)]
    found = bags[detector].embed(np.stack(pictures))
    assert found[0].tolist() == [*[0] * 12, 1]
    assert (found[0] == found[2]).all()
    assert found[1, -1] == 0
    assert np.linalg.norm(found, axis=1) == pytest.approx(1)
    assert descriptors.n_without_keypoints(found) == 2


def test_the_vocabulary_is_seeded_and_its_hash_kept(bags: dict) -> None:
    batches = [np.stack([textured(seed) for seed in half]) for half in (range(4), range(4, 8))]
    again = descriptors.BagOfVisualWords().fit(batches, n_words=12, seed=0)  # batches do not matter
    other = descriptors.BagOfVisualWords().fit(batches, n_words=12, seed=1)
    about = bags["sift"].metadata("pad")
    assert again.metadata("pad") == about
    assert other.metadata("pad")["weights_sha256"] != about["weights_sha256"]
    assert about["model"] == "bag-of-sift-words-12-128-pad"
    assert about["embedding_dim"] == 13


def test_a_bag_without_vocabulary_is_refused() -> None:
    bag = descriptors.BagOfVisualWords()
    for use in (lambda: bag.embed(textured(0)[None]), lambda: bag.metadata("pad")):
        with pytest.raises(ParameterError, match="call fit first"):
            use()


@pytest.mark.parametrize("n_words", [1, 10_000])
def test_a_vocabulary_out_of_range_is_refused(n_words: int) -> None:
    with pytest.raises(ParameterError, match=rf"at least 2 words .*, not {n_words}"):
        descriptors.BagOfVisualWords().fit([textured(0)[None]], n_words=n_words, seed=0)


def test_nothing_to_learn_words_from_is_refused() -> None:
    with pytest.raises(ParameterError, match="give 0 descriptors"):
        descriptors.BagOfVisualWords("orb").fit([flat(WHITE, 128)[None]], n_words=5, seed=0)
    with pytest.raises(ParameterError, match="give 0 descriptors"):
        descriptors.BagOfVisualWords().fit([], n_words=5, seed=0)


def test_an_unknown_detector_is_refused() -> None:
    with pytest.raises(ParameterError, match="Unknown detector 'surf'.*Known: sift, orb"):
        descriptors.BagOfVisualWords("surf")


def directions(angles: np.ndarray) -> np.ndarray:
    """Embeddings: points on the circle."""
    radians = np.deg2rad(angles)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def test_preclustering_by_hand() -> None:
    found = classical.preclustering(directions(ANGLES), IS_QUERY, LABELS, n_clusters=2, seed=0, k=2)
    assert found == {
        "n_clusters": 2,
        "k": 2,
        "n_queries": 2,
        "n_queries_short": 0,
        "share_compared": pytest.approx((6 + 2) / 11),  # six others and two centres
        "recall": pytest.approx((1 / 2 + 1) / 2),  # 44: 30 but not 60; 2: 0 and 5
        "precision_exact": pytest.approx((1 / 2 + 1) / 2),
        "precision_clustered": pytest.approx((0 + 1) / 2),  # 44: 30 and 15
    }


def test_a_cluster_smaller_than_k_leaves_places_free() -> None:
    found = classical.preclustering(directions(ANGLES), IS_QUERY, LABELS, n_clusters=2, seed=0, k=8)
    assert found["n_queries_short"] == 2
    # Both find six. 44: 0 and 2 are not among its exact eight; 2: all six are among its own.
    assert found["recall"] == pytest.approx((4 / 8 + 6 / 8) / 2)
    assert found["precision_clustered"] == pytest.approx((0 + 5 / 8) / 2)


def test_one_cluster_is_exact_search() -> None:
    found = classical.preclustering(directions(ANGLES), IS_QUERY, LABELS, n_clusters=1, seed=0, k=3)
    assert found["recall"] == 1
    assert found["precision_clustered"] == found["precision_exact"]


def test_queries_without_a_label_have_no_precision() -> None:
    labels = np.where(ANGLES == 44, -1, LABELS)
    found = classical.preclustering(directions(ANGLES), IS_QUERY, labels, n_clusters=2, seed=0, k=2)
    assert (found["precision_exact"], found["precision_clustered"]) == (1, 1)
    assert found["recall"] == pytest.approx(3 / 4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"is_query": IS_QUERY[:-1]}, "12 embeddings, 11 query marks and 12 labels"),
        ({"is_query": np.zeros(12, dtype=bool)}, "no test product with a label"),
        ({"labels": np.full(12, -1)}, "no test product with a label"),
        ({"labels": np.array(["Ties"] * 12)}, "integer codes, not <U4"),
        ({"n_clusters": 0}, "1 to 10 .*, not 0"),
        ({"n_clusters": 11}, "1 to 10 .*, not 11"),
        ({"k": 0}, "k must be 1 to 11"),
        ({"k": 12}, "k must be 1 to 11"),
    ],
)
def test_preclustering_refuses_what_it_cannot_do(change: dict, message: str) -> None:
    parameters = {
        "embeddings": directions(ANGLES),
        "is_query": IS_QUERY,
        "labels": LABELS,
        "n_clusters": 2,
        "seed": 0,
    }
    with pytest.raises(ParameterError, match=message):
        classical.preclustering(**parameters | change)


def test_preclustering_refuses_an_embedding_without_direction() -> None:
    vectors = directions(ANGLES)
    vectors[4] = 0
    with pytest.raises(StoreError, match="product 4 is all zeros"):
        classical.preclustering(vectors, IS_QUERY, LABELS, n_clusters=2, seed=0)
