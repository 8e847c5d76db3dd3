"""The same applications as of the web room."""

from tests.service.web.conftest import api, stow_url

__all__ = ["api", "stow_url"]
