"""Figures of the report reader, as lines of text."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from evaluation.reading.attributes import SEVERITY, SIDE, ZONE, attribute_agreement, reader_values
from evaluation.reading.baseline import KeywordReader
from evaluation.reading.codes import LABELS, MORE_LABELS
from evaluation.reading.contexts import context_counts
from evaluation.reading.ctrate import CT_LABELS, ct_agreement, ct_keyword_counts, labelled_reports
from evaluation.reading.intervals import Counts, estimate, f1, macro_f1, micro_f1, share
from evaluation.reading.labelling import Agreement, agreement, reader_presences
from evaluation.reading.material import (
    CodedReport,
    LabelledSentence,
    coded_reports,
    context_items,
    labelled_sentences,
)
from evaluation.reading.part import Part
from evaluation.reading.styles import HALVES, lines_of, score, styled_reports
from overread.errors import InvalidReportError
from overread.observation import Presence
from overread.ports import ReportReader
from overread.report import load_reader
from overread.statistics import Estimate


class Scorer(Protocol):
    """Prints one kind of figure."""

    def __call__(self, data: Path, *, held_back: bool, disagreements: bool) -> Iterator[str]:
        """Yield the lines."""


def _parts(*, held_back: bool) -> Sequence[Part]:
    return (Part.DEVELOPMENT, Part.HELD_BACK) if held_back else (Part.DEVELOPMENT,)


def labels(data: Path, *, held_back: bool, disagreements: bool) -> Iterator[str]:
    """Yield agreement with the coders over 24 findings, beside the keyword baseline's."""
    everything = list(coded_reports(data))
    for part in _parts(held_back=held_back):
        reports = [report for report in everything if report.part is part]
        mine, keywords = reader_presences(load_reader(), LABELS), KeywordReader().presences
        read = agreement(reports, LABELS, mine)
        yield f"labels, {part.value}, {len(reports)} reports, {len(LABELS)} findings, hedged cells left out"
        yield from _both("reader", read)
        yield from _both("keyword baseline", agreement(reports, LABELS, keywords))
        yield "  the same with hedged cells counted as stated:"
        yield from _both("reader", agreement(reports, LABELS, mine, hedged_is_stated=True))
        yield from _both("keyword baseline", agreement(reports, LABELS, keywords, hedged_is_stated=True))
        if part is Part.DEVELOPMENT:
            yield from _each_label(reports, read)
        if disagreements and part is Part.DEVELOPMENT:
            for cell in read.disagreements:
                kind = "coded, not read" if cell.coded else "read, not coded"
                yield f"  {cell.number}\t{cell.label}\t{kind}"


def _both(name: str, found: Agreement) -> Iterator[str]:
    macro, micro = estimate(found.counts, macro_f1), estimate(found.counts, micro_f1)
    yield f"  {name:18} macro F1 {macro}  micro F1 {micro}  hedged cells {found.hedged}"


def _each_label(reports: Sequence[CodedReport], read: Agreement) -> Iterator[str]:
    for label, counts in zip(LABELS, read.counts.sum(axis=0), strict=True):
        yield _label_line(label.name, counts)
    more = agreement(reports, MORE_LABELS, reader_presences(load_reader(), MORE_LABELS)).counts.sum(axis=0)
    yield "  further findings, not in the figures above"
    for label, counts in zip(MORE_LABELS, more, strict=True):
        yield _label_line(label.name, counts)


def _label_line(name: str, counts: Counts) -> str:
    return f"    {name:34} F1 {float(f1(counts)):.3f}  tp {counts[0]} fp {counts[1]} fn {counts[2]}"


def attributes(data: Path, *, held_back: bool, disagreements: bool) -> Iterator[str]:
    """Yield the exact agreement of side, zone and severity with the coders' qualifiers."""
    everything = list(coded_reports(data))
    for part in _parts(held_back=held_back):
        reports = [report for report in everything if report.part is part]
        for attribute in (SIDE, ZONE, SEVERITY):
            found = attribute_agreement(reports, reader_values(load_reader(), attribute), attribute)
            plain = attribute_agreement(reports, KeywordReader().values(attribute.name), attribute)
            cells = int(found.counts.sum())
            yield f"attribute {attribute.name}, {part.value}:"
            yield f"  reader           {estimate(found.counts, share)} ({cells} cells)"
            yield f"  keyword baseline {estimate(plain.counts, share)} ({int(plain.counts.sum())} cells)"
            if disagreements and part is Part.DEVELOPMENT:
                for number, label, coded, read in found.misses:
                    yield f"  {number}\t{label}\tcoded {sorted(coded)}\tread {sorted(read)}"


