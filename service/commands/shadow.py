"""`overread shadow`: how far a candidate that runs beside agrees with the active detectors."""

import argparse
from typing import TYPE_CHECKING

from overread.command import EXIT_OK, Command

if TYPE_CHECKING:
    from overread.observation import ObserverIdentity
    from service.triage.agreement import Agreement

DESCRIPTION = """\
Compares what detectors in shadow saw with what the active ones saw on the same studies: per finding how often
both say the same at their operating points, with n and a 95 % interval. Which of the two is right, agreement
does not tell: `overread gate` compares both with the reports.

  overread models activate /models/new --shadow     lets a candidate run beside, seen by nobody who reads
  overread shadow
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""


def run(arguments: argparse.Namespace) -> int:
    """Print the comparison."""
    from service.commands.installation import opened_store  # keeps `overread --help` fast
    from service.store.shadows import walk_shadows
    from service.triage.agreement import compare

    with opened_store(arguments) as store:
        agreements = compare(walk_shadows(store))
    print("\n\n".join(map(describe, agreements)) or "No detector has run in shadow yet.")
    return EXIT_OK


def describe(agreement: "Agreement") -> str:
    """Return the comparison of two detectors as lines."""
    mean = agreement.seconds / agreement.studies
    applies = (
        f"only the active one {agreement.only_active_applies}, only the shadow "
        f"{agreement.only_shadow_applies}, neither {agreement.neither_applies}"
    )
    lines = [
        f"shadow  {_name(agreement.shadow)}",
        f"active  {_name(agreement.active)}",
        f"{agreement.studies} studies, {mean:.2f} s of the shadow's time each; {agreement.failed} failed",
        f"applies to: {applies}",
        f"{'finding':24} {'n':>6} {'both':>6} {'only active':>12} {'only shadow':>12}  agreement",
    ]
    for finding, counts in sorted(agreement.findings.items()):
        lines.append(
            f"{finding:24} {counts.studies:6} {counts.both:6} {counts.only_active:12} "
            f"{counts.only_shadow:12}  {counts.agreement:.3f}"
        )
    return "\n".join(lines)


def _name(detector: "ObserverIdentity") -> str:
    return f"{detector.name} {detector.version} ({detector.sha256[:12]})"


command = Command(
    summary="compare candidates that run in shadow with the active detectors",
    description=DESCRIPTION,
    configure=configure,
    run=run,
    uses_installation=True,
)
