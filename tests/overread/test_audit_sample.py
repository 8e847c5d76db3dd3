"""Which concordant cases stand in the list unmarked."""

import pytest

from overread.audit_sample import AuditStratum, draw, second_read_rule
from overread.errors import ConfigurationError
from overread.priority import default_policy, parse_policy, shipped_policy_text


def test_the_same_study_is_always_drawn_alike_and_shares_nest() -> None:
    small, large = (
        second_read_rule({"own_read_share": 1, "audit": {"neither": share}}) for share in (0.1, 0.5)
    )
    studies = [f"2.25.{number}" for number in range(4000)]
    few = {study for study in studies if small.samples(study, AuditStratum.NEITHER)}
    many = {study for study in studies if large.samples(study, AuditStratum.NEITHER)}
    assert few < many
    # Binomial: 4,000 at 0.1 and 0.5 have standard deviations of 19 and 32; five of them.
    assert abs(len(few) - 400) < 95
    assert abs(len(many) - 2000) < 160
    assert not any(large.samples(study, AuditStratum.SEEN_ONLY) for study in studies)


def test_draws_of_different_purposes_and_seeds_do_not_go_together() -> None:
    drawn = [(draw(1, "a", str(n)) < 0.5, draw(1, "b", str(n)) < 0.5) for n in range(4000)]
    assert abs(sum(one and other for one, other in drawn) - 1000) < 140
    assert draw(1, "a", "x") != draw(2, "a", "x")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"own_read_share": 1.1}, "own_read_share"),
        ({"own_read_share": True}, "own_read_share"),
        ({"readers": 3}, "readers"),
        ({"seed": 0.5}, "seed"),
        ({"sead": 1}, "sead"),
        ({"audit": {"nobody": 0.1}}, "audit.nobody"),
        ({"audit": {"neither": 0.1}}, "needs an own_read_share"),
    ],
)
def test_rules_that_make_no_sense_are_refused_by_name(table: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        second_read_rule(table)


def test_a_policy_without_the_table_means_the_shipped_one() -> None:
    text = shipped_policy_text()
    assert parse_policy(text[: text.index("# How cases are read")]) == default_policy()
