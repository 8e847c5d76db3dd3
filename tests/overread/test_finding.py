import pytest

from overread.errors import ConfigurationError
from overread.finding import Actionable, load_vocabulary, parse_vocabulary

ENTRY = """
[[finding]]
id = "{id}"
name = "a finding"
group = "lung"
weight = 3
actionable = "days"
subspecialty = "thoracic"
sided = true
{more}
"""


def entry(identifier: str, more: str = "") -> str:
    return ENTRY.format(id=identifier, more=more)


def test_the_vocabulary_holds_what_radiologists_act_on() -> None:
    vocabulary = load_vocabulary()

    assert len(vocabulary) >= 50
    assert {"pneumothorax", "mass", "nodule", "fracture", "unlisted_abnormality", "any_abnormality"} <= set(
        vocabulary
    )
    assert all(1 <= finding.weight <= 5 for finding in vocabulary.values())
    assert vocabulary["pneumothorax"].actionable is Actionable.MINUTES


def test_every_finding_has_words_but_the_two_that_stand_for_others() -> None:
    assert [f.id for f in load_vocabulary().values() if not f.terms] == ["any_abnormality"]


def test_terms_are_lower_case_and_not_given_twice_to_one_finding() -> None:
    for finding in load_vocabulary().values():
        assert [term for term in finding.terms if term != " ".join(term.lower().split())] == []
        assert len(set(finding.terms)) == len(finding.terms), finding.id


def test_kinds_are_found_at_any_depth() -> None:
    vocabulary = parse_vocabulary(entry("a") + entry("b", 'broader = ["a"]') + entry("c", 'broader = ["b"]'))

    assert vocabulary.kinds_of("a") == {"a", "b", "c"}
    assert vocabulary.kinds_of("c") == {"c"}


def test_mimics_are_read_both_ways() -> None:
    vocabulary = parse_vocabulary(entry("a", 'mimics = ["b"]') + entry("b"))

    assert vocabulary.mimics_of("b") == {"a"}


@pytest.mark.parametrize(
    "text",
    [
        entry("a") + entry("a"),
        entry("a", 'broader = ["nothing"]'),
        entry("a", "colour = 1"),
        "[[finding]]\nid = 'a'",
        "[[finding",
        "",
    ],
    ids=["id twice", "unknown broader", "unknown field", "missing field", "not TOML", "empty"],
)
def test_a_malformed_vocabulary_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_vocabulary(text)
