"""The rules of the reader: data files, parsed and checked once."""

import hashlib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from overread.errors import ConfigurationError
from overread.finding import Vocabulary, load_vocabulary
from overread.observation import ContextKind, Experiencer, Presence, Section, Temporality
from overread.report.lexicon import Kind, Sense
from overread.report.sections import Headings

NOTHING = "-"
"""In a composite rule: this pair is nothing to report."""

ITSELF = "="
"""In a composite rule: the base means beside this anatomy what it means alone."""

UNLISTED = "unlisted_abnormality"
SPECIFIC = "specific:unlisted_abnormality"
"""The rule of words such as "hemorrhage": an abnormality outside the vocabulary, but no general one."""

UNSPECIFIC = "unspecific:implanted_device"
"""The rule of words such as "lead", which a sentence may explain: it is that of the pacemaker."""

VERB = "|verb"
"""Ends the key of a cue whose wording is a verb: "is larger" is about what stands before it."""

_VERBS = ("is ", "has ", "have ", "are ", "remains ")
_DEVICE = "implanted_device"
_PLAIN_KINDS = tuple(kind for kind in Kind if kind not in (Kind.FINDING, Kind.SIDE, Kind.ZONE, Kind.ANATOMY))
_Table = dict[str, Any]
_FILES = (
    "advice",
    "certainty",
    "composites",
    "context",
    "experiencer",
    "links",
    "measures",
    "negation",
    "normals",
    "places",
    "sections",
    "spelling",
    "states",
    "templates",
    "time",
    "weak",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cue:
    """Changes what is stated about the findings in its reach; there is one of each id."""

    id: str
    # "forward", "backward", "either" (forward if a finding follows, else backward), "near" (the same, but
    # only if one follows at once), "verb" (backward if one stands before, else forward), or for concepts
    # that the caller names: "inside" them, and "alone", inside those that are a whole sentence
    direction: str
    # "clause": every finding up to a stop; "next": one finding and those joined to it; "one": that one alone
    reach: str = "clause"
    presence: Presence | None = None
    certainty: float | None = None
    temporality: Temporality | None = None
    experiencer: Experiencer | None = None
    explains: bool = False  # what follows is what the finding before it may be, at the same place
    ends_at_with: bool = False  # "no cardiomegaly with small effusions" has effusions
    lists: bool = False  # an "or" behind it only lists: "no change in opacity or effusion" has both
    yields: bool = False  # any other word about time outweighs it: a "previously seen" nodule may be stable
    dismiss: bool = False  # nothing is stated: "CT is more sensitive for small nodules"


@dataclass(frozen=True, slots=True, kw_only=True)
class Composite:
    """A base in or at an anatomy is this finding: "enlarged" and "heart" are cardiomegaly."""

    id: str
    bases: tuple[str, ...]
    anatomies: tuple[str, ...]
    finding: str  # "-" where the pair is nothing to report, "=" where it is the base alone
    not_over: bool = False  # not where the base is only seen over the anatomy: a nodule over a rib
    certainty: float = 1.0
    within: int | None = None  # words between them; None where the sentence bounds it


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """Findings that a normal statement about an anatomy denies."""

    id: str
    anatomies: tuple[str, ...]
    findings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextRule:
    """Words of indication and history that say something about the patient."""

    id: str
    kind: ContextKind
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """The sentence that motivates a rule, and what it must be read as."""

    rule: str
    text: str
    expect: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Everything that the rule files and the vocabulary say."""

    vocabulary: Vocabulary
    phrases: tuple[tuple[str, Sense], ...]
    cues: Mapping[str, Cue]
    composites: tuple[Composite, ...]
    denials: tuple[Denial, ...]
    general: frozenset[str]  # words for an abnormality that, denied, deny a whole group
    context: tuple[ContextRule, ...]
    one_a_side: frozenset[str]  # findings of which each side has one at most: several are on both sides
    alone: Mapping[str, str]  # state -> finding that it means without a known anatomy
    headings: Headings
    labels: Mapping[str, str]  # of forms -> what their values are about
    silent_labels: frozenset[str]
    abbreviations: frozenset[str]
    spellings: Mapping[str, str]
    examples: tuple[Example, ...]
    sha256: str


@cache
def load_rules() -> Rules:
    """Return the rules that come with overread."""
    folder = files("overread.report") / "rules"
    return parse_rules(
        {name: (folder / f"{name}.toml").read_text(encoding="utf-8") for name in _FILES}, load_vocabulary()
    )


def parse_rules(texts: Mapping[str, str], vocabulary: Vocabulary) -> Rules:
    """Return the rules of the given files, by file name without suffix.

    Raises:
        ConfigurationError: a file is not TOML, lacks a field, or names a finding that the vocabulary lacks.
    """
    try:
        return _Parser(texts, vocabulary).rules()
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(f"the report rules are malformed: {error!r}") from error


class _Parser:
    """Turns rule files into `Rules`; lives for one call."""

    def __init__(self, texts: Mapping[str, str], vocabulary: Vocabulary) -> None:
        digest = hashlib.sha256()
        for name in sorted(texts):
            digest.update(texts[name].encode())
        for finding in vocabulary.values():
            digest.update(repr(finding).encode())
        self._sha256 = digest.hexdigest()
        self._vocabulary = vocabulary
        self._tables: dict[str, list[_Table]] = {}
        for text in texts.values():
            for kind, tables in tomllib.loads(text).items():
                self._tables.setdefault(kind, []).extend(tables)
        self._sets = {table["id"]: table["findings"] for table in self._of("set")}

    def rules(self) -> Rules:
        """Return everything, checked."""
        return Rules(
            vocabulary=self._vocabulary,
            phrases=tuple(self._phrases()),
            cues=dict(self._cues()),
            composites=tuple(self._composite(table) for table in self._of("composite")),
            denials=tuple(self._denial(table) for table in (*self._of("denial"), *self._of("phrase"))),
            general=frozenset(word for table in self._of("general") for word in table["words"]),
            context=tuple(
                ContextRule(id=table["id"], kind=ContextKind(table["kind"]), words=tuple(table["words"]))
                for table in self._of("context")
            ),
            alone={table["id"]: table["alone"] for table in self._of("state") if "alone" in table},
            one_a_side=frozenset(
                name for table in self._of("pair") for name in self._known(table["findings"])
            ),
            headings=self._headings(),
            silent_labels=frozenset(
                name for table in self._of("label") if table.get("silent") for name in table["names"]
            ),
            labels={name: table["subject"] for table in self._of("label") for name in table["names"]},
            abbreviations=frozenset(word for table in self._of("abbreviation") for word in table["words"]),
            spellings={
                variant: table["word"] for table in self._of("spelling") for variant in table["variants"]
            },
            examples=tuple(self._examples()),
            sha256=self._sha256,
        )

    def _cues(self) -> Iterator[tuple[str, Cue]]:
        for table in self._of("cue"):
            cue = _cue(table)
            yield cue.id, cue
            if cue.direction == "either":
                yield cue.id + VERB, replace(cue, direction="verb")

    def _of(self, kind: str) -> list[_Table]:
        return self._tables.get(kind, [])

    def _phrases(self) -> Iterator[tuple[str, Sense]]:
        yield from self._terms()
        yield from self._places()
        for kind in _PLAIN_KINDS:
            for table in self._of(kind.value):
                for phrase in table["phrases"]:
                    value = table["value"] if "value" in table else table["id"]
                    if table.get("direction") == "either" and phrase.startswith(_VERBS):
                        value += VERB
                    certainty = table.get("certainty", 1.0) if kind is Kind.NORMAL else 1.0
                    yield phrase, Sense(kind=kind, value=value, rule=table["id"], certainty=certainty)

    def _terms(self) -> Iterator[tuple[str, Sense]]:
        for finding in self._vocabulary.values():
            for term in finding.terms:
                yield term, Sense(kind=Kind.FINDING, value=finding.id, rule=self._rule_of(term, finding.id))
        for table in self._of("weak"):
            self._known((table["finding"],))
            for phrase in table["phrases"]:
                yield (
                    phrase,
                    Sense(
                        kind=Kind.FINDING,
                        value=table["finding"],
                        rule=table["id"],
                        certainty=table["certainty"],
                    ),
                )

    def _rule_of(self, term: str, finding: str) -> str:
        """Return the rule that reads a term; a specific word for something unlisted denies only itself."""
        if finding == _DEVICE:
            return UNSPECIFIC if self._is_general(term) else f"term:{finding}"
        if finding != UNLISTED or self._is_general(term):
            return f"term:{finding}"
        return SPECIFIC

    def _is_general(self, term: str) -> bool:
        return any(term in table["words"] for table in self._of("general"))

    def _places(self) -> Iterator[tuple[str, Sense]]:
        for table in self._of("place"):
            for kind, key in ((Kind.SIDE, "side"), (Kind.ZONE, "zone"), (Kind.ANATOMY, "anatomy")):
                for phrase in table["phrases"] if key in table else ():
                    yield phrase, Sense(kind=kind, value=str(table[key]), rule=table["id"])

    def _headings(self) -> Headings:
        tables = self._of("heading")
        return Headings(
            names={name: Section(table["section"]) for table in tables for name in table["names"]},
            prefixes={
                prefix: Section(table["section"]) for table in tables for prefix in table.get("prefixes", ())
            },
            anywhere=frozenset(name for table in tables for name in table.get("anywhere", ())),
            preliminary=tuple(name for table in tables for name in table.get("preliminary", ())),
            final=tuple(name for table in tables for name in table.get("final", ())),
        )

    def _composite(self, table: _Table) -> Composite:
        if table["finding"] not in (NOTHING, ITSELF):
            self._known((table["finding"],))
        return Composite(
            id=table["id"],
            bases=tuple(table["bases"]),
            anatomies=tuple(table["anatomies"]),
            finding=table["finding"],
            certainty=table.get("certainty", 1.0),
            within=table.get("within"),
            not_over=table.get("not_over", False),
        )

    def _denial(self, table: _Table) -> Denial:
        findings: list[str] = []
        for name in table["findings"]:
            findings.extend(self._sets[name[1:]] if name.startswith("@") else (name,))
        self._known(findings)
        return Denial(
            id=table["id"],
            anatomies=tuple(table.get("anatomies", ())),
            findings=tuple(dict.fromkeys(findings)),
        )

    def _known(self, findings: Sequence[str]) -> Sequence[str]:
        unknown = sorted(set(findings) - set(self._vocabulary))
        if unknown:
            raise ValueError(f"no finding is called {', '.join(unknown)}")
        return findings

    def _examples(self) -> Iterator[Example]:
        for tables in self._tables.values():
            for table in tables:
                for example in table.get("examples", ()):
                    yield Example(rule=table["id"], text=example["text"], expect=tuple(example["expect"]))


def _cue(table: _Table) -> Cue:
    return Cue(
        id=table["id"],
        direction=table["direction"],
        reach=table.get("reach", "clause"),
        presence=Presence(table["presence"]) if "presence" in table else None,
        certainty=table.get("certainty"),
        temporality=Temporality(table["temporality"]) if "temporality" in table else None,
        experiencer=Experiencer(table["experiencer"]) if "experiencer" in table else None,
        explains=table.get("explains", False),
        ends_at_with=table.get("ends_at_with", False),
        lists=table.get("lists", False),
        yields=table.get("yields", False),
        dismiss=table.get("dismiss", False),
    )
