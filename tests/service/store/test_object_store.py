import base64
import hashlib
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from overread.errors import ConfigurationError, NotFoundError, OutOfResourcesError
from service.settings import Settings, load_settings
from service.store.bucket import BucketObjectStore
from service.store.database import open_store
from service.store.files import ObjectFiles
from service.store.queue import claim_case, peek_case
from service.store.worklist import load_case, load_instance
from service.triage.worker import work
from tests.service.material import NOW, after, dicom_bytes, readers, ready_case, send_image, triage_one
from tests.service.objectstorage import object_storage

ABC = hashlib.sha256(b"abc").hexdigest()  # ba7816bf...


def forget_copies(settings: Settings) -> None:
    for path in (settings.data_folder / "cache").rglob("*"):
        if path.is_file():
            path.unlink()


class TestObjectStore:
    """What holds of every kind of shelf."""

    @pytest.fixture(params=["folder", "bucket"])
    def files(self, request, tmp_path) -> ObjectFiles:
        if request.param == "bucket":
            return ObjectFiles.in_folder(request.getfixturevalue("bucket_settings"))
        return ObjectFiles.in_folder(
            load_settings({"OVERREAD_FREE_BYTES_MIN": "0"}, data_folder=tmp_path / "data")
        )

    def keep(self, files: ObjectFiles, content: bytes) -> str:
        with files.begin() as incoming:
            incoming.write(content)
            files.keep(incoming)
            return incoming.sha256

    def test_what_was_taken_is_given_back_byte_for_byte(self, files) -> None:
        assert self.keep(files, b"abc") == ABC

        assert files.objects.fetch(ABC).read_bytes() == b"abc"
        with files.objects.reading(ABC) as stream:
            assert stream.read() == b"abc"
        assert files.objects.size_of(ABC) == 3
        assert list(files.incoming.iterdir()) == []

    def test_taking_the_same_again_changes_nothing(self, files) -> None:
        self.keep(files, b"abc")
        self.keep(files, b"abc")

        assert [item.sha256 for item in files.objects.listed("ba")] == [ABC]
        assert files.objects.fetch(ABC).read_bytes() == b"abc"

    def test_what_is_not_there_is_said_to_be_missing(self, files) -> None:
        assert files.objects.size_of(ABC) is None
        assert files.objects.local(ABC) is None
        with pytest.raises(NotFoundError, match="ba7816bf"):
            files.objects.fetch(ABC)
        with pytest.raises(NotFoundError), files.objects.reading(ABC):
            pass

    def test_the_listing_of_a_prefix_is_in_order_and_whole(self, files) -> None:
        contents = [bytes([number]) for number in range(200)]
        hashes = [self.keep(files, content) for content in contents]
        prefix = ABC[:2]
        self.keep(files, b"abc")

        listed = list(files.objects.listed(prefix))

        wanted = sorted({each for each in [*hashes, ABC] if each.startswith(prefix)})
        assert [item.sha256 for item in listed] == wanted
        assert {item.size_bytes for item in listed} <= {1, 3}
        assert all(abs(datetime.now(UTC) - item.modified_at) < timedelta(minutes=5) for item in listed)

    def test_objects_and_quarantine_are_apart(self, files) -> None:
        self.keep(files, b"abc")

        files.set_aside_kept(ABC)

        assert files.objects.size_of(ABC) is None
        assert files.quarantine_path_of(ABC).read_bytes() == b"abc"
        files.set_aside_kept(ABC)  # as after a crash between the two
        assert files.quarantine_path_of(ABC).read_bytes() == b"abc"

    def test_what_was_removed_is_gone_and_may_be_removed_again(self, files) -> None:
        self.keep(files, b"abc")

        files.objects.remove(ABC)
        files.objects.remove(ABC)

        assert files.objects.size_of(ABC) is None
        assert files.objects.local(ABC) is None


def test_a_study_goes_all_the_way_with_its_objects_in_a_bucket(bucket_settings) -> None:
    store = open_store(bucket_settings)
    case_id = ready_case(store)
    forget_copies(bucket_settings)  # as on a machine that did not receive it

    claimed = claim_case(store, worker="w", now=NOW)
    triage_one(store, claimed, clock=lambda: NOW)

    assert load_case(store, case_id).summary.state == "LISTED"
    assert load_instance(store, "2.25.1.1.1").path.read_bytes() == dicom_bytes(AccessionNumber="A1")
    store.close()


def test_nothing_is_fetched_for_a_case_that_another_worker_may_take(bucket_settings) -> None:
    store = open_store(bucket_settings)
    ready_case(store)

    assert len(peek_case(store, now=after(1))) == 1
    forget_copies(bucket_settings)
    assert peek_case(store, now=after(1)) == ()
    store.close()


