"""The settings of all rooms together: which names there are, what is wrong, and what is in effect."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from textwrap import wrap

from pydantic_core import to_jsonable_python

from models.providers import VARIABLE as PROVIDER_VARIABLE
from overread.errors import ConfigurationError, OutOfResourcesError
from overread.settings_file import CONFIG_VARIABLE, SettingsFile, read_settings_file
from service.adjudication.settings import SecondReadSettings
from service.dicom.settings import DicomSettings
from service.hl7.settings import Hl7Settings
from service.maintenance.drift_settings import DriftSettings
from service.notices.settings import NoticeSettings
from service.pacs.settings import PacsSettings
from service.results.settings import ResultsSettings
from service.security.settings import SecuritySettings
from service.settings import Settings
from service.settings_sources import Key, Origin, SettingsModel, Sources, faults_of
from service.store.people import accounts_are_kept
from service.watch.settings import WatchSettings, check_watch
from service.web.guard import access_for
from service.web.settings import WebSettings

MODELS: tuple[type[SettingsModel], ...] = (
    Settings,
    WebSettings,
    SecuritySettings,
    SecondReadSettings,
    DicomSettings,
    Hl7Settings,
    WatchSettings,
    PacsSettings,
    ResultsSettings,
    NoticeSettings,
    DriftSettings,
)
ONLY_VARIABLES: Mapping[str, str] = {
    CONFIG_VARIABLE: "the settings file, as --config",
    PROVIDER_VARIABLE: "where ONNX Runtime runs the network: cpu, cuda or tensorrt",
    "OVERREAD_DATA": "folder of the public data sets, for training and evaluation",
}
"""Variables that are no key of the settings file."""
MASK = "********"
_LONG_NUMBER = 10_000  # from here on its digits are grouped
_PREFIX = "OVERREAD_"


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectiveSetting:
    """One setting as it is in effect."""

    key: Key
    value: str  # as TOML; masked where it is secret
    source: str  # default, or environment, secret file or file with the name of the variable or key


def all_keys() -> tuple[Key, ...]:
    """Return every key, the tables of the file one after the other."""
    keys = [key for model in MODELS for key in model.declared_keys()]
    tables = list(dict.fromkeys(key.table for key in keys))
    return tuple(sorted(keys, key=lambda key: tables.index(key.table)))


def known_variables() -> frozenset[str]:
    """Return every environment variable that means something."""
    of_files = (key.file_variable for key in all_keys() if key.file_variable)
    return frozenset([*ONLY_VARIABLES, *(key.variable for key in all_keys()), *of_files])


def unknown_names(environ: Mapping[str, str]) -> list[str]:
    """Return a sentence for each variable `OVERREAD_...`, table and key of the file that means nothing.

    Raises:
        ConfigurationError: the settings file cannot be read.
    """
    known = known_variables()
    found = [
        f"{name} is no setting{_nearest(name, known)}"
        for name in sorted(environ)
        if name.startswith(_PREFIX) and name not in known and environ[name].strip()
    ]
    return found + list(_unknown_keys(read_settings_file(environ)))


def require_known_names(environ: Mapping[str, str]) -> None:
    """Return if every variable `OVERREAD_...` and every key of the settings file means something.

    Raises:
        ConfigurationError: one does not; the message names the nearest that does.
    """
    if found := unknown_names(environ):
        raise ConfigurationError("; ".join(found))


def faults(environ: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the settings, a sentence each with its variable or key, without secrets."""
    try:
        sources = Sources(environ=environ, file=read_settings_file(environ))
    except ConfigurationError as error:
        return [str(error)]
    wrong = [fault for model in MODELS for fault in faults_of(model, sources)]
    return unknown_names(environ) + (wrong or list(_faults_between(environ)))


