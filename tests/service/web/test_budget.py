"""The budget that requests share: order, bounds, and what is given up."""

import asyncio

import anyio
import pytest
from anyio import wait_all_tasks_blocked

from overread.errors import OutOfResourcesError
from service.web.budget import Budget


def test_whoever_asks_first_is_served_first_even_where_a_later_one_would_fit() -> None:
    async def scenario() -> list[str]:
        budget, served = Budget(10, waiting_max=5, what="pictures"), list[str]()

        async def ask(name: str, amount: int) -> None:
            with await budget.take(amount):
                served.append(name)

        async with anyio.create_task_group() as group:
            held = await budget.take(4)
            for name, amount in (("large", 8), ("small", 1)):  # the small one would fit beside what is held
                group.start_soon(ask, name, amount)
                await wait_all_tasks_blocked()
            assert served == []
            held.keep(0)
        return served

    assert anyio.run(scenario) == ["large", "small"]


def test_shares_that_fit_are_held_at_once_and_what_is_not_kept_lets_the_next_in() -> None:
    async def scenario() -> None:
        budget, got = Budget(10, waiting_max=5, what="pictures"), anyio.Event()

        async def ask() -> None:
            with await budget.take(5):
                got.set()

        with await budget.take(4), await budget.take(6) as share:
            async with anyio.create_task_group() as group:
                group.start_soon(ask)
                await wait_all_tasks_blocked()
                share.keep(2)
                await wait_all_tasks_blocked()
                assert not got.is_set()
                share.keep(7)  # more than is held: nothing is given back
                share.keep(1)
                await got.wait()
        with await budget.take(10):  # all of it came back, once
            pass

    anyio.run(scenario)


def test_one_too_many_is_turned_away_at_once() -> None:
    async def scenario() -> None:
        budget = Budget(1, waiting_max=1, what="pictures")

        async def ask() -> None:
            with await budget.take(1):
                pass

        async with anyio.create_task_group() as group:
            with await budget.take(1):
                group.start_soon(ask)
                await wait_all_tasks_blocked()
                assert budget.waiting == 1
                with pytest.raises(OutOfResourcesError, match="wait for pictures"):
                    await budget.take(1)
        assert budget.waiting == 0

    anyio.run(scenario)


def test_an_answer_that_has_begun_waits_however_many_do() -> None:
    async def scenario() -> None:
        budget, served = Budget(1, waiting_max=0, what="pictures"), anyio.Event()

        async def go_on() -> None:
            with await budget.take(1, under_way=True):
                served.set()

        async with anyio.create_task_group() as group:
            with await budget.take(1):
                group.start_soon(go_on)
                await wait_all_tasks_blocked()
                assert budget.waiting == 1
        assert served.is_set()

    anyio.run(scenario)


def test_more_than_there_is_can_never_be_had() -> None:
    async def scenario() -> None:
        with pytest.raises(ValueError, match="whole budget"):
            await Budget(1, waiting_max=1, what="pictures").take(2)

    anyio.run(scenario)


@pytest.mark.parametrize("turn_has_come", [False, True])
def test_a_request_that_is_given_up_holds_nothing_and_lets_the_next_in(turn_has_come: bool) -> None:
    async def scenario() -> None:
        budget, got = Budget(4, waiting_max=5, what="pictures"), asyncio.Event()

        async def ask_for_little() -> None:
            with await budget.take(1):
                got.set()

        held = await budget.take(2)
        leaving = asyncio.create_task(budget.take(4))
        await wait_all_tasks_blocked()
        waiting = asyncio.create_task(ask_for_little())
        await wait_all_tasks_blocked()
        if turn_has_come:
            held.keep(0)  # in the same turn of the loop, so that the one who waits does not know yet
        leaving.cancel()
        await got.wait()
        await waiting
        held.keep(0)
        with await budget.take(4):
            pass

    asyncio.run(scenario())
