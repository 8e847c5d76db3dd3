"""`overread read`: what reports state, as JSON lines or marked for a person."""

import argparse
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO

from overread.command import EXIT_OK, Command

if TYPE_CHECKING:  # what `run` needs is imported there: `overread --help` compiles no rules
    from overread.report.stream import LineResult

_PROGRESS_SECONDS = 0.5


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "input", nargs="?", default="-", help="JSON lines with `id` and `text`; - is standard input"
    )
    parser.add_argument("--out", default="-", help="where the JSON lines go; - is standard output")
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes that read; 0 is one per core"
    )
    parser.add_argument(
        "--on-error",
        choices=("stop", "skip"),
        default="stop",
        help="what a malformed line does; it is reported with its number either way",
    )
    parser.add_argument(
        "--explain", action="store_true", help="read one plain-text report and print it marked"
    )
    parser.add_argument("--color", choices=("auto", "always", "never"), default="auto", help="for --explain")


def _run(arguments: argparse.Namespace) -> int:
    with ExitStack() as stack:
        source = _source(arguments.input, stack)
        if arguments.explain:
            _explain(source, arguments.color)
            return EXIT_OK
        sink: TextIO = sys.stdout
        if arguments.out != "-":
            sink = stack.enter_context(Path(arguments.out).open("w", encoding="utf-8"))
        _stream(source, sink, workers=arguments.workers, skip=arguments.on_error == "skip")
    return EXIT_OK


def _source(name: str, stack: ExitStack) -> BinaryIO:
    from overread.errors import InvalidFileError

    if name == "-":
        return sys.stdin.buffer
    try:
        return stack.enter_context(Path(name).open("rb"))
    except OSError as error:
        raise InvalidFileError(f"cannot read {name}: {error.strerror}") from error


def _stream(source: Iterable[bytes], sink: TextIO, *, workers: int, skip: bool) -> None:
    from overread.errors import InvalidFileError
    from overread.report.stream import available_cores, read_lines

    skipped = 0
    for result in _with_progress(read_lines(source, workers=workers or available_cores())):
        if result.output is not None:
            sink.write(result.output + "\n")
        elif skip:
            skipped += 1
            sys.stderr.write(f"line {result.number} skipped: {result.error}\n")
        else:
            sink.flush()
            raise InvalidFileError(
                f"line {result.number}: {result.error}; --on-error skip goes on after such lines"
            )
    sink.flush()
    if skipped:
        sys.stderr.write(f"{skipped} lines skipped\n")


def _with_progress(results: Iterable["LineResult"]) -> Iterator["LineResult"]:
    """Yield the results, and show how many there are while standard error is a terminal."""
    if not sys.stderr.isatty():
        yield from results
        return
    began = shown = time.monotonic()
    count = 0
    for count, result in enumerate(results, start=1):
        yield result
        now = time.monotonic()
        if now - shown >= _PROGRESS_SECONDS:
            shown = now
            sys.stderr.write(f"\r{count} reports, {count / (now - began):.0f}/s ")
    sys.stderr.write(f"\r{count} reports in {time.monotonic() - began:.1f} s\n")


def _explain(source: BinaryIO, color: str) -> None:
    from overread.errors import InvalidReportError
    from overread.report.explain import explain
    from overread.report.reader import load_reader

    try:
        text = source.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidReportError("the report is not UTF-8 text") from error
    colored = color == "always" or (color == "auto" and sys.stdout.isatty())
    sys.stdout.write(explain(text, load_reader().read(text), colored=colored))


command = Command(
    summary="read reports: findings, presence, side, place, size, time",
    description=(
        "Read radiology reports. JSON lines with `id` and `text` in, JSON lines with `id` and\n"
        "`observations` out, in the same order and in constant memory.\n\n"
        "  overread read reports.jsonl --out observations.jsonl --workers 4\n"
        "  overread read --explain report.txt"
    ),
    configure=_configure,
    run=_run,
)
