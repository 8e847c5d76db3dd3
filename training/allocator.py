"""Make the C library keep freed memory, which training asks for again in the next step."""

import ctypes

# From malloc.h of glibc; see mallopt(3).
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_LARGEST = 2**30


def keep_freed_memory() -> None:
    """Stop glibc from handing large blocks back to the system; without glibc, nothing changes.

    Every layer's output is a fresh block. Handed back and asked for again, each page of it faults anew, which
    on a virtual machine took twice as long as the arithmetic.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # no such function, no such library, no such concept
        return
    for option, value in (
        (_MMAP_THRESHOLD, _LARGEST),
        (_TRIM_THRESHOLD, 2 * _LARGEST - 1),
        (_TOP_PAD, _LARGEST // 2),
    ):
        mallopt(option, value)
