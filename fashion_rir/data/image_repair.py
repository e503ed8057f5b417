"""Pictures with a fault that need not cost them: in what is said about them, or at their end.

`repaired` takes a file's bytes that Pillow refuses and gives others that it reads: without the
metadata (but for orientation and colour profile, where those can be read), and with an end where
the last bytes are missing. What lacks more than `MAX_MISSING` of its picture stays refused.

How much is missing is measured, not guessed: where a decoder goes on with whatever stands behind
the cut, two different ends give two pictures, and what differs between them was missing.
"""

import struct
import zlib
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

MAX_MISSING = 0.2  # share of the picture

MAX_CHUNK = 2**20  # bytes that a chunk of PNG's metadata may unpack to

MAX_PIXELS = 20_000_000  # of a picture that is decoded twice, to be measured

DECODED_ONCE = 2.5  # times as many may a picture have that is only decoded, not compared

MAX_TRIED = 2_000_000  # pixels of a picture for which many ends are tried

FILLERS = range(15, 256, 15)  # some decoders take a byte for the end that others refuse

ORIENTATION = 0x0112

NO_METADATA = "its metadata cannot be read and were ignored"

Open = Callable[[bytes], Image.Image]


class Beyond(Exception):
    """Too much of the picture is missing."""


def repaired(data: bytes, open_picture: Open) -> tuple[bytes, str] | None:
    """Bytes that can be read, for some that cannot.

    Args:
        data: of a file that Pillow refuses.
        open_picture: opens a picture's bytes, as `PIL.Image.open` does.

    Returns:
        Other bytes, and what was wrong, as the end of the sentence 'The photo was read although
        ...'; None if nothing helps.

    Raises:
        Beyond: it could be read, but lacks too much; says how much.
    """
    way = next((way for start, way in _WAYS if data.startswith(start)), None)
    way = way or (_iso_media if data[4:8] == b"ftyp" else _any_end)
    try:
        return way(data, open_picture)
    except Beyond:
        raise
    except Exception:  # damaged beyond what is known here
        return None


def is_cut(data: bytes, kind: str) -> bool:
    """Whether a picture that Pillow reads without a word lacks its end mark, and no more."""
    if kind == "PNG":
        return b"IEND" not in data[-4096:] and b"IEND" not in data
    return kind == "GIF" and not data.rstrip(b"\0").endswith(b";") and b"\0;" not in data[-4096:]


def stated_orientation(exif: bytes) -> int:
    """The orientation, 1 to 8, in EXIF bytes that are damaged elsewhere; 1 if it says none."""
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None or len(tiff) < 10:
        return 1
    place = struct.unpack_from(f"{order}I", tiff, 4)[0]
    while place + 14 <= len(tiff):  # entries of 12 bytes behind a count of 2, which may be wrong
        tag, kind = struct.unpack_from(f"{order}HH", tiff, place + 2)
        if tag == ORIENTATION:
            value = struct.unpack_from(f"{order}{'I' if kind == 4 else 'H'}", tiff, place + 10)[0]
            return value if 1 <= value <= 8 else 1
        if tag > ORIENTATION:  # they are sorted
            break
        place += 12
    return 1


