"""The C-STORE listener on the test's own store."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from service.dicom.listener import DicomListener
from service.dicom.settings import DicomSettings
from service.store.database import Store
from tests.service.material import NOW
from tests.service.serving_thread import listening_on

SETTINGS = DicomSettings(idle_seconds=20)
Listening = Callable[..., AbstractContextManager[int]]


class HastyListener(DicomListener):
    """A listener that closes a silent connection at once when it needs the place."""

    patience_seconds = 0.0


class PatientListener(DicomListener):
    """A listener that closes no silent connection to make room."""

    patience_seconds = 3600.0


@contextmanager
def listening(
    store: Store, settings: DicomSettings = SETTINGS, kind: type[DicomListener] = PatientListener
) -> Iterator[int]:
    with listening_on(lambda listener: kind(listener, store, settings, lambda: NOW)) as port:
        yield port


@pytest.fixture
def port(sqlite_store: Store) -> Iterator[int]:
    with listening(sqlite_store) as number:
        yield number
