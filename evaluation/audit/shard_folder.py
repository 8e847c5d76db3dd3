"""Folder of a run: its manifest, and the shards that are done.

A run that was killed goes on where it stood. It goes on only with the same cohort, detector, policy and
release: the manifest says which, and a finished shard is taken only while the bytes that it was read from are
the same.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from evaluation.audit.audited_cases import AuditedCases, audited, save_cases, source_hash
from evaluation.audit.cohort_shards import CohortShard, read_shard, shard_hash
from evaluation.audit.result_folder import RESULT
from evaluation.rank_cohort import Source, case_reader
from overread import __version__
from overread.errors import ConfigurationError, InvalidFileError, words_of
from overread.policy_tables import TriggerRatios

MANIFEST = "manifest.json"
SHARDS = "shards"
COHORT = "cohort.jsonl"
"""Cohort file of a run that exported the cases of an installation itself."""

FORMAT = 3
_PARENT_SECONDS = 1.0

Progress = Callable[[str, int], None]  # what is being done, and how many of it are


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReadShard:
    """Cases of a shard, in memory."""

    shard: CohortShard
    cases: AuditedCases
    sha256: str  # of the bytes that they were read from

    def keep(self, folder: Path) -> CohortShard:
        """Write them into the folder of their run, and return which shard is done.

        Raises:
            InvalidFileError: the folder cannot be written to.
        """
        try:
            save_cases(shard_path(folder, self.shard), self.cases, self.sha256)
        except OSError as error:
            raise InvalidFileError(f"cannot write into {folder}: {words_of(error)}") from error
        return self.shard


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardWork:
    """What turns a cohort into shards of cases."""

    source: Source
    policy_version: str
    ratios: TriggerRatios
    shards: tuple[CohortShard, ...]

    def manifest(self) -> dict[str, Any]:
        """Return what the shards depend on, as plain JSON values."""
        return {
            "format": FORMAT,
            "overread": __version__,
            "cohort": self.source.path.name,
            "bytes": self.source.path.stat().st_size,
            "detector": self.source.detector,
            "detector_version": self.source.version,
            "findings": list(self.source.findings),
            "policy": self.policy_version,
            "shards": [asdict(shard) for shard in self.shards],
        }

    def of_no_shard(self) -> "ShardWork":
        """Return what each shard needs to be read: all but the list of them, under an absolute path."""
        source = replace(self.source, path=self.source.path.absolute())
        return replace(self, source=source, shards=())


def shard_path(folder: Path, shard: CohortShard) -> Path:
    """Return where the cases of a shard lie once it is done."""
    return folder / SHARDS / f"{shard.number:06d}.npz"


def begin(folder: Path, work: ShardWork) -> list[CohortShard]:
    """Make the folder, or find it as a run left it, and return the shards that are to be done.

    Raises:
        ConfigurationError: the folder is of another audit.
        InvalidFileError: the folder or the cohort cannot be read or written.
    """
    wanted = work.manifest()
    path = folder / MANIFEST
    if (folder / RESULT).exists():
        raise ConfigurationError(f"{folder} holds a finished audit; give another --out")
    try:
        if not path.exists():
            if folder.exists() and any(item.name != COHORT for item in folder.iterdir()):
                raise ConfigurationError(f"{folder} is not empty and holds no audit; give another --out")
            (folder / SHARDS).mkdir(parents=True, exist_ok=True)
            _write(path, wanted)
        elif json.loads(path.read_text(encoding="utf-8")) != wanted:
            raise ConfigurationError(
                f"{folder} holds an audit of another cohort, detector, policy or release; give another --out"
            )
        (folder / SHARDS).mkdir(exist_ok=True)
        return [shard for shard in work.shards if not _is_done(folder, work.source.path, shard)]
    except (OSError, json.JSONDecodeError) as error:
        raise InvalidFileError(f"cannot use the folder {folder}: {words_of(error)}") from error


ShardWorkers = Callable[[Path, ShardWork, Sequence[CohortShard]], Iterator[CohortShard]]
"""Reads shards of a work, keeps each in the folder, and yields those that are done, in any order."""


def complete(folder: Path, work: ShardWork, workers: ShardWorkers, progress: Progress) -> int:
    """Read every shard that is not done yet, and return how many were done before.

    Raises:
        ConfigurationError: the folder is of another audit.
        InvalidFileError: a case is malformed, or a file cannot be read or written.
        LostProcessError: the workers end before a shard is done, as often as it is tried.
    """
    open_ = begin(folder, work)
    done = len(work.shards) - len(open_)
    for count, _ in enumerate(workers(folder, work, open_), start=done + 1):
        progress(f"shards of {len(work.shards)} read", count)
    return done


def read_by_processes(
    processes: int, folder: Path, work: ShardWork, shards: Sequence[CohortShard]
) -> Iterator[CohortShard]:
    """Yield the shards as processes of this machine have read and kept them; one process is this one.

    Raises:
        InvalidFileError: as `complete`.
    """
    do = partial(_read_and_keep, folder, work.of_no_shard())
    if processes == 1 or len(shards) <= 1:
        yield from map(do, shards)
        return
    with ProcessPoolExecutor(processes, initializer=_end_with_parent, initargs=(os.getpid(),)) as pool:
        for future in as_completed([pool.submit(do, shard) for shard in shards]):
            yield future.result()


def read_cases(work: ShardWork, shard: CohortShard) -> ReadShard:
    """Return the cases of one shard.

    Raises:
        InvalidFileError: a case is malformed, or the cohort cannot be read.
    """
    source = work.source
    cases, sha256 = read_shard(source.path, shard)
    arrays = case_reader(source.detector, source.findings, work.ratios).arrays(cases)
    return ReadShard(shard=shard, cases=audited(cases, arrays), sha256=sha256)


def _read_and_keep(folder: Path, work: ShardWork, shard: CohortShard) -> CohortShard:
    return read_cases(work, shard).keep(folder)


def _is_done(folder: Path, cohort: Path, shard: CohortShard) -> bool:
    path = shard_path(folder, shard)
    return path.exists() and source_hash(path) == shard_hash(cohort, shard)


def _write(path: Path, record: dict[str, Any]) -> None:
    partial_path = path.with_suffix(".partial")
    partial_path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    partial_path.replace(path)


def _end_with_parent(parent: int) -> None:
    """End this process soon after its parent died: nobody would take its results."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
