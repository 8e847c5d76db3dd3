"""Runs a command that cannot outlive its parent: `python -m service.parent_death PARENT COMMAND...`.

The parent-death signal (prctl(2), Linux) survives the exec, so any program can be attached unawares.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """From now on the kernel kills this process when the thread that started it ends (Linux only).

    SIGKILL, because every process of ours survives being killed at any moment, and a stuck one must not stay.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def main(arguments: list[str]) -> None:
    """Attach to the parent and become the command."""
    parent, *command = arguments
    die_with_parent()
    if os.getppid() != int(parent):  # the parent ended before the call above could take effect
        sys.exit(0)
    os.execvp(command[0], command)  # noqa: S606  # the supervisor's own command, no shell


if __name__ == "__main__":
    main(sys.argv[1:])
