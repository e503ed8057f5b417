"""Colours as they were meant: from the profile that a picture carries to sRGB.

Phones tag their photos with Display P3, cameras with Adobe RGB, printers with a CMYK profile. The
networks, and the catalogue, know sRGB. A picture without a profile is sRGB and stays as it is, bit
for bit.
"""

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

SPACES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}  # a profile's colour space, Pillow's mode

SAME = 2  # of 255: a profile whose colours differ by no more is sRGB under another name

KEPT_PROFILES = 16  # phones have one each; a transform is quick to use and slow to build


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image | None:
    """A picture in sRGB, by its own profile.

    Args:
        image: in the mode of its file, without transparency.
        profile: the ICC profile from the file; None if it has none.

    Returns:
        RGB; None where there is nothing to convert: no profile, a damaged one, one of another kind
        of colours than the picture's, or sRGB itself.
    """
    if image.mode == "LAB":  # says by itself what its colours are
        return ImageCms.applyTransform(image, _lab_transform())
    if not profile:
        return None
    found = _transform(profile)
    if found is None:
        return None
    mode, transform = found
    is_grey = image.mode in ("1", "L", "LA")
    is_fitting = {"CMYK": image.mode == "CMYK", "L": is_grey, "RGB": image.mode != "CMYK"}[mode]
    return ImageCms.applyTransform(image.convert(mode), transform) if is_fitting else None


@lru_cache(maxsize=KEPT_PROFILES)
def _transform(profile: bytes) -> tuple[str, ImageCms.ImageCmsTransform] | None:
    """The mode that a profile is for, and the way to sRGB; None if there is none to go."""
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = SPACES[opened.profile.xcolor_space.strip()]
        transform = ImageCms.buildTransform(opened, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, KeyError, ValueError, TypeError):
        return None  # damaged: as if there were none
    if mode == "RGB" and _is_srgb(transform):
        return None
    return mode, transform


def _is_srgb(transform: ImageCms.ImageCmsTransform) -> bool:
    levels = np.linspace(0, 255, 9).astype(np.uint8)
    colours = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(9, 81, 3)
    found = np.asarray(ImageCms.applyTransform(Image.fromarray(colours), transform))
    return bool(np.abs(found.astype(int) - colours).max() <= SAME)


@lru_cache(maxsize=1)
def _lab_transform() -> ImageCms.ImageCmsTransform:
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return ImageCms.buildTransform(lab, srgb, "LAB", "RGB")
