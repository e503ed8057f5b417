"""The networks that turn a picture into an embedding, each with its own input mode.

A backbone takes uint8 RGB and brings it into the range its weights were trained on by itself,
as the first layers of its graph. So no caller can feed it the wrong range.

`imagenet` weights come from a folder named by `FASHION_RIR_WEIGHTS` (its `weights.json` says what
each file is), else from those that travel with the project, else from Keras' own download.
`shipped` are those that travel with the project, whatever else is there. Others come from a path,
or are random (`none`).
"""

import json
import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fashion_rir import system
from fashion_rir.data import shipped_files
from fashion_rir.data.images import MAX_SIZE
from fashion_rir.data.named_paths import named_path
from fashion_rir.embedding import efficientnet_lite, weight_arrays
from fashion_rir.embedding.embed import check_batch
from fashion_rir.errors import ParameterError, WeightsError, check_seed, network_fault, unknown_name

WEIGHTS_VARIABLE = "FASHION_RIR_WEIGHTS"

WEIGHTS_LIST = "weights.json"  # in a folder of weights: what each file is

NAMED_WEIGHTS = ("imagenet", "shipped", "none")


@dataclass(frozen=True)
class BackboneSpec:
    """What is fixed for a network.

    Attributes:
        architecture: the function in `keras.applications`, or a key in `efficientnet_lite.SCALES`.
        image_size: side of the square input in pixels that the study uses by default.
        input_mode: `tf` is [-1, 1]; `torch` is RGB / 255 less ImageNet's mean over its standard
            deviation; `caffe` is BGR less ImageNet's mean; `raw` is 0 to 255; `lite` is
            (x - 127) / 128; `unit` is [0, 1], as the thesis feeds all its networks, though none
            of them was trained so.
        embedding_dim: length of the embedding after global average pooling.
    """

    architecture: str
    image_size: int
    input_mode: str
    embedding_dim: int


BACKBONES = {
    "mobilenetv2": BackboneSpec("MobileNetV2", 128, "tf", 1280),
    "mobilenetv3": BackboneSpec("MobileNetV3Large", 224, "raw", 960),
    "resnet50": BackboneSpec("ResNet50", 224, "caffe", 2048),
    "resnet101": BackboneSpec("ResNet101", 224, "caffe", 2048),
    "resnet152": BackboneSpec("ResNet152", 224, "caffe", 2048),
    "efficientnetb0": BackboneSpec("EfficientNetB0", 224, "raw", 1280),
    "inceptionv3": BackboneSpec("InceptionV3", 299, "tf", 2048),
    "vgg16": BackboneSpec("VGG16", 224, "caffe", 512),
    "vgg19": BackboneSpec("VGG19", 224, "caffe", 512),
    "efficientnetlite0": BackboneSpec("EfficientNetLite0", 224, "lite", 1280),
    "efficientnetlite2": BackboneSpec("EfficientNetLite2", 260, "lite", 1280),
}

INPUT_MODES = ("tf", "torch", "caffe", "raw", "unit", "lite")

SPELLED_OUT = {"(x - 127) / 128": "lite"}  # how a weights.json may say an input mode

MIN_IMAGE_SIZE = {"InceptionV3": 75}  # the others take 32

# How Keras calls its ImageNet weights without a classifier, in its folder `models`.
KERAS_FILES = {
    "MobileNetV2": "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
    "MobileNetV3Large": "weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5",
    "ResNet50": "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
    "ResNet101": "resnet101_weights_tf_dim_ordering_tf_kernels_notop.h5",
    "ResNet152": "resnet152_weights_tf_dim_ordering_tf_kernels_notop.h5",
    "EfficientNetB0": "efficientnetb0_notop.h5",
    "InceptionV3": "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
    "VGG16": "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
    "VGG19": "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
}

