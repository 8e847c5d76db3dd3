"""`overread serve`: everything for one machine, under one supervisor."""

import argparse

from overread.command import EXIT_OK, Command
from service.commands.receive import DEFAULT_PORTS

DEFAULT_PORT = 8400
DEFAULT_STOW_PORT = 8401

DESCRIPTION = f"""\
Starts the page and API (a BentoML service), the intake (STOW-RS, C-STORE, HL7 over MLLP) and the workers,
restarts what dies, and stops everything on Ctrl-C or SIGTERM.

  overread serve
  overread serve --data-folder /var/lib/overread --workers 4 --api-processes 2 --port {DEFAULT_PORT}

Only this machine can reach it by default. For others set OVERREAD_API_TOKEN to a secret, say who may send by
C-STORE and HL7 (OVERREAD_DICOM_CALLING_AE_TITLES, OVERREAD_HL7_SENDERS), and give --host.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--host", help="address to bind to (default: the setting host of [web], 127.0.0.1)")
    parser.add_argument(
        "--port",
        type=int,
        default=DEFAULT_PORT,
        help=f"page and API (default {DEFAULT_PORT}; 0: any free one)",
    )
    parser.add_argument(
        "--stow-port",
        type=int,
        default=DEFAULT_STOW_PORT,
        help=f"DICOMweb intake (default {DEFAULT_STOW_PORT}; 0: any free one)",
    )
    for option, default, name in (
        ("--dicom-port", DEFAULT_PORTS["dicom"], "C-STORE listener"),
        ("--hl7-port", DEFAULT_PORTS["hl7"], "HL7 listener"),
    ):
        parser.add_argument(
            option,
            type=_port,
            default=default,
            metavar="PORT",
            help=f"{name} (default {default}; 0: any free one; none: no such listener)",
        )
    parser.add_argument("--workers", type=int, default=1, help="worker processes (default 1)")
    parser.add_argument(
        "--api-processes",
        type=int,
        default=1,
        help="processes of page and API (default 1); of two, one answers while the other starts again",
    )


def _port(text: str) -> int | None:
    return None if text == "none" else int(text)


def run(arguments: argparse.Namespace) -> int:
    """Serve until told to stop."""
    from service.commands.installation import environment_of  # keeps `overread --help` fast
    from service.runtime.serving import Addresses, serve
    from service.web.settings import WebSettings

    environ = environment_of(arguments)

    serve(
        Addresses(
            host=arguments.host or WebSettings.read(environ).host,
            port=arguments.port,
            stow_port=arguments.stow_port,
            dicom_port=arguments.dicom_port,
            hl7_port=arguments.hl7_port,
        ),
        environ,
        workers=arguments.workers,
        api_processes=arguments.api_processes,
    )
    return EXIT_OK


command = Command(
    summary="start page, API, DICOMweb intake and workers on this machine",
    description=DESCRIPTION,
    configure=configure,
    run=run,
    uses_installation=True,
)
