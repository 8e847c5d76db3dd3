"""Imports the images of an archive: each through the intake that every image takes, several at once."""

import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO

from overread.errors import InputError, InvalidFileError, NotFoundError
from service.importing.patience import patiently
from service.importing.reports import ImportOptions, Problem
from service.importing.tally import ImportOutcome, Progress, Tally
from service.importing.trees import ArchivedFile, open_archive
from service.intake.header import read_header
from service.intake.instances import begin_instance, receive_instance
from service.store.database import Store
from service.store.imports import note_taken, taken_before
from service.store.worklist import load_instance

_BATCH_FILES = 128
_START_BYTES = 512
_PREFIX_AT = 128  # PS3.10 section 7.1
_CHUNK_BYTES = 1 << 20
_DIRECTORY = b"1.2.840.10008.1.3.10"  # Media Storage Directory Storage, PS3.10 section 8

_Finding = tuple[ImportOutcome, str | None]


def import_images(
    store: Store,
    path: Path,
    options: ImportOptions,
    *,
    threads: int,
    progress: Progress,
    problem: Problem,
) -> Tally:
    """Import every DICOM object of an archive and return the counts.

    Raises:
        InvalidFileError: the archive cannot be read any further; what came before is stored.
        OutOfResourcesError: the store has no room; run it again to go on.
    """
    tally, archive = Tally(), open_archive(path)
    importer = _checked if options.dry_run else _imported

    def take(file: ArchivedFile) -> _Finding:
        return importer(store, file, options)

    with ThreadPoolExecutor(max_workers=max(threads, 1)) as pool:
        files = archive.files()
        for batch in _batches(files, 1 if archive.in_order else _BATCH_FILES):
            keys = {file.key for file in batch}
            before = frozenset() if options.again else taken_before(store, keys)
            fresh = [file for file in batch if file.key not in before]
            tally.counts[ImportOutcome.TAKEN_BEFORE] += len(batch) - len(fresh)
            results = list(_results(pool, take, fresh, in_order=archive.in_order))
            for file, (outcome, why) in zip(fresh, results, strict=True):
                tally.add(outcome)
                if why is not None:
                    problem(file.name, why)
            if not options.dry_run:
                kept = {
                    file.key: outcome
                    for file, (outcome, _) in zip(fresh, results, strict=True)
                    if _is_kept(outcome)
                }
                patiently(partial(note_taken, store, kept, now=options.clock()), options.pause)
            progress.note(tally, batch[-1].share)
    progress.end(tally)
    return tally


def _results(
    pool: ThreadPoolExecutor,
    take: Callable[[ArchivedFile], _Finding],
    files: list[ArchivedFile],
    *,
    in_order: bool,
) -> Iterable[_Finding]:
    return map(take, files) if in_order else pool.map(take, files)


def _imported(store: Store, file: ArchivedFile, options: ImportOptions) -> _Finding:
    return patiently(lambda: _stored(store, file, options), options.pause)


def _stored(store: Store, file: ArchivedFile, options: ImportOptions) -> _Finding:
    try:
        with file.open() as source, begin_instance(store) as incoming:
            start = source.read(_START_BYTES)
            if not _is_object(start):
                return ImportOutcome.IGNORED, None
            for chunk in _chunks(start, source):
                incoming.write(chunk)
            try:
                receipt = receive_instance(store, incoming, source="import", now=options.clock())
            except InputError as error:
                return ImportOutcome.QUARANTINED, str(error)
            return ImportOutcome(receipt.outcome.value), None
    except (InputError, EOFError, zlib.error, OSError) as error:
        return ImportOutcome.REFUSED, _words(error)


def _checked(store: Store, file: ArchivedFile, options: ImportOptions) -> _Finding:
    """Return what would become of a file."""
    del options
    try:
        with file.open() as source, tempfile.NamedTemporaryFile() as copy:
            start = source.read(_START_BYTES)
            if not _is_object(start):
                return ImportOutcome.IGNORED, None
            copy.write(start)
            shutil.copyfileobj(source, copy, _CHUNK_BYTES)
            copy.flush()
            try:
                header = read_header(Path(copy.name))
            except InputError as error:
                return ImportOutcome.QUARANTINED, str(error)
        load_instance(store, header.sop_instance_uid)
    except NotFoundError:
        return ImportOutcome.STORED, None
    except (InvalidFileError, EOFError, zlib.error, OSError) as error:
        return ImportOutcome.REFUSED, _words(error)
    return ImportOutcome.ALREADY_STORED, None


def _is_object(start: bytes) -> bool:
    return start[_PREFIX_AT : _PREFIX_AT + 4] == b"DICM" and _DIRECTORY not in start


def _chunks(start: bytes, source: IO[bytes]) -> Iterator[bytes]:
    yield start
    while chunk := source.read(_CHUNK_BYTES):
        yield chunk


def _batches(files: Iterator[ArchivedFile], size: int) -> Iterator[list[ArchivedFile]]:
    while batch := list(islice(files, size)):
        yield batch


def _words(error: Exception) -> str:
    if isinstance(error, InvalidFileError):
        return str(error)
    return f"it cannot be read: {getattr(error, 'strerror', None) or type(error).__name__}"


def _is_kept(outcome: ImportOutcome) -> bool:
    return outcome is not ImportOutcome.REFUSED
