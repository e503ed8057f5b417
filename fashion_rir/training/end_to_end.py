"""Train a network's own weights on pictures: on labels, or on pairs of views.

A trained model is built from a *core*, from scaled pictures to outputs, and the layers before
it: augmentation, which acts in training only, and the input mode. The core can be put behind
another input mode, which is what the study's ablation does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import keras
import numpy as np

from fashion_rir.data.catalog import Catalog
from fashion_rir.embedding import backbones
from fashion_rir.embedding.embed import batches, check_batch
from fashion_rir.errors import ParameterError, unknown_name
from fashion_rir.training import augmentation, heads

PREDICTED_AT_ONCE = 64  # pictures: as many as are embedded at once, so one graph does for both

TRAINED = ("all", "all but batch normalisation", "head")


@dataclass(frozen=True)
class CoreSettings:
    """What stands on the backbone, and how much of it learns.

    Attributes:
        hidden: width of the dense layer behind the pooling, at least 1; None for none.
        activation: of that layer, `relu` or `linear`.
        dropout: share left out in training, before the classes; at least 0 and below 1.
        projection: width of a last dense layer, as contrastive training has; None for none.
        trained: one of `TRAINED`. Batch normalisation that is not trained keeps its pretrained
            statistics, too.
    """

    hidden: int | None = 512
    activation: str = "relu"
    dropout: float = 0.5
    projection: int | None = None
    trained: str = "all"

    def __post_init__(self) -> None:
        for name in ("hidden", "projection"):
            width = getattr(self, name)
            if width is not None and width < 1:
                raise ParameterError(
                    f"{name} must be at least 1, or None for no such layer, not {width}."
                )
        if self.activation not in heads.ACTIVATIONS:
            raise unknown_name("activation", self.activation, heads.ACTIVATIONS)
        if not 0 <= self.dropout < 1:
            raise ParameterError(f"dropout must be at least 0 and below 1, not {self.dropout}.")
        _check_trained(self.trained)


def build_core(
    backbone: backbones.Backbone, settings: CoreSettings, *, n_classes: int | None = None, seed: int
) -> keras.Model:
    """The backbone's network with a head of random weights.

    Args:
        backbone: gives the network; its weights are trained in place.
        settings: the head, and what is trained.
        n_classes: of the softmax; None for none (contrastive training).
        seed: of the head's weights.

    Returns:
        A model from scaled pictures, float32 (n, size, size, 3), to `embedding` and, with
        classes, `logits`.
    """
    network = backbone.network
    set_trained(network, settings.trained)
    head = build_top(network.output_shape[-1], settings, n_classes=n_classes, seed=seed)
    inputs = keras.Input((backbone.image_size, backbone.image_size, 3), name="scaled")
    return keras.Model(inputs, head(network(inputs)), name="core")


def build_top(
    embedding_dim: int, settings: CoreSettings, *, n_classes: int | None = None, seed: int
) -> keras.Model:
    """What stands on the pooled features; trained by itself where the backbone is frozen.

    Args:
        embedding_dim: length of the pooled features.
        settings: see `CoreSettings`.
        n_classes: of the softmax; None for none.
        seed: of the weights.

    Returns:
        A model from float32 (n, embedding_dim) to `embedding` and, with classes, `logits`.
    """
    keras.utils.set_random_seed(seed)
    inputs = embedding = keras.Input((embedding_dim,), name="features")
    if settings.hidden is not None:
        embedding = keras.layers.Dense(settings.hidden, settings.activation)(embedding)
    if settings.projection is not None:
        embedding = keras.layers.Dense(settings.projection)(embedding)
    outputs = {"embedding": keras.layers.Identity(name="embedding")(embedding)}
    if n_classes is not None:
        dropped = keras.layers.Dropout(settings.dropout)(embedding)
        outputs["logits"] = keras.layers.Dense(n_classes, name="logits")(dropped)
    return keras.Model(inputs, outputs, name="top")


def set_trained(network: keras.Model, what: str) -> None:
    """Say which layers of a network learn.

    Args:
        network: changed in place.
        what: one of `TRAINED`; `head` leaves the whole network as it is.

    Raises:
        ParameterError: another word.
    """
    _check_trained(what)
    network.trainable = what != "head"
    if what != "head":
        for layer in network.layers:  # Keras passes on to them only what changes
            is_normalisation = isinstance(layer, keras.layers.BatchNormalization)
            layer.trainable = what == "all" or not is_normalisation


def behind_inputs(
    core: keras.Model, input_mode: str, *, augment: str = "none", seed: int = 0
) -> keras.Model:
    """Put a core behind augmentation and an input mode.

    Args:
        core: from `build_core`; shared, not copied.
        input_mode: one of `backbones.INPUT_MODES`.
        augment: one of `augmentation.AUGMENTATIONS`.
        seed: of the augmentation.

    Returns:
        A model from pictures 0 to 255, RGB, to the core's outputs. Without augmentation it is the
        same one every time, so that TensorFlow traces it once.

    Raises:
        ParameterError: unknown input mode or augmentation.
    """
    return (
        _plain(core, input_mode) if augment == "none" else _built(core, input_mode, augment, seed)
    )


@lru_cache(maxsize=4)  # networks are large
def _plain(core: keras.Model, input_mode: str) -> keras.Model:
    return _built(core, input_mode, "none", 0)


def _built(core: keras.Model, input_mode: str, augment: str, seed: int) -> keras.Model:
    inputs = keras.Input(core.input_shape[1:], dtype="uint8", name="image")
    pictures = augmentation.augmenter(augment, seed=seed)(inputs)
    return keras.Model(inputs, core(backbones.input_layers(pictures, input_mode)))


def predict(model: keras.Model, pictures: np.ndarray) -> object:
    """All outputs of a model, in batches of one shape, so that TensorFlow traces it once.

    Args:
        model: takes pictures.
        pictures: shape (n, size, size, 3), at least one.

    Returns:
        As the model's output, of n rows.
    """
    parts = []
    for start in range(0, len(pictures), PREDICTED_AT_ONCE):
        part = pictures[start : start + PREDICTED_AT_ONCE]
        batch = np.zeros((PREDICTED_AT_ONCE, *part.shape[1:]), part.dtype)
        batch[: len(part)] = part
        parts.append(model.predict_on_batch(batch))
    return keras.tree.map_structure(
        lambda *several: np.concatenate(several)[: len(pictures)], *parts
    )


def pooled_features(core: keras.Model, input_mode: str, pictures: np.ndarray) -> np.ndarray:
    """What the network below the head makes of pictures, float32 (n, embedding_dim)."""
    return predict(_plain(core.layers[1], input_mode), pictures)


@dataclass(frozen=True)
class TunedEmbedder:
    """A trained model as an `embed.Embedder`.

    Attributes:
        name: what the study calls it.
        model: from `behind_inputs`.
        base: the backbone's metadata before training.
        trained_on: what else the embeddings depend on: training record's hash, seed, ...
    """

    name: str
    model: keras.Model
    base: Mapping[str, object]
    trained_on: Mapping[str, object]

    @property
    def image_size(self) -> int:
        """Side of the square input in pixels."""
        return self.model.input_shape[1]

    def embed(self, batch: np.ndarray) -> np.ndarray:
        """Embeddings of one batch.

        Args:
            batch: uint8, shape (n, image_size, image_size, 3), RGB.

        Returns:
            float32, shape (n, embedding_dim).

        Raises:
            ParameterError: another dtype (a picture in [0, 1] would become black) or shape.
        """
        check_batch(batch, self.image_size, self.name)
        return np.asarray(self.model.predict_on_batch(batch)["embedding"], dtype=np.float32)

    def metadata(self, preprocessing: str) -> dict[str, object]:
        """What a feature store and a record say of the model."""
        return {
            **self.base,
            **self.trained_on,
            "model": self.name,
            "preprocessing": preprocessing,
            "weights_sha256": backbones.hash_values(self.model),
            "embedding_dim": self.model.output["embedding"].shape[-1],
        }


def load_pictures(
    catalog: Catalog, image_names: Sequence[str], image_size: int, preprocessing: str
) -> np.ndarray:
    """Pictures in memory, for training over and over.

    Args:
        catalog: where the photos are.
        image_names: which ones.
        image_size: side of the square in pixels; a picture takes 3 * image_size**2 bytes.
        preprocessing: `resize` or `pad`.

    Returns:
        uint8, shape (n, image_size, image_size, 3).

    Raises:
        ParameterError: no names.
    """
    if len(image_names) == 0:
        raise ParameterError("There is no picture to train on; take more products.")
    pictures = np.empty((len(image_names), image_size, image_size, 3), dtype=np.uint8)
    start = 0
    for names, batch in batches(
        catalog, list(image_names), image_size, preprocessing, batch_size=256
    ):
        pictures[start : start + len(names)] = batch[: len(names)]
        start += len(names)
    return pictures


def _check_trained(what: str) -> None:
    if what not in TRAINED:
        raise unknown_name("part to train", what, TRAINED)
