"""Warnings of libraries without their text: it may quote a value of a header, and so a patient's name."""

import warnings
from collections.abc import Callable
from pathlib import PurePath


def withhold_warning_text(say: Callable[[str, str], None]) -> None:
    """From now on `say` is given the kind of each Python warning and its place, and nobody its text.

    Those of pydicom are left out: it finds fault with a value in most files.
    """
    warnings.filterwarnings("ignore", module=r"pydicom\.")

    def show(
        message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: object, **__: object
    ) -> None:
        del message
        say(category.__name__, f"{PurePath(filename).name}:{lineno}")

    warnings.showwarning = show
