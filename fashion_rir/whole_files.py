"""Files that are written whole or not at all.

A run that is killed, a full disk or a read-only folder leaves what was there before.

A file that is mapped into memory is never written again nor replaced: Windows refuses that, and
elsewhere the process that has it mapped may be killed. A newer one gets an `unused` name, and its
owner clears the older ones away once nobody holds them.
"""

import contextlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fashion_rir.errors import FashionRirError


@contextmanager
def whole_file(path: Path, error_type: type[FashionRirError] = FashionRirError) -> Iterator[Path]:
    """A file beside `path` to be written; in the end it takes the place of `path`.

    Args:
        path: the file that shall be there; missing folders are made.
        error_type: raised if it cannot be.

    Yields:
        Where to write: in the same folder, ending in `.part`.

    Raises:
        FashionRirError: the place cannot be written; what was there is as it was.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        partial.replace(path)
    except OSError as error:
        raise error_type(
            f"Cannot write {path} ({error.strerror or error}); what was there is as it was. Free "
            "some space or make its folder writable, then try again."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def unused(path: Path) -> Path:
    """The path, or one like it with a number, where no file is yet.

    Example:
        >>> unused(Path("no-such-folder/vectors.npy")).name
        'vectors.npy'
    """
    number, found = 0, path
    while found.exists():
        number += 1
        found = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return found


def remove_where_possible(paths: Iterable[Path]) -> None:
    """Remove files that nobody needs; one that is mapped somewhere stays on Windows till later."""
    for path in paths:
        with contextlib.suppress(OSError):
            path.unlink()


def write_text(path: Path, text: str, error_type: type[FashionRirError] = FashionRirError) -> None:
    """Write a text as UTF-8, with the same line ends on every system.

    Args:
        path: the file; missing folders are made.
        text: its content.
        error_type: raised if it cannot be written.

    Raises:
        FashionRirError: the place cannot be written; what was there is as it was.
    """
    with whole_file(path, error_type) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")
