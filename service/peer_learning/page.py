"""Page of a meeting: one HTML file without a script, whose own policy forbids every request."""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

_FOLDER = Path(__file__).parent / "templates"
_templates = Environment(
    loader=FileSystemLoader(_FOLDER),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page_of(title: str, cases: Sequence[Any], counts: Sequence[Any], *, version: str) -> str:
    """Return the page.

    Args:
        title: of the meeting.
        cases: `service.peer_learning.meeting.MeetingCase`, in the order of the page.
        counts: `service.peer_learning.counts.Count`.
        version: of overread.
    """
    style = (_FOLDER / "meeting.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    return _templates.get_template("meeting.html").render(
        title=title,
        cases=cases,
        counts=counts,
        version=version,
        style=Markup(style),  # noqa: S704 - our own file
        style_hash=f"sha256-{digest}",
    )
