"""Writes the concluded cases as a cohort file."""

from dataclasses import dataclass, replace
from pathlib import Path

from overread.cohort import encode_case
from overread.errors import InvalidFileError
from service.deidentification.pseudonyms import Pseudonyms
from service.store.database import Store
from service.store.history import concluded_cases
from service.store.records import UnreadableCase


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSummary:
    """Counts of an export: cases written and cases left out."""

    written: int  # cases
    left_out: tuple[UnreadableCase, ...]  # with the reason of each


def export_cohort(store: Store, path: Path, pseudonyms: Pseudonyms) -> ExportSummary:
    """Write the cases; the file is complete or not there.

    Patients become numbers in the order of their first case, so that no identifier of theirs leaves. A case
    that cannot be read is left out and named in the summary.

    Args:
        store: of the installation.
        path: of the file.
        pseudonyms: in the place of the first readers' names.

    Raises:
        InvalidFileError: the file cannot be written.
        OutOfResourcesError: the store is not available.
    """
    numbers: dict[str, int] = {}
    left_out: list[UnreadableCase] = []
    partial = path.with_name(path.name + ".partial")
    written = 0
    try:
        with partial.open("w", encoding="utf-8") as file:
            for case in concluded_cases(store):
                if isinstance(case, UnreadableCase):
                    left_out.append(case)
                    continue
                given = replace(
                    case,
                    patient=str(numbers.setdefault(case.patient, len(numbers) + 1)),
                    first_reader=case.first_reader and pseudonyms.name("R", case.first_reader),
                )
                file.write(encode_case(given) + "\n")
                written += 1
        partial.replace(path)
    except OSError as error:
        raise InvalidFileError(f"cannot write {path}: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)
    return ExportSummary(written=written, left_out=tuple(left_out))
