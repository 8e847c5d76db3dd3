"""Fills the templates of the pages."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from service.desk.sheets import breakable

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters["breakable"] = breakable


def render_page(
    template: str, page: Any, *, here: str = "", status: int = 200, alarms: Sequence[str] = ()
) -> HTMLResponse:
    """Return a template filled with what its page shows.

    Args:
        template: name of its file.
        page: what it shows.
        here: the page as the navigation names it.
        status: of the answer.
        alarms: sentences that stand above everything else.
    """
    content = _templates.get_template(template).render(page=page, here=here, alarms=alarms)
    # What is on a page may be a patient's: no cache but the reader's own screen keeps it.
    return HTMLResponse(content, status_code=status, headers={"Cache-Control": "no-store"})
