"""The error tree: one class per thing that a caller would do differently.

    OverreadError
    +-- InputError                what was sent cannot be used; sending it again unchanged will not help
    |   +-- InvalidDicomError         not a readable DICOM object, or a required attribute is broken
    |   |   +-- MislabelledDicomError     another object than its sender announced
    |   +-- UndecodablePixelsError    the header is fine, the pixel data is not
    |   +-- InvalidReportError        empty, binary or undecodable report
    |   |   +-- UnsupportedMessageError   a message of a type or version that is not taken here
    |   +-- OverLimitError            takes more time, memory or room than a limit allows
    |   +-- ContradictionError        contradicts what is stored: other patient, other bytes for the same UID
    |   +-- InvalidFileError          a line or file given to a command is malformed
    +-- NotFoundError             names something that the store does not hold
    |   +-- RemovedError              held it, and removed it on purpose
    +-- UnreadableRecordError     the store holds it in a form that this release does not know
    +-- TransitionError           the case is not in a state that allows this
    +-- LeaseLostError            another worker holds the case now; drop the result
    +-- ClaimedError              another reader has taken the case up; read another one, or ask that reader
    +-- NotPermittedError         whoever asks may not do this to this case; somebody else may
    +-- OutOfResourcesError       cannot be accepted now; sending it again later may succeed
    |   +-- OutdatedProcessError      the database is of another release by now; the process has to end
    +-- LostProcessError          the process that did the work ended without an answer; another may do it
    +-- PeerError                 another system that was asked is not there, refuses or breaks off
    +-- ModelError                a model release is missing, altered or does not do what its manifest says
    +-- ConfigurationError        a setting or policy is wrong; nothing works until a person corrects it

Messages name UIDs and what to do; never a patient's name, never report text.
"""


class OverreadError(Exception):
    """Root of every error that overread raises on purpose."""


class InputError(OverreadError):
    """Input that cannot be used, now or later."""

    reason = "INVALID_INPUT"
    """Machine-readable quarantine reason; a constant of the class."""


class InvalidDicomError(InputError):
    """The bytes are not a readable DICOM object, or a required attribute is missing or broken."""

    reason = "INVALID_DICOM"


class MislabelledDicomError(InvalidDicomError):
    """The object is of another class, or another instance, than its sender announced."""

    reason = "MISLABELLED_DICOM"


class UndecodablePixelsError(InputError):
    """The header is readable, the pixel data is absent, truncated or of an undecodable encoding."""

    reason = "UNDECODABLE_PIXELS"


class InvalidReportError(InputError):
    """The report is empty, binary, or in an undecodable character set."""

    reason = "INVALID_REPORT"


class UnsupportedMessageError(InvalidReportError):
    """The message that should bring a report is of a type, version or purpose that is not taken here."""

    reason = "UNSUPPORTED_MESSAGE"


class OverLimitError(InputError):
    """Work on the input that takes more than a limit allows; the message says which, and what to do."""

    reason = "OVER_LIMIT"

    def __init__(self, message: str = "", *, limit: str = "") -> None:
        """Say it in words; `limit` is a name for programs, such as "wall_seconds" or "memory_bytes"."""
        super().__init__(message)
        self.limit = limit


class ContradictionError(InputError):
    """The input contradicts what is stored, such as another patient under the same accession number."""

    reason = "CONTRADICTION"


class InvalidFileError(InputError):
    """A file, or a line of it, that was given to a command is malformed."""

    reason = "INVALID_FILE"


class NotFoundError(OverreadError):
    """Something was named that the store does not hold."""


class RemovedError(NotFoundError):
    """The store held it, and removed it on purpose, such as by retention; the message says when and why."""


class UnreadableRecordError(OverreadError):
    """Stored record of a case in a form that this release does not know; other cases can be read."""


class TransitionError(OverreadError):
    """The case is not in a state that allows the transition."""


class LeaseLostError(OverreadError):
    """The lease on a case ran out and another worker may hold it; the result must be dropped."""


class ClaimedError(OverreadError):
    """Another reader has taken the case up, and the message says who."""


class NotPermittedError(OverreadError):
    """Whoever asks may call this, but not for this case as it stands."""


class OutOfResourcesError(OverreadError):
    """The input cannot be accepted now; the sender should try again later."""


class OutdatedProcessError(OutOfResourcesError):
    """The database was brought to another release while this process ran, which has to be started anew."""


class LostProcessError(OverreadError):
    """The process that did the work ended without an answer: it crashed, or something outside killed it."""


class PeerError(OverreadError):
    """Another system that was asked, such as the PACS, is not there, refuses or breaks off."""


class ModelError(OverreadError):
    """A model release is missing, altered, or does not behave as its manifest says."""


class ConfigurationError(OverreadError):
    """A setting or policy is wrong, and the message says which."""


def words_of(error: Exception) -> str:
    """Return what went wrong for a message that names the file itself: of an OSError, without its number."""
    return str((isinstance(error, OSError) and error.strerror) or error)
