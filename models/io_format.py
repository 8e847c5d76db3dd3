"""Input and output forms of foreign networks.

The defaults are the form that overread's own networks have, so that their manifests need not mention it.
"""

from dataclasses import dataclass

from models.parsing import Table
from overread.errors import ModelError

CHANNELS = (1, 3)
LAYOUTS = ("NCHW", "NHWC")
GREYS = ("normalised", "displayed")
FITS = ("stretch", "crop", "pad")
ACTIVATIONS = ("none", "sigmoid", "softmax")
CORNERS = ("xyxy", "xywh", "cxcywh")
UNITS = ("pixels", "shares")


@dataclass(frozen=True, slots=True, kw_only=True)
class InputForm:
    """Way in which the pixels of an image become the network's input.

    The grey values in [0, 1] are stretched to the range of the network, then `mean` is subtracted and the
    result divided by `std`.
    """

    channels: int = 1  # 3 repeats the grey values
    layout: str = "NCHW"  # order of batch, channels, rows, columns
    grey: str = "normalised"  # by `models.intensity`, or "displayed": as the window shows it to people
    fit: str = "stretch"  # to the size of the network, or "crop": the middle square, or "pad": with black
    mean: tuple[float, ...] = (0.0,)  # one, or one per channel
    std: tuple[float, ...] = (1.0,)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxForm:
    """Form of the boxes of a detection network: (boxes, 4) or (1, boxes, 4) numbers."""

    output: str  # name of the output with the corners
    labels_output: str | None = None  # a class number per box; None where the scores have a column per class
    corners: str = "xyxy"  # left, top, right, bottom; or left, top, width, height; or centre, width, height
    unit: str = "pixels"  # of the network's input, or "shares" of it


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputForm:
    """Way in which scores, maps and boxes become findings."""

    activation: str = "none"  # what turns the scores into [0, 1]; "none" where the network does it
    columns: tuple[int, ...] = ()  # per finding, of scores and maps, or a box's class; empty: in order
    further_scores: tuple[str, ...] = ()  # outputs whose columns follow those of the first
    boxes: BoxForm | None = None  # None for a network that classifies

    def columns_of(self, findings: int) -> tuple[int, ...]:
        """Return the column of each finding."""
        return self.columns or tuple(range(findings))


def read_input_form(table: Table | None) -> InputForm:
    """Return the form that a manifest states; None is the default one.

    Raises:
        ModelError: an entry is malformed.
    """
    if table is None:
        return InputForm()
    default = InputForm()
    form = InputForm(
        channels=table.integer("channels") if table.has("channels") else default.channels,
        layout=_choice(table, "layout", LAYOUTS, default.layout),
        grey=_choice(table, "grey", GREYS, default.grey),
        fit=_choice(table, "fit", FITS, default.fit),
        mean=table.numbers("mean") if table.has("mean") else default.mean,
        std=table.numbers("std") if table.has("std") else default.std,
    )
    fits = {1, form.channels}
    if form.channels not in CHANNELS or len(form.mean) not in fits or len(form.std) not in fits:
        raise ModelError("input_form: 1 or 3 channels, with one mean and std for all or one for each")
    if min(form.std) <= 0:
        raise ModelError("input_form: std must be above 0")
    return form


def read_output_form(table: Table | None) -> OutputForm:
    """Return the form that a manifest states; None is the default one.

    Raises:
        ModelError: an entry is malformed.
    """
    if table is None:
        return OutputForm()
    boxes = table.optional_table("boxes")
    columns = table.numbers("columns") if table.has("columns") else ()
    if any(column < 0 or column != int(column) for column in columns):
        raise ModelError("output_form: columns are whole numbers from 0 on")
    return OutputForm(
        activation=_choice(table, "activation", ACTIVATIONS, "none"),
        columns=tuple(int(column) for column in columns),
        further_scores=table.texts("further_scores") if table.has("further_scores") else (),
        boxes=None if boxes is None else _box_form(boxes),
    )


def _box_form(table: Table) -> BoxForm:
    return BoxForm(
        output=table.text("output"),
        labels_output=table.text("labels_output") if table.has("labels_output") else None,
        corners=_choice(table, "corners", CORNERS, "xyxy"),
        unit=_choice(table, "unit", UNITS, "pixels"),
    )


def _choice(table: Table, name: str, choices: tuple[str, ...], default: str) -> str:
    value = table.text(name) if table.has(name) else default
    if value not in choices:
        raise ModelError(f"{name!r} is {value!r}; it must be one of {', '.join(choices)}")
    return value
