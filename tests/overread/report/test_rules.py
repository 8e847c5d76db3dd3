from collections import Counter

import pytest

from overread.errors import ConfigurationError
from overread.finding import load_vocabulary
from overread.observation import Presence
from overread.report import load_reader
from overread.report.rules import Example, load_rules, parse_rules
from tests.overread.report.expectations import is_stated

EXAMPLES = load_rules().examples


@pytest.mark.parametrize(
    "example", EXAMPLES, ids=[f"{example.rule}-{example.text[:40]}" for example in EXAMPLES]
)
def test_the_sentence_that_motivates_a_rule_is_read_as_the_rule_says(example: Example) -> None:
    reading = load_reader().read(example.text)
    for expected in example.expect:
        assert is_stated(reading, expected), (expected, reading)


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
