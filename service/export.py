"""Writes the concluded cases as a cohort file."""

from dataclasses import replace
from pathlib import Path

from overread.cohort import encode_case
from overread.errors import InvalidFileError
from service.store.database import Store
from service.store.history import concluded_cases


def export_cohort(store: Store, path: Path) -> int:
    """Write the cases and return how many; the file is complete or not there.

    Patients become numbers in the order of their first case, so that no identifier of theirs leaves.

    Raises:
        InvalidFileError: the file cannot be written.
    """
    numbers: dict[str, int] = {}
    partial = path.with_name(path.name + ".partial")
    count = 0
    try:
        with partial.open("w", encoding="utf-8") as file:
            for case in concluded_cases(store):
                number = numbers.setdefault(case.patient, len(numbers) + 1)
                file.write(encode_case(replace(case, patient=str(number))) + "\n")
                count += 1
        partial.replace(path)
    except OSError as error:
        raise InvalidFileError(f"cannot write {path}: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)
    return count