def _faults_between(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield what is wrong although each value is right alone: it contradicts others, or names no file."""
    web, dicom, hl7 = WebSettings.read(environ), DicomSettings.read(environ), Hl7Settings.read(environ)
    pacs, security = PacsSettings.read(environ), SecuritySettings.read(environ)
    checks: list[Callable[[], object]] = [
        lambda: access_for(web.host, web.api_token, security=security).entrance.require_a_way_in(
            has_accounts=accounts_are_kept(Settings.read(environ))
        ),
        lambda: dicom.tls and dicom.tls.context(),
        lambda: hl7.tls and hl7.tls.context(),
        lambda: check_watch(environ),
        lambda: pacs.archive and pacs.address(dicom),
        lambda: ResultsSettings.read(environ).addresses(dicom),
        lambda: NoticeSettings.read(environ).require_authority(),
    ]
    for check in checks:
        try:
            check()
        except (ConfigurationError, OutOfResourcesError) as error:
            yield str(error)


def effective_settings(environ: Mapping[str, str]) -> Iterator[EffectiveSetting]:
    """Yield every setting with its value and where that comes from.

    Raises:
        ConfigurationError: a value is wrong.
    """
    sources = Sources(environ=environ, file=read_settings_file(environ))
    values = {model: model.read(environ) for model in MODELS}
    of_model = {key.variable: model for model in MODELS for key in model.declared_keys()}
    for key in all_keys():
        value = getattr(values[of_model[key.variable]], key.field)
        origin = sources.origin(key)
        source = origin.value if origin is Origin.DEFAULT else f"{origin}: {sources.place(key)}"
        yield EffectiveSetting(
            key=key, value=_toml(_masked(key, value) if key.is_secret else value), source=source
        )


def template() -> str:
    """Return a settings file with every key, its default, unit and meaning, all of it commented out."""
    lines = [
        "# Settings of overread. Every key is commented out and shows its default. Environment variables are",
        "# stronger than this file. Give paths in full.",
    ]
    table = ""
    for key in all_keys():
        if key.table != table:
            table = key.table
            lines += ["", f"[{table}]"]
        lines += ["", *_comment(key), f"# {key.name} = {_default(key)}"]
    return "\n".join([*lines, ""])


def reference() -> str:
    """Return docs/settings.md: every setting, in a section for each table of the file."""
    lines = [
        "# Reference of the settings",
        "",
        "How they are given is said in [deployment](deployment.md#settings). This page is generated:",
        "`python -m service.configuration > docs/settings.md`.",
    ]
    table = ""
    for key in all_keys():
        if key.table != table:
            table = key.table
            lines += ["", f"## [{table}]", "", "| Variable | Key | Default | Meaning |", "|---|---|---|---|"]
        unit = f" ({key.unit})" if key.unit else ""
        secret = f"; a secret, or `{key.file_variable}`" if key.is_secret else ""
        meaning = f"{key.meaning}{unit}{secret}".replace("|", "\\|")
        lines.append(f"| `{key.variable}` | `{key.name}` | {_described_default(key)} | {meaning} |")
    lines += ["", "## Only as variables", "", "| Variable | Meaning |", "|---|---|"]
    lines += [f"| `{name}` | {meaning} |" for name, meaning in ONLY_VARIABLES.items()]
    return "\n".join([*lines, ""])


def _unknown_keys(file: SettingsFile) -> Iterator[str]:
    tables: dict[str, list[str]] = {}
    for key in all_keys():
        tables.setdefault(key.table, []).append(key.name)
    for table, keys in file.tables.items():
        if table not in tables:
            yield f"{file.path}: [{table}] is no table of settings{_nearest(table, tables)}"
            continue
        for name in keys:
            if name not in tables[table]:
                elsewhere = [f"[{other}] {name}" for other, names in tables.items() if name in names]
                hint = f"; it belongs into {elsewhere[0]}" if elsewhere else _nearest(name, tables[table])
                yield f"{file.path}: [{table}] {name} is no setting{hint}"


def _nearest(name: str, known: "frozenset[str] | Mapping[str, object] | list[str]") -> str:
    near = get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else "; `overread config init` lists all"


def _comment(key: Key) -> list[str]:
    unit = f"; in {key.unit}" if key.unit else ""
    secret = f", or {key.file_variable} for a file that holds it" if key.is_secret else ""
    default = f"; default: {key.default_words}" if key.default_words else ""
    meaning = f"{key.meaning[:1].upper()}{key.meaning[1:]}."
    return [f"# {line}" for line in (*wrap(meaning, 105), f"{key.variable}{secret}{unit}{default}")]


def _default(key: Key) -> str:
    return '""' if key.default is None else _toml(key.default)


def _described_default(key: Key) -> str:
    if key.default_words or key.default is None:
        return key.default_words or "none"
    return f"`{_toml(key.default)}`".replace("|", "\\|")


def _masked(key: Key, value: object) -> str:
    """Return a secret without what is secret: of the database its kind, host and name remain."""
    if not value:
        return ""
    if key.field != "database_url":
        return MASK
    kind, _, rest = str(value).partition("://")
    address = rest.partition("?")[0]  # what follows may hold a password too
    return f"{kind}://{MASK}@{address.rpartition('@')[2]}" if "@" in address else f"{kind}://{address}"


def _toml(value: object) -> str:
    """Return a value as TOML, on one line."""
    match to_jsonable_python(value):
        case None:
            return '""'
        case dict(items):
            return (
                "{" + ", ".join(f"{json.dumps(name)} = {_toml(item)}" for name, item in items.items()) + "}"
            )
        case list(items):
            return "[" + ", ".join(map(_toml, items)) + "]"
        case int(number) if number >= _LONG_NUMBER:
            return f"{number:_}"
        case plain:
            return json.dumps(plain, ensure_ascii=False)


if __name__ == "__main__":
    sys.stdout.write(reference())
