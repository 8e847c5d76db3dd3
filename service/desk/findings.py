"""The findings of a case as its page shows them: the likeliest first, what is less likely folded away."""

from dataclasses import dataclass

from overread.discrepancy import Discrepancy
from overread.finding import Actionable, Vocabulary
from service.desk.known import finding_words
from service.desk.words import KINDS, URGENCIES, URGENT, chance, ratio, sentence
from service.store.headline import evidence_of

_SHOWN = 3  # in any case
_FOLDED_BELOW = 0.2  # a probability; what is likelier is shown however many there are


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorLine:
    """One piece of evidence."""

    name: str
    reason: str
    ratio: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingCard:
    """One discrepancy."""

    number: int
    address: str
    current: bool
    heading: str
    kind: str
    urgency: str
    urgent: bool
    chance: str  # that it is so, in words
    reasons: tuple[str, ...]
    evidence: str  # what speaks for and against it, as one sentence
    factors: tuple[FactorLine, ...]
    odds: str
    priority: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """The cards of a case."""

    shown: tuple[FindingCard, ...]
    folded: tuple[FindingCard, ...]
    open: bool  # whether the reader looks at one that is folded


def findings_of(
    discrepancies: tuple[Discrepancy, ...], addresses: tuple[str, ...], current: int, vocabulary: Vocabulary
) -> Findings:
    """Return the cards of the discrepancies of a case.

    Args:
        discrepancies: strongest evidence first.
        addresses: of the case with each of them chosen.
        current: number of the one that the reader looks at, from 1.
        vocabulary: the findings.
    """
    shown: list[FindingCard] = []
    folded: list[FindingCard] = []
    for number, (item, address) in enumerate(zip(discrepancies, addresses, strict=True), start=1):
        card = _card(item, vocabulary, number=number, address=address, current=number == current)
        unlikely = item.probability < _FOLDED_BELOW
        (folded if number > _SHOWN and unlikely else shown).append(card)
    return Findings(shown=tuple(shown), folded=tuple(folded), open=any(card.current for card in folded))


def _card(
    item: Discrepancy, vocabulary: Vocabulary, *, number: int, address: str, current: bool
) -> FindingCard:
    known = vocabulary.get(item.finding)
    actionable = known.actionable if known else Actionable.NONE
    return FindingCard(
        number=number,
        address=address,
        current=current,
        heading=finding_words(item),
        kind=KINDS[item.kind],
        urgency=URGENCIES[actionable],
        urgent=actionable in URGENT,
        chance=chance(item.probability),
        reasons=item.reasons,
        evidence=sentence(evidence_of(item)),
        factors=tuple(
            FactorLine(name=factor.name, reason=factor.reason, ratio=ratio(factor.odds_ratio))
            for factor in item.factors
        ),
        odds=ratio(item.odds),
        priority=item.priority,
    )
