"""Stored objects as Explicit VR Little Endian (PS3.5 annex A.2), written frame by frame."""

from collections.abc import AsyncGenerator
from pathlib import Path

from anyio import CapacityLimiter
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from models.decoding import DECODERS
from service.dicomweb.related import file_pieces
from service.pictures.plain import PlainObject, describe_plain, read_plain
from service.pictures.room import PictureRoom, pieces_of
from service.store.records import InstanceRecord
from service.web.archive_threads import stream
from service.web.budget import Share
from service.web.closing_response import BegunPieces

NATIVE = frozenset({ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian})
"""Transfer syntaxes whose pixel data is not compressed and lies in the file as it is."""
READABLE = NATIVE | {DeflatedExplicitVRLittleEndian} | set(DECODERS)
"""Transfer syntaxes that can be turned into Explicit VR Little Endian."""


async def transcoded(
    room: PictureRoom, reading: CapacityLimiter, record: InstanceRecord, *, under_way: bool
) -> AsyncGenerator[bytes]:
    """Yield a stored object with the same data set in Explicit VR Little Endian.

    What follows the pixel data is left out: padding, and signatures that no longer hold. The first frames are
    decoded before anything is yielded, so that an error still finds a status.

    Args:
        room: where it is decoded.
        reading: threads in which files are read.
        record: of the object.
        under_way: whether the answer has begun.

    Raises:
        RemovedError, NotFoundError: its bytes are not there.
        OutOfResourcesError: it cannot be had or decoded now.
        OverLimitError: decoding it takes more than it may.
        InvalidDicomError: the header cannot be read.
        UndecodablePixelsError: the pixels cannot be decoded, or would be too long uncompressed.
    """
    path, form = await room.look_at(record)
    with await room.hold(form, under_way=under_way) as share:
        plain = await room.call(share, describe_plain, path)
        made = await BegunPieces(_batches(room, share, path, plain)).begin(1)
        for piece in pieces_of(plain.header):
            yield piece
        async for content in made:
            for piece in pieces_of(content):
                yield piece
        if plain.stored_at is not None:
            stored = file_pieces(path, plain.stored_at, plain.stored_at + plain.length)
            async for piece in stream(reading, stored):
                yield piece
        yield b"\0" * (plain.length % 2)


async def _batches(room: PictureRoom, share: Share, path: Path, plain: PlainObject) -> AsyncGenerator[bytes]:
    for batch in plain.batches:
        yield await room.call(share, read_plain, path, batch)
