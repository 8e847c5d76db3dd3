"""Folder of a run: its manifest, and the shards that are done.

A run that was killed goes on where it stood. It goes on only with the same cohort, detector, policy and
release: the manifest says which, and a finished shard is taken only while the bytes that it was read from are
the same.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from evaluation.audit.audited_cases import audited, save_cases, source_hash
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

FORMAT = 1
_PARENT_SECONDS = 1.0

Progress = Callable[[str, int], None]  # what is being done, and how many of it are


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


def complete(folder: Path, work: ShardWork, *, processes: int, progress: Progress) -> int:
    """Read every shard that is not done yet, and return how many were done before.

    Raises:
        ConfigurationError: the folder is of another audit.
        InvalidFileError: a case is malformed, or a file cannot be read or written.
    """
    open_ = begin(folder, work)
    done = len(work.shards) - len(open_)
    for count, _ in enumerate(_each_done(folder, work, open_, processes), start=done + 1):
        progress(f"shards of {len(work.shards)} read", count)
    return done


def _each_done(
    folder: Path, work: ShardWork, shards: list[CohortShard], processes: int
) -> Iterator[CohortShard]:
    do = partial(do_shard, folder, work.source, work.ratios)
    if processes == 1 or len(shards) <= 1:
        yield from map(do, shards)
        return
    with ProcessPoolExecutor(processes, initializer=_end_with_parent, initargs=(os.getpid(),)) as pool:
        for future in as_completed([pool.submit(do, shard) for shard in shards]):
            yield future.result()


def do_shard(folder: Path, source: Source, ratios: TriggerRatios, shard: CohortShard) -> CohortShard:
    """Read one shard and keep its cases in the folder.

    Raises:
        InvalidFileError: a case is malformed, or a file cannot be read or written.
    """
    cases, sha256 = read_shard(source.path, shard)
    arrays = case_reader(source.detector, source.findings, ratios).arrays(cases)
    try:
        save_cases(shard_path(folder, shard), audited(cases, arrays), sha256)
    except OSError as error:
        raise InvalidFileError(f"cannot write into {folder}: {words_of(error)}") from error
    return shard


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
