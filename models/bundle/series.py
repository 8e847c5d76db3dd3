"""Slices of a study that a network is shown: one series, complete, in order, each place once."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from models.bundle.manifest import VolumeUse
from models.bundle.slices import Slice, slices_of
from models.dicom import read_header, text, whole_number

LARGEST_TILT_DEGREES = 35.0  # of a slice against the axial plane: a gantry tilts up to 30
SAME_PLACE_MM = 0.01
EVEN_SHARE, EVEN_MM = 0.15, 0.1  # by which distances of slices may differ: rounding of positions

_DESCRIPTIONS = ("SeriesDescription", "ProtocolName", "StudyDescription")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stack:
    """Slices of one series on one grid, from end to end at even distances, and what was left out."""

    slices: tuple[Slice, ...]
    remarks: tuple[str, ...] = ()

    @property
    def step_mm(self) -> float:
        """Mean distance of neighbouring slices."""
        return (self.slices[-1].height - self.slices[0].height) / (len(self.slices) - 1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Choice:
    """The stack to look at, or None, and why each other series is not looked at."""

    stack: Stack | None
    remarks: tuple[str, ...]


def choose_stack(instances: Iterable[Path], use: VolumeUse) -> Choice:
    """Return the series of a study that a network of this use should see.

    Of several that it may see: an original one before a derived one, a preferred kernel before another, then
    the one with most slices.

    Raises:
        InvalidDicomError: a file is no DICOM.
    """
    series: dict[str, list[tuple[Path, Dataset]]] = {}
    for path in instances:
        header = read_header(path)
        series.setdefault(text(header, "SeriesInstanceUID"), []).append((path, header))
    stacks: list[Stack] = []
    remarks: list[str] = []
    for uid, objects in sorted(series.items()):
        found = stack_of(objects, use)
        if isinstance(found, str):
            remarks.append(f"series {uid} {found}")
        else:
            stacks.append(found)
    if not stacks:
        return Choice(stack=None, remarks=tuple(remarks))
    chosen, *others = sorted(stacks, key=_rank(use))
    remarks += [f"series {_uid(other)} would do, but series {_uid(chosen)} is better" for other in others]
    return Choice(stack=chosen, remarks=(*remarks, *chosen.remarks))


def stack_of(objects: Sequence[tuple[Path, Dataset]], use: VolumeUse) -> Stack | str:
    """Return the slices of one series in order, or why the network is not meant for it."""
    kept = [(path, header) for path, header in objects if not _is_localizer(header)]
    slices = _on_one_grid([item for path, header in kept for item in slices_of(path, header)])
    reason = _wrong_header(kept[0][1], use) if kept else "is a localizer"
    if reason or not slices:
        return reason or "does not say where its slices lie"
    stack = _even(_each_place_once(slices))
    left_out = len(objects) - len({item.path for item in stack.slices})
    remark = f"series {_uid(stack)}: {left_out} objects are not part of the volume"
    remarks = (remark, *stack.remarks) if left_out else stack.remarks
    return _wrong_slices(stack, use) or Stack(slices=stack.slices, remarks=remarks)


def _wrong_slices(stack: Stack, use: VolumeUse) -> str | None:
    if abs(stack.slices[0].grid.normal[2]) < np.cos(np.radians(LARGEST_TILT_DEGREES)):
        return "is not axial"
    if len(stack.slices) < use.minimum_slices:
        return f"has {len(stack.slices)} even slices; {use.minimum_slices} are needed"
    thickest = max([stack.step_mm, *(item.thickness_mm or 0.0 for item in stack.slices)])
    if thickest > use.maximum_slice_mm + EVEN_MM:
        return f"has slices of {thickest:.3g} mm; {use.maximum_slice_mm:g} mm are the limit"
    return None


def _on_one_grid(slices: Sequence[Slice]) -> list[Slice]:
    """Return the slices on the grid that most of them share."""
    groups: list[list[Slice]] = []
    for item in slices:
        group = next((group for group in groups if group[0].grid.is_same(item.grid)), None)
        if group is None:
            groups.append([item])
        else:
            group.append(item)
    return max(groups, key=len, default=[])


def _each_place_once(slices: Sequence[Slice]) -> Stack:
    """Return the slices in order; of several at one place, the one of the lowest number."""
    ordered = sorted(slices, key=lambda item: (item.height, item.number, item.sop_instance_uid))
    kept: list[Slice] = []
    for item in ordered:
        if not kept or item.height - kept[-1].height > SAME_PLACE_MM:
            kept.append(item)
    twice = len(ordered) - len(kept)
    remark = f"series {_uid_of(ordered[0])}: {twice} slices lie where another one lies and are left out"
    return Stack(slices=tuple(kept), remarks=(remark,) if twice else ())


def _even(stack: Stack) -> Stack:
    """Return the longest run of slices without a gap; a volume with one would be out of shape."""
    heights = np.array([item.height for item in stack.slices])
    distances = np.diff(heights)
    if not len(distances):
        return stack
    usual = float(np.median(distances))
    uneven = np.abs(distances - usual) > max(EVEN_SHARE * usual, EVEN_MM)
    edges = [0, *(np.flatnonzero(uneven) + 1).tolist(), len(heights)]
    start, end = max(pairwise(edges), key=lambda run: run[1] - run[0])
    if (start, end) == (0, len(heights)):
        return stack
    remark = (
        f"series {_uid(stack)}: slices are missing between {len(edges) - 1} runs; the longest of "
        f"{end - start} slices is looked at, {len(heights) - (end - start)} slices are not"
    )
    return Stack(slices=stack.slices[start:end], remarks=(*stack.remarks, remark))


def _rank(use: VolumeUse) -> Callable[[Stack], tuple[bool, int, int, int, str]]:
    """Return what sorts the better stack first."""

    def rank(stack: Stack) -> tuple[bool, int, int, int, str]:
        header = stack.slices[0].header
        kernel = text(header, "ConvolutionKernel").upper()
        matching = [at for at, start in enumerate(use.preferred_kernels) if kernel.startswith(start)]
        return (
            not text(header, "ImageType").upper().startswith("ORIGINAL"),
            min(matching, default=len(use.preferred_kernels)),
            -len(stack.slices),
            whole_number(header, "SeriesNumber", 0),
            _uid(stack),
        )

    return rank


def _wrong_header(header: Dataset, use: VolumeUse) -> str | None:
    modality = text(header, "Modality")
    if modality not in use.modalities:
        return f"has modality {modality or 'unknown'}; the model is meant for {' and '.join(use.modalities)}"
    stated = text(header, "BodyPartExamined")
    described = stated or " ".join(text(header, keyword) for keyword in _DESCRIPTIONS)
    if not set(re.findall(r"[a-z]+", described.lower())) & set(use.body_parts):
        shown = f"shows {stated}" if stated else "does not say which body part it shows"
        return f"{shown}; the model is meant for {use.body_parts[0]}"
    age = re.fullmatch(r"(\d{1,3})([DWMY])", text(header, "PatientAge"))  # PS3.5 6.2, AS
    years = int(age[1]) / {"D": 365.25, "W": 52.18, "M": 12, "Y": 1}[age[2]] if age else use.minimum_age_years
    if years < use.minimum_age_years:
        return f"is of a patient under {use.minimum_age_years:g} years, whom the model is not meant for"
    return None


def _is_localizer(header: Dataset) -> bool:
    return "LOCALIZER" in text(header, "ImageType").upper()


def _uid(stack: Stack) -> str:
    return _uid_of(stack.slices[0])


def _uid_of(item: Slice) -> str:
    return text(item.header, "SeriesInstanceUID")
