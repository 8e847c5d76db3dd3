"""HL7 over MLLP: messages per second into `overread receive hl7`, each committed before it is acknowledged.

    python -m benchmarks.mllp [--messages 2000] [--rounds 5] [--database-url postgresql://...]

Each sender waits for the acknowledgement of one message before it sends the next; the last line is one sender
that sends ahead. Every message is a report of ten lines for a case of its own. In the end the reports in the
database are counted.
"""

import argparse
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy import func, select

from benchmarks.cstore import interval
from service.hl7.framing import END, frame
from service.settings import load_settings
from service.store.database import open_store
from service.store.schema import report_versions

SENDERS = (1, 4, 16)
LINES = 10


def message(number: int) -> bytes:
    """Return one framed ORU^R01."""
    lines = [
        f"MSH|^~\\&|RIS|H|OVERREAD|H|20260301120000||ORU^R01|C{number}|P|2.5.1||||||UNICODE UTF-8",
        f"PID|1||P{number}^^^H^MR||Doe^Jane||19700101|F",
        f"OBR|1|ORD{number}|FIL{number}|71020^CHEST^L|||20260301|||||||||||A{number}|||||||F",
        *(
            f"OBX|{line}|TX|71020^CHEST^L||Line {line} of report {number}: no focal opacity is seen.||||||F"
            for line in range(1, LINES + 1)
        ),
    ]
    return frame("".join(f"{line}\r" for line in lines).encode())


def exchange(port: int, messages: list[bytes], *, ahead: bool) -> None:
    """Send the messages on one connection; raises unless each is accepted."""
    with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
        batches = [b"".join(messages)] if ahead else messages
        for batch in batches:
            connection.sendall(batch)
            expected, answer = batch.count(END), b""
            while answer.count(END) < expected:
                answer += connection.recv(1 << 16)
            if answer.count(b"MSA|AA|") != expected:
                raise SystemExit(f"a message was refused: {answer[:300]!r}")


def rate(port: int, messages: list[bytes], senders: int, *, ahead: bool = False) -> float:
    """Return messages per second from so many senders at once."""
    shares = [messages[number::senders] for number in range(senders)]
    started = time.perf_counter()
    with ThreadPoolExecutor(senders) as pool:
        list(pool.map(lambda share: exchange(port, share, ahead=ahead), shares))
    return len(messages) / (time.perf_counter() - started)


def measure(count: int, rounds: int, folder: Path, database_url: str) -> None:
    """Start the listener, send, and print a table."""
    environment = {**os.environ, "OVERREAD_FOLDER": str(folder)}
    if database_url:
        environment["OVERREAD_DATABASE_URL"] = database_url
    command = [sys.executable, "-m", "overread", "receive", "hl7", "--port", "0"]
    rates: dict[str, list[float]] = {}
    sent = 0
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
    try:
        found = re.search(r"127\.0\.0\.1:(\d+)", process.stdout.readline() if process.stdout else "")
        if found is None:
            raise SystemExit((folder / "log").read_text())
        port = int(found[1])
        for _ in range(rounds):
            for senders, ahead in (*((number, False) for number in SENDERS), (1, True)):
                messages = [message(number) for number in range(sent, sent + count)]
                name = f"{senders} sender{'s' * (senders > 1)}" + (", sending ahead" if ahead else "")
                rates.setdefault(name, []).append(rate(port, messages, senders, ahead=ahead))
                sent += count
    finally:
        process.terminate()
        process.wait()
    print(f"HL7 over MLLP, {count} messages a round, {rounds} rounds; messages/s, mean (95 % interval)")
    for name, values in rates.items():
        print(f"  {name:26}{interval(values)}")
    store = open_store(load_settings(environment))
    with store.reading() as connection:
        kept = connection.execute(select(func.count()).select_from(report_versions)).scalar_one()
    store.close()
    print(f"  {sent} acknowledged, {kept} in the database")


def main() -> None:
    """Measure with what the command line gives."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--database-url", default="", help="default: SQLite in a temporary folder")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(arguments.messages, arguments.rounds, Path(folder), arguments.database_url)


if __name__ == "__main__":
    main()
