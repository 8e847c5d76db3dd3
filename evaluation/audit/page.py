"""Page of an audit: one HTML file that asks nothing of anybody else, and prints.

It holds no script; a content security policy of its own forbids every request. The tables behind the plots
lie beside it, as CSV and Parquet, under relative links.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from evaluation.audit.page_form import filled, percent
from evaluation.audit.page_plots import plots_of
from evaluation.audit.result_folder import read_result, read_table
from overread.errors import InvalidFileError, words_of

PAGE = "report.html"
_ROWS_MAX = 40  # of a table on the page; the file has them all

Row = Mapping[str, str]


def write_page(folder: Path) -> Path:
    """Write the page of a finished audit into its folder, and return its path.

    Raises:
        InvalidFileError: the folder holds no finished audit, a table was altered, or the page cannot be
            written.
    """
    record = read_result(folder)
    tables = {name: read_table(folder, name) for name in record["tables"]}
    path = folder / PAGE
    try:
        path.write_text(page_of(record, tables), encoding="utf-8")
    except OSError as error:
        raise InvalidFileError(f"cannot write {path}: {words_of(error)}") from error
    return path


def page_of(record: Mapping[str, Any], tables: Mapping[str, Sequence[Row]]) -> str:
    """Return the page.

    Args:
        record: what result.json holds.
        tables: rows by name of the table.
    """
    return filled(
        "report.html",
        record=record,
        tiles=tiles(record, tables),
        findings=[row for row in tables["rates"] if row["dimension"] == "all"],
        archive=tables["archive"],
        list=tables["list"],
        radpeer=tables["radpeer"],
        standing_out=_standing_out(tables["comparisons"]),
        alarms=[row for row in tables["months"] if row["alarm"] == "True" or row["outside"] == "True"],
        plots=[(plot, Markup(plot.svg)) for plot in plots_of(tables)],  # noqa: S704 - it escapes every text
        rows_max=_ROWS_MAX,
    )


def tiles(record: Mapping[str, Any], tables: Mapping[str, Sequence[Row]]) -> list[tuple[str, str, str]]:
    """Return what stands first: of each figure its name, its value, and its interval or what it rests on."""
    cohort = record["cohort"]
    found = [("cases", f"{cohort['cases']:,}", f"of {cohort['patients']:,} patients")]
    whole = {
        row["figure"]: row for row in tables["rates"] if (row["level"], row["finding"]) == ("all", "any")
    }
    if row := whole.get("disagreement"):
        found.append(("report and detector disagree", percent(row["value"]), _interval(row)))
    best = {row["figure"]: row for row in tables["archive"] if row["value"] and row["estimator"] != "naive"}
    if row := best.get("discrepancy_rate"):
        found.append(("cases with a discrepancy", percent(row["value"]), _interval(row)))
    elif row := whole.get("confirmed"):
        label = "confirmed, of those that were read alone"
        found.append((label, percent(row["value"]), f"{row['hits']} of {row['cases']}"))
    if row := best.get("sensitivity_of_flags"):
        found.append(("of all discrepancies are flagged", percent(row["value"]), _interval(row)))
    if row := whole.get("flagged"):
        found.append(("of the list is to be read", percent(row["value"]), f"{int(row['hits']):,} cases"))
    return found


def _interval(row: Row) -> str:
    return f"95 % interval {percent(row['low'])} to {percent(row['high'])}"


def _standing_out(rows: Sequence[Row]) -> list[Row]:
    return sorted((row for row in rows if row["stands_out"] == "True"), key=lambda row: float(row["q"]))
