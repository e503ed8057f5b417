"""A folder for one process at a time.

SQLite holds the lock, so that it works on every system and ends with its process, however that
ends: nothing has to be cleared away after a kill.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from fashion_rir.errors import FashionRirError

LOCK = "lock"  # the file's name; it stays there, empty


@contextmanager
def one_process(
    folder: Path, error_type: type[FashionRirError] = FashionRirError
) -> Iterator[None]:
    """Keep other processes out of a folder.

    Args:
        folder: must be there and writable.
        error_type: raised if another process is in it.

    Raises:
        FashionRirError: another process is in the folder, or the lock cannot be made.
    """
    try:
        connection = sqlite3.connect(folder / LOCK, timeout=0, isolation_level=None)
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            message = f"{folder} is in use by another process; wait for its end, then start again."
        else:
            message = f"{folder} cannot be written ({error}); what is there is as it was."
        raise error_type(message) from error
    with closing(connection):
        yield
