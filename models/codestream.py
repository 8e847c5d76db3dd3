"""The size that a compressed image states about itself, read before anything is allocated for it."""

import struct

_J2K_START = b"\xff\x4f\xff\x51"  # SOC and SIZ (ISO/IEC 15444-1 A.5.1)
_JPEG_START = b"\xff\xd8"
_NOT_FRAMES = {0xC4, 0xC8, 0xCC}  # DHT, JPG and DAC share the number range of the frame headers
_JPEG_LS_FRAME = 0xF7
_JP2_BOXES = 512  # bytes of file format boxes that may stand before the codestream


def stated_size(codestream: bytes) -> tuple[int, int] | None:
    """Return (rows, columns) as the codestream states them; None where it does not or is of no known kind."""
    start = codestream.find(_J2K_START, 0, _JP2_BOXES)
    if start >= 0 and len(codestream) >= start + 24:
        width, height, left, top = struct.unpack(">4I", codestream[start + 8 : start + 24])
        return height - top, width - left
    if codestream.startswith(_JPEG_START):
        return _jpeg_size(codestream)
    return None


def _jpeg_size(codestream: bytes) -> tuple[int, int] | None:
    """Walk the marker segments (ITU-T T.81 B.1.1.4) up to the frame header."""
    at = 2
    while at + 9 <= len(codestream) and codestream[at] == 0xFF:
        marker = codestream[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker == _JPEG_LS_FRAME or (0xC0 <= marker <= 0xCF and marker not in _NOT_FRAMES):
            rows, columns = struct.unpack(">2H", codestream[at + 5 : at + 9])
            return (rows, columns) if rows else None  # 0 rows: stated later by a DNL segment
        at += 2 + int(struct.unpack(">H", codestream[at + 2 : at + 4])[0])
    return None
