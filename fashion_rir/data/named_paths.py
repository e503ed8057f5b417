"""Paths as people type them into a variable or a command."""

import os
from pathlib import Path
from urllib.parse import unquote, urlparse
from urllib.request import url2pathname

HOME_VARIABLE = "FASHION_RIR_HOME"  # names the project's folder

QUOTES = ('""', "''", "“”", "‘’")


def named_path(text: str | None) -> Path | None:
    """The path that a text means: without quotes around it, `~` being the home folder.

    A command of Windows keeps the quotes of `set NAME="C:\\a b"`, a file of settings any others.

    Args:
        text: as it was typed; None if it was not.

    Returns:
        None if nothing is named.

    Example:
        >>> named_path(' "photos/a b.zip" ').as_posix()
        'photos/a b.zip'
    """
    text = (text or "").strip()
    if text and os.path.exists(text):
        return Path(text)
    while len(text) > 1 and text[0] + text[-1] in QUOTES:
        text = text[1:-1].strip()
    if text.startswith("file://"):
        text = url2pathname(unquote(urlparse(text).path))
    return Path(text).expanduser() if text else None