def _differing(one: Image.Image, other: Image.Image, side: int) -> np.ndarray:
    """Which blocks of `side` x `side` pixels differ between two readings of one file."""
    differs = (np.asarray(one.convert("RGB")) != np.asarray(other.convert("RGB"))).any(axis=2)
    height, width = differs.shape
    padded = np.pad(differs, ((0, -height % side), (0, -width % side)))
    return padded.reshape(len(padded) // side, side, -1, side).any(axis=(1, 3))


def _what(share: float, *, mark: str = "its end mark is missing") -> str:
    """What was wrong with a picture that lacks a share of itself."""
    if share > MAX_MISSING:
        raise Beyond(f"{share:.0%} of the picture is missing")
    return f"its end is missing ({share:.1%} of the picture)" if share else mark


def _noise(n_bytes: int) -> bytes:
    """Bytes that no decoder takes for a mark of its own: none is 0xff."""
    block = np.random.default_rng(0).integers(0, 255, 2**16, dtype=np.uint8).tobytes()
    return (block * (n_bytes // len(block) + 1))[:n_bytes]


def _n_pixels(opened: Image.Image, n_times: float = 1) -> int:
    n_pixels = opened.width * opened.height
    if n_pixels > n_times * MAX_PIXELS:
        raise ValueError("too large to be measured")
    return n_pixels


# --- JPEG ---


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment; a scan reaches to the next marker or the file's end.

    Raises:
        ValueError: no segment where one should begin.
    """
    place = 2
    while place + 4 <= len(data):
        if data[place] != 0xFF:
            raise ValueError("no marker")
        marker = data[place + 1]
        if marker == 0xFF:  # a byte that fills
            place += 1
            continue
        if marker == 0xD9:
            return
        end = place + 2 + struct.unpack_from(">H", data, place + 2)[0]
        if marker == 0xDA:
            end = _end_of_scan(data, end)
        yield marker, place, min(end, len(data))
        place = end


def _end_of_scan(data: bytes, place: int) -> int:
    while True:
        place = data.find(b"\xff", place)
        if place < 0 or place + 1 >= len(data):
            return len(data)
        if data[place + 1] != 0 and not 0xD0 <= data[place + 1] <= 0xD7:
            return place
        place += 2


def _kept(marker: int, segment: bytes) -> bytes:
    """A segment without what is only said about the picture."""
    is_text = 0xE0 <= marker <= 0xEF or marker == 0xFE
    # JFIF says nothing of use; Adobe's mark says which colours they are, ICC's what they mean.
    is_adobe = marker == 0xEE and segment[4:].startswith(b"Adobe") and len(segment) >= 16
    if not is_text or is_adobe or segment[4:].startswith(b"ICC_PROFILE\0"):
        return segment
    if marker == 0xE1 and segment[4:].startswith(b"Exif\0\0"):
        value = stated_orientation(segment[4:])
        tiff = b"MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHIHHI", ORIENTATION, 3, 1, value, 0, 0)
        return b"\xff\xe1" + struct.pack(">H", len(tiff) + 8) + b"Exif\0\0" + tiff
    return b""


def _jpeg(data: bytes, open_picture: Open) -> tuple[bytes, str]:
    segments = list(_segments(data))
    parts = [_kept(marker, data[start:end]) for marker, start, end in segments]
    end = segments[-1][2]
    body = b"\xff\xd8" + b"".join(parts)
    if data[end : end + 2] == b"\xff\xd9":  # it is whole, so the fault was in the metadata
        return body + b"\xff\xd9", NO_METADATA
    body = body.removesuffix(b"\xff")  # the first half of a mark
    scans = [data[start:end] for marker, start, end in segments if marker == 0xDA]
    whole, needed = _coverage(scans[:-1]), _coverage(scans)
    everything = {(part, k) for part in _components(data, segments) for k in range(64)}
    if not everything <= needed:
        raise Beyond("its finer scans are missing")
    mended = body + b"\xff\xd9"
    if everything <= whole:  # of a progressive JPEG, whose last scans refine what is there
        return mended, "the last of its refinements are missing"
    two = [open_picture(end) for end in (mended, body + _noise(2**16) + b"\xff\xd9")]
    n_times = 8 if len(scans) == 1 else 1  # means of 8 x 8 pixels tell, unless details are missing
    for one in two:
        _n_pixels(one, n_times**2)
        one.draft(None, (max(1, one.width // n_times), max(1, one.height // n_times)))
    # Units of at most 16 x 16 pixels, one behind the other: the first to differ begins the rest.
    is_missing = _differing(*two, 16 // n_times).ravel()
    share = 1 - is_missing.argmax() / is_missing.size if is_missing.any() else 0
    return mended, _what(share)


def _coverage(scans: list[bytes]) -> set[tuple[int, int]]:
    """Component and coefficient of all that some scans hold at least roughly."""
    found = set()
    for scan in scans:
        n_parts = scan[4]
        first, last = scan[5 + 2 * n_parts], scan[6 + 2 * n_parts]
        parts = [scan[5 + 2 * number] for number in range(n_parts)]
        found |= {(part, k) for part in parts for k in range(first, last + 1)}
    return found


def _components(data: bytes, segments: list[tuple[int, int, int]]) -> list[int]:
    frames = [data[start:end] for marker, start, end in segments
              if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)]  # fmt: skip
    return [frames[0][10 + 3 * number] for number in range(frames[0][9])]


# --- PNG ---

_PNG_START = b"\x89PNG\r\n\x1a\n"

_PNG_NEEDED = (b"IHDR", b"PLTE", b"tRNS")

_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
          (0, 1, 1, 2))  # left, top and steps of each pass  # fmt: skip


def _chunk(kind: bytes, data: bytes) -> bytes:
    check = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """Kind, content and whether its check sum is right, of each chunk up to the cut."""
    place = len(_PNG_START)
    while place + 8 <= len(data):
        length = struct.unpack_from(">I", data, place)[0]
        kind, content = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        if not kind.isalpha():
            raise ValueError("no chunk")
        check = data[place + 8 + length : place + 12 + length]
        yield kind, content, check == struct.pack(">I", zlib.crc32(kind + content))
        place += 12 + length


def _unpacked(data: bytes, most: int) -> bytes:
    """As much as can be unpacked of a zlib stream that may be cut, up to `most` bytes."""
    stream, found = zlib.decompressobj(), b""
    try:
        found = stream.decompress(data, most)
    except zlib.error:  # wrong somewhere: all that stands before it
        stream = zlib.decompressobj()
        parts = []
        for place in range(0, len(data), 64):
            try:
                parts.append(stream.decompress(data[place : place + 64]))
            except zlib.error:
                break
        found = b"".join(parts)[:most]
    return found


def _png(data: bytes, open_picture: Open) -> tuple[bytes, str]:
    chunks, pixels, is_sound = [], [], True
    for kind, content, is_right in _png_chunks(data):
        if kind == b"IDAT":
            pixels.append(content)
        elif kind in _PNG_NEEDED:
            chunks.append(_chunk(kind, content))
            is_sound &= is_right
        elif is_right and _is_harmless(kind, content):
            chunks.append(_chunk(kind, content))
        if kind == b"IHDR":
            header = struct.unpack(">IIBBBBB", content)
    width, height, depth, colour, _, _, is_interlaced = header
    if width * height > MAX_PIXELS:
        raise ValueError("too large to be mended")
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    lengths = _png_line_lengths(width, height, bits, bool(is_interlaced))
    expected = sum(lengths)
    raw = _unpacked(b"".join(pixels), expected + 1)
    if not is_sound and len(raw) != expected:  # another header than the picture was packed by
        raise ValueError("a header that cannot be trusted")
    what = _what(
        max(0, expected - len(raw)) / expected,
        mark=NO_METADATA if is_sound else "its check sums are wrong",
    )
    whole = _png_whole_lines(raw, lengths)
    mended = [*chunks, _chunk(b"IDAT", zlib.compress(whole, 1)), _chunk(b"IEND", b"")]
    found = _PNG_START + b"".join(mended)
    return found, what


def _is_harmless(kind: bytes, content: bytes) -> bool:
    """Whether it says something of use, in an ordinary length."""
    if kind == b"iTXt":
        return content.startswith(b"XML:com.adobe.xmp\0\0") and len(content) < MAX_CHUNK
    if kind == b"iCCP":
        name, _, packed = content.partition(b"\0")
        try:
            stream = zlib.decompressobj()
            return bool(stream.decompress(packed[1:], MAX_CHUNK)) and stream.eof
        except zlib.error:
            return False
    return kind == b"eXIf" and len(content) < MAX_CHUNK


def _png_line_lengths(width: int, height: int, bits: int, is_interlaced: bool) -> list[int]:
    """Bytes of each line as it is packed, its filter's byte included."""
    if not is_interlaced:
        return [1 + (width * bits + 7) // 8] * height
    lengths = []
    for left, top, step_x, step_y in _ADAM7:
        columns, rows = -(-(width - left) // step_x), -(-(height - top) // step_y)
        lengths += [1 + (columns * bits + 7) // 8] * max(0, rows) if columns > 0 else []
    return lengths


def _png_whole_lines(raw: bytes, lengths: list[int]) -> bytes:
    """The lines that are whole; each that is missing repeats the one above."""
    place, lines = 0, []
    for length in lengths:
        line = raw[place : place + length]
        lines.append(line if len(line) == length else b"\2" + bytes(length - 1))
        place += length
    return b"".join(lines)


# --- the others ---


def _gif(data: bytes, open_picture: Open) -> tuple[bytes, str]:
    """Of an animation the first picture, which is the one that counts."""
    place = 13 + (3 << ((data[10] & 7) + 1) if data[10] & 0x80 else 0)
    while data[place] == 0x21:  # extensions: a transparent colour, a comment
        place += 2
        while data[place]:
            place += data[place] + 1
        place += 1
    width, height, flags = struct.unpack_from("<HHB", data, place + 5)
    if data[place] != 0x2C or width * height > MAX_PIXELS:
        raise ValueError("no picture")
    place += 10 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
    codes, start = bytearray(), place + 1
    while start < len(data) and data[start]:
        codes += data[start + 1 : start + 1 + data[start]]
        start += data[start] + 1
    missing = width * height - _gif_pixels(codes, data[place])
    what = _what(max(0, missing) / (width * height))
    codes += bytes(2 * max(0, missing) + 2)  # each code of zeros is a pixel of the first colour
    blocks = (codes[at : at + 255] for at in range(0, len(codes), 255))
    packed = b"".join(bytes([len(block)]) + bytes(block) for block in blocks)
    found = data[: place + 1] + packed + b"\0;"
    return found, what


def _gif_pixels(codes: bytes, code_size: int) -> int:
    """How many pixels the codes of a GIF stand for: the lengths of LZW's strings, without them."""
    clear = 1 << code_size
    lengths, width, last, n_pixels = [1] * (clear + 2), code_size + 1, None, 0
    bits = n_bits = 0
    for byte in codes:
        bits |= byte << n_bits
        n_bits += 8
        while n_bits >= width:
            code, bits, n_bits = bits & ((1 << width) - 1), bits >> width, n_bits - width
            if code == clear:
                lengths, width, last = [1] * (clear + 2), code_size + 1, None
                continue
            if code == clear + 1 or code > len(lengths):
                return n_pixels
            if last is not None and len(lengths) < 4096:
                lengths.append(lengths[last] + 1)
                width = min(12, max(width, len(lengths).bit_length()))
            n_pixels += lengths[code] if code < len(lengths) else 0
            last = code
    return n_pixels


def _webp(data: bytes, open_picture: Open) -> tuple[bytes, str]:
    return _filled(data, 8 + struct.unpack_from("<I", data, 4)[0], open_picture)


def _iso_media(data: bytes, open_picture: Open) -> tuple[bytes, str]:
    """HEIC and AVIF: boxes, each of a stated length; the last one holds the pixels."""
    place = 0
    while place + 8 <= len(data):
        length, is_long = struct.unpack_from(">I", data, place)[0], False
        if length == 1:
            length, is_long = struct.unpack_from(">Q", data, place + 8)[0], True
        if length < 8 + 8 * is_long:
            raise ValueError("no box")
        place += length
    return _filled(data, place, open_picture)


def _filled(data: bytes, expected: int, open_picture: Open) -> tuple[bytes, str]:
    """A file brought to its stated length."""
    missing = expected - len(data)
    if missing <= 0:
        raise ValueError("nothing is missing")
    what = _what(missing / expected)
    fillers = [b"\0" * missing, _noise(missing), *(bytes([n]) * missing for n in FILLERS)]
    for filler in fillers:
        opened = _opened(data + filler, open_picture)
        if opened is None:
            continue
        n_pixels = _n_pixels(opened, DECODED_ONCE)
        try:
            opened.load()
            return data + filler, what
        except Exception:  # this decoder wants another end
            if n_pixels > MAX_TRIED:  # and takes long to say so
                break
    raise ValueError("no end fits")


def _opened(data: bytes, open_picture: Open) -> Image.Image | None:
    """A picture whose pixels are not unpacked yet; None if its header cannot be read so."""
    try:
        return open_picture(data)
    except Image.DecompressionBombError:
        raise
    except Exception:  # this header wants another end
        return None


def _jpeg_2000(data: bytes, open_picture: Open) -> tuple[bytes, str]:
    for mark in (b"\xff\xd9", b"\xd9"):
        opened = _opened(data + mark, open_picture)
        try:
            if opened is not None and _n_pixels(opened, DECODED_ONCE):
                opened.load()
                return data + mark, _what(0)
        except OSError:  # another mark
            continue
    raise ValueError("more than the end mark is missing")


def _any_end(data: bytes, open_picture: Open) -> tuple[bytes, str]:
    """BMP, PPM, TGA, TIFF: the pixels stand in the file's order."""
    n_bytes = 8 * _n_pixels(open_picture(data)) + 1024
    first = open_picture(data + b"\xff" * n_bytes)
    share = _differing(first, open_picture(data + b"\0" * n_bytes), 1).mean()
    return data + b"\xff" * n_bytes, _what(float(share))


_WAYS = (
    (b"\xff\xd8\xff", _jpeg),
    (_PNG_START, _png),
    (b"GIF8", _gif),
    (b"RIFF", _webp),
    (b"\0\0\0\x0cjP  ", _jpeg_2000),
    (b"\xff\x4f\xff\x51", _jpeg_2000),
)
