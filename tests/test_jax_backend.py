"""The JAX backend: the same weights give the same embeddings as on TensorFlow."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fashion_rir.embedding import backbones

EMBED = """
import sys
import keras
import numpy as np
from fashion_rir.embedding import backbones

weights, pictures, embeddings = sys.argv[1:]
assert keras.backend.backend() == "jax"
network = backbones.build("mobilenetv2", weights=weights, image_size=32)
np.save(embeddings, network.embed(np.load(pictures)))
assert "tensorflow" not in sys.modules
"""


@pytest.mark.slow
def test_jax_embeds_like_tensorflow(tmp_path: Path) -> None:
    pytest.importorskip("jax")
    import keras

    if keras.backend.backend() != "tensorflow":
        pytest.skip("compares with TensorFlow")
    weights, pictures, found = (
        str(tmp_path / name) for name in ("random.weights.h5", "pictures.npy", "embeddings.npy")
    )
    keras.utils.set_random_seed(1)
    keras.applications.MobileNetV2(
        include_top=False, weights=None, pooling="avg", input_shape=(32, 32, 3)
    ).save_weights(weights)
    batch = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    np.save(pictures, batch)
    expected = backbones.build("mobilenetv2", weights=weights, image_size=32).embed(batch)
    done = subprocess.run(
        [sys.executable, "-c", EMBED, weights, pictures, found],
        capture_output=True, text=True, timeout=300,
        env=os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(
        np.load(found), expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max()
    )
