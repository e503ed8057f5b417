"""devices: two simulated devices train a head like one."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest

TRAIN = """
import sys
import keras
import numpy as np
from fashion_rir.training import devices, heads, objectives
from fashion_rir.errors import ParameterError
from fashion_rir.data.labels import LabelClasses
from fashion_rir.training.fit import Training, TrainingSettings

generator = np.random.default_rng(0)
codes = np.arange(64) % 3
features = (generator.standard_normal((64, 8)) + codes[:, None]).astype(np.float32)
classes = LabelClasses("articleType", ("a", "b", "c"))
with devices.data_parallel(16, 64) as n_devices:
    head, curve = heads.train_head(
        (features, {"type": codes}), objectives.Classification({"type": classes}, 0.1),
        heads.HeadSettings(hidden=4, dropout=0.0),
        Training(TrainingSettings(epochs=3, batch_size=16, learning_rate=0.01), seed=1),
    )
    placed = len(head.model.weights[-1].value.sharding.device_set)
assert placed == n_devices == int(sys.argv[1]), (placed, n_devices)
np.savez(sys.argv[2], *head.model.get_weights(), loss=curve["loss"])
for batch_size, n_products in ((15, 60), (16, 33)):
    try:
        with devices.data_parallel(batch_size, n_products):
            assert n_devices == 1
    except ParameterError as error:
        assert "cannot be shared out over 2 devices" in str(error), error
"""


def trained(n_devices: int, folder: Path) -> dict[str, np.ndarray]:
    path = folder / f"{n_devices}.npz"
    flags = f"--xla_force_host_platform_device_count={n_devices}"
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, str(n_devices), str(path)],
        capture_output=True, text=True, timeout=300,
        env=os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(np.load(path))


@pytest.mark.slow
def test_two_devices_train_a_head_like_one(tmp_path):
    pytest.importorskip("jax")
    with ThreadPoolExecutor(2) as pool:  # each takes seconds to load Keras
        one, two = pool.map(partial(trained, folder=tmp_path), (1, 2))
    assert one["loss"][-1] < one["loss"][0]
    assert list(one) == list(two)
    for name, values in one.items():
        np.testing.assert_allclose(two[name], values, rtol=1e-4, atol=1e-5)
