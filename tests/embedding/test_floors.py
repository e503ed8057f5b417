"""floors: the mean colour and the pixels by hand, and what a product's name tells."""

import numpy as np
import pandas as pd
import pytest

from fashion_rir.embedding import floors
from fashion_rir.errors import CatalogError, ParameterError
from fashion_rir.studies.analysis import counts as analysis_counts


def names_and_types() -> tuple[pd.DataFrame, np.ndarray]:
    """Twenty shirts and twenty ties whose names differ in the type's word only; every second
    product of each is a test product."""
    products = pd.DataFrame(
        {
            "articleType": ["Shirts", "Ties"] * 20,
            "productDisplayName": ["Anna Blue Shirt", "Anna Blue Tie"] * 20,
        }
    )
    return products, np.arange(40) % 4 >= 2


def test_mean_colour_by_hand() -> None:
    picture = np.zeros((32, 32, 3), dtype=np.uint8)
    picture[:, :16] = (200, 100, 50)  # the left half; the right one is black
    found = floors.MeanColour().embed(picture[None])
    assert found.dtype == np.float32
    assert found.tolist() == [[100, 50, 25, 128]]


def test_raw_pixels_by_hand() -> None:
    picture = np.arange(16 * 16 * 3).astype(np.uint8).reshape(16, 16, 3)
    found = floors.RawPixels().embed(np.stack([picture, np.zeros_like(picture)]))
    assert found.dtype == np.float32
    assert found[0].tolist() == [*picture.ravel().tolist(), 128]
    assert found[1].tolist() == [*[0] * 768, 128]  # a black picture has a direction, too


@pytest.mark.parametrize("floor", [floors.MeanColour(), floors.RawPixels()])
def test_the_metadata_say_what_is_embedded(floor) -> None:
    size = floor.image_size
    dim = floor.embed(np.zeros((1, size, size, 3), dtype=np.uint8)).shape[1]
    about = floor.metadata("pad")
    assert (about["embedding_dim"], about["image_size"], about["preprocessing"]) == (
        dim, size, "pad",
    )  # fmt: skip
    assert about["model"] == f"{about['backbone']}-{size}-pad"


def test_the_floors_cannot_be_taken_for_each_other() -> None:
    hashes = {
        about["weights_sha256"]
        for about in (
            floors.MeanColour().metadata("resize"),
            floors.RawPixels().metadata("resize"),
            floors.random_metadata(1),
        )
    }
    assert len(hashes) == 3


def test_chance_is_seeded() -> None:
    first = floors.random_embeddings(5, seed=1)
    assert first.shape == (5, 32)
    assert first.dtype == np.float32
    assert (first == floors.random_embeddings(5, seed=1)).all()
    assert (first != floors.random_embeddings(5, seed=2)).all()
    about = floors.random_metadata(1)
    assert (about["model"], about["weights"], about["embedding_dim"]) == ("chance", "seed1", 32)


def test_the_name_tells_the_type_until_its_words_are_removed() -> None:
    products, is_test = names_and_types()
    assert analysis_counts.name_accuracy(products, is_test, without_type=False) == 1.0
    assert (
        analysis_counts.name_accuracy(products, is_test, without_type=True) == 0.5
    )  # all the same name


@pytest.mark.parametrize(
    ("name", "article_type", "left"),
    [
        ("puma men grey t-shirt", "Tshirts", "puma men grey"),
        ("anna casual shoe in red", "Casual Shoes", "anna in red"),
        ("anna evening dress", "Dresses", "anna evening"),
        ("anna blue shirt", "Ties", "anna blue shirt"),
    ],
)
def test_the_words_of_a_type(name: str, article_type: str, left: str) -> None:
    assert analysis_counts._without(name, article_type) == left


def test_products_without_a_type_do_not_count() -> None:
    products, is_test = names_and_types()
    products.loc[[0, 2], "articleType"] = None
    assert (
        analysis_counts.name_accuracy(products, is_test, without_type=True) > 0.5
    )  # more ties than shirts


def test_a_missing_name_is_an_empty_one() -> None:
    products, is_test = names_and_types()
    products.loc[:3, "productDisplayName"] = None
    assert 0.5 <= analysis_counts.name_accuracy(products, is_test, without_type=False) <= 1


@pytest.mark.parametrize(
    ("mark", "counts"),
    [(True, "0 products to train on and 40"), (False, "40 products to train on and 0")],
)
def test_a_split_with_one_side_only_is_refused(mark: bool, counts: str) -> None:
    products, is_test = names_and_types()
    with pytest.raises(ParameterError, match=counts):
        analysis_counts.name_accuracy(products, np.full_like(is_test, mark), without_type=False)


def test_names_without_a_word_are_refused() -> None:
    products, is_test = names_and_types()
    products["productDisplayName"] = None
    with pytest.raises(CatalogError, match="productDisplayName holds no word"):
        analysis_counts.name_accuracy(products, is_test, without_type=False)