IMAGENET_DEVIATION = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Backbone:
    """A network ready to embed: uint8 (n, size, size, 3) in, float32 (n, embedding_dim) out.

    Attributes:
        name: key in `BACKBONES`.
        image_size: side of the square input in pixels.
        weights: what the weights are called, `none-seed<seed>` if random.
        weights_sha256: of the weights' file; of the random weights' values if there is none.
        input_mode: what the weights were trained on, see `BackboneSpec`.
        model: the Keras model, its input mode built in.
        is_fused: whether its batch normalisation trains in one kernel (see `batch_norm`).
        pooled_from: the network whose pooling was replaced, which costs as much.
    """

    name: str
    image_size: int
    weights: str
    weights_sha256: str
    input_mode: str
    model: object  # keras.Model; Keras is imported only when a network is built
    is_fused: bool = False
    pooled_from: str = ""

    @property
    def embedding_dim(self) -> int:
        """Length of one embedding."""
        return self.model.output_shape[-1]

    @property
    def network(self) -> object:
        """The Keras model behind the input mode: scaled pictures in, pooled embeddings out."""
        return self.model.layers[-1]

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
        return np.asarray(self.model.predict_on_batch(batch), dtype=np.float32)

    def metadata(self, preprocessing: str) -> dict[str, object]:
        """What a feature store and a result record say of the model."""
        fused = {"batch_normalisation": "fused"} if self.is_fused else {}
        pooled = {"network": self.pooled_from} if self.pooled_from else {}
        return (
            fused
            | pooled
            | {
                "model": f"{self.name}-{self.image_size}-{preprocessing}",
                "backbone": self.name,
                "image_size": self.image_size,
                "preprocessing": preprocessing,
                "weights": self.weights,
                "weights_sha256": self.weights_sha256,
                "embedding_dim": self.embedding_dim,
            }
        )


def check_image_size(name: str, image_size: int) -> None:
    """Refuse a side, in pixels, that a network (or a floor) does not take.

    Raises:
        ParameterError: it is too small or too large.
    """
    least = MIN_IMAGE_SIZE.get(BACKBONES[name].architecture, 32) if name in BACKBONES else 1
    if not least <= image_size <= MAX_SIZE:
        raise ParameterError(
            f"{name} takes images of {least} to {MAX_SIZE} pixels, not {image_size}."
        )


def build(name: str, *, weights: str, image_size: int | None = None, seed: int = 0) -> Backbone:
    """Build a backbone with its input mode and its weights.

    Args:
        name: key in `BACKBONES`.
        weights: `imagenet`, `shipped`, `none` (random, from `seed`), or a weights file's path.
        image_size: side of the square input in pixels; the network's usual one if None.
        seed: of random weights.

    Returns:
        The backbone; its model is not trainable in place (see `training` for that).

    Raises:
        ParameterError: unknown name, or a seed or image size out of range.
        WeightsError: no weights to be had, or a file that is not what it should be.
    """
    if name not in BACKBONES:
        raise unknown_name("backbone", name, BACKBONES)
    check_seed(seed)
    spec = BACKBONES[name]
    image_size = spec.image_size if image_size is None else image_size
    check_image_size(name, image_size)
    if weights == "none":
        import keras

        keras.utils.set_random_seed(seed)
        network = _network(spec, image_size)
        model = _with_input_mode(network, spec.input_mode, image_size)
        return Backbone(name, image_size, f"none-seed{seed}", hash_values(network),
                        spec.input_mode, model)  # fmt: skip
    entry = _weights_entry(spec, weights)
    network = _network(spec, image_size, entry.get("variant"))
    _load_weights(network, entry["path"], entry)
    model = _with_input_mode(network, entry["input_mode"], image_size)
    return Backbone(name, image_size, entry["name"], entry["sha256"], entry["input_mode"], model)


def _network(spec: BackboneSpec, image_size: int, variant: str | None = None) -> object:
    """The network without its classifier, globally average-pooled, with random weights."""
    import keras

    if spec.architecture in efficientnet_lite.SCALES:
        _refuse_variant(spec, variant)
        return efficientnet_lite.build(spec.architecture, image_size)
    network = getattr(keras.applications, spec.architecture)(
        include_top=False, weights=None, pooling="avg", input_shape=(image_size, image_size, 3)
    )
    if variant == "v1.5" and spec.architecture == "ResNet50":
        return keras.Model.from_config(_resnet50_v15_config(network.get_config()))
    _refuse_variant(spec, variant)
    if spec.architecture == "EfficientNetB0":
        return keras.models.clone_model(network, call_function=_call_efficientnet_layer)
    return network


def _refuse_variant(spec: BackboneSpec, variant: str | None) -> None:
    if variant is not None:
        raise WeightsError(f"weights.json names a variant {variant!r} of {spec.architecture} that "
                           "this program cannot build; known: 'v1.5' of ResNet50.")  # fmt: skip


def _call_efficientnet_layer(layer: object, *args: object, **kwargs: object) -> object:
    """Divide by the root of ImageNet's deviation behind the layer that normalises.

    EfficientNet was trained so. Keras adds this step for `weights="imagenet"` only, and leaves
    it out where the same weights come from a file.
    """
    import keras

    outputs = layer(*args, **kwargs)
    if isinstance(layer, keras.layers.Normalization):
        scale = [1 / deviation**0.5 for deviation in IMAGENET_DEVIATION]
        return keras.layers.Rescaling(scale)(outputs)
    return outputs


