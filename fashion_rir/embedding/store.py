"""The feature store: one SQLite file a model, as in the thesis.

Table `image_features(image_name, features)` holds one embedding a photo, as little-endian
float32 BLOB, or float16 in half the space where the metadata say so (`number_format`). The thesis
kept comma-separated text in the same column; such a file is read too.
Table `metadata(key, value)` says which model made the embeddings, so that a query from another
model is refused instead of being answered with noise.
"""

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import numpy as np

from fashion_rir.errors import StoreError, unknown_name

SCHEMA_VERSION = 1

# What must agree where both sides state it, before embeddings are compared or added.
COMPARED_KEYS = ("model", "backbone", "image_size", "preprocessing", "weights", "weights_sha256",
              "embedding_dim", "data_hash")  # fmt: skip

NUMBER_FORMATS = {"float32": "<f4", "float16": "<f2"}

_CREATE = """
CREATE TABLE image_features(image_name TEXT PRIMARY KEY, features BLOB NOT NULL);
CREATE TABLE metadata(key TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class FeatureStore:
    """Embeddings by image name, in one SQLite file.

    Attributes:
        path: the file.
        metadata: what made the embeddings; empty for a file of the thesis' own form.
    """

    def __init__(self, path: Path, metadata: dict[str, str]) -> None:
        self.path = path
        self.metadata = metadata

    @property
    def number_format(self) -> str:
        """How each number is kept: one of `NUMBER_FORMATS`. It is given out as float32 anyway."""
        return self.metadata.get("number_format", "float32")

    @classmethod
    def create(cls, path: Path, metadata: Mapping[str, object]) -> "FeatureStore":
        """A new store, or the existing one of the same model (to go on where it stopped).

        Args:
            path: where; missing folders are made.
            metadata: at least the `COMPARED_KEYS`; `number_format`, one of `NUMBER_FORMATS`, is
                float32 where it is not said.

        Raises:
            ParameterError: unknown number format.
            StoreError: another model's store is there, or one that does not say whose it is, or
                the place cannot be written.
        """
        wanted = {key: str(value) for key, value in metadata.items()}
        number_format = wanted.get("number_format", "float32")
        if number_format not in NUMBER_FORMATS:
            raise unknown_name("number format", number_format, NUMBER_FORMATS)
        if path.exists():
            store = cls.open(path)
            store._require_same(wanted, number_format)
            return store
        partial = path.with_suffix(f".{os.getpid()}.part")  # a killed run leaves no half store
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.unlink(missing_ok=True)
            with _connection(partial, mode="rwc") as connection, connection:
                connection.executescript(_CREATE)
                rows = {"schema": str(SCHEMA_VERSION), **wanted}.items()
                connection.executemany("INSERT INTO metadata VALUES (?, ?)", rows)
            is_first = _publish(partial, path)
        except OSError as error:
            raise StoreError(
                f"Cannot write the feature store {path} ({error.strerror}); choose a folder that "
                "is writable."
            ) from error
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
        # Where another process was quicker, go on with its store.
        return cls(path, wanted) if is_first else cls.create(path, metadata)

    @classmethod
    def open(cls, path: Path) -> "FeatureStore":
        """An existing store.

        Raises:
            StoreError: nothing there, or no feature store.
        """
        if not path.exists():
            raise StoreError(
                f"There is no feature store at {path}; build it with `fashion-rir embed` on the "
                "profile that its folder is named after."
            )
        with _connection(path) as connection:
            tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
            if "image_features" not in tables:
                raise StoreError(f"{path} holds no table image_features; it is no feature store.")
            known = "metadata" in tables
            metadata = dict(connection.execute("SELECT key, value FROM metadata")) if known else {}
        version = metadata.pop("schema", str(SCHEMA_VERSION))
        if version != str(SCHEMA_VERSION):
            raise StoreError(
                f"{path} has schema version {version}, this program reads {SCHEMA_VERSION}; "
                "build the store again."
            )
        dim = metadata.get("embedding_dim", "1")
        if not dim.isdecimal():
            raise StoreError(
                f"{path} says an embedding_dim of {dim[:40]!r}, which is no number; build the "
                "store again."
            )
        return cls(path, metadata)

    def require(self, metadata: Mapping[str, object]) -> None:
        """Refuse to go on with embeddings of another model.

        Args:
            metadata: of the query's model; only the `COMPARED_KEYS` count.

        Raises:
            StoreError: names the first difference, both sides.
        """
        for key in COMPARED_KEYS:
            here, there = self.metadata.get(key), metadata.get(key)
            if here is not None and there is not None and here != str(there):
                raise StoreError(
                    f"{self.path} was made with {key} {here!r}, the query with {str(there)!r}; "
                    "their embeddings cannot be compared. Use the store of the query's model, "
                    "or build it with `fashion-rir embed`."
                )

    def _require_same(self, wanted: Mapping[str, str], number_format: str) -> None:
        """Refuse to add embeddings of another model, or of one that the store does not name."""
        self.require(wanted)
        unsaid = [key for key in COMPARED_KEYS if key in wanted and key not in self.metadata]
        if unsaid:
            raise StoreError(
                f"{self.path} does not say its {unsaid[0]}, so nothing can be added to it; name "
                "another file."
            )
        if self.number_format != number_format:
            raise StoreError(
                f"{self.path} holds {self.number_format}, so no {number_format} can be added to "
                "it; ask for its own format, or name another file."
            )

    def append(self, image_names: Sequence[str], embeddings: np.ndarray) -> None:
        """Add embeddings in one transaction: after a crash all of them are there, or none.

        Args:
            image_names: one name a row.
            embeddings: float32, shape (len(image_names), embedding_dim), finite.

        Raises:
            StoreError: not finite, another shape, a name that is there already, or no space.
        """
        embeddings = np.ascontiguousarray(embeddings, dtype="<f4")
        dim = self.metadata.get("embedding_dim", embeddings.shape[-1])
        if embeddings.shape != (len(image_names), int(dim)):
            raise StoreError(
                f"{self.path} takes embeddings of shape ({len(image_names)}, {dim}), "
                f"not {embeddings.shape}."
            )
        with np.errstate(over="ignore"):  # an infinity is refused below
            kept = embeddings.astype(NUMBER_FORMATS[self.number_format], copy=False)
        is_bad = ~np.isfinite(kept).all(axis=1)
        if is_bad.any():
            name = image_names[int(np.argmax(is_bad))]
            raise StoreError(
                f"The embedding of {name} is not finite in {self.number_format}; nothing of its "
                f"batch was stored in {self.path}. Check the weights."
            )
        rows = ((name, row.tobytes()) for name, row in zip(image_names, kept, strict=True))
        try:
            with _connection(self.path) as connection, connection:
                connection.executemany("INSERT INTO image_features VALUES (?, ?)", rows)
        except sqlite3.IntegrityError as error:
            raise StoreError(
                f"{self.path} already holds one of the images {image_names[0]} to "
                f"{image_names[-1]}; nothing was stored. If another process is filling the store, "
                "wait for its end and start again; else append only those it lacks."
            ) from error

    def keep_only(self, image_names: Sequence[str], data_hash: str) -> int:
        """Follow a catalogue that has changed: what it lacks now goes, the rest stays embedded.

        Args:
            image_names: of the catalogue as it is now.
            data_hash: of it.

        Returns:
            How many embeddings were removed.
        """
        gone = sorted(set(self.image_names()) - set(image_names))
        with _connection(self.path) as connection, connection:
            connection.executemany("DELETE FROM image_features WHERE image_name = ?",
                                   [(name,) for name in gone])  # fmt: skip
            connection.execute("INSERT OR REPLACE INTO metadata VALUES ('data_hash', ?)",
                               (data_hash,))  # fmt: skip
        self.metadata["data_hash"] = data_hash
        return len(gone)

    def image_names(self) -> list[str]:
        """The names of all stored images, in the order in which they were stored."""
        with _connection(self.path) as connection:
            rows = connection.execute("SELECT image_name FROM image_features ORDER BY rowid")
            return [row[0] for row in rows]

    def load(self, image_names: Sequence[str] | None = None) -> tuple[list[str], np.ndarray]:
        """Embeddings, in the order asked for.

        Args:
            image_names: which; all, in the order stored, if None.

        Returns:
            The names, and float32 of shape (n_images, embedding_dim).

        Raises:
            StoreError: an image is not there, the store is empty, or a row is damaged.
        """
        with _connection(self.path) as connection:
            connection.execute("BEGIN")  # count and read at one moment, whoever else is writing
            n_rows = connection.execute("SELECT COUNT(*) FROM image_features").fetchone()[0]
            if n_rows == 0:
                raise StoreError(f"{self.path} is empty; run `fashion-rir embed` to its end.")
            rows = connection.execute("SELECT image_name, features FROM image_features "
                                      "ORDER BY rowid")  # fmt: skip
            names, matrix = self._fill(rows, n_rows)
        if image_names is None:
            return names, matrix
        place = {name: row for row, name in enumerate(names)}
        absent = [name for name in image_names if name not in place]
        if absent:
            raise StoreError(
                f"{self.path} lacks {len(absent)} of {len(image_names)} images (first: "
                f"{absent[0]}); run `fashion-rir embed` to add them."
            )
        order = [place[name] for name in image_names]
        if order == list(range(n_rows)):  # spares a second copy of a large matrix
            return names, matrix
        return list(image_names), matrix[order]

    def _fill(self, rows: Iterator[tuple], n_rows: int) -> tuple[list[str], np.ndarray]:
        names, matrix = [], np.empty((0, 0), dtype=np.float32)
        for number, (name, features) in enumerate(rows):
            vector = _parse(features, self.number_format, f"{self.path}: {name}")
            if number == 0:
                dim = int(self.metadata.get("embedding_dim", len(vector)))
                matrix = np.empty((n_rows, dim), dtype=np.float32)
            if len(vector) != matrix.shape[1] or not np.isfinite(vector).all():
                raise StoreError(
                    f"{self.path}: {name} does not hold {matrix.shape[1]} finite numbers "
                    f"({len(vector)} found); the row is damaged. Build the store again."
                )
            matrix[number] = vector
            names.append(name)
        return names, matrix


def _publish(partial: Path, path: Path) -> bool:
    """Give a file its name, unless another file has it; whether it could be given."""
    try:
        os.link(partial, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        if path.exists():
            return False
        partial.replace(path)
    return True


def _parse(features: bytes | str, number_format: str, where: str) -> np.ndarray:
    """A BLOB of numbers, or the thesis' comma-separated text."""
    try:
        if isinstance(features, str):
            return np.array(features.split(","), dtype=np.float32)
        return np.frombuffer(features, dtype=NUMBER_FORMATS[number_format])
    except (ValueError, TypeError) as error:
        raise StoreError(f"{where} holds no numbers; build the store again.") from error


@contextmanager
def _connection(path: Path, *, mode: str = "rw") -> Iterator[sqlite3.Connection]:
    """A connection that is closed at the end, and whose faults name the file.

    Args:
        path: the store's file.
        mode: SQLite's: `rw`, or `rwc` to make the file.

    Raises:
        StoreError: the file cannot be opened, read or written, or is no SQLite file.
    """
    try:
        uri = f"{path.resolve().as_uri()}?mode={mode}"
        with closing(sqlite3.connect(uri, uri=True, timeout=60)) as connection:
            yield connection
    except sqlite3.IntegrityError:
        raise  # a name that is there already: for `append` to explain
    except sqlite3.OperationalError as error:  # locked, read-only, full, other columns
        raise StoreError(
            f"Cannot read or write {path} ({error}); what was stored before is intact. Check "
            "that it is a feature store, is writable and has space, then try again."
        ) from error
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise StoreError(
            f"{path} is damaged, or no SQLite file ({error}); delete it and build it again."
        ) from error
