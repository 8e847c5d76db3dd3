"""The keys of the viewer: what the help of the case page lists, and what its script binds.

`action` is the name under which service/desk/static/viewer/viewer.js knows what to do; docs/viewer.md has the
same table, and tests hold all three together.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewerKey:
    """One key, or two that do the same one way and the other."""

    bindings: tuple[tuple[str, str], ...]  # key as a browser names it, with what Shift adds; and the action
    words: str
    in_pane: bool = False  # only while an image has the focus: elsewhere the page needs the key

    @property
    def shown(self) -> tuple[str, ...]:
        """Return the keys as they stand on a keyboard."""
        return tuple(_SHOWN.get(key, key) for key, _ in self.bindings)


_SHOWN = {
    "ArrowUp": "↑",
    "ArrowDown": "↓",
    "ArrowLeft": "←",
    "ArrowRight": "→",
    "Shift+ArrowUp": "Shift ↑",
    "Shift+ArrowDown": "Shift ↓",
    "Shift+ArrowLeft": "Shift ←",
    "Shift+ArrowRight": "Shift →",
    "PageUp": "Page ↑",
    "PageDown": "Page ↓",
    "Escape": "Esc",
    " ": "Space",
}


def _key(words: str, *bindings: tuple[str, str], in_pane: bool = False) -> ViewerKey:
    return ViewerKey(bindings=bindings, words=words, in_pane=in_pane)


VIEWER_KEYS = (
    _key("overlay on or off", ("o", "overlay")),
    _key("next window of the list, and the one before", ("w", "next-preset"), ("W", "previous-preset")),
    _key("darker, brighter", (",", "darker"), (".", "brighter")),
    _key("narrower window, wider", ("<", "narrower"), (">", "wider")),
    _key("invert the image", ("i", "invert")),
    _key("zoom in, zoom out", ("+", "zoom-in"), ("-", "zoom-out")),
    _key("fit the image, pixel for pixel", ("f", "fit"), ("z", "one-to-one")),
    _key(
        "move the image",
        ("Shift+ArrowLeft", "pan-left"),
        ("Shift+ArrowRight", "pan-right"),
        ("Shift+ArrowUp", "pan-up"),
        ("Shift+ArrowDown", "pan-down"),
        in_pane=True,
    ),
    _key("turn right, turn left", ("g", "turn-right"), ("G", "turn-left")),
    _key("flip left to right, top to bottom", ("h", "flip-across"), ("H", "flip-down")),
    _key("drag moves the image", ("p", "pan-tool")),
    _key(
        "measure a length, an angle: drag, or arrows and Enter for each point",
        ("l", "length"),
        ("a", "angle"),
    ),
    _key("magnifier", ("m", "magnifier")),
    _key("draw a box: drag, or arrows, Shift with arrows, Enter", ("b", "box")),
    _key("put the tool down", ("Escape", "put-down")),
    _key("take back what was drawn last", ("Backspace", "take-back")),
    _key(
        "next image, the one before",
        ("ArrowDown", "next-image"),
        ("ArrowUp", "previous-image"),
        in_pane=True,
    ),
    _key("ten images on, back", ("PageDown", "leap-on"), ("PageUp", "leap-back"), in_pane=True),
    _key("first image, last", ("Home", "first-image"), ("End", "last-image"), in_pane=True),
    _key(
        "next series, the one before",
        ("ArrowRight", "next-series"),
        ("ArrowLeft", "previous-series"),
        in_pane=True,
    ),
    _key("film runs or stands", (" ", "cine"), in_pane=True),
    _key("earlier study beside it, the next earlier one", ("x", "prior"), ("X", "next-prior")),
    _key("link or unlink the two", ("t", "link")),
    _key("images alone, or with the report", ("e", "expand")),
)
