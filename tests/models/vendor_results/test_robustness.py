"""Whatever becomes of a document on its way, the study gets an answer or an error that names the file."""

import random
import warnings
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.sr.codedict import codes

from models.releases import load_detector
from overread.errors import InvalidDicomError
from tests.models.vendor_results.products import (
    group,
    mark,
    write_chest_cad,
    write_image,
    write_manifest,
    write_report,
)

MUTATIONS = 60


def documents(folder: Path, image: Path) -> tuple[Path, ...]:
    marks = [
        mark(codes.DCM.AbnormalOpacity, codes.SCT.Nodule, certainty=72, outline=(1, 2, 6, 2, 6, 8, 1, 2))
    ]
    return (
        write_report(folder / "sr.dcm", image, [group(dcmread(image), box=(10, 20, 60, 80))]),
        write_chest_cad(folder / "cad.dcm", image, marks),
    )


def mutated(content: bytes, chance: random.Random) -> bytes:
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 8))):
        at = chance.randrange(132, len(data))
        match chance.choice(("change", "change", "delete", "insert", "cut")):
            case "change":
                data[at] = chance.randrange(256)
            case "delete":
                del data[at : at + chance.randrange(1, 40)]
            case "insert":
                data[at:at] = chance.randbytes(chance.randrange(1, 20))
            case _:
                del data[max(at, 400) :]
    return bytes(data)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_damaged_document_is_an_answer_or_an_input_error(tmp_path, seed) -> None:
    image = write_image(tmp_path)
    write_manifest(tmp_path / "product", silence="absent")
    detector = load_detector("product", tmp_path)
    chance = random.Random(seed)
    answers, errors = [], []
    for document in documents(tmp_path, image):
        content = document.read_bytes()
        for _ in range(MUTATIONS):
            document.write_bytes(mutated(content, chance))
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # pydicom finds fault with what is broken
                    detection = detector.detect((image, document))
            except InvalidDicomError as error:
                errors.append(str(error))
            else:
                answers.append(detection)

    assert len(answers) > MUTATIONS
    assert all(item.observations or item.not_applicable or item.remarks for item in answers)
    assert all("sr.dcm" in error or "cad.dcm" in error for error in errors)
