"""The small language in which tests say what a text must be read as."""

from overread.observation import Laterality, ReportObservation, ReportReading


def _stated(value: object) -> set[str]:
    """Return how an expectation may write a value; blanks are underscores."""
    values = value if isinstance(value, tuple) else (value,)
    parts = [f"{part:g}" if isinstance(part, float) else str(part) for part in values]
    return {part.replace(" ", "_") for part in (*parts, ",".join(parts))}


def _has(record: object, facts: list[str]) -> bool:
    pairs = [fact.split("=") for fact in facts]
    return all(set(value.split("|")) & _stated(getattr(record, name)) for name, value in pairs)


def _matches(observation: ReportObservation, expected: str) -> bool:
    finding, presence, *facts = expected.split()
    sides = [fact for fact in facts if "=" not in fact]
    if observation.finding != finding or observation.presence.value not in presence.split("|"):
        return False
    if any(observation.laterality is not Laterality(side) for side in sides):
        return False
    return _has(observation, [fact for fact in facts if "=" in fact])


def is_stated(reading: ReportReading, expected: str) -> bool:
    """Whether a reading holds what an expectation says.

    `FINDING PRESENCE [SIDE] [attribute=value ...]`, `recommendation ACTION [...]`, `communication [...]` or
    `context KIND VALUE`; `!` before it denies it.
    """
    if expected.startswith("!"):
        return not is_stated(reading, expected[1:])
    first, *rest = expected.split()
    if first == "recommendation":
        return any(
            rest[0] in _stated(item.action) and _has(item, rest[1:]) for item in reading.recommendations
        )
    if first == "communication":
        return any(_has(item, rest) for item in reading.communications)
    if first == "context":
        return any(item.kind.value == rest[0] and rest[1] in _stated(item.value) for item in reading.context)
    return any(_matches(observation, expected) for observation in reading.observations)
