"""Phone photos as the networks see them: as they are, cut out, and both mirrored."""

import io
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from tqdm.auto import tqdm

from fashion_rir.data import images, shipped
from fashion_rir.embedding.photo_pipeline import views_of
from fashion_rir.errors import CatalogError
from fashion_rir.search.cut_out import cut_out
from fashion_rir.studies.phone.heads import PhonePhotos
from fashion_rir.studies.study import Study
from fashion_rir.system import whole_file

CORNER = 0.33  # of the photo's shorter side

LEAST_GARMENT = 0.001  # of a corner: from here on the garment reaches into it

FLOOR_SIZE = (160, 160)  # as long as a phone photo's longer side

Embed = Callable[[Sequence[Image.Image]], np.ndarray]  # such as `PhotoPipeline.embed`

Views = dict[str, np.ndarray]  # by name float32, shape (n_photos, dim)


def labelled_photos(embed: Embed, cache: Path) -> PhonePhotos:
    """The 1,000 shipped photos, embedded once and then read.

    Args:
        embed: the networks.
        cache: the file of their embeddings.
    """
    catalog = shipped.phone_photos()
    columns = ["source_file", "source_class", "articleType", "baseColour"]
    pictures = (catalog.read_image(name) for name in catalog.products["image_name"])
    return PhonePhotos(catalog.products[columns], _kept(pictures, len(catalog), embed, cache))


def more_photos(archive: Path, labelled: PhonePhotos, embed: Embed, cache: Path) -> PhonePhotos:
    """Photos in a ZIP of one folder for each source class, embedded once and then read.

    Args:
        archive: holds `<class>/<source file>`.
        labelled: what is known of some of them, by `source_file`.
        embed: the networks.
        cache: the file of their embeddings; those of mirrored photos are left out of it.

    Raises:
        CatalogError: there is no such archive, or it holds no photo in a folder.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            names = sorted(name for name in file.namelist() if name.endswith(".jpg"))
            split = [name.split("/") for name in names]
            if not names or any(len(parts) != 2 for parts in split):
                raise CatalogError(f"{archive} must hold photos as <class>/<file>.jpg.")
            table = pd.DataFrame(split, columns=["source_class", "source_file"])
            known = labelled.table.drop(columns="source_class")
            table = table.merge(known, on="source_file", how="left", validate="one_to_one")
            pictures = (images.decode(io.BytesIO(file.read(n)).getvalue(), n) for n in names)
            views = _kept(pictures, len(names), embed, cache, is_mirrored=False)
            return PhonePhotos(table, views)
    except (OSError, zipfile.BadZipFile) as error:
        raise CatalogError(
            f"Cannot read the phone photos {archive} ({type(error).__name__}); name the ZIP of "
            "photos in one folder for each class."
        ) from error


def floors(study: Study, n_floors: int) -> list[Image.Image]:
    """Corners of the labelled photos that show nothing of the garment: floors, beds and walls.

    Args:
        study: whose seed draws the photos.
        n_floors: how many, at most; each is of another photo.
    """
    catalog, found = shipped.phone_photos(), []
    for row in np.random.default_rng(study.seed).permutation(len(catalog)):
        cut = cut_out(catalog.read_image(catalog.products["image_name"].iloc[row]))
        height, width = cut.mask.shape
        side = round(CORNER * min(height, width))
        corners = [(x, y) for y in (0, height - side) for x in (0, width - side)
                   if cut.mask[y : y + side, x : x + side].mean() < LEAST_GARMENT]  # fmt: skip
        if cut.is_cut and corners:
            x, y = corners[-1]
            found.append(cut.photo.crop((x, y, x + side, y + side)).resize(FLOOR_SIZE))
        if len(found) == n_floors:
            break
    return found


def embedded_views(
    pictures: Iterable[Image.Image], n_pictures: int, embed: Embed, *, is_mirrored: bool = True
) -> Views:
    """What the networks make of pictures, in all views of `photo_pipeline.views_of`.

    Args:
        pictures: RGB and upright.
        n_pictures: how many there are.
        embed: the networks.
        is_mirrored: whether the mirrored views are among them.
    """
    rows: list[np.ndarray] = []
    names: list[str] = []
    for picture in tqdm(pictures, total=n_pictures, desc="phone photos", leave=False):
        views = views_of(picture, cut_out(picture), is_mirrored=is_mirrored)
        rows.append(embed(list(views.values())))
        names = list(views)
    stacked = np.stack(rows)
    return {name: stacked[:, place] for place, name in enumerate(names)}


def _kept(
    pictures: Iterable[Image.Image], n_pictures: int, embed: Embed, cache: Path, **how: bool
) -> Views:
    """The views from the cache, where it is there."""
    if not cache.exists():
        views = embedded_views(pictures, n_pictures, embed, **how)
        cache.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(cache) as partial, open(partial, "wb") as file:
            np.savez(file, **views)
    with np.load(cache, allow_pickle=False) as kept:
        return {name: kept[name] for name in kept.files}
