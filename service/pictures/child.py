"""Start of a child process that decodes pixels, with all of the program that it will need."""

from service.pictures import drawing, overlay, plain
from service.pictures.decoder import Decoder

FUNCTIONS = (drawing.draw, overlay.draw_evidence, plain.describe_plain, plain.read_plain, plain.read_frame)
"""What a child does. To load its modules with the first call would count as memory of that call."""


def make_decoder() -> Decoder:
    """Return what lives in the child."""
    return Decoder()
