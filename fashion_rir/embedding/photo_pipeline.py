"""From a shopper's photo to what is searched: cut out, embed twice, say what it shows.

The photo as it is and the garment cut out of it are embedded by the same networks; a photo head
says what each shows; the geometric mean of the two answers asks the shop. No TensorFlow is needed
where the networks are exported (`onnx_engine.ExportedBackbone`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from fashion_rir.data import images, shipped_files
from fashion_rir.embedding.embed import Embedder
from fashion_rir.embedding.photo_head import PhotoHead, alike_vectors, mean_of_views
from fashion_rir.search.cut_out import CutOut, cut_out

PREPROCESSING = "resize"  # as the gallery was embedded

HEAD = "phone-head.npz"  # the shipped head

NO_MATCH = "No match: the photo shows nothing that the shop is sure to know."


@dataclass(frozen=True)
class PhotoQuery:
    """What a photo asks a shop.

    Attributes:
        cut: what was cut out of it, and what it says of that.
        posteriors: by label float32, shape (1, n_classes).
        vector: float32, shape (1, dim): `photo_head.alike_vectors` of the posteriors.
    """

    cut: CutOut
    posteriors: dict[str, np.ndarray]
    vector: np.ndarray

    @property
    def confidence(self) -> float:
        """The probability of the most probable type, in [0, 1]."""
        return float(self.posteriors["articleType"].max())

    def is_match(self, least_confidence: float) -> bool:
        """Whether the photo shows something that the shop knows, at a calibrated confidence."""
        return self.confidence >= least_confidence

    def best(self, head: PhotoHead, label: str, n: int = 3) -> list[tuple[str, float]]:
        """The most probable classes of a label, each with its probability."""
        found = self.posteriors[label][0]
        return [(head.classes[label][i], float(found[i])) for i in np.argsort(-found)[:n]]


@dataclass(frozen=True)
class PhotoPipeline:
    """A photo head and the networks that it was trained on, in its order.

    Attributes:
        embedders: each gives embeddings of the photo; side by side they are the head's input.
        head: what says what they show.
    """

    embedders: Sequence[Embedder]
    head: PhotoHead

    def query(self, photo: Image.Image, *, is_cut: bool = True) -> PhotoQuery:
        """What a photo asks.

        Args:
            photo: RGB and upright, from `images.decode`.
            is_cut: whether the garment is cut out; without it the photo as it is asks alone.
        """
        found = cut_out(photo) if is_cut else whole_photo(photo)
        seen = self.head.posteriors(self.embed(list(views_of(photo, found).values())))
        each = [{label: rows[[i]] for label, rows in seen.items()}
                for i in range(len(seen["articleType"]))]  # fmt: skip
        posteriors = mean_of_views(each)
        return PhotoQuery(found, posteriors, alike_vectors(posteriors))

    def said(self, asked: PhotoQuery) -> str:
        """What was made of a photo, in lines: the cut-out, type, colour, and whether it is sure."""
        lines = [asked.cut.note or f"Cut out: {asked.cut.share:.0%} of the photo."]
        for label in self.head.classes:
            best = asked.best(self.head, label)
            lines.append(f"{label}: {', '.join(f'{name} {share:.0%}' for name, share in best)}")
        if not asked.is_match(self.head.least_confidence):
            lines.append(NO_MATCH)
        return "\n".join(lines)

    def embed(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        """The head's inputs: float32, shape (n_pictures, dim)."""
        parts = [
            embedder.embed(
                np.stack([images.fit(p, embedder.image_size, PREPROCESSING) for p in pictures])
            )
            for embedder in self.embedders
        ]
        return np.hstack(parts).astype(np.float32)


def views_of(
    photo: Image.Image, found: CutOut, *, is_mirrored: bool = True
) -> dict[str, Image.Image]:
    """What the networks see of a photo: as it is, cut out, and both mirrored.

    Args:
        photo: RGB and upright.
        found: what was cut out of it; where nothing was, the whole stands in its place.
        is_mirrored: whether the mirrored views are among them.
    """
    pictures = {"whole": photo, "cut": found.picture}
    mirrored = {f"{name} mirrored": ImageOps.mirror(one) for name, one in pictures.items()}
    return pictures | mirrored if is_mirrored else pictures


def whole_photo(photo: Image.Image) -> CutOut:
    """A photo that is searched as it is, by wish."""
    mask = np.ones((photo.height, photo.width), dtype=bool)
    return CutOut(photo, photo, mask, False, "The whole photo is searched.")


def shipped_head() -> PhotoHead:
    """The head that travels with the project.

    Raises:
        ShippedError: it is missing or changed.
    """
    return PhotoHead.load(shipped_files.path(HEAD))
