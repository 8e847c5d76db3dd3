"""Who is looked at first: the policy that turns evidence into an order."""

from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Settings of the order, versioned: every stored priority names the policy that made it."""

    version: str


@cache
def default_policy() -> Policy:
    """Return the policy that comes with overread."""
    return Policy(version="1")
