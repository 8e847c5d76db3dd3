"""Times of the store when the clock of a machine was set back.

Times that were put down before it lie in the future then. Waiting for them could take days, so what lies
further ahead than anything that is put down on purpose counts as due. A clock that leaps forward needs no
such care: things are due early, a lease that ran out is somebody else's, and a late result is dropped.
"""

from datetime import datetime, timedelta

_DISAGREEMENT_MAX = timedelta(minutes=10)  # between the clocks of several machines


def beyond_reason(now: datetime, *, longest_seconds: float = 0.0) -> datetime:
    """Return the time beyond which nothing is put down on purpose, if that looks so far ahead at most."""
    return now + timedelta(seconds=longest_seconds) + _DISAGREEMENT_MAX
