"""Where the lines go that C++ code writes past Python: TensorFlow's, of a kernel, of a browser."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
