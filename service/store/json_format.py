"""Domain values as JSON text, for the database: the dataclasses of `overread` are the schema.

What is written is `{"format": 3, "value": ...}`; rows without a format are of format 1. The format of a kind
of value grows by one whenever a field of its dataclasses, or of those inside it, is added, removed, renamed
or given another type: whoever changes one adds a function to `_UPGRADES` that makes the former format the
new one.
"""

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from overread.errors import UnreadableRecordError
from overread.observation import ReportReading

T = TypeVar("T")
Upgrade = Callable[[Any], Any]
"""From the JSON value of one format to that of the next."""

_ENVELOPE = re.compile(r'\{"format":([0-9]{1,9}),"value":')


def _observer_for_reader(reading: Any) -> Any:
    """From 1 to 2: who made a reading is its observer, as a reader is a person."""
    return {"observer" if name == "reader" else name: value for name, value in reading.items()}


def _nothing_left_out(reading: Any) -> Any:
    """From 2 to 3: a reading counts the statements that it has no room for; every one was kept before."""
    return {**reading, "statements_left_out": 0}


_UPGRADES: Mapping[Any, tuple[Upgrade, ...]] = {ReportReading: (_observer_for_reader, _nothing_left_out)}
"""For each kind that has changed: from format 1 to 2, from 2 to 3, and so on."""


def format_of(kind: Any) -> int:
    """Return the number of the format in which values of a kind are written."""
    return 1 + len(_UPGRADES.get(kind, ()))


def to_json(value: object) -> str:
    """Return the JSON of a value made of dataclasses, enumerations, tuples, mappings, numbers and text."""
    # Read-only mappings are no dicts; pydantic would write them as the fallback says and warn each time.
    text = _adapter(type(value)).dump_json(value, fallback=_plain, warnings="none").decode("utf-8")
    return f'{{"format":{format_of(type(value))},"value":{text}}}'


def from_json(kind: type[T], text: str) -> T:
    """Return the value of this kind that `to_json` of this release or of an earlier one wrote.

    Raises:
        UnreadableRecordError: the text is not the JSON of such a value, or a later release wrote it.
    """
    envelope = _ENVELOPE.match(text)
    number, content = (int(envelope[1]), text[envelope.end() : -1]) if envelope else (1, text)
    if number > format_of(kind):
        raise UnreadableRecordError(f"a later release wrote this {_name(kind)}, in format {number}")
    try:
        value: T = _adapter(kind).validate_json(_upgraded(kind, number, content))
    except ValidationError as error:  # whose text would repeat what is stored
        first = error.errors(include_input=False, include_context=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "its text"
        raise UnreadableRecordError(
            f"this {_name(kind)}, stored in format {number}, cannot be read: {place}: {first['type']}"
        ) from None
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise UnreadableRecordError(
            f"this {_name(kind)}, stored in format {number}, cannot be read ({type(error).__name__})"
        ) from None
    return value


def _upgraded(kind: Any, number: int, content: str) -> str:
    """Return the JSON of a value in the present format."""
    upgrades = _UPGRADES.get(kind, ())[number - 1 :]
    if not upgrades:
        return content
    value = json.loads(content)
    for upgrade in upgrades:
        value = upgrade(value)
    return json.dumps(value)


def _name(kind: Any) -> str:
    """Return what a kind is called, such as "triage result"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", getattr(kind, "__name__", "value")).lower()


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
