"""Gives every parser inputs that are almost right, hostile or noise, and says what it does not stand.

    python -m tests.fuzzing --minutes 2
    python -m tests.fuzzing --minutes 30 --only hl7 --seed 7

Each may end with an error of its own only, within bounded work, and no message may repeat what a patient is
called, what a report says or what is secret. What fails is made small and kept in tests/fuzzing/corpus, which
ordinary tests replay. With --executions, so many for each parser unless the time ends first: the same seed
then tries the same inputs. Ends with status 0 if nothing failed.
"""

import argparse
import sys
from contextlib import ExitStack

from tests.fuzzing.campaign import fuzz
from tests.fuzzing.corpus import keep
from tests.fuzzing.parsers import NAMES, harnesses


def main() -> int:
    """Run them in turn; print what each did."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=2.0, help="for all of them together")
    parser.add_argument("--executions", type=int, default=10**9, help="of each, at most")
    parser.add_argument("--only", choices=NAMES, action="append", help="may be given several times")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    failed = 0
    with ExitStack() as stack:
        chosen = [harness for harness in harnesses(stack) if not given.only or harness.name in given.only]
        for harness in chosen:
            seconds = given.minutes * 60 / len(chosen)
            tally = fuzz(harness, number=given.seed, seconds=seconds, executions=given.executions)
            say(f"{tally.name:16}{tally.executions:9} executions{tally.seconds:7.1f} s")
            for what, content in tally.failures.items():
                failed += 1
                say(f"    {what}\n    {len(content)} bytes in {keep(tally.name, content)}")
    say(f"seed {given.seed}: {failed} failures")
    return 0 if failed == 0 else 1


def say(text: str) -> None:
    """Print at once: a run may be long."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
