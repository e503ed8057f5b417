"""store: what goes in comes out bit by bit; anything else is refused and named."""

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from fashion_rir.embedding import store as embedding_store
from fashion_rir.embedding.store import FeatureStore
from fashion_rir.errors import ParameterError, StoreError

METADATA = {
    "model": "mobilenetv2-128-pad",
    "backbone": "mobilenetv2",
    "image_size": 128,
    "preprocessing": "pad",
    "weights": "imagenet",
    "weights_sha256": "ab" * 32,
    "embedding_dim": 3,
    "data_hash": "cd" * 32,
}
NAMES = ["10.jpg", "2.jpg", "33.jpg"]
EMBEDDINGS = np.array([[0.1, -0.0, 1e-45], [3.4e38, 1 / 3, 7], [-1, 2, -3]], dtype=np.float32)


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    """Three stored embeddings of three numbers."""
    store = FeatureStore.create(tmp_path / "features" / "store.sqlite", METADATA)
    store.append(NAMES, EMBEDDINGS)
    return store


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def assert_is_intact(store: FeatureStore) -> None:
    names, embeddings = FeatureStore.open(store.path).load()
    assert names == NAMES
    assert embeddings.tobytes() == EMBEDDINGS.tobytes()


# --- round trip ---


def test_embeddings_come_back_bit_by_bit_in_the_order_stored(store):
    assert_is_intact(store)
    assert store.image_names() == NAMES
    assert FeatureStore.open(store.path).load()[1].dtype == np.float32


def test_a_row_is_a_blob_of_little_endian_float32(store):
    with closing(sqlite3.connect(store.path)) as connection:
        query = "SELECT features FROM image_features WHERE image_name = '33.jpg'"
        blob = connection.execute(query).fetchone()[0]
    assert blob == bytes.fromhex("000080bf 00000040 000040c0")  # -1, 2, -3


def test_float16_takes_half_the_space_and_is_given_out_as_float32(tmp_path):
    store = FeatureStore.create(tmp_path / "half.sqlite", METADATA | {"number_format": "float16"})
    store.append(NAMES, np.array([[0.1, 2, 3], [1 / 3, 0, 7], [-1, 2, -3]], dtype=np.float32))
    with closing(sqlite3.connect(store.path)) as connection:
        query = "SELECT features FROM image_features WHERE image_name = '33.jpg'"
        blob = connection.execute(query).fetchone()[0]
    assert blob == bytes.fromhex("00bc 0040 00c2")  # -1, 2, -3
    found = FeatureStore.open(store.path).load()[1]
    assert found.dtype == np.float32
    assert found[0].tolist() == [np.float16(0.1), 2, 3]


def test_a_number_too_large_for_float16_is_refused(tmp_path):
    store = FeatureStore.create(tmp_path / "half.sqlite", METADATA | {"number_format": "float16"})
    with pytest.raises(StoreError, match="embedding of a.jpg is not finite in float16"):
        store.append(["a.jpg"], np.array([[70000, 0, 0]], dtype=np.float32))


def test_the_number_formats_are_not_mixed(store):
    with pytest.raises(StoreError, match="holds float32, so no float16 can be added"):
        FeatureStore.create(store.path, METADATA | {"number_format": "float16"})
    with pytest.raises(ParameterError, match="number format 'float8'"):
        FeatureStore.create(store.path, METADATA | {"number_format": "float8"})


def test_the_metadata_say_what_made_the_embeddings(store):
    expected = {key: str(value) for key, value in METADATA.items()}
    assert FeatureStore.open(store.path).metadata == store.metadata == expected


def test_the_order_asked_for_is_the_order_given(store):
    names, embeddings = store.load(["33.jpg", "10.jpg", "33.jpg"])
    assert names == ["33.jpg", "10.jpg", "33.jpg"]
    np.testing.assert_array_equal(embeddings, EMBEDDINGS[[2, 0, 2]])


def test_a_part_of_the_images_may_be_asked_for_and_none(store):
    assert store.load(["2.jpg"])[1].tolist() == EMBEDDINGS[[1]].tolist()
    assert store.load([])[1].shape == (0, 3)


