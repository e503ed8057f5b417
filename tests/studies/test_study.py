"""A study of the shipped catalogue: its embeddings are there, and new photos land beside them."""

import numpy as np
import pytest

from fashion_rir.data import shipped
from fashion_rir.embedding import shipped_models
from fashion_rir.errors import ParameterError
from fashion_rir.studies.pretrained import classical
from fashion_rir.studies.study import Study
from fashion_rir.workspace.folders import Workspace


class Network:
    """Gives the same numbers for every photo, as long as MobileNetV2's."""

    image_size = 128

    def metadata(self, preprocessing: str) -> dict[str, object]:
        return {"model": f"mobilenetv2-128-{preprocessing}", "backbone": "mobilenetv2"}

    def embed(self, batch: np.ndarray) -> np.ndarray:
        return np.ones((len(batch), 1280), dtype=np.float32)


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Study:
    workspace = Workspace(tmp_path_factory.mktemp("study"), "quick")
    return Study(workspace, shipped.table(), seed=20, weights="shipped", catalogue="shipped")


def test_a_new_photo_is_reduced_as_the_shipped_embeddings_are(study):
    embedder = study.embedder(Network(), "resize")
    found = embedder.embed(np.zeros((2, 128, 128, 3), dtype=np.uint8))
    stored = shipped_models.open_model("mobilenetv2-128-resize").embedded(study.catalog)
    assert found.shape == (2, stored[0].shape[1])
    assert embedder.metadata("resize")["model"] == stored[1]["model"]
    np.testing.assert_array_equal(found, embedder.reduce(np.ones((2, 1280), dtype=np.float32)))


def test_of_another_catalogue_the_network_itself_embeds(study):
    network = Network()
    of_photos = Study(study.workspace, study.catalog, catalogue="phone")
    assert of_photos.embedder(network, "resize") is network


def test_the_shipped_catalogue_has_its_colour_histogram_and_no_other_descriptor(study):
    vectors, metadata = classical.embed_descriptor(study, "colour-histogram")
    assert len(vectors) == len(study.catalog)
    assert metadata["backbone"] == "colour-histogram"
    with pytest.raises(ParameterError, match="shipped model"):
        classical.embed_descriptor(study, "hog")
