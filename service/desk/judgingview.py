"""View of the judging part of the case page, ready for the template."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from overread.case import CaseState
from overread.finding import Actionable, load_vocabulary
from overread.observation import Laterality
from overread.second_read import (
    AddedFinding,
    FlagVerdict,
    Judgement,
    OwnRead,
    Radpeer,
    RejectionCause,
    Verdict,
)
from service.adjudication.known_reads import KnownRead, KnownReads
from service.desk.known import finding_words
from service.desk.listing import Listing
from service.desk.words import KINDS, SIDES, finding_name
from service.store.records import CaseDetail

VERDICTS: Mapping[Verdict, tuple[str, str]] = {  # word and key
    Verdict.CONFIRMED: ("Confirmed", "y"),
    Verdict.NOT_CONFIRMED: ("Not confirmed", "n"),
    Verdict.UNSURE: ("Unsure", "q"),
}
CAUSES: Mapping[RejectionCause, str] = {
    RejectionCause.NOT_THERE: "Detector saw what is not there",
    RejectionCause.MISREAD_TEXT: "Report was misread",
    RejectionCause.KNOWN_OR_CHRONIC: "Known or chronic",
    RejectionCause.IN_A_PRIOR: "In a prior report",
    RejectionCause.NOT_SIGNIFICANT: "Not significant",
    RejectionCause.TECHNICAL: "Technical",
    RejectionCause.WRONG_PATIENT_OR_STUDY: "Wrong patient or study",
}
SCORES: Mapping[Radpeer, str] = {
    Radpeer.CONCUR: "concur",
    Radpeer.UNDERSTANDABLE_INSIGNIFICANT: "understandable miss, not significant",
    Radpeer.UNDERSTANDABLE_SIGNIFICANT: "understandable miss, significant",
    Radpeer.USUALLY_MADE_INSIGNIFICANT: "should be made, not significant",
    Radpeer.USUALLY_MADE_SIGNIFICANT: "should be made, significant",
}
CATEGORIES: Mapping[Actionable, str] = {
    Actionable.MINUTES: "1, within minutes",
    Actionable.HOURS: "2, within hours",
    Actionable.DAYS: "3, within days",
    Actionable.NONE: "not actionable",
}
ADDED_ROWS = 3


class Mode(StrEnum):
    """Mode of the judging part."""

    OWN_READ = "OWN_READ"  # report and result are hidden
    JUDGE = "JUDGE"
    ARBITRATE = "ARBITRATE"
    SHOWN = "SHOWN"  # nothing to do for whoever looks


_CLAIMED = frozenset({Mode.OWN_READ, Mode.JUDGE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One choice: its value, words, and the key that makes it."""

    value: str
    words: str
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagBlock:
    """Part of the form about one discrepancy."""

    number: int  # of the discrepancy on the page, from 1
    value: str  # kind and finding, as the form sends them
    heading: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidLine:
    """A judgement or own read in words."""

    reader: str
    words: tuple[str, ...]
    comment: str
    learning_point: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgingView:
    """The judging part."""

    mode: Mode
    action: str  # address of the form
    undo_action: str
    submission: str
    revision: int
    image: str  # SOP Instance UID of the image on which a box is drawn; empty without one
    flags: tuple[FlagBlock, ...]
    said: tuple[SaidLine, ...]  # by readers, as far as it may be known
    own_read: SaidLine | None  # of whoever looks
    disagreements: tuple[str, ...]
    undoes: int | None  # entry that whoever looks may take back
    notice: str
    claims: str  # number of the case, which who begins to judge claims; empty where nobody is to

    verdicts: tuple[Option, ...] = tuple(
        Option(value=one.value, words=words, key=key) for one, (words, key) in VERDICTS.items()
    )
    causes: tuple[Option, ...] = tuple(
        Option(value=one.value, words=words, key=str(number))
        for number, (one, words) in enumerate(CAUSES.items(), start=1)
    )
    scores: tuple[Option, ...] = tuple(
        Option(value=one.value, words=words, key=str(number))
        for number, (one, words) in enumerate(SCORES.items(), start=1)
    )
    categories: tuple[Option, ...] = tuple(
        Option(value=one.value, words=words) for one, words in CATEGORIES.items()
    )
    sides: tuple[Option, ...] = tuple(
        Option(value=one.value, words=words or "side") for one, words in SIDES.items()
    )
    kinds: tuple[Option, ...] = tuple(Option(value=one.value, words=words) for one, words in KINDS.items())
    rows: tuple[int, ...] = tuple(range(1, ADDED_ROWS + 1))

    @property
    def findings(self) -> tuple[Option, ...]:
        """Every finding of the vocabulary, by name."""
        named = sorted((finding_name(finding), finding) for finding in load_vocabulary())
        return tuple(Option(value=finding, words=name) for name, finding in named)


