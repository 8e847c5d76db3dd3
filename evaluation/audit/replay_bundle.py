"""Signed bundle of a replay: a ZIP file with everything that repeats it.

bundle.json             command, versions, hashes of networks, rules and models, and the SHA-256 of every file
bundle.sig              Ed25519 signature of bundle.json (RFC 8032)
policy-before.toml, policy-after.toml
model-before.json, model-after.json     what scores were taken to be worth
input-before.npz, input-after.npz       the cases as each way of flagging is given them, without texts
reads.csv               month, patient number and second read of each case
cases.jsonl             the cases as the cohort has them, texts too: only where it is asked for
result/                 tables and result.json
"""

import csv
import hashlib
import io
import json
import platform
import tempfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from evaluation.audit.audited_cases import arrays_of_record, record_of_arrays
from evaluation.audit.replay import (
    ReplayInput,
    Way,
    WayInput,
    cases_of_period,
    replay,
    replay_input,
)
from evaluation.audit.replay_table import replay_tables
from evaluation.audit.result_folder import RESULT, TABLES, write_tables
from evaluation.audit.signing import fingerprint, is_signed
from evaluation.rank_cohort import Progress
from overread import __version__
from overread.cohort import CohortCase, encode_case
from overread.errors import InvalidFileError, words_of
from overread.flag_yield import ReadCases
from overread.priority import parse_policy
from overread.report.reader import load_reader
from overread.reporting_model import encode_reporting_model

BUNDLE = "bundle.zip"
DESCRIPTION, SIGNATURE, CASES, READS = "bundle.json", "bundle.sig", "cases.jsonl", "reads.csv"
FORMAT = 1
_SIDES = ("before", "after")
_DESCRIPTION_BYTES_MAX = 4_000_000  # of what is read before the signature is known to be good
_READ_COLUMNS = ("case", "patient", "month", "read", "confirmed", "selection_probability")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayRecord:
    """What was replayed, beside its input and result."""

    ways: tuple[Way, Way]
    given: ReplayInput
    minutes_per_read: float
    cases: Sequence[CohortCase] | None  # to go along as they are; None: they stay where they are
    signed_at: datetime


def write_bundle(folder: Path, record: ReplayRecord, key: Ed25519PrivateKey) -> Path:
    """Write a bundle of the replay whose result lies in the folder, into it, and return where it is.

    Raises:
        InvalidFileError: the folder cannot be read or written.
    """
    path = folder / BUNDLE
    partial = path.with_suffix(".partial")
    try:
        members = _members(folder, record)
        description = json.dumps(_description(folder, record, members), indent=1).encode()
        members |= {DESCRIPTION: description, SIGNATURE: key.sign(description)}
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in sorted(members):
                archive.writestr(zipfile.ZipInfo(name), members[name], zipfile.ZIP_DEFLATED)
        partial.replace(path)
    except OSError as error:
        raise InvalidFileError(f"cannot write {path}: {words_of(error)}") from error
    return path


