"""Verdict of the release gate on a candidate: written by the measurement, read at activation."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from models.parsing import Table
from overread.errors import InvalidFileError, ModelError

FORMAT = 1


class Verdict(StrEnum):
    """Whether a candidate may take the place of the active release."""

    PASSED = "passed"  # shown not to be worse by more than the margin
    WORSE = "worse"  # shown to be worse
    UNDECIDED = "undecided"  # the cohort is too small to tell


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """A release, exactly enough to know it again."""

    name: str
    version: str
    manifest_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GateFigure:
    """One figure of both releases on the same cases, with the interval of the candidate's lead."""

    name: str
    cases: int
    positives: int
    active: float
    candidate: float
    low: float  # of candidate minus active
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRecord:
    """The whole comparison."""

    at: datetime
    cohort_sha256: str  # of the file that names cases and labels
    patients: int
    seed: int
    resamples: int
    margin: float
    active: Contestant
    candidate: Contestant
    figures: tuple[GateFigure, ...]
    verdict: Verdict
    reasons: tuple[str, ...]  # in words
    accepted_because: str | None = None  # why a person lets it pass against the verdict

    @property
    def passes(self) -> bool:
        """Whether the candidate may be activated."""
        return self.verdict is Verdict.PASSED or self.accepted_because is not None


def save_gate_record(record: GateRecord, path: Path) -> None:
    """Write the record.

    Raises:
        InvalidFileError: the file cannot be written.
    """
    content = {"format": FORMAT, **asdict(record), "at": record.at.isoformat()}
    try:
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise InvalidFileError(f"{path} cannot be written: {error.strerror}") from error


def load_gate_record(path: Path) -> GateRecord:
    """Return the record of a file.

    Raises:
        InvalidFileError: it cannot be read, or is no such record.
    """
    try:
        table = Table(json.loads(path.read_text(encoding="utf-8")), where=str(path))
        if table.integer("format") != FORMAT:
            raise InvalidFileError(f"{path} has another format than {FORMAT}")
        return _record(table)
    except OSError as error:
        raise InvalidFileError(f"{path} cannot be read: {error.strerror}") from error
    except (ModelError, ValueError, RecursionError) as error:
        raise InvalidFileError(f"{path} is no record of the release gate: {error}") from error


def _record(table: Table) -> GateRecord:
    return GateRecord(
        at=datetime.fromisoformat(table.text("at")),
        cohort_sha256=table.text("cohort_sha256"),
        patients=table.integer("patients"),
        seed=int(table.number("seed")),
        resamples=table.integer("resamples"),
        margin=table.number("margin"),
        active=_contestant(table.table("active")),
        candidate=_contestant(table.table("candidate")),
        figures=tuple(_figure(item) for item in table.tables("figures")),
        verdict=Verdict(table.text("verdict")),
        reasons=table.texts("reasons"),
        accepted_because=table.text("accepted_because") if table.has("accepted_because") else None,
    )


def _contestant(table: Table) -> Contestant:
    return Contestant(
        name=table.text("name"), version=table.text("version"), manifest_sha256=table.text("manifest_sha256")
    )


def _figure(table: Table) -> GateFigure:
    return GateFigure(
        name=table.text("name"),
        cases=table.integer("cases"),
        positives=int(table.number("positives")),
        active=table.number("active"),
        candidate=table.number("candidate"),
        low=table.number("low"),
        high=table.number("high"),
    )
