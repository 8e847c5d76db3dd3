from collections import Counter

import pytest

from overread.errors import ConfigurationError
from overread.finding import load_vocabulary
from overread.observation import Laterality, Presence, ReportObservation, ReportReading
from overread.report import load_reader
from overread.report.rules import Example, load_rules, parse_rules

EXAMPLES = load_rules().examples


def _stated(value: object) -> set[str]:
    """Return how an expectation may write a value; blanks are underscores."""
    values = value if isinstance(value, tuple) else (value,)
    parts = [f"{part:g}" if isinstance(part, float) else str(part) for part in values]
    return {part.replace(" ", "_") for part in (*parts, ",".join(parts))}


def _has(record: object, facts: list[str]) -> bool:
    pairs = [fact.split("=") for fact in facts]
    return all(set(value.split("|")) & _stated(getattr(record, name)) for name, value in pairs)


def _matches(observation: ReportObservation, expected: str) -> bool:
    finding, presence, *facts = expected.split()
    sides = [fact for fact in facts if "=" not in fact]
    if observation.finding != finding or observation.presence.value not in presence.split("|"):
        return False
    if any(observation.laterality is not Laterality(side) for side in sides):
        return False
    return _has(observation, [fact for fact in facts if "=" in fact])


def _is_stated(reading: ReportReading, expected: str) -> bool:
    """Whether a reading holds what an expectation says.

    `FINDING PRESENCE [SIDE] [attribute=value ...]`, `recommendation ACTION [...]`, `communication [...]` or
    `context KIND VALUE`; `!` before it denies it.
    """
    if expected.startswith("!"):
        return not _is_stated(reading, expected[1:])
    first, *rest = expected.split()
    if first == "recommendation":
        return any(
            rest[0] in _stated(item.action) and _has(item, rest[1:]) for item in reading.recommendations
        )
    if first == "communication":
        return any(_has(item, rest) for item in reading.communications)
    if first == "context":
        return any(item.kind.value == rest[0] and rest[1] in _stated(item.value) for item in reading.context)
    return any(_matches(observation, expected) for observation in reading.observations)


@pytest.mark.parametrize(
    "example", EXAMPLES, ids=[f"{example.rule}-{example.text[:40]}" for example in EXAMPLES]
)
def test_the_sentence_that_motivates_a_rule_is_read_as_the_rule_says(example: Example) -> None:
    reading = load_reader().read(example.text)
    for expected in example.expect:
        assert _is_stated(reading, expected), (expected, reading)


def test_every_rule_id_is_used_once() -> None:
    rules = load_rules()
    composites = Counter(rule.id for rule in (*rules.composites, *rules.denials))
    assert [name for name, count in composites.items() if count > 1] == []


def test_every_composite_refers_to_known_bases_and_anatomies() -> None:
    rules = load_rules()
    values = {sense.value for _, sense in rules.phrases}
    for composite in rules.composites:
        assert set(composite.bases) | set(composite.anatomies) <= values | set(load_vocabulary()), (
            composite.id
        )


def test_every_finding_that_a_report_can_state_is_read_from_each_of_its_terms() -> None:
    for finding in load_vocabulary().values():
        for term in finding.terms:
            stated = load_reader().read(f"There is {term}.").observations
            assert Presence.PRESENT in {o.presence for o in stated}, term


@pytest.mark.parametrize(
    "text",
    [
        "[[composite]]\nid = 'x'\nbases = ['mass']\nanatomies = ['lung']\nfinding = 'no_such_finding'",
        "[[cue]]\nphrases = ['no']",
        "[[cue",
    ],
    ids=["unknown finding", "cue without id", "not TOML"],
)
def test_malformed_rules_are_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_rules({"composites": text}, load_vocabulary())
