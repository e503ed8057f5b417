"""sources: zip, folder and Parquet are read alike, and no archive is trusted."""

import struct
import zipfile
from pathlib import Path

import pyarrow
import pytest
from drawn_catalog import parquet_of, photo, product_row, write_styles, zip_folder
from pyarrow import parquet

from fashion_rir.data import sources
from fashion_rir.errors import CatalogError, ImageError


@pytest.fixture(params=["zip", "folder", "parquet", "folder of parquet"])
def any_source(request, catalog_folder: Path, tmp_path: Path) -> sources.Source:
    """The drawn catalogue in each of its forms."""
    if request.param == "zip":
        return sources.open_source(zip_folder(catalog_folder, tmp_path / "archive.zip"))
    if request.param == "parquet":
        return sources.open_source(parquet_of(catalog_folder, tmp_path / "train.parquet"))
    if request.param == "folder of parquet":
        parquet_of(catalog_folder, tmp_path / "mirror" / "data" / "train-0.parquet")
        return sources.open_source(tmp_path / "mirror")
    return sources.open_source(catalog_folder)


def test_every_form_gives_the_same_rows(any_source, product_rows):
    header, *rows = any_source.rows()
    assert header[0] == "id"
    assert rows == product_rows


def test_every_form_gives_the_same_photos(any_source):
    assert any_source.image_names() == [f"{product}.jpg" for product in range(1001, 1013)]
    assert any_source.read("1004.jpg") == photo(3)
    assert any_source.read("1012.jpg") == photo(11)
    assert any_source.read("1004.jpg") == photo(3)
    assert any_source.ignored_copies == 0


def test_a_photo_that_is_not_there_is_named(any_source):
    with pytest.raises(ImageError, match="There is no photo 7.jpg in"):
        any_source.read("7.jpg")


def test_a_path_that_is_not_there_says_where_to_get_the_data(tmp_path):
    with pytest.raises(CatalogError, match=r"no catalogue at .*nowhere; download"):
        sources.open_source(tmp_path / "nowhere")


def test_a_folder_without_styles_csv_says_what_it_lacks(tmp_path):
    with pytest.raises(CatalogError, match=r"has no styles.csv"):
        sources.open_source(tmp_path)


def test_a_zip_without_styles_csv_says_what_it_lacks(catalog_folder, tmp_path):
    (catalog_folder / "styles.csv").unlink()
    with pytest.raises(CatalogError, match=r"other.zip has no styles.csv"):
        sources.open_source(zip_folder(catalog_folder, tmp_path / "other.zip"))


def test_a_truncated_zip_is_refused(catalog_folder, tmp_path):
    path = zip_folder(catalog_folder, tmp_path / "archive.zip")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CatalogError, match="archive.zip is not a whole zip archive"):
        sources.open_source(path)


@pytest.mark.parametrize("content", [b"", b"not an archive"])
def test_another_file_called_zip_is_refused(tmp_path, content):
    path = tmp_path / "archive.zip"
    path.write_bytes(content)
    with pytest.raises(CatalogError, match="archive.zip is not a whole zip archive"):
        sources.open_source(path)


@pytest.mark.parametrize("form", ["zip", "folder"])
def test_the_second_copy_in_kaggles_archive_is_ignored_and_counted(catalog_folder, tmp_path, form):
    second = catalog_folder / "myntradataset"
    write_styles(second, [product_row(9)])
    (second / "images").mkdir()
    for name in ("1001.jpg", "1002.jpg", "9.jpg"):
        (second / "images" / name).write_bytes(photo(9))
    path = catalog_folder
    if form == "zip":
        path = zip_folder(catalog_folder, tmp_path / "archive.zip")
    source = sources.open_source(path)
    assert source.ignored_copies == 3
    assert len(source.image_names()) == len(list(source.rows())) - 1 == 12
    assert source.read("1001.jpg") == photo(0)


@pytest.mark.parametrize("form", ["zip", "folder"])
def test_a_catalogue_inside_another_folder_is_found(catalog_folder, tmp_path, form):
    path = tmp_path
    if form == "zip":
        path = zip_folder(tmp_path, tmp_path.parent / f"{tmp_path.name}.zip")
    assert len(sources.open_source(path).image_names()) == 12


def test_a_folder_of_photos_may_be_a_link(catalog_folder, tmp_path):
    (catalog_folder / "images").rename(tmp_path / "elsewhere")
    try:
        (catalog_folder / "images").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    except OSError:
        pytest.skip("this system does not let us make links")
    assert len(sources.open_source(catalog_folder).image_names()) == 12


HOSTILE = ["../x.jpg", "images/../../x.jpg", "/x.jpg", "C:\\x.jpg", "..\\x.jpg", "\\\\host\\x.jpg"]


