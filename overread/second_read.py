"""Second read: what a second reader says of a case, when it counts, and what it teaches.

A judgement is never edited: who errs undoes it, and judges again. RADPEER is the scale of 2016
(Goldberg-Stein et al., J Am Coll Radiol 2017;14:1080-1086); only a person scores it.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from overread.cohort import Adjudication
from overread.discrepancy import DiscrepancyKind
from overread.errors import InputError
from overread.finding import ANY_ABNORMALITY, Actionable, Vocabulary
from overread.observation import ImageRegion, Laterality

TEXT_MAX = 4000  # characters of a comment or a learning point
FINDINGS_MAX = 50  # that one person states of one case
SIZE_MM_MAX = 1000.0

Flag = tuple[str, DiscrepancyKind]
"""Finding and kind: what tells the discrepancies of one case apart."""


class Verdict(StrEnum):
    """Word of a second reader on one discrepancy."""

    CONFIRMED = "CONFIRMED"
    NOT_CONFIRMED = "NOT_CONFIRMED"
    UNSURE = "UNSURE"


class RejectionCause(StrEnum):
    """Cause of a flag that is not confirmed."""

    NOT_THERE = "NOT_THERE"  # the detector saw what is not there
    MISREAD_TEXT = "MISREAD_TEXT"  # the report reader misunderstood the report
    KNOWN_OR_CHRONIC = "KNOWN_OR_CHRONIC"
    IN_A_PRIOR = "IN_A_PRIOR"  # an earlier report has it
    NOT_SIGNIFICANT = "NOT_SIGNIFICANT"  # it is there, and matters to nobody
    TECHNICAL = "TECHNICAL"  # position, exposure, artefact
    WRONG_PATIENT_OR_STUDY = "WRONG_PATIENT_OR_STUDY"


class Radpeer(StrEnum):
    """RADPEER score of 2016, of the whole case."""

    CONCUR = "1"
    UNDERSTANDABLE_INSIGNIFICANT = "2a"  # a miss that is not ordinarily expected to be made
    UNDERSTANDABLE_SIGNIFICANT = "2b"
    USUALLY_MADE_INSIGNIFICANT = "3a"  # should be made most of the time
    USUALLY_MADE_SIGNIFICANT = "3b"

    @property
    def needs_arbitration(self) -> bool:
        """Whether it counts only once another person has decided."""
        return self in {
            Radpeer.UNDERSTANDABLE_SIGNIFICANT,
            Radpeer.USUALLY_MADE_INSIGNIFICANT,
            Radpeer.USUALLY_MADE_SIGNIFICANT,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedFinding:
    """A finding that a second reader states, with side, place and size as far as they are given."""

    finding: str
    laterality: Laterality = Laterality.UNSPECIFIED
    region: ImageRegion | None = None
    size_mm: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedFinding:
    """A discrepancy that nothing flagged."""

    stated: StatedFinding
    kind: DiscrepancyKind = DiscrepancyKind.POSSIBLE_MISS


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagVerdict:
    """Verdict on one flagged discrepancy."""

    finding: str
    kind: DiscrepancyKind
    verdict: Verdict
    cause: RejectionCause | None = None  # of a flag that is not confirmed, and of no other
    corrected: StatedFinding | None = None  # what it is in truth; None: as it was flagged

    @property
    def flag(self) -> Flag:
        """Finding and kind."""
        return self.finding, self.kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Judgement of one case by one person."""

    verdicts: tuple[FlagVerdict, ...] = ()  # a flag without one was not looked at
    added: tuple[AddedFinding, ...] = ()
    radpeer: Radpeer | None = None  # None: not scored
    # Category of the ACR Actionable Reporting Work Group (Larson et al., J Am Coll Radiol 2014;11:552-558),
    # as time within which it has to be communicated; None: not categorised.
    acr_category: Actionable | None = None
    comment: str = ""
    learning_point: str = ""
    tells_author: bool = False  # whether the first reader is to be told
    asks_for_addendum: bool = False  # of the first reader, who is told then in any case


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRead:
    """Own read of a second reader, before detector and report are shown; no finding means normal."""

    findings: tuple[StatedFinding, ...] = ()
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RevealChanges:
    """What a second reader took up or gave up after the reveal, as ids of findings."""

    taken_up: tuple[str, ...]  # called missed by the judgement, not in the own read
    given_up: tuple[str, ...]  # in the own read, and by the judgement not there


def check_judgement(judgement: Judgement, flags: Collection[Flag], vocabulary: Vocabulary) -> None:
    """Return if the judgement can be one of a case with these flags.

    Raises:
        InputError: it says nothing, speaks of another flag or twice of one, lacks a cause, names an unknown
            finding, or a text is too long; the message says which.
    """
    if not (judgement.verdicts or judgement.added or judgement.radpeer):
        raise InputError("a judgement says something of a discrepancy, adds one, or scores the case")
    judged = [item.flag for item in judgement.verdicts]
    if len(set(judged)) < len(judged):
        raise InputError("one discrepancy is judged twice")
    if not set(judged) <= set(flags):
        raise InputError("a verdict is about a discrepancy that the case does not have; load it again")
    for item in judgement.verdicts:
        if (item.verdict is Verdict.NOT_CONFIRMED) is (item.cause is None):
            raise InputError("a flag that is not confirmed has a cause, and no other has one")
        if item.corrected is not None and item.verdict is Verdict.NOT_CONFIRMED:
            raise InputError("what is not confirmed is not corrected; add what is there instead")
    stated = [item.corrected for item in judgement.verdicts if item.corrected is not None]
    _check_stated([*stated, *(item.stated for item in judgement.added)], vocabulary)
    _check_texts(judgement.comment, judgement.learning_point)


