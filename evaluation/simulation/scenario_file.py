"""Scenarios and recorded arrivals from files, checked once, with messages that say where the mistake is."""

import csv
import math
import tomllib
from collections.abc import Mapping
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from evaluation.simulation.cases import UNKNOWN, Recorded
from evaluation.simulation.scenario import Arrivals, CaseClass, Distribution, ReadingTime, Scenario
from evaluation.simulation.timetable import (
    DAYS,
    MINUTES_PER_DAY,
    MINUTES_PER_HOUR,
    Shift,
    Timetable,
    timetable_of,
)
from overread.errors import InvalidFileError, words_of

_SHARES_TOLERANCE = 1e-6

_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Share = Annotated[float, Field(ge=0, le=1)]
_Clock = Annotated[str, Field(pattern=r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$")]
_Name = Annotated[str, Field(min_length=1)]


class _Table(BaseModel):
    """A table of the file: what is misspelt must not be passed over."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Order(_Table):
    preempt: bool
    reserve_minutes: _Weight = 0.0


class _Arrivals(_Table):
    per_day: _Positive
    hourly: Annotated[list[_Weight], Field(min_length=24, max_length=24)]
    weekend: _Weight

    @model_validator(mode="after")
    def _some_hour_has_arrivals(self) -> Self:
        if not sum(self.hourly):
            raise ValueError("hourly must have a weight above 0")
        return self

    def arrivals(self) -> Arrivals:
        return Arrivals(per_day=self.per_day, hourly=tuple(self.hourly), weekend=self.weekend)


class _Shift(_Table):
    days: Annotated[list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]], Field(min_length=1)]
    begins: _Clock = Field(alias="from")
    ends: _Clock = Field(alias="to")
    readers: Annotated[int, Field(ge=0)]

    def shift(self) -> Shift:
        return Shift(
            days=tuple(day for day in DAYS if day in self.days),
            begins=_minute(self.begins) % MINUTES_PER_DAY,
            ends=_minute(self.ends),
            readers=self.readers,
        )


class _Reading(_Table):
    distribution: Literal["constant", "exponential", "lognormal"]
    mean_minutes: _Positive
    sd_minutes: _Positive | None = None

    @model_validator(mode="after")
    def _only_the_lognormal_has_a_spread(self) -> Self:
        if (self.sd_minutes is None) == (self.distribution == "lognormal"):
            raise ValueError("sd_minutes belongs to the lognormal distribution, which needs it")
        return self

    def reading_time(self) -> ReadingTime:
        return ReadingTime(
            distribution=Distribution(self.distribution),
            mean_minutes=self.mean_minutes,
            sd_minutes=self.sd_minutes or 0.0,
        )


class _Class(_Table):
    name: _Name
    share: _Share
    reading: _Reading
    cap_minutes: _Positive | None = None
    sensitivity: _Share | None = None
    specificity: _Share | None = None

    def case_class(self) -> CaseClass:
        return CaseClass(
            name=self.name,
            share=self.share,
            reading=self.reading.reading_time(),
            cap_minutes=math.inf if self.cap_minutes is None else self.cap_minutes,
            sensitivity=1.0 if self.sensitivity is None else self.sensitivity,
            specificity=1.0 if self.specificity is None else self.specificity,
        )


class _File(_Table):
    layout: Literal[1]
    name: _Name
    days: Annotated[int, Field(ge=1)]
    warm_up_days: Annotated[int, Field(ge=0)]
    order: _Order
    arrivals: _Arrivals
    shifts: Annotated[list[_Shift], Field(alias="shift", min_length=1)]
    classes: Annotated[list[_Class], Field(alias="class", min_length=1)]

    @model_validator(mode="after")
    def _classes_are_one_whole(self) -> Self:
        if len({kind.name for kind in self.classes}) < len(self.classes):
            raise ValueError("a class is named twice")
        total = math.fsum(kind.share for kind in self.classes)
        if abs(total - 1) > _SHARES_TOLERANCE:
            raise ValueError(f"the shares of the classes must add up to 1, not {total:g}")
        *flagged, rest = self.classes
        if any(kind.sensitivity is None or kind.specificity is None for kind in flagged):
            raise ValueError("every class but the last needs a sensitivity and a specificity")
        if rest.sensitivity is not None or rest.specificity is not None:
            raise ValueError("the last class holds what the triage does not flag: it has no sensitivity")
        return self

    @model_validator(mode="after")
    def _somebody_reads(self) -> Self:
        if math.isinf(self.timetable().longest_gap_minutes()):
            raise ValueError("the shifts must have a reader at some time")
        return self

    def timetable(self) -> Timetable:
        return timetable_of([shift.shift() for shift in self.shifts])


def example_text() -> str:
    """Return the scenario that comes with overread, as TOML to start from."""
    return (files("evaluation") / "simulation" / "example.toml").read_text(encoding="utf-8")


def load_scenario(path: Path | None) -> Scenario:
    """Return the scenario of a file, or the example.

    Raises:
        InvalidFileError: unreadable, not TOML, or a setting is missing, unknown or out of range.
    """
    if path is None:
        return parse_scenario(example_text())
    try:
        return parse_scenario(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidFileError(f"cannot read the scenario {path}: {words_of(error)}") from error


def parse_scenario(text: str) -> Scenario:
    """Return the scenario that a TOML text defines.

    Raises:
        InvalidFileError: not TOML, or a setting is missing, unknown or out of range.
    """
    try:
        file = _File.model_validate(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidFileError(f"the scenario is not TOML: {error}") from error
    except ValidationError as error:
        raise InvalidFileError(f"the scenario is not right: {_in_words(error)}") from error
    return Scenario(
        name=file.name,
        days=file.days,
        warm_up_days=file.warm_up_days,
        arrivals=file.arrivals.arrivals(),
        classes=tuple(kind.case_class() for kind in file.classes),
        timetable=file.timetable(),
        preempt=file.order.preempt,
        reserve_minutes=file.order.reserve_minutes,
    )


def load_arrivals(path: Path, scenario: Scenario) -> Recorded:
    """Return arrivals that happened, from a CSV file with the column `arrived`.

    `arrived` is local time as in 2026-11-23T08:15:00, without offset. The columns `class`, by name, and
    `reading_minutes` are optional, and so is every value in them. Other columns are not looked at.

    Raises:
        InvalidFileError: unreadable, no rows, or a value is not what it should be; with the line number.
    """
    names = [kind.name for kind in scenario.classes]
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [_arrival(row, names, number) for number, row in enumerate(csv.DictReader(file), start=2)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidFileError(f"cannot read the arrivals {path}: {words_of(error)}") from error
    if not rows:
        raise InvalidFileError(f"the arrivals {path} hold no row")
    rows.sort(key=lambda row: row[0])
    first = rows[0][0]
    monday = datetime(first.year, first.month, first.day) - timedelta(days=first.weekday())  # noqa: DTZ001
    return Recorded(
        arrived=np.array([(row[0] - monday) / timedelta(minutes=1) for row in rows]),
        truth=np.array([row[1] for row in rows]),
        reading=np.array([row[2] for row in rows]),
    )


def _arrival(row: Mapping[str, str | None], names: list[str], line: int) -> tuple[datetime, int, float]:
    where = f"line {line} of the arrivals"
    try:
        arrived = datetime.fromisoformat(row["arrived"] or "")
    except KeyError:
        raise InvalidFileError("the arrivals must have a column `arrived`") from None
    except ValueError:
        raise InvalidFileError(f"{where}: `arrived` must be as in 2026-11-23T08:15:00") from None
    if arrived.tzinfo is not None:
        raise InvalidFileError(f"{where}: `arrived` must be local time without offset, as the shifts are")
    name = row.get("class") or ""
    if name and name not in names:
        raise InvalidFileError(f"{where}: class {name!r} is not in the scenario ({', '.join(names)})")
    try:
        reading = float(row.get("reading_minutes") or math.nan)
    except ValueError:
        reading = -1.0
    if reading <= 0 or math.isinf(reading):
        raise InvalidFileError(f"{where}: `reading_minutes` must be a positive number")
    return arrived, names.index(name) if name else UNKNOWN, reading


def _minute(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * MINUTES_PER_HOUR + int(minutes)


def _in_words(error: ValidationError) -> str:
    parts = []
    for one in error.errors(include_url=False):
        place = " ".join(str(part + 1) if isinstance(part, int) else part for part in one["loc"])
        parts.append(f"{place}: {one['msg']}" if place else one["msg"])
    return "; ".join(parts)
