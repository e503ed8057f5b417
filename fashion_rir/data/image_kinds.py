"""What a file is, told from its first bytes: for the sentence that says why it is not read."""

import re
from collections.abc import Collection

# The first bytes, what such a file is, and the way out.
_CONVERT = "save it as JPEG or PNG"

_UNPACK = "unpack it and give the picture inside"

_KINDS = (
    (rb"\x00\x00\x00\x0cJXL |\xff\x0a", "a JPEG XL picture", _CONVERT),
    (rb"(\xef\xbb\xbf)?\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*|<!DOCTYPE svg[^>]*>\s*)*<svg",
     "an SVG drawing", "export it as PNG"),
    (rb"(\xef\xbb\xbf)?\s*<(!doctype html|html|head)", "a web page",
     "save the picture itself, not the page that shows it"),
    (rb"(\xef\xbb\xbf)?\s*<\?xml", "an XML text", "give the picture itself"),
    (rb"%PDF", "a PDF", "export the page as PNG"),
    (rb"%!PS|\xc5\xd0\xd3\xc6", "PostScript", "export it as PNG"),
    (rb"PK\x03\x04", "a zip archive", _UNPACK),
    (rb"Rar!|7z\xbc\xaf|\x1f\x8b|BZh|\xfd7zXZ", "a packed archive", _UNPACK),
    (rb"....ftyp(qt  |mp4|isom|M4V|avc1|iso[2-9]|3gp)|\x1a\x45\xdf\xa3|RIFF....AVI ", "a film",
     "take a still picture from it"),
    (rb"FUJIFILMCCD-RAW|IIRO|....ftypcrx |\x49\x49\x2a\x00.{4}CR|IIU\x00",
     "a camera's raw picture", "develop it to JPEG"),
    (rb"version https://git-lfs", "a pointer of Git LFS, not the file itself",
     "fetch the file with `git lfs pull`"),
    (rb"....ftyp(heic|heix|hevc|heim|heis|hevm|mif1|msf1)",
     "a HEIF picture, as phones make them (HEIC)", _CONVERT),
    (rb"....ftypavi[fs]", "an AVIF picture", _CONVERT),
    (rb"gimp xcf", "a drawing of GIMP", "export it as PNG"),
    (rb"BPG\xfb", "a BPG picture", _CONVERT),
    (rb"DDS |\xabKTX|8BPB|\x01\xda.{2}|FLIF", "a picture of a rare kind", _CONVERT),
)  # fmt: skip

_HEIF = re.compile(rb"....ftyp(heic|heix|hevc|heim|heis|hevm|hevs|mif1|mif2|msf1)", re.DOTALL)

_LOOKED_AT = 2048  # bytes


def is_heif(data: bytes) -> bool:
    """Whether a file is HEIC or its kin, which Pillow alone does not read."""
    return bool(_HEIF.match(data)) and b"avif" not in data[8:64]


def named_kind(data: bytes, known: Collection[str] = ()) -> str | None:
    """What a file is that is not read, and the way out; None if nobody knows.

    Args:
        data: the file's bytes.
        known: the formats that are read, by Pillow's names: such a file is only damaged.

    Example:
        >>> named_kind(b"%PDF-1.7")
        'it is a PDF: export the page as PNG'
    """
    start = data[:_LOOKED_AT]
    for pattern, kind, way_out in _KINDS:
        if any(f"{name} picture" in kind for name in known):
            continue
        if re.match(pattern, start, re.DOTALL | re.IGNORECASE):
            return f"it is {kind}: {way_out}"
    return None
