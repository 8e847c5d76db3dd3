"""Looks at cases: the report is read, the detectors are asked, both are compared; nothing is stored.

`Looks` is the port of the worker. `TriageTools` looks in this process: for commands, demonstrations and
tests. `service.triage.confined_looks` looks in a child process, as `overread worker` does.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from overread.appearance import Appearance
from overread.comparison import ComparedCase, PriorReport, compare, read_history
from overread.finding import Vocabulary
from overread.observation import Detection, ObserverIdentity, ReportReading
from overread.ports import Detector, ReportReader, examine
from overread.priority import Policy
from overread.report.reread import Rereader
from overread.triage import TriageResult
from service.store.records import ClaimedCase


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseMaterial:
    """Material of one case that is looked at."""

    report_text: str = field(repr=False)
    instances: tuple[Path, ...]  # files of the images; none where `seen` has what was seen of them
    earlier: tuple[PriorReport, ...] = field(default=(), repr=False)  # of the patient, the latest first
    restored: frozenset[str] = frozenset()  # findings that a person brought back
    policy: Policy
    seen: tuple[Detection, ...] = ()  # what was seen of the images before they were removed


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """Conclusion about one case."""

    result: TriageResult
    reading: ReportReading
    detections: tuple[Detection, ...]
    appearance: Appearance | None = None  # of the first image; None where no detector says, or none looked


class Looks(Protocol):
    """Whoever looks at cases for a worker, one at a time."""

    @property
    def registry_version(self) -> int | None:
        """Version of the registry that names the detectors; None: of none."""

    @property
    def observers(self) -> tuple[ObserverIdentity, ...]:
        """The active detectors; to be asked once `prepare` has returned."""

    @property
    def shadow_observers(self) -> tuple[ObserverIdentity, ...]:
        """The detectors in shadow; the same."""

    def prepare(self) -> None:
        """Return when everything is loaded; at once where it is.

        Raises:
            ModelError: a model release is missing on this machine, or altered.
            ConfigurationError: a setting is wrong.
            OutOfResourcesError: no process can be started now.
            LostProcessError: the process that loads them ended, or took too long.
        """

    def hint(self, instances: Sequence[Path]) -> None:
        """Take note of the images of the case that probably follows the next one; see `Detector.prefetch`."""

    def look(self, material: CaseMaterial) -> Conclusion:
        """Return what is concluded about a case.

        Raises:
            InputError: the report or the images cannot be read.
            OverLimitError: the look takes more than its limits allow.
            LostProcessError: the process that looked ended without an answer.
            ModelError: a model does not do what its manifest says.
            ConfigurationError: a setting or policy is wrong.
        """

    def look_in_shadow(self, number: int, instances: Sequence[Path]) -> Detection:
        """Return what a detector in shadow sees, counted from 0.

        Raises:
            OverreadError: as `look` does.
        """

    def close(self) -> None:
        """End whatever was started; not to be asked afterwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TriageTools:
    """Report reader, detectors and vocabulary; looks with them in this process, without limits."""

    report_reader: ReportReader
    rereader: Rereader | None = None  # reads the sentences behind a flag again
    detectors: tuple[Detector, ...]
    shadows: tuple[Detector, ...] = ()  # look at every concluded case, and change nothing
    vocabulary: Vocabulary
    registry_version: int | None = None  # of the registry that names the detectors; None: of none

    @property
    def observers(self) -> tuple[ObserverIdentity, ...]:
        """The active detectors."""
        return tuple(detector.identity for detector in self.detectors)

    @property
    def shadow_observers(self) -> tuple[ObserverIdentity, ...]:
        """The detectors in shadow."""
        return tuple(detector.identity for detector in self.shadows)

    def prepare(self) -> None:
        """They are loaded."""

    def hint(self, instances: Sequence[Path]) -> None:
        """Tell every detector which images probably come next."""
        for detector in self.detectors:
            detector.prefetch(instances)

    def look(self, material: CaseMaterial) -> Conclusion:
        """Return what the tools conclude about a case; see `Looks`."""
        reading = self.report_reader.read(material.report_text)
        history = read_history(material.earlier, self.report_reader, restored=material.restored)
        examined = (
            [(detection, None) for detection in material.seen]
            if material.seen
            else [examine(detector, material.instances) for detector in self.detectors]
        )
        detections = tuple(detection for detection, _ in examined)
        case = ComparedCase(
            reading=reading, detections=detections, history=history, text=material.report_text
        )
        compared = compare(case, material.policy, self.vocabulary, rereader=self.rereader)
        return Conclusion(
            result=compared.result,
            reading=compared.reading,
            detections=detections,
            appearance=next((found for _, found in examined if found is not None), None),
        )

    def look_in_shadow(self, number: int, instances: Sequence[Path]) -> Detection:
        """Return what a detector in shadow sees."""
        return self.shadows[number].detect(instances)

    def close(self) -> None:
        """Nothing was started."""


def material_of(claimed: ClaimedCase) -> CaseMaterial:
    """Return what a claimed case gives to look at; images in object storage are fetched.

    Raises:
        RemovedError: the bytes of an image were removed on purpose, and nothing is kept of what was seen.
        NotFoundError: the bytes of an image are not there.
        OutOfResourcesError: the object storage cannot be reached.
    """
    return CaseMaterial(
        report_text=claimed.report_text,
        # What was seen before the pixels were removed holds: a new report is compared with that.
        instances=() if claimed.seen else claimed.instances,
        earlier=claimed.earlier,
        restored=claimed.restored,
        policy=claimed.policy,
        seen=claimed.seen,
    )
