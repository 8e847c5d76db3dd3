"""`overread fetch`: studies from the PACS."""

import argparse
import logging
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

from overread.command import EXIT_FAILED, EXIT_OK, Command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.pacs.client import Client
    from service.store.fetches import Fetch

DESCRIPTION = """\
Asks the PACS for studies, and retrieves them into the store like anything else that is sent. By DIMSE the
PACS sends them to our C-STORE listener, which must be running; by DICOMweb they are retrieved.

  OVERREAD_PACS=PACS OVERREAD_DICOM_PEERS=PACS=10.0.0.1:104 OVERREAD_DICOM_AE_TITLE=OVERREAD \\
    overread fetch study --accession A-1001
  OVERREAD_PACS=https://pacs.example/dicom-web \\
    overread fetch study --patient 4711 --from 20240101 --modality CT
  overread fetch waiting          studies of reports that have come without images
  overread fetch priors 1.2.3     earlier studies of the same patient, modality and body part
  overread fetch automatic        what the settings ask for, until it is told to stop (SIGTERM)
  overread fetch list             what was to be fetched by itself, and what became of it

What is here already is passed over, so a command that was interrupted is simply given again. With --dry-run
studies are found but not fetched. docs/deployment.md lists the settings.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    tasks = parser.add_subparsers(dest="task", required=True, metavar="WHAT")
    study = tasks.add_parser("study", help="studies that are named")
    for option, text in (
        ("--study", "Study Instance UID"),
        ("--accession", "accession number"),
        ("--patient", "patient id"),
        ("--modality", "such as CT"),
        ("--from", "first day, YYYYMMDD"),
        ("--to", "last day, YYYYMMDD"),
    ):
        study.add_argument(option, dest=f"{option[2:]}_", metavar="VALUE", help=text)
    waiting = tasks.add_parser("waiting", help="studies of reports that wait for their images")
    waiting.add_argument("--minutes", type=float, default=0.0, help="that have waited so long (default 0)")
    priors = tasks.add_parser("priors", help="a patient's earlier studies")
    priors.add_argument("study_", metavar="STUDY", help="Study Instance UID of a study in the store")
    priors.add_argument("--at-most", type=int, default=5, help="so many, the latest (default 5)")
    priors.add_argument("--years", type=float, default=5.0, help="not older than that (default 5)")
    for task in (study, waiting, priors):
        task.add_argument("--dry-run", action="store_true", help="print what would be fetched")
    tasks.add_parser("automatic", help="what the settings ask for, until told to stop")
    listed = tasks.add_parser("list", help="what was to be fetched by itself")
    listed.add_argument("--all", action="store_true", help="what is done too")


def run(arguments: argparse.Namespace) -> int:
    """Fetch, and return whether everything came."""
    from service.commands.installation import environment_of  # keeps `--help` fast
    from service.log import configure_logging
    from service.pacs.client import connected, run_automatically

    if arguments.task == "automatic":
        run_automatically(environment_of(arguments))
        return EXIT_OK
    configure_logging(level=logging.WARNING)  # what comes is told on standard output
    if arguments.task == "list":
        return _list(arguments)
    with connected(environment_of(arguments)) as client:
        found = _FIND[arguments.task](client, arguments)
        return _fetch(client, found, only_print=arguments.dry_run)


def _find_study(client: "Client", arguments: argparse.Namespace) -> "Sequence[str]":
    from service.pacs.archive import StudyQuery

    wanted = StudyQuery(
        study_instance_uid=arguments.study_,
        accession_number=arguments.accession_,
        patient_id=arguments.patient_,
        modality=arguments.modality_,
        first_date=arguments.from_,
        last_date=arguments.to_,
    )
    return [study.study_instance_uid for study in client.archive.find_studies(wanted)]


def _find_priors(client: "Client", arguments: argparse.Namespace) -> "Sequence[str]":
    from service.pacs.fetching import priors_of
    from service.store.fetches import known_study

    study = known_study(client.store, arguments.study_)
    found = priors_of(client.archive, study, at_most=arguments.at_most, years=arguments.years)
    return [prior.study_instance_uid for prior in found]


def _find_waiting(client: "Client", arguments: argparse.Namespace) -> "Sequence[str]":
    from overread.errors import InputError, PeerError
    from service.pacs.fetching import studies_of_case
    from service.store.fetches import waiting_cases

    found: dict[str, None] = {}
    for case in waiting_cases(client.store, before=client.clock() - timedelta(minutes=arguments.minutes)):
        try:
            found |= dict.fromkeys(s.study_instance_uid for s in studies_of_case(client.archive, case))
        except (InputError, PeerError) as error:
            client.failures += 1
            print(error, file=sys.stderr)
    return list(found)


_FIND = {"study": _find_study, "priors": _find_priors, "waiting": _find_waiting}


def _fetch(client: "Client", found: "Sequence[str]", *, only_print: bool) -> int:
    if not found:
        print("the PACS holds no such study")
    for number, uid in enumerate(found, 1):
        if only_print:
            print(uid)
            continue
        print(f"{number} of {len(found)}: {client.fetch(uid)}")
    return EXIT_FAILED if client.failures else EXIT_OK


def _list(arguments: argparse.Namespace) -> int:
    from service.commands.installation import opened_store
    from service.store.fetches import FetchState, list_fetches

    states = list(FetchState) if arguments.all else [FetchState.DUE, FetchState.GIVEN_UP]
    with opened_store(arguments) as store:
        fetches = list_fetches(store, states, limit=_LISTED_MAX)
    print("\n".join(map(_line, fetches)) if fetches else "nothing was to be fetched by itself")
    return EXIT_OK


_LISTED_MAX = 1000


def _line(fetch: "Fetch") -> str:
    at = f"due {fetch.due_at:%Y-%m-%d %H:%M} UTC" if fetch.concluded_at is None else ""
    what = f"case {fetch.subject}" if fetch.kind == "MISSED" else f"study {fetch.subject}"
    words = [fetch.kind, what, fetch.state, f"{fetch.attempts} attempts", at, fetch.detail or ""]
    return "\t".join(word for word in words if word)


command = Command(
    summary="fetch missed and earlier studies from the PACS",
    description=DESCRIPTION,
    configure=configure,
    run=run,
    uses_installation=True,
)
