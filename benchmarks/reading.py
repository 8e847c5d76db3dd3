"""Speed and agreement of the report reader beside other open readers, on the same reports, in one run.

    python -m benchmarks.reading --data PATH [--reports 300] [--rounds 5]

The others are measured where they are installed (`pip install medspacy negspacy`); each gets our terms of the
24 findings as its targets and its own rules for negation. One process, one core, processor time.
"""

import argparse
import gc
import importlib.util
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from evaluation.reading.baseline import KeywordReader
from evaluation.reading.codes import LABELS
from evaluation.reading.intervals import estimate, macro_f1, micro_f1
from evaluation.reading.labelling import Presences, agreement, reader_presences
from evaluation.reading.material import CodedReport, coded_reports
from evaluation.reading.part import Part
from overread.finding import load_vocabulary
from overread.observation import Presence
from overread.report.reader import RuleReader
from overread.report.rules import load_rules


def main() -> int:
    """Print one line per reader and return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("OVERREAD_DATA"), help="else OVERREAD_DATA"
    )
    parser.add_argument("--reports", type=int, default=300, help="for the readers that are slow")
    parser.add_argument("--rounds", type=int, default=5, help="of the reader's own speed")
    chosen = parser.parse_args()
    if chosen.data is None:
        parser.error("give the data folder by --data or OVERREAD_DATA")
    everything = list(coded_reports(Path(chosen.data)))
    _own_speed(everything, rounds=chosen.rounds)
    reports = [report for report in everything if report.part is Part.DEVELOPMENT][: chosen.reports]
    print(f"the same {len(reports)} reports, {len(LABELS)} findings, hedged cells left out:")
    for name, presences in _readers():
        _compare(name, presences, reports)
    return 0


def _own_speed(reports: Sequence[CodedReport], *, rounds: int) -> None:
    """Print what the reader alone does, with every attribute: each report once, then once more.

    Every round has a reader of its own, and the keyword baseline beside it: on a machine that does other work
    the ratio and the fastest round say more than a single time.
    """
    print(f"start {_start_seconds():.2f} s (import and compile the rules)")
    first, again, plain = [], [], []
    for _ in range(rounds):
        gc.collect()  # what the round before remembered is no part of this one
        plain.append(_rate(KeywordReader().presences, reports))
        reader = RuleReader(load_rules())
        first.append(_rate(reader.read, reports))
        again.append(_rate(reader.read, reports))
        del reader
    print(f"{len(reports)} reports, {rounds} rounds, reports/s: median (slowest to fastest)")
    for name, rates in (
        ("each report for the first time, all attributes", first),
        ("again, sentences remembered", again),
        ("plain keyword baseline, bare labels", plain),
    ):
        print(f"  {name:46} {statistics.median(rates):.0f} ({min(rates):.0f} to {max(rates):.0f})")
    ratio = statistics.median(mine / other for mine, other in zip(first, plain, strict=True))
    print(f"  first time against baseline, median of rounds  {ratio:.2f}")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB, reports included")


def _start_seconds() -> float:
    """Return the time that a new process takes to be ready, less that of an empty one."""
    ready = _process_seconds("from overread.report import load_reader; load_reader()")
    return ready - _process_seconds("pass")


def _process_seconds(code: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - began


def _rate(read: Callable[[str], object], reports: Sequence[CodedReport]) -> float:
    began = time.process_time()
    for report in reports:
        read(report.text)
    return len(reports) / (time.process_time() - began)


def _compare(name: str, presences: Presences, reports: Sequence[CodedReport]) -> None:
    rate = _rate(presences, reports)
    found = agreement(reports, LABELS, presences)
    macro, micro = estimate(found.counts, macro_f1), estimate(found.counts, micro_f1)
    print(f"  {name:16} macro F1 {macro}  micro F1 {micro}  hedged {found.hedged}  {rate:.0f} reports/s")


def _readers() -> Iterator[tuple[str, Presences]]:
    yield "overread", reader_presences(RuleReader(load_rules()), LABELS)
    yield "keywords", KeywordReader().presences
    for name, make in (("medspacy", _medspacy), ("negspacy", _negspacy)):
        if importlib.util.find_spec(name):
            yield name, make()
        else:
            print(f"  {name:16} is not installed")


def _targets() -> Iterator[tuple[str, str]]:
    """Yield each label with each of its terms, singular and plural."""
    vocabulary = load_vocabulary()
    for label in LABELS:
        for finding in sorted(label.findings):
            for term in vocabulary[finding].terms:
                yield label.name, term
                yield label.name, term[:-1] + "ies" if term.endswith("y") else term + "s"


def _body(text: str) -> str:
    lines = text.split("\n")
    read = [line.partition(":")[2] for line in lines if line.startswith(("FINDINGS", "IMPRESSION"))]
    return "\n".join(read)


def _medspacy() -> Presences:
    import medspacy  # optional
    from loguru import logger  # its sentence splitter logs every word
    from medspacy.ner import TargetRule

    logger.remove()
    pipeline = medspacy.load()
    rules = [TargetRule(term, name.replace(" ", "_").upper()) for name, term in _targets()]
    pipeline.get_pipe("medspacy_target_matcher").add(rules)
    names = {label.name.replace(" ", "_").upper(): label.name for label in LABELS}

    def presences(text: str) -> dict[str, set[Presence]]:
        stated: dict[str, set[Presence]] = {}
        for entity in pipeline(_body(text)).ents:
            hedged = entity._.is_uncertain or entity._.is_hypothetical
            said = Presence.UNCERTAIN if hedged else Presence.PRESENT
            stated.setdefault(names[entity.label_], set()).add(
                Presence.ABSENT if entity._.is_negated else said
            )
        return stated

    return presences


def _negspacy() -> Presences:
    import spacy  # optional
    from negspacy.negation import Negex  # noqa: F401 # registers itself with spaCy

    pipeline = spacy.blank("en")
    pipeline.add_pipe("sentencizer")
    ruler = pipeline.add_pipe("entity_ruler", config={"phrase_matcher_attr": "LOWER"})
    ruler.add_patterns([{"label": name, "pattern": term} for name, term in _targets()])
    pipeline.add_pipe("negex")

    def presences(text: str) -> dict[str, set[Presence]]:
        stated: dict[str, set[Presence]] = {}
        for entity in pipeline(_body(text)).ents:
            said = Presence.ABSENT if entity._.negex else Presence.PRESENT
            stated.setdefault(entity.label_, set()).add(said)
        return stated

    return presences


if __name__ == "__main__":
    sys.exit(main())
