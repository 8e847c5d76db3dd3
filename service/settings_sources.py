"""Sources of the settings of every room: the environment, the settings file, the defaults.

Each room has one model, a `SettingsModel`, whose fields are declared by `setting`. A field is set by an
environment variable, else by a key of the room's table in the settings file, else it has its default. A
secret may also lie in a file of its own, named by the variable with `_FILE` added.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar, cast

from pydantic import BeforeValidator, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from overread.errors import ConfigurationError
from overread.settings_file import SettingsFile, read_settings_file

FILE_SUFFIX = "_FILE"  # of the variable that names the file with a secret
_SHOWN_MAX = 80  # characters of a wrong value that a message repeats
_OF_NUMBERS = ("int", "float", "finite", "greater", "less")  # kinds of pydantic's errors, by their start
_NOT_TRIED = "default_factory_not_called"  # such an error follows from another one


def setting(  # noqa: PLR0913  # of which all but the meaning have a default
    default: Any = None,
    *,
    meaning: str,
    unit: str = "",
    variable: str = "",
    table: str = "",
    default_words: str = "",
    secret: bool = False,
    **limits: Any,
) -> Any:
    """Return the declaration of one field of a `SettingsModel`.

    Args:
        default: its value where nothing sets it; a function of the fields before it is called.
        meaning: what it sets, in one sentence without a full stop.
        unit: of the value, such as "s" or "bytes".
        variable: environment variable; default: the model's prefix and the name of the field.
        table: of the settings file; default: the model's.
        default_words: how the default is written for people; default: as TOML.
        secret: whether the value is never shown, and may lie in a file.
        limits: of `pydantic.Field`, such as ge.
    """
    extra: Any = {
        "unit": unit,
        "variable": variable,
        "table": table,
        "default_words": default_words,
        "secret": secret,
    }
    given = {"default_factory": default} if callable(default) else {"default": default}
    return Field(**given, description=meaning, json_schema_extra=extra, repr=not secret, **limits)


def split_words(value: object) -> object:
    """Return the words of a text that commas separate; any other value as it is."""
    return [word for part in value.split(",") if (word := part.strip())] if isinstance(value, str) else value


def split_pairs(value: object) -> object:
    """Return the mapping that a text such as "A=1,B=2", or a list of such texts, gives."""
    words = split_words(value)
    if not isinstance(words, list):
        return words
    pairs = [str(word).partition("=") for word in words]
    if wrong := [name for name, separator, _ in pairs if not separator]:
        raise ValueError(f"{wrong[0]!r} is not a name and a value, such as NAME=VALUE")
    return {name.strip(): value.strip() for name, _, value in pairs}


SPLIT_WORDS = BeforeValidator(split_words)
SPLIT_PAIRS = BeforeValidator(split_pairs)


class SettingsModel(BaseSettings):
    """The settings of one room. Made in code, it takes what it is given; `read` makes it from the sources."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    table: ClassVar[str] = ""  # of the settings file
    prefix: ClassVar[str] = "OVERREAD_"  # of the environment variables

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return no source but the arguments: what is constructed in code does not depend on the process."""
        del cls, settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)

    @classmethod
    def declared_keys(cls) -> tuple["Key", ...]:
        """Return where each field is set, in the order of their declaration."""
        return tuple(_key(cls, name, field) for name, field in cls.model_fields.items())

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Return the settings that the environment and its settings file give.

        Raises:
            ConfigurationError: values are wrong; the message names each by its variable or key.
        """
        sources = Sources(environ=environ, file=read_settings_file(environ))
        if faults := faults_of(cls, sources):
            raise ConfigurationError("; ".join(faults))
        return _built(cls, sources)


