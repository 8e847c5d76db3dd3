"""Work in threads: what it holds, it holds to its end."""

import asyncio
import threading

import pytest
from anyio import CapacityLimiter

from service.web.archive_threads import run


@pytest.mark.parametrize("fails", [False, True])
def test_a_request_that_is_cancelled_holds_its_thread_until_the_work_has_ended(fails: bool) -> None:
    async def scenario() -> None:
        loop, limiter = asyncio.get_running_loop(), CapacityLimiter(1)
        started, go_on = asyncio.Event(), threading.Event()

        def work() -> None:
            loop.call_soon_threadsafe(started.set)
            go_on.wait()
            if fails:
                raise ValueError

        asking = asyncio.create_task(run(limiter, work))
        await started.wait()
        asking.cancel()
        for _ in range(10):
            await asyncio.sleep(0)
        assert (asking.done(), limiter.borrowed_tokens) == (False, 1)

        go_on.set()
        await asyncio.wait({asking})
        assert (asking.cancelled(), limiter.borrowed_tokens) == (True, 0)

    asyncio.run(scenario())


def test_what_the_work_raises_is_raised() -> None:
    def work() -> None:
        raise ValueError("so")

    async def scenario() -> None:
        await run(CapacityLimiter(1), work)

    with pytest.raises(ValueError, match="so"):
        asyncio.run(scenario())
