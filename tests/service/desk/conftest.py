"""Pages on a store of the test's own."""

from tests.service.http.conftest import api  # the same application serves both

__all__ = ["api"]
