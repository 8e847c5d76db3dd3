"""Pages on a store of the test's own."""

from tests.service.web.conftest import api  # the same application serves both

__all__ = ["api"]
