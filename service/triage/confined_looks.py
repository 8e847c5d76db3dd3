"""Looks at cases in a child process that has the detectors loaded, and is killed when a look goes too far.

The worker keeps claim, lease and storing, and is small; a case that takes more time or memory than a look may
take fails, says why, and costs no other case anything but the loading of the detectors.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from models.registry import Registry
from models.stages import Stage
from overread.errors import LostProcessError, OverLimitError
from overread.observation import Detection, ObserverIdentity
from service.confined.confined import Confined
from service.confined.limits import Limits
from service.metrics import LOOKS_ENDED, observe_stage
from service.settings import Settings
from service.triage.looks import CaseMaterial, Conclusion, TriageTools

_LOAD_LIMITS = Limits(wall_seconds=900.0)  # of the detectors; a GPU's first start compiles for minutes
_ADVICE = {
    "wall_seconds": "OVERREAD_CASE_SECONDS_MAX",
    "memory_bytes": "OVERREAD_CASE_MEMORY_BYTES_MAX",
}
_LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTime:
    """Time that a detector took for a stage; see `models.stages.StageObserver`."""

    detector: str
    stage: Stage
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Observers:
    """The detectors that a child has loaded."""

    active: tuple[ObserverIdentity, ...]
    shadows: tuple[ObserverIdentity, ...]


class Looker:
    """What lives in the child: the tools, and the times of their stages until somebody asks."""

    def __init__(self, load: Callable[..., TriageTools]) -> None:
        """Load the tools; `load` is given an `on_stage` and raises as `load_tools` does."""
        self._times: deque[StageTime] = deque()  # appended to by the thread that prepares the next images too
        self._tools = load(on_stage=self._note)

    def observers(self) -> Observers:
        """Return which detectors there are."""
        return Observers(active=self._tools.observers, shadows=self._tools.shadow_observers)

    def look(
        self, material: CaseMaterial, following: Sequence[Path]
    ) -> tuple[Conclusion, tuple[StageTime, ...]]:
        """Look at a case, while the images that probably follow are prepared."""
        if following:
            self._tools.hint(following)
        return self._tools.look(material), self._taken_times()

    def look_in_shadow(
        self, number: int, instances: Sequence[Path]
    ) -> tuple[Detection, tuple[StageTime, ...]]:
        """Let a detector in shadow look."""
        return self._tools.look_in_shadow(number, instances), self._taken_times()

    def _note(self, *, detector: str, stage: Stage, seconds: float) -> None:
        self._times.append(StageTime(detector=detector, stage=stage, seconds=seconds))

    def _taken_times(self) -> tuple[StageTime, ...]:
        return tuple(self._times.popleft() for _ in range(len(self._times)))


def load_registered(
    registry: Registry, settings: Settings, version: int | None, *, on_stage: Callable[..., None]
) -> TriageTools:
    """Return the tools that a registry names; see `load_tools`."""
    from service.triage.loading import load_tools  # in the child alone: the parent needs no networks

    return load_tools(registry, settings, version=version, on_stage=on_stage)


class ConfinedLooks:
    """Implements `service.triage.looks.Looks` in a child process, within the limits of the settings."""

    def __init__(
        self, load: Callable[..., TriageTools], settings: Settings, *, registry_version: int | None
    ) -> None:
        """Start nothing yet.

        Args:
            load: gives the tools, in the child, to which it is pickled; it takes `on_stage`.
            settings: name the limits of a look.
            registry_version: of the registry that names the detectors; None: of none.
        """
        self.registry_version = registry_version
        self._limits = Limits(
            wall_seconds=settings.case_seconds_max, memory_bytes=settings.case_memory_bytes_max
        )
        self._confined = Confined(
            partial(Looker, load), what="the look at this case", start_limits=_LOAD_LIMITS
        )
        self._observers: Observers | None = None
        self._following: tuple[Path, ...] = ()

    @property
    def observers(self) -> tuple[ObserverIdentity, ...]:
        """The active detectors, as the child has loaded them."""
        return () if self._observers is None else self._observers.active

    @property
    def shadow_observers(self) -> tuple[ObserverIdentity, ...]:
        """The detectors in shadow, the same."""
        return () if self._observers is None else self._observers.shadows

    @property
    def pid(self) -> int | None:
        """Number of the child's process; None while there is none."""
        return self._confined.pid

    def prepare(self) -> None:
        """Return when a child is there and has loaded the detectors; see `Looks`."""
        self._confined.start()
        if self._observers is None:
            self._observers = self._confined.call(_LOAD_LIMITS, Looker.observers)

    def hint(self, instances: Sequence[Path]) -> None:
        """Keep which images probably follow until the child hears of it with the next look."""
        self._following = tuple(instances)

    def look(self, material: CaseMaterial) -> Conclusion:
        """Return what the child concludes about a case; see `Looks`."""
        following, self._following = self._following, ()
        with _said_and_counted():
            conclusion, times = self._confined.call(self._limits, Looker.look, material, following)
        _observe(times)
        return conclusion

    def look_in_shadow(self, number: int, instances: Sequence[Path]) -> Detection:
        """Return what a detector in shadow sees; see `Looks`."""
        with _said_and_counted():
            detection, times = self._confined.call(
                self._limits, Looker.look_in_shadow, number, tuple(instances)
            )
        _observe(times)
        return detection

    def close(self) -> None:
        """End the child."""
        self._confined.close()


@contextmanager
def _said_and_counted() -> Iterator[None]:
    """Count a look that ended the child, and say what to do about one that went over a limit."""
    try:
        yield
    except LostProcessError:
        LOOKS_ENDED.labels(_LOST).inc()
        raise
    except OverLimitError as error:
        LOOKS_ENDED.labels(error.limit).inc()
        setting = _ADVICE.get(error.limit)
        remedy = "look at its images" + (f", or raise {setting}" if setting else "")
        raise OverLimitError(f"{error}; {remedy}", limit=error.limit) from None


def _observe(times: Sequence[StageTime]) -> None:
    for time in times:
        observe_stage(detector=time.detector, stage=time.stage, seconds=time.seconds)
