import numpy as np
import pytest
from PIL import Image, ImageDraw

from fashion_rir.embedding.photo_head import PhotoHead
from fashion_rir.embedding.photo_pipeline import PhotoPipeline


class MeanColour:
    """Embeds a picture as the mean of its channels, 0 to 1."""

    image_size = 8

    def embed(self, batch: np.ndarray) -> np.ndarray:
        return (batch.mean(axis=(1, 2)) / 255).astype(np.float32)


def colour_head() -> PhotoHead:
    """Says Red where there is more red than blue, and nothing of types."""
    weights = {
        "mean": np.zeros(3),
        "scale": np.ones(1),
        "hidden": np.eye(3) * 20,
        "hidden_bias": np.zeros(3),
        "articleType": np.zeros((3, 2)),
        "articleType_bias": np.array([1.0, 0.0]),
        "baseColour": np.array([[1, 0], [0, 0], [0, 1]]),
        "baseColour_bias": np.zeros(2),
    }
    classes = {"articleType": ("Shirts", "Skirts"), "baseColour": ("Red", "Blue")}
    arrays = {name: values.astype(np.float32) for name, values in weights.items()}
    return PhotoHead(classes, arrays, {"networks": ["mean colour"]})


def red_on_blue() -> Image.Image:
    photo = Image.new("RGB", (180, 240), (20, 20, 200))
    ImageDraw.Draw(photo).rectangle((70, 90, 110, 150), fill=(220, 20, 20))
    return photo


def test_the_cut_out_tells_the_garments_colour_and_not_the_floors():
    pipeline = PhotoPipeline([MeanColour()], colour_head())
    asked = pipeline.query(red_on_blue())
    assert asked.cut.is_cut
    cut_alone = pipeline.head.posteriors(pipeline.embed([asked.cut.picture]))["baseColour"][0]
    assert cut_alone[0] > 0.5
    whole = pipeline.query(red_on_blue(), is_cut=False)
    assert whole.best(pipeline.head, "baseColour", 1)[0][0] == "Blue"
    assert asked.posteriors["baseColour"][0, 0] > whole.posteriors["baseColour"][0, 0]


def test_a_switch_turns_the_cut_out_off_and_it_is_said():
    found = PhotoPipeline([MeanColour()], colour_head()).query(red_on_blue(), is_cut=False)
    assert not found.cut.is_cut and found.cut.note == "The whole photo is searched."


@pytest.mark.parametrize("size", [(20, 20), (1, 1), (33, 700)])
def test_every_photo_gets_an_answer(size):
    found = PhotoPipeline([MeanColour()], colour_head()).query(Image.new("RGB", size, "green"))
    assert found.vector.shape == (1, 4) and np.isfinite(found.vector).all()
    assert found.cut.note


def test_a_match_is_decided_by_the_most_probable_type():
    found = PhotoPipeline([MeanColour()], colour_head()).query(red_on_blue())
    assert found.confidence == pytest.approx(np.e / (1 + np.e), abs=1e-5)
    assert found.is_match(0.7) and not found.is_match(0.75)


def test_embeddings_of_several_networks_stand_side_by_side():
    pipeline = PhotoPipeline([MeanColour(), MeanColour()], colour_head())
    assert pipeline.embed([red_on_blue(), red_on_blue()]).shape == (2, 6)
