"""Results by DICOMweb: beside the images, but withheld from a second reader whose own read is to come."""

import io

import httpx
import numpy as np
import pytest
from pydicom import dcmread

from service.dicomweb.stow import make_stow_app
from service.results.making import result_of_case
from service.results.settings import Rule
from service.security.roles import Role
from service.security.settings import SecuritySettings
from service.store.database import Store
from service.store.result_occasions import Moment
from service.store.results import Form
from service.web.guard import access_for
from tests.service.adjudication.test_reads import rules
from tests.service.results.material import image_bytes, make_due, seen, told_case
from tests.service.security.people import add, desk_on
from tests.service.web.listening import listening, opener


def test_neither_search_nor_retrieval_gives_them(sqlite_store: Store) -> None:
    rules(sqlite_store, "[second_read]\nown_read_share = 1")
    told_case(sqlite_store, seen("mass", (1, 2, 30, 40)))
    forms = (Form.SR, Form.SEG, Form.GSPS)
    make_due(sqlite_store, [Rule(moment=Moment.TRIAGE, form=form, destination="pacs") for form in forms])
    add(sqlite_store, "ada")
    add(sqlite_store, "carl", Role.COORDINATOR)
    access = access_for("127.0.0.1", None, security=SecuritySettings())
    app = make_stow_app(opener(sqlite_store, access=access), access)

    with desk_on(sqlite_store) as desk, listening(app) as url:
        for name, count in (("ada", 1), ("carl", 4)):
            with (
                desk.signed_in(name) as browser,
                httpx.Client(base_url=url, cookies=browser.cookies) as archive,
            ):
                series = archive.get("/studies/2.25.1/series").json()
                instances = archive.get("/studies/2.25.1/instances").json()
                whole = archive.get("/studies/2.25.1/metadata").json()
            assert (name, len(series), len(instances), len(whole)) == (name, count, count, count)


@pytest.mark.parametrize(("form", "modality"), [(Form.SEG, "SEG"), (Form.GSPS, "PR")])
def test_search_and_retrieval_give_them_beside_the_images(
    form: Form, modality: str, sqlite_store: Store
) -> None:
    odd = image_bytes(Rows=11, Columns=13, PixelData=bytes(range(143)))  # a frame of bits ends within a byte
    told_case(sqlite_store, seen("mass", (1, 2, 9, 8)), images=[odd])
    make_due(sqlite_store, [Rule(moment=Moment.TRIAGE, form=form, destination="pacs")])
    access = access_for("127.0.0.1", None)

    with (
        listening(make_stow_app(opener(sqlite_store, access=access), access)) as url,
        httpx.Client(base_url=url) as archive,
    ):
        (series,) = archive.get("/studies/2.25.1/series", params={"Modality": modality}).json()
        (result,) = archive.get("/instances", params={"Modality": modality}).json()
        names = [item["Value"][0] for item in (series["0020000E"], result["00080018"])]
        address = f"/studies/2.25.1/series/{names[0]}/instances/{names[1]}"
        (metadata,) = archive.get(f"{address}/metadata").json()
        whole = archive.get(address, headers={"Accept": "application/dicom"})
        frame = archive.get(f"{address}/frames/1", headers={"Accept": "application/octet-stream"})
        picture = archive.get(f"{address}/rendered", headers={"Accept": "image/png"})

    assert metadata["00080060"]["Value"] == [modality]
    result_of_case(sqlite_store, 1, form).save_as(made := io.BytesIO(), enforce_file_format=True)
    assert whole.content == made.getvalue()
    if form is Form.SEG:
        bits = np.unpackbits(np.frombuffer(frame.content, np.uint8), bitorder="little")[: 11 * 13]
        assert np.array_equal(bits.reshape(11, 13), dcmread(io.BytesIO(whole.content)).pixel_array)
        assert picture.status_code == 200
    else:
        assert (frame.status_code, picture.status_code) == (422, 422)  # it is no image
