"""`overread receive`: one listener on its own, for an installation on many machines."""

import argparse
from pathlib import Path

from overread.command import EXIT_OK, Command

DEFAULT_PORTS = {"dicom": 11112, "hl7": 2575}  # registered with IANA for DICOM and for HL7

DESCRIPTION = f"""\
Takes images (dicom: C-STORE) or reports (hl7: ORU^R01 over MLLP) until it is told to stop (SIGTERM). Both run
under `overread serve` too; here they run alone, on this machine, for the same data folder and database.

  overread receive dicom --port {DEFAULT_PORTS["dicom"]}
  OVERREAD_HL7_SENDERS=10.1.0.0/16 overread receive hl7 --host 0.0.0.0

docs/deployment.md lists the settings: allow-lists, TLS, limits, fields and statuses of this site.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("protocol", choices=sorted(DEFAULT_PORTS), help="what to listen for")
    parser.add_argument(
        "--data-folder", type=Path, metavar="FOLDER", help="default: $OVERREAD_FOLDER, or ./overread-data"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to bind to (default 127.0.0.1)")
    parser.add_argument("--port", type=int, help="default 11112 (dicom), 2575 (hl7); 0: any free one")


def run(arguments: argparse.Namespace) -> int:
    """Listen until told to stop."""
    from service.serving import receive  # noqa: PLC0415  # keeps `overread --help` fast

    port = DEFAULT_PORTS[arguments.protocol] if arguments.port is None else arguments.port
    receive(arguments.protocol, host=arguments.host, port=port, folder=arguments.data_folder)
    return EXIT_OK


command = Command(
    summary="take images by C-STORE, or reports by HL7", description=DESCRIPTION, configure=configure, run=run
)
