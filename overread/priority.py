"""Priority: the policy that turns evidence into an order of the list."""

import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType

from overread.discrepancy import DiscrepancyKind
from overread.errors import ConfigurationError, InvalidFileError, words_of
from overread.finding import Actionable, Finding
from overread.policy_tables import PolicyTables, check_findings, check_number, take_policy_tables
from overread.reporting_model import ReportingModel, parse_reporting_model, shipped_reporting_model
from overread.thresholds import Thresholds, parse_thresholds

MAXIMUM_WEIGHT = 5
MAXIMUM_PRIORITY = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRatios:
    """Odds factors for what a report says about a finding that it does not state, against saying nothing."""

    denied: float  # odds ratio
    hedged: float  # odds ratio
    related_share: float  # of what is there beside a related finding that is stated, is called a miss; (0, 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderSensitivity:
    """Share that reports state of the findings that they state or a second reader adds, in (0, 1)."""

    by_finding: Mapping[str, float]
    other: float  # findings that are not named

    def of(self, finding: str) -> float:
        """Return the share for one finding."""
        return self.by_finding.get(finding, self.other)


@dataclass(frozen=True, slots=True, kw_only=True)
class OvercallRatios:
    """Odds factors for a stated finding that the detector does not see."""

    prior_odds: float  # that a stated finding is not confirmed
    maximum_ratio: float  # detector odds ratio above which nothing is made of it
    benefit: float  # share of the priority of a miss with the same odds


@dataclass(frozen=True, slots=True, kw_only=True)
class LateralityRatios:
    """Odds factors for a finding seen on the other side."""

    prior_odds: float  # that a stated side is wrong
    side_ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SeveralDetectors:
    """Correlation between several detectors."""

    dependence: float  # share of the evidence of one that another repeats, in (0, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Settings of the order, versioned: every stored priority names the policy that made it."""

    version: str
    minimum_odds: float  # below this a discrepancy is not listed
    reader: ReaderSensitivity
    report: ReportRatios
    overcall: OvercallRatios
    laterality: LateralityRatios
    detectors: SeveralDetectors
    urgency: Mapping[Actionable, float]  # share of the clinical weight that counts, in (0, 1]
    tables: PolicyTables  # further kinds, triggers, what is known, waiting, the line
    reporting_models: Mapping[str, ReportingModel] = field(default_factory=dict)  # the site's, by detector
    thresholds: Thresholds | None = None  # the site's, for so many looks a day

    def reporting_model(self, detector: str, version: str) -> ReportingModel | None:
        """Return the site's model for a detector, else the one that comes with overread, else None."""
        for model in (self.reporting_models.get(detector), shipped_reporting_model(detector)):
            if model is not None and model.fits(detector, version):
                return model
        return None


def priority(odds: float, finding: Finding, policy: Policy) -> float:
    """Return the expected benefit of a look, in [0, 100]: share of the odds x clinical weight x urgency."""
    return MAXIMUM_PRIORITY * odds / (1 + odds) * priority_factor(finding, policy)


def priority_factor(finding: Finding, policy: Policy) -> float:
    """Return what a certain discrepancy about the finding is worth, in (0, 1]: clinical weight x urgency.

    What is incidental (weight 1) counts a third of what harms within hours (weight 5): the order follows the
    evidence first.
    """
    return (1 + finding.weight) / (1 + MAXIMUM_WEIGHT) * policy.urgency[finding.actionable]


def least_odds(finding: str, kind: DiscrepancyKind, policy: Policy) -> float:
    """Return the odds from which a discrepancy is listed; infinite where the site never wants to see it."""
    if policy.thresholds is None:
        return policy.minimum_odds
    least = policy.thresholds.least_probability(finding, kind)
    return max(policy.minimum_odds, least / (1 - least) if least < 1 else math.inf)


def joint_probability(probabilities: Iterable[float]) -> float:
    """Return the probability that any of several events happens, taken as independent."""
    return 1 - math.prod(1 - item for item in probabilities)


