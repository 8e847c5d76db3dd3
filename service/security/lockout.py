"""Delays between attempts to sign in, so that passwords cannot be tried one after the other.

Failures are counted by account and address together, by address, and by account. Each count has some
attempts for free, then a delay that doubles up to a limit. The counts of an address or an account alone,
which strangers can drive up, do not delay somebody who signed in from the same address a while ago: nobody
can be locked out of the own desk by others.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from service.store.database import Store
from service.store.sign_in_failures import count_attempt, count_success, is_known


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """How long the next attempt has to wait after so many failures."""

    free: int  # failures without a delay
    longest_seconds: float

    def __call__(self, failures: int) -> float:
        """Return the delay in seconds: 1 after the first failure that is not free, then twice as much."""
        if failures <= self.free:
            return 0.0
        return min(2.0 ** min(failures - self.free - 1, 30), self.longest_seconds)


PAIR = Delay(free=5, longest_seconds=900.0)
ADDRESS = Delay(free=30, longest_seconds=60.0)
ACCOUNT = Delay(free=30, longest_seconds=60.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt to sign in."""

    name: str  # as it was typed, folded
    address: str  # of the machine that tries

    def count(self, store: Store, *, now: datetime) -> int:
        """Count it as failed and return 0; if it came too early, return how many seconds are left."""
        delays = {_key("pair", self.name, self.address): PAIR}
        if not is_known(store, self._known, now=now):
            delays |= {_key("address", self.address): ADDRESS, _key("account", self.name): ACCOUNT}
        opens = count_attempt(store, delays, now=now)
        return 0 if opens is None else int((opens - now).total_seconds()) + 1

    def succeed(self, store: Store, *, now: datetime) -> None:
        """Note that it succeeded: the counts of the account begin anew, that of the address loses it."""
        was_counted = not is_known(store, self._known, now=now)
        count_success(
            store,
            forgotten=[_key("pair", self.name, self.address), _key("account", self.name)],
            taken_back=_key("address", self.address) if was_counted else None,
            known=self._known,
            now=now,
        )

    @property
    def _known(self) -> str:
        return _key("known", self.name, self.address)


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
