"""Damaged and hostile inputs, made here one by one, each with what the package must say of it.

Nothing binary is committed: every file is written by the script when it is asked for.
"""

import io
import json
import sqlite3
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from drawn_catalog import parquet_of, photo, product_row, write_catalog, write_styles
from odd_inputs import odd_inputs
from PIL import Image

from fashion_rir.data import catalog, images
from fashion_rir.embedding.store import FeatureStore
from fashion_rir.search.gallery import Gallery
from fashion_rir.workspace import records as result_records

READ = None  # in the place of a message: the input is odd, but sound
MODEL = {"model": "m-32-pad", "backbone": "m", "image_size": 32, "preprocessing": "pad",
         "weights": "w", "weights_sha256": "ab" * 32, "embedding_dim": 4,
         "data_hash": "cd" * 32}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One input.

    Attributes:
        name: what is wrong with it.
        use: makes it in an empty folder and gives it to the package.
        message: a pattern of the one sentence that must come; READ where it must be read.
    """

    name: str
    use: Callable[[Path], object]
    message: str | None


def cases() -> list[Case]:
    """All inputs, whose names differ."""
    families = (_images, _tables, _archives, _folders, _parquets, _stores, _records, _scores,
                _indexes, _weights)  # fmt: skip
    found = [case for family in families for case in family()]
    return found + [Case(*odd) for odd in odd_inputs()]


def noise(n_bytes: int) -> bytes:
    """The same random bytes every time."""
    return np.random.default_rng(0).bytes(n_bytes)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """A picture as a file's bytes."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


# --- pictures: each is decoded and brought into a square by every preprocessing ---


