import subprocess
import sys
from pathlib import Path

from overread.priority import default_policy, shipped_policy_text
from service.store.database import Store
from service.store.worklist import load_case
from tests.service.material import triaged_case

VERSION = default_policy().version


def policy(store: Store, *words: str) -> subprocess.CompletedProcess[str]:
    folder = ("--data-folder", str(store.settings.data_folder))
    command = [sys.executable, "-m", "overread", "policy", *folder, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_policy_is_brought_into_force_shown_and_remembered(sqlite_store: Store, tmp_path: Path) -> None:
    case_id = triaged_case(sqlite_store)
    file = tmp_path / "policy.toml"
    file.write_text(shipped_policy_text().replace(f'version = "{VERSION}"', 'version = "site 1"'))

    assert "shipped one is in force" in policy(sqlite_store, "history").stdout
    done = policy(sqlite_store, "activate", str(file), "--by", "Dr Roe").stdout
    assert done.strip() == "Policy version site 1 is now in force; 1 open cases were weighed again."
    assert load_case(sqlite_store, case_id).triage.result.policy_version == "site 1"
    assert policy(sqlite_store, "show").stdout == file.read_text()
    assert "version site 1  site" in policy(sqlite_store, "history").stdout


def test_a_wrong_policy_is_refused_in_words(sqlite_store: Store, tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text("version = 1")

    wrong = policy(sqlite_store, "activate", str(tmp_path / "policy.toml"))
    missing = policy(sqlite_store, "activate", str(tmp_path / "none.toml"))

    assert (wrong.returncode, missing.returncode) == (1, 1)
    assert "malformed" in wrong.stderr
    assert "cannot read the policy" in missing.stderr