Model = TypeVar("Model", bound=SettingsModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """Names of one field in environment and settings file, with its description."""

    field: str
    table: str  # of the settings file
    name: str  # in that table
    variable: str
    meaning: str
    unit: str
    default: object | None  # None where it is computed, or nothing
    default_words: str  # in place of the default, where not empty
    is_secret: bool

    @property
    def file_variable(self) -> str | None:
        """Variable that names a file with the value; None where it is no secret."""
        return f"{self.variable}{FILE_SUFFIX}" if self.is_secret else None


class Origin(StrEnum):
    """Origin of the value of a setting."""

    DEFAULT = "default"
    FILE = "file"
    ENVIRONMENT = "environment"
    SECRET_FILE = "secret file"  # noqa: S105  # a word for people


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The environment and the settings file, from the stronger to the weaker."""

    environ: Mapping[str, str]
    file: SettingsFile

    def origin(self, key: Key) -> Origin:
        """Return where the value of a setting comes from."""
        if self.environ.get(key.variable, "").strip():
            return Origin.ENVIRONMENT
        if key.file_variable and self.environ.get(key.file_variable, "").strip():
            return Origin.SECRET_FILE
        return Origin.FILE if self.file.value(key.table, key.name) is not None else Origin.DEFAULT

    def place(self, key: Key) -> str:
        """Return the name by which a person finds what sets a setting, or may set it."""
        match self.origin(key):
            case Origin.FILE:
                return f"[{key.table}] {key.name} in {self.file.path}"
            case Origin.SECRET_FILE:
                return f"{key.variable}{FILE_SUFFIX}"
            case _:
                return key.variable


class _EnvironmentSource(PydanticBaseSettingsSource):
    """The variables of one model, and the files that hold its secrets."""

    def __init__(self, model: type[SettingsModel], environ: Mapping[str, str]) -> None:
        super().__init__(model)
        self._keys = {key.field: key for key in model.declared_keys()}
        self._environ = environ

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return the text that sets a field, None where nothing does."""
        del field
        key = self._keys[field_name]
        text = self._environ.get(key.variable, "").strip()
        if not text and key.file_variable and (path := self._environ.get(key.file_variable, "").strip()):
            text = _secret_in(path, key.file_variable)
        return text or None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return the fields that are set."""
        values = {
            name: self.get_field_value(f, name)[0] for name, f in self.settings_cls.model_fields.items()
        }
        return {name: value for name, value in values.items() if value is not None}


def faults_of(model: type[SettingsModel], sources: Sources) -> list[str]:
    """Return what is wrong with the values of one model, a sentence each; none repeats a secret."""
    try:
        _built(model, sources)
    except ConfigurationError as error:
        return [str(error)]
    except ValidationError as error:
        keys = {key.field: key for key in model.declared_keys()}
        found: dict[object, str] = {}  # of a list, or of a value that fits no alternative, the first
        for detail in error.errors(include_url=False, include_context=False):
            if detail["type"] != _NOT_TRIED:
                found.setdefault(detail["loc"][:1], _fault(detail, keys, sources))
        return list(found.values())
    return []


def _built(model: type[Model], sources: Sources) -> Model:
    from_file = {
        key.field: value
        for key in model.declared_keys()
        if (value := sources.file.value(key.table, key.name)) is not None
    }
    both = (_EnvironmentSource(model, sources.environ), InitSettingsSource(model, from_file))
    given: dict[str, Any] = {"_build_sources": (both, {})}  # no field: pydantic's type checking knows it not
    return model(**given)


def _fault(detail: ErrorDetails, keys: Mapping[str, Key], sources: Sources) -> str:
    if not detail["loc"]:
        return detail["msg"].removeprefix("Value error, ")  # of several fields, which it names
    key = keys[str(detail["loc"][0])]
    if detail["type"] == "value_error":  # our own, which repeats of the value what may be shown
        return f"{sources.place(key)}: {detail['msg'].removeprefix('Value error, ')}"
    # What should be a number holds nothing that is secret; a text may be an address with a password.
    shown = f", not {repr(detail['input'])[:_SHOWN_MAX]}" if detail["type"].startswith(_OF_NUMBERS) else ""
    return f"{sources.place(key)}: {detail['msg'][:1].lower()}{detail['msg'][1:]}{shown}"


def _key(model: type[SettingsModel], name: str, field: FieldInfo) -> Key:
    extra = cast(Mapping[str, Any], field.json_schema_extra)
    table = extra["table"] or model.table
    return Key(
        field=name,
        table=table,
        name=name.removeprefix(f"{table}_"),
        variable=extra["variable"] or f"{model.prefix}{name.upper()}",
        meaning=field.description or "",
        unit=extra["unit"],
        default={} if field.default_factory is dict else field.default if not field.default_factory else None,
        default_words=extra["default_words"],
        is_secret=extra["secret"],
    )


def _secret_in(path: str, variable: str) -> str:
    try:
        text = Path(path).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigurationError(f"{variable}: the file {path} cannot be read: {reason}") from None
    if not text:
        raise ConfigurationError(f"{variable}: the file {path} is empty")
    return text
