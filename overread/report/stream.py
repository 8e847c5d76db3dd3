"""Reads reports by the stream: JSON lines in, JSON lines out, in order, in constant memory."""

import json
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice

from overread.errors import InputError, InvalidFileError
from overread.observation import ReportObservation, ReportReading, Section, Span
from overread.report.reader import load_reader

LINES_PER_CHUNK = 256
_CHUNKS_AHEAD = 4  # per worker: enough to keep it busy, few enough to bound memory


@dataclass(frozen=True, slots=True, kw_only=True)
class LineResult:
    """Result of one input line: an output line, or the reason why there is none."""

    number: int  # from 1
    output: str | None = None
    error: str | None = None


def observation_as_json(observation: ReportObservation) -> dict[str, object]:
    """Return an observation as JSON carries it; spans are [start, end) in characters of the text."""
    return {
        "finding": observation.finding,
        "presence": observation.presence.value,
        "certainty": observation.certainty,
        "laterality": observation.laterality.value,
        "span": [observation.span.start, observation.span.end],
        "sentence": [observation.sentence.start, observation.sentence.end],
        "section": observation.section.value,
        "temporality": observation.temporality.value,
        "experiencer": observation.experiencer.value,
        "zones": list(observation.zones),
        "severity": observation.severity,
        "count": observation.count,
        "size_mm": list(observation.size_mm),
        "tip": observation.tip,
        "rules": dict(observation.rules),
    }


def reading_as_json(reading: ReportReading) -> dict[str, object]:
    """Return what a reading states, without the identity of its reader."""
    return {
        "observations": [observation_as_json(observation) for observation in reading.observations],
        "recommendations": [
            {"action": item.action, "within_days": item.within_days, **_place(item.span, item.section)}
            for item in reading.recommendations
        ],
        "communications": [
            {"time_of_day": item.time_of_day, **_place(item.span, item.section)}
            for item in reading.communications
        ],
        "contradictions": [
            {
                "kind": item.kind.value,
                "subject": item.subject,
                "reason": item.reason,
                "spans": [[span.start, span.end] for span in (item.first, item.second) if span is not None],
            }
            for item in reading.contradictions
        ],
        "context": [
            {
                "kind": item.kind.value,
                "value": item.value,
                "presence": item.presence.value,
                **_place(item.span, item.section),
            }
            for item in reading.context
        ],
        "text_read_share": reading.text_read_share,
        "statements_left_out": reading.statements_left_out,
    }


def _place(span: Span, section: Section) -> dict[str, object]:
    return {"span": [span.start, span.end], "section": section.value}


def read_lines(lines: Iterable[bytes], *, workers: int = 1) -> Iterator[LineResult]:
    """Yield the result of every line that is not blank, in order.

    Each line is a JSON object with `id` and `text`; its output has `id`, `observations`, `recommendations`,
    `communications`, `contradictions`, `context`, `text_read_share` and `statements_left_out`.
    With more than one worker, chunks of lines are read in processes of their own.
    """
    chunks = _chunks(lines)
    if workers <= 1:
        for chunk in chunks:
            yield from read_chunk(chunk)
        return
    with ProcessPoolExecutor(max_workers=workers) as pool:
        waiting: deque[Future[list[LineResult]]] = deque()
        try:
            for chunk in chunks:
                waiting.append(pool.submit(read_chunk, chunk))
                if len(waiting) >= workers * _CHUNKS_AHEAD:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _chunks(lines: Iterable[bytes]) -> Iterator[list[tuple[int, bytes]]]:
    numbered = enumerate(lines, start=1)
    while chunk := list(islice(numbered, LINES_PER_CHUNK)):
        yield chunk


def read_chunk(chunk: Sequence[tuple[int, bytes]]) -> list[LineResult]:
    """Return the results of numbered lines; blank lines have none."""
    return [_read_line(number, line) for number, line in chunk if line.strip()]


def _read_line(number: int, line: bytes) -> LineResult:
    try:
        identifier, text = _parse(line)
        reading = load_reader().read(text)
    except InputError as error:
        return LineResult(number=number, error=str(error))
    result = {"id": identifier, **reading_as_json(reading)}
    return LineResult(number=number, output=json.dumps(result, ensure_ascii=False, separators=(",", ":")))


def _parse(line: bytes) -> tuple[str | int, str]:
    try:
        record = json.loads(line)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise InvalidFileError(f"not a line of JSON ({type(error).__name__})") from error
    if not isinstance(record, dict):
        raise InvalidFileError("not a JSON object")
    identifier, text = record.get("id"), record.get("text")
    if isinstance(identifier, bool) or not isinstance(identifier, str | int):
        raise InvalidFileError("`id` is missing, or neither a string nor a whole number")
    if not isinstance(text, str):
        raise InvalidFileError("`text` is missing or not a string")
    return identifier, text


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
