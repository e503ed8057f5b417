"""FAISS' indexes as files, whatever the folder is called.

FAISS opens a path by the C library, which on Windows knows the letters of one language only: it
fails under a user name with an umlaut. So Python opens the file and hands FAISS its bytes. Only a
mapped index needs a path, since the system maps it; where FAISS could not open that one, the index
is read into memory instead.
"""

import os
from pathlib import Path

from fashion_rir.system import whole_file


def write_index(index: object, path: Path, error_type: type[Exception]) -> None:
    """Write an index whole, or not at all.

    Raises:
        error_type: the place cannot be written.
    """
    import faiss

    with whole_file(path, error_type) as partial, open(partial, "wb") as file:
        try:
            faiss.write_index(index, faiss.PyCallbackIOWriter(file.write))
        except RuntimeError as error:  # FAISS' own
            raise OSError(f"FAISS: {error}") from error


def read_index(path: Path, *, is_mapped: bool = False) -> object:
    """Read an index.

    Args:
        path: the file.
        is_mapped: leave what it can on disk until it is searched.

    Raises:
        RuntimeError: FAISS cannot read it.
        OSError: the file cannot be opened.
    """
    import faiss

    if is_mapped and opens_itself(path):
        return faiss.read_index(str(path), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)
    with open(path, "rb") as file:
        return faiss.read_index(faiss.PyCallbackIOReader(file.read))


def opens_itself(path: Path) -> bool:
    """Whether the C library opens this path: on Windows only if it is plain ASCII."""
    return os.name != "nt" or str(path).isascii()