def check_own_read(own_read: OwnRead, vocabulary: Vocabulary) -> None:
    """Return if the own read can be one.

    Raises:
        InputError: it names an unknown finding or one twice, or its comment is too long.
    """
    names = [item.finding for item in own_read.findings]
    if len(set(names)) < len(names):
        raise InputError("one finding is stated twice")
    _check_stated(own_read.findings, vocabulary)
    _check_texts(own_read.comment)


def disagreements(first: Judgement, second: Judgement) -> tuple[str, ...]:
    """Return in what two independent judgements differ, in words; nothing where they agree.

    A flag that only one of them looked at, comments and corrections of place or size are no disagreement.
    """
    other = {item.flag: item.verdict for item in second.verdicts}
    differing = [
        f"{item.finding}: {item.verdict.value.lower()} and {other[item.flag].value.lower()}"
        for item in first.verdicts
        if other.get(item.flag, item.verdict) is not item.verdict
    ]
    mine, theirs = ({item.stated.finding for item in judgement.added} for judgement in (first, second))
    differing += [f"{finding}: added by one" for finding in sorted(mine ^ theirs)]
    if first.radpeer is not second.radpeer:
        scores = [score.value if score else "none" for score in (first.radpeer, second.radpeer)]
        differing.append(f"RADPEER: {scores[0]} and {scores[1]}")
    return tuple(differing)


def needs_arbitration(judgements: Sequence[Judgement]) -> bool:
    """Whether another person has to decide before these independent judgements of one case count."""
    if any(item.radpeer is not None and item.radpeer.needs_arbitration for item in judgements):
        return True
    return any(disagreements(judgements[0], other) for other in judgements[1:])


def adjudications_of(judgement: Judgement) -> tuple[Adjudication, ...]:
    """Return what the judgement teaches of each pair of finding and kind, each once; of the unsure, nothing.

    Where the finding is corrected to another, the flagged one is not confirmed, and the other is. A judgement
    that leaves nothing open and names nothing says that nothing was missed.
    """
    pairs: dict[Flag, bool] = {}
    for item in judgement.added:
        pairs[item.stated.finding, item.kind] = True
    for verdict in judgement.verdicts:
        if verdict.verdict is Verdict.UNSURE:
            continue
        is_confirmed = verdict.verdict is Verdict.CONFIRMED
        truth = verdict.corrected.finding if verdict.corrected is not None else verdict.finding
        if is_confirmed and truth != verdict.finding:
            pairs[truth, verdict.kind] = True
        pairs.setdefault(verdict.flag, is_confirmed and truth == verdict.finding)
    concurs = judgement.radpeer in {None, Radpeer.CONCUR}
    if not judgement.verdicts and not judgement.added and concurs:
        pairs[ANY_ABNORMALITY, DiscrepancyKind.POSSIBLE_MISS] = False
    return tuple(
        Adjudication(finding=finding, kind=kind, confirmed=confirmed)
        for (finding, kind), confirmed in pairs.items()
    )


def changes_after_reveal(own_read: OwnRead, judgement: Judgement) -> RevealChanges:
    """Return what the own read and the judgement after the reveal differ in."""
    own = {item.finding for item in own_read.findings}
    missed = set(_called_missed(judgement))
    return RevealChanges(
        taken_up=tuple(sorted(missed - own)), given_up=tuple(sorted(own & set(_called_absent(judgement))))
    )


def _called_missed(judgement: Judgement) -> Iterator[str]:
    for item in adjudications_of(judgement):
        if item.kind is DiscrepancyKind.POSSIBLE_MISS and item.confirmed:
            yield item.finding


def _called_absent(judgement: Judgement) -> Iterator[str]:
    for item in judgement.verdicts:
        is_rejected = item.verdict is Verdict.NOT_CONFIRMED and item.cause is RejectionCause.NOT_THERE
        if item.kind is DiscrepancyKind.POSSIBLE_MISS and is_rejected:
            yield item.finding
        if item.kind is DiscrepancyKind.POSSIBLE_OVERCALL and item.verdict is Verdict.CONFIRMED:
            yield item.finding


def _check_stated(stated: Sequence[StatedFinding], vocabulary: Vocabulary) -> None:
    if len(stated) > FINDINGS_MAX:
        raise InputError(f"at most {FINDINGS_MAX} findings can be stated of one case")
    for item in stated:
        if item.finding not in vocabulary:
            raise InputError(f"the vocabulary knows no finding {item.finding[:64]!r}")
        if item.size_mm is not None and not 0 < item.size_mm <= SIZE_MM_MAX:
            raise InputError(f"a size is above 0 and at most {SIZE_MM_MAX:.0f} mm")


def _check_texts(*texts: str) -> None:
    if any(len(text) > TEXT_MAX or "\0" in text for text in texts):
        raise InputError(f"a comment and a learning point have at most {TEXT_MAX} characters")
