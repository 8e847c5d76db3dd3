"""What is publicly known against the installed packages, as pip-audit reports it where its service answers.

Nothing is guessed: a package that could not be looked up has not been found harmless.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec

from service.maintenance.components import normal_name

SECONDS_MAX = 300
_COMMAND = (sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off")


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What a look-up of all packages gave."""

    known: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by normal name: identifiers
    not_checked: str | None = None  # why nothing could be looked up; None where something was

    def of(self, name: str) -> tuple[str, ...] | None:
        """Return what is known against a package: nothing is (), None says that it was not looked up."""
        return self.known.get(normal_name(name))


def run_audit() -> Audit:
    """Return what is known; names and versions of the packages are sent to the index of pip-audit."""
    if find_spec("pip_audit") is None:
        return Audit(not_checked="pip-audit is not installed here: pip install pip-audit")
    try:
        done = subprocess.run(  # noqa: S603  # our own command, no shell
            _COMMAND, capture_output=True, text=True, timeout=SECONDS_MAX, check=False
        )
    except subprocess.TimeoutExpired:
        return Audit(not_checked=f"pip-audit did not end within {SECONDS_MAX} s: its service is out of reach")
    return read_audit(done.stdout)


def read_audit(output: str) -> Audit:
    """Return what the JSON output of pip-audit says; packages that it passed over were not checked."""
    try:
        known = {
            normal_name(item["name"]): tuple(sorted(each["id"] for each in item["vulns"]))
            for item in json.loads(output)["dependencies"]
            if "vulns" in item
        }
    except (ValueError, KeyError, TypeError, RecursionError):
        return Audit(not_checked="pip-audit gave no result: its service is out of reach")
    if not known:
        return Audit(not_checked="the service of pip-audit knew none of the packages: it is out of reach")
    return Audit(known=known)
