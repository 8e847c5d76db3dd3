"""Parsers of files that a person gives: cohorts, tables of reports, policies, manifests, settings."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from models.manifest import FILE_NAME as MANIFEST
from models.manifest import load_manifest
from models.releases import list_releases, release_folder
from overread.cohort import parse_line
from overread.errors import ConfigurationError, InputError, ModelError
from overread.priority import parse_policy, shipped_policy_text
from overread.settings_file import FILE_NAME as SETTINGS
from service.configuration import effective_settings, faults
from service.importing.tables import TableOptions, read_table
from tests.fuzzing.harness import CANARY, Harness
from tests.fuzzing.message_parsers import JSON_NESTS, JSON_WORDS, as_json

TOML_WORDS = (
    *(
        b"[",
        b"]",
        b"[[",
        b"]]",
        b"=",
        b'"',
        b"'''",
        b"\n",
        b"#",
        b".",
        b"nan",
        b"inf",
        b"-0.0",
        b"1_0",
        b"{",
        b"}",
    ),
    *(b"1979-05-27T07:32:00Z", b"0x_1", b"true", b'"""'),
)
TOML_NESTS = ((b"x = " + b"[", b"]"), (b"[", b"]"), (b"{x=", b"}"))
SECRET = f"""\
[store]
database_url = "postgresql://overread:{CANARY}@db.example/overread"
quiet_seconds = 30.0

[web]
api_token = "{CANARY}-0123456789"

[dicom]
calling_ae_titles = ["PACS", "CT1"]
peers = {{PACS = "10.0.0.1:104", CT1 = "tls://10.0.0.7:2762"}}

[hl7]
senders = ["10.1.0.0/16"]
statuses = {{A = "PRELIMINARY"}}

[watch]
report_name = "(?P<accession_number>.+)"
"""


def parsers(stack: ExitStack) -> Iterator[Harness]:
    """Yield the harnesses; what they need ends with the stack."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="overread-fuzzing-")))
    case = {
        "case": "1.2.3",
        "patient": "p1",
        "order": 2,
        "text": f"FINDINGS: {CANARY}",
        "detections": [{"detector": "some", "scores": {"mass": 0.4}}],
        "observations": [{"finding": "mass", "presence": "PRESENT"}],
        "adjudications": [{"finding": "mass", "kind": "POSSIBLE_MISS", "confirmed": True}],
    }
    yield Harness(
        name="cohort",
        parse=lambda content: parse_line(content, "line 1"),
        named=(InputError,),
        samples=(as_json(**case),),
        words=(*JSON_WORDS, b'"scores":', b'"order":', b"-1", b"0.5"),
        nests=JSON_NESTS,
    )
    yield from tables(folder)
    yield Harness(
        name="policy",
        parse=lambda content: parse_policy(content.decode("utf-8", "replace")),
        named=(ConfigurationError,),
        samples=(shipped_policy_text().encode(),),
        words=(*TOML_WORDS, b"[urgency]\n", b"version = ", b"minimum_odds = "),
        nests=TOML_NESTS,
    )
    yield Harness(
        name="manifest",
        parse=lambda content: load_manifest(_written(folder / MANIFEST, content).parent),
        named=(ModelError,),
        samples=tuple(manifests()),
        words=(*JSON_WORDS, b'"format":', b'"rows":', b'"calibration":', b'"sha256":', b"-1", b"0"),
        nests=JSON_NESTS,
        share=0.5,
    )
    yield Harness(
        name="settings",
        parse=lambda content: configure(folder, content),
        named=(ConfigurationError,),
        samples=(SECRET.encode(), b'[store]\nquiet_seconds = "many"\nfree_bytes_min = -1\n'),
        words=(*TOML_WORDS, b"[store]\n", b"[dicom]\n", b"peers = ", b"api_token = ", b"(?P<", b"://", b"@"),
        nests=TOML_NESTS,
        share=0.3,
    )


def tables(folder: Path) -> Iterator[Harness]:
    """Yield those of archives of reports."""
    rows = {
        "accession": "A1",
        "text": f"No mass, {CANARY}.",
        "status": "FINAL",
        "issued": "2026-03-01T10:00:00Z",
    }
    csv = f'accession;text;status\nA1;No mass, {CANARY}.;FINAL\nA2;"Two\nlines";P\n'
    yield Harness(
        name="table-csv",
        parse=lambda content: read(_written(folder / "a.csv", content)),
        named=(InputError, ConfigurationError),
        samples=(csv.encode(), csv.replace(";", ",").encode(), csv.replace(";", "\t").encode()),
        words=(b";", b",", b"\t", b'"', b'""', b"\r", b"\n", b"accession", b"text", b"study"),
        share=0.5,
    )
    yield Harness(
        name="table-jsonl",
        parse=lambda content: read(_written(folder / "a.jsonl", content)),
        named=(InputError, ConfigurationError),
        samples=((json.dumps(rows) + "\n").encode() * 2,),
        words=(*JSON_WORDS, b"\n"),
        nests=JSON_NESTS,
        share=0.5,
    )


def read(path: Path) -> None:
    """Read a table to its end; no problem of a row repeats what the row says."""
    for row in read_table(path, TableOptions()):
        if row.problem is not None and CANARY in row.problem:
            raise AssertionError("a problem repeats what the row says")


def manifests() -> Iterator[bytes]:
    """Yield those of the releases that come with overread."""
    for name in list_releases():
        yield (release_folder(name) / MANIFEST).read_bytes()


def configure(folder: Path, content: bytes) -> None:
    """Look for faults in a settings file as `overread config check` does, and show what is in effect.

    Raises:
        ConfigurationError: there are faults.
    """
    path = _written(folder / SETTINGS, content)
    environ = {"OVERREAD_CONFIG": str(path)}
    found = faults(environ)
    if any(CANARY in fault for fault in found):
        raise AssertionError("a fault repeats a secret")
    if found:
        raise ConfigurationError("; ".join(found))
    if any(CANARY in repr(setting) for setting in effective_settings(environ)):
        raise AssertionError("what is shown repeats a secret")


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
