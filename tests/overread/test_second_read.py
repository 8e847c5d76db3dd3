"""What a second reader may say of a case, when it counts, and what it teaches."""

import pytest

from overread.cohort import Adjudication
from overread.discrepancy import DiscrepancyKind
from overread.errors import InputError
from overread.finding import load_vocabulary
from overread.second_read import (
    AddedFinding,
    FlagVerdict,
    Judgement,
    OwnRead,
    Radpeer,
    RejectionCause,
    StatedFinding,
    Verdict,
    adjudications_of,
    changes_after_reveal,
    check_judgement,
    check_own_read,
    disagreements,
    needs_arbitration,
)

MISS, OVERCALL = DiscrepancyKind.POSSIBLE_MISS, DiscrepancyKind.POSSIBLE_OVERCALL
FLAGS = {("mass", MISS), ("effusion", OVERCALL)}
VOCABULARY = load_vocabulary()


def verdict(
    finding: str = "mass",
    word: Verdict = Verdict.CONFIRMED,
    *,
    kind: DiscrepancyKind = MISS,
    cause: RejectionCause | None = None,
    corrected: StatedFinding | None = None,
) -> FlagVerdict:
    return FlagVerdict(finding=finding, kind=kind, verdict=word, cause=cause, corrected=corrected)


REJECTED = verdict(word=Verdict.NOT_CONFIRMED, cause=RejectionCause.NOT_THERE)


@pytest.mark.parametrize(
    ("judgement", "words"),
    [
        (Judgement(comment="see above"), "says something"),
        (Judgement(verdicts=(verdict(), REJECTED)), "judged twice"),
        (Judgement(verdicts=(verdict("nodule"),)), "does not have"),
        (Judgement(verdicts=(verdict(kind=OVERCALL),)), "does not have"),
        (Judgement(verdicts=(verdict(word=Verdict.NOT_CONFIRMED),)), "has a cause"),
        (Judgement(verdicts=(verdict(cause=RejectionCause.TECHNICAL),)), "has a cause"),
        (Judgement(verdicts=(verdict(corrected=StatedFinding(finding="sorrow")),)), "no finding 'sorrow'"),
        (Judgement(added=(AddedFinding(stated=StatedFinding(finding="mass", size_mm=0)),)), "a size"),
        (Judgement(verdicts=(verdict(),), learning_point="x" * 4001), "4000 characters"),
    ],
)
def test_what_cannot_be_a_judgement_is_refused(judgement: Judgement, words: str) -> None:
    with pytest.raises(InputError, match=words):
        check_judgement(judgement, FLAGS, VOCABULARY)


@pytest.mark.parametrize(
    "judgement",
    [
        Judgement(verdicts=(verdict(), verdict("effusion", Verdict.UNSURE, kind=OVERCALL))),
        Judgement(verdicts=(REJECTED,)),
        Judgement(radpeer=Radpeer.CONCUR),
        Judgement(added=(AddedFinding(stated=StatedFinding(finding="nodule", size_mm=7)),)),
    ],
)
def test_a_judgement_may_leave_flags_unjudged_and_score_or_add_alone(judgement: Judgement) -> None:
    check_judgement(judgement, FLAGS, VOCABULARY)


def test_an_own_read_states_known_findings_once_and_may_be_normal() -> None:
    check_own_read(OwnRead(), VOCABULARY)
    mass = StatedFinding(finding="mass")
    with pytest.raises(InputError, match="twice"):
        check_own_read(OwnRead(findings=(mass, mass)), VOCABULARY)


@pytest.mark.parametrize(
    ("score", "asks"),
    [("1", False), ("2a", False), ("2b", True), ("3a", True), ("3b", True)],
)
def test_from_2b_on_a_score_counts_only_after_arbitration(score: str, asks: bool) -> None:
    assert needs_arbitration([Judgement(radpeer=Radpeer(score))]) is asks


def test_two_readers_who_differ_need_a_third() -> None:
    first = Judgement(verdicts=(verdict(),), radpeer=Radpeer.UNDERSTANDABLE_INSIGNIFICANT)
    other = Judgement(verdicts=(REJECTED,), radpeer=Radpeer.CONCUR)
    assert disagreements(first, other) == ("mass: confirmed and not_confirmed", "RADPEER: 2a and 1")
    assert needs_arbitration([first, other])
    assert not needs_arbitration([first, first])


def test_a_flag_that_one_of_two_left_open_is_no_disagreement_and_one_added_is() -> None:
    first = Judgement(verdicts=(verdict(),))
    silent = Judgement(verdicts=(verdict("effusion", kind=OVERCALL),))
    assert disagreements(first, silent) == ()
    added = Judgement(verdicts=(verdict(),), added=(AddedFinding(stated=StatedFinding(finding="nodule")),))
    assert disagreements(first, added) == ("nodule: added by one",)


def test_a_judgement_teaches_each_pair_once_and_nothing_of_what_is_unsure() -> None:
    judgement = Judgement(
        verdicts=(verdict(), verdict("effusion", Verdict.UNSURE, kind=OVERCALL)),
        added=(AddedFinding(stated=StatedFinding(finding="nodule")),),
    )
    assert adjudications_of(judgement) == (
        Adjudication(finding="nodule", kind=MISS, confirmed=True),
        Adjudication(finding="mass", kind=MISS, confirmed=True),
    )
    assert adjudications_of(Judgement(verdicts=(REJECTED,))) == (
        Adjudication(finding="mass", kind=MISS, confirmed=False),
    )


def test_a_corrected_finding_is_confirmed_in_place_of_the_flagged_one() -> None:
    judgement = Judgement(verdicts=(verdict(corrected=StatedFinding(finding="nodule")),))
    assert {(item.finding, item.confirmed) for item in adjudications_of(judgement)} == {
        ("nodule", True),
        ("mass", False),
    }


def test_what_was_changed_after_the_reveal_is_known() -> None:
    own = OwnRead(findings=(StatedFinding(finding="nodule"), StatedFinding(finding="effusion")))
    judgement = Judgement(verdicts=(verdict(), verdict("effusion", kind=OVERCALL)))
    changes = changes_after_reveal(own, judgement)
    assert changes.taken_up == ("mass",)
    assert changes.given_up == ("effusion",)
    assert changes_after_reveal(OwnRead(findings=(StatedFinding(finding="mass"),)), judgement).taken_up == ()
