"""Domain values as JSON text, for the database: the dataclasses of `overread` are the schema."""

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter

T = TypeVar("T")


def to_json(value: object) -> str:
    """Return the JSON of a value made of dataclasses, enumerations, tuples, mappings, numbers and text."""
    # Read-only mappings are no dicts; pydantic would write them as the fallback says and warn each time.
    text: str = _adapter(type(value)).dump_json(value, fallback=_plain, warnings="none").decode("utf-8")
    return text


def from_json(kind: type[T], text: str) -> T:
    """Return the value of this kind that `to_json` wrote.

    Raises:
        pydantic.ValidationError: the text is not the JSON of such a value.
    """
    value: T = _adapter(kind).validate_json(text)
    return value


@cache  # building one takes milliseconds
def _cached_adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _adapter(kind: Any) -> TypeAdapter[Any]:
    adapter: TypeAdapter[Any] = _cached_adapter(kind)
    return adapter


def _plain(value: object) -> dict[object, object]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} cannot be stored")
