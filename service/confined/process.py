"""The child: `python -m service.confined.process PARENT NUMBER DESCRIPTOR`, the descriptor of its socket.

It makes what lives in it as the first message says, then answers one call after the other until its parent
closes the socket or ends.
"""

import gc
import os
import resource
import signal
import socket
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

from service.confined.channel import Channel, Packed, pack, unpack
from service.confined.messages import Answer, Begun, Call, Failure
from service.error_boundary import ErrorBoundary
from service.log import configure_logging
from service.parent_death import die_with_parent

_OOM_SCORE = "500"  # of -1000 to 1000: the kernel that runs short of memory takes the child, not its parent
_STANDARD_OUTPUT, _STANDARD_ERROR = 1, 2


def main(arguments: list[str]) -> None:
    """Answer calls until the parent is gone."""
    parent, number, descriptor = map(int, arguments)
    _settle(parent)
    _count_as(f"{parent}-{number}")
    connection = socket.socket(fileno=descriptor)
    connection.set_inheritable(False)
    channel = Channel(connection)
    tenant: Any = None
    with suppress(EOFError, OSError):
        while True:
            modules = len(sys.modules)
            call: Call = channel.receive()
            channel.send(pack(Begun(has_imported=len(sys.modules) > modules)))
            made, packed = _answer(call, tenant)
            if call.makes_tenant:
                tenant = made
                gc.freeze()  # what stays for ever is not looked through again and again
            channel.send(packed)


def _settle(parent: int) -> None:
    """Bind this process to its parent, which alone decides when it ends, and let it write to the log only."""
    die_with_parent()
    if os.getppid() != parent:  # the parent ended before the call above could take effect
        sys.exit(0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # the parent finishes what is in hand
        signal.signal(number, signal.SIG_IGN)
    os.dup2(_STANDARD_ERROR, _STANDARD_OUTPUT)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # memory holds what reports and images say
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE)
    configure_logging()


def _count_as(name: str) -> None:
    """Keep metrics, where several processes add theirs up, in the files that its predecessor kept them in.

    By default there are files for each process number, and somebody who has children killed could have the
    folder filled.
    """
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        from prometheus_client import values  # it reads the variable when it is imported

        values.ValueClass = values.MultiProcessValue(lambda: name)  # type: ignore[no-untyped-call]


def _answer(call: Call, tenant: object) -> tuple[object, Packed]:
    """Return what was made, and the message that says so; of a tenant only that it is there."""
    with ErrorBoundary() as boundary:
        if call.makes_tenant:
            return call.function(*call.args, **call.kwargs), pack(Answer(value=None))
        return None, pack(Answer(value=call.function(tenant, *call.args, **call.kwargs)))
    return None, _packed_failure(boundary.error or RuntimeError())


def _packed_failure(error: Exception) -> Packed:
    frames = tuple(
        f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)
    )
    failure = Failure(error=error, name=type(error).__name__, frames=frames)
    with ErrorBoundary():  # an error of a library need not survive the journey
        packed = pack(failure)
        unpack(packed[0], packed[1:])
        return packed
    return pack(Failure(error=None, name=failure.name, frames=frames))


if __name__ == "__main__":
    main(sys.argv[1:])
