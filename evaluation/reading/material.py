"""The public data sets in the layout of their sources."""

import csv
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from evaluation.reading.part import Part, part_of
from overread.errors import NotFoundError

_SECTIONS = ("COMPARISON", "INDICATION", "FINDINGS", "IMPRESSION")
_CONTEXT_COLUMNS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class CodedReport:
    """One Open-I report with the codes that its coders gave it (MeSH heading and qualifiers)."""

    number: str
    text: str
    codes: tuple[tuple[str, ...], ...]

    @property
    def part(self) -> Part:
        """Return the part by the report's number."""
        return part_of(self.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledSentence:
    """One Open-I sentence: s sick, h healthy, a ambiguous, x no statement."""

    label: str
    text: str
    part: Part


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextItem:
    """One concept in one sentence of the ConText kit."""

    concept: str
    sentence: str
    negated: bool
    historical: bool
    other: bool
    part: Part


def coded_reports(data: Path) -> Iterator[CodedReport]:
    """Yield the coded Open-I reports; those without text and those never indexed are left out.

    Raises:
        NotFoundError: the archive is not there.
    """
    path = _existing(data / "openi", "NLMCXR_reports.tgz", "NLMCXR_reports_dev.tgz")
    with tarfile.open(path) as archive:
        for member in archive:
            stream = archive.extractfile(member) if member.name.endswith(".xml") else None
            if stream is None:
                continue
            root = ElementTree.fromstring(stream.read())  # noqa: S314 # the user's own download
            codes = [
                tuple(part.strip() for part in (major.text or "").split("/"))
                for major in root.iterfind("./MeSH/major")
            ]
            text = _report_text(root)
            if text and codes and codes[0][0] != "No Indexing":
                yield CodedReport(number=Path(member.name).stem, text=text, codes=tuple(codes))


def _report_text(root: ElementTree.Element) -> str:
    texts = {part.get("Label"): (part.text or "").strip() for part in root.iter("AbstractText")}
    return "\n".join(f"{name}: {texts[name]}" for name in _SECTIONS if texts.get(name))


def labelled_sentences(data: Path) -> list[LabelledSentence]:
    """Return the labelled Open-I sentences.

    Raises:
        NotFoundError: the file is not there.
    """
    path = _existing(data / "openi", "sentences_normal_abnormal.csv", "sentences_normal_abnormal_dev.csv")
    with path.open(newline="", encoding="utf-8") as lines:
        return [
            LabelledSentence(label=row["label"], text=row["sentence"], part=part_of(row["sentence"]))
            for row in csv.DictReader(lines)
        ]


def context_items(data: Path) -> list[ContextItem]:
    """Return the ConText kit's items.

    A sentence that stands several times, with other concepts marked, belongs wholly to the development part
    as soon as one of its copies does.

    Raises:
        NotFoundError: the file is not there.
    """
    path = _existing(data / "context", "rsAnnotations-1-120-random.txt")
    rows = [line.split("\t") for line in path.read_text(encoding="latin-1").splitlines()]
    rows = [row for row in rows if len(row) == _CONTEXT_COLUMNS]
    seen = {_plain(row[3]) for row in rows if part_of(row[3]) is Part.DEVELOPMENT}
    return [
        ContextItem(
            concept=row[2].strip(),
            sentence=row[3].strip(),
            negated=row[4].strip() == "Negated",
            historical=row[5].strip() == "Historical",
            other=row[6].strip() != "Patient",
            part=Part.DEVELOPMENT if _plain(row[3]) in seen else Part.HELD_BACK,
        )
        for row in rows
    ]


def _plain(sentence: str) -> str:
    return " ".join(sentence.lower().split())


def _existing(folder: Path, *names: str) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise NotFoundError(
        f"{folder} holds no {' or '.join(names)}; give the data folder by --data or OVERREAD_DATA"
    )
