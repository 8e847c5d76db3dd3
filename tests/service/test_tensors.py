"""Prepared inputs travel as text and come back nearly the same."""

import base64

import numpy as np
import pytest

from overread.errors import InvalidFileError
from service.tensors import decode_inputs, encode_input


def test_inputs_come_back_to_a_fraction_of_a_grey_step() -> None:
    images = np.random.default_rng(1).random((3, 4, 5), dtype=np.float32)
    back = decode_inputs([encode_input(image) for image in images], rows=4, columns=5)
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, images, atol=0.0005)


@pytest.mark.parametrize("text", ["not base64!", base64.b64encode(b"1234").decode(), ""])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidFileError):
        decode_inputs([text], rows=4, columns=5)
