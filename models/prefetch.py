"""Preparing the images of the study that will probably be asked for next, on a thread of its own."""

import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

Prepared = TypeVar("Prepared")

STUDIES_KEPT = 2  # the study about to be asked for, hinted before, and the one after it
MOST_IMAGES = 8  # of a hinted study: radiographs come in ones to fours; more would only fill the memory
HINTS_IGNORED = 16  # after a hint in vain: workers at one queue must not keep preparing each other's studies


class Prefetch(Generic[Prepared]):
    """Prepares hinted studies in the background, one at a time. Safe to share between threads.

    What the background gives is what `prepare` gives: a study that it could not prepare is prepared again
    when it is asked for, so that errors are raised there, and an error that passed leaves no trace.
    """

    def __init__(self, prepare: Callable[[Path], Prepared]) -> None:
        self._prepare = prepare
        self._lock = threading.Lock()
        self._kept: dict[tuple[Path, ...], _Preparation[Prepared]] = {}  # in the order of the hints
        self._to_ignore = 0

    def hint(self, instances: Sequence[Path]) -> None:
        """Start to prepare these images, unless the hint is ignored; returns at once."""
        key = tuple(instances)
        with self._lock:
            if not self._is_wanted(key):
                return
            preparation = _Preparation(self._prepare, key)
            try:
                preparation.start()
            except RuntimeError:  # the process has as many threads as it may have, or is about to end
                return
            self._kept[key] = preparation
            if len(self._kept) > STUDIES_KEPT:
                del self._kept[next(iter(self._kept))]
                self._to_ignore = HINTS_IGNORED

    def take(self, instances: Sequence[Path]) -> Iterable[Prepared]:
        """Return each image prepared: as hinted and then forgotten, or else one by one while it is walked.

        Raises:
            Exception: what `prepare` raises, while the result is walked.
        """
        with self._lock:
            preparation = self._kept.pop(tuple(instances), None)
        prepared = None if preparation is None else preparation.result()
        return map(self._prepare, instances) if prepared is None else prepared

    def _is_wanted(self, key: tuple[Path, ...]) -> bool:
        if self._to_ignore > 0:
            self._to_ignore -= 1
            return False
        busy = any(preparation.is_alive() for preparation in self._kept.values())
        return 0 < len(key) <= MOST_IMAGES and key not in self._kept and not busy


class _Preparation(threading.Thread, Generic[Prepared]):
    """Prepares one study. A daemon: a process that ends does not wait for what nobody asked for."""

    def __init__(self, prepare: Callable[[Path], Prepared], instances: tuple[Path, ...]) -> None:
        super().__init__(name="prefetch", daemon=True)
        self._prepare = prepare
        self._instances = instances
        self._prepared: tuple[Prepared, ...] | None = None

    def run(self) -> None:
        try:
            self._prepared = tuple(map(self._prepare, self._instances))
        except Exception:  # noqa: BLE001  # outermost in its thread; raised again where somebody listens
            self._prepared = None

    def result(self) -> tuple[Prepared, ...] | None:
        """Return the prepared images once they are, or None where that failed or a fork cut it off."""
        self.join()
        return self._prepared
