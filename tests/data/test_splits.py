"""splits: every type gives its share, and copies of a photo stay on one side."""

import numpy as np
import pandas as pd
import pytest

from fashion_rir.data.splits import is_test_product
from fashion_rir.errors import ParameterError


def catalogue(types: dict[str, int]) -> pd.DataFrame:
    """So many products of each type, each with its own photo, shuffled."""
    labels = [name for name, count in types.items() for _ in range(count)]
    table = pd.DataFrame({"articleType": labels})
    table["image_sha256"] = [f"photo {row}" for row in range(len(table))]
    return table.sample(frac=1, random_state=0).reset_index(drop=True)


def test_every_type_gives_a_fifth() -> None:
    products = catalogue({"Shirts": 100, "Watches": 50, "Ties": 10})
    is_test = is_test_product(products, seed=1)
    assert products[is_test]["articleType"].value_counts().to_dict() == {
        "Shirts": 20,
        "Watches": 10,
        "Ties": 2,
    }


def test_another_share() -> None:
    assert is_test_product(catalogue({"Shirts": 40}), seed=1, test_share=0.75).sum() == 30


@pytest.mark.parametrize("test_share", [0.2, 0.99])
def test_a_lone_product_is_trained_on(test_share: float) -> None:
    products = catalogue({"Shirts": 10, "Capes": 1})
    is_test = is_test_product(products, seed=1, test_share=test_share)
    assert not is_test[products["articleType"] == "Capes"].any()


def test_a_type_with_a_single_photo_is_trained_on() -> None:
    products = catalogue({"Shirts": 10, "Capes": 8})
    is_cape = products["articleType"] == "Capes"
    products.loc[is_cape, "image_sha256"] = "the same"
    is_test = is_test_product(products, seed=1, test_share=0.99)
    assert not is_test[is_cape].any()
    assert is_test.sum() == 9  # of ten shirts one is left to train on


def test_a_catalogue_that_can_spare_nothing_is_refused() -> None:
    with pytest.raises(ParameterError, match="among these 3 products has enough .* take more"):
        is_test_product(catalogue({"Shirts": 2, "Capes": 1}), seed=1)


@pytest.mark.parametrize("seed", range(20))
def test_copies_of_a_photo_never_straddle(seed: int) -> None:
    products = catalogue({"Shirts": 60, "Watches": 40})
    photos = np.random.default_rng(seed).integers(0, 50, len(products))
    products["image_sha256"] = [f"photo {number}" for number in photos]  # types share some, too
    is_test = is_test_product(products, seed=seed)
    sides = products.assign(is_test=is_test).groupby("image_sha256")["is_test"].nunique()
    assert (sides == 1).all()
    assert 10 <= is_test.sum() <= 20


def test_seeded() -> None:
    products = catalogue({"Shirts": 100})
    first = is_test_product(products, seed=1)
    assert (first == is_test_product(products, seed=1)).all()
    assert (first != is_test_product(products, seed=2)).any()


def test_products_without_a_type_are_a_type_of_their_own() -> None:
    products = catalogue({"Shirts": 10, "?": 10})
    products["articleType"] = products["articleType"].replace("?", None)
    assert is_test_product(products, seed=1)[products["articleType"].isna()].sum() == 2


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5])
def test_a_share_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(ParameterError, match=f"between 0 and 1, not {share}"):
        is_test_product(catalogue({"Shirts": 10}), seed=1, test_share=share)
