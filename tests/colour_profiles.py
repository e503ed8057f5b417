"""ICC profiles, written byte by byte from the published numbers of each colour space.

Colourants are adapted to D50, as ICC.1:2001 (version 2) asks for.
"""

import struct

D50 = (0.9642, 1.0, 0.8249)
COLOURANTS = {
    "sRGB": ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410)),
    "Display P3": ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189),
                   (0.15710, 0.06657, 0.78407)),
    "Adobe RGB": ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087),
                  (0.14919, 0.06322, 0.74457)),
}  # fmt: skip


def srgb_curve() -> bytes:
    """The curve of sRGB and Display P3 (IEC 61966-2-1) in 1,024 steps."""
    steps = [value / 1023 for value in range(1024)]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in steps]
    return struct.pack(">4sII1024H", b"curv", 0, 1024, *(round(v * 65535) for v in linear))


def gamma_curve(gamma: float) -> bytes:
    return struct.pack(">4sIIH2x", b"curv", 0, 1, round(gamma * 256))


def rgb_profile(name: str) -> bytes:
    """A profile of `COLOURANTS`, with its curve."""
    curve = gamma_curve(563 / 256) if name == "Adobe RGB" else srgb_curve()
    tags = {b"wtpt": _xyz(D50)}
    for letter, colourant in zip(b"rgb", COLOURANTS[name], strict=True):
        tags[bytes([letter]) + b"XYZ"] = _xyz(colourant)
        tags[bytes([letter]) + b"TRC"] = curve
    return _profile(name, b"RGB ", b"XYZ ", tags)


def grey_profile(gamma: float) -> bytes:
    return _profile(f"Grey {gamma}", b"GRAY", b"XYZ ",
                    {b"wtpt": _xyz(D50), b"kTRC": gamma_curve(gamma)})  # fmt: skip


def cmyk_profile(paper: float = 80.0) -> bytes:
    """Ink of which only black counts, on grey paper of a lightness: a table of 2^4 corners."""
    identity = bytes(range(256))
    corners = bytes(value for corner in range(16)
                    for value in (0 if corner % 2 else round(paper * 2.55), 128, 128))  # fmt: skip
    matrix = struct.pack(">9i", *(65536 * (place % 4 == 0) for place in range(9)))
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + matrix + identity * 4 + corners + identity * 3
    return _profile("CMYK", b"CMYK", b"Lab ", {b"wtpt": _xyz(D50), b"A2B0": table}, kind=b"prtr")


def _xyz(values: tuple[float, float, float]) -> bytes:
    return struct.pack(">4sI3i", b"XYZ ", 0, *(round(value * 65536) for value in values))


def _profile(
    name: str, space: bytes, between: bytes, tags: dict[bytes, bytes], *, kind: bytes = b"mntr"
) -> bytes:
    text = name.encode() + b"\0"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78),
        b"cprt": b"text\0\0\0\0none\0",
        **tags,
    }
    table, body, start = b"", b"", 128 + 4 + 12 * len(tags)
    for tag, data in tags.items():
        data += bytes(-len(data) % 4)
        table += struct.pack(">4sII", tag, start + len(body), len(data))
        body += data
    size = start + len(body)
    header = struct.pack(">I4sI4s4s4s12s4sIIIIQI3I4s44x", size, b"none", 0x02400000, kind, space,
                         between, bytes(12), b"acsp", 0, 0, 0, 0, 0, 0,
                         *(round(value * 65536) for value in D50), b"none")  # fmt: skip
    return header + struct.pack(">I", len(tags)) + table + body
