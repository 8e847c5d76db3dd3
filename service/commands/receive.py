"""`overread receive`: one listener on its own, for an installation on many machines."""

import argparse
import sys
from pathlib import Path

from overread.command import EXIT_OK, EXIT_USAGE, Command

DEFAULT_PORTS = {"dicom": 11112, "hl7": 2575}  # registered with IANA for DICOM and for HL7

FOLDER = "folder"

DESCRIPTION = f"""\
Takes images (dicom: C-STORE), reports (hl7: ORU^R01 over MLLP) or both from a folder that others put files
into, until it is told to stop (SIGTERM). Each runs under `overread serve` too; here it runs alone, on this
machine, for the same data folder and database.

  overread receive dicom --port {DEFAULT_PORTS["dicom"]}
  OVERREAD_HL7_SENDERS=10.1.0.0/16 overread receive hl7 --host 0.0.0.0
  overread receive folder /srv/export        .dcm, .hl7, .json, .txt; then in done/ or refused/ there

docs/deployment.md lists the settings: allow-lists, TLS, limits, fields and statuses of this site.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("protocol", choices=(*sorted(DEFAULT_PORTS), FOLDER), help="what to listen for")
    parser.add_argument("path", nargs="?", type=Path, help="the folder to watch")
    parser.add_argument("--host", default="127.0.0.1", help="address to bind to (default 127.0.0.1)")
    parser.add_argument("--port", type=int, help="default 11112 (dicom), 2575 (hl7); 0: any free one")


def run(arguments: argparse.Namespace) -> int:
    """Listen or watch until told to stop."""
    if (arguments.protocol == FOLDER) != (arguments.path is not None):
        sys.stderr.write("overread receive: give a path with `folder`, and with nothing else\n")
        return EXIT_USAGE
    from service.commands.installation import environment_of  # keeps `overread --help` fast

    environ = environment_of(arguments)
    if arguments.protocol == FOLDER:
        from service.log import configure_logging
        from service.watch.process import watch

        configure_logging()
        watch(arguments.path.expanduser().absolute(), environ)
        return EXIT_OK
    from service.runtime.serving import receive

    port = DEFAULT_PORTS[arguments.protocol] if arguments.port is None else arguments.port
    receive(arguments.protocol, environ, host=arguments.host, port=port)
    return EXIT_OK


command = Command(
    summary="take images by C-STORE, reports by HL7, or both from a folder",
    description=DESCRIPTION,
    configure=configure,
    run=run,
    uses_installation=True,
)
