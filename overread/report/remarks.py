"""Recommendations of a sentence, and communications that it documents."""

import re
from dataclasses import dataclass

from overread.report.lexicon import Kind, Parts
from overread.report.text import Words

_DAYS = {"day": 1, "week": 7, "wk": 7, "month": 30, "mo": 30, "year": 365, "hour": 1 / 24}
_INTERVAL = re.compile(
    r"(?:(\d{1,3})\s*(?:-|to|or|–)\s*)?(\d{1,3})[\s-]*(hour|day|week|wk|month|mo|year)s?\b"
)
_NUMBERS = {"one": "1", "two": "2", "three": "3", "four": "4", "six": "6", "eight": "8", "twelve": "12"}
_NUMBER_WORD = re.compile(rf"\b({'|'.join(_NUMBERS)})(?=[\s-]+(?:hour|day|week|wk|month|mo|year))")
_PLANNED = re.compile(
    r"\b(?:in|within|at)\s+(?:\d{1,3}|one|two|three|four|six|eight|twelve)(?:\s*(?:-|to|–)\s*\d{1,3})?[\s-]*"
    r"(?:day|week|wk|month|mo|year)s?\b"
)
_CLOCK = re.compile(r"\b(\d{1,2}):(\d{2})\s*([ap])?\.?m?\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """A recommendation; offsets are characters from the sentence's start."""

    action: str
    within_days: float | None
    start: int
    end: int
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A communication; offsets are characters from the sentence's start."""

    time_of_day: str | None
    start: int
    end: int
    rule: str


def read_advice(lowered: str, words: Words, parts: Parts) -> tuple[Advice, ...]:
    """Return what a sentence asks for; nothing without both a word that asks and a thing asked for."""
    asking = [item for item in parts.remarks if item.sense.kind is Kind.ADVICE]
    if not asking:
        if not _PLANNED.search(lowered):
            return ()
        asking = [item for item in parts.remarks if item.sense.kind is Kind.ACTION]  # "CT in 3 months"
    actions = {item.sense.value: item for item in parts.remarks if item.sense.kind is Kind.ACTION}
    if len(actions) > 1:
        actions.pop("further imaging", None)  # "further evaluation with CT" asks for the CT
    within = _within_days(lowered)
    return tuple(
        Advice(
            action=action,
            within_days=within,
            start=words.starts[min(item.start, asking[0].start)],
            end=words.end(max(item.end, asking[0].end) - 1),
            rule=item.sense.rule,
        )
        for action, item in (actions.items() if asking else ())
    )


def read_contact(lowered: str, words: Words, parts: Parts) -> tuple[Contact, ...]:
    """Return the communication that a sentence states, at most one."""
    told = [item for item in parts.remarks if item.sense.kind is Kind.CONTACT]
    return tuple(
        Contact(
            time_of_day=_time_of_day(lowered),
            start=words.starts[item.start],
            end=words.end(item.end - 1),
            rule=item.sense.rule,
        )
        for item in told[:1]
    )


def _within_days(lowered: str) -> float | None:
    """Return the latest time that a sentence names, in days; a month is 30."""
    plain = _NUMBER_WORD.sub(lambda match: _NUMBERS[match.group(1)], lowered)
    found = [float(match.group(2)) * _DAYS[match.group(3)] for match in _INTERVAL.finditer(plain)]
    return max(found, default=None)


def _time_of_day(lowered: str) -> str | None:
    match = _CLOCK.search(lowered)
    if match is None:
        return None
    hour, minute, half = int(match.group(1)), match.group(2), match.group(3)
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    return f"{hour:02d}:{minute}" if hour < 24 and int(minute) < 60 else None