def read_bundle(path: Path, key: Ed25519PublicKey) -> dict[str, bytes]:
    """Return the files of a bundle by their names, after checking its signature and the hash of each.

    Raises:
        InvalidFileError: it is no bundle, another key signed it, or a file is missing, altered or added.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {item.filename: item.file_size for item in archive.infolist()}
            if sizes.get(DESCRIPTION, 0) > _DESCRIPTION_BYTES_MAX or sizes.get(SIGNATURE, 0) > 64:
                raise InvalidFileError(f"{path} is no bundle of a replay")
            description = archive.read(DESCRIPTION)
            if not is_signed(description, archive.read(SIGNATURE), key):
                raise InvalidFileError(f"{path} is not signed by the key with SHA-256 {fingerprint(key)}")
            files: Mapping[str, Mapping[str, Any]] = json.loads(description)["files"]
            if sizes.keys() - {DESCRIPTION, SIGNATURE} != files.keys() or len(sizes) != len(
                archive.infolist()
            ):
                raise InvalidFileError(f"{path} holds other files than were signed")
            members = {DESCRIPTION: description}
            for name, signed in files.items():
                if sizes[name] != signed["bytes"]:
                    raise InvalidFileError(f"{path}: {name} is not as it was signed")
                members[name] = archive.read(name)
                if hashlib.sha256(members[name]).hexdigest() != signed["sha256"]:
                    raise InvalidFileError(f"{path}: {name} is not as it was signed")
    except (OSError, KeyError, zipfile.BadZipFile, zipfile.LargeZipFile) as error:
        raise InvalidFileError(f"cannot read the bundle {path}: {words_of(error)}") from error
    return members


def repeat(members: Mapping[str, bytes], progress: Progress) -> tuple[str, ...]:
    """Replay a bundle again with what is installed, and return the names of the tables that differ.

    Where the cases themselves are in the bundle, their reports are read again; else what each way of flagging
    was given of them is taken.

    Raises:
        InvalidFileError: a file of the bundle has a form that this release does not know.
        ConfigurationError: a policy of the bundle is none of this release.
    """
    description = json.loads(members[DESCRIPTION])
    if description["format"] != FORMAT:
        raise InvalidFileError(f"this release of overread knows no bundle of format {description['format']}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ways = _ways(members, description)
        tables = replay_tables(
            replay(_given(members, description, ways, folder), ways, progress),
            description["minutes_per_read"],
        )
        written = write_tables(folder, tables)
        prefix = f"result/{TABLES}/"
        signed = {name: content["sha256"] for name, content in description["files"].items()}
        names = [name.removeprefix(prefix) for name in signed if name.startswith(prefix)]
        again = {f"{name}.csv": described["sha256"] for name, described in written.items()}
        return tuple(
            name for name in sorted({*names, *again}) if signed.get(prefix + name) != again.get(name)
        )


def _members(folder: Path, record: ReplayRecord) -> dict[str, bytes]:
    members = {
        f"result/{path.relative_to(folder)}": path.read_bytes()
        for path in (folder / RESULT, *sorted((folder / TABLES).glob("*.csv")))
    }
    for side, way, own in zip(_SIDES, record.ways, record.given.ways, strict=True):
        members[f"policy-{side}.toml"] = way.policy_text.encode()
        members[f"model-{side}.json"] = encode_reporting_model(own.reporting_model(way.policy)).encode()
        members[f"input-{side}.npz"] = _packed(own)
    members[READS] = _reads_text(record.given).encode()
    if record.cases is not None:
        members[CASES] = "".join(encode_case(case) + "\n" for case in record.cases).encode()
    return members


def _description(folder: Path, record: ReplayRecord, members: Mapping[str, bytes]) -> dict[str, Any]:
    result = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    reader = load_reader().identity
    return {
        "format": FORMAT,
        "signed_at": record.signed_at.isoformat(),
        "command": result["command"],
        "overread": __version__,
        "python": platform.python_version(),
        "packages": dict(sorted((item.name, item.version) for item in distributions())),
        "report_reader": {"name": reader.name, "version": reader.version, "sha256": reader.sha256},
        "cohort": result["cohort"],
        "period": result["period"],
        "minutes_per_read": record.minutes_per_read,
        "ways": [
            {
                "policy": way.policy.version,
                "flagged": way.flagged_share,
                "detector": own.detector,
                "detector_version": own.version,
                "network_sha256": list(own.networks),
            }
            for way, own in zip(record.ways, record.given.ways, strict=True)
        ],
        "files": {
            name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
            for name, content in sorted(members.items())
        },
    }


def _packed(own: WayInput) -> bytes:
    file = io.BytesIO()
    np.savez(file, **record_of_arrays(own.arrays))
    return file.getvalue()


def _reads_text(given: ReplayInput) -> str:
    reads = given.reads
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_READ_COLUMNS)
    columns = (reads.patients, reads.read, reads.found, reads.chance)
    rows: Iterable[Any] = zip(
        given.cases, given.months, *(column.tolist() for column in columns), strict=True
    )
    for case, month, patient, read, found, chance in rows:
        writer.writerow([case, patient, month, int(read), int(found), repr(chance)])
    return text.getvalue()


def _ways(members: Mapping[str, bytes], description: Mapping[str, Any]) -> tuple[Way, Way]:
    before, after = (
        Way(
            policy=parse_policy(text := members[f"policy-{side}.toml"].decode()),
            policy_text=text,
            flagged_share=told["flagged"],
            detector=told["detector"],
        )
        for side, told in zip(_SIDES, description["ways"], strict=True)
    )
    return before, after


def _given(
    members: Mapping[str, bytes], description: Mapping[str, Any], ways: tuple[Way, Way], folder: Path
) -> ReplayInput:
    if CASES in members:
        cohort = folder / CASES
        cohort.write_bytes(members[CASES])
        return replay_input(cohort, cases_of_period(cohort, None), ways)
    rows = list(csv.DictReader(io.StringIO(members[READS].decode(), newline="")))
    before, after = (
        _unpacked(members[f"input-{side}.npz"], told)
        for side, told in zip(_SIDES, description["ways"], strict=True)
    )
    return ReplayInput(
        cases=tuple(row["case"] for row in rows),
        months=tuple(row["month"] for row in rows),
        reads=ReadCases(
            patients=np.array([int(row["patient"]) for row in rows]),
            read=np.array([row["read"] == "1" for row in rows]),
            found=np.array([row["confirmed"] == "1" for row in rows]),
            chance=np.array([float(row["selection_probability"]) for row in rows]),
        ),
        ways=(before, after),
    )


def _unpacked(content: bytes, told: Mapping[str, Any]) -> WayInput:
    with np.load(io.BytesIO(content)) as stored:
        return WayInput(
            arrays=arrays_of_record(stored),
            detector=told["detector"],
            version=told["detector_version"],
            networks=tuple(told["network_sha256"]),
        )