def _images() -> Iterator[Case]:
    rainbow = Image.linear_gradient("L").convert("RGB")
    damaged = "query.png cannot be read as a picture; give a whole JPEG, PNG"
    pixels = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) * 16
    rotated = Image.Exif()
    rotated[0x0112] = 6
    jpeg, png = encoded(rainbow, "JPEG"), encoded(rainbow)
    several = {"save_all": True, "append_images": [Image.new("RGB", (256, 256))] * 3}
    found = {
        "zero bytes": (b"", r"query.png is empty \(0 bytes\)"),
        "a JPEG cut in half": (jpeg[: len(jpeg) // 2], damaged),
        "a JPEG of its first ten bytes": (jpeg[:10], damaged),
        "a JPEG with random bytes inside": (jpeg[:200] + noise(200) + jpeg[400:], damaged),
        "a PNG cut in half": (png[: len(png) // 2], damaged),
        "a PNG whose check sum is wrong": (png[:40] + b"\0" + png[41:], damaged),
        "a PNG without pixels": (_png_header(0, 0), damaged),
        "random bytes": (noise(5000), damaged),
        "zeros": (bytes(5000), damaged),
        "text": (b"not a picture\n" * 9, damaged),
        "HTML": (b"<!doctype html><title>404</title>", damaged),
        "SVG": (b'<svg xmlns="http://www.w3.org/2000/svg"><rect width="9"/></svg>', damaged),
        "PDF": (b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF", damaged),
        "PostScript, which Pillow would run": (_postscript(), damaged + ".*Unidentified"),
        "a zip archive": (_zip({"a.txt": b"a"}), damaged),
        "a JPEG inside a zip archive": (_zip({"a.jpg": jpeg}), damaged),
        "a decompression bomb": (_png_header(50_000, 50_000), "too large to open safely"),
        "a picture just over the bound": (_png_header(10_000, 5_001), "the limit is 50,000,000"),
        "a TIFF whose directory names itself": (_endless_tiff(), damaged),
        "one pixel": (encoded(Image.new("RGB", (1, 1))), READ),
        "20,000 pixels by one": (encoded(Image.new("RGB", (20_000, 1))), READ),
        "one pixel by 20,000": (encoded(Image.new("RGB", (1, 20_000))), READ),
        "CMYK": (encoded(rainbow.convert("CMYK"), "JPEG"), READ),
        "16 bit grey": (encoded(Image.fromarray(pixels)), READ),
        "floating point grey": (encoded(Image.new("F", (9, 9), 0.5), "TIFF"), READ),
        "black and white": (encoded(rainbow.convert("1")), READ),
        "a palette with transparency": (_transparent_palette(), READ),
        "grey with transparency": (encoded(Image.new("LA", (9, 9))), READ),
        "rotated by EXIF": (encoded(rainbow, "JPEG", exif=rotated), READ),
        "EXIF of random bytes": (encoded(rainbow, "JPEG", exif=b"Exif\0\0" + noise(99)), READ),
        "an animated GIF": (encoded(rainbow, "GIF", **several), READ),
        "an animated WebP": (encoded(rainbow, "WEBP", **several), READ),
        "a JPEG with a text behind it": (jpeg + b"text", READ),
        "a JPEG called PNG": (jpeg, READ),
    }
    for name, (data, message) in found.items():
        yield Case(f"picture: {name}", partial(_decode, data=data), message)


def _decode(folder: Path, data: bytes) -> None:
    (folder / "query.png").write_bytes(data)
    image = images.decode((folder / "query.png").read_bytes(), "query.png")
    for preprocessing in images.PREPROCESSING:
        assert images.fit(image, 16, preprocessing).shape == (16, 16, 3)


def _png_header(width: int, height: int) -> bytes:
    """A PNG that says its size and holds a few bytes."""
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
             (b"IDAT", zlib.compress(bytes(99))), (b"IEND", b"")]  # fmt: skip
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _postscript() -> bytes:
    lines = ["%!PS-Adobe-3.0 EPSF-3.0", "%%BoundingBox: 0 0 9 9", "%%EndComments", "showpage"]
    return "\n".join([*lines, "%%EOF", ""]).encode()


def _endless_tiff() -> bytes:
    width = struct.pack("<HHII", 256, 4, 1, 9)
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 1) + width + struct.pack("<I", 8)


def _transparent_palette() -> bytes:
    image = Image.new("P", (9, 9), 1)
    image.putpalette([0, 0, 0, 255, 0, 0])
    return encoded(image, transparency=0)


# --- tables and archives: each becomes a catalogue, or a sentence ---


def _tables() -> Iterator[Case]:
    header = ",".join(catalog.COLUMNS)
    rows = [",".join(product_row(number)) for number in (1001, 1002)]
    whole = "\n".join([header, *rows]) + "\n"
    quotes = r"styles.csv cannot be read as CSV at line 3 .*mend the quotes"
    long = whole.replace("Anna", "A" * 200_000, 1)
    found = {
        "no byte": (b"", "lacks the column 'id'"),
        "a header alone": (header.encode(), "holds no product; the catalogue is empty"),
        "UTF-16": (whole.encode("utf-16"), READ),
        "Latin-1": (whole.replace("Anna", "Änna").encode("latin-1"), READ),
        "random bytes": (b"\xff" + noise(3000), "lacks the column 'id'"),
        "zeros": (bytes(3000), "lacks the column 'id'"),
        "a missing column": (whole.replace(",usage,", ",use,").encode(), "the column 'usage'"),
        "semicolons": (whole.replace(",", ";").encode(), READ),
        "a column in the place of another": (
            whole.replace("season", "id").encode(), "has the column 'id' twice"),
        "two columns of one name": (
            "\n".join(["id," + header, *("9," + row for row in rows)]).encode(),
            "has the column 'id' twice",
        ),
        "an open quote": (whole.replace("1002", '"1002').encode(), quotes),
        "a field of 200,000 letters": (long.encode(), READ),
        "ids that are no numbers": (whole.replace("100", "x").encode(), "holds no product"),
        "a byte order mark": (b"\xef\xbb\xbf" + whole.encode(), READ),
        "Windows line ends": (whole.replace("\n", "\r\n").encode(), READ),
        "old Mac line ends": (whole.replace("\n", "\r").encode(), READ),
        "no line end at the end": (whole.strip().encode(), READ),
        "quotes and commas": (whole.replace("Anna Shirts 1001", "\"A, \"\"n\"\"\"").encode(), READ),
        "a short row": ((whole + "1003,Women\n").encode(), READ),
        "a row of too many fields": ((whole + rows[0] + ",x,y\n").encode(), READ),
        "duplicate ids": ((whole + rows[0] + "\n").encode(), READ),
        "an id of 400 digits": ((whole + "9" * 400 + rows[0][4:] + "\n").encode(), READ),
        "an id that climbs": ((whole + "../1001" + rows[0][4:] + "\n").encode(), READ),
        "a zero byte in a name": (whole.replace("Anna", "An\0na").encode(), READ),
        "a formula as a name": (whole.replace("Anna", "=1+1").encode(), READ),
        "columns that nobody knows": (
            "\n".join(["x," + header, *("9," + row for row in rows)]).encode(), READ),
    }  # fmt: skip
    for name, (data, message) in found.items():
        yield Case(f"table: {name}", partial(_load_table, data=data), message)


def _load_table(folder: Path, data: bytes) -> None:
    (folder / "images").mkdir()
    for number in (1001, 1002):
        (folder / "images" / f"{number}.jpg").write_bytes(photo(number - 1000))
    (folder / "styles.csv").write_bytes(data)
    found = catalog.load(folder, folder / "cache")
    assert found.products["id"].tolist() in ([1001, 1002], [1002])
    n_rows = found.counts["rows in styles.csv"]
    n_left_out = found.counts["malformed rows"] + found.counts["duplicate ids"]
    assert n_rows - n_left_out == len(found.listed)  # every row is kept or counted


def _archives() -> Iterator[Case]:
    whole = "archive.zip is not a whole zip archive"
    leaves = "would leave its folder; refused"
    packed = {"styles.csv": _styles(), "images/1001.jpg": photo(1)}
    data = _zip(packed)
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("styles.csv"), io.BytesIO())
    bomb = _zip(packed | {"images/9.jpg": bytes(65 * 2**20)}, zipfile.ZIP_DEFLATED)
    found = {
        "zero bytes": (b"", whole),
        "cut in half": (data[: len(data) // 2], whole),
        "short of its last byte": (data[:-1], whole),
        "random bytes": (noise(5000), whole),
        "a tar archive called zip": (inner.getvalue(), whole),
        "an archive inside an archive": (_zip({"archive.zip": data}), "has no styles.csv"),
        "an empty archive": (_zip({}), "has no styles.csv"),
        "a path that climbs": (_zip(packed | {"images/../../9.jpg": b"x"}), leaves),
        "an absolute path": (_zip(packed | {"/etc/9.jpg": b"x"}), leaves),
        "a path of another drive": (_zip(packed | {"C:\\9.jpg": b"x"}), leaves),
        "a bomb": (bomb, r"unpacks to 68,157,440 bytes; the limit is 67,108,864. Refused"),
        "photos without a table": (_zip({"images/1001.jpg": photo(1)}), "has no styles.csv"),
        "a table without photos": (_zip({"styles.csv": _styles()}), "no product with a readable"),
        "a spoilt table": (_spoilt(data, "styles.csv"), "styles.csv cannot be unpacked"),
        "a spoilt table, packed by LZMA": (
            _spoilt(_zip(packed, zipfile.ZIP_LZMA), "styles.csv"), "styles.csv cannot be unpacked"),
        "a spoilt photo, packed by LZMA": (
            _spoilt(_zip(packed, zipfile.ZIP_LZMA), "images/1001.jpg"), "no product with a read"),
        "a spoilt photo, packed by bzip2": (
            _spoilt(_zip(packed, zipfile.ZIP_BZIP2), "images/1001.jpg"), "no product with a read"),
        "a link as a photo": (_zip(packed | {"images/9.jpg": b"../styles.csv"}, link="9"), READ),
        "a folder called like a photo": (_zip(packed | {"images/9.jpg/a.txt": b"x"}), READ),
        "text before the archive": (b"text" + data, READ),
    }  # fmt: skip
    for name, (content, message) in found.items():
        yield Case(f"archive: {name}", partial(_load_archive, data=content), message)


def _load_archive(folder: Path, data: bytes) -> None:
    (folder / "archive.zip").write_bytes(data)
    found = catalog.load(folder / "archive.zip", folder / "cache")
    assert found.products["id"].tolist() == [1001]


def _styles() -> bytes:
    return "\n".join([",".join(catalog.COLUMNS), ",".join(product_row(1001)), ""]).encode()


def _zip(files: dict[str, bytes], compression: int = zipfile.ZIP_STORED, link: str = "") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = compression
            if link and link in name:
                entry.external_attr = 0o120777 << 16  # a symbolic link
            archive.writestr(entry, data)
    return buffer.getvalue()


def _spoilt(data: bytes, name: str) -> bytes:
    """The same archive, the end of one entry's content overwritten."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entry = archive.getinfo(name)
    spoilt = bytearray(data)
    start = entry.header_offset + 30 + len(name) + 9  # behind LZMA's own header
    spoilt[start : start + entry.compress_size - 9] = b"\xff" * (entry.compress_size - 9)
    return bytes(spoilt)


def _folders() -> Iterator[Case]:
    def broken_link(folder: Path) -> None:
        (folder / "images" / "1002.jpg").symlink_to(folder / "nowhere")

    def photo_that_is_a_folder(folder: Path) -> None:
        (folder / "images" / "1002.jpg").mkdir()

    def table_that_is_a_folder(folder: Path) -> None:
        (folder / "styles.csv").unlink()
        (folder / "styles.csv").mkdir()

    def no_folder_of_photos(folder: Path) -> None:
        (folder / "images" / "1001.jpg").unlink()
        (folder / "images").rmdir()

    def damaged_cache(folder: Path) -> None:
        catalog.load(folder, folder / "cache")
        for path in (folder / "cache").iterdir():
            path.write_bytes(noise(500))

    for spoil, message in (
        (broken_link, READ),
        (photo_that_is_a_folder, READ),
        (table_that_is_a_folder, "Cannot read .*styles.csv: Is a directory"),
        (no_folder_of_photos, "no product with a readable photo"),
        (damaged_cache, READ),
    ):
        name = spoil.__name__.replace("_", " ")
        yield Case(f"folder: {name}", partial(_load_folder, spoil=spoil), message)


def _load_folder(folder: Path, spoil: Callable[[Path], None]) -> None:
    write_styles(folder, [product_row(1001), product_row(1002)])
    (folder / "images").mkdir()
    (folder / "images" / "1001.jpg").write_bytes(photo(1))
    spoil(folder)
    found = catalog.load(folder, folder / "cache")
    assert found.products["id"].tolist() == [1001]
    assert found.counts["products without a photo"] + found.counts["unreadable photos"] == 1


def _parquets() -> Iterator[Case]:
    broken = "train.parquet cannot be read as the data set's Parquet .*fetch it again"
    for name, damage, message in (
        ("zero bytes", lambda data: b"", broken),
        ("cut in half", lambda data: data[: len(data) // 2], broken),
        ("random bytes", lambda data: noise(len(data)), broken),
        ("a table in its place", lambda data: _styles(), broken),
        ("as it was", lambda data: data, READ),
    ):
        yield Case(f"Parquet: {name}", partial(_load_parquet, damage=damage), message)


def _load_parquet(folder: Path, damage: Callable[[bytes], bytes]) -> None:
    write_catalog(folder / "in", [product_row(1001)], [photo(1)])
    path = parquet_of(folder / "in", folder / "train.parquet")
    path.write_bytes(damage(path.read_bytes()))
    assert len(catalog.load(path)) == 1


# --- what the study itself wrote ---


def _stores() -> Iterator[Case]:
    no_file = "store.sqlite is damaged, or no SQLite file"
    version = "UPDATE metadata SET value = '9' WHERE key = 'schema'"
    for name, spoil, message in (
        ("zero bytes", lambda data: b"", "holds no table image_features; it is no feature store"),
        ("cut in half", lambda data: data[: len(data) // 2], "store.sqlite"),
        ("cut behind its rows", lambda data: data[:-2000], READ),
        ("random bytes", lambda data: noise(9000), no_file),
        ("a picture", lambda data: photo(1), no_file),
        ("of another version", version, "has schema version 9, this program reads 1"),
        ("of another model", "UPDATE metadata SET value = 'x' WHERE key = 'model'", "made with"),
        ("of a length that is no number",
         "UPDATE metadata SET value = 'x' WHERE key = 'embedding_dim'",
         "says an embedding_dim of 'x', which is no number"),
        ("of other photos", "UPDATE image_features SET image_name = 'x'||image_name", "lacks 3"),
        ("with a number that is none", "UPDATE image_features SET features = x'0000c07f'",
         "does not hold 4 finite numbers"),
        ("without rows", "DELETE FROM image_features", "is empty; run `fashion-rir embed`"),
        ("with a foreign table beside it", "CREATE TABLE more (x)", READ),
    ):  # fmt: skip
        yield Case(f"store: {name}", partial(_use_store, spoil=spoil), message)


def _use_store(folder: Path, spoil: Callable[[bytes], bytes] | str) -> None:
    path = folder / "store.sqlite"
    names = ["1.jpg", "2.jpg", "3.jpg"]
    FeatureStore.create(path, MODEL).append(names, np.ones((3, 4), dtype=np.float32))
    if isinstance(spoil, str):
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(spoil)
    else:
        path.write_bytes(spoil(path.read_bytes()))
    store = FeatureStore.open(path)
    store.require(MODEL)
    np.testing.assert_array_equal(store.load(names)[1], 1)


def _records() -> Iterator[Case]:
    none = r"a.json is no result record .*delete it and run its notebook again"
    part = r"a.json is no whole result record"
    record = result_records.make_record("kind", "a", {"profile": "p", "data_hash": "x"}, value=1)
    whole = json.dumps(record).encode()
    found = {
        "zero bytes": (b"", none),
        "cut in half": (whole[: len(whole) // 2], none),
        "random bytes": (noise(500), none),
        "UTF-16": (whole.decode().encode("utf-16"), none),
        "a list": (b"[1, 2]", none),
        "a number": (b"7", none),
        "a hundred thousand brackets": (b"[" * 100_000, none),
        "of another version": (json.dumps(record | {"schema": 9}).encode(), "has schema version 9"),
        "without its inputs": (
            json.dumps({k: v for k, v in record.items() if k != "inputs"}).encode(), part),
        "whose inputs are a list": (json.dumps(record | {"inputs": []}).encode(), part),
        "whose inputs lack the catalogue": (
            json.dumps(record | {"inputs": {"profile": "quick"}}).encode(), part),
        "as it was": (whole, READ),
    }  # fmt: skip
    for name, (data, message) in found.items():
        yield Case(f"record: {name}", partial(_read_record, data=data), message)


def _read_record(folder: Path, data: bytes) -> None:
    (folder / "a.json").write_bytes(data)
    assert [record["value"] for record in result_records.read_named(folder, ["a"])] == [1]


def _scores() -> Iterator[Case]:
    for name, data in (("zero bytes", b""), ("random bytes", noise(500)), ("text", b"id,mAP\n")):
        yield Case(f"scores: {name}", partial(_read_scores, data=data),
                   r"a.parquet .*damaged .*run (its|the) notebook")  # fmt: skip


def _read_scores(folder: Path, data: bytes) -> None:
    from fashion_rir.studies import scoring
    from fashion_rir.workspace.folders import Workspace

    workspace = Workspace(folder, "quick")
    workspace.scores.mkdir(parents=True)
    (workspace.scores / "a.parquet").write_bytes(data)
    scoring.read_scores(workspace, "a", protocol="held_out", label="articleType")


def _indexes() -> Iterator[Case]:
    gallery = "There is no whole gallery in|do not belong together|schema version"
    index = "hnsw.faiss is damaged; build the index again"
    files = {"vectors*.npy": gallery, "ids.npy": gallery, "gallery.json": gallery,
             "hnsw.faiss": index, "hnsw.json": "There is no hnsw index"}  # fmt: skip
    for file, message in files.items():
        for name, damage in (
            ("zero bytes", lambda data: b""),
            ("cut short", lambda data: data[:-9]),
            ("random bytes", lambda data: noise(len(data))),
        ):
            yield Case(f"index: {file} of {name}",
                       partial(_load_index, file=file, damage=damage), message)  # fmt: skip
    about = json.dumps({"schema": 1, "measure": "smell", "shape": [60, 4], "fingerprint": "x"})
    for name, text in (("an unknown measure", about), ("half its keys", '{"schema": 1}')):
        yield Case(f"index: gallery.json of {name}",
                   partial(_load_index, file="gallery.json", damage=lambda _, t=text: t.encode()),
                   "There is no whole gallery")  # fmt: skip


def _load_index(folder: Path, file: str, damage: Callable[[bytes], bytes]) -> None:
    from fashion_rir.search.indexes import Index

    vectors = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    Index(Gallery(vectors, range(60), "euclidean"), "hnsw").save(folder)
    path = next(folder.glob(file))
    path.write_bytes(damage(path.read_bytes()))
    Index.load(folder, "hnsw").search(vectors[:1], 3)


def _weights() -> Iterator[Case]:
    misfit = r"w.weights.h5 does not fit mobilenetv2.* damaged or belongs to another network"
    listed = {
        "name": "w",
        "file": "w.weights.h5",
        "architecture": "MobileNetV2",
        "sha256": "0" * 64,
    }
    for name, data, listing, message in (
        ("zero bytes", b"", None, misfit),
        ("random bytes", noise(9000), None, misfit),
        ("a pickle", b"\x80\x04\x8c\x02os\x8c\x06system\x93.", None, misfit),
        ("cut in half", "half", None, misfit),
        ("another network's", "other", None, misfit),
        ("of another hash", b"x", listed, r"has SHA-256 .*weights.json says 000000000000"),
        ("of another network's entry", b"x", listed | {"architecture": "VGG16"},
         "holds weights of VGG16, not of MobileNetV2"),
    ):  # fmt: skip
        yield Case(f"weights: {name}", partial(_build, data=data, listing=listing), message)


def _build(folder: Path, data: bytes | str, listing: dict | None) -> None:
    import keras

    from fashion_rir.embedding import backbones

    path = folder / "w.weights.h5"
    if isinstance(data, str):
        inputs = keras.Input((4,))
        keras.Model(inputs, keras.layers.Dense(2)(inputs)).save_weights(path)
        data = path.read_bytes()[: None if data == "other" else 2000]
    path.write_bytes(data)
    if listing is not None:
        text = json.dumps({"schema": 1, "weights": [listing]})
        (folder / "weights.json").write_text(text, encoding="utf-8")
    backbones.build("mobilenetv2", weights=str(path), image_size=32)
