"""Cardiothoracic ratio as a number: "CTR 0.62", "cardiothoracic ratio of 58 %".

Above a half the heart counts as enlarged (Danzer, American Journal of the Medical Sciences 157, 1919: 513).
"""

import re
from collections.abc import Sequence

from overread.report.heads import Head, Mention
from overread.report.text import Words

_RULE = "measure:cardiothoracic-ratio"
_ENLARGED = Head("cardiomegaly", _RULE)
_NOT_ENLARGED = Head("cardiomegaly", _RULE, ("cardiomegaly",), normal=True)
_HALF = 0.5
_NAMES = frozenset({"ctr", "ratio", "index"})  # one of which every wording has
_VALUE = re.compile(
    r"\b(?:ctr|ct ratio|c/t ratio|cardio[- ]?thoracic (?:ratio|index))[ :=]*"
    r"(?:(?:is|was|of|at|to|measures|measured|calculated|approximately|about|around|approx\.?) )*"
    r"(?P<limit>[<>≤≥]?) ?(?:0?[.,](?P<share>\d{1,3})\b|(?P<percent>\d{2}(?:[.,]\d+)?) ?%)"
)


def ratio_mention(lowered: str, words: Words, mentions: Sequence[Mention]) -> Mention | None:
    """Return what a lower-case sentence says of the heart by a ratio; None where it names none."""
    if _NAMES.isdisjoint(words.surface):
        return None
    found = _VALUE.search(lowered)
    if found is None:
        return None
    start = next(index for index, at in enumerate(words.starts) if words.end(index) > found.start())
    end = next((index for index, at in enumerate(words.starts) if at >= found.end()), len(words.starts))
    if any(mention.start < end and start < mention.end for mention in mentions):
        return None
    return Mention(start, end, (_ENLARGED if _is_above(found) else _NOT_ENLARGED,))


def _is_above(found: re.Match[str]) -> bool:
    percent = found["percent"]
    value = float(percent.replace(",", ".")) / 100 if percent else float(f"0.{found['share']}")
    return value > _HALF or (value == _HALF and found["limit"] == ">")
