"""Memory that training frees and asks for again stays where it is."""

import platform
import subprocess
import sys

import pytest

MEASURE = """
import resource, sys
import numpy as np
from training.allocator import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
np.ones(16_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    np.ones(16_000_000)  # 128 MB
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    found = subprocess.run([sys.executable, "-c", MEASURE, how], capture_output=True, text=True, check=True)
    return int(found.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc hands memory back like this")
def test_pages_that_were_freed_do_not_fault_again() -> None:
    assert faults("keep") < faults("as it is") / 4
