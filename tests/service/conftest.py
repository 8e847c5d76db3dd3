"""The store of the tests: on SQLite and on PostgreSQL, the same tests for both."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import structlog
from pynetdicom import _config

from service.dicomweb.stow import make_stow_app
from service.settings import Settings, load_settings
from service.store.database import Store, open_store
from service.web.guard import access_for
from tests.service.certificates import Certificates, make_certificates
from tests.service.objectstorage import CREDENTIALS, ObjectStorage, object_storage
from tests.service.postgres import MISSING, Cluster, cluster, program
from tests.service.web.listening import guarded_app, listening, opener


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """A command that a test runs in this process logs to a stream that ends with the test."""
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def sending_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a sender of results sets for its whole process is set back, since tests share one."""
    monkeypatch.setattr(_config, "STORE_SEND_CHUNKED_DATASET", _config.STORE_SEND_CHUNKED_DATASET)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A cluster whose database `migrated` has the tables; skips where PostgreSQL is not installed."""
    if program("initdb") is None:
        pytest.skip(MISSING)
    with cluster() as running:
        yield running


@pytest.fixture(scope="session")
def migrated(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Name of a database with the tables, to be copied."""
    name = postgres.new_database()
    folder = tmp_path_factory.mktemp("migrated")
    open_store(load_settings({"OVERREAD_DATABASE_URL": postgres.url(name)}, data_folder=folder)).close()
    return name


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite database with the tables, to be copied."""
    opened = open_store(load_settings({}, data_folder=tmp_path_factory.mktemp("migrated")))
    opened.close()
    return Path(str(opened.engine.url.database))


def copy_tables(migrated: Path, data_folder: Path) -> None:
    """Give an installation on SQLite its tables: what every process would make of none, in less time."""
    data_folder.mkdir(mode=0o700)
    shutil.copy(migrated, data_folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings of an installation of the test's own, on each database; no free disk is asked for."""
    return settings_on(request.param, request, tmp_path)


def settings_on(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    environ = {"OVERREAD_FREE_BYTES_MIN": "0", "OVERREAD_POLL_SECONDS": "0.01"}
    if database == "postgresql":
        running = request.getfixturevalue("postgres")
        name = running.new_database(template=request.getfixturevalue("migrated"))
        environ["OVERREAD_DATABASE_URL"] = running.url(name)
    else:
        copy_tables(request.getfixturevalue("migrated_file"), tmp_path / "data")
    return load_settings(environ, data_folder=tmp_path / "data")


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    """An open store, on each database."""
    opened = open_store(settings)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_store(migrated_file: Path, tmp_path: Path) -> Iterator[Store]:
    """An open store on SQLite, for what does not depend on the database."""
    copy_tables(migrated_file, tmp_path / "sqlite")
    settings = load_settings({}, data_folder=tmp_path / "sqlite").model_copy(update={"free_bytes_min": 0})
    opened = open_store(settings)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates for TLS; skips where they cannot be made."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def storage() -> Iterator[ObjectStorage]:
    """Object storage in a thread of its own, for the tests that keep objects in a bucket."""
    with object_storage() as running:
        yield running


@pytest.fixture
def bucket_settings(storage: ObjectStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of an installation on SQLite whose objects are in a bucket of the test's own."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    environ = {
        "OVERREAD_FREE_BYTES_MIN": "0",
        "OVERREAD_OBJECTS_URL": f"s3://{storage.new_bucket()}/hospital",
        "OVERREAD_OBJECTS_ENDPOINT": storage.endpoint,
    }
    return load_settings(environ, data_folder=tmp_path / "data")


@pytest.fixture(params=["sqlite", "postgresql", "bucket"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An open store with its objects in a folder, on each database, and one with them in a bucket."""
    if request.param == "bucket":
        opened = open_store(request.getfixturevalue("bucket_settings"))
    else:
        opened = open_store(settings_on(request.param, request, tmp_path))
    yield opened
    opened.close()


@pytest.fixture
def api(sqlite_store: Store) -> Iterator[httpx.Client]:
    """A client of API and pages, with the guards of an installation on loopback."""
    with listening(guarded_app(sqlite_store)) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


@pytest.fixture
def stow_url(sqlite_store: Store) -> Iterator[str]:
    """URL of the DICOMweb intake."""
    access = access_for("127.0.0.1", None)
    app = make_stow_app(opener(sqlite_store, access=access), access)
    with listening(app) as url:
        yield url


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 300 kB; skips where this user may mount none."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small file system cannot be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