def _resnet50_v15_config(config: dict) -> dict:
    """Move the down-sampling stride from a block's first 1x1 to its 3x3 convolution.

    That is the 'v1.5' of torchvision and NVIDIA. A 3x3 convolution of stride 2 needs one pixel
    of zeros on every side to see what PyTorch's sees, hence a padding layer before it.
    """
    layers = []
    for layer in config["layers"]:
        layer.pop("build_config", None)  # the old shapes, too small for small pictures
        stage, _, part = layer["name"].partition("_block1_")
        if stage in ("conv3", "conv4", "conv5") and part == "1_conv":
            layer["config"]["strides"] = (1, 1)
        if stage in ("conv3", "conv4", "conv5") and part == "2_conv":
            layer["config"] |= {"strides": (2, 2), "padding": "valid"}
            name = f"{stage}_block1_2_pad"
            padding = {"name": name, "padding": ((1, 1), (1, 1)), "trainable": True}
            layers.append(
                {
                    "module": "keras.layers",
                    "class_name": "ZeroPadding2D",
                    "config": padding,
                    "registered_name": None,
                    "name": name,
                    "inbound_nodes": layer["inbound_nodes"],
                }
            )
            layer["inbound_nodes"] = json.loads(
                json.dumps(layer["inbound_nodes"]).replace(f"{stage}_block1_1_relu", name)
            )
        layers.append(layer)
    return config | {"layers": layers}


def _with_input_mode(network: object, input_mode: str, image_size: int) -> object:
    """Put the network behind the layers that bring uint8 RGB into its own range."""
    import keras

    inputs = keras.Input((image_size, image_size, 3), dtype="uint8", name="image")
    return keras.Model(inputs, network(input_layers(inputs, input_mode)), name=network.name)


def input_layers(inputs: object, input_mode: str) -> object:
    """RGB 0 to 255 into the range that a network's weights were trained on.

    Args:
        inputs: a Keras tensor, shape (n, height, width, 3), RGB, 0 to 255.
        input_mode: see `BackboneSpec`; as `keras.applications.imagenet_utils` defines them.

    Returns:
        A float32 Keras tensor of the same shape.

    Raises:
        ParameterError: unknown mode.
    """
    import keras

    if input_mode not in INPUT_MODES:
        raise unknown_name("input mode", input_mode, INPUT_MODES)
    images = keras.ops.cast(inputs, "float32")
    if input_mode == "raw":
        return images
    if input_mode == "unit":
        return keras.layers.Rescaling(1 / 255)(images)
    if input_mode == "tf":
        return keras.layers.Rescaling(1 / 127.5, offset=-1.0)(images)
    if input_mode == "lite":
        return keras.layers.Rescaling(1 / 128, offset=-127 / 128)(images)
    if input_mode == "torch":
        mean, deviation = np.array([0.485, 0.456, 0.406]), np.array(IMAGENET_DEVIATION)
        scale, offset = 1 / (255 * deviation), -mean / deviation
        return keras.layers.Rescaling(scale.tolist(), offset.tolist())(images)
    bgr_mean = [103.939, 116.779, 123.68]
    bgr = keras.ops.flip(images, axis=-1)
    return keras.layers.Rescaling(1.0, [-value for value in bgr_mean])(bgr)


def check_weights(weights: str) -> None:
    """Refuse what is neither in `NAMED_WEIGHTS` nor a file of weights.

    Raises:
        WeightsError: there is no such file.
    """
    if weights not in NAMED_WEIGHTS and not Path(weights).is_file():
        raise WeightsError(
            f"There is no weights file {weights}; give 'imagenet', 'shipped', 'none' or a file's "
            "path."
        )


def _weights_entry(spec: BackboneSpec, weights: str) -> dict:
    """Where the weights are, and what weights.json (or Keras) says of them."""
    check_weights(weights)
    if weights == "shipped":
        if entry := _shipped_entry(spec):
            return entry
        raise WeightsError(
            f"No weights of {spec.architecture} travel with the project, as those of MobileNetV2 "
            f"and EfficientNetLite0 do (in {shipped_files.FOLDER.as_posix()}); take 'imagenet'."
        )
    if weights != "imagenet":
        path = Path(weights)
        listed = [e for e in _weights_list(path.parent) if e["file"] == path.name]
        if listed:
            return _checked(listed[0], path, spec)
        return {"name": path.stem, "path": path, "sha256": system.sha256_of_file(path),
                "input_mode": spec.input_mode}  # fmt: skip
    folder = named_path(os.environ.get(WEIGHTS_VARIABLE))
    if folder:
        if not folder.is_dir():
            raise WeightsError(f"{WEIGHTS_VARIABLE} names {folder}, which is no folder; mend it.")
        if not (folder / WEIGHTS_LIST).is_file():
            raise WeightsError(
                f"{WEIGHTS_VARIABLE} names {folder}, which holds no weights.json; write one (see "
                "the README, 'Weights'), or unset the variable to let Keras download the weights."
            )
        for entry in _weights_list(folder):
            if entry["architecture"] == spec.architecture:
                return _checked(entry, folder / entry["file"], spec)
    return _shipped_entry(spec) or _keras_download(spec)


