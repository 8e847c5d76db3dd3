"""Baseline reader: a plain keyword list with negation cues, the floor to beat."""

import re
from collections.abc import Callable, Iterator

from overread.observation import Presence

_KEYWORDS = {
    "cardiomegaly": r"cardiomegaly|enlarged (?:heart|cardiac)|heart (?:size )?is (?:\w+ )?enlarged|"
    r"cardiac enlargement",
    "atelectasis": r"atelecta\w+",
    "effusion": r"effusions?|pleural fluid",
    "pneumothorax": r"pneumothora\w+",
    "opacity": r"opacit\w+|infiltrates?|consolidations?|air ?space disease|densit(?:y|ies)",
    "consolidation": r"consolidations?|air ?space disease",
    "pneumonia": r"pneumonia",
    "edema": r"edema",
    "congestion": r"congestion",
    "nodule": r"nod(?:ule|ular)\w*",
    "mass": r"mass(?:es)?",
    "granuloma": r"granulomas?",
    "granulomatous disease": r"granulomatous",
    "scar": r"scar(?:s|ring)?",
    "emphysema": r"(?<!subcutaneous )emphysema\w*",
    "hyperinflation": r"hyperinflat\w+|hyperexpan\w+|flattened diaphragms?|flattening of the diaphragms?",
    "low lung volumes": r"low lung volumes?|hypoinflat\w+|hypoventilat\w+|lung volumes are low",
    "pleural thickening": r"pleural thickening",
    "tortuous aorta": r"tortuous|tortuosity|ectatic",
    "atherosclerosis": r"atheroscl\w+|aortic calcifications?|calcified aorta",
    "hiatal hernia": r"hernia",
    "degenerative change": r"degenerative|spondylosis|osteophytes?|arthritis|spurring",
    "scoliosis": r"\w*scoliosis",
    "fracture": r"fractures?",
}
_NEGATION = re.compile(r"\b(?:no|without|not|negative for|free of|clear of|absence of|neither|nor)\b")
_END_OF_NEGATION = re.compile(r"\b(?:but|however|although|there is|there are)\b|;")
_HEDGE = re.compile(
    r"\b(?:may|might|could|possibl[ey]|probabl[ey]|likely|suggest\w*|questionable|question|suspicious|concerning|"
    r"versus|vs|cannot|suspected|borderline|perhaps|or)\b"
)
_SENTENCE = re.compile(r"[^.\n]+")


_WORDS = {
    "side": {
        "RIGHT": r"right",
        "LEFT": r"left|lingular?",
        "BILATERAL": r"bilateral\w*|both|bibasilar|biapical|bases|apices|lungs",
    },
    "zone": {
        "upper lobe": r"upper (?:lobes?|lungs?)",
        "middle lobe": r"middle lobe|right mid ?lung",
        "lower lobe": r"lower (?:lobes?|lungs?)",
        "lingula": r"lingular?|left mid ?lung",
        "base": r"bases?|(?:bi)?basilar",
        "apex": r"apex|apices|(?:bi)?apical",
        "hilum": r"hil(?:um|ar|a)|(?:peri|supra|infra)hilar",
    },
    "severity": {
        "mild": r"mild(?:ly)?|minimal(?:ly)?|slight(?:ly)?|small|tiny|trace",
        "borderline": r"borderline",
        "moderate": r"moderate(?:ly)?",
        "severe": r"severe(?:ly)?|marked(?:ly)?|large|extensive",
    },
}


class KeywordReader:
    """Finds findings by one pattern each, denied by a cue before them, hedged by a cue in the sentence."""

    def __init__(self) -> None:
        """Compile the patterns."""
        self._patterns = {name: re.compile(rf"\b(?:{pattern})\b") for name, pattern in _KEYWORDS.items()}

    def presences(self, text: str) -> dict[str, set[Presence]]:
        """Return by label how the report's FINDINGS and IMPRESSION state it."""
        stated: dict[str, set[Presence]] = {}
        for sentence in _sentences(text):
            for name, pattern in self._patterns.items():
                for match in pattern.finditer(sentence):
                    stated.setdefault(name, set()).add(_presence(sentence, match))
        return stated

    def values(self, attribute: str) -> Callable[[str], dict[str, frozenset[str]]]:
        """Return what the words of the sentences that state a finding say of side, zone or severity."""
        words = {value: re.compile(rf"\b(?:{pattern})\b") for value, pattern in _WORDS[attribute].items()}

        def values(text: str) -> dict[str, frozenset[str]]:
            found: dict[str, set[str]] = {}
            for sentence in _sentences(text):
                said = {value for value, pattern in words.items() if pattern.search(sentence)}
                for name, pattern in self._patterns.items():
                    if any(_presence(sentence, m) is Presence.PRESENT for m in pattern.finditer(sentence)):
                        found.setdefault(name, set()).update(said)
            return {name: _one_side(said) for name, said in found.items()}

        return values


def _one_side(said: set[str]) -> frozenset[str]:
    sides = said & set(_WORDS["side"])
    return frozenset({"BILATERAL"} if len(sides) > 1 else said)


def _sentences(text: str) -> Iterator[str]:
    for line in text.lower().split("\n"):
        heading, _, body = line.partition(":")
        if heading in ("findings", "impression"):
            yield from _SENTENCE.findall(body)


def _presence(sentence: str, match: re.Match[str]) -> Presence:
    before = _END_OF_NEGATION.split(sentence[: match.start()])[-1]
    if _NEGATION.search(before):
        return Presence.ABSENT
    return Presence.UNCERTAIN if _HEDGE.search(sentence) else Presence.PRESENT
