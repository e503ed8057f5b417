"""The drawn shop, as a visitor finds it."""

import pytest
from drawn_shop import embedded_shop

from fashion_rir.storefront.shop import Shop, prepare


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Shop:
    """101 products with two feature stores; one shop for all tests of a file."""
    return prepare(*embedded_shop(tmp_path_factory.mktemp("shop")))
