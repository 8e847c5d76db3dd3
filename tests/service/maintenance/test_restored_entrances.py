"""What a restored backup does not bring back: sessions, and tokens that were revoked since."""

from pathlib import Path

import pytest

from overread.command import main
from overread.errors import ConfigurationError
from service.maintenance.backup import back_up, restore
from service.security.roles import Scope
from service.security.sessions import Lifetime, Origin, begin_session, recognise_session
from service.security.settings import SecuritySettings
from service.security.tokens import make_token, recognise_token
from service.store.access_tokens import list_tokens, resume_token, revoke_token
from service.store.audit_trail import TrailFilter, find_entries
from service.store.database import Store, open_store
from service.store.database_copy import restore_database
from service.store.people import end_sessions_of
from service.store.restored_entrances import begin_restore
from service.store.worklist import count_cases
from tests.service.maintenance.test_backup import elsewhere
from tests.service.material import NOW, after, triaged_case
from tests.service.security.people import BY, add

LIFETIME = Lifetime.of(SecuritySettings())


def begin(store: Store, name: str) -> str:
    """Sign somebody in and return the cookie."""
    origin = Origin(address="10.1.1.1", what="POST /sign-in")
    return begin_session(store, add(store, name), origin, LIFETIME, now=NOW)


def test_neither_a_session_that_ended_nor_a_revoked_token_comes_back(store, request, tmp_path) -> None:
    kept, ended = begin(store, "ada"), begin(store, "bob")
    scopes = frozenset({Scope.CASES_READ})
    good, bad = (make_token(store, name, scopes, days=9, by=BY) for name in ("good", "bad"))
    make_token(store, "long ago", scopes, days=9, by=BY)
    revoke_token(store, "long ago", by=BY)
    back_up(store, tmp_path / "backup", now=NOW)
    end_sessions_of(store, 2, by=BY)
    revoke_token(store, "bad", by=BY)
    settings = elsewhere(store, request, tmp_path / "new")

    _, closed = restore(tmp_path / "backup", settings, by=BY)

    assert (closed.sessions, closed.tokens) == (2, ("bad", "good"))
    restored = open_store(settings)
    for cookie in (kept, ended):
        assert recognise_session(restored, cookie, LIFETIME, now=NOW) is None
    for token in (good, bad):
        assert recognise_token(restored, token, now=NOW) is None
    resume_token(restored, "good", by=BY)
    assert recognise_token(restored, good, now=NOW) is not None
    assert recognise_token(restored, bad, now=NOW) is None
    told = [sealed.entry.detail for sealed in find_entries(restored, TrailFilter()) if sealed.entry]
    assert told[-2:] == ["restored; 2 sessions ended, 2 tokens suspended", "resumed after a restore"]
    assert begin(restored, "eve")  # whoever signs in anew comes in
    restored.close()


@pytest.mark.parametrize("has_database", [False, True])
def test_a_restore_that_was_interrupted_lets_nobody_in_until_it_is_ended(
    has_database: bool, store, request, tmp_path: Path
) -> None:
    triaged_case(store)
    cookie = begin(store, "ada")
    manifest = back_up(store, tmp_path / "backup", now=NOW)
    back_up(store, tmp_path / "other", now=after(60))
    settings = elsewhere(store, request, tmp_path / "new")

    begin_restore(settings, manifest.made_at)  # and then the power is cut, before or after the database
    if has_database:
        restore_database(tmp_path / "backup", settings)

    with pytest.raises(ConfigurationError, match="interrupted"):
        open_store(settings)
    with pytest.raises(ConfigurationError, match="interrupted: end it with that backup"):
        restore(tmp_path / "other", settings, by=BY)
    _, closed = restore(tmp_path / "backup", settings, by=BY)
    assert closed.sessions == 1
    restored = open_store(settings)
    assert recognise_session(restored, cookie, LIFETIME, now=NOW) is None
    assert count_cases(restored) == count_cases(store)
    restored.close()
    with pytest.raises(ConfigurationError, match="there is a database already"):
        restore(tmp_path / "backup", settings, by=BY)


def test_the_command_says_what_was_closed_and_what_to_look_through(sqlite_store, tmp_path, capsys) -> None:
    old, new = str(sqlite_store.settings.data_folder), str(tmp_path / "new")
    begin(sqlite_store, "ada")
    assert main(["--data-folder", old, "tokens", "add", "ris", "--scope", "reports:write"]) == 0
    assert main(["--data-folder", old, "tokens", "add", "gone", "--scope", "reports:write"]) == 0
    assert main(["--data-folder", old, "db", "backup", str(tmp_path / "backup")]) == 0
    capsys.readouterr()

    assert main(["--data-folder", new, "db", "restore", str(tmp_path / "backup")]) == 0
    said = capsys.readouterr().out
    assert "Every session has ended" in said
    assert "overread tokens resume NAME`: gone, ris" in said
    main(["--data-folder", new, "tokens", "list"])
    assert capsys.readouterr().out.count("suspended by the restore") == 2
    assert main(["--data-folder", new, "tokens", "resume", "ris"]) == 0
    assert main(["--data-folder", new, "tokens", "resume", "ris"]) == 1
    assert main(["--data-folder", new, "tokens", "revoke", "gone"]) == 0
    assert main(["--data-folder", new, "tokens", "resume", "gone"]) == 1


def test_tokens_that_expired_or_were_revoked_need_no_word(sqlite_store, request, tmp_path) -> None:
    make_token(sqlite_store, "old", frozenset({Scope.TRIAGE}), days=0.5, by=BY)
    back_up(sqlite_store, tmp_path / "backup", now=NOW)
    settings = elsewhere(sqlite_store, request, tmp_path / "new")
    later = after(86_400)

    _, closed = restore(tmp_path / "backup", settings, by=type(BY)(actor=BY.actor, at=later, what=BY.what))

    assert closed.tokens == ()
    restored = open_store(settings)
    assert [token.suspended_at for token in list_tokens(restored)] == [None]
    restored.close()
