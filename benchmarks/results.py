"""Rate at which results leave the outbox by C-STORE, against bare pynetdicom that sends the same files.

    python -m benchmarks.results --results 600 --rounds 5
    python -m benchmarks.results --making --results 20 --rounds 5
    python -m benchmarks.results --making --results 20 --rounds 5 --form SEG

The PACS is a process of its own that takes everything and keeps nothing. Rounds alternate, so that what
else the machine does meets all; a ratio is given with a bootstrap interval over the rounds. Pynetdicom as it
comes waits for TCP between the fragments of one object (RFC 896); the outbox does not, so both are compared.

With `--making`: the rate at which objects of three findings, each with a box on a radiograph of 400 by 512
pixels, are made of triaged cases, each kept in the store and recorded, and the processor time for one,
without that of the child process that decodes pixels.
"""

import argparse
import logging
import os
import random
import signal
import statistics
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from pydicom.uid import UID
from pynetdicom import AE, _config, evt

from service.results.dimse import StoreScu, send_at_once
from service.results.making import Maker
from service.results.objects import Workshop
from service.results.ownership import this_process
from service.results.sending import Sender
from service.results.settings import Rule, StoreScp
from service.settings import load_settings
from service.store.database import Store, open_store
from service.store.outbox import Query, list_deliveries, send_again
from service.store.result_occasions import Moment
from service.store.results import Form
from tests.service.faults.kill_sender import EXPLICIT, SR, fill, pacs_address
from tests.service.material import NOW
from tests.service.results.material import seen, told_case

_FINDINGS = ("nodule", "pneumothorax", "effusion")


def serve_pacs(channel: int) -> None:
    """Take everything, keep nothing, and write the port to a pipe first."""
    entity = AE(ae_title="PACS")
    entity.add_supported_context(SR, EXPLICIT)
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, lambda _: 0x0000)]
    )
    os.write(channel, str(server.server_address[1]).encode())  # type: ignore[union-attr]
    threading.Event().wait()


def send_bare(address: StoreScp, paths: Sequence[Path], *, at_once: bool) -> float:
    """Return the seconds that pynetdicom alone takes for these files, on one association."""
    _config.STORE_SEND_CHUNKED_DATASET = True
    entity = AE(ae_title="OVERREAD")
    entity.add_requested_context(UID(SR), [UID(EXPLICIT)])
    started = time.perf_counter()
    handlers: list[Any] = [(evt.EVT_CONN_OPEN, send_at_once)] if at_once else []
    association = entity.associate(
        address.peer.host, address.peer.port, ae_title="PACS", evt_handlers=handlers
    )
    for path in paths:
        if association.send_c_store(path).Status != 0:
            raise AssertionError("the PACS refused")
    association.release()
    return time.perf_counter() - started


def send_outbox(store: Store, address: StoreScp) -> float:
    """Return the seconds that the outbox takes for all that is due."""
    sender = Sender(
        store, StoreScu(address, store.files), owner=this_process(), clock=lambda: datetime.now(UTC)
    )
    started = time.perf_counter()
    while sender.send_due():
        pass
    return time.perf_counter() - started


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the mean."""
    chance = random.Random(1)
    means = sorted(statistics.fmean(chance.choices(values, k=len(values))) for _ in range(4000))
    return means[99], means[3899]


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--making", action="store_true", help="measure the making of results instead")
    forms = (Form.SR, Form.SEG, Form.GSPS)
    parser.add_argument("--form", type=Form, choices=forms, default=Form.SR, help="what is made")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    if arguments.making:
        with tempfile.TemporaryDirectory() as folder:
            _measure_making(Path(folder), arguments.results, arguments.rounds, arguments.form)
        return
    receiving, sending = os.pipe()
    pid = os.fork()
    if pid == 0:
        serve_pacs(sending)
    address = pacs_address(int(os.read(receiving, 16)))
    try:
        with tempfile.TemporaryDirectory() as folder:
            _measure(Path(folder), address, arguments.results, arguments.rounds)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _measure_making(folder: Path, results: int, rounds: int, form: Form) -> None:
    rules = [Rule(moment=Moment.TRIAGE, form=form, destination="pacs")]
    store = open_store(load_settings({"OVERREAD_FREE_BYTES_MIN": "0"}, data_folder=folder / "data"))
    rates, seconds = [], []
    with Workshop() as workshop:
        maker = Maker(store, workshop, rules, clock=lambda: NOW)
        for turn in range(rounds + 1):
            for number in range(turn * results + 1, (turn + 1) * results + 1):
                image = f"2.25.{number}.1.1"
                shown = [seen(name, (10, 20, 30, 40), image=image) for name in _FINDINGS]
                told_case(store, *shown, number=number)
            started, used = time.perf_counter(), time.process_time()
            if maker.make_due(limit=results + 1) != results:
                raise AssertionError("not every result was due")
            rates.append(results / (time.perf_counter() - started))
            seconds.append((time.process_time() - used) / results)
    del rates[0], seconds[0]
    lines = [f"{results} objects of the form {form} a round, {rounds} rounds after one to warm up"]
    for name, values, unit in (("made", rates, "/s"), ("processor time", seconds, " s each")):
        low, high = interval(values)
        lines.append(
            f"{name:14} {statistics.fmean(values):.4g}{unit} (95 % interval {low:.4g} to {high:.4g})"
        )
    sys.stdout.write("\n".join([*lines, ""]))
    store.close()


def _measure(folder: Path, address: StoreScp, results: int, rounds: int) -> None:
    store = open_store(load_settings({"OVERREAD_FREE_BYTES_MIN": "0"}, data_folder=folder / "data"))
    fill(store, results)
    found = list_deliveries(store, Query(), limit=results)
    paths = [store.files.path_of(delivery.sha256 or "") for delivery in found]
    rates: dict[str, list[float]] = {"the outbox": [], "pynetdicom": [], "pynetdicom at once": []}
    for _ in range(rounds + 1):
        rates["the outbox"].append(results / send_outbox(store, address))
        rates["pynetdicom"].append(results / send_bare(address, paths, at_once=False))
        rates["pynetdicom at once"].append(results / send_bare(address, paths, at_once=True))
        send_again(store, Query(), now=datetime.now(UTC))
    size = statistics.fmean(path.stat().st_size for path in paths)
    lines = [f"{results} results of {size:,.0f} bytes a round, {rounds} rounds after one to warm up"]
    for name, measured in rates.items():
        del measured[0]
        mean = statistics.fmean(measured)
        lines.append(f"{name:20} {mean:5.0f}/s ({min(measured):.0f} to {max(measured):.0f})")
    for name in ("pynetdicom", "pynetdicom at once"):
        ratios = [one / other for one, other in zip(rates["the outbox"], rates[name], strict=True)]
        low, high = interval(ratios)
        mean = statistics.fmean(ratios)
        lines.append(f"the outbox / {name:20} {mean:.2f} (95 % interval {low:.2f} to {high:.2f})")
    sys.stdout.write("\n".join([*lines, ""]))
    store.close()


if __name__ == "__main__":
    main()
