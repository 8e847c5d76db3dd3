"""The table of this adapter: from what became of a message to its acknowledgement (HL7 v2.5.1 section 2.9).

AR says: not now, or not here; AE says: not like this. A sender repeats what was rejected for want of
resources and lets a person look at what is in error. In enhanced mode (section 2.9.3) it chooses by MSH-15
and MSH-16 which acknowledgements it wants, and when: of acceptance (CA, CE, CR), of application, or both.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from overread.errors import ContradictionError, InputError, OutOfResourcesError, UnsupportedMessageError
from service.hl7.message import Segment
from service.metrics import refusal_reason

_TEXT_MAX = 80  # MSA-3 is ST of 80
_ACCEPTANCE = {"AA": "CA", "AE": "CE", "AR": "CR"}
# HL7 table 0155, by whether all went well; an empty field beside one that is valued is NE. What is not in the
# table counts as empty: a sender that says nothing we know waits for an answer.
_WANTED = {"AL": {True, False}, "SU": {True}, "ER": {False}, "NE": set[bool]()}
_ERR_IN_FIELDS_SINCE = (2, 5)  # before, ERR-1 held everything


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Acknowledgement code and error for the sender."""

    code: str  # MSA-1: AA, AE or AR; of acceptance alone CA, CE or CR
    error: int | None = None  # HL7 table 0357
    text: str = ""
    reason: str = ""  # why it is refused, in one of few words; empty where it is accepted


ACCEPTED = Verdict(code="AA")
# The first row whose class the error is an instance of applies, so the special stand before the general.
VERDICTS: tuple[tuple[type[Exception], Verdict], ...] = (
    (OutOfResourcesError, Verdict(code="AR", error=207, text="Out of resources, send it again later")),
    (OSError, Verdict(code="AR", error=207, text="Out of resources, send it again later")),
    (UnsupportedMessageError, Verdict(code="AR", error=200, text="Unsupported message")),
    (ContradictionError, Verdict(code="AE", error=205, text="Contradicts what is stored")),
    (InputError, Verdict(code="AE", error=102, text="The message cannot be used")),
)
_FAILED = Verdict(code="AR", error=207, text="Internal error, the log says which")


def verdict_on(error: Exception) -> Verdict:
    """Return the row for an error; the text of ours, which names no patient, stands for that of the row."""
    for kind, verdict in VERDICTS:
        if isinstance(error, kind):
            said = str(error) if isinstance(error, InputError) else ""
            return replace(verdict, text=said or verdict.text, reason=refusal_reason(error))
    return replace(_FAILED, reason=refusal_reason(error))


def acknowledgements(header: Segment | None, verdict: Verdict, *, now: datetime) -> tuple[bytes, ...]:
    """Return the ACK messages that the sender of a message with this MSH wants; one in original mode.

    What is committed is accepted and applied at once. What is not accepted gets no answer of the application,
    unless only that is wanted.
    """
    accept, apply = (header.component(15), header.component(16)) if header else ("", "")
    if accept not in _WANTED and apply not in _WANTED:
        return (acknowledgement(header, verdict, now=now),)
    is_well = verdict.code == ACCEPTED.code
    is_acceptance_wanted = is_well in _WANTED.get(accept, ())
    is_answer_wanted = is_well in _WANTED.get(apply, ()) and (is_well or not is_acceptance_wanted)
    answers = []
    if is_acceptance_wanted:
        answers.append(replace(verdict, code=_ACCEPTANCE[verdict.code]))
    if is_answer_wanted:
        answers.append(verdict)
    return tuple(acknowledgement(header, answer, now=now) for answer in answers)


def acknowledgement(header: Segment | None, verdict: Verdict, *, now: datetime) -> bytes:
    """Return the ACK message for a message with this MSH, in the sender's separators.

    Args:
        header: MSH of the message as it came; None where it had none, and the ACK names no message.
        verdict: what became of it.
        now: for MSH-7.
    """
    separator = header.separators.field if header else "|"
    encoding = header.separators.encoding_characters if header else r"^~\&"
    version = header.component(12) if header else ""
    component = encoding[0]

    def line(*fields: str) -> str:
        return separator.join(fields).rstrip(separator)

    def sent(number: int) -> str:
        return header.raw(number) if header else ""

    ours = (sent(5), sent(6), sent(3), sent(4))  # the receiver becomes the sender
    kind = f"ACK{component}{(header.component(9, 2) if header else '') or 'R01'}"
    when = f"{now:%Y%m%d%H%M%S}"
    rest = (sent(11) or "P", version or "2.5.1", "", "", "", "", "", sent(18))
    segments = [
        line("MSH", encoding, *ours, when, "", kind, sent(10), *rest),
        line("MSA", verdict.code, sent(10), _plain(verdict.text, separator + encoding)[:_TEXT_MAX]),
    ]
    if verdict.error is not None:
        segments.append(_error_segment(verdict, separator, encoding, version))
    return ("\r".join(segments) + "\r").encode("latin-1", errors="replace")


def _error_segment(verdict: Verdict, separator: str, encoding: str, version: str) -> str:
    component, subcomponent = encoding[0], encoding[3]
    text = _plain(verdict.text, separator + encoding)
    if _numbers(version) >= _ERR_IN_FIELDS_SINCE:
        code = component.join((str(verdict.error), text[:_TEXT_MAX], "HL70357"))
        return separator.join(("ERR", "", "", code, "E", "", "", text))
    inner = subcomponent.join((str(verdict.error), text[:_TEXT_MAX], "HL70357"))
    return separator.join(("ERR", component * 3 + inner))


def _plain(text: str, special: str) -> str:
    return "".join(" " if character in special or character in "\r\n" else character for character in text)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