def test_the_storage_is_told_the_hash_that_the_bytes_must_have(bucket_settings) -> None:
    files = ObjectFiles.in_folder(bucket_settings)
    shelf = files.objects
    assert isinstance(shelf, BucketObjectStore)
    sent = []
    shelf.client.meta.events.register("before-send.s3.PutObject", lambda request, **_: sent.append(request))

    with files.begin() as incoming:
        incoming.write(b"abc")
        files.keep(incoming)

    assert base64.b64decode(sent[0].headers["x-amz-checksum-sha256"]).hex() == ABC


def test_bytes_that_changed_in_the_storage_are_not_given_out(bucket_settings) -> None:
    files = ObjectFiles.in_folder(bucket_settings)
    shelf = files.objects
    assert isinstance(shelf, BucketObjectStore)
    shelf.client.put_object(Bucket=shelf.bucket, Key=f"hospital/objects/ba/{ABC}", Body=b"abd")

    with pytest.raises(NotFoundError, match="damaged"):
        shelf.fetch(ABC)

    assert shelf.local(ABC) is None


def test_while_the_storage_is_away_nothing_is_acknowledged_and_no_case_fails(bucket_settings) -> None:
    with object_storage() as failing:
        environ = {
            "OVERREAD_FREE_BYTES_MIN": "0",
            "OVERREAD_OBJECTS_URL": f"s3://{failing.new_bucket()}",
            "OVERREAD_OBJECTS_ENDPOINT": failing.endpoint,
        }
        settings = load_settings(environ, data_folder=bucket_settings.data_folder)
        store = open_store(settings)
        case_id = ready_case(store)
    forget_copies(settings)

    with pytest.raises(OutOfResourcesError, match="try again later"):
        send_image(store, dicom_bytes(number=2))
    for _ in range(settings.attempts_max + 1):
        claimed = claim_case(store, worker="w", now=NOW)
        with pytest.raises(OutOfResourcesError):
            triage_one(store, claimed, clock=lambda: NOW)

    case = load_case(store, case_id)
    assert (case.summary.state, case.summary.attempts) == ("READY", 0)
    assert [item.sop_instance_uid for item in case.instances] == ["2.25.1.1.1"]
    assert list(store.files.incoming.iterdir()) == []
    store.close()


class Away:
    """A shelf that cannot be reached; at the third look the worker is told to stop."""

    def __init__(self, stop: threading.Event) -> None:
        self.looks = 0
        self._stop = stop

    def local(self, sha256: str) -> None:
        return None

    def fetch(self, sha256: str) -> Path:
        raise OutOfResourcesError("away; try again later")

    def check(self) -> None:
        self.looks += 1
        if self.looks == 3:
            self._stop.set()
        raise OutOfResourcesError("away; try again later")


def test_a_worker_claims_nothing_more_until_the_storage_is_back(store) -> None:
    numbers = [ready_case(store, number) for number in (1, 2)]
    stop = threading.Event()
    away = replace(store, files=replace(store.files, objects=Away(stop)))

    claims = work(away, readers(), name="w", clock=lambda: after(1), stop=stop, drain=False)

    assert claims == 1
    events = [event.event for number in numbers for event in load_case(store, number).events]
    assert (events.count("CLAIMED"), events.count("RELEASED")) == (1, 1)


def test_a_bucket_that_does_not_exist_is_told_at_once(bucket_settings, storage, tmp_path) -> None:
    environ = {"OVERREAD_OBJECTS_URL": "s3://nowhere", "OVERREAD_OBJECTS_ENDPOINT": storage.endpoint}

    with pytest.raises(ConfigurationError, match="nowhere"):
        open_store(load_settings(environ, data_folder=tmp_path / "other"))


@pytest.mark.parametrize("url", ["http://bucket", "s3://", "s3://key:secret@bucket", "bucket"])
def test_only_the_address_of_a_bucket_is_taken(url, tmp_path) -> None:
    with pytest.raises(ConfigurationError, match="s3://bucket"):
        load_settings({"OVERREAD_OBJECTS_URL": url}, data_folder=tmp_path)


def test_objects_larger_than_one_request_takes_are_refused_by_the_settings(bucket_settings, storage) -> None:
    environ = {"OVERREAD_OBJECTS_URL": "s3://any", "OVERREAD_OBJECT_BYTES_MAX": str(6 << 30)}

    with pytest.raises(ConfigurationError, match="OVERREAD_OBJECT_BYTES_MAX"):
        open_store(load_settings(environ, data_folder=bucket_settings.data_folder))
