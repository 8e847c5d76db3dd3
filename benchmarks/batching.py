"""The shared detector endpoint with adaptive batching: requests per second at several numbers of clients.

    python -m benchmarks.batching [--clients 1 4 16] [--seconds 8]

Starts `bentoml serve` on a free port and sends prepared tensors, one image a request, each client the next as
soon as it has its answer. Beside it stands the same network called directly, one by one and in batches.
"""

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np

from models.releases import load_onnx_detector
from service.tensors import encode_input

ENDPOINT = "/api/v1/detector/scores"
START_SECONDS = 180.0
BATCH = 8


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--seconds", type=float, default=8.0, help="per figure (default: 8)")
    given = parser.parse_args()
    detector = load_onnx_detector()
    network = detector.manifest.network
    images = np.random.default_rng(1).random((BATCH, network.rows, network.columns), np.float32)
    for size in (1, BATCH):
        rate = size * _calls_per_second(lambda count=size: detector.scores(images[:count]), given.seconds)  # type: ignore[misc]
        print(f"direct, batches of {size}: {rate:7.1f} images/s")
    body = json.dumps({"inputs": [encode_input(images[0])]}).encode()
    with _service() as url:
        for clients in given.clients:
            rate = asyncio.run(_ask(url, body, clients, given.seconds))
            print(f"endpoint, {clients:3} clients: {rate:7.1f} images/s, {len(body) / 1e3:.0f} kB a request")
    return 0


def _calls_per_second(job: Callable[[], object], seconds: float) -> float:
    job()
    start, done = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        job()
        done += 1
    return done / (time.perf_counter() - start)


@contextmanager
def _service() -> Iterator[str]:
    """Run the service as BentoML serves it, on a data folder of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    bentoml = Path(sys.executable).with_name("bentoml")
    command = [str(bentoml), "serve", "service.bento:Overread", "--host", "127.0.0.1", "--port", str(port)]
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "OVERREAD_FOLDER": folder, "BENTOML_DO_NOT_TRACK": "True"}
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            try:
                url = f"http://127.0.0.1:{port}"
                _wait(url)
                yield url
            finally:
                process.terminate()


def _wait(url: str) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        try:
            if httpx.get(f"{url}/livez", timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise TimeoutError(f"the service did not start within {START_SECONDS:.0f} s")


async def _ask(url: str, body: bytes, clients: int, seconds: float) -> float:
    """Return answers per second of so many clients, once each has had its first."""
    headers = {"Content-Type": "application/json"}
    async with httpx.AsyncClient(base_url=url, timeout=60, headers=headers) as http:

        async def ask() -> None:
            (await http.post(ENDPOINT, content=body)).raise_for_status()

        async def keep_asking(end: float) -> int:
            done = 0
            while time.perf_counter() < end:
                await ask()
                done += 1
            return done

        await asyncio.gather(*(ask() for _ in range(clients)))
        start = time.perf_counter()
        done = await asyncio.gather(*(keep_asking(start + seconds) for _ in range(clients)))
        return sum(done) / (time.perf_counter() - start)


if __name__ == "__main__":
    sys.exit(main())
