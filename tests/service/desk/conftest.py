"""Pages on a store of the test's own."""

from tests.service.http.conftest import api as api  # the same application serves both
