"""Figures of the list for a coordinator, against a look at every case."""

from datetime import datetime, timedelta

import pytest

from overread.actor import Actor, ActorKind
from overread.case import CaseState
from overread.finding import Actionable
from service.store.database import Store
from service.store.order import Selection
from service.store.queue_view import QueueFigures, read_queue
from service.store.reading_claims import Hold, hold_case
from service.store.worklist import list_numbers
from tests.service.material import NOW
from tests.service.store.plain_cases import PlainCase, lay_down_cases, plain_cases, settle
from tests.service.store.work import work_of

Group = tuple[str | None, Actionable, bool]
READER = Actor(identifier="person:ada", kind=ActorKind.PERSON, display_name="Ada")


def groups_of(store: Store, figures: QueueFigures) -> dict[Group, list[PlainCase]]:
    """The listed cases by what the figures tell apart; no urgency at all counts as that of none."""
    line = figures.line.priority
    found: dict[Group, list[PlainCase]] = {}
    for case in plain_cases(store):
        if case.state is CaseState.LISTED:
            urgency = Actionable(case.actionable) if case.actionable else Actionable.NONE
            group = (case.subspecialty, urgency, line is None or case.priority >= line)
            found.setdefault(group, []).append(case)
    return found


def merged(figures: QueueFigures, name: str, choose) -> dict[Group, object]:
    """One figure of each group; two lines of one group are made one."""
    found: dict[Group, list[object]] = {}
    for one in figures.waiting:
        if (value := getattr(one, name)) is not None:
            found.setdefault((one.subspecialty, one.urgency, one.is_above), []).append(value)
    return {group: choose(values) for group, values in found.items()}


def since(case: PlainCase) -> datetime:
    assert case.waiting_since is not None
    return case.waiting_since


def test_every_figure_is_that_of_the_cases(store: Store) -> None:
    lay_down_cases(store, 400)
    held = list_numbers(store, Selection(), now=NOW, limit=7)
    for number in held:
        hold_case(store, number, Hold(holder=READER, at=NOW, seconds=900))

    figures = read_queue(store, now=NOW)

    groups = groups_of(store, figures)
    below = {group: cases for group, cases in groups.items() if not group[2]}
    assert below
    assert merged(figures, "count", sum) == {group: len(cases) for group, cases in groups.items()}
    assert merged(figures, "claimed", sum) == {
        group: sum(case.case_id in held for case in cases) for group, cases in groups.items()
    }
    assert merged(figures, "oldest", min) == {
        group: min(map(since, cases)) for group, cases in groups.items()
    }
    assert merged(figures, "priority_max", max) == {
        group: max(case.priority for case in cases) for group, cases in below.items()
    }
    assert merged(figures, "late", sum) == {
        group: sum(group[2] and case.overdue_at <= NOW for case in cases) for group, cases in groups.items()
    }
    assert not figures.is_late_least


def test_what_was_not_looked_through_is_said_to_be_beyond_what_was(store: Store) -> None:
    lay_down_cases(store, 400)

    figures = read_queue(store, now=NOW, looked_through=5)

    groups = groups_of(store, figures)
    assert merged(figures, "count", sum) == {group: len(cases) for group, cases in groups.items()}
    oldest, highest = merged(figures, "oldest", min), merged(figures, "priority_max", max)
    unknown = set(groups) - set(oldest)
    assert unknown
    assert figures.oldest is not None
    assert all(min(map(since, groups[group])) >= figures.oldest for group in unknown)
    assert all(min(map(since, groups[group])) == at for group, at in oldest.items())
    lower = {group for group in groups if not group[2]} - set(highest)
    assert lower
    assert figures.priority is not None
    assert all(max(case.priority for case in groups[group]) <= figures.priority for group in lower)
    assert figures.is_late_least


@pytest.mark.parametrize("sites", [("north",), ("nowhere",)])
def test_figures_are_of_what_may_be_seen(store: Store, sites) -> None:
    lay_down_cases(store, 200)
    own = [case for case in plain_cases(store) if case.site in sites and case.state is CaseState.LISTED]

    figures = read_queue(store.seen_from(sites), now=NOW + timedelta(days=1))

    assert sum(one.count for one in figures.waiting) == len(own)


def test_more_cases_are_no_more_work(store: Store) -> None:
    lay_down_cases(store, 1000, alike=True)
    settle(store)
    few = work_of(store, lambda: read_queue(store, now=NOW, looked_through=50))
    lay_down_cases(store, 9000, seed=3, alike=True)
    settle(store)
    many = work_of(store, lambda: read_queue(store, now=NOW, looked_through=50))

    assert many < 2 * few  # a count of ten times as many would be ten times the work
