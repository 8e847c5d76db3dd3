"""The table of this adapter: from what became of an object to the status of the C-STORE response.

PS3.4 table B.2-1 names the statuses of the Storage Service Class, PS3.7 annex C the general ones. A sender
repeats what was refused for want of resources (0xA7xx) and gives up on the others.
"""

from dataclasses import dataclass

from pydicom.dataset import Dataset

from overread.errors import ContradictionError, InputError, MislabelledDicomError, OutOfResourcesError

SUCCESS = 0x0000
OUT_OF_RESOURCES = 0xA700  # Refused: Out of Resources, PS3.4 table B.2-1
DOES_NOT_MATCH_SOP_CLASS = 0xA900  # Error: Data Set Does Not Match SOP Class, PS3.4 table B.2-1
CANNOT_UNDERSTAND = 0xC000  # Error: Cannot Understand, PS3.4 table B.2-1
CONTRADICTS = 0xC001  # of the same range: understood, but it contradicts what is stored
PROCESSING_FAILURE = 0x0110  # Processing Failure, PS3.7 section C.5.18
_COMMENT_MAX = 64  # Error Comment (0000,0902) is LO


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStatus:
    """Status and comment of a C-STORE response."""

    code: int
    comment: str = ""

    def response(self) -> Dataset:
        """Return the elements of the C-STORE response, PS3.7 table 9.3-2."""
        dataset = Dataset()
        dataset.Status = self.code
        if self.comment:
            dataset.ErrorComment = self.comment[:_COMMENT_MAX]
        return dataset


# The first row whose class the error is an instance of applies, so the special stand before the general.
STORE_STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (OutOfResourcesError, OUT_OF_RESOURCES),
    (OSError, OUT_OF_RESOURCES),  # the disk is full or refuses: the sender may try again later
    (ContradictionError, CONTRADICTS),
    (MislabelledDicomError, DOES_NOT_MATCH_SOP_CLASS),
    (InputError, CANNOT_UNDERSTAND),
)


def status_of(error: Exception) -> StoreStatus:
    """Return the row for an error; its text is passed on where it is one of ours, which names no patient."""
    for kind, code in STORE_STATUSES:
        if isinstance(error, kind):
            return StoreStatus(code=code, comment="" if isinstance(error, OSError) else str(error))
    return StoreStatus(code=PROCESSING_FAILURE)
