"""A second engine for embedding: the same network in ONNX Runtime, faster on a CPU.

The Keras model stays the reference; the exported one is checked against it when it is made, and
what the check found is kept beside it. `ExportedBackbone` reads export and check back, without
Keras or TensorFlow: that is what answers a visitor of the storefront.
Needs the extra `onnx` (onnxruntime, onnx, tf2onnx) and the TensorFlow backend for the export.
"""

import json
import os
import warnings
from pathlib import Path

import numpy as np

from fashion_rir.embedding.backbones import Backbone
from fashion_rir.errors import FashionRirError
from fashion_rir.system import sha256_of_file, usable_cores, whole_file, write_text

NEEDS_EXTRA = "The engine 'onnx' needs the extra: pip install -e '.[onnx]'."

RUN_SIZE = 8  # images a run: as fast as more, at a fraction of the memory

TOLERANCE = 1e-4  # largest difference to Keras, relative to the largest feature

SCHEMA_VERSION = 1


class OnnxBackbone:
    """A backbone exported to ONNX; embeds like the Keras one.

    Attributes:
        image_size: side of the square input in pixels.
        calls_at_once: each call runs on one core, so as many may run at once: on a picture each,
            cores neither wait for each other nor for the decoding.
    """

    calls_at_once = usable_cores()

    def __init__(self, backbone: Backbone, path: Path) -> None:
        """Export `backbone` to `path` (or take the export that is there) and check it.

        Raises:
            FashionRirError: the extra is not installed, or the export at `path` is damaged,
                belongs to another model, or differs from Keras.
        """
        self.image_size = backbone.image_size
        self._backbone = backbone
        runtime()  # before a long export: is it installed?
        if not path.exists():
            _export(backbone, path)
        try:
            self._session, self._input = _session(path, 1)
            difference = self._difference_to_keras()
        except Exception as error:  # ONNX Runtime raises types of its own
            raise FashionRirError(
                f"The ONNX export {path} is damaged or belongs to another model "
                f"({type(error).__name__}); delete it and try again."
            ) from error
        if not difference <= TOLERANCE:
            raise FashionRirError(
                f"The ONNX export {path} differs from Keras by {difference:.1e} (allowed "
                f"{TOLERANCE}): it belongs to another model, or the export went wrong. Delete it "
                "and try again, or use engine='keras'."
            )
        _keep_check(path, backbone, difference)

    def embed(self, batch: np.ndarray) -> np.ndarray:
        """uint8 (n, image_size, image_size, 3) to float32 (n, embedding_dim)."""
        parts = [batch[i : i + RUN_SIZE] for i in range(0, len(batch), RUN_SIZE)]
        return np.concatenate([self._session.run(None, {self._input: p})[0] for p in parts])

    def metadata(self, preprocessing: str) -> dict[str, object]:
        """The Keras model's: the embeddings are interchangeable; only the engine differs."""
        return self._backbone.metadata(preprocessing) | {"engine": "onnx"}

    def _difference_to_keras(self) -> float:
        """The largest difference on two random pictures, relative to the largest feature."""
        shape = (2, self.image_size, self.image_size, 3)
        batch = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        reference, found = self._backbone.embed(batch), self.embed(batch)
        return float(np.abs(reference - found).max() / max(np.abs(reference).max(), 1e-12))


class ExportedBackbone:
    """An export that was checked against Keras when it was made; embeds without Keras.

    Attributes:
        image_size: side of the square input in pixels.
        difference: to Keras, relative to the largest feature, as the check found it.
    """

    def __init__(self, path: Path) -> None:
        """Open the export at `path` if it is the file that was checked.

        Raises:
            FashionRirError: onnxruntime is not installed, there is no export or no check of it,
                or the file is another than the one that was checked.
        """
        runtime()
        try:
            check = json.loads(check_path(path).read_text(encoding="utf-8"))
            is_known = check["schema"] == SCHEMA_VERSION
            is_checked = is_known and check["onnx_sha256"] == sha256_of_file(path)
            self._model = dict(check["model"])
            self.image_size = int(self._model["image_size"])
            self.difference = float(check["difference_to_keras"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FashionRirError(
                f"There is no checked ONNX export at {path} ({type(error).__name__}); "
                "`fashion-rir storefront` makes it when it starts, on Keras' TensorFlow backend."
            ) from error
        if not is_checked or not self.difference <= TOLERANCE:
            raise FashionRirError(
                f"The ONNX export {path} is not the file that was checked against Keras; delete "
                "it, and `fashion-rir storefront` makes it again when it starts."
            )
        try:
            self._session, self._input = _session(path, usable_cores())
        except Exception as error:  # ONNX Runtime raises types of its own
            raise FashionRirError(
                f"ONNX Runtime cannot open {path} ({type(error).__name__}); delete it and start "
                "`fashion-rir storefront` again."
            ) from error

    def embed(self, batch: np.ndarray) -> np.ndarray:
        """uint8 (n, image_size, image_size, 3) to float32 (n, embedding_dim)."""
        return self._session.run(None, {self._input: batch})[0]

    def metadata(self, preprocessing: str) -> dict[str, object]:
        """As the Keras model's that was exported."""
        model = f"{self._model['backbone']}-{self.image_size}-{preprocessing}"
        about = {**self._model, "model": model, "preprocessing": preprocessing}
        return about | {"engine": "onnx"}


def check_path(path: Path) -> Path:
    """Where the check of an export is kept: the JSON file beside it."""
    return path.with_suffix(".json")


def runtime():
    """The library ONNX Runtime.

    Raises:
        FashionRirError: it is not installed.
    """
    # Else ONNX Runtime keeps an id of the machine and tells its maker what it does.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnxruntime
    except ImportError as error:
        raise FashionRirError(NEEDS_EXTRA) from error
    return onnxruntime


def _session(path: Path, n_cores: int) -> tuple[object, str]:
    """An ONNX Runtime session whose calls run on `n_cores` each, and the name of its input."""
    library = runtime()
    options = library.SessionOptions()
    options.intra_op_num_threads = n_cores
    session = library.InferenceSession(path, options, ["CPUExecutionProvider"])
    return session, session.get_inputs()[0].name


def _keep_check(path: Path, backbone: Backbone, difference: float) -> None:
    model = backbone.metadata("any")
    check = {
        "schema": SCHEMA_VERSION,
        "onnx_sha256": sha256_of_file(path),
        "difference_to_keras": difference,
        "model": {k: v for k, v in model.items() if k not in ("model", "preprocessing")},
    }
    write_text(check_path(path), json.dumps(check, indent=1))


def _export(backbone: Backbone, path: Path) -> None:
    import keras

    if keras.backend.backend() != "tensorflow":
        raise FashionRirError(
            f"Keras exports to ONNX on TensorFlow only, not on {keras.backend.backend()}; unset "
            "KERAS_BACKEND, or use engine='keras'."
        )
    # Keras exports only a model that has seen a batch.
    backbone.model(np.zeros((1, *backbone.model.input_shape[1:]), np.uint8))
    with whole_file(path) as partial, warnings.catch_warnings():
        # Keras' exporter asks numpy for a name of old.
        warnings.filterwarnings("ignore", "In the future `np.object`", FutureWarning)
        try:
            backbone.model.export(partial, format="onnx", verbose=False)
        except ImportError as error:
            raise FashionRirError(NEEDS_EXTRA) from error
