"""Form of the pages of an audit: one file without a script, whose own policy forbids every request."""

import base64
import hashlib
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

_TEMPLATES = files("evaluation.audit") / "templates"


def filled(template: str, **values: Any) -> str:
    """Return a page from one of our templates, with its style and the policy that allows this style alone."""
    style = (_TEMPLATES / "report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.FunctionLoader(lambda name: (_TEMPLATES / name).read_text(encoding="utf-8")),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "percent": percent, "rate": rate, "words": words}
    return environment.get_template(template).render(
        style=Markup(style),  # noqa: S704 - our own file
        style_hash=f"sha256-{digest}",
        **values,
    )


def percent(text: str) -> str:
    """Return a share as a percentage of three digits; of nothing a dash."""
    if not text:
        return "\N{EN DASH}"
    share = 100 * float(text)
    return f"{share:.0f} %" if share >= 99.95 else f"{share:.3g} %"


def number(text: str) -> str:
    """Return a figure with three decimals; of nothing a dash."""
    return f"{float(text):.3f}" if text else "\N{EN DASH}"


def rate(text: str) -> str:
    """Return a p value or false discovery rate as it is read aloud."""
    return "below 0.001" if float(text) < 0.001 else text


def words(name: str) -> str:
    """Return the name of a column or figure as words."""
    return name.replace("_", " ")
