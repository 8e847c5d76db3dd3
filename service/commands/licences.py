"""`overread licences`: what is installed beside overread, by which licence, and what is known of it."""

import argparse
from typing import TYPE_CHECKING

from overread.command import EXIT_FAILED, EXIT_OK, Command

if TYPE_CHECKING:
    from service.maintenance.components import Component
    from service.maintenance.vulnerabilities import Audit

DESCRIPTION = """\
Lists the packages of this environment: name, version, licence as the package states it, what that licence
asks, whether overread needs the package to run, and the SHA-256 of RECORD, its list of files with their
hashes. Nothing is sent anywhere unless --vulnerabilities asks for it: then pip-audit, where it is installed,
looks up what is publicly known, and a package that could not be looked up is listed as not checked.

  overread licences
  overread licences --json > components.json
  overread licences --vulnerabilities

The status is 1 if overread needs a package under a licence of the GPL kind, or if something is known against
a package; UNKNOWN is for a person to read.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument(
        "--vulnerabilities", action="store_true", help="ask pip-audit, which sends names and versions"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the list."""
    from service.maintenance.components import LicenceKind, installed_components
    from service.maintenance.vulnerabilities import Audit, run_audit

    components = installed_components()
    audit = run_audit() if arguments.vulnerabilities else Audit(not_checked="--vulnerabilities was not given")
    if arguments.json:
        _print_json(components, audit)
    else:
        _print_table(components, audit)
    is_bad = any(
        (component.is_runtime and component.kind is LicenceKind.COPYLEFT) or audit.of(component.name)
        for component in components
    )
    return EXIT_FAILED if is_bad else EXIT_OK


def _print_json(components: "tuple[Component, ...]", audit: "Audit") -> None:
    import json
    from dataclasses import asdict

    listed = [
        asdict(component) | {"kind": component.kind.name, "vulnerabilities": audit.of(component.name)}
        for component in components
    ]
    print(json.dumps({"components": listed, "not_checked": audit.not_checked}, indent=2))


def _print_table(components: "tuple[Component, ...]", audit: "Audit") -> None:
    from collections import Counter

    print(f"{'package':36}{'version':16}{'needed':8}{'asks':15}{'RECORD':14}{'known':10}licence")
    for component in components:
        known = audit.of(component.name)
        words = "not checked" if known is None else ", ".join(known) or "nothing"
        print(
            f"{component.name[:35]:36}{component.version[:15]:16}{'yes' if component.is_runtime else '':8}"
            f"{component.kind.name:15}{(component.record_sha256 or 'none')[:12]:14}{words:12} "
            f"{component.licence}"
        )
    counts = Counter(component.kind.name for component in components if component.is_runtime)
    needed = ", ".join(f"{number} {kind}" for kind, number in sorted(counts.items()))
    print(f"\n{len(components)} packages; needed by overread: {needed}")
    if audit.not_checked is not None:
        print(f"vulnerabilities: not checked ({audit.not_checked})")


command = Command(
    summary="what is installed beside overread: versions, licences, hashes, known vulnerabilities",
    description=DESCRIPTION,
    configure=configure,
    run=run,
)