def judging_view(
    detail: CaseDetail, known: KnownReads, listing: Listing, *, is_hidden: bool, may_judge: bool
) -> JudgingView | None:
    """Return the judging part of a case as somebody sees it; None where there is nothing to say or do."""
    mode = _mode(detail.summary.state, known, is_hidden=is_hidden, may_judge=may_judge)
    said = tuple(_said(item.reader, item.judgement) for item in known.reads if item.stands and item.judgement)
    if mode is Mode.SHOWN and not said:
        return None
    step = "own-read" if mode is Mode.OWN_READ else "judgement"
    address = listing.case_address(detail.summary.case_id)
    path, _, query = address.partition("?")
    more = f"?{query}" if query else ""
    own_read = known.my_own_read
    return JudgingView(
        mode=mode,
        action=f"{path}/{step}{more}",
        undo_action=f"{path}/judgement/undo{more}",
        submission=secrets.token_hex(16),
        revision=detail.summary.revision,
        image=_image_of(detail),
        flags=_flags(detail) if mode in {Mode.JUDGE, Mode.ARBITRATE} else (),
        said=said,
        own_read=None if own_read is None or own_read.own_read is None else _own_said(own_read.own_read),
        disagreements=known.disagreements,
        undoes=_undoable(detail.summary.state, known.mine),
        claims=str(detail.summary.case_id) if mode in _CLAIMED else "",
        notice=_notice(detail.summary.state, known),
    )


def _mode(state: CaseState, known: KnownReads, *, is_hidden: bool, may_judge: bool) -> Mode:
    if not may_judge or known.mine is not None:
        return Mode.SHOWN
    if state is CaseState.LISTED:
        return Mode.OWN_READ if is_hidden else Mode.JUDGE
    return Mode.ARBITRATE if state is CaseState.AWAITING_ARBITRATION else Mode.SHOWN


def _undoable(state: CaseState, mine: KnownRead | None) -> int | None:
    open_still = {CaseState.LISTED, CaseState.AWAITING_ARBITRATION, CaseState.JUDGED}
    return mine.read_id if mine is not None and state in open_still else None


def _notice(state: CaseState, known: KnownReads) -> str:
    if known.mine is None:
        return ""
    if state is CaseState.LISTED:
        return "You have judged this case. It waits for another reader."
    if state is CaseState.AWAITING_ARBITRATION:
        return "You have judged this case. Another person decides before it counts."
    return ""


def _image_of(detail: CaseDetail) -> str:
    for item in detail.triage.result.discrepancies if detail.triage else ():
        if item.detector_observation is not None:
            return item.detector_observation.sop_instance_uid
    return next((item.sop_instance_uid for item in detail.instances if item.rows != 0), "")


def _flags(detail: CaseDetail) -> tuple[FlagBlock, ...]:
    """Return a part for each discrepancy; one that repeats finding and kind of another is judged with it."""
    found: dict[str, FlagBlock] = {}
    for number, item in enumerate(detail.triage.result.discrepancies if detail.triage else (), start=1):
        value = f"{item.kind.value}:{item.finding}"
        found.setdefault(
            value,
            FlagBlock(number=number, value=value, heading=finding_words(item), kind=KINDS[item.kind]),
        )
    return tuple(found.values())


def _said(reader: str, judgement: Judgement) -> SaidLine:
    words = [*judged_words(judgement.verdicts, judgement.added, judgement.radpeer)]
    if judgement.acr_category is not None:
        words.append(f"ACR category {CATEGORIES[judgement.acr_category]}")
    if judgement.asks_for_addendum:
        words.append("the author is asked for an addendum")
    elif judgement.tells_author:
        words.append("the author is to be told")
    return SaidLine(
        reader=reader, words=tuple(words), comment=judgement.comment, learning_point=judgement.learning_point
    )


def judged_words(
    verdicts: Sequence[FlagVerdict], added: Sequence[AddedFinding], radpeer: Radpeer | None
) -> tuple[str, ...]:
    """Return what was judged, in words."""
    words = [
        f"{finding_name(item.finding)}: {VERDICTS[item.verdict][0].lower()}"
        + (f", {CAUSES[item.cause].lower()}" if item.cause else "")
        + (f"; it is {finding_name(item.corrected.finding).lower()}" if item.corrected else "")
        for item in verdicts
    ]
    words += [f"{finding_name(item.stated.finding)}{_side(item.stated.laterality)}: added" for item in added]
    if radpeer is not None:
        words.append(f"RADPEER {radpeer.value}")
    return tuple(words)


def _own_said(own_read: OwnRead) -> SaidLine:
    words = tuple(f"{finding_name(item.finding)}{_side(item.laterality)}" for item in own_read.findings)
    return SaidLine(reader="You", words=words or ("Normal",), comment=own_read.comment, learning_point="")


def _side(laterality: Laterality) -> str:
    return f", {SIDES[laterality]}" if SIDES[laterality] else ""