def test_a_second_batch_is_added_behind_the_first(store):
    store.append(["1.jpg"], np.ones((1, 3)))
    assert store.image_names() == [*NAMES, "1.jpg"]
    assert store.load(["1.jpg"])[1].tolist() == [[1, 1, 1]]


def test_create_goes_on_with_the_store_of_the_same_model(store):
    again = FeatureStore.create(store.path, METADATA)
    assert again.image_names() == NAMES
    assert again.metadata == store.metadata


def test_create_leaves_no_partial_file(store):
    assert [file.name for file in store.path.parent.iterdir()] == ["store.sqlite"]


def test_a_path_with_odd_characters_is_a_path_like_any_other(tmp_path):
    path = tmp_path / "100 % sure? #1" / "ä.sqlite"
    FeatureStore.create(path, METADATA).append(NAMES, EMBEDDINGS)
    assert path.is_file()
    assert FeatureStore.open(path).image_names() == NAMES


# --- the thesis' own form ---


@pytest.fixture
def thesis_store(tmp_path: Path) -> FeatureStore:
    """A file as the thesis made it: comma-separated text, no metadata."""
    path = tmp_path / "thesis.db"
    execute(
        path,
        "CREATE TABLE image_features (id INTEGER PRIMARY KEY, image_name TEXT, features TEXT)",
        "INSERT INTO image_features VALUES (1, '15970.jpg', '0.5,1.25,-2e-3')",
        "INSERT INTO image_features VALUES (2, '39386.jpg', '1, 2, 3')",
    )
    return FeatureStore.open(path)


def test_the_comma_separated_text_of_the_thesis_is_read(thesis_store):
    names, embeddings = thesis_store.load()
    assert names == ["15970.jpg", "39386.jpg"]
    expected = np.array([[0.5, 1.25, -0.002], [1, 2, 3]], dtype=np.float32)
    np.testing.assert_array_equal(embeddings, expected)
    assert thesis_store.metadata == {}


def test_a_store_that_says_nothing_may_be_searched_but_not_added_to(thesis_store):
    thesis_store.require(METADATA)
    with pytest.raises(StoreError, match="thesis.db does not say its model"):
        FeatureStore.create(thesis_store.path, METADATA)


# --- another model ---


@pytest.mark.parametrize("key", METADATA)
def test_another_model_is_refused_with_both_sides_named(store, key):
    other = METADATA | {key: "99"}
    message = f"made with {key} '{METADATA[key]}', the query with '99'"
    with pytest.raises(StoreError, match=message):
        store.require(other)
    with pytest.raises(StoreError, match=message):
        FeatureStore.create(store.path, other)
    assert_is_intact(store)


def test_what_only_one_side_says_is_not_compared(store):
    store.require({"model": "mobilenetv2-128-pad", "engine": "onnx"})


# --- what may not be stored ---


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_not_finite_is_refused_and_nothing_of_the_batch_stored(store, value):
    with pytest.raises(StoreError, match=r"embedding of 5.jpg is not finite"):
        store.append(["4.jpg", "5.jpg"], np.array([[1, 2, 3], [1, value, 3]]))
    assert_is_intact(store)


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_a_number_too_large_for_float32_is_refused(store):
    with pytest.raises(StoreError, match=r"embedding of 4.jpg is not finite"):
        store.append(["4.jpg"], np.array([[1, 1e300, 3]]))
    assert_is_intact(store)


@pytest.mark.parametrize("names", [["4.jpg", "2.jpg"], ["4.jpg", "4.jpg"]])
def test_a_duplicate_is_refused_and_the_store_stays_intact(store, names):
    with pytest.raises(StoreError, match="already holds one of the images 4.jpg to"):
        store.append(names, np.ones((2, 3)))
    assert_is_intact(store)


@pytest.mark.parametrize("shape", [(2, 4), (2, 2), (3, 3), (1, 3), (6,), (2, 3, 1)])
def test_another_shape_is_refused(store, shape):
    with pytest.raises(StoreError, match=r"takes embeddings of shape \(2, 3\), not \("):
        store.append(["4.jpg", "5.jpg"], np.ones(shape))
    assert_is_intact(store)


def test_an_empty_batch_changes_nothing(store):
    store.append([], np.empty((0, 3)))
    assert_is_intact(store)


