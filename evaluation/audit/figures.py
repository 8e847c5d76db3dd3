"""Figures of an audit: what is counted of each case, and of how many cases it is a share."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overread.case_arrays import NOBODY_LOOKED, CaseArrays
from overread.finding import ANY_ABNORMALITY

Booleans = NDArray[np.bool_]

ANY = "any"
"""Stands for any finding of a case."""

CONFIRMED = "confirmed"
DISAGREEMENT = "disagreement"
FLAGGED = "flagged"

MEANINGS = {
    "detected": "the detector sees it at its operating point",
    "stated": "the report states it",
    "seen_not_reported": "the detector sees it, the report neither states nor considers it",
    "reported_not_seen": "the report states it, the detector does not see it",
    DISAGREEMENT: "report and detector disagree on a finding, either way",
    FLAGGED: "stands in the part of the list that is to be read",
    "confirmed_miss": "a second reader confirmed that it was missed; of those that were read for it",
    "confirmed_overcall": "a second reader confirmed an overcall; of those that were read for it",
    CONFIRMED: "a second reader confirmed a discrepancy; of the cases that were read",
}
"""What each figure is the share of, in words."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FigureTable:
    """Figures of each case: arrays of shape (cases, figures)."""

    names: tuple[tuple[str, str], ...]  # finding, or `ANY`, and figure
    hits: Booleans
    cases: Booleans  # whether the case is one that the figure is a share of


def figure_table(arrays: CaseArrays, flagged: Booleans) -> FigureTable:
    """Return what is counted of each case; a figure that no case has is left out.

    Args:
        arrays: the cases.
        flagged: (cases,) whether it stands in the part of the list that is to be read.
    """
    columns: list[tuple[str, str, Booleans, Booleans]] = []
    for number, finding in enumerate(arrays.findings):
        columns += [(finding, *figure) for figure in _of_finding(arrays, number)]
    columns += [(ANY, *figure) for figure in _of_case(arrays, flagged)]
    present = [column for column in columns if column[3].any()]
    return FigureTable(
        names=tuple((finding, figure) for finding, figure, _, _ in present),
        hits=np.column_stack([hits & cases for _, _, hits, cases in present]),
        cases=np.column_stack([cases for _, _, _, cases in present]),
    )


def _of_finding(arrays: CaseArrays, number: int) -> Sequence[tuple[str, Booleans, Booleans]]:
    stated: Booleans = arrays.stated[:, number]
    hedged: Booleans = arrays.hedged[:, number]
    seen: Booleans = arrays.seen[:, number]
    pointed = _pointed(arrays, number)
    return [
        ("detected", seen, pointed),
        ("stated", stated, _every(arrays)),
        ("seen_not_reported", _all(seen, ~stated, ~hedged), pointed),
        ("reported_not_seen", _all(stated, ~seen), pointed),
        ("confirmed_miss", *_verdicts(arrays.missed, number)),
        ("confirmed_overcall", *_verdicts(arrays.overcalled, number)),
    ]


def _of_case(arrays: CaseArrays, flagged: Booleans) -> Sequence[tuple[str, Booleans, Booleans]]:
    named = [number for number, finding in enumerate(arrays.findings) if finding != ANY_ABNORMALITY]
    seen, stated = arrays.seen[:, named], arrays.stated[:, named]
    pointed = np.column_stack([_pointed(arrays, number) for number in named])
    apart = pointed & ((seen & ~stated & ~arrays.hedged[:, named]) | (stated & ~seen))
    return [
        ("detected", _any(_all(seen, pointed)), _any(pointed)),
        ("stated", _any(stated), _every(arrays)),
        (DISAGREEMENT, _any(apart), _any(pointed)),
        (FLAGGED, flagged, _every(arrays)),
        (CONFIRMED, arrays.found, arrays.read),
    ]


def _any(matrix: Booleans) -> Booleans:
    """Return the rows where any column holds."""
    held: Booleans = np.logical_or.reduce(matrix, axis=1)
    return held


def _all(*conditions: Booleans) -> Booleans:
    """Return where all of them hold."""
    held: Booleans = np.logical_and.reduce(conditions)
    return held


def _every(arrays: CaseArrays) -> Booleans:
    return np.ones(len(arrays), dtype=bool)


def _pointed(arrays: CaseArrays, number: int) -> Booleans:
    """Return where the detector has an operating point and looked for the finding."""
    looked = np.isfinite(arrays.scores[:, min(number, arrays.scores.shape[1] - 1)])
    pointed: Booleans = arrays.has_point[:, 0] & looked
    return pointed


def _verdicts(verdicts: NDArray[np.int8], number: int) -> tuple[Booleans, Booleans]:
    of = verdicts[:, min(number, verdicts.shape[1] - 1)]
    return of == 1, of != NOBODY_LOOKED
