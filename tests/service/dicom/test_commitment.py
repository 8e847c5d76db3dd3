import random
import struct
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.dsutils import encode

from overread.errors import InputError, OutOfResourcesError
from service.dicom.commitment import ALL_KEPT, SOME_FAILED, read_request, report_of
from service.store.commitments import CommitmentRequest, CommitmentResult, ReferencedInstance
from tests.service.dicom.senders import STORAGE
from tests.service.dicom.test_reporting import asked

ASKED = asked((STORAGE, "2.25.1"), (STORAGE, "2.25.2"))
INSTANCES = tuple(ReferencedInstance(sop_class_uid=STORAGE, sop_instance_uid=f"2.25.{n}") for n in (1, 2))


def encoded(syntax: UID) -> bytes:
    return encode(ASKED, syntax.is_implicit_VR, syntax.is_little_endian) or b""


def read(content: bytes, syntax: UID = ImplicitVRLittleEndian) -> CommitmentRequest:
    return read_request(BytesIO(content), syntax, requestor="PACS", called="OVERREAD")


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
def test_a_request_is_read_in_each_transfer_syntax(syntax: UID) -> None:
    request = read(encoded(syntax), syntax)

    assert (request.transaction_uid, request.instances) == ("2.25.77", INSTANCES)
    assert (request.requestor, request.called) == ("PACS", "OVERREAD")


def test_a_report_names_what_is_kept_and_what_is_not() -> None:
    request = read(encoded(ImplicitVRLittleEndian))

    kind, whole = report_of(request, CommitmentResult(kept=INSTANCES, failed=()))
    assert (kind, len(whole.ReferencedSOPSequence), "FailedSOPSequence" in whole) == (ALL_KEPT, 2, False)
    kind, none = report_of(request, CommitmentResult(kept=(), failed=((INSTANCES[0], 0x0119),)))
    assert (kind, "ReferencedSOPSequence" in none) == (SOME_FAILED, False)
    assert none.FailedSOPSequence[0].FailureReason == 0x0119


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32), syntax=st.sampled_from([ImplicitVRLittleEndian, ExplicitVRLittleEndian]))
def test_whatever_is_sent_is_read_or_refused(seed: int, syntax: UID) -> None:
    chance = random.Random(seed)
    content = bytearray(encoded(syntax))
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(content))
        content[at : at + chance.randint(0, 4)] = chance.randbytes(chance.randint(0, 4))
    try:
        request = read(bytes(content), syntax)
    except (InputError, OutOfResourcesError):
        return
    assert request.instances


def test_items_within_items_without_end_are_refused() -> None:
    head = struct.pack("<HHL", 0x0008, 0x1199, 0xFFFFFFFF)
    nested = (head + struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)) * 9_000

    with pytest.raises(InputError):
        read(nested)