def _shipped_entry(spec: BackboneSpec) -> dict | None:
    """The weights that travel with the project, if any do."""
    if not shipped_files.is_here():
        return None
    for entry in _weights_list(shipped_files.path(WEIGHTS_LIST).parent):
        if entry["architecture"] == spec.architecture:
            return _checked(entry, shipped_files.path(entry["file"]), spec)
    return None


def _weights_list(folder: Path) -> list[dict]:
    listing = folder / WEIGHTS_LIST
    if not listing.is_file():
        return []
    try:
        entries = json.loads(listing.read_text(encoding="utf-8"))["weights"]
        needed = ("name", "file", "architecture", "sha256")
        return [entry for entry in entries if all([entry[key] for key in needed])]
    except (ValueError, KeyError, TypeError) as error:
        raise WeightsError(
            f"{listing} is no list of weights ({type(error).__name__}: {error}); see the README, "
            "'Weights'."
        ) from error


def _checked(entry: dict, path: Path, spec: BackboneSpec) -> dict:
    if entry["architecture"] != spec.architecture:
        raise WeightsError(
            f"{path} holds weights of {entry['architecture']}, not of {spec.architecture}; "
            "choose the file of this network."
        )
    if not path.is_file():
        raise WeightsError(f"weights.json names {path}, which is not there; put it there.")
    found = system.sha256_of_file(path)
    if found != entry["sha256"]:
        raise WeightsError(
            f"{path} has SHA-256 {found[:12]}…, weights.json says {entry['sha256'][:12]}…; the "
            "file is damaged or another one. Fetch it again."
        )
    input_mode = entry.get("input_mode", spec.input_mode)
    return {**entry, "input_mode": SPELLED_OUT.get(input_mode, input_mode), "path": path}


def _keras_download(spec: BackboneSpec) -> dict:
    """Let Keras download (or find in its cache) the ImageNet weights."""
    import keras

    if spec.architecture not in KERAS_FILES:
        raise WeightsError(
            f"Keras has no weights of {spec.architecture}; put their file into a folder with a "
            f"weights.json (see the README, 'Weights') and name the folder in {WEIGHTS_VARIABLE}."
        )
    try:
        getattr(keras.applications, spec.architecture)(
            include_top=False, weights="imagenet", input_shape=(224, 224, 3)
        )
        # The file is in the cache now, checked by Keras: this only asks where.
        path = Path(keras.utils.get_file(KERAS_FILES[spec.architecture], "", cache_subdir="models"))
    except Exception as error:  # urllib, ssl and Keras raise many types without a network
        what = ": ".join(filter(None, [type(error).__name__, network_fault(error)]))
        raise WeightsError(
            f"The ImageNet weights of {spec.architecture} could not be downloaded "
            f"({what}); connect to the network once, or put the file into a "
            f"folder with a weights.json and name the folder in {WEIGHTS_VARIABLE}."
        ) from error
    return {"name": f"{spec.architecture.lower()}-imagenet-keras", "path": path,
            "sha256": system.sha256_of_file(path), "input_mode": spec.input_mode}  # fmt: skip


def _load_weights(network: object, path: Path, entry: dict) -> None:
    try:
        if path.suffix == ".npz":
            weight_arrays.load(network, path)
            return
        with warnings.catch_warnings():
            # Keras only warns of layers that it finds no weights for, and leaves them random.
            warnings.filterwarnings("error", message="Skipping nested container")
            network.load_weights(path)
    except WeightsError:
        raise
    except Exception as error:  # h5py, Keras and NumPy raise several types
        raise WeightsError(
            f"{path} does not fit {network.name} (variant {entry.get('variant', 'Keras')}): it "
            f"is damaged or belongs to another network ({type(error).__name__})."
        ) from error


def hash_values(network: object) -> str:
    """SHA-256 of a Keras model's weights, in their order."""
    return system.sha256_of(*(values.tobytes() for values in network.get_weights()))
