"""Claims of a product, before it is known what they are worth."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from overread.observation import ImageRegion, Laterality, Presence


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One statement of a product about one finding; a study may hold several about the same."""

    finding: str
    presence: Presence | None  # None where only a score is given
    score: float | None = None  # in [0, 1], on the product's own scale; None where none is given
    laterality: Laterality = Laterality.UNSPECIFIED
    regions: tuple[ImageRegion, ...] = ()
    images: tuple[str, ...] = ()  # SOP Instance UIDs that the statement refers to
    size_mm: tuple[float, ...] = ()  # each measured dimension


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Everything that was read of a product's results on one study."""

    claims: tuple[Claim, ...] = ()
    complete: bool = True  # whether the product looked for everything that it can find
    failure: str | None = None  # why there is nothing to be read, in words
    remarks: tuple[str, ...] = ()


def merge(claims: Sequence[Claim]) -> Claim:
    """Return one statement for several about one finding: present if one says so, with the highest score.

    Raises:
        ValueError: there are none, or they are about different findings.
    """
    (finding,) = {claim.finding for claim in claims}
    stated = {claim.presence for claim in claims}
    presence = next((level for level in _STRONGEST_FIRST if level in stated), None)
    same = sorted(
        (claim for claim in claims if claim.presence in {presence, None}),
        key=lambda claim: -1.0 if claim.score is None else claim.score,
        reverse=True,
    )
    return Claim(
        finding=finding,
        presence=presence,
        score=same[0].score,
        laterality=both_sides(claim.laterality for claim in same),
        regions=tuple(dict.fromkeys(region for claim in same for region in claim.regions)),
        images=tuple(dict.fromkeys(image for claim in same for image in claim.images)),
        size_mm=max((claim.size_mm for claim in same), key=lambda size: max(size, default=0.0)),
    )


def both_sides(sides: Iterable[Laterality]) -> Laterality:
    """Return the side of all together: right and left are bilateral, unspecified adds nothing."""
    stated = set(sides) - {Laterality.UNSPECIFIED}
    if not stated:
        return Laterality.UNSPECIFIED
    return stated.pop() if len(stated) == 1 else Laterality.BILATERAL


_STRONGEST_FIRST = (Presence.PRESENT, Presence.UNCERTAIN, Presence.ABSENT)
