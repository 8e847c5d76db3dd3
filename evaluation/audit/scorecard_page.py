"""Page of a scorecard: one HTML file in the form of the page of an audit, the tables beside it."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from evaluation.audit.curve_plots import Line, curve_plot
from evaluation.audit.froc_table import POINT, SUMMARY
from evaluation.audit.page_form import filled, number
from evaluation.audit.page_plots import Plot
from evaluation.audit.result_folder import read_result, read_table
from overread.errors import InvalidFileError, words_of

PAGE = "scorecard.html"
_ROWS_MAX = 60  # of a table on the page; the file has them all
_CURVES_MAX = 12  # observers of one plot
_TILES_MAX = 8

Row = Mapping[str, str]
Tables = Mapping[str, Sequence[Row]]


def write_scorecard(folder: Path) -> Path:
    """Write the page of a finished scorecard into its folder, and return its path.

    Raises:
        InvalidFileError: the folder holds no finished scorecard, a table was altered, or the page cannot be
            written.
    """
    record = read_result(folder)
    tables = {name: read_table(folder, name) for name in record["tables"]}
    path = folder / PAGE
    try:
        path.write_text(scorecard_page(record, tables), encoding="utf-8")
    except OSError as error:
        raise InvalidFileError(f"cannot write {path}: {words_of(error)}") from error
    return path


def scorecard_page(record: Mapping[str, Any], tables: Tables) -> str:
    """Return the page.

    Args:
        record: what result.json holds.
        tables: rows by name of the table; those without a row may be missing.
    """
    return filled(
        "scorecard.html",
        record=record,
        tiles=list(_tiles(tables)),
        shown={name: rows[:_ROWS_MAX] for name, rows in tables.items() if name != "curves"},
        totals={name: len(rows) for name, rows in tables.items()},
        plots=[(plot, Markup(plot.svg)) for plot in _plots(tables)],  # noqa: S704 - it escapes every text
    )


def _tiles(tables: Tables) -> Iterator[tuple[str, str, str]]:
    """Yield what stands first: the areas of readers together, free response, then those of one observer."""
    rows = [
        ("mean AUC of readers", row) for row in tables.get("multireader", ()) if row["figure"] == "mean_AUC"
    ]
    rows += [("lesions found", row) for row in tables.get("froc", ()) if row["figure"] == SUMMARY]
    rows += [("AUC", row) for row in tables.get("figures", ()) if row["figure"] == "AUC"]
    for words, row in [item for item in rows if item[1]["value"]][:_TILES_MAX]:
        label = f"{row['finding'].replace('_', ' ')}, {row['test']}: {words}"
        sure = f"95 % interval {number(row['low'])} to {number(row['high'])}, {row['patients']} patients"
        yield label, number(row["value"]), sure


def _plots(tables: Tables) -> Iterator[Plot]:
    findings = dict.fromkeys(row["finding"] for rows in tables.values() for row in rows)
    for finding in findings:
        name = finding.replace("_", " ")
        if lines := [*_curves(tables, finding, "ROC"), *_readers(tables, finding)][:_CURVES_MAX]:
            title = f"{name}: ROC"
            svg = curve_plot(lines, title, ("1 - specificity", "sensitivity"), diagonal=True)
            yield Plot(
                title=title, svg=svg, table="figures" if all(line.is_point for line in lines) else "curves"
            )
        if lines := _curves(tables, finding, "precision_recall")[:_CURVES_MAX]:
            title = f"{name}: precision and recall"
            svg = curve_plot(lines, title, ("recall (sensitivity)", "precision"), diagonal=False)
            yield Plot(title=title, svg=svg, table="curves")
        if lines := _reliability(tables, finding)[:_CURVES_MAX]:
            title = f"{name}: do its probabilities hold?"
            svg = curve_plot(lines, title, ("mean probability", "share of positive cases"), diagonal=True)
            yield Plot(title=title, svg=svg, table="reliability")
        if lines := _free_response(tables, finding)[:_CURVES_MAX]:
            title = f"{name}: free response"
            svg = curve_plot(
                lines, title, ("false marks a case", "share of lesions found"), diagonal=False, right=8.0
            )
            yield Plot(title=title, svg=svg, table="froc")


def _curves(tables: Tables, finding: str, curve: str) -> list[Line]:
    rows = [row for row in tables.get("curves", ()) if (row["finding"], row["curve"]) == (finding, curve)]
    return [
        Line(label=name, x=_of(own, "x"), y=_of(own, "y"), low=_of(own, "low"), high=_of(own, "high"))
        for name, own in _by_observer(rows).items()
    ]


def _readers(tables: Tables, finding: str) -> list[Line]:
    """Return the observers without a curve as points, one for each score from which on they call it."""
    rows = [row for row in tables.get("figures", ()) if row["finding"] == finding and row["from_score"]]
    found = []
    for name, own in _by_observer(rows).items():
        by_call: dict[str, dict[str, Row]] = {}
        for row in own:
            by_call.setdefault(row["from_score"], {})[row["figure"]] = row
        for call, pair in by_call.items():
            if len(pair) == 2:
                one, other = pair["sensitivity"], pair["specificity"]
                found.append(
                    Line(
                        label=name if len(by_call) == 1 else f"{name}, from {float(call):g}",
                        x=[1 - float(other["value"])],
                        y=_of([one], "value"),
                        low=_of([one], "low"),
                        high=_of([one], "high"),
                        is_point=True,
                        x_ends=(1 - float(other["high"]), 1 - float(other["low"])),
                    )
                )
    return found


def _reliability(tables: Tables, finding: str) -> list[Line]:
    rows = [row for row in tables.get("reliability", ()) if row["finding"] == finding]
    return [
        Line(
            label=name,
            x=_of(own, "mean_probability"),
            y=_of(own, "share"),
            low=_of(own, "low"),
            high=_of(own, "high"),
            is_point=True,
        )
        for name, own in _by_observer(rows).items()
    ]


def _free_response(tables: Tables, finding: str) -> list[Line]:
    rows = [row for row in tables.get("froc", ()) if (row["finding"], row["figure"]) == (finding, POINT)]
    return [
        Line(
            label=name,
            x=_of(own, "false_marks_a_case"),
            y=_of(own, "value"),
            low=_of(own, "low"),
            high=_of(own, "high"),
        )
        for name, own in _by_observer(rows).items()
    ]


def _by_observer(rows: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        name = f"{row['test']}, {row['reader']}" if row["reader"] else row["test"]
        found.setdefault(name, []).append(row)
    return found


def _of(rows: Sequence[Row], column: str) -> list[float]:
    return [float(row[column]) for row in rows]
