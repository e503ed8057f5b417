"""A second engine for embedding: the same network in ONNX Runtime, faster on a CPU.

The Keras model stays the reference; the exported one is checked against it when it is made.
Needs the extra `onnx` (onnxruntime, onnx, tf2onnx) and the TensorFlow backend for the export.
"""

import os
from pathlib import Path

import numpy as np

from fashion_rir.backbones import Backbone
from fashion_rir.errors import FashionRirError

NEEDS_EXTRA = "The engine 'onnx' needs the extra: pip install 'fashion-rir[onnx]'."
TOLERANCE = 1e-4  # largest difference to Keras, relative to the largest feature


class OnnxBackbone:
    """A backbone exported to ONNX; embeds like the Keras one.

    Attributes:
        image_size: side of the square input in pixels.
    """

    def __init__(self, backbone: Backbone, path: Path) -> None:
        """Export `backbone` to `path` (or take the export that is there) and check it.

        Raises:
            FashionRirError: the extra is not installed, or the export at `path` is damaged,
                belongs to another model, or differs from Keras.
        """
        try:
            import onnxruntime
        except ImportError as error:
            raise FashionRirError(NEEDS_EXTRA) from error
        self.image_size = backbone.image_size
        self._backbone = backbone
        if not path.exists():
            _export(backbone, path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = os.cpu_count() or 1
        try:
            self._session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
            self._input = self._session.get_inputs()[0].name
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

    def embed(self, batch: np.ndarray) -> np.ndarray:
        """uint8 (n, image_size, image_size, 3) to float32 (n, embedding_dim)."""
        return self._session.run(None, {self._input: batch})[0]

    def metadata(self, preprocessing: str) -> dict[str, object]:
        """The Keras model's: the embeddings are interchangeable; only the engine differs."""
        return self._backbone.metadata(preprocessing) | {"engine": "onnx"}

    def _difference_to_keras(self) -> float:
        """The largest difference on two random pictures, relative to the largest feature."""
        shape = (2, self.image_size, self.image_size, 3)
        batch = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        reference, found = self._backbone.embed(batch), self.embed(batch)
        return float(np.abs(reference - found).max() / max(np.abs(reference).max(), 1e-12))


def _export(backbone: Backbone, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.part")
    # Keras exports only a model that has seen a batch.
    backbone.model(np.zeros((1, *backbone.model.input_shape[1:]), np.uint8))
    try:
        backbone.model.export(partial, format="onnx", verbose=False)
    except ImportError as error:
        raise FashionRirError(NEEDS_EXTRA) from error
    partial.replace(path)
