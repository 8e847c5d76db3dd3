"""What the page and readiness say when there is little room, or none."""

import os
from datetime import timedelta

import httpx
import pytest

from overread.errors import OutOfResourcesError
from service.settings import load_settings
from service.store.database import Store, open_store
from service.store.pressure import read_pressure
from service.web.pressure import pressure_words
from tests.service.material import NOW, send_image, send_report
from tests.service.web.listening import guarded_app, listening

PLENTY, NOTHING_LEFT = 1 << 20, 1 << 60


def with_room(store: Store, *, stops: int, warns: int) -> Store:
    return open_store(store.settings.model_copy(update={"free_bytes_min": stops, "free_bytes_warn": warns}))


def turned_away(store: Store, seconds_ago: float) -> None:
    at = (NOW - timedelta(seconds=seconds_ago)).timestamp()
    os.utime(store.settings.data_folder / "turned-away", (at, at))


@pytest.mark.parametrize("send", [send_image, send_report])
def test_whoever_is_turned_away_is_noted_by_every_way(sqlite_store: Store, send) -> None:
    assert read_pressure(sqlite_store.settings).turned_away_at is None
    full = with_room(sqlite_store, stops=NOTHING_LEFT, warns=0)

    with pytest.raises(OutOfResourcesError):
        send(full)

    assert read_pressure(sqlite_store.settings).turned_away_at is not None
    assert read_pressure(sqlite_store.settings).free_bytes > PLENTY


def test_what_is_well_says_nothing_and_what_was_long_ago_is_forgotten(sqlite_store: Store) -> None:
    quiet = with_room(sqlite_store, stops=0, warns=0)
    assert pressure_words(quiet, now=NOW) == ()
    turned_away(sqlite_store, 3601)
    assert pressure_words(quiet, now=NOW) == ()
    turned_away(sqlite_store, 3599)
    (words,) = pressure_words(quiet, now=NOW)
    assert "could last not be stored at 11:00:01 UTC" in words


def test_the_worklist_and_readiness_tell_a_nearly_full_disk_and_a_full_one(sqlite_store: Store) -> None:
    for stops, warns, words, status in (
        (0, NOTHING_LEFT, "The disk is nearly full", 200),
        (NOTHING_LEFT, 0, "Nothing is taken any more", 503),
        (0, 0, "", 200),
    ):
        store = with_room(sqlite_store, stops=stops, warns=warns)
        with listening(guarded_app(store)) as url:
            page = httpx.get(url, headers={"Accept": "text/html"}).text
            ready = httpx.get(f"{url}/health/ready")
        assert ('class="alarm" role="alert"' in page) == bool(words)
        assert words in page
        assert ready.status_code == status
        assert [words in warning for warning in ready.json()["warnings"]] == ([True] if words else [])


def test_when_to_warn_is_a_setting() -> None:
    assert load_settings({"OVERREAD_FREE_BYTES_WARN": "7"}).free_bytes_warn == 7