@pytest.mark.parametrize("name", HOSTILE)
def test_an_entry_that_would_leave_its_folder_is_refused(catalog_folder, tmp_path, name):
    path = zip_folder(catalog_folder, tmp_path / "archive.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, b"x")
    with pytest.raises(CatalogError, match="would leave its folder; refused"):
        sources.open_source(path)


def test_an_entry_named_by_a_dot_is_no_crash(catalog_folder, tmp_path):
    path = zip_folder(catalog_folder, tmp_path / "archive.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(".", b"x")
    assert len(sources.open_source(path).image_names()) == 12


def test_an_entry_over_the_bound_is_refused(catalog_folder, tmp_path, monkeypatch):
    path = zip_folder(catalog_folder, tmp_path / "archive.zip")
    largest = max(file.stat().st_size for file in catalog_folder.rglob("*.*"))
    monkeypatch.setattr(sources, "MAX_ENTRY_BYTES", largest)
    sources.open_source(path)
    monkeypatch.setattr(sources, "MAX_ENTRY_BYTES", largest - 1)
    with pytest.raises(CatalogError, match=f"unpacks to {largest:,} bytes; the limit is"):
        sources.open_source(path)


def test_a_total_over_the_bound_is_refused(catalog_folder, tmp_path, monkeypatch):
    path = zip_folder(catalog_folder, tmp_path / "archive.zip")
    total = sum(file.stat().st_size for file in catalog_folder.rglob("*.*"))
    monkeypatch.setattr(sources, "MAX_ARCHIVE_BYTES", total)
    sources.open_source(path)
    monkeypatch.setattr(sources, "MAX_ARCHIVE_BYTES", total - 1)
    with pytest.raises(CatalogError, match=f"archive.zip unpacks to {total:,} bytes"):
        sources.open_source(path)


def test_a_zip_entry_that_is_a_link_is_read_as_its_own_few_bytes(catalog_folder, tmp_path):
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(photo(5))
    path = zip_folder(catalog_folder, tmp_path / "archive.zip")
    link = zipfile.ZipInfo("images/2001.jpg")
    link.external_attr = 0o120777 << 16  # a symbolic link
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, str(secret))
    assert sources.open_source(path).read("2001.jpg") == str(secret).encode()


def spoil_entry(path: Path, name: str) -> None:
    """Overwrite the content of one entry of a zip archive; the directory stays intact."""
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo(name)
    data = bytearray(path.read_bytes())
    lengths = struct.unpack_from("<HH", data, entry.header_offset + 26)
    start = entry.header_offset + 30 + sum(lengths)
    data[start : start + entry.compress_size] = b"\xff" * entry.compress_size
    path.write_bytes(data)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_damaged_entry_is_named(catalog_folder, tmp_path, compression):
    path = tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("styles.csv", "id\n" * 50)
        archive.writestr("images/1.jpg", photo(1))
    spoil_entry(path, "images/1.jpg")
    source = sources.open_source(path)
    assert next(source.rows()) == ["id"]
    with pytest.raises(ImageError, match="1.jpg cannot be unpacked from"):
        source.read("1.jpg")
    spoil_entry(path, "styles.csv")
    with pytest.raises(CatalogError, match="styles.csv cannot be unpacked"):
        list(sources.open_source(path).rows())


def test_an_encrypted_entry_is_named(catalog_folder, tmp_path):
    path = zip_folder(catalog_folder, tmp_path / "archive.zip")
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        offset = archive.getinfo("images/1001.jpg").header_offset
    directory = data.index(b"PK\x01\x02", data.rindex(b"images/1001.jpg") - 46)
    data[directory + 8] |= 1  # the flag 'encrypted', in the directory and at the entry
    data[offset + 6] |= 1
    path.write_bytes(data)
    with pytest.raises(ImageError, match="1001.jpg cannot be unpacked .*encrypted"):
        sources.open_source(path).read("1001.jpg")


def test_a_photo_of_a_folder_that_cannot_be_read_is_named(catalog_folder):
    source = sources.open_source(catalog_folder)
    (catalog_folder / "images" / "1001.jpg").unlink()
    (catalog_folder / "images" / "1001.jpg").mkdir()
    with pytest.raises(ImageError, match="1001.jpg in .* cannot be read"):
        source.read("1001.jpg")


def write_text(folder: Path, data: bytes) -> sources.Source:
    (folder / "styles.csv").write_bytes(data)
    return sources.open_source(folder)


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    source = write_text(tmp_path, b"\xef\xbb\xbfid,name\n1,a\n")
    assert list(source.rows()) == [["id", "name"], ["1", "a"]]


def test_a_row_that_is_not_utf8_is_read_as_windows_writes_it_and_named(tmp_path):
    source = write_text(tmp_path, "id,name\n1,über\n".encode() + b"2,caf\xe9\n3,b\n")
    for _ in range(2):  # and named once, however often they are read
        assert list(source.rows()) == [["id", "name"], ["1", "über"], ["2", "café"], ["3", "b"]]
        assert source.repairs == [
            ("styles.csv line 3", "row", "no UTF-8, read as Windows-1252")]  # fmt: skip


@pytest.mark.parametrize("form", ["zip", "folder"])
def test_of_two_photos_of_a_product_the_jpg_is_taken(catalog_folder, tmp_path, form):
    for name in ("1001.JPG", "01001.jpg", "1001.png", "1001.jpeg"):
        (catalog_folder / "images" / name).write_bytes(photo(9))
    path = catalog_folder
    if form == "zip":
        path = zip_folder(catalog_folder, tmp_path / "archive.zip")
    source = sources.open_source(path)
    assert (len(source.image_names()), source.ignored_copies) == (12, 4)
    assert source.read("1001.jpg") == photo(0)


def test_an_unclosed_quote_is_refused_instead_of_swallowing_rows(tmp_path):
    source = write_text(tmp_path, b'id,name\n1,a\n2,"b\n3,c\n')
    with pytest.raises(CatalogError, match="cannot be read as CSV at line 4 .*mend the quotes"):
        list(source.rows())


def test_quoted_commas_quotes_and_windows_line_ends_are_read(tmp_path):
    source = write_text(tmp_path, b'id,name\r\n1,"a, ""b"""\r\n2,3.5" Short\r\n')
    assert list(source.rows())[1:] == [["1", 'a, "b"'], ["2", '3.5" Short']]


def test_parquet_in_several_files_is_read_in_the_order_of_the_first_ones_columns(tmp_path):
    image = [{"bytes": photo(1), "path": "1.jpg"}]
    first = pyarrow.table({"id": [1], "gender": ["Men"], "image": image})
    second = pyarrow.table({"image": image, "gender": ["Women"], "id": [2]})
    parquet.write_table(first, tmp_path / "0.parquet")
    parquet.write_table(second, tmp_path / "1.parquet")
    source = sources.open_source(tmp_path)
    assert list(source.rows()) == [["id", "gender"], ["1", "Men"], ["2", "Women"]]
    assert source.image_names() == ["1.jpg", "2.jpg"]


def test_parquet_with_ids_as_floats_finds_its_photos(tmp_path):
    image = [{"bytes": photo(1), "path": "7.jpg"}]
    parquet.write_table(pyarrow.table({"id": [7.0], "image": image}), tmp_path / "a.parquet")
    source = sources.open_source(tmp_path / "a.parquet")
    assert list(source.rows()) == [["id"], ["7"]]
    assert source.read("7.jpg") == photo(1)


def test_parquet_reads_a_row_group_once_for_all_its_photos(catalog_folder, tmp_path, monkeypatch):
    source = sources.open_source(parquet_of(catalog_folder, tmp_path / "a.parquet"))
    opened = []
    whole = parquet.ParquetFile
    monkeypatch.setattr(parquet, "ParquetFile", lambda file: opened.append(file) or whole(file))
    for name in source.image_names():
        source.read(name)
    assert len(opened) == 3  # twelve rows in groups of five


@pytest.mark.parametrize(
    "table",
    [
        {"product": [1], "image": [{"bytes": b"x", "path": "1.jpg"}]},
        {"id": [1]},
        {"id": [1], "image": [b"x"]},
    ],
)
def test_parquet_without_its_columns_says_so(tmp_path, table):
    parquet.write_table(pyarrow.table(table), tmp_path / "a.parquet")
    with pytest.raises(CatalogError, match=r"a.parquet cannot be read .*'id' and 'image'"):
        sources.open_source(tmp_path / "a.parquet")


def test_parquet_whose_second_file_lacks_a_column_says_which_file(catalog_folder, tmp_path):
    folder = tmp_path / "mirror"
    parquet_of(catalog_folder, folder / "0.parquet")
    image = [{"bytes": photo(1), "path": "1.jpg"}]
    parquet.write_table(pyarrow.table({"id": [1], "image": image}), folder / "1.parquet")
    with pytest.raises(CatalogError, match=r"1.parquet cannot be read"):
        list(sources.open_source(folder).rows())


def test_damaged_parquet_is_refused(catalog_folder, tmp_path):
    path = parquet_of(catalog_folder, tmp_path / "a.parquet")
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(CatalogError, match="a.parquet cannot be read as the data set's Parquet"):
        sources.open_source(path)


def test_a_photo_in_a_damaged_parquet_page_is_named(catalog_folder, tmp_path):
    path = parquet_of(catalog_folder, tmp_path / "a.parquet")
    source = sources.open_source(path)
    path.write_bytes(b"PAR1")
    with pytest.raises(ImageError, match=r"1001.jpg cannot be read from .*a.parquet"):
        source.read("1001.jpg")


def test_the_fingerprint_changes_with_the_files(any_source):
    before = any_source.fingerprint()
    assert any_source.fingerprint() == before
    path = any_source.path
    changed = path if path.is_file() else next(path.rglob("*.*"))
    changed.write_bytes(changed.read_bytes() + b" ")
    assert any_source.fingerprint() != before
