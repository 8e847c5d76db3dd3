"""Thresholds file: from which probability on a finding and kind are worth a look at this site.

A small versioned TOML file, written by `overread budget` from a site's own past cases.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from overread.discrepancy import DiscrepancyKind
from overread.errors import ConfigurationError

_LAYOUT = 1

Pair = tuple[str, DiscrepancyKind]
"""Id of a finding, and how report and image disagree about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Least probabilities at which a discrepancy is worth a look."""

    version: str  # differs where any threshold does
    chosen_on: str  # on which past cases, for which budget, in words
    probabilities: Mapping[Pair, float]  # from which on, in [0, 1]
    never: frozenset[Pair]  # not worth a look at any probability that was seen

    def least_probability(self, finding: str, kind: DiscrepancyKind) -> float:
        """Return from which probability on a row is worth a look, 1 where it never is.

        What the file does not name is worth one at any: nothing is known against it.
        """
        pair = (finding, kind)
        return 1.0 if pair in self.never else self.probabilities.get(pair, 0.0)


def encode_thresholds(thresholds: Thresholds) -> str:
    """Return the text of the file; `parse_thresholds` gives the same thresholds again."""
    lines = [
        "# From which probability on a finding and kind are worth a look. Written by `overread budget`.",
        f"layout = {_LAYOUT}",
        f"version = {_quoted(thresholds.version)}",
        f"chosen_on = {_quoted(thresholds.chosen_on)}",
    ]
    for (finding, kind), probability in sorted(thresholds.probabilities.items()):
        lines += ["", "[[threshold]]", *_pair_lines(finding, kind), f"probability = {probability!r}"]
    for finding, kind in sorted(thresholds.never):
        lines += ["", "[[never]]", *_pair_lines(finding, kind)]
    return "\n".join(lines) + "\n"


def parse_thresholds(text: str) -> Thresholds:
    """Return the thresholds that a TOML text defines.

    Raises:
        ConfigurationError: not TOML, of another layout, or a field is missing, unknown, out of range or given
            twice.
    """
    try:
        table = tomllib.loads(text)
        if table.pop("layout") != _LAYOUT:
            raise ConfigurationError(f"the thresholds' layout must be {_LAYOUT}")
        rows = [(_pair(row, "probability"), _probability(row)) for row in table.pop("threshold", [])]
        never = [_pair(row) for row in table.pop("never", [])]
        thresholds = Thresholds(
            version=str(table.pop("version")),
            chosen_on=str(table.pop("chosen_on")),
            probabilities=MappingProxyType(dict(rows)),
            never=frozenset(never),
        )
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ConfigurationError(f"the thresholds are malformed: {error}") from error
    if table:
        raise ConfigurationError(f"the thresholds have unknown settings: {', '.join(table)}")
    if len({*thresholds.probabilities, *never}) < len(rows) + len(never):
        raise ConfigurationError("the thresholds name a finding and kind twice")
    return thresholds


def _pair(row: dict[str, object], *more: str) -> Pair:
    if row.keys() - {"finding", "kind", *more}:
        raise ConfigurationError(f"the thresholds have unknown settings: {', '.join(row)}")
    finding = row["finding"]
    if not isinstance(finding, str) or not finding:
        raise ConfigurationError("the thresholds' findings must be texts")
    return finding, DiscrepancyKind(str(row["kind"]))


def _probability(row: dict[str, object]) -> float:
    value = row["probability"]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ConfigurationError(f"a threshold must lie in [0, 1], not {value!r}")
    return float(value)


def _pair_lines(finding: str, kind: DiscrepancyKind) -> tuple[str, str]:
    return f"finding = {_quoted(finding)}", f"kind = {_quoted(kind.value)}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'"{escaped}"'
