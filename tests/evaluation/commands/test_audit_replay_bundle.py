"""The signed bundle of a replay: everything that repeats it, no text, and nothing altered without notice."""

import hashlib
import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from evaluation.audit.signing import signing_key
from overread.command import main
from overread.priority import shipped_policy_text
from tests.evaluation.commands.test_audit_replay import asked, cohort

TEXT = "There is a mass in the left upper lobe of Mr Smith."


@pytest.fixture
def key(tmp_path) -> Path:
    return tmp_path / "site.key"


def replayed(tmp_path, key, *options: str) -> Path:
    assert main([*asked(tmp_path, "--detector", "new", "--sign", str(key), *options)]) == 0
    return tmp_path / "out" / "bundle.zip"


def verified(bundle: Path, key: Path, *options: str) -> int:
    return main(["audit", "replay-verify", str(bundle), "--public-key", f"{key}.pub", *options])


def members(bundle: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(bundle) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewritten(bundle: Path, changed: dict[str, bytes]) -> None:
    kept = members(bundle)
    with zipfile.ZipFile(bundle, "w") as archive:
        for name, content in (kept | changed).items():
            archive.writestr(name, content)


def with_texts(path: Path) -> None:
    """Give the cases a text in place of what it states, one that no reader of observations could tell."""
    records = [json.loads(line) for line in path.read_text().splitlines()]
    for record in records:
        record["text"] = TEXT if record.pop("observations") else "The lungs are clear."
        for detection in record["detections"]:
            detection["sha256"] = detection["detector"] * 8
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def test_a_bundle_repeats_the_tables_from_itself_alone(tmp_path, key, capsys) -> None:
    cohort(tmp_path / "c.jsonl")
    with_texts(tmp_path / "c.jsonl")
    (tmp_path / "site.toml").write_text(shipped_policy_text().replace('version = "', 'version = "site-'))
    bundle = replayed(
        tmp_path, key, "--policy", str(tmp_path / "site.toml"), "--period", "2026-01", "2026-02"
    )
    for path in (tmp_path / "c.jsonl", tmp_path / "site.toml"):
        path.unlink()

    assert verified(bundle, key, "--repeat") == 0

    assert "the same tables" in capsys.readouterr().out
    told = json.loads(members(bundle)["bundle.json"])
    assert (
        told["command"].split()[0] == "overread"
    )  # what follows is of the process: tests side by side have none
    assert told["period"] == ["2026-01", "2026-02"]
    assert told["packages"]["numpy"]
    assert [way["detector"] for way in told["ways"]] == ["old", "new"]
    assert [way["network_sha256"] for way in told["ways"]] == [["old" * 8], ["new" * 8]]
    assert told["ways"][1]["policy"].startswith("site-")
    assert len(told["report_reader"]["sha256"]) == 64


def test_texts_are_in_a_bundle_only_where_it_is_asked_for(tmp_path, key) -> None:
    cohort(tmp_path / "c.jsonl")
    with_texts(tmp_path / "c.jsonl")
    without = members(replayed(tmp_path, key))
    shutil.rmtree(tmp_path / "out")
    bundle = replayed(tmp_path, key, "--with-cases")
    (tmp_path / "c.jsonl").unlink()

    assert not any(b"Smith" in content for content in without.values())
    assert b"Smith" in members(bundle)["cases.jsonl"]
    assert verified(bundle, key, "--repeat") == 0  # from the texts, read again


def test_openssl_finds_the_signature_good(tmp_path, key) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed (Debian package openssl)")
    cohort(tmp_path / "c.jsonl")
    with zipfile.ZipFile(replayed(tmp_path, key)) as archive:
        archive.extractall(tmp_path / "bundle")

    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", f"{key}.pub", "-rawin"]
    files = ["-in", "bundle/bundle.json", "-sigfile", "bundle/bundle.sig"]
    subprocess.run([*command, *files], cwd=tmp_path, check=True, capture_output=True)


def test_whatever_is_altered_added_or_left_out_is_noticed(tmp_path, key, capsys) -> None:
    cohort(tmp_path / "c.jsonl")
    bundle = replayed(tmp_path, key)
    whole = bundle.read_bytes()
    for name, content in members(bundle).items():
        bundle.write_bytes(whole)
        rewritten(bundle, {name: content[:-1] + bytes([content[-1] ^ 1])})
        assert verified(bundle, key) == 1, name
    for changed in ({"result/tables/more.csv": b"x"}, {"../outside": b"x"}):
        bundle.write_bytes(whole)
        rewritten(bundle, changed)
        assert verified(bundle, key) == 1
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.writestr("bundle.json", b"{}")
    assert verified(bundle, key) == 1
    bundle.write_bytes(whole[:-50])
    assert verified(bundle, key) == 1
    bundle.write_bytes(whole)
    assert verified(bundle, key) == 0
    assert "as they were signed" in capsys.readouterr().out


def test_the_signature_of_somebody_else_is_not_taken(tmp_path, key, capsys) -> None:
    cohort(tmp_path / "c.jsonl")
    bundle = replayed(tmp_path, key)
    other = tmp_path / "other.key"
    assert replayed(tmp_path, other) == bundle

    assert verified(bundle, key) == 1
    assert "is not signed by the key" in capsys.readouterr().err
    assert verified(bundle, other) == 0


def test_a_signed_result_that_its_input_does_not_give_ends_with_status_1(tmp_path, key, capsys) -> None:
    cohort(tmp_path / "c.jsonl")
    bundle = replayed(tmp_path, key)
    table = members(bundle)["result/tables/replay.csv"].replace(b"flagged,40,", b"flagged,41,")
    told = json.loads(members(bundle)["bundle.json"])
    told["files"]["result/tables/replay.csv"] = {
        "sha256": hashlib.sha256(table).hexdigest(),
        "bytes": len(table),
    }
    description = json.dumps(told).encode()
    signature = signing_key(key).sign(description)
    rewritten(
        bundle,
        {"bundle.json": description, "bundle.sig": signature, "result/tables/replay.csv": table},
    )

    assert verified(bundle, key) == 0
    assert verified(bundle, key, "--repeat") == 1
    assert "other replay.csv" in capsys.readouterr().out


def test_a_private_key_is_its_owners_alone_and_is_used_again(tmp_path, key) -> None:
    cohort(tmp_path / "c.jsonl")
    replayed(tmp_path, key)
    made = key.read_bytes()
    shutil.rmtree(tmp_path / "out")
    bundle = replayed(tmp_path, key)

    assert key.stat().st_mode & 0o777 == 0o600
    assert key.read_bytes() == made
    assert b"PRIVATE" not in Path(f"{key}.pub").read_bytes()
    assert verified(bundle, key) == 0


@pytest.mark.parametrize("content", ["no key", "rsa"])
def test_what_is_no_ed25519_key_is_refused(tmp_path, key, content, capsys) -> None:
    cohort(tmp_path / "c.jsonl")
    key.write_text(content)
    if content == "rsa":
        other = generate_private_key(public_exponent=65537, key_size=2048)
        key.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    assert main([*asked(tmp_path, "--sign", str(key))]) == 1
    assert str(key) in capsys.readouterr().err


def test_cases_without_a_bundle_are_a_mistake(tmp_path) -> None:
    cohort(tmp_path / "c.jsonl")

    assert main([*asked(tmp_path, "--with-cases")]) == 1
