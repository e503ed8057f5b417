"""Random changes to pictures while a network learns, by name.

An augmentation is a Keras layer at the head of a model: RGB from 0 to 255 in and out, active in
training only. `augmenter` makes one of `AUGMENTATIONS`: those of the thesis, a light and a
strong one, and single changes, to ask which attribute each of them destroys.

Where a change looks beyond the edge, the nearest pixel continues. Black, with which `images.pad`
fills, would draw corners on the white ground that most product photos have; Keras' usual mirror
would draw pieces of the product there.
"""

from collections.abc import Callable
from functools import partial

import keras
import numpy as np

from fashion_rir.errors import ParameterError, unknown_name

FILL_MODE = "nearest"

CROP_AREA = (0.5, 1.0)  # share of the picture that a crop keeps

CROP_ASPECT = (3 / 4, 4 / 3)  # width over height of a crop, over that of the picture


class RandomResizedCrop(keras.layers.Layer):
    """A random part of each picture, stretched to the whole picture's size, bilinear.

    Area and aspect ratio are drawn from `CROP_AREA` and `CROP_ASPECT` (the recipe of Szegedy et
    al. 2015), the position from all that lie within. Keras' own `RandomCrop` cuts the whole
    batch at one place and keeps no size.

    Args:
        seed: of the draws.
        least_area: share of the picture that a crop keeps at least.
        options: of every Keras layer, such as `name`.
    """

    def __init__(self, *, seed: int, least_area: float = CROP_AREA[0], **options: object) -> None:
        super().__init__(**options)
        self.least_area = least_area
        self.generator = keras.random.SeedGenerator(seed)
        self.supports_jit = False  # as Keras' other layers that move pixels

    def call(self, images: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        """(n, height, width, 3) to the same shape."""
        if not training:
            return images
        ops = keras.ops
        n, height, width, _ = ops.shape(images)
        area = self._draw(n, self.least_area, CROP_AREA[1])
        aspect = ops.exp(self._draw(n, *np.log(CROP_ASPECT)))
        across = ops.minimum(ops.sqrt(area * aspect), 1.0)
        down = ops.minimum(ops.sqrt(area / aspect), 1.0)
        left = self._draw(n, 0.0, 1.0) * (1 - across) * ops.cast(width - 1, "float32")
        top = self._draw(n, 0.0, 1.0) * (1 - down) * ops.cast(height - 1, "float32")
        none = ops.zeros_like(area)
        # Where the pixel at (x, y) comes from: (across * x + left, down * y + top).
        transform = ops.stack([across, none, left, none, down, top, none, none], axis=1)
        return ops.image.affine_transform(
            images, transform, interpolation="bilinear", fill_mode=FILL_MODE
        )

    def _draw(self, n: object, least: float, most: float) -> keras.KerasTensor:
        return keras.random.uniform((n,), least, most, seed=self.generator)


FLIP = partial(keras.layers.RandomFlip, "horizontal")

# The thesis says 20 %. In Keras that is a share of the full circle: up to 72 degrees either way.
ROTATION = partial(keras.layers.RandomRotation, 0.2, fill_mode=FILL_MODE)

ZOOM = partial(keras.layers.RandomZoom, 0.2, fill_mode=FILL_MODE)

SLIGHT_ZOOM = partial(keras.layers.RandomZoom, 0.05, fill_mode=FILL_MODE)

SLIGHT_SHIFT = partial(keras.layers.RandomTranslation, 0.04, 0.04, fill_mode=FILL_MODE)

BRIGHTNESS = partial(keras.layers.RandomBrightness, 0.2)  # up to 0.2 * 255 is added or taken

SLIGHT_BRIGHTNESS = partial(keras.layers.RandomBrightness, 0.05)

# Times 0.7 to 1.3, around the mean. With a single 0.3 Keras would only ever raise it.
CONTRAST = partial(keras.layers.RandomContrast, (0.3, 0.3))

SLIGHT_CONTRAST = partial(keras.layers.RandomContrast, (0.1, 0.1))

# Times 0.4 / 0.6 to 0.6 / 0.4. The value range bounds the saturation, which is 0 to 1 always.
SATURATION = partial(keras.layers.RandomSaturation, (0.4, 0.6), value_range=(0, 1))

HUE = partial(keras.layers.RandomHue, 0.5)  # a share of 180 degrees: up to 90 either way

SLIGHT_HUE = partial(keras.layers.RandomHue, 0.05)  # 9 degrees: red stays red

GREY = partial(keras.layers.RandomGrayscale, 0.5)  # every second picture

# What each augmentation does, in this order.
AUGMENTATIONS: dict[str, tuple[Callable[..., keras.layers.Layer], ...]] = {
    "none": (),
    # Models h and i of the thesis, and what its recommendation d asks for.
    "thesis": (FLIP, ROTATION, ZOOM),
    "recommended": (FLIP, ROTATION, ZOOM, RandomResizedCrop, BRIGHTNESS, CONTRAST),
    # For training with labels, where the product should stay as it is.
    "light": (FLIP, SLIGHT_SHIFT, SLIGHT_ZOOM, SLIGHT_BRIGHTNESS, SLIGHT_CONTRAST),
    # For contrastive training: what another photo of the same product could look like.
    "strong": (RandomResizedCrop, FLIP, BRIGHTNESS, CONTRAST, SATURATION, SLIGHT_HUE),
    "flip": (FLIP,),
    "rotation": (ROTATION,),
    "zoom": (ZOOM,),
    "crop": (RandomResizedCrop,),
    "brightness": (BRIGHTNESS,),
    "contrast": (CONTRAST,),
    "hue": (HUE,),
    "grey": (GREY,),
}


class Augmentation(keras.layers.Layer):
    """The changes of one of `AUGMENTATIONS`, one behind the other (see `augmenter`).

    Args:
        augmentation: key in `AUGMENTATIONS`.
        seed: each change has a seed of its own, drawn from this one.
        options: of every Keras layer, such as `name`.
    """

    def __init__(self, augmentation: str, *, seed: int, **options: object) -> None:
        # Also where the network computes in float16, which has too few digits for 0 to 255.
        super().__init__(**{"dtype": "float32"} | options)
        if augmentation not in AUGMENTATIONS:
            raise unknown_name("augmentation", augmentation, AUGMENTATIONS)
        if seed < 0:
            raise ParameterError(f"The seed of an augmentation must be at least 0, not {seed}.")
        makers = AUGMENTATIONS[augmentation]
        seeds = np.random.default_rng(seed).integers(2**31, size=len(makers)).tolist()
        self.changes = [
            make(seed=own, dtype="float32") for make, own in zip(makers, seeds, strict=True)
        ]
        if keras.backend.backend() != "tensorflow":
            # Only TensorFlow cannot compile the layers that move pixels, but Keras says so of
            # them everywhere, and would train without compiling at all.
            for change in self.changes:
                change.supports_jit = True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Refuse what is no batch of pictures."""
        if len(input_shape) != 4 or input_shape[-1] != 3:
            raise ParameterError(
                "A batch to augment has the shape (n, height, width, 3), RGB from 0 to 255, not "
                f"{tuple(input_shape)}; give whole batches, before any scaling."
            )

    def call(self, images: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        """(n, height, width, 3), 0 to 255, to float32 of the same shape and range."""
        images = keras.ops.cast(images, "float32")
        if not training:
            return images
        for change in self.changes:
            images = change(images, training=True)
        return keras.ops.clip(images, 0.0, 255.0)  # rounding can leave the range by a hair

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The same shape."""
        return input_shape


def augmenter(name: str, *, seed: int) -> Augmentation:
    """A layer that changes pictures at random in training, and leaves them alone otherwise.

    Each call draws anew. A new layer with the same seed draws the same again (on the same
    backend).

    Args:
        name: key in `AUGMENTATIONS`.
        seed: of the draws, at least 0.

    Returns:
        A layer from RGB of 0 to 255, uint8 or float, shape (n, height, width, 3), to float32 of
        the same shape and range.

    Raises:
        ParameterError: unknown name, or a negative seed.

    Example:
        >>> pictures = np.full((2, 8, 8, 3), 200, dtype=np.uint8)
        >>> tuple(augmenter("strong", seed=0)(pictures, training=True).shape)
        (2, 8, 8, 3)
    """
    return Augmentation(name, seed=seed)


def changed(
    picture: np.ndarray, name: str, strength: float, *, n_views: int, seed: int
) -> np.ndarray:
    """Random views of one picture, changed more or less than in training.

    Args:
        picture: uint8, shape (height, width, 3), RGB.
        name: key in `AUGMENTATIONS`.
        strength: 0 changes nothing, 1 as in training, 2 twice as much; at most 2. A flip has no
            strength.
        n_views: how many.
        seed: of the draws, at least 0.

    Returns:
        uint8, shape (n_views, height, width, 3).

    Raises:
        ParameterError: unknown name, a strength out of range, or a negative seed.
    """
    if not 0 <= strength <= 2:
        raise ParameterError(f"A strength lies between 0 and 2, not at {strength}.")
    layer = augmenter(name, seed=seed)
    views = np.repeat(np.asarray(picture)[None], n_views, axis=0)
    if strength == 0:
        return views
    seeds = np.random.default_rng(seed).integers(2**31, size=len(layer.changes)).tolist()
    layer.changes = [
        _stronger(make, strength)(seed=own, dtype="float32")
        for make, own in zip(AUGMENTATIONS[name], seeds, strict=True)
    ]
    return np.asarray(layer(views, training=True)).round().astype(np.uint8)


def _stronger(make: Callable[..., keras.layers.Layer], strength: float) -> Callable:
    """The same change, its range multiplied."""
    if make is RandomResizedCrop:
        return partial(make, least_area=max(0.05, 1 - strength * (1 - CROP_AREA[0])))
    if make in (FLIP, SATURATION):
        return make
    (factor, *others) = make.args
    pair = isinstance(factor, tuple)
    scaled = tuple(strength * one for one in factor) if pair else min(1.0, strength * factor)
    return partial(make.func, scaled, *others, **make.keywords)
