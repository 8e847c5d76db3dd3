"""Audit of a cohort: from its shards to the tables of the result."""

import hashlib
import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.audit.archive_table import archive_table, reading_of
from evaluation.audit.audited_cases import AuditedCases, Dimension, joined, load_cases, source_hash
from evaluation.audit.cohort_shards import shards_of
from evaluation.audit.figures import MEANINGS, figure_table
from evaluation.audit.list_table import list_table
from evaluation.audit.rate_tables import comparisons_table, counted, months_table, radpeer_table, rates_table
from evaluation.audit.ray_shards import read_on_ray
from evaluation.audit.result_folder import Table, has_parquet, write_result, write_tables
from evaluation.audit.shard_folder import (
    SHARDS,
    Progress,
    ShardWork,
    complete,
    read_by_processes,
    shard_path,
)
from evaluation.audit.unknown import unknown_of
from evaluation.rank_cohort import list_rows, source_of, write_cases
from overread import __version__
from overread.case_arrays import CaseArrays
from overread.cohort_order import CohortOrder, order_cases, past_reports
from overread.errors import InvalidFileError
from overread.finding import load_vocabulary
from overread.priority import Policy
from overread.reporting_model import ReportingModel, fit_reporting_model

FORMAT = 1
CASES = "cases.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What is audited, and how."""

    cohort: Path
    detector: str | None  # None: that of the first scored case
    policy: Policy
    flagged_share: float  # of the list that is to be read, in (0, 1]
    seed: int  # of everything that is drawn
    reader_names: bool = False  # whether first readers keep the names that the cohort gives them
    command: str = ""  # that repeats it
    processes: int = 1
    ray: str | None = None  # address of a Ray cluster that reads in place of processes


def run_audit(audit: Audit, folder: Path, progress: Progress) -> dict[str, Any]:
    """Audit a cohort into a folder, or go on where a run left it, and return what result.json holds.

    Raises:
        ConfigurationError: the folder is of another audit, or the Ray cluster cannot be used.
        InvalidFileError: a case is malformed or comes twice, or a file cannot be read or written.
        LostProcessError: workers of the Ray cluster end before a shard is done, as often as it is tried.
    """
    vocabulary = load_vocabulary()
    source = source_of(audit.cohort, vocabulary, audit.detector)
    known = audit.policy.reporting_model(source.detector, source.version)
    if known is not None:
        source = source_of(audit.cohort, vocabulary, audit.detector, known)
    work = ShardWork(
        source=source,
        policy_version=audit.policy.version,
        ratios=audit.policy.tables.triggers,
        shards=tuple(shards_of(audit.cohort)),
    )
    workers = (
        partial(read_by_processes, audit.processes) if audit.ray is None else partial(read_on_ray, audit.ray)
    )
    complete(folder, work, workers, progress)
    paths = [shard_path(folder, shard) for shard in work.shards]
    cases = _whole(paths, audit)
    model = known or fit_reporting_model(
        source.detector, source.version or None, source.findings, past_reports(cases.arrays)
    )
    progress("put in order", len(cases))
    order = order_cases(cases.arrays, audit.policy, vocabulary, model)
    tables = _tables(audit, cases, order, progress)
    write_cases(folder / CASES, cases.arrays, order, progress)
    record = _record(audit, work, cases, tables)
    record["order"] = _basis(known)
    record["cohort"]["sha256_of_shards"] = _hash([source_hash(path) for path in paths])
    record["tables"] = write_tables(folder, tables)
    write_result(folder, record)
    shutil.rmtree(folder / SHARDS)
    return record


def flagged_rows(arrays: CaseArrays, order: CohortOrder, share: float) -> NDArray[np.bool_]:
    """Return whether each case stands in the first share of the list, (cases,)."""
    rows = list_rows(arrays, order)
    wanted = math.ceil(round(share * len(rows), 6))
    flagged = np.zeros(len(arrays), dtype=bool)
    flagged[rows[:wanted]] = True
    return flagged


def _whole(paths: Sequence[Path], audit: Audit) -> AuditedCases:
    cases = joined([load_cases(path) for path in paths])
    if not len(cases):
        raise InvalidFileError(f"{audit.cohort.name} holds no case")
    if len(set(cases.arrays.cases)) < len(cases):
        raise InvalidFileError(f"{audit.cohort.name} holds a case twice; `overread cohort check` says which")
    if audit.reader_names:
        return cases
    dimensions = dict(cases.dimensions)
    dimensions["first_reader"] = _numbered(dimensions["first_reader"])
    return AuditedCases(arrays=cases.arrays, dimensions=dimensions, selection=cases.selection)


def _numbered(readers: Dimension) -> Dimension:
    """Return the readers under numbers that tell nothing of their names."""
    mixed = sorted(range(len(readers.levels)), key=lambda place: _hash([readers.levels[place]]))
    width = len(str(len(mixed)))
    numbers = np.empty(len(mixed) + 1, dtype=np.int32)
    numbers[mixed] = np.arange(len(mixed))
    numbers[-1] = -1
    levels = tuple(f"reader {number + 1:0{width}d}" for number in range(len(mixed)))
    return Dimension(levels=levels, codes=numbers[readers.codes])


def _basis(known: ReportingModel | None) -> str:
    """Return where what a score is worth is known from, in words."""
    if known is None:
        return "the reports of these cases"
    return f"{known.studies} past reports that the policy knows"


def _tables(audit: Audit, cases: AuditedCases, order: CohortOrder, progress: Progress) -> list[Table]:
    flagged = flagged_rows(cases.arrays, order, audit.flagged_share)
    figures = figure_table(cases.arrays, flagged)
    places: dict[str, int] = {}
    patients = np.array([places.setdefault(name, len(places)) for name in cases.arrays.patients])
    progress("count", len(cases))
    found = counted(cases, figures, patients)
    return [
        archive_table(reading_of(cases, flagged)),
        rates_table(found),
        comparisons_table(found),
        months_table(found, seed=audit.seed),
        radpeer_table(cases, patients),
        list_table(cases.arrays, order, list_rows(cases.arrays, order)),
    ]


def _record(audit: Audit, work: ShardWork, cases: AuditedCases, tables: Sequence[Table]) -> dict[str, Any]:
    ordered = cases.arrays.ordered
    patients = {name for name, it_is in zip(cases.arrays.patients, ordered.tolist(), strict=True) if it_is}
    return {
        "format": FORMAT,
        "overread": __version__,
        "command": audit.command,
        "cohort": {
            "name": audit.cohort.name,
            "bytes": audit.cohort.stat().st_size,
            "shards": len(work.shards),
            "cases": int(ordered.sum()),
            "context_only": int((~ordered).sum()),
            "patients": len(patients),
        },
        "detector": {"name": work.source.detector, "version": work.source.version},
        "policy": audit.policy.version,
        "flagged_share": audit.flagged_share,
        "seed": audit.seed,
        "figures": MEANINGS,
        "parquet": has_parquet(),
        "unknown": unknown_of(cases, tables),
    }


def _hash(texts: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()
