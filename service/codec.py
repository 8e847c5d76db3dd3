"""Domain values as JSON text, for the database: the dataclasses of `overread` are the schema."""

from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter

T = TypeVar("T")


def to_json(value: object) -> str:
    """Return the JSON of a value made of dataclasses, enumerations, tuples, mappings, numbers and text."""
    return _adapter(type(value)).dump_json(value).decode("utf-8")


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
