"""Shards of a cohort, read by a Ray cluster.

Each shard is one task that only reads: it returns its cases, and this process keeps them in the folder of the
run. What a machine was doing when it died is done again by another one (Ray's retries), and a run that was
itself killed goes on by the manifest of its folder. Ray Data is not used: its checkpoint would be a second
way of going on, for clusters alone, and cannot tell that the cohort changed under it.
"""

import logging
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from evaluation.audit.cohort_shards import CohortShard
from evaluation.audit.shard_folder import ReadShard, ShardWork, read_cases
from overread import __version__
from overread.errors import ConfigurationError, LostProcessError, OverreadError

_TRIES_AGAIN = 3  # of a shard whose machine or process died under it
_FEWEST_UNDER_WAY = 8  # shards, so that a cluster which is still starting has something to begin with
_CONNECT_SECONDS = 10.0
_UNDER_WAY_PER_CPU = 2  # more would only fill the memory that Ray keeps results in


def read_on_ray(
    address: str, folder: Path, work: ShardWork, shards: Sequence[CohortShard]
) -> Iterator[CohortShard]:
    """Yield the shards as a Ray cluster has read and this process has kept them.

    Args:
        address: as `ray.init` takes it, such as "auto".
        folder: of the run; this process alone writes to it.
        work: whose cohort lies under the same absolute path on every machine.
        shards: that are to be read.

    Raises:
        ConfigurationError: Ray is not installed, no cluster answers, or one has another release of overread.
        InvalidFileError: a case is malformed, or a file cannot be read or written.
        LostProcessError: workers end before a shard is done, as often as it is tried.
    """
    if not shards:
        return
    with _cluster(address) as ray:
        task = ray.remote(num_cpus=1, max_retries=_TRIES_AGAIN, scheduling_strategy="SPREAD")(_read)
        shared = ray.put(work.of_no_shard())
        waiting = iter(shards)
        under_way: list[Any] = []
        while True:
            most = max(_FEWEST_UNDER_WAY, int(_UNDER_WAY_PER_CPU * ray.cluster_resources().get("CPU", 0)))
            while len(under_way) < most and (shard := next(waiting, None)) is not None:
                under_way.append(task.remote(__version__, shared, shard))
            if not under_way:
                return
            (done,), under_way = ray.wait(under_way, num_returns=1)
            yield _result(ray, done).keep(folder)


@contextmanager
def _cluster(address: str) -> Iterator[Any]:
    """Yield Ray, connected to a cluster until the block ends; what it was still doing then is cancelled."""
    try:
        import ray
    except ImportError as error:
        raise ConfigurationError(
            "a Ray cluster needs Ray; install overread with its extra: pip install 'overread[ray]'"
        ) from error
    try:
        _require_answer(address)
        ray.init(address=address, log_to_driver=False, logging_level=logging.WARNING)
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigurationError(f"no Ray cluster answers at {address}: {error}") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _require_answer(address: str) -> None:
    """Raise an OSError where nobody listens at a host and port: Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdecimal() and "://" not in address:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS):
            pass


def _read(release: str, work: ShardWork, shard: CohortShard) -> ReadShard:
    """Return the cases of a shard; runs on a machine of the cluster."""
    if release != __version__:
        raise ConfigurationError(f"a machine of the Ray cluster has overread {__version__}, not {release}")
    return read_cases(work, shard)


def _result(ray: Any, done: Any) -> ReadShard:
    try:
        found: ReadShard = ray.get(done)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, OverreadError):
            raise error.cause from None
        raise
    except ray.exceptions.RayError as error:
        raise LostProcessError(
            f"machines of the Ray cluster ended {_TRIES_AGAIN + 1} times over one shard "
            f"({type(error).__name__}); what is done is kept, and the same command goes on"
        ) from error
    return found
