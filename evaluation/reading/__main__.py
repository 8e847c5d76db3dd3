"""Prints the reader's figures: `python -m evaluation.reading labels`, or another kind, or `all`."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from evaluation.reading.report import SCORERS
from overread.errors import OverreadError


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures asked for; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.reading", description="Measure the report reader."
    )
    parser.add_argument("what", choices=(*SCORERS, "all"))
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("OVERREAD_DATA"), help="else OVERREAD_DATA"
    )
    parser.add_argument(
        "--held-back", action="store_true", help="score the held-back fifth too; its errors are never listed"
    )
    parser.add_argument(
        "--disagreements",
        action="store_true",
        help="list report number and finding of each (development part)",
    )
    chosen = parser.parse_args(arguments)
    if chosen.data is None and chosen.what != "styles":
        parser.error("give the data folder by --data or OVERREAD_DATA")
    try:
        for name in SCORERS if chosen.what == "all" else (chosen.what,):
            for line in SCORERS[name](
                Path(chosen.data or "."), held_back=chosen.held_back, disagreements=chosen.disagreements
            ):
                sys.stdout.write(line + "\n")
    except OverreadError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
