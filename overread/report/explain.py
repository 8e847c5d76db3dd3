"""A report marked with what was read in it, for a person at a terminal."""

from collections.abc import Iterable, Sequence

from overread.observation import Laterality, Presence, ReportObservation, ReportReading, Span, Temporality

_COLORS = {Presence.PRESENT: "\x1b[1;31m", Presence.UNCERTAIN: "\x1b[1;33m", Presence.ABSENT: "\x1b[32m"}
_RESET = "\x1b[0m"
_SIGNS = {Presence.PRESENT: "+", Presence.UNCERTAIN: "?", Presence.ABSENT: "-"}


def explain(text: str, reading: ReportReading, *, colored: bool) -> str:
    """Return the report with each observation's words in brackets, and below it one line per observation.

    `[effusion]+1` is present, `?` uncertain, `-` denied; the number is that of the line below. A statement
    that denies many findings has one number.
    """
    groups = _groups(reading.observations)
    lines = [_marked(text, groups, colored=colored).rstrip(), ""]
    for number, (_, members) in enumerate(groups, start=1):
        lines.extend(f"{number:3d} {line}" for line in _described(members))
    if not groups:
        lines.append("    nothing that the rules know")
    if reading.text_read_share is not None:
        lines.append(f"    {reading.text_read_share:.0%} of the text was taken for findings")
    if reading.statements_left_out:
        lines.append(f"    {reading.statements_left_out} further statements were left out")
    lines.extend(_remarks(text, reading))
    return "\n".join(lines) + "\n"


def _remarks(text: str, reading: ReportReading) -> list[str]:
    """Return one line per recommendation, communication, contradiction and piece of context."""
    lines = []
    for item in reading.recommendations:
        within = "" if item.within_days is None else f" within {item.within_days:g} days"
        lines.append(f"    recommends {item.action}{within}  ({item.section.value}; {item.rule})")
    for told in reading.communications:
        at = "" if told.time_of_day is None else f" at {told.time_of_day}"
        lines.append(f"    was told to somebody{at}  ({told.section.value}; {told.rule})")
    lines.extend(f"    contradiction: {item.reason}" for item in reading.contradictions)
    for known in reading.context:
        words = " ".join(text[known.span.start : known.span.end].split())
        lines.append(f"    context: {known.kind.value} {words!r} {known.presence.value}  ({known.rule})")
    return lines


def _groups(observations: Iterable[ReportObservation]) -> list[tuple[Span, list[ReportObservation]]]:
    """Return the observations by the words that state them, in the order of the text."""
    by_place: dict[tuple[Span, Presence], list[ReportObservation]] = {}
    for observation in observations:
        by_place.setdefault((observation.span, observation.presence), []).append(observation)
    return [(span, members) for (span, _), members in sorted(by_place.items(), key=lambda entry: entry[0][0])]


def _marked(text: str, groups: Sequence[tuple[Span, list[ReportObservation]]], *, colored: bool) -> str:
    """Return the text with marks; words that overlap earlier ones are marked after those."""
    pieces: list[str] = []
    place = 0
    for number, (span, members) in enumerate(groups, start=1):
        presence = members[0].presence
        start = max(span.start, place)
        end = max(span.end, start)
        words = text[start:end]
        before, after = (_COLORS[presence], _RESET) if colored else ("[", "]")
        pieces += [text[place:start], before + words + after if words else "", f"{_SIGNS[presence]}{number}"]
        place = end
    return "".join(pieces) + text[place:]


def _described(members: Sequence[ReportObservation]) -> list[str]:
    first = members[0]
    names = ", ".join(dict.fromkeys(member.finding for member in members))
    facts = [
        first.presence.value if first.presence is not Presence.UNCERTAIN else f"UNCERTAIN {first.certainty:g}"
    ]
    if first.laterality is not Laterality.UNSPECIFIED:
        facts.append(first.laterality.value)
    facts.extend(first.zones)
    if first.severity:
        facts.append(first.severity)
    if first.count is not None:
        facts.append(f"count {first.count}")
    if first.size_mm:
        facts.append(" x ".join(f"{size:g}" for size in first.size_mm) + " mm")
    if first.temporality is not Temporality.CURRENT:
        facts.append(first.temporality.value)
    because = "; ".join(f"{attribute} by {rule}" for attribute, rule in first.rules.items())
    return [f"{names}: {', '.join(facts)}  ({first.section.value}; {because})"]
