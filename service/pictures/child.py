"""Start of a child process that decodes pixels, with all of the program that it will need."""

from service.confined.kernel_limit import take_at_most
from service.pictures import describing, drawing, overlay, plain, viewing
from service.pictures.decoder import Decoder

FUNCTIONS = (
    drawing.draw,
    overlay.draw_evidence,
    plain.describe_plain,
    plain.read_plain,
    plain.read_frame,
    describing.describe_images,
    viewing.read_for_viewer,
)
"""What a child does. To load its modules with the first call would count as memory of that call."""
_TIMES_ASKED_FOR = 2  # decoders ask for more memory than they fill; of JPEG 2000 half as much again


def make_decoder(memory_bytes: int) -> Decoder:
    """Return what lives in the child, for calls that may fill so much memory."""
    take_at_most(memory_bytes * _TIMES_ASKED_FOR)
    return Decoder()