def joint_priority(priorities: Iterable[float]) -> float:
    """Return the priority of a case by those of its discrepancies, in [0, 100].

    One look finds them all, so that each adds what the others leave: as the probability that any of several
    independent events happens.
    """
    return MAXIMUM_PRIORITY * (1 - math.prod(1 - item / MAXIMUM_PRIORITY for item in priorities))


def parse_policy(text: str) -> Policy:
    """Return the policy that a TOML text defines.

    Raises:
        ConfigurationError: not TOML, a field is missing, unknown, or not a positive number.
    """
    try:
        table = tomllib.loads(text)
        urgency = table.pop("urgency")
        if set(urgency) != {category.value for category in Actionable}:
            raise ConfigurationError("the policy must give [urgency] for minutes, hours, days and none, only")
        policy = Policy(
            version=str(table.pop("version")),
            minimum_odds=table.pop("minimum_odds"),
            reader=_reader(table.pop("reader_sensitivity")),
            report=ReportRatios(**table.pop("report")),
            overcall=OvercallRatios(**table.pop("overcall")),
            laterality=LateralityRatios(**table.pop("laterality")),
            detectors=SeveralDetectors(**table.pop("detectors")),
            urgency=MappingProxyType({category: urgency[category.value] for category in Actionable}),
            tables=take_policy_tables(table),
            reporting_models=_reporting_models(table.pop("reporting_model", {})),
            thresholds=_thresholds(table.pop("budget", None)),
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError, RecursionError) as error:
        raise ConfigurationError(f"the policy is malformed: {error}") from error
    if table:
        raise ConfigurationError(f"the policy has unknown settings: {', '.join(table)}")
    _check_numbers(policy)
    return policy


def read_policy(path: Path) -> Policy:
    """Return the policy of a TOML file.

    Raises:
        InvalidFileError: the file cannot be read as UTF-8 text.
        ConfigurationError: it is no valid policy, see `parse_policy`.
    """
    return parse_policy(policy_text(path))


def policy_text(path: Path) -> str:
    """Return what a policy's file says.

    Raises:
        InvalidFileError: the file cannot be read as UTF-8 text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidFileError(f"cannot read the policy {path} as UTF-8 text: {words_of(error)}") from error


@cache
def default_policy() -> Policy:
    """Return the policy that comes with overread."""
    return parse_policy(shipped_policy_text())


def shipped_policy_text() -> str:
    """Return the file of the policy that comes with overread."""
    return (files("overread") / "data" / "policy.toml").read_text(encoding="utf-8")


def _reporting_models(table: dict[str, str]) -> Mapping[str, ReportingModel]:
    models = {detector: parse_reporting_model(text) for detector, text in table.items()}
    for detector, model in models.items():
        if model.detector != detector:
            raise ConfigurationError(f"the policy's reporting_model.{detector} is one for {model.detector}")
    return MappingProxyType(models)


def _thresholds(table: dict[str, str] | None) -> Thresholds | None:
    if table is None:
        return None
    thresholds = parse_thresholds(table.pop("thresholds"))
    if table:
        raise ConfigurationError(f"the policy's budget has unknown settings: {', '.join(table)}")
    return thresholds


def _reader(table: dict[str, float]) -> ReaderSensitivity:
    for finding, share in table.items():
        if not isinstance(share, float) or not 0 < share < 1:
            raise ConfigurationError(f"the policy's reader_sensitivity.{finding} must lie between 0 and 1")
    other = table.pop("other")
    check_findings("reader_sensitivity", tuple(table))
    return ReaderSensitivity(by_finding=MappingProxyType(table), other=other)


def _check_numbers(policy: Policy) -> None:
    numbers: dict[str, object] = {"minimum_odds": policy.minimum_odds}
    for part in (policy.report, policy.overcall, policy.laterality, policy.detectors):
        numbers |= {field.name: getattr(part, field.name) for field in fields(part)}
    numbers |= {f"urgency.{category}": value for category, value in policy.urgency.items()}
    for name, value in numbers.items():
        check_number(name, value)
    if policy.report.related_share > 1:
        raise ConfigurationError("the policy's report.related_share is a share, at most 1")
