"""Typed reading of a JSON object: the one place where a manifest's values are checked for their kind."""

from collections.abc import Iterator
from typing import Any

from overread.errors import ModelError


class Table:
    """A JSON object whose values are asked for by name and kind; a wrong one raises ModelError."""

    def __init__(self, value: Any, *, where: str) -> None:
        if not isinstance(value, dict):
            raise ModelError(f"{where} must be a JSON object")
        self._value = value
        self._where = where

    def __iter__(self) -> Iterator[str]:
        return iter(self._value)

    def has(self, name: str) -> bool:
        """Whether the entry is there and says something; null and an empty list say nothing."""
        return self._value.get(name) not in (None, [])

    def text(self, name: str) -> str:
        """Return a value that must be text and not empty."""
        value = self._get(name)
        if not isinstance(value, str) or not value:
            raise self._error(name, "text")
        return value

    def integer(self, name: str) -> int:
        """Return a value that must be a whole number from 1 on."""
        value = self._get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise self._error(name, "a whole number from 1 on")
        return value

    def number(self, name: str) -> float:
        """Return a value that must be a finite number."""
        value = self._get(name)
        if not isinstance(value, int | float) or isinstance(value, bool) or value - value != 0:
            raise self._error(name, "a number")
        return float(value)

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a value that must be a list of texts, at least one."""
        value = self._get(name)
        if (
            not isinstance(value, list)
            or not value
            or not all(isinstance(item, str) and item for item in value)
        ):
            raise self._error(name, "a list of texts")
        return tuple(value)

    def numbers(self, name: str) -> tuple[float, ...]:
        """Return a value that must be a list of finite numbers, at least one."""
        value = self._get(name)
        if not isinstance(value, list) or not value:
            raise self._error(name, "a list of numbers")
        items = Table({str(at): item for at, item in enumerate(value)}, where=f"{self._where}: {name}")
        return tuple(items.number(at) for at in items)

    def scalar(self, name: str) -> bool | int | float | str:
        """Return a value that must be text, a number or true or false."""
        value = self._get(name)
        if not isinstance(value, bool | int | float | str):
            raise self._error(name, "text, a number, true or false")
        return value

    def optional_table(self, name: str) -> "Table | None":
        """Return a value that must be an object; None where it is absent or null."""
        return self.table(name) if self.has(name) else None

    def table(self, name: str) -> "Table":
        """Return a value that must be an object."""
        return Table(self._get(name), where=f"{self._where}: {name}")

    def tables(self, name: str) -> tuple["Table", ...]:
        """Return a value that must be a list of objects."""
        value = self._get(name)
        if not isinstance(value, list):
            raise self._error(name, "a list of objects")
        return tuple(Table(item, where=f"{self._where}: {name}[{at}]") for at, item in enumerate(value))

    def _get(self, name: str) -> Any:
        if name not in self._value:
            raise ModelError(f"{self._where} lacks {name!r}")
        return self._value[name]

    def _error(self, name: str, kind: str) -> ModelError:
        return ModelError(f"{self._where}: {name!r} must be {kind}")
