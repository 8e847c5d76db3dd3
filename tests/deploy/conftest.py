"""API and pages on a store of the test's own, which tell the metrics."""

from tests.service.conftest import api, sqlite_store

__all__ = ["api", "sqlite_store"]
