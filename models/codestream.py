"""What a compressed image states about itself, read before anything is allocated or decoded for it."""

import re
import struct

SCANS_MAX = 100
"""Scans of one JPEG. A progressive one has about ten, and each costs a pass over all its pixels."""

_J2K_START = b"\xff\x4f\xff\x51"  # SOC and SIZ (ISO/IEC 15444-1 A.5.1)
_JPEG_START = b"\xff\xd8"
_NOT_FRAMES = {0xC4, 0xC8, 0xCC}  # DHT, JPG and DAC share the number range of the frame headers
_JPEG_LS_FRAME = 0xF7
_MARKER = re.compile(rb"\xff([\xc0-\xcf\xd9-\xfe])")  # T.81 table B.1: those that have a length, and the end
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
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


def has_many_scans(codestream: bytes) -> bool:
    """Whether a JPEG has more than `SCANS_MAX` scans (ITU-T T.81 B.2.3); of another kind none is counted."""
    if not codestream.startswith(_JPEG_START):
        return False
    at, scans = len(_JPEG_START), 0
    while scans <= SCANS_MAX and (found := _MARKER.search(codestream, at)):
        marker, at = found[1][0], found.end()
        if marker == _END_OF_IMAGE:
            return False
        scans += marker == _START_OF_SCAN
        if at + 2 <= len(codestream):
            at += int(struct.unpack(">H", codestream[at : at + 2])[0])
    return scans > SCANS_MAX
