"""A module that takes memory when it is imported."""

import numpy as np

from tests.service.confined.tenants import Tenant

BYTES = 128 << 20
_TABLE = np.ones(BYTES, np.uint8)


def weigh(_: Tenant) -> int:
    return _TABLE.nbytes