# --- what cannot be read ---


def test_images_that_are_not_stored_are_counted_and_the_first_named(store):
    with pytest.raises(StoreError, match=r"lacks 2 of 3 images \(first: 8.jpg\)"):
        store.load(["2.jpg", "8.jpg", "9.jpg"])


def test_a_missing_store_says_how_to_build_it(tmp_path):
    with pytest.raises(StoreError, match="no feature store at .*`fashion-rir embed`"):
        FeatureStore.open(tmp_path / "missing.sqlite")


def test_a_store_without_any_row_is_refused(tmp_path):
    store = FeatureStore.create(tmp_path / "store.sqlite", METADATA)
    assert store.image_names() == []
    with pytest.raises(StoreError, match="store.sqlite is empty"):
        store.load()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("x'0000803f'", "does not hold 3 finite numbers"),  # one number
        ("x'0000803f00'", "holds no numbers"),  # five bytes
        ("x'0000803f0000803f0000c07f'", "does not hold 3 finite numbers"),  # the last is NaN
        ("'1,two,3'", "holds no numbers"),
        ("''", "holds no numbers"),
        ("7", "holds no numbers"),
    ],
)
def test_a_damaged_row_is_named(store, value, reason):
    update = f"UPDATE image_features SET features = {value} WHERE image_name = '2.jpg'"
    execute(store.path, update)
    with pytest.raises(StoreError, match=f"store.sqlite: 2.jpg {reason}"):
        store.load()


@pytest.mark.parametrize("size", [10, 1000, 5000])
def test_random_bytes_are_no_store(tmp_path, size):
    path = tmp_path / "store.sqlite"
    path.write_bytes(np.random.default_rng(0).bytes(size))
    with pytest.raises(StoreError, match="store.sqlite is damaged, or no SQLite file"):
        FeatureStore.open(path)


def test_a_store_whose_pages_are_overwritten_is_refused(store):
    data = bytearray(store.path.read_bytes())
    data[100:4096] = b"\xff" * 3996
    store.path.write_bytes(data)
    with pytest.raises(StoreError, match="store.sqlite"):
        FeatureStore.open(store.path)


def test_a_store_whose_schema_is_no_text_is_refused(store):
    data = store.path.read_bytes()
    store.path.write_bytes(data.replace(b"CREATE TABLE metadata(", b"CREATE TAB\xffE metadata("))
    with pytest.raises(StoreError, match="store.sqlite is damaged, or no SQLite file"):
        FeatureStore.open(store.path)


@pytest.mark.parametrize("content", [None, "CREATE TABLE products (id INTEGER)"])
def test_another_database_is_no_store(tmp_path, content):
    path = tmp_path / "store.sqlite"
    path.touch()
    if content:
        execute(path, content)
    with pytest.raises(StoreError, match="holds no table image_features; it is no feature store"):
        FeatureStore.open(path)
    with pytest.raises(StoreError, match="holds no table image_features"):
        FeatureStore.create(path, METADATA)


def test_a_table_with_other_columns_is_refused(tmp_path):
    path = tmp_path / "store.sqlite"
    execute(
        path,
        "CREATE TABLE image_features (file TEXT, vector BLOB)",
        "INSERT INTO image_features VALUES ('1.jpg', x'00')",
    )
    with pytest.raises(StoreError, match="no such column: image_name"):
        FeatureStore.open(path).load()


def test_another_schema_version_is_refused_with_both_named(store):
    execute(store.path, "UPDATE metadata SET value = '2' WHERE key = 'schema'")
    with pytest.raises(StoreError, match="has schema version 2, this program reads 1"):
        FeatureStore.open(store.path)


# --- what cannot be written ---


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match=r"Cannot write the feature store .*choose a folder"):
        FeatureStore.create(tmp_path / "file" / "store.sqlite", METADATA)


def test_a_folder_in_the_place_of_a_store_is_refused(tmp_path):
    with pytest.raises(StoreError, match="Cannot read or write .*unable to open"):
        FeatureStore.create(tmp_path, METADATA)


def connect_with(pragma: str):
    """sqlite3.connect whose connections start with a PRAGMA."""
    connect = sqlite3.connect

    def connect_and_set(*arguments, **options):
        connection = connect(*arguments, **options)
        connection.execute(f"PRAGMA {pragma}")
        return connection

    return connect_and_set


