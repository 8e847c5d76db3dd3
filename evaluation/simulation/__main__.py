"""Hold the simulation against queueing theory: `python -m evaluation.simulation`."""

import sys
from itertools import chain

from evaluation.simulation.check import (
    CONFIDENCE,
    DAYS_COUNTED,
    RUNS,
    cobham_checks,
    erring_triage_checks,
    first_in_checks,
    preemptive_checks,
)
from evaluation.simulation.scenario import Distribution

SEED = 1


def main() -> int:
    """Print every comparison; 1 if one of them disagrees."""
    print_line = sys.stdout.write
    print_line(f"minutes; {RUNS} runs of {DAYS_COUNTED} days, seed {SEED}, {CONFIDENCE:.0%} intervals\n")
    wrong = 0
    compared = chain(
        first_in_checks(seed=SEED),
        cobham_checks(Distribution.EXPONENTIAL, seed=SEED),
        cobham_checks(Distribution.CONSTANT, seed=SEED),
        preemptive_checks(seed=SEED),
        erring_triage_checks(seed=SEED),
    )
    for check in compared:
        wrong += not check.agrees
        found = check.simulated
        print_line(
            f"{check.queue:75} theory {check.theory_minutes:6.2f}   simulated {found.value:6.2f} "
            f"[{found.low:.2f}, {found.high:.2f}]{'' if check.agrees else '   DISAGREES'}\n"
        )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
