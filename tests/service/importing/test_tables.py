"""Tables of reports, as sites export them."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from overread.errors import ConfigurationError, InvalidFileError
from service.importing.columns import match_columns, parse_columns
from service.importing.tables import ReportRow, TableOptions, read_table


def rows(path: Path, **options: object) -> list[ReportRow]:
    return list(read_table(path, TableOptions(**options)))  # type: ignore[arg-type]


def written(tmp_path: Path, content: str | bytes, name: str = "reports.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_the_separator_is_the_one_that_makes_sense_of_the_first_line(tmp_path, mark) -> None:
    lines = (
        ("Accession No.", "Patient_ID", "Report Text", "x"),
        (" A1 ", "P1", '"one; two, three\nfour"', ""),
    )
    path = written(tmp_path, "\ufeff" + "\r\n".join(mark.join(line) for line in lines))

    (row,) = rows(path)

    assert (row.accession_number, row.patient_id, row.text) == ("A1", "P1", "one; two, three\nfour")
    assert (row.line, row.status, row.study_instance_uid, row.share) == (2, None, None, 1.0)


def test_columns_are_chosen_by_name_and_several_make_one_text(tmp_path) -> None:
    path = written(tmp_path, "No,Findings,Impression\nA1,Clear.,Normal.\nA2,,Effusion.\n")
    columns = parse_columns(["accession=No", "text=Findings", "text=Impression"])

    first, second = rows(path, columns=columns)

    assert first.text == "Findings:\nClear.\n\nImpression:\nNormal."
    assert second.text == "Impression:\nEffusion."


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param("a,b\n1,2\n", "line 1: no column is known to hold the report text", id="no text"),
        pytest.param("text\nx\n", "line 1: no column is known to hold the accession", id="no names"),
        pytest.param(
            "accession,text\nA1,ok\nA2,H\xf6he\n".encode("cp1252"), "line 3: it is not in utf-8", id="1252"
        ),
        pytest.param("accession,text\nA1,x\n".encode("utf-16"), "line 1: the file is in UTF-16", id="UTF-16"),
        pytest.param('accession,text\nA1,ok\nA2,"open\nA3,x\n', "line 3: the row cannot be read", id="quote"),
        pytest.param('accession,text\nA1,"a" b\n', "line 2: the row cannot be read", id="quote within"),
    ],
)
def test_what_cannot_be_followed_is_told_with_its_line(tmp_path, content, words) -> None:
    with pytest.raises(InvalidFileError, match=words):
        rows(written(tmp_path, content))


def test_a_row_with_another_number_of_columns_is_told_and_the_rest_goes_on(tmp_path) -> None:
    short, good = rows(written(tmp_path, "accession,text\nA1\n\nA2,x\n"))

    assert short.problem == "it has 1 columns where line 1 has 2"
    assert (good.line, good.accession_number, good.problem) == (4, "A2", None)


def test_a_named_character_set_is_used(tmp_path) -> None:
    path = written(tmp_path, "accession;text\nA1;Höhe\n".encode("cp1252"))
    assert rows(path, encoding="cp1252")[0].text == "Höhe"
    for wrong in ("klingon", "utf-16"):
        with pytest.raises(ConfigurationError, match="--encoding"):
            rows(path, encoding=wrong)
    with pytest.raises(ConfigurationError, match="--delimiter"):
        rows(path, delimiter="||")


def test_json_lines_are_rows_and_broken_ones_are_told(tmp_path) -> None:
    lines = ['{"accession": 5, "text": "a"}', "{", "[1]", '{"text": "b", "accession": "A2", "status": "P"}']
    lines += ['{"accession": 1.5, "text": "c"}', ""]
    first, broken, no_object, second, fraction = rows(written(tmp_path, "\n".join(lines), "r.jsonl"))

    assert (first.accession_number, first.text, first.status) == ("5", "a", None)
    assert (second.accession_number, second.status, second.line) == ("A2", "P", 4)
    assert broken.problem == "it is not a line of JSON"
    assert "named members" in str(no_object.problem)
    assert "float where text is expected" in str(fraction.problem)


def test_a_time_of_parquet_keeps_its_type_until_it_is_read(tmp_path) -> None:
    times = [datetime(2026, 3, 1, 12, tzinfo=UTC), None]
    table = pa.table({"accession": ["A1", "A2"], "issued": times, "text": ["x", "y"]})
    pq.write_table(table, tmp_path / "r.parquet")

    first, second = rows(tmp_path / "r.parquet")

    assert (first.issued, second.issued) == ("2026-03-01 12:00:00+00:00", None)


def test_parquet_is_read_in_small_batches_with_the_same_meaning(tmp_path) -> None:
    names = [f"A{number}" for number in range(600)]
    table = pa.table({"Accession": names, "other": [1.0] * 600, "Report": ["text"] * 600})
    pq.write_table(table, tmp_path / "r.parquet")

    read = rows(tmp_path / "r.parquet")

    assert [row.accession_number for row in read] == names
    assert (read[-1].line, read[-1].share, read[0].text) == (600, 1.0, "text")
    with pytest.raises(InvalidFileError, match="not a readable Parquet file"):
        rows(written(tmp_path, "no parquet", "broken.parquet"))


def test_other_files_are_refused_in_words(tmp_path) -> None:
    with pytest.raises(InvalidFileError, match=r"\.csv, \.tsv"):
        rows(tmp_path / "reports.xlsx")
    with pytest.raises(InvalidFileError, match="cannot read"):
        rows(tmp_path / "none.csv")
    with pytest.raises(ConfigurationError, match="FIELD=NAME"):
        parse_columns(["acc=No"])
    assert json.dumps(parse_columns(["study=UID"])) == '{"study": ["UID"]}'


def test_a_first_line_that_may_be_a_row_is_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "reports.csv"
    path.write_text("A1;Doe, Jane;No mass is seen.\nA2;Roe, Jane;Normal.\n")

    with pytest.raises(InvalidFileError, match="is line 1 the header") as caught:
        list(read_table(path, TableOptions()))

    assert "Doe" not in str(caught.value)
    assert "mass" not in str(caught.value)


@pytest.mark.parametrize("given", [{}, {"study": ("Befund",)}])
def test_of_names_that_may_be_cells_the_usual_ones_alone_are_repeated(given) -> None:
    row = ("Report", "A1", "Doe, Jane", "No mass is seen.", "ACCESSION no")

    with pytest.raises(InvalidFileError) as caught:
        match_columns(row[1:] if not given else row, given, "a.csv, line 1")

    assert re.search(r"there are ('Report', )?'ACCESSION no' and 3 more", str(caught.value))
    assert not re.search("A1|Doe|mass", str(caught.value))


def test_a_first_line_that_no_reader_of_csv_understands_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "reports.csv"
    path.write_bytes(b"\raccession;text\nA1;No mass.\n")

    with pytest.raises(InvalidFileError, match="line 1"):
        list(read_table(path, TableOptions()))
