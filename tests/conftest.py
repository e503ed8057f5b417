"""Fixtures that several test files share; quiet TensorFlow and tqdm."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before Keras is imported anywhere
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # a GPU rounds differently
os.environ.setdefault("TQDM_DISABLE", "1")

from pathlib import Path

import pytest
from drawn_catalog import ARTICLE_TYPES, photo, product_row, write_catalog
from hypothesis import HealthCheck, settings

# What a test starts in a process of its own finds `torture` and the drawings, too.
here = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, here))

# The same few examples everywhere; `make torture` draws many others.
slow_files = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
settings.register_profile("few", max_examples=40, derandomize=True, deadline=None, database=None,
                          suppress_health_check=slow_files)  # fmt: skip
settings.register_profile("more", max_examples=100, deadline=None, database=None,
                          suppress_health_check=slow_files)  # fmt: skip
settings.load_profile("few")


@pytest.fixture
def product_rows() -> list[list[str]]:
    """Twelve rows of styles.csv, ids 1001 to 1012."""
    return [product_row(1001 + i, article_type) for i, article_type in enumerate(ARTICLE_TYPES)]


@pytest.fixture
def catalog_folder(tmp_path: Path, product_rows: list[list[str]]) -> Path:
    """Kaggle's layout: styles.csv beside images/<id>.jpg; twelve products, all in order."""
    photos = [photo(number) for number in range(len(product_rows))]
    return write_catalog(tmp_path / "catalogue", product_rows, photos)
