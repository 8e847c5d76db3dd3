"""The action of `overread models` that puts a release on the scale of a site."""

import argparse
from pathlib import Path
from typing import Any

from models.registry_options import add_registry_options, open_registry, release_name
from overread.command import EXIT_OK

SUMMARY = "make a release of one that is there, its probabilities fitted anew to what a site's reports state"
DESCRIPTION = f"""\
{SUMMARY[0].upper()}{SUMMARY[1:]}.
Nobody need adjudicate: past cases with the release's scores and their reports are enough. A probability is
then that of a finding being reported here. The operating points keep their scores, so that the same images
are flagged.

  overread export --out past.jsonl
  overread models calibrate chest-radiograph /models/chest-here --cohort past.jsonl
"""


def add_calibrate_action(actions: Any) -> None:
    """Declare `calibrate` among the actions."""
    parser = actions.add_parser(
        "calibrate",
        help=SUMMARY,
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_registry_options(parser)
    parser.add_argument("release", help="name of one that comes with overread, or a folder")
    parser.add_argument("folder", type=Path, help="to write; its last part is the new release's name")
    parser.add_argument(
        "--cohort", type=Path, required=True, metavar="FILE", help="past cases, as `overread export` writes"
    )
    parser.set_defaults(run_action=_calibrate)


def _calibrate(arguments: argparse.Namespace) -> int:
    from models.loaded_detectors import folder_of  # keeps `overread --help` fast
    from models.recalibration import calibrate_release
    from overread.cohort import read_cohort
    from overread.finding import load_vocabulary
    from overread.report.reader import load_reader

    release = folder_of(release_name(arguments.release), open_registry(arguments).folder)
    made = calibrate_release(
        release, arguments.folder, list(read_cohort(arguments.cohort)), load_reader(), load_vocabulary()
    )
    print(f"{arguments.folder}: fitted to {made.cases} cases of {made.patients} patients")
    print(f"{'FINDING':24} {'STATED':>7} {'EXPECTED BEFORE':>16} {'AFTER':>8}")
    for item in made.findings:
        after = f"{'as it was':>8}" if item.after is None else f"{item.after * made.cases:8.1f}"
        print(f"{item.finding:24} {item.stated:7} {item.before * made.cases:16.1f} {after}")
    print("compare it with what runs by `overread gate` before you activate it")
    return EXIT_OK
