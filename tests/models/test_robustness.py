"""Real files with changed bytes are read or refused, and nothing else."""

import random

import pytest
from pydicom import Dataset, dcmread

from models.pixels import network_input, render_for_display
from overread.errors import InputError, UndecodablePixelsError
from tests.models.test_decoding import real

NAMES = (
    "MR_small.dcm",
    "MR_small_bigendian.dcm",
    "emri_small_RLE.dcm",
    "emri_small_jpeg_ls_lossless.dcm",
    "MR_small_jp2klossless.dcm",
    "SC_rgb_jpeg_dcmtk.dcm",
    "image_dfl.dcm",
    "vlut_04.dcm",
)


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's, about each broken value
@pytest.mark.parametrize("name", NAMES)
def test_changed_bytes_give_an_image_or_an_error_of_ours(tmp_path, name) -> None:
    original = real(name).read_bytes()
    generator = random.Random(name)
    for _ in range(15):
        content = bytearray(original)
        for _ in range(generator.randint(1, 6)):
            at = generator.randrange(132, min(len(content), generator.choice([400, 2500, len(content)])))
            content[at] = generator.randrange(256)
        path = tmp_path / "changed.dcm"
        path.write_bytes(content)
        for read in (lambda file: network_input(file, rows=64, columns=64), render_for_display):
            try:
                read(path)
            except InputError as error:
                assert str(error)  # noqa: PT017  # most are read; the rest must say why not


@pytest.mark.parametrize("keyword", ["ModalityLUTSequence", "VOILUTSequence"])
def test_no_error_repeats_what_the_header_holds(tmp_path, keyword) -> None:
    dataset = dcmread(real("MR_small.dcm"))
    table = Dataset()
    table.add_new("LUTDescriptor", "LO", ["DOE^JANE"] * 3)
    table.add_new("LUTData", "OW", bytes(512))
    setattr(dataset, keyword, [table])
    path = tmp_path / "broken.dcm"
    dataset.save_as(path)

    with pytest.raises(UndecodablePixelsError, match="LUT is broken") as caught:
        render_for_display(path)
    assert "DOE" not in str(caught.value)
