from collections import Counter

import pytest

from overread.errors import ConfigurationError
from overread.finding import load_vocabulary
from overread.observation import Laterality, Presence, ReportObservation
from overread.report import load_reader
from overread.report.rules import Example, load_rules, parse_rules

EXAMPLES = load_rules().examples


def _matches(observation: ReportObservation, expected: str) -> bool:
    finding, presence, *facts = expected.split()
    if observation.finding != finding or observation.presence.value not in presence.split("|"):
        return False
    for fact in facts:
        name, _, value = fact.partition("=")
        if not value:
            if observation.laterality is not Laterality(name):
                return False
            continue
        stated = getattr(observation, name)
        texts = (
            [f"{part:g}" if isinstance(part, float) else str(part).replace(" ", "_") for part in stated]
            if isinstance(stated, tuple)
            else [f"{stated:g}" if isinstance(stated, float) else str(stated).replace(" ", "_")]
        )
        if not set(value.split("|")) & {*texts, ",".join(texts)}:
            return False
    return True


@pytest.mark.parametrize(
    "example", EXAMPLES, ids=[f"{example.rule}-{example.text[:40]}" for example in EXAMPLES]
)
def test_the_sentence_that_motivates_a_rule_is_read_as_the_rule_says(example: Example) -> None:
    observations = load_reader().read(example.text).observations
    for expected in example.expect:
        if expected.startswith("!"):  # no such observation
            assert not [o for o in observations if _matches(o, expected[1:])], expected
        else:
            assert any(_matches(o, expected) for o in observations), (expected, observations)


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
