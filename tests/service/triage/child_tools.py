"""Tools that a child process loads: they look well at white images, and go wrong at black ones."""

import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from models.stages import Stage, StageObserver
from overread.appearance import Appearance
from overread.errors import ModelError, UndecodablePixelsError
from overread.observation import Detection, ObserverIdentity, Presence
from service.triage.looks import TriageTools
from tests.service.material import MassDetector, readers


def spin() -> None:
    while True:
        pass


def hoard() -> None:
    kept = []
    while True:
        kept.append(np.ones(1 << 22, np.uint8))


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def blunder() -> None:
    raise RuntimeError("SECRET")


def refuse() -> None:
    raise UndecodablePixelsError("image 2.25.1: its pixels are broken")


def contradict_the_manifest() -> None:
    raise ModelError("the release is altered")


class MoodyDetector(MassDetector):
    """Goes wrong at black images, in its own way."""

    def __init__(self, mood: Callable[[], None], on_stage: StageObserver) -> None:
        self._mood = mood
        self._on_stage = on_stage

    def detect(self, instances: Sequence[Path]) -> Detection:
        detection = super().detect(instances)
        self._on_stage(detector="mean", stage=Stage.DECODE, seconds=0.5)
        if any(item.presence is Presence.ABSENT for item in detection.observations):
            self._mood()
        return detection


class MoodyShadow(MoodyDetector):
    identity = ObserverIdentity(name="moody", version="2", sha256="1" * 64)


class NotingDetector(MassDetector):
    """Says in its remarks what it was told to prepare."""

    def __init__(self) -> None:
        self._hinted: list[str] = []

    def prefetch(self, instances: Sequence[Path]) -> None:
        self._hinted.extend(path.name for path in instances)

    def detect(self, instances: Sequence[Path]) -> Detection:
        return replace(super().detect(instances), remarks=tuple(self._hinted))


class DescribingDetector(MassDetector):
    """Says what the images looked like: how many there were, as rows."""

    def detect_and_describe(self, instances: Sequence[Path]) -> tuple[Detection, Appearance | None]:
        return self.detect(instances), Appearance(scanner="Maker One", rows=len(instances), columns=8)


def load_describing(*, on_stage: StageObserver) -> TriageTools:
    return readers(detectors=(MassDetector(), DescribingDetector()))


def load(mood: Callable[[], None], *, on_stage: StageObserver) -> TriageTools:
    return readers(detectors=(MoodyDetector(mood, on_stage),))


def load_with_shadow(mood: Callable[[], None], *, on_stage: StageObserver) -> TriageTools:
    return readers(shadows=(MoodyShadow(mood, on_stage), MassDetector()))


def load_noting(*, on_stage: StageObserver) -> TriageTools:
    return readers(detectors=(NotingDetector(),))


def load_altered(*, on_stage: StageObserver) -> TriageTools:
    raise ModelError("the release is altered")


def load_once_dying(mark: Path, *, on_stage: StageObserver) -> TriageTools:
    """The first one that loads is killed, as on a machine that is short of memory."""
    if not mark.exists():
        mark.touch()
        die()
    return load(refuse, on_stage=on_stage)


spinning, hoarding, dying, blundering, refusing, contradicting = (
    partial(load, mood) for mood in (spin, hoard, die, blunder, refuse, contradict_the_manifest)
)
