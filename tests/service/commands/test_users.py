"""Accounts and tokens from the command line."""

import io
from pathlib import Path

import pytest

from overread.command import main
from service.settings import load_settings
from service.store.access_tokens import list_tokens
from service.store.database import open_store
from service.store.people import PersonRecord, list_people

PASSWORD = "correct horse battery staple"


class Terminal:
    """The command with an installation of its own and something on its standard input."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self._folder, self._monkeypatch, self._capsys = folder, monkeypatch, capsys

    def __call__(self, *words: str, given: str = "") -> tuple[int, str, str]:
        """Return exit status, output and messages."""
        self._monkeypatch.setattr("sys.stdin", io.StringIO(given))
        status = main(["--data-folder", str(self._folder), *words])
        said = self._capsys.readouterr()
        return status, said.out, said.err

    def people(self) -> dict[str, PersonRecord]:
        store = open_store(load_settings({}, data_folder=self._folder))
        try:
            return {person.name: person for person in list_people(store)}
        finally:
            store.close()


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(tmp_path / "data", monkeypatch, capsys)


def test_the_first_administrator_is_made_by_a_command(terminal: Terminal) -> None:
    added = ("users", "add", "Ada", "--name", "Ada Lovelace", "--role", "administrator", "--role", "quality")

    assert terminal(*added, given=f"{PASSWORD}\n")[:2] == (0, "ada may sign in as quality, administrator.\n")

    person = terminal.people()["ada"]
    assert person.roles == ("ADMINISTRATOR", "QUALITY")
    assert PASSWORD not in str(person)
    status, out, _ = terminal("users", "list")
    assert (status, "Ada Lovelace" in out, "local" in out) == (0, True, True)


@pytest.mark.parametrize(
    ("words", "given", "said"),
    [
        (["add", "ada", "--role", "quality"], "short\n", "15 to 1000 characters"),
        (["add", "ada", "--role", "king"], f"{PASSWORD}\n", "second_reader, coordinator, quality"),
        (["add", " ", "--role", "quality"], f"{PASSWORD}\n", "visible characters"),
        (["add", "Bob", "--role", "quality"], f"{PASSWORD}\n", "there is an account bob already"),
        (["role", "eve", "quality"], "", "there is no account eve"),
        (["reset", "eve"], "", "there is no account eve"),
        (["reset", "bob"], "password12345678\n", "tried first"),
    ],
)
def test_what_cannot_be_done_is_said(terminal: Terminal, words: list[str], given: str, said: str) -> None:
    terminal("users", "add", "bob", "--role", "quality", given=f"{PASSWORD}\n")

    status, out, message = terminal("users", *words, given=given)

    assert (status, out) == (1, "")
    assert said in message
    assert set(terminal.people()) == {"bob"}


def test_an_account_gets_roles_a_password_and_a_second_factor_and_is_closed(terminal: Terminal) -> None:
    terminal("users", "add", "ada", "--role", "quality", given=f"{PASSWORD}\n")
    before = terminal.people()["ada"].password_hash

    assert terminal("users", "role", "ada", "second-reader", "coordinator")[0] == 0
    assert terminal("users", "reset", "ada", given="eight ch\n")[0] == 1
    status, out, _ = terminal("users", "second-factor", "ADA")
    assert (status, "otpauth://totp/overread:ada?secret=" in out) == (0, True)
    assert terminal("users", "reset", "ada", given="k4vR tz!\n")[0] == 0
    assert terminal("users", "disable", "ada")[0] == 0

    person = terminal.people()["ada"]
    assert person.roles == ("COORDINATOR", "SECOND_READER")
    assert person.password_hash not in {None, before}
    assert person.totp_secret is not None
    assert not person.is_active
    assert "second factor  disabled" in terminal("users", "list")[1]
    assert terminal("users", "second-factor", "ada", "--remove", given="k4vR tz!\n")[0] == 1
    assert terminal("users", "second-factor", "ada", "--remove", given=f"{PASSWORD}\n")[0] == 0
    assert terminal("users", "enable", "ada")[0] == 0
    person = terminal.people()["ada"]
    assert (person.is_active, person.totp_secret) == (True, None)


def test_a_token_is_printed_once_and_alone(terminal: Terminal, tmp_path: Path) -> None:
    terminal("users", "add", "ada", "--role", "quality", given=f"{PASSWORD}\n")

    status, out, _ = terminal("tokens", "add", "ris", "--scope", "reports:write", "--days", "30")

    token = out.strip()
    assert (status, token.startswith("overread_"), len(token.split())) == (0, True, 1)
    listed = terminal("tokens", "list")[1]
    assert ("ris" in listed, "reports:write" in listed, token in listed) == (True, True, False)
    store = open_store(load_settings({}, data_folder=tmp_path / "data"))
    assert token not in str(list_tokens(store))
    store.close()
    assert terminal("tokens", "add", "ris", "--scope", "triage")[0] == 1
    assert "no scope" in terminal("tokens", "add", "other", "--scope", "everything")[2]
    assert terminal("tokens", "revoke", "ris")[0] == 0
    assert "revoked" in terminal("tokens", "list")[1]
    assert "there is no token" in terminal("tokens", "revoke", "other")[2]
