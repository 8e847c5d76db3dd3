from datetime import UTC, datetime

import hl7
import pytest

from overread import errors
from service.hl7.acknowledgement import (
    ACCEPTED,
    Verdict,
    acknowledgement,
    acknowledgements,
    verdict_on,
)
from service.hl7.message import read_header
from tests.service.hl7.messages import oru

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.OutOfResourcesError("full"), "AR"),
        (OSError("full"), "AR"),
        (errors.UnsupportedMessageError("ADT"), "AR"),
        (errors.InvalidReportError("empty"), "AE"),
        (errors.ContradictionError("other patient"), "AE"),
        (errors.InputError("large"), "AE"),
        (ZeroDivisionError("Doe^Jane"), "AR"),
    ],
)
def test_each_error_has_its_acknowledgement(error, code) -> None:
    verdict = verdict_on(error)

    assert verdict.code == code
    assert "Doe" not in verdict.text


def acknowledged(verdict: Verdict, *, version: str = "2.5.1") -> hl7.Message:
    header = read_header(oru(control="Ä 7^x", version=version).encode("latin-1"))
    return hl7.parse(acknowledgement(header, verdict, now=NOW).decode("latin-1"))


def test_an_acknowledgement_repeats_the_control_id_and_turns_sender_and_receiver_round() -> None:
    reply = acknowledged(ACCEPTED)

    assert str(reply.segment("MSA")) == "MSA|AA|Ä 7^x"
    names = [str(reply.segment("MSH")[number]) for number in (3, 4, 5, 6, 7, 9, 11, 12)]
    assert names[:4] == ["OVERREAD", "HOSPITAL", "RIS", "HOSPITAL"]
    assert names[4:] == ["20260301123000", "ACK^R01", "P", "2.5.1"]


def test_what_is_wrong_stands_where_the_version_has_it() -> None:
    verdict = verdict_on(errors.InvalidReportError("no | text ^ here"))

    assert str(acknowledged(verdict).segment("MSA")[3]) == "no   text   here"
    assert str(acknowledged(verdict).segment("ERR")[3][0][0]) == "102"
    assert str(acknowledged(verdict).segment("ERR")[4]) == "E"
    assert str(acknowledged(verdict, version="2.3").segment("ERR")[1]).startswith("^^^102&")


def test_a_message_without_a_header_is_answered_too() -> None:
    reply = hl7.parse(acknowledgement(None, verdict_on(errors.InvalidReportError("x")), now=NOW).decode())

    assert str(reply.segment("MSA")[1]) == "AE"


def test_the_answer_is_in_the_separators_of_the_question() -> None:
    header = read_header(oru().translate(str.maketrans("|^~\\&", "!@#$%")).encode())

    assert acknowledgement(header, ACCEPTED, now=NOW).startswith(b"MSH!@#$%!OVERREAD!HOSPITAL!RIS!HOSPITAL!")


@pytest.mark.parametrize(
    ("accept", "apply", "well", "rejected", "in_error"),
    [
        ("", "", ["AA"], ["AR"], ["AE"]),  # original mode
        ("AL", "NE", ["CA"], ["CR"], ["CE"]),
        ("AL", "", ["CA"], ["CR"], ["CE"]),
        ("NE", "AL", ["AA"], ["AR"], ["AE"]),
        ("", "AL", ["AA"], ["AR"], ["AE"]),
        ("AL", "AL", ["CA", "AA"], ["CR"], ["CE"]),
        ("ER", "AL", ["AA"], ["CR"], ["CE"]),
        ("SU", "ER", ["CA"], ["AR"], ["AE"]),
        ("ER", "NE", [], ["CR"], ["CE"]),
        ("NE", "NE", [], [], []),
        ("junk", "", ["AA"], ["AR"], ["AE"]),
        ("AL", "junk", ["CA"], ["CR"], ["CE"]),
        ("SU", "SU", ["CA", "AA"], [], []),
        ("XX", "AL", ["AA"], ["AR"], ["AE"]),
    ],
)
def test_in_enhanced_mode_the_sender_chooses_its_acknowledgements(
    accept, apply, well, rejected, in_error
) -> None:
    fields = oru().split("\r")[0].split("|")
    fields[14:16] = [accept, apply]
    header = read_header("|".join(fields).encode())
    refused = verdict_on(errors.OutOfResourcesError("full"))
    broken = verdict_on(errors.InvalidReportError("empty"))

    def codes(verdict: Verdict) -> list[str]:
        messages = acknowledgements(header, verdict, now=NOW)
        return [str(hl7.parse(message.decode()).segment("MSA")[1]) for message in messages]

    assert (codes(ACCEPTED), codes(refused), codes(broken)) == (well, rejected, in_error)


def test_an_acknowledgement_names_the_event_of_its_message() -> None:
    header = read_header(oru().replace("ORU^R01", "MDM^T02").encode())

    assert str(hl7.parse(acknowledgement(header, ACCEPTED, now=NOW).decode()).segment("MSH")[9]) == "ACK^T02"
