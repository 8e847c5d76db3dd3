from tests.service.faults.chaos.disturbances import DEEDS
from tests.service.faults.chaos.plan import STREAMS, Kind, plan


def test_the_same_seed_has_the_same_disturbances_and_another_seed_others() -> None:
    assert plan(7, 600) == plan(7, 600)
    assert plan(7, 600) != plan(8, 600)


def test_a_longer_run_begins_like_a_shorter_one() -> None:
    short, long = plan(7, 300), plan(7, 600)

    assert all(long[name][: len(actions)] == actions for name, actions in short.items())


def test_every_kind_happens_and_can_be_done() -> None:
    kinds = {action.kind for actions in plan(1, 1800).values() for action in actions}

    assert kinds == set(Kind) == set(DEEDS)


def test_a_stream_ends_one_thing_before_the_next_and_before_the_run_does() -> None:
    for name, actions in plan(1, 1800).items():
        ends = [action.at + action.seconds for action in actions]
        assert all(end <= following.at for end, following in zip(ends, actions[1:], strict=False)), name
        assert ends[-1] <= 1800


def test_a_pace_has_them_more_often() -> None:
    once, twice = (sum(map(len, plan(1, 1800, pace=pace).values())) for pace in (1.0, 2.0))

    assert twice > 1.5 * once


def test_every_stream_has_kinds_of_its_own() -> None:
    kinds = [kind for stream in STREAMS.values() for kind in stream.kinds]

    assert sorted(kinds) == sorted(Kind)
