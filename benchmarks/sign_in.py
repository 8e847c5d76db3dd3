"""Times requests for the worklist by somebody who has signed in, by a token, and open, one after the other.

    python -m benchmarks.sign_in --cases 20000 --requests 400

Three services over one day of a large group on real sockets, each on a store of its own with the same rows:
open, as while nobody has an account; with the cookie of a session; and with a token. Each round asks all
three, in turning order, so that what else the machine does hits them alike. Prints the median of each, and
the ratio to the open one as the geometric mean of the rounds with its 95 % interval; ends with status 1 if
the upper end of an interval is above the limit.
"""

import argparse
import math
import os
import random
import shutil
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import uvicorn

from benchmarks.day import fill
from overread.actor import Actor
from overread.statistics import mean_estimate
from service.application import make_app
from service.desk.pages import answer_refusal
from service.runtime.http_process import configure_process_logging
from service.security.roles import Role, Scope
from service.security.sessions import COOKIE, Lifetime, Origin, begin_session
from service.security.settings import SecuritySettings
from service.security.tokens import make_token
from service.settings import load_settings
from service.store.database import Store, open_store
from service.store.people import Act, NewPerson, add_person
from service.web.access_log import AccessMiddleware
from service.web.guard import GuardMiddleware, access_for
from service.web.opening import context_opener

ARMS = ("open", "session", "token")


def headers_of(arm: str, store: Store) -> dict[str, str]:
    """Return what a request of an arm shows; the account or token is made where it needs one."""
    now = datetime.now(UTC)
    if arm == "open":
        return {}
    by = Act(actor=Actor.program("benchmark"), at=now, what="benchmark")
    new = NewPerson(name="reader", display_name="Reader", roles=(Role.SECOND_READER,))
    person = add_person(store, new, by=by)
    if arm == "token":
        token = make_token(store, "bench", frozenset(Scope), days=1, by=by)
        return {"Authorization": f"Bearer {token}"}
    lifetime = Lifetime.of(SecuritySettings())
    cookie = begin_session(store, person, Origin(address="127.0.0.1", what="benchmark"), lifetime, now=now)
    return {"Cookie": f"{COOKIE}={cookie}"}


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Give the URL of API and pages with all that stands before them."""
    access = access_for("127.0.0.1", None)
    environ = {"OVERREAD_FOLDER": str(folder), "OVERREAD_FREE_BYTES_MIN": "0"}
    app = make_app(context_opener(environ, access=access, model=None), list)
    app.add_middleware(GuardMiddleware, access=access, refuse=answer_refusal)
    app.add_middleware(AccessMiddleware)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, proxy_headers=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def milliseconds(client: httpx.Client, address: str) -> float:
    """Return how long one request takes."""
    started = time.perf_counter()
    client.get(address).raise_for_status()
    return 1000 * (time.perf_counter() - started)


def ask_in_turns(clients: Mapping[str, httpx.Client], address: str, rounds: int) -> dict[str, list[float]]:
    """Return the milliseconds of each arm, round by round."""
    order = list(clients)
    taken: dict[str, list[float]] = {arm: [] for arm in order}
    for number in range(rounds + 20):
        turned = order[number % len(order) :] + order[: number % len(order)]
        for arm in turned:
            time_taken = milliseconds(clients[arm], address)
            if number >= 20:  # the first ones warm up
                taken[arm].append(time_taken)
    return taken


def report(address: str, taken: Mapping[str, list[float]], limit: float) -> bool:
    """Print the figures of one address; return whether an interval is above the limit."""
    is_above = False
    print(f"{address}: open median {statistics.median(taken['open']):.2f} ms", flush=True)
    for arm in ARMS[1:]:
        ratios = [math.log(one / base) for one, base in zip(taken[arm], taken["open"], strict=True)]
        mean = mean_estimate(ratios)
        low, middle, high = (math.exp(value) for value in (mean.low, mean.value, mean.high))
        is_above = is_above or high > limit
        print(
            f"  {arm:8} median {statistics.median(taken[arm]):.2f} ms   "
            f"ratio {middle:.3f} [{low:.3f}, {high:.3f}]   n = {len(ratios)}",
            flush=True,
        )
    return is_above


def main() -> int:
    """Fill, serve, ask, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--requests", type=int, default=400, help="of each arm and address")
    parser.add_argument("--limit", type=float, default=1.2, help="for the upper end of a ratio's interval")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        # The services log a line for each request.
        sys.stderr = stack.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
        configure_process_logging()
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        first = open_store(load_settings({"OVERREAD_FREE_BYTES_MIN": "0"}, data_folder=folder / "open"))
        fill(first, arguments.cases, random.Random(1))
        first.close()
        clients: dict[str, httpx.Client] = {}
        for arm in ARMS:
            if arm != "open":
                shutil.copytree(folder / "open", folder / arm)
        for arm in ARMS:
            store = open_store(load_settings({"OVERREAD_FREE_BYTES_MIN": "0"}, data_folder=folder / arm))
            headers = headers_of(arm, store)
            store.close()
            url = stack.enter_context(serving(folder / arm))
            clients[arm] = stack.enter_context(httpx.Client(base_url=url, headers=headers, timeout=60))
        print(
            f"{arguments.cases} cases on SQLite; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
            flush=True,
        )
        addresses = ("/api/v1/worklist",)
        found = [
            report(address, ask_in_turns(clients, address, arguments.requests), arguments.limit)
            for address in addresses
        ]
    return 1 if any(found) else 0


if __name__ == "__main__":
    sys.exit(main())
