"""The mixed load: pairs of image and report as hospitals send them, each with what must come of it."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import UID

from benchmarks.radiographs import dicom_of, radiograph
from benchmarks.sending import IMAGE_WAYS, REPORT_WAYS, Parcel, Way
from benchmarks.worker import file_of, name

SIDE = 512
FILMS = 8  # radiographs that differ; each study has one of them under names of its own
RESENT_SHARE = 0.15  # of what is sent: once more, by a way of its own, after a while
EARLIER = timedelta(days=3)  # reports were made so long before they are sent: clock steps do not reach them


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What must be there of one study in the end."""

    accession: str
    results_max: int  # revisions that what is sent of it can make
    in_force: tuple[str, ...]  # texts that the report in force is made of


@dataclass(frozen=True, kw_only=True)
class Consignment:
    """What is sent of one study, or of several that share a report."""

    parcels: tuple[Parcel, ...]  # in any order; what is sent twice stands here twice
    expected: tuple[Expected, ...]


@dataclass(kw_only=True)
class Load:
    """An endless mixed load, the same for the same seed."""

    seed: int
    start: datetime
    chance: random.Random = field(init=False)
    number: int = 0

    def __post_init__(self) -> None:
        self.chance = random.Random(f"load {self.seed}")

    def __iter__(self) -> Iterator[Consignment]:
        shapes = {
            self.pair: 55,
            self.two_images: 12,
            self.preliminary: 8,
            self.corrected: 9,
            self.addendum: 8,
            self.shared_report: 8,
        }
        while True:
            (shape,) = self.chance.choices(list(shapes), weights=list(shapes.values()))
            yield self.with_repeats(shape())

    def pair(self) -> Consignment:
        """One image, one report."""
        number = self.next_number()
        return self._consignment(number, [self.image(number)], [self.report(number)], counting=1)

    def two_images(self) -> Consignment:
        """Two images, which may be told as two revisions, and one report."""
        number = self.next_number()
        images = [self.image(number), self.image(number, 2)]
        return self._consignment(number, images, [self.report(number)], counting=1)

    def preliminary(self) -> Consignment:
        """A preliminary report, and the final one."""
        number = self.next_number()
        reports = [self.report(number, status="PRELIMINARY"), self.report(number, 2)]
        return self._consignment(number, [self.image(number)], reports, counting=1)

    def corrected(self) -> Consignment:
        """A final report, and its correction, which may overtake it."""
        number = self.next_number()
        reports = [self.report(number), self.report(number, 2, status="CORRECTED")]
        return self._consignment(number, [self.image(number)], reports, counting=2)

    def addendum(self) -> Consignment:
        """A final report, and an addendum, which may overtake it."""
        number = self.next_number()
        reports = [self.report(number), self.report(number, 2, status="ADDENDUM")]
        made = self._consignment(number, [self.image(number)], reports, counting=2)
        whole = tuple(report.report for report in reports)
        return replace(made, expected=(replace(made.expected[0], in_force=whole),))

    def shared_report(self) -> Consignment:
        """Two orders with an image each that are reported together, as accession numbers that were merged."""
        first, second = self.next_number(), self.next_number()
        shared = replace(self.report(first), way=Way.HL7, further=(f"A{second}",))
        expected = tuple(
            Expected(accession=f"A{number}", results_max=1, in_force=(shared.report,))
            for number in (first, second)
        )
        return Consignment(parcels=(self.image(first), self.image(second), shared), expected=expected)

    def next_number(self) -> int:
        self.number += 1
        return self.number

    def image(self, number: int, image: int = 1) -> Parcel:
        dataset = name(self.chance.choice(films(self.seed)), number)
        uid = UID(f"2.25.{number}.1.{image}")
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid
        way = self.chance.choice((*IMAGE_WAYS, Way.FOLDER))
        return Parcel(way=way, accession=f"A{number}", image=file_of(dataset))

    def report(self, number: int, version: int = 1, *, status: str = "FINAL") -> Parcel:
        seen = self.chance.choice(("No mass.", "There is a mass.", "No pleural effusion.", "Pneumothorax."))
        return Parcel(
            way=self.chance.choice((*REPORT_WAYS, Way.FOLDER)),
            accession=f"A{number}",
            report=f"Case {number}, version {version}. {seen}",
            status=status,
            issued_at=(self.start - EARLIER).replace(microsecond=0) + timedelta(seconds=version),
        )

    def with_repeats(self, made: Consignment) -> Consignment:
        """The same in another order, with some of it twice."""
        again = [
            replace(parcel, way=self.another_way(parcel))
            for parcel in made.parcels
            if self.chance.random() < RESENT_SHARE
        ]
        parcels = [*made.parcels, *again]
        self.chance.shuffle(parcels)
        return replace(made, parcels=tuple(parcels))

    def another_way(self, parcel: Parcel) -> Way:
        if parcel.further:
            return Way.HL7
        return self.chance.choice((*(IMAGE_WAYS if parcel.image else REPORT_WAYS), Way.FOLDER))

    def _consignment(
        self, number: int, images: Sequence[Parcel], reports: Sequence[Parcel], *, counting: int
    ) -> Consignment:
        # The first counting report and the first image make one revision together; each further one its own.
        expected = Expected(
            accession=f"A{number}",
            results_max=len(images) + counting - 1,
            in_force=(reports[-1].report,),
        )
        return Consignment(parcels=(*images, *reports), expected=(expected,))


@cache
def films(seed: int) -> tuple[Dataset, ...]:
    """Radiographs that differ a little."""
    generator = np.random.default_rng(seed)
    return tuple(dicom_of(radiograph(generator, SIDE), compressed=False) for _ in range(FILMS))
