"""Passwords: which ones are accepted, and how they are kept (NIST SP 800-63B-4 section 3.1.1).

No rule asks for kinds of characters. What counts is the length, and that nobody would guess it early: not one
of the passwords that are used most, not the names of the person or the service, no short thing repeated.
"""

import threading
import unicodedata
from collections.abc import Collection
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from overread.errors import InputError

LENGTH_ALONE_MIN = 15
LENGTH_WITH_SECOND_FACTOR_MIN = 8
LENGTH_MAX = 1000
_AT_ONCE = threading.BoundedSemaphore(2)  # each takes 46 MiB; strangers may ask for as many as they like
# Argon2id, 46 MiB, one pass, one lane: one of the settings of the OWASP Password Storage Cheat Sheet, which
# cost an attacker the same.
_hasher = PasswordHasher(memory_cost=47_104, time_cost=1, parallelism=1)


def check_password(password: str, *, names: Collection[str], has_second_factor: bool = False) -> None:
    """Return if a password may be chosen.

    Args:
        password: what was typed.
        names: of the person, as others know them.
        has_second_factor: whether the password alone lets nobody in.

    Raises:
        InputError: it is too short, too long, or would be guessed early.
    """
    password = _normal(password)
    shortest = LENGTH_WITH_SECOND_FACTOR_MIN if has_second_factor else LENGTH_ALONE_MIN
    if not shortest <= len(password) <= LENGTH_MAX:
        raise InputError(f"a password has {shortest} to {LENGTH_MAX} characters")
    simple = password.casefold()
    core = _unit(simple).strip("0123456789!?.,-_ ")
    if simple in _common() or core in _common() or len(set(simple)) < 4:
        raise InputError("that password is one of those that are tried first; choose another")
    guessed = {part for name in names for part in name.casefold().split() if len(part) > 2} | {"overread"}
    words = set(core.split())
    if words <= guessed or simple in guessed or any(core == a + b for a in guessed for b in guessed):
        raise InputError("the password must not be made of the name of the person or of overread")


def hash_password(password: str) -> str:
    """Return what is kept of a password: Argon2id with a salt of its own and its parameters."""
    with _AT_ONCE:
        return _hasher.hash(_normal(password))


def is_password(password: str, kept: str | None) -> bool:
    """Whether a password is the one that is kept; it takes as long where none is kept."""
    with _AT_ONCE:
        try:
            return (
                _hasher.verify(_nobodys() if kept is None else kept, _normal(password)) and kept is not None
            )
        except (VerificationError, InvalidHashError):
            return False


def is_outdated(kept: str) -> bool:
    """Whether what is kept was made with other parameters than today's."""
    return _hasher.check_needs_rehash(kept)


def _normal(password: str) -> str:
    """Return the password as it is compared, whichever keyboard composed its letters."""
    return unicodedata.normalize("NFKC", password)


def _unit(text: str) -> str:
    """Return what a text repeats, itself where it repeats nothing."""
    return text[: (text + text).find(text, 1)]


@cache
def _common() -> frozenset[str]:
    """Return the passwords that are used most, 30,000 of them (package zxcvbn)."""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # noqa: PLC0415  # a megabyte, for this alone

    return frozenset(FREQUENCY_LISTS["passwords"])


@cache
def _nobodys() -> str:
    return _hasher.hash("the password of nobody")
