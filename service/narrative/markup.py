"""The text of HTML and XHTML, in time that grows with its length alone.

What a sender writes here is text with some tags, often not well formed. The parser of the standard library
takes minutes over a few hundred kilobytes of unfinished tags, so this one walks over the characters once.
"""

import html
import re
from collections.abc import Iterator

_UNSHOWN = frozenset({"head", "script", "style", "template", "title"})
_LINES = frozenset(
    (
        *("address", "article", "blockquote", "br", "caption", "dd", "div", "dl", "dt", "footer", "header"),
        *("h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "section", "ul"),
        *("table", "tbody", "tfoot", "thead", "tr"),
    )
)
_CELLS = frozenset({"td", "th"})
_TAG = re.compile(r"(/?)([A-Za-z][A-Za-z0-9]*)")
_BLANKS = re.compile(r"[^\S\n]+")
_EMPTY_LINES = re.compile(r"\n{3,}")


def text_of_markup(markup: str) -> str:
    """Return what a browser would show as text: a line for a block, entities resolved, no scripts."""
    parts: list[str] = []
    unshown: str | None = None  # the element that is passed over
    for text, tag in _pieces(markup):
        if unshown is None:
            parts.append(" ".join(html.unescape(text).split("\n")))
        found = _TAG.match(tag)
        if found is None:
            continue
        name, is_end = found[2].lower(), bool(found[1])
        if unshown is not None:
            unshown = None if is_end and name == unshown else unshown
        elif name in _UNSHOWN and not is_end and not tag.endswith("/"):
            unshown = name
        elif name in _LINES and not (name == "br" and is_end):
            parts.append("\n")
        elif name in _CELLS:
            parts.append(" ")
    lines = (_BLANKS.sub(" ", line).strip() for line in "".join(parts).split("\n"))
    return _EMPTY_LINES.sub("\n\n", "\n".join(lines)).strip()


def _pieces(markup: str) -> Iterator[tuple[str, str]]:
    """Give each run of text with the tag after it, without its brackets; an unfinished tag ends it all."""
    position = 0
    while (start := _next_tag(markup, position)) >= 0:
        is_comment = markup.startswith("<!--", start)
        closing = "-->" if is_comment else ">"
        end = markup.find(closing, start)
        if end < 0:
            break
        yield markup[position:start], "" if is_comment else markup[start + 1 : end]
        position = end + len(closing)
    yield markup[position : start if start >= 0 else None], ""


def _next_tag(markup: str, position: int) -> int:
    """Return where the next tag starts: a "<" before a letter, "/", "!" or "?"; -1 where there is none."""
    while (start := markup.find("<", position)) >= 0:
        following = markup[start + 1 : start + 2]
        if following in {"/", "!", "?"} or following.isalpha():
            break
        position = start + 1
    return start
