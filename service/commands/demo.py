"""`overread demo`: the main job on real input."""

import argparse
import json
import logging
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from overread.command import EXIT_OK, PRIVATE_UMASK, Command

if TYPE_CHECKING:
    from service.demo import RankedCase

DESCRIPTION = """\
Sends real images of the pydicom-data package with reports written for the purpose through intake, detector,
report reader and triage, and prints the ranked list. One chest radiograph shows large masses: with a report
that denies them it comes out on top, with a report that states them far below.

  overread demo          then serves the page until Ctrl-C
  overread demo --once   prints the list as JSON on standard output and ends
"""


_SITES_PLACES = ("CONFIG", "DATABASE_URL", "DATABASE_URL_FILE", "OBJECTS_URL")
_SITES_PEOPLE = (
    "API_TOKEN",
    "API_TOKEN_FILE",
    "HOST_NAMES",
    "OIDC_ISSUER",
    "PROXIES",
    "PROXY_GROUPS_HEADER",
    "PROXY_USER_HEADER",
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--once", action="store_true", help="print the list as JSON and end; no page")
    parser.add_argument(
        "--data-folder",
        type=Path,
        default=argparse.SUPPRESS,  # one that stands before the subcommand holds
        help="keep the data in this folder (default: a temporary one, removed at the end)",
    )
    parser.add_argument(
        "--port", type=int, default=8400, help="port of the page (default 8400; 0: any free one)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the demonstration."""
    from service.demo import run_demo  # keeps `overread --help` fast
    from service.log import configure_logging
    from service.runtime.serving import Addresses, serve
    from service.settings import load_settings

    os.umask(PRIVATE_UMASK)
    configure_logging(level=logging.WARNING)  # the list says what happened
    folder = arguments.data_folder or Path(tempfile.mkdtemp(prefix="overread-demo-"))
    try:
        # What the environment names is the site's own: the demonstration must not fill it.
        # Nor does it ask anybody to sign in: it is for this machine alone.
        sites = {f"OVERREAD_{name}" for name in (*_SITES_PLACES, *_SITES_PEOPLE)}
        environ = {name: value for name, value in os.environ.items() if name not in sites}
        environ["OVERREAD_FOLDER"] = str(folder.absolute())
        ranked = run_demo(load_settings(environ))
        sys.stderr.write(describe(ranked))
        if arguments.once:
            print(json.dumps({"cases": [_as_json(case) for case in ranked]}, indent=2))
        else:
            serve(Addresses(host="127.0.0.1", port=arguments.port, stow_port=0), environ, workers=1)
    finally:
        if arguments.data_folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    return EXIT_OK


def describe(ranked: "tuple[RankedCase, ...]") -> str:
    """Return the list as lines for a person."""
    lines = ["", "  #  priority  state           case"]
    for case in ranked:
        summary = case.summary
        lines.append(f"{case.rank:3}  {summary.priority:8.1f}  {summary.state:14}  {case.title}")
        lines += [f"{'':31}{reason}" for reason in (*summary.reasons, *filter(None, [summary.failure]))]
    return "\n".join([*lines, "", ""])


def _as_json(case: "RankedCase") -> dict[str, object]:
    summary = case.summary
    return {
        "rank": case.rank,
        "title": case.title,
        "study_instance_uid": summary.study_instance_uid,
        "accession_number": summary.accession_number,
        "modality": summary.modality,
        "state": summary.state,
        "outcome": summary.outcome,
        "priority": round(summary.priority, 3),
        "actionable": summary.actionable,
        "subspecialty": summary.subspecialty,
        "reasons": summary.reasons,
        "failure": summary.failure,
    }


command = Command(
    summary="show the main job on real input: a ranked worklist from image and report",
    description=DESCRIPTION,
    configure=configure,
    run=run,
)
