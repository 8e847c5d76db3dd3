"""API and pages on a store of the test's own, which tell the metrics."""

from tests.service.conftest import sqlite_store
from tests.service.web.conftest import api

__all__ = ["api", "sqlite_store"]
