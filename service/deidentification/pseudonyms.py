"""Pseudonyms: what stands in the place of identifiers and days, always the same under the same key."""

import hmac
import secrets
from datetime import date, timedelta
from pathlib import Path

from overread.errors import InvalidFileError, words_of

_KEY_BYTES = 32
_DAYS = 365  # by which days are set back at most, and at least 1
_UUID_ROOT = "2.25"  # PS3.5 annex B.2: the rest is a UUID as a decimal number


class Pseudonyms:
    """Gives pseudonyms that nobody without the key can give, or undo."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def of_key_file(cls, path: Path | None) -> "Pseudonyms":
        """Return those of a key file, which is made where it is not there; None: of a key that is not kept.

        Raises:
            InvalidFileError: the file cannot be read or made, or holds no key.
        """
        if path is None:
            return cls(secrets.token_bytes(_KEY_BYTES))
        try:
            if not path.exists():
                path.touch(mode=0o600)
                path.write_text(secrets.token_hex(_KEY_BYTES) + "\n", encoding="ascii")
            key = bytes.fromhex(path.read_text(encoding="ascii").strip())
        except (OSError, ValueError) as error:
            raise InvalidFileError(f"cannot take a key from {path}: {words_of(error)}") from error
        if len(key) < _KEY_BYTES:
            raise InvalidFileError(f"{path} holds no key: {2 * _KEY_BYTES} hexadecimal digits are one")
        return cls(key)

    def uid(self, uid: str) -> str:
        """Return the UID in the place of a UID."""
        number = bytearray(self._digest("uid", uid)[:16])
        number[6] = number[6] & 0x0F | 0x80  # RFC 9562 section 5.8: version 8, of our own making
        number[8] = number[8] & 0x3F | 0x80
        return f"{_UUID_ROOT}.{int.from_bytes(number, 'big')}"

    def name(self, kind: str, identifier: str) -> str:
        """Return what stands in the place of an identifier of a kind, such as "P3F2A91C0"."""
        return f"{kind}{self._digest(kind, identifier).hex()[:12].upper()}"

    def shifted(self, day: date, patient: str) -> date:
        """Return a day, set back by as many days as every other day of the patient, from 1 to 365."""
        days = 1 + int.from_bytes(self._digest("days", patient)[:8], "big") % _DAYS
        return day - timedelta(days=min(days, day.toordinal() - 1))

    def _digest(self, kind: str, value: str) -> bytes:
        return hmac.digest(self._key, f"{kind}\0{value}".encode(), "sha256")
