"""What the machine gives: cores, a folder to oneself, files that are whole, and their hashes."""

import contextlib
import hashlib
import math
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from fashion_rir.errors import FashionRirError

CGROUP = Path("/sys/fs/cgroup")  # where Linux says how much of a processor a container may use


def usable_cores() -> int:
    """The cores that this process may run on, at least 1.

    A batch system or a container gives a process some of the machine's only. Pools as large as
    the machine would wait for each other, and take memory for each thread.
    """
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        n_cores = len(os.sched_getaffinity(0))
    else:
        n_cores = getattr(os, "process_cpu_count", os.cpu_count)() or 1
    allowed = _allowed_cores()
    return max(1, n_cores if allowed is None else min(n_cores, math.ceil(allowed)))


def _allowed_cores() -> float | None:
    """As many cores' time as a container allows; None if it sets no bound."""
    try:
        if (CGROUP / "cpu.max").exists():
            most, period = (CGROUP / "cpu.max").read_text(encoding="ascii").split()[:2]
        else:
            most, period = ((CGROUP / "cpu" / name).read_text(encoding="ascii").strip()
                            for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us"))  # fmt: skip
        share = int(most) / int(period)
    except (OSError, ValueError, ZeroDivisionError):  # no container, or `max`
        return None
    return share if share > 0 else None


LOCK = "lock"  # the file's name; it stays there, empty


@contextmanager
def one_process(
    folder: Path, error_type: type[FashionRirError] = FashionRirError
) -> Iterator[None]:
    """Keep other processes out of a folder.

    Args:
        folder: must be writable; made if it is missing.
        error_type: raised if another process is in it.

    Raises:
        FashionRirError: another process is in the folder, or the lock cannot be made.
    """
    lock = filelock.FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise error_type(
            f"{folder} is in use by another process; wait for its end, then start again."
        ) from error
    except (OSError, NotImplementedError) as error:
        raise error_type(
            f"{folder} cannot be written ({error}); what is there is as it was."
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def standard_error_to(path: Path) -> Iterator[None]:
    """Send what this process and its children write to standard error to a file, for a while.

    Args:
        path: the file, written anew; `os.devnull` for nowhere.
    """
    with open(path, "w", encoding="utf-8") as log:
        terminal = os.dup(2)
        os.dup2(log.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)


@contextmanager
def whole_file(
    path: Path, error_type: type[FashionRirError] = FashionRirError, *, ending: str = ""
) -> Iterator[Path]:
    """A file beside `path` to be written; in the end it takes the place of `path`.

    Args:
        path: the file that shall be there; missing folders are made.
        error_type: raised if it cannot be.
        ending: of the name to write to, for a library that insists on its own.

    Yields:
        Where to write: in the same folder, ending in `.part` and `ending`.

    Raises:
        FashionRirError: the place cannot be written; what was there is as it was.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.part{ending}")
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


def sha256_of(*parts: object) -> str:
    """SHA-256 of texts (as UTF-8), bytes or arrays, one behind the other: 64 hexadecimal digits.

    Example:
        >>> sha256_of("a", b"b")[:12]
        'fb8e20fc2e4c'
    """
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() if isinstance(part, str) else part)
    return digest.hexdigest()


def sha256_of_file(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
