"""Reports written into a form: "HEART: Enlarged.", a line for each organ.

The label is the subject of what follows it, on its line or below it, until the next label.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from overread.report.rules import UNLISTED
from overread.report.sentence import Statement

_VALUE = re.compile(r"[ \t]*(?:[:=]|--+|[-–—](?=\s))[ \t]*")
_MOST_WORDS = 8  # of a sentence that needs its label to mean anything
_NOTHING = re.compile(r"(?:none|nil|absent|no|not seen|negative|none seen|none identified)\b[ .]*$")
_NO = re.compile(r"no\b")
_PERHAPS = re.compile(
    r"(?:possibl[ey]|probabl[ey]|likely|suspected|questionable|equivocal|indeterminate|uncertain"
    r"|no evidence|not identified|not present|unlikely"
    r"|(?:none|nil|absent|negative)(?: (?:seen|identified|evident|visible|noted|present|apparent|detected))?)"
    r"(?=\s*(?:$|[.,;(]|(?:in|on|at)\b))"
)
_ONE_VALUE = re.compile(rf"[a-z][a-z /-]{{2,40}}(?P<divider>:| [-–—]+(?= ))[ \t]*{_PERHAPS.pattern}")
_NORMAL_ALONE = re.compile(r"(?:normal|negative|unremarkable|within normal limits|wnl)[ .!]*")
NORMAL_STUDY = "normal study"
"""What a conclusion of one word, such as "negative", says."""
_IS = "="  # between a name and a value that says how sure it is, as certainty.toml and negation.toml have it


class Label(NamedTuple):
    """The name of an organ that begins a sentence."""

    subject: str  # in words that the rules know; "" where nothing that follows needs it
    end: int  # of the label and of what divides it from its value, in characters
    silent: bool  # its own words state nothing: "Lines and tubes: none."


class LabelFinder:
    """Finds the labels that the rules name. Immutable."""

    def __init__(self, labels: Mapping[str, str], silent: frozenset[str]) -> None:
        """Take the subject by label, in lower case, and which labels state nothing."""
        self._subjects = dict(labels)
        self._silent = silent
        names = sorted(labels, key=len, reverse=True)
        self._pattern = re.compile(
            rf"(?:the )?({'|'.join(map(re.escape, names))})(?=[ \t]*(?:[:=]|--|[-–—]\s))"
        )

    def find(self, sentence: str) -> Label | None:
        """Return the label that begins a lower-case sentence."""
        match = self._pattern.match(sentence)
        divider = _VALUE.match(sentence, match.end()) if match else None
        if match is None or divider is None:
            return None
        name = match.group(1)
        return Label(self._subjects[name], divider.end(), name in self._silent)

    def is_labelled(self, sentence: str) -> bool:
        """Whether a lower-case sentence begins with a label."""
        return self._pattern.match(sentence) is not None


def is_normal_alone(sentence: str) -> bool:
    """Whether a lower-case sentence is nothing but a word for normal: "Impression: normal."."""
    return _NORMAL_ALONE.fullmatch(sentence) is not None


def with_value(sentence: str) -> str:
    """Return a sentence of the same length in which a lone "possible" or "none" is of the name before it.

    "Edema: possible, effusion: none on the left." is no "left base: possible pneumonia".
    """
    match = _ONE_VALUE.match(sentence)
    if match is None:
        return sentence
    divider = match["divider"]
    return sentence[: match.start("divider")] + _IS.rjust(len(divider)) + sentence[match.end("divider") :]


def labelled(sentence: str, label: Label) -> str:
    """Return a sentence of the same length whose label and value are one phrase: "heart  enlarged".

    Where the value is "none" the colon stays, and `with_value` put another mark before "possible": rules know
    them so.
    """
    name, value = sentence[: label.end].rstrip(" \t:=-–—"), sentence[label.end :]
    if label.silent:
        return value.rjust(len(sentence))
    if _NOTHING.match(value):
        return f"{name}:".ljust(label.end) + ("nil" if _NO.match(value) else value)
    return (name + _IS if _PERHAPS.match(value) else name).ljust(label.end) + value


def needs_label(sentence: str, statements: Sequence[Statement]) -> bool:
    """Whether a short sentence says nothing that the rules know by itself: "Enlarged."."""
    return sentence.count(" ") < _MOST_WORDS and all(
        statement.findings == (UNLISTED,) for statement in statements
    )


def shifted(statement: Statement, by: int) -> Statement:
    """Return a statement whose words stand elsewhere, never before the start of the sentence."""
    start = max(0, statement.start + by)
    return statement._replace(start=start, end=max(start + 1, statement.end + by))
