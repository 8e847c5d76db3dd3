"""`overread models`: which models there are, whether they are intact, and which of them run."""

import argparse
import getpass
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from models.commands.calibrating import add_calibrate_action
from models.commands.importing import add_import_actions
from models.commands.quantising import add_quantise_action
from models.registry import Change, Entry, RegistryStore, Role, Route
from models.registry_options import add_registry_options, open_registry, release_name
from overread.command import EXIT_FAILED, EXIT_OK, Command, requested_output
from overread.errors import ConfigurationError, ModelError

if TYPE_CHECKING:
    from models.activation import Request

DESCRIPTION = """\
Lists, shows, verifies and activates models. A bare name is a release that comes with overread; all else is
the path of a release folder.

  overread models list
  overread models show chest-radiograph
  overread models verify                                   every model of the registry, or those named
  overread models activate /models/new --gate gate.json    takes the place of the only active one
  overread models activate /models/new --shadow            runs beside, seen by nobody who reads
  overread models retire /models/new
  overread models import-bundle /models/lung_nodule_ct_detection --findings nodule
  overread models import-torchxrayvision densenet121-all.pt /models/xrv-all --set all
  overread models adopt torchxrayvision /models/xrv-all    from the net, runs beside, seen by nobody who reads
  overread models quantise chest-radiograph /models/chest-int8 --images archive/chest
  overread models calibrate chest-radiograph /models/chest-here --cohort past.jsonl

What runs is written to the registry of the installation, in its store, with the time and who did it. All its
workers follow before their next case. --detectors FILE names a registry in a file, for work without a store.
The record for --gate is written by `overread gate`.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommands."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, summary, run_action, configure_action in (
        ("list", "what there is, and what runs", _list, _configure_none),
        ("show", "everything known about one", _show, _configure_release),
        ("verify", "files intact, recorded input gives recorded output", _verify, _configure_releases),
        ("record", "record an input and what it gives, for verify", _record, _configure_record),
        ("activate", "let one run", _activate, _configure_activate),
        ("retire", "let one run no longer", _retire, _configure_retire),
    ):
        subparser = actions.add_parser(name, help=summary, description=summary)
        add_registry_options(subparser)
        configure_action(subparser)
        subparser.set_defaults(run_action=run_action)
    add_import_actions(actions)
    add_quantise_action(actions)
    add_calibrate_action(actions)


def run(arguments: argparse.Namespace) -> int:
    """Run one of the subcommands."""
    action: Callable[[argparse.Namespace], int] = arguments.run_action
    return action(arguments)


def _configure_none(_: argparse.ArgumentParser) -> None:
    """There is nothing to declare."""


def _configure_release(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("release", help="name of one that comes with overread, or a folder")


def _configure_releases(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("releases", nargs="*", metavar="RELEASE", help="default: all of the registry")


def _configure_record(parser: argparse.ArgumentParser) -> None:
    _configure_release(parser)
    parser.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="DICOM files of one study (default for ONNX: a drawing)",
    )


def _configure_activate(parser: argparse.ArgumentParser) -> None:
    _configure_release(parser)
    parser.add_argument("--operating-point", metavar="NAME", help="default: the release's own default")
    places = parser.add_mutually_exclusive_group()
    places.add_argument(
        "--replace", metavar="RELEASE", help="whose place it takes (default: the only active one)"
    )
    places.add_argument("--beside", action="store_true", help="active beside the others, replacing none")
    places.add_argument("--shadow", action="store_true", help="stored beside, and weighed against no report")
    parser.add_argument("--gate", type=Path, metavar="FILE", help="record of `overread gate`")
    parser.add_argument(
        "--without-gate", metavar="REASON", help="why it may be active all the same; recorded"
    )
    parser.add_argument("--modalities", nargs="+", default=[], metavar="CODE", help="ask it about these only")
    parser.add_argument("--body-parts", nargs="+", default=[], metavar="WORD", help="ask it about these only")
    parser.add_argument("--views", nargs="+", default=[], metavar="CODE", help="ask it about these only")
    _configure_who(parser)


def _configure_retire(parser: argparse.ArgumentParser) -> None:
    _configure_release(parser)
    parser.add_argument("--reason", help="recorded")
    _configure_who(parser)


def _configure_who(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--who", default=None, help="who does it (default: the user of this machine); recorded"
    )


def _list(arguments: argparse.Namespace) -> int:
    from models.loaded_detectors import folder_of, load_entry  # keeps `overread --help` fast
    from models.releases import list_releases, release_kind

    kept = open_registry(arguments, creates=False)
    registered = kept.load().entries
    others = [
        Entry(release=name) for name in list_releases() if name not in {item.release for item in registered}
    ]
    print(f"{'RELEASE':32} {'ROLE':8} {'KIND':12} {'VERSION':10} FINDINGS")
    for entry in (*registered, *others):
        role = entry.role.value if entry in registered else "-"
        try:
            detector = load_entry(entry, kept.folder)
            kind = release_kind(folder_of(entry.release, kept.folder))
            says = f"{kind:12} {detector.identity.version:10} {len(detector.findings)}"
        except (ModelError, ConfigurationError) as error:
            says = f"unusable: {error}"
        print(f"{entry.release:32} {role:8} {says}")
    return EXIT_OK


def _show(arguments: argparse.Namespace) -> int:
    from models.loaded_detectors import folder_of, load_entry, manifest_sha256
    from models.releases import release_kind
    from models.routing import describe

    kept = open_registry(arguments, creates=False)
    registry = kept.load()
    release = release_name(arguments.release)
    known = next((entry for entry in registry.entries if entry.release == release), None)
    folder = folder_of(release, kept.folder)
    detector = load_entry(known or Entry(release=release), kept.folder)
    identity = detector.identity
    print(f"{identity.name} {identity.version} ({release_kind(folder)})")
    print(f"  folder     {folder}")
    print(f"  manifest   {manifest_sha256(folder)}")
    print(f"  identity   {identity.sha256}")
    print(f"  findings   {', '.join(detector.findings)}")
    if known is not None:
        point = known.operating_point or "its default operating point"
        print(f"  registry     {known.role.value}, {point}, asked about {describe(known.route)}")
    for change in registry.history:
        if change.release == release:
            print(f"  history    {_line(change)}")
    return EXIT_OK


def _verify(arguments: argparse.Namespace) -> int:
    from models.loaded_detectors import folder_of
    from models.recording import verify

    kept = open_registry(arguments)
    failed = False
    named = [release_name(release) for release in arguments.releases]
    for release in named or [entry.release for entry in kept.load().entries]:
        try:
            found = verify(folder_of(release, kept.folder))
        except (ModelError, ConfigurationError) as error:
            failed = True
            print(f"{release}: FAILED: {error}")
            continue
        said = (
            f"recorded input gives recorded output (largest difference {found.largest_difference:.1e})"
            if found.largest_difference is not None
            else "nothing is recorded to compare with; `overread models record` does that"
        )
        print(f"{release}: {found.identity.name} {found.identity.version}: files intact; {said}")
    return EXIT_FAILED if failed else EXIT_OK


def _record(arguments: argparse.Namespace) -> int:
    from models.loaded_detectors import folder_of
    from models.recording import record

    folder = folder_of(release_name(arguments.release), open_registry(arguments).folder)
    with requested_output(arguments):
        outputs = record(folder, arguments.files)
    print(f"{folder}: recorded {len(outputs)} probabilities")
    return EXIT_OK


def _activate(arguments: argparse.Namespace) -> int:
    from models.activation import register_release

    kept = open_registry(arguments)
    change = register_release(_request(arguments, kept), kept, clock=lambda: datetime.now(UTC))
    print(f"{kept.name}: {_line(change)}")
    return EXIT_OK


def _retire(arguments: argparse.Namespace) -> int:
    from models.activation import retire_release

    kept = open_registry(arguments)
    change = retire_release(
        release_name(arguments.release),
        kept,
        who=arguments.who or getpass.getuser(),
        reason=arguments.reason,
        clock=lambda: datetime.now(UTC),
    )
    print(f"{kept.name}: {_line(change)}")
    return EXIT_OK


def _request(arguments: argparse.Namespace, kept: RegistryStore) -> "Request":
    from models.activation import Request, sole_active
    from models.gate_record import load_gate_record

    replacing = None
    if not (arguments.shadow or arguments.beside):
        replacing = arguments.replace or sole_active(kept.load()).release
    return Request(
        release=release_name(arguments.release),
        role=Role.SHADOW if arguments.shadow else Role.ACTIVE,
        operating_point=arguments.operating_point,
        route=Route(
            modalities=tuple(arguments.modalities),
            body_parts=tuple(word.lower() for word in arguments.body_parts),
            views=tuple(arguments.views),
        ),
        replacing=replacing,
        gate=load_gate_record(arguments.gate) if arguments.gate else None,
        reason=arguments.without_gate,
        who=arguments.who or getpass.getuser(),
    )


def _line(change: Change) -> str:
    return " ".join(_parts(change))


def _parts(change: Change) -> Iterator[str]:
    version = "" if change.version is None else f" {change.version}"
    yield f"{change.at:%Y-%m-%d %H:%M}Z {change.who} {change.action} {change.release}{version}"
    if change.replaced not in {None, change.release}:
        yield f"in place of {change.replaced}"
    if change.gate is not None:
        yield f"(gate {change.gate})"
    if change.reason is not None:
        yield f"because: {change.reason}"


command = Command(
    summary="list, verify and activate the models",
    description=DESCRIPTION,
    configure=configure,
    run=run,
    uses_installation=True,
)
