"""What people really feed it: odd files of everyday programs, each with its right answer.

Added to the catalogue of `hostile_inputs`; every file is written when it is asked for.
"""

import io
import os
import struct
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow
from colour_profiles import cmyk_profile, grey_profile, rgb_profile
from drawn_catalog import photo, product_row, write_styles
from PIL import Image
from pyarrow import parquet

from fashion_rir.data import catalog, images
from fashion_rir.data.named_paths import named_path

RED = (200, 30, 30)
P3_RED = (218, 0, 6)  # Display P3 (200, 30, 30) in sRGB
DAMAGED = "query.jpg cannot be read as a picture; give a whole JPEG, PNG"
Found = tuple[str, Callable[[Path], object], str | None]


def odd_inputs() -> Iterator[Found]:
    """Name, use and message of each case, as `hostile_inputs.Case` takes them."""
    families = (_ends, _colours, _metadata, _turned, _kinds, _sizes, _tables, _ids, _years,
                _values, _archives, _folders, _parquets, _paths)  # fmt: skip
    for family in families:
        yield from family()


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    if kind == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def drawn(width: int = 96, height: int = 128) -> Image.Image:
    """A picture with something to see everywhere."""
    y, x = np.mgrid[:height, :width]
    values = np.stack([x * 2, y, (x * y) // 9], axis=2) + np.random.default_rng(0).integers(0, 40)
    return Image.fromarray((values % 256).astype(np.uint8))


# --- pictures ---


def _is(data: bytes, colour: tuple[int, int, int] | None = None,
        size: tuple[int, int] | None = None, tolerance: int = 2,
        is_repaired: bool | None = None) -> Callable[[Path], None]:  # fmt: skip
    """Reads a picture and compares its middle pixel, its size and whether it was mended."""

    def use(folder: Path) -> None:
        (folder / "query.jpg").write_bytes(data)
        found = images.examine((folder / "query.jpg").read_bytes(), "query.jpg")
        middle = found.image.getpixel((found.image.width // 2, found.image.height // 2))
        if colour is not None:
            assert np.abs(np.subtract(middle, colour)).max() <= tolerance, middle
        if size is not None:
            assert found.size == found.image.size == size
        if is_repaired is not None:
            assert (found.repair is not None) is is_repaired, found.repair

    return use


def _nearly(data: bytes, sound: bytes) -> Callable[[Path], None]:
    """Reads a picture whose end is missing, and compares its upper half."""

    def use(folder: Path) -> None:
        found, whole = images.examine(data, "query.jpg"), images.decode(sound)
        half = (0, 0, whole.width, whole.height // 2)
        expected = np.asarray(whole.crop(half), dtype=int)
        assert np.abs(np.asarray(found.image.crop(half), dtype=int) - expected).mean() < 12
        assert found.repair

    return use


def _ends() -> Iterator[Found]:
    whole = drawn()
    options = {
        "JPEG": {"quality": 90}, "JPEG, progressive": {"quality": 90, "progressive": True},
        "JPEG, grey": {}, "JPEG, with restart marks": {"restart_marker_blocks": 3},
        "JPEG, colours at full size": {"subsampling": 0, "quality": 90}, "PNG": {}, "GIF": {},
        "WEBP": {"quality": 90}, "AVIF": {}, "HEIF": {}, "BMP": {}, "PPM": {}, "TIFF": {},
    }  # fmt: skip
    for name, chosen in options.items():
        kind = name.partition(",")[0]
        picture = whole.convert("L" if "grey" in name else "RGB")
        data = encoded(picture, kind, **chosen)
        n_cut = {"PNG": 5, "BMP": 300, "GIF": 4}.get(kind, 2)
        yield f"end: a {name} without its last bytes", _nearly(data[:-n_cut], data), None
        yield f"end: a {name} of its first third", _is(data[: len(data) // 3]), DAMAGED
    jpeg = encoded(whole, "JPEG")
    png = encoded(whole)
    palette = encoded(whole.convert("P"))
    yield "end: a JPEG with the first half of its end mark", _nearly(jpeg[:-1], jpeg), None
    yield "end: a JPEG that lacks a few blocks", _nearly(jpeg[:-60], jpeg), None
    yield (
        "end: a JPEG with zeros in the place of its last bytes",
        _is(jpeg[:-40] + bytes(40), size=whole.size),
        None,
    )
    yield (
        "end: a PNG with a palette that lacks some lines",
        _nearly(palette[: -len(palette) // 12], palette),
        None,
    )
    yield "end: a PNG whose last check sum is cut", _nearly(png[:-14], png), None
    yield "end: a progressive JPEG of which half its details are there", _is(
        encoded(whole, "JPEG", progressive=True)[:900]), DAMAGED  # fmt: skip


def _colours() -> Iterator[Found]:
    p3, adobe = rgb_profile("Display P3"), rgb_profile("Adobe RGB")
    red = Image.new("RGB", (16, 16), RED)
    for kind, options in {"PNG": {}, "JPEG": {"quality": 100, "subsampling": 0}, "WEBP":
                          {"lossless": True}, "TIFF": {}}.items():  # fmt: skip
        yield (f"colour: Display P3 in a {kind}",
               _is(encoded(red, kind, icc_profile=p3, **options), P3_RED), None)  # fmt: skip
    for kind in ("AVIF", "HEIF"):
        yield (f"colour: Display P3 in a {kind}", _is(
            encoded(red, kind, icc_profile=p3, quality=100, subsampling="4:4:4"), P3_RED,
            tolerance=6), None)  # fmt: skip
    clear = Image.new("RGBA", (16, 16), (*RED, 255))
    half = Image.new("RGBA", (16, 16), (*RED, 128))
    palette = Image.new("P", (16, 16), 1)
    palette.putpalette([0, 0, 0, *RED])
    found = {
        "Adobe RGB": (encoded(red, icc_profile=adobe), (234, 24, 24)),
        "sRGB under its own name": (encoded(red, icc_profile=rgb_profile("sRGB")), RED),
        "Display P3 with transparency": (encoded(clear, icc_profile=p3), P3_RED),
        "Display P3, half transparent": (encoded(half, icc_profile=p3), (236, 127, 130)),
        "Display P3 behind a palette": (encoded(palette, icc_profile=p3), P3_RED),
        "a grey profile of gamma 1.8": (
            encoded(Image.new("L", (9, 9), 128), icc_profile=grey_profile(1.8)), (146, 146, 146)),
        "a grey profile beside transparency": (
            encoded(Image.new("LA", (9, 9), (128, 255)), icc_profile=grey_profile(1.8)),
            (146, 146, 146)),
        "a CMYK profile": (
            encoded(Image.new("CMYK", (9, 9), (0, 0, 0, 100)), "TIFF", icc_profile=cmyk_profile()),
            (115, 115, 115)),
        "CMYK without a profile": (
            encoded(Image.new("CMYK", (9, 9), (0, 0, 0, 100)), "TIFF"), (155, 155, 155)),
        "LAB": (encoded(Image.new("LAB", (9, 9), (136, 128, 128)), "TIFF"), (127, 127, 127)),
        "a profile of random bytes": (encoded(red, icc_profile=b"junk" * 99), RED),
        "a profile that is cut": (encoded(red, icc_profile=p3[:300]), RED),
        "a grey profile in a coloured picture": (encoded(red, icc_profile=grey_profile(1.8)), RED),
        "a CMYK profile in a coloured picture": (encoded(red, icc_profile=cmyk_profile()), RED),
    }  # fmt: skip
    for name, (data, colour) in found.items():
        yield f"colour: {name}", _is(data, colour), None


def png_chunk(kind: bytes, data: bytes, check: int | None = None) -> bytes:
    check = zlib.crc32(kind + data) if check is None else check
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)


def png_with(chunk: bytes, image: Image.Image | None = None, **options: object) -> bytes:
    """A PNG with one more chunk behind its header."""
    data = encoded(image or Image.new("RGB", (20, 10), RED), **options)
    return data[:33] + chunk + data[33:]


def exif_of(entries: list[tuple[int, int, int, bytes]], *, count: int | None = None) -> bytes:
    """EXIF with raw entries (tag, type, number of values, four bytes), big endian."""
    body = b"".join(struct.pack(">HHI", tag, kind, n) + value for tag, kind, n, value in entries)
    n_said = len(entries) if count is None else count
    return b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", n_said) + body + bytes(4)


TURNED = (0x0112, 3, 1, b"\0\6\0\0")  # by 90 degrees


def _metadata() -> Iterator[Found]:
    lying = Image.new("RGB", (20, 10), RED)
    bomb = zlib.compress(bytes(3_000_000))
    resolution = exif_of([TURNED, (0x011A, 10, 1, struct.pack(">I", 38))])
    resolution += struct.pack(">ii", -1, 0)
    jpegs = {
        "a resolution of -1/0, and turned": (resolution, (10, 20)),
        "an entry that points behind the end": (
            exif_of([(0x010F, 2, 4000, b"\0\0\xff\xff"), TURNED]), (10, 20)),
        "a count of entries that is too large": (exif_of([TURNED], count=900), (10, 20)),
        "a type that nobody knows": (exif_of([(0x0100, 99, 1, bytes(4)), TURNED]), (10, 20)),
        "an orientation of 9": (exif_of([(0x0112, 3, 1, b"\0\x09\0\0")]), (20, 10)),
        "an orientation of 0": (exif_of([(0x0112, 3, 1, bytes(4))]), (20, 10)),
        "an orientation that is a text": (exif_of([(0x0112, 2, 2, b"6\0\0\0")]), (20, 10)),
        "an orientation of two numbers": (exif_of([(0x0112, 3, 2, b"\0\6\0\6")]), None),
        "a directory behind the end": (b"Exif\0\0MM\0*\0\xff\0\0", (20, 10)),
        "no byte order": (b"Exif\0\0XX\0*\0\0\0\x08", (20, 10)),
        "nothing": (b"Exif\0\0", (20, 10)),
    }  # fmt: skip
    for name, (exif, size) in jpegs.items():
        data = encoded(lying, "JPEG", exif=exif)
        yield f"metadata: a JPEG's EXIF with {name}", _is(data, RED, size, 4), None
    webp = encoded(lying, "WEBP", lossless=True, exif=resolution)
    yield "metadata: a WebP's EXIF with a resolution of -1/0", _is(webp, RED, (10, 20), 4), None
    jpeg = encoded(lying, "JPEG")
    for name, segment in {
        "APP13 of another length than it says": b"Photoshop 3.0\08BIM\x03\xed\0\0\xff\xff\xff\xff",
        "MPF without pictures": b"MPF\0II*\0\x08\0\0\0\0\0",
        "a comment of zeros": bytes(300),
        "a JFIF mark cut short": b"JFIF\0",
        "an Adobe mark cut short": b"Adobe",
        "a profile in parts that do not fit": b"ICC_PROFILE\0\x07\x02" + bytes(40),
    }.items():
        marker = {"JFIF": 0xE0, "Adob": 0xEE, "Phot": 0xED}.get(segment[:4].decode("latin-1"), 0xE2)
        part = struct.pack(">BBH", 0xFF, marker, len(segment) + 2) + segment
        yield f"metadata: a JPEG with {name}", _is(jpeg[:2] + part + jpeg[2:], size=(20, 10)), None
    pngs = {
        "a text that unpacks to 3 MB": png_chunk(b"zTXt", b"Comment\0\0" + bomb),
        "an international text that unpacks to 3 MB": png_chunk(
            b"iTXt", b"Comment\0\1\0\0\0" + bomb),
        "a profile that unpacks to 3 MB": png_chunk(b"iCCP", b"icc\0\0" + bomb),
        "a packed text that is damaged": png_chunk(b"zTXt", b"Comment\0\0damaged"),
        "a text whose check sum is wrong": png_chunk(b"tEXt", b"Comment\0hello", 7),
        "a time of three bytes": png_chunk(b"tIME", b"abc"),
        "a resolution of three bytes": png_chunk(b"pHYs", b"abc"),
        "EXIF of random bytes": png_chunk(b"eXIf", b"MM\0*" + os.urandom(20)),
        "a chunk that nobody knows": png_chunk(b"abCd", b"x" * 50),
    }  # fmt: skip
    for name, chunk in pngs.items():
        yield f"metadata: a PNG with {name}", _is(png_with(chunk), RED, (20, 10)), None
    turned = png_chunk(b"zTXt", b"a\0\0" + bomb) + png_chunk(b"eXIf", resolution[6:])
    yield "metadata: a PNG with a bomb of text, turned", _is(png_with(turned), RED, (10, 20)), None
    p3 = png_chunk(b"zTXt", b"a\0\0" + bomb)
    tagged = png_with(p3, icc_profile=rgb_profile("Display P3"))
    yield "metadata: a PNG with a bomb of text, in Display P3", _is(tagged, P3_RED, (20, 10)), None


def _turned() -> Iterator[Found]:
    lying = Image.new("RGB", (20, 10), RED)
    exif = Image.Exif()
    exif[0x0112] = 8
    for kind in ("JPEG", "PNG", "WEBP", "AVIF"):
        options = {"lossless": True} if kind == "WEBP" else {}
        data = encoded(lying, kind, exif=exif, **options)
        yield f"turned: a {kind}", _is(data, RED, (10, 20), 6), None
    for orientation in (5, 6, 7, 8):
        data = encoded(lying, "TIFF", tiffinfo={0x0112: orientation})
        yield f"turned: a TIFF by its tag {orientation}", _is(data, RED, (10, 20)), None
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    yield "turned: a JPEG by its XMP", _is(encoded(lying, "JPEG", xmp=xmp), RED, (10, 20), 4), None


def _kinds() -> Iterator[Found]:
    red = Image.new("RGB", (32, 32), RED)
    for kind in ("HEIF", "AVIF", "BMP", "DIB", "ICO", "TGA", "PPM", "PCX", "SGI", "JPEG2000"):
        yield f"kind: {kind}", _is(encoded(red, kind), RED, tolerance=5), None
    deep = Image.fromarray(np.full((32, 32), 40_000, np.uint16))
    yield (
        "kind: 16 bit HEIF of grey",
        _is(encoded(deep, "HEIF"), (156, 156, 156), tolerance=6),
        None,
    )
    for name, data, what in (
        ("JPEG XL", b"\xff\x0a" + bytes(50), "a JPEG XL picture: save it as JPEG"),
        ("JPEG XL in boxes", b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(50), "a JPEG XL picture"),
        ("SVG with a header", b'<?xml version="1.0"?>\n<svg xmlns="x"/>', "an SVG drawing: export"),
        ("a web page", b"<!DOCTYPE html><html></html>", "a web page: save the picture itself"),
        ("PDF", b"%PDF-1.4 ...", "a PDF: export"),
        ("a film of a phone", b"\0\0\0\x14ftypqt  \0\0\0\0qt  " + bytes(50), "a film"),
        ("an MP4", b"\0\0\0\x18ftypisom\0\0\2\0isommp41" + bytes(50), "a film"),
        ("a camera's raw picture", b"FUJIFILMCCD-RAW 0201" + bytes(50), "raw picture: develop"),
        ("CR3", b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + bytes(50), "raw picture: develop"),
        ("RAR", b"Rar!\x1a\7\0" + bytes(50), "a packed archive: unpack it"),
        ("gzip", b"\x1f\x8b\x08" + bytes(50), "a packed archive: unpack it"),
        ("a pointer of Git LFS", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
         "a pointer of Git LFS"),
        ("GIMP", b"gimp xcf v011\0" + bytes(50), "a drawing of GIMP"),
    ):  # fmt: skip
        yield f"kind: {name}, named", _is(data), f"{DAMAGED}.*{what}"


def _sizes() -> Iterator[Found]:
    def large(folder: Path) -> None:
        data = encoded(Image.new("L", (8064, 6048), 200), "JPEG")
        assert images.decode(data, for_size=1024).size == (4032, 3024)

    def larger(folder: Path) -> None:
        data = encoded(Image.new("L", (16_000, 12_000), 200), "JPEG")
        found = images.examine(data)
        assert (found.size, found.image.size) == ((16_000, 12_000), (8_000, 6_000))

    def uploaded(folder: Path) -> None:
        from fashion_rir.storefront.photos import decode_upload

        data = encoded(Image.new("RGB", (8064, 6048), RED), "JPEG")
        assert decode_upload(data, "IMG_0001.JPG").size == (2048, 1536)

    def header_of(width: int, height: int) -> bytes:
        data = bytearray(encoded(Image.new("L", (16, 16)), "JPEG"))
        place = data.index(b"\xff\xc0")
        data[place + 5 : place + 9] = struct.pack(">HH", height, width)
        return bytes(data)

    def small_and_cut(folder: Path) -> None:
        webp = bytearray(encoded(drawn(), "WEBP"))
        webp[26:30] = struct.pack("<HH", 12_000, 14_000)
        start = time.process_time()
        try:
            _is(bytes(webp[:-5]))(folder)
        finally:
            assert time.process_time() - start < 5  # seconds; its pixels would take more

    yield "size: a cut WebP that says 12,000 x 14,000", small_and_cut, DAMAGED
    yield "size: 48 million pixels of a phone", large, None
    yield "size: 48 million pixels of a phone, uploaded", uploaded, None
    yield "size: 192 million pixels of a phone", larger, None
    yield ("size: a JPEG that says 65,000 x 65,000", _is(header_of(65_000, 65_000)),
           "65000 x 65000 pixels; the limit is 250,000,000")  # fmt: skip


# --- tables ---

HEADER = ",".join(catalog.COLUMNS)
ROWS = [",".join(product_row(number)) for number in (1001, 1002)]
WHOLE = "\n".join([HEADER, *ROWS]) + "\n"


def _has(data: bytes | str, *, expect: dict[str, object] | None = None, ids: tuple = (1001, 1002),
         **counts: int) -> Callable[[Path], None]:  # fmt: skip
    """Reads a table of two products, and compares the second one's values, and counts."""

    def use(folder: Path) -> None:
        (folder / "images").mkdir()
        for number in (1001, 1002):
            (folder / "images" / f"{number}.jpg").write_bytes(photo(number - 1000))
        text = data.encode() if isinstance(data, str) else data
        (folder / "styles.csv").write_bytes(text)
        found = catalog.load(folder)
        assert tuple(found.products["id"]) == ids
        last = found.products.iloc[-1]
        for column, value in (expect or {}).items():
            assert (last[column] is None or last[column] != last[column]) if value is None else (
                last[column] == value), last[column]  # fmt: skip
        for what, count in counts.items():
            assert found.counts.get(what.replace("_", " "), 0) == count, found.counts
        n_left_out = found.counts["malformed rows"] + found.counts["duplicate ids"]
        assert found.counts["rows in styles.csv"] - n_left_out == len(found.listed)

    return use


def _tables() -> Iterator[Found]:
    named = WHOLE.replace("Anna Shirts 1002", "Café Shirts")
    name = {"expect": {"productDisplayName": "Café Shirts"}}
    comma = WHOLE.replace("Anna Shirts 1002", "Shirt, blue")
    unquoted = {"expect": {"productDisplayName": "Shirt, blue"}, "names_with_an_unquoted_comma": 1}
    found = {
        "one é of Windows-1252": _has(named.encode("cp1252"), **name, rows_in_another_encoding=1),
        "UTF-8 with one row of Windows-1252": _has(
            WHOLE.replace("Anna Shirts 1001", "Käthe").encode()
            + b"1003,Women,Apparel,Topwear,Shirts,Blue,Summer,2011,Casual,Jos\xe9\n",
            rows_in_another_encoding=1, products_without_a_photo=1),
        "a long dash and curly quotes of Windows": _has(
            WHOLE.replace("Anna Shirts 1002", "“Shirt” – blue").encode("cp1252"),
            expect={"productDisplayName": "“Shirt” – blue"}),
        "a byte that Windows-1252 lacks": _has(
            WHOLE.encode().replace(b"Anna Shirts 1002", b"\x81x"),
            expect={"productDisplayName": "\ufffdx"}, rows_in_another_encoding=1),
        "a mark of UTF-8 and Windows-1252 behind it": _has(
            b"\xef\xbb\xbf" + named.encode("cp1252"), **name),
        "UTF-16 with its mark": _has(named.encode("utf-16"), **name, repairs_to_the_table=1),
        "UTF-16, big endian": _has(b"\xfe\xff" + named.encode("utf-16-be"), **name),
        "UTF-16 without its mark": _has(named.encode("utf-16-le"), **name),
        "UTF-16, big endian, without its mark": _has(named.encode("utf-16-be"), **name),
        "UTF-32": _has(named.encode("utf-32"), **name),
        "semicolons, as Excel writes them in Europe": _has(
            WHOLE.replace(",", ";"), repairs_to_the_table=1),
        "tabs": _has(WHOLE.replace(",", "\t"), repairs_to_the_table=1),
        "bars": _has(WHOLE.replace(",", "|"), repairs_to_the_table=1),
        "Excel's line sep=;": _has("sep=;\r\n" + WHOLE.replace(",", ";").replace("\n", "\r\n")),
        "Excel's line sep=,": _has("sep=,\n" + WHOLE),
        "semicolons and a comma in a name": _has(
            comma.replace(", ", "\0").replace(",", ";").replace("\0", ", "),
            expect={"productDisplayName": "Shirt, blue"}, names_with_an_unquoted_comma=0),
        "header and rows that end in commas": _has(WHOLE.replace("\n", ",,\n")),
        "empty columns and an unquoted comma": _has(comma.replace("\n", ",,\n"), **unquoted),
        "a comma's rest in an empty column": _has(
            comma.replace("\n", ",,\n").replace("blue,,", "blue,"), **unquoted),
        "rows that end in commas, a header that does not": _has(
            WHOLE.replace(",Anna Shirts 1002\n", ",Anna,,,\n"),
            expect={"productDisplayName": "Anna"}, names_with_an_unquoted_comma=0),
        "a header that ends in commas, rows that do not": _has(WHOLE.replace("\n", ",,\n", 1)),
        "an unquoted comma": _has(comma, **unquoted),
        "an index column of pandas": _has(
            "," + WHOLE.replace("\n1001", "\n0,1001").replace("\n1002", "\n1,1002")),
        "empty lines before the header": _has("\n\n" + WHOLE),
        "empty lines between": _has(WHOLE.replace("\n1002", "\n\n\n1002")),
        "quotes inside a field": _has(
            WHOLE.replace("Anna Shirts 1001", '"Anna" Shirt').replace(
                "Anna Shirts 1002", '5" heels'), expect={"productDisplayName": '5" heels'}),
        "every field in quotes": _has(
            "\n".join(",".join(f'"{field}"' for field in line.split(","))
                      for line in WHOLE.splitlines())),
        "spaces around everything": _has(WHOLE.replace(",", " , "), expect={"gender": "Women"}),
        "spaces that do not break": _has(
            WHOLE.replace(",Women,", ",\u00a0Women\u00a0,"), expect={"gender": "Women"}),
        "a name of 200,000 letters": _has(
            WHOLE.replace("Anna Shirts 1002", "A" * 200_000),
            expect={"productDisplayName": "A" * 200_000}),
        "a line break inside quotes": _has(
            WHOLE.replace("Anna Shirts 1002", '"Anna\nShirt"'),
            expect={"productDisplayName": "Anna\nShirt"}),
    }  # fmt: skip
    for what, use in found.items():
        yield f"table of people: {what}", use, None
    yield ("table of people: a quote that swallows a row",
           _has(WHOLE.replace("Anna Shirts 1001", '"Anna')),
           "cannot be read as CSV at line 3 .*mend the quotes")  # fmt: skip


def _ids() -> Iterator[Found]:
    for text in ("1002.0", "1002.", "01002", "+1002", " 1002 ", '"1,002"', "'1002", "1.002e3",
                 "1.002E+03", '"=""1002"""', "1002.000"):  # fmt: skip
        yield f"id: {text}", _has(WHOLE.replace("\n1002", f"\n{text}")), None
    for text in ("1002.5", "1.0e3x", "1e-3", "-1002", "0x3ea", "nan", "１００２"):
        rows = WHOLE.replace("\n1002", f"\n{text}")
        yield f"id: {text}, counted", _has(rows, ids=(1001,), malformed_rows=1), None


def _years() -> Iterator[Found]:
    for text in ("2011.0", " 2011 ", "2011.", '"2,011"', "2.011e3", "02011"):
        rows = WHOLE.replace("2011", text)
        yield f"year: {text}", _has(rows, expect={"year": 2011}, missing_values_in_year=0), None
    for text in ("2011.5", "soon", "20111", "-1", "MMXI", "2011-12"):
        use = _has(WHOLE.replace("2011", text), missing_values_in_year=2, years_that_are_no_year=2)
        yield f"year: {text}, counted", use, None


def _values() -> Iterator[Found]:
    for text in ("N/A", "None", "nan", "NaN", "NULL", "null", "n/a", "#N/A", "<NA>", "", " "):
        use = _has(WHOLE.replace("Blue", text), expect={"baseColour": None},
                   missing_values_in_baseColour=2)  # fmt: skip
        yield f"value: {text!r} is missing", use, None
    for text in ("Nano", "0", "None of these", "Navy Blue"):
        yield f"value: {text!r} is a value", _has(
            WHOLE.replace("Blue", text), expect={"baseColour": text}), None  # fmt: skip


# --- archives and folders ---


def _zip(files: dict[str, bytes], **options: object) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name)
            entry.filename = name  # as it is, whatever this system's separator
            archive.writestr(entry, data)
    return buffer.getvalue()


TABLE = "\n".join([HEADER, ROWS[0], ""]).encode()


def _load_zip(data: bytes, ignored: int = 0) -> Callable[[Path], None]:
    def use(folder: Path) -> None:
        (folder / "archive.zip").write_bytes(data)
        found = catalog.load(folder / "archive.zip")
        assert found.products["id"].tolist() == [1001]
        assert found.source.read("1001.jpg") == photo(1)
        assert found.counts["second copies ignored"] == ignored

    return use


def _archives() -> Iterator[Found]:
    for name, prefix in (("double slashes", "fashion//"), ("a dot before", "./"),
                         ("a dot between", "fashion/./"), ("backslashes", "fashion\\"),
                         ("three slashes", "a///b//")):  # fmt: skip
        inside = "images\\1001.jpg" if "\\" in prefix else "images//1001.jpg"
        files = {f"{prefix}styles.csv": TABLE, f"{prefix}{inside}": photo(1)}
        yield f"zip of people: {name}", _load_zip(_zip(files)), None
    files = {"styles.csv": TABLE, "images/1001.jpg": photo(1)}
    others = {
        "macOS' own notes": ({"__MACOSX/._styles.csv": b"x", "__MACOSX/images/._1001.jpg": b"x",
                              "images/._1001.jpg": b"x"}, 0),
        "folders as entries": ({"images/": b""}, 0),
        "folders with a backslash": ({"images\\": b""}, 0),
        "a second photo of another ending": ({"images/1001.png": b"x"}, 1),
        "a second photo of another case": ({"images/1001.JPG": b"x"}, 1),
        "a table in capitals beside it": ({"old/STYLES.CSV": b"x"}, 0),
    }  # fmt: skip
    for name, (more, ignored) in others.items():
        yield f"zip of people: {name}", _load_zip(_zip({**files, **more}), ignored), None
    capitals = {"Fashion/Styles.CSV": TABLE, "Fashion/Images/1001.JPG": photo(1)}
    yield "zip of people: names in capitals", _load_zip(_zip(capitals)), None
    for climbing in ("fashion//../..//x.jpg", ".//../x.jpg", "images\\..\\..\\x.jpg", "//host/x"):
        yield (f"zip of people: {climbing} leaves its folder",
               _load_zip(_zip({**files, climbing: b"x"})),
               "would leave its folder; refused")  # fmt: skip
    for name, start in (("7z", b"7z\xbc\xaf\x27\x1c"), ("RAR", b"Rar!\x1a\7\0"),
                        ("gzip", b"\x1f\x8b\x08")):  # fmt: skip
        yield (f"zip of people: {name} called zip", _load_zip(start + bytes(99)),
               "not a whole zip archive .* or name the folder that another archive")  # fmt: skip
    packed = bytearray(_zip(files))
    for mark, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):  # Windows' own for large files
        place = packed.index(mark) + offset
        packed[place : place + 2] = struct.pack("<H", 9)
    yield ("zip of people: packed by Deflate64", _load_zip(bytes(packed)),
           "cannot be unpacked .*name the folder")  # fmt: skip


def _load_folder(arrange: Callable[[Path], Path | None]) -> Callable[[Path], None]:
    """Reads a folder of one product that `arrange` has changed, or moved elsewhere."""

    def use(folder: Path) -> None:
        shop = folder / "shop"
        write_styles(shop, [product_row(1001)])
        (shop / "images").mkdir()
        (shop / "images" / "1001.jpg").write_bytes(photo(1))
        found = catalog.load(arrange(shop) or shop)
        assert found.products["id"].tolist() == [1001]
        assert found.source.read("1001.jpg") == photo(1)
        assert found.source.fingerprint() == catalog.load(found.source.path).source.fingerprint()

    return use


def _folders() -> Iterator[Found]:
    def renamed(name: str) -> Callable[[Path], None]:
        return lambda shop: (shop / "images" / "1001.jpg").rename(shop / "images" / name) and None

    for name in ("1001.JPG", "1001.jpeg", "1001.Jpg", "01001.jpg", "1001.jfif", "1001.png"):
        yield f"folder of people: a photo {name}", _load_folder(renamed(name)), None

    def the_folder_is_a_link(shop: Path) -> Path:
        (shop.parent / "link").symlink_to(shop, target_is_directory=True)
        return shop.parent / "link"

    def the_catalogue_is_a_link_inside(shop: Path) -> Path:
        (shop.parent / "data").mkdir()
        (shop.parent / "data" / "fashion").symlink_to(shop, target_is_directory=True)
        return shop.parent / "data"

    def the_photos_are_a_link(shop: Path) -> None:
        (shop / "images").rename(shop.parent / "elsewhere")
        (shop / "images").symlink_to(shop.parent / "elsewhere", target_is_directory=True)

    def each_photo_is_a_link(shop: Path) -> None:
        (shop / "images" / "1001.jpg").rename(shop.parent / "x")
        (shop / "images" / "1001.jpg").symlink_to(shop.parent / "x")

    def a_link_that_never_ends(shop: Path) -> None:
        (shop / "images" / "again").symlink_to(shop, target_is_directory=True)
        (shop / "self").symlink_to(shop / "self")

    def photos_one_folder_deeper(shop: Path) -> None:
        (shop / "images" / "a").mkdir()
        (shop / "images" / "1001.jpg").rename(shop / "images" / "a" / "1001.jpg")

    def folders_in_capitals(shop: Path) -> None:
        (shop / "images").rename(shop / "Images")
        (shop / "styles.csv").rename(shop / "STYLES.CSV")

    def the_table_is_named(shop: Path) -> Path:
        return shop / "styles.csv"

    def notes_of_macos(shop: Path) -> None:
        (shop / "images" / "._1001.jpg").write_bytes(b"x")
        (shop / ".DS_Store").write_bytes(b"x")

    def letters_of_all_kinds(shop: Path) -> Path:
        return shop.rename(shop.parent / "Käthe's {shop} [1] #2 %s 服装")

    for arrange in (the_folder_is_a_link, the_catalogue_is_a_link_inside, the_photos_are_a_link,
                    each_photo_is_a_link, a_link_that_never_ends, photos_one_folder_deeper,
                    folders_in_capitals, the_table_is_named, notes_of_macos,
                    letters_of_all_kinds):  # fmt: skip
        name = arrange.__name__.replace("_", " ")
        yield f"folder of people: {name}", _load_folder(arrange), None


def _parquets() -> Iterator[Found]:
    def use(folder: Path, ids: object, years: object, suffix: str = ".parquet") -> None:
        columns = dict(zip(catalog.COLUMNS, zip(product_row(1001), strict=True), strict=True))
        table = {name: list(values) for name, values in columns.items()}
        table |= {"id": ids, "year": years, "image": [{"bytes": photo(1), "path": "1001.jpg"}]}
        path = folder / f"train{suffix}"
        parquet.write_table(pyarrow.table(table), path)
        found = catalog.load(folder if suffix != ".parquet" else path)
        assert found.products["id"].tolist() == [1001]
        assert found.products["year"].tolist() == [2011]

    for name, ids, years in (
        ("ids as floats", [1001.0], [2011]), ("ids as texts", ["1001"], ["2011"]),
        ("ids as texts of floats", ["1001.0"], ["2011.0"]),
        ("ids with zeros before", ["001001"], [2011.0]),
        ("ids of 32 bits", pyarrow.array([1001], pyarrow.int32()), pyarrow.array(
            [2011], pyarrow.int16())),
        ("ids as a dictionary", pyarrow.array(["1001"]).dictionary_encode(), ["2011"]),
    ):  # fmt: skip
        yield f"Parquet of people: {name}", partial(use, ids=ids, years=years), None
    yield "Parquet of people: an ending in capitals", partial(
        use, ids=[1001], years=[2011], suffix=".PARQUET"), None  # fmt: skip


def _paths() -> Iterator[Found]:
    def use(folder: Path, form: str) -> None:
        (folder / "a b").mkdir()
        _load_folder(lambda shop: None)(folder / "a b")
        path = folder / "a b" / "shop"
        assert len(catalog.load(named_path(form.format(path)))) == 1

    for form in ('"{}"', "'{}'", " {}\n", "\"'{}'\"", "“{}”", "file://{}", "{}/"):
        yield f"path: {form!r}", partial(use, form=form), None