@pytest.mark.parametrize(
    ("pragma", "reason"), [("max_page_count = 6", "is full"), ("query_only = 1", "readonly")]
)
def test_a_full_or_read_only_disk_leaves_the_store_as_it_was(store, monkeypatch, pragma, reason):
    names = [f"{number}.jpg" for number in range(100, 2000)]
    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", connect_with(pragma))
        with pytest.raises(StoreError, match=f"Cannot read or write .*{reason}.*is intact"):
            store.append(names, np.ones((len(names), 3)))
    assert_is_intact(store)
    store.append(names, np.ones((len(names), 3)))  # and it can go on
    assert len(store.image_names()) == 3 + len(names)


def test_a_disk_that_is_full_from_the_start_leaves_no_store(tmp_path, monkeypatch):
    path = tmp_path / "store.sqlite"
    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", connect_with("max_page_count = 1"))
        with pytest.raises(StoreError, match="is full"):
            FeatureStore.create(path, METADATA)
    assert not path.exists()
    assert FeatureStore.create(path, METADATA).image_names() == []


# --- two processes, and a killed one ---


def test_a_writer_between_counting_and_reading_does_not_confuse_the_reader(store, monkeypatch):
    connect = sqlite3.connect
    attempts = []

    class Interrupted(sqlite3.Connection):
        def execute(self, statement: str) -> sqlite3.Cursor:
            if statement.startswith("SELECT image_name"):
                attempts.append(statement)
                with (
                    suppress(sqlite3.OperationalError),  # it has to wait: locked
                    closing(connect(store.path, timeout=0)) as writer,
                    writer,
                ):
                    writer.execute("INSERT INTO image_features VALUES ('4.jpg', x'00')")
            return super().execute(statement)

    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", partial(connect, factory=Interrupted))
        names, _ = store.load()
    assert attempts
    assert names == NAMES


WRITER = """
import sys
from pathlib import Path
import numpy as np
from fashion_rir.embedding.store import FeatureStore
store = FeatureStore.create(Path(sys.argv[1]), {"model": "m", "embedding_dim": 64})
for batch in range(100_000):
    names = [f"{batch}-{row}.jpg" for row in range(50)]
    store.append(names, np.full((50, 64), batch, dtype=np.float32))
    print(batch, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_run_loses_at_most_the_batch_in_hand(tmp_path):
    path = tmp_path / "store.sqlite"
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        committed = [writer.stdout.readline() for _ in range(7)]
        writer.send_signal(signal.SIGKILL)
        committed += writer.stdout.readlines()
    n_committed = len(committed)
    names, embeddings = FeatureStore.open(path).load()
    assert len(names) in (50 * n_committed, 50 * (n_committed + 1))
    assert names[: 50 * 7] == [f"{batch}-{row}.jpg" for batch in range(7) for row in range(50)]
    np.testing.assert_array_equal(embeddings[:, 0], np.arange(len(names)) // 50)
    store = FeatureStore.create(path, {"model": "m", "embedding_dim": 64})
    store.append(["next.jpg"], np.ones((1, 64)))


def test_of_two_processes_that_make_a_store_the_second_goes_on_with_the_first_ones(
    tmp_path, monkeypatch
):
    path = tmp_path / "store.sqlite"
    link = embedding_store.os.link

    def quicker(partial, target):
        monkeypatch.setattr(embedding_store.os, "link", link)
        FeatureStore.create(path, METADATA).append(NAMES, EMBEDDINGS)
        link(partial, target)

    monkeypatch.setattr(embedding_store.os, "link", quicker)
    assert_is_intact(FeatureStore.create(path, METADATA))
    assert [file.name for file in tmp_path.iterdir()] == ["store.sqlite"]


def test_a_file_system_without_links_makes_a_store_too(tmp_path, monkeypatch):
    def no_links(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(embedding_store.os, "link", no_links)
    store = FeatureStore.create(tmp_path / "store.sqlite", METADATA)
    store.append(NAMES, EMBEDDINGS)
    assert_is_intact(store)
    assert not embedding_store._publish(tmp_path / "store.part", store.path)