def chest_ct(data: Path, *, held_back: bool, disagreements: bool) -> Iterator[str]:
    """Yield agreement with the 18 labels of CT-RATE; its second half was seldom looked at."""
    everything = labelled_reports(data)
    for half in (0, 1) if held_back else (0,):
        reports = [report for report in everything if report.half == half]
        found = ct_agreement(reports, load_reader())
        yield f"chest CT, half {half + 1} of 2, {len(reports)} reports, {len(CT_LABELS)} labels"
        yield f"  reader, nodes of normal size left out: macro F1 {estimate(found.counts, macro_f1)}"
        yield f"    micro F1 {estimate(found.counts, micro_f1)}, {found.normal_nodes} cells left out"
        yield f"  reader, every label: macro F1 {estimate(found.all_counts, macro_f1)}"
        plain = ct_keyword_counts(reports)
        yield f"  keyword baseline, every label: macro F1 {estimate(plain, macro_f1)}"
        for label, counts in zip(CT_LABELS, found.counts.sum(axis=0), strict=True):
            yield _label_line(label.name, counts)
        if disagreements and half == 0:
            yield from (f"  {error}" for error in found.errors)


def context(data: Path, *, held_back: bool, disagreements: bool) -> Iterator[str]:  # noqa: ARG001 # same shape
    """Yield F1 of negation and of history on the ConText kit."""
    everything = context_items(data)
    for part in _parts(held_back=held_back):
        items = [item for item in everything if item.part is part]
        negation, history = context_counts(items, load_reader())
        yield f"context, {part.value}: negation F1 {estimate(negation, micro_f1)}"
        yield f"context, {part.value}: history F1 {estimate(history, micro_f1)}"


def sentences(data: Path, *, held_back: bool, disagreements: bool) -> Iterator[str]:  # noqa: ARG001 # same shape
    """Yield the share of sick and of healthy sentences with an observation that is not a denial."""
    everything = labelled_sentences(data)
    plain = KeywordReader()
    for part in _parts(held_back=held_back):
        for label, name in (("s", "sick"), ("h", "healthy")):
            mine = [sentence for sentence in everything if sentence.part is part and sentence.label == label]
            read = _share(mine, lambda sentence: _says_something(load_reader(), sentence))
            keyword = _share(mine, lambda sentence: _keyword_says(plain, sentence))
            yield f"sentences, {name}, {part.value}: reader {read}  keyword baseline {keyword}"


def _share(mine: Sequence[LabelledSentence], test: "Test") -> Estimate:
    hits = np.array([test(sentence) for sentence in mine], dtype=np.int64)
    return estimate(np.stack([hits, 1 - hits], axis=1), share)


class Test(Protocol):
    """Whether a reader says that something is wrong."""

    def __call__(self, sentence: LabelledSentence) -> bool:
        """Return the answer for one sentence."""


def _says_something(reader: ReportReader, sentence: LabelledSentence) -> bool:
    try:
        reading = reader.read(sentence.text)
    except InvalidReportError:
        return False
    return any(observation.presence is not Presence.ABSENT for observation in reading.observations)


def _keyword_says(reader: KeywordReader, sentence: LabelledSentence) -> bool:
    stated = reader.presences(f"findings: {sentence.text}")
    return any(said - {Presence.ABSENT} for said in stated.values())


def styles(data: Path | None, *, held_back: bool, disagreements: bool) -> Iterator[str]:  # noqa: ARG001 # same shape
    """Yield the figures on whole reports in many styles; they come with the package."""
    for half in HALVES if held_back else HALVES[:1]:
        reports = styled_reports(half)
        scores = score(load_reader(), reports)
        yield f"styles, {half} half, {len(reports)} reports"
        yield from lines_of(scores)
        if disagreements and half == HALVES[0]:
            yield from (f"    {error}" for error in scores.errors)


SCORERS: Mapping[str, Scorer] = {
    "labels": labels,
    "attributes": attributes,
    "context": context,
    "sentences": sentences,
    "ct": chest_ct,
    "styles": styles,
}
