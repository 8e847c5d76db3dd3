"""What parent and child tell each other."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call: of the function that makes the tenant, or of one that is given the tenant first."""

    function: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any]
    makes_tenant: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """The call has been understood, and the function runs from here on."""

    has_imported: bool  # modules, to understand it


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the function returned; of a tenant nothing, it stays where it is."""

    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What the function raised."""

    error: Exception | None  # None where it cannot be pickled
    name: str  # of its class
    frames: tuple[str, ...]  # file, line and function, without values
