"""Borders of the sentences of a section."""

import re

# What may end a sentence: a stop followed by space, or directly by a word of two letters or more;
# and a line break, which ends one only before a list mark, a blank line, or where no wrapping explains it.
# It begins with a set of characters, to which the search skips; a run of stops is tried at its first only.
_CANDIDATE = re.compile(r"[.!?\n](?:(?<=\n)\s*|(?<=[.!?])(?<![.!?][.!?])[.!?]*(?=\s|$|[^\W\d_]{2}))")
_LIST_MARK = re.compile(r"(?:\(?\d{1,2}[.):](?!\d)|[-*•](?=[ \t])|[a-h][.)](?=\s))[ \t]*")
_OPENING = re.compile(rf"\s*(?:{_LIST_MARK.pattern})?")  # what stands before the first word
_WORD = re.compile(r"\S*")
_LABEL = re.compile(
    r"[A-Za-z][A-Za-z /&,]{1,40}?[ \t]*(?::|--|[-–—] )"
)  # of a line in a form: "heart: enlarged"
_WINDOW = 24  # no abbreviation or list mark is longer
_WRAP_SLACK = 3
_LINES_OF_A_LIST = 3
_ANY_WORD = 100  # characters; longer than the first word of any line

LONGEST_SENTENCE = 1_000
"""Characters; what goes on for longer is read in pieces."""


class SentenceSplitter:
    """Splits text into sentences. Immutable."""

    def __init__(self, abbreviations: frozenset[str]) -> None:
        """Take the abbreviations, lower case and without their stop, after which a sentence goes on."""
        self._abbreviations = abbreviations

    def split(self, text: str, start: int, end: int) -> list[tuple[int, int]]:
        """Return the sentences of text[start:end] as ranges without list marks or surrounding space."""
        while end > start and text[end - 1].isspace():
            end -= 1
        width = _wrap_width(text[start:end]) if text.find("\n", start, end) >= 0 else 0
        sentences: list[tuple[int, int]] = []
        begin = start
        for match in _CANDIDATE.finditer(text, start, end):
            stop, after = match.span()
            if self._line_ends(text, match, width) if text[stop] == "\n" else self._stops(text, begin, stop):
                _add(sentences, text, begin, stop + 1 if text[stop] == "?" else stop)
                begin = after
        _add(sentences, text, begin, end)
        return sentences

    def _stops(self, text: str, begin: int, stop: int) -> bool:
        """Whether a stop ends the sentence: not after an abbreviation or the number of a list item."""
        if text[stop] == "?" and (stop == begin or text[stop - 1].isspace()):
            return False  # "opacity ?pneumonia"
        first = max(begin, stop - _WINDOW)
        word = text[first:stop].rpartition(" ")[2]
        if not word.isalnum():  # "e.g", or a line break in between
            word = (word.split() or [""])[-1]
        if word.isdigit():
            return stop - begin >= _WINDOW or bool(text[begin : stop - len(word)].strip())
        return word.lower().lstrip("([") not in self._abbreviations

    @staticmethod
    def _line_ends(text: str, match: re.Match[str], width: int) -> bool:
        """Whether a line break ends the sentence: it was made on purpose, not by wrapping."""
        if match.group().count("\n") > 1 or _LIST_MARK.match(text, match.end()):
            return True
        if _LABEL.match(text, match.end()):
            return True
        word = _WORD.match(text, match.end())
        first = word.group() if word else ""
        length = match.start() - (text.rfind("\n", 0, match.start()) + 1)
        return first[:1].isupper() and length + 1 + len(first) <= width - _WRAP_SLACK


def _wrap_width(text: str) -> int:
    """Return the width at which lines were wrapped; more than any line's where each is a sentence."""
    lines = [line for line in text.split("\n") if line.strip()]
    width = max(map(len, lines), default=0)
    unstopped = not any(". " in line or line.rstrip().endswith(".") for line in lines)
    starts = all(line.lstrip()[:1].isupper() for line in lines)
    a_sentence_each = len(lines) >= _LINES_OF_A_LIST and unstopped and starts
    return width + _ANY_WORD if a_sentence_each and not text.isupper() else width


def _add(sentences: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    """Add a sentence without list mark and surrounding space; one of monstrous length in pieces."""
    if text[start : start + 1] == " ":
        start += 1
    if not text[start : start + 2].isalpha():  # two letters begin neither a list mark nor space
        opening = _OPENING.match(text, start, end)
        if opening:
            start = opening.end()
    while end > start and text[end - 1].isspace():
        end -= 1
    while end - start > LONGEST_SENTENCE:  # no radiologist's; bounds the work on text without full stops
        cut = max(text.rfind(" ", start, start + LONGEST_SENTENCE), start + LONGEST_SENTENCE // 2)
        sentences.append((start, cut))
        start = cut
    if end > start:
        sentences.append((start, end))
