"""The size of images, without opening those whose size is recorded."""

import pytest
from sqlalchemy import text

from service.store.database import Store
from service.store.worklist import load_instance
from service.web.picture import sizes_of
from service.web.picture_size import PictureSize
from tests.service.material import dicom_bytes, send_image

UID = "2.25.1.1.1"
EIGHT = PictureSize(columns=8, rows=8)


def forget_sizes(store: Store) -> None:
    """Let the instances be as those that arrived before their size was recorded."""
    with store.writing() as connection:
        connection.execute(text("UPDATE instances SET rows = NULL, columns = NULL"))


def sizes(store: Store) -> dict[str, PictureSize]:
    return sizes_of(store, [load_instance(store, UID)])


def remove_file(store: Store) -> None:
    store.files.path_of(load_instance(store, UID).sha256).unlink()


@pytest.mark.parametrize(("rows", "columns"), [(8, 8), (4, 16)])
def test_the_size_of_what_arrives_is_recorded_and_its_file_is_not_needed(sqlite_store, rows, columns) -> None:
    send_image(sqlite_store, dicom_bytes(Rows=rows, Columns=columns))
    remove_file(sqlite_store)

    assert sizes(sqlite_store) == {UID: PictureSize(columns=columns, rows=rows)}


def test_an_image_from_before_is_opened_once_and_then_its_size_is_recorded(store) -> None:
    send_image(store, dicom_bytes())
    forget_sizes(store)

    assert sizes(store) == {UID: EIGHT}
    remove_file(store)
    assert sizes(store) == {UID: EIGHT}


def test_what_is_no_image_has_no_size_and_is_looked_at_once(sqlite_store) -> None:
    send_image(sqlite_store, dicom_bytes())
    forget_sizes(sqlite_store)
    path = sqlite_store.files.path_of(load_instance(sqlite_store, UID).sha256)
    path.write_bytes(dicom_bytes(Rows=None, Columns=None))

    assert sizes(sqlite_store) == {}
    instance = load_instance(sqlite_store, UID)
    assert (instance.rows, instance.columns) == (0, 0)
    assert sizes(sqlite_store) == {}


def test_an_image_whose_file_is_missing_has_no_size_until_it_is_there_again(sqlite_store) -> None:
    send_image(sqlite_store, dicom_bytes())
    forget_sizes(sqlite_store)
    remove_file(sqlite_store)

    assert sizes(sqlite_store) == {}
    assert load_instance(sqlite_store, UID).rows is None
