"""A learning meeting: what leaves, what stays, and that it names nobody."""

import csv
import re
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from pydicom import dcmread

from overread.command import main
from overread.errors import InvalidFileError
from overread.second_read import Judgement, Radpeer
from service.adjudication.reads import judge, undo
from service.intake.closing import close_study
from service.peer_learning.candidates import Period, candidates
from service.peer_learning.counts import counts_of
from service.peer_learning.meeting_list import COLUMNS, read_list
from service.peer_learning.telling import OWN_REPORTS, Telling
from service.security.roles import Role
from service.store.audit_entries import AuditAction, AuditEntry
from service.store.audit_trail import TrailFilter, find_entries, record_acts
from service.store.database import Store
from service.store.queue import claim_case
from service.store.records import ReportStatus
from service.store.report_authors import note_author
from tests.service.adjudication.test_reads import CONFIRMED, REJECTED, person, sender
from tests.service.material import NOW, after, dicom_bytes, send_image, send_report, triage_one
from tests.service.security.people import add, desk_on
from tests.service.web.seeing import seen_case

PATIENT = "Zyxwvut"
TAUGHT = replace(
    CONFIRMED,
    tells_author=True,
    comment=f"Ms. {PATIENT} had one in 2019; told Dr Novakova on 2026-02-11.",
    learning_point="Novakova and I missed it: look behind the heart.",
)
PERIOD = Period(since=after(0), until=after(3600))


def named_case(store: Store, number: int = 1, **elements: object) -> int:
    """A case with two images that name the patient, triaged, in which a mass is seen in the first."""
    study, accession = f"2.25.{number}", f"ACC1234{number}"
    given = {"PatientName": f"{PATIENT}^Anna", "PatientID": "MRN4711", "AccessionNumber": accession}
    send_image(store, dicom_bytes(study=study, number=1, **given))
    send_image(store, dicom_bytes(study=study, number=2, **given, **elements))
    report = f"No mass is seen. {PATIENT}, 2026-01-10, {accession}."
    case_id = send_report(store, report, accession=accession, patient="MRN4711").case_id
    close_study(store, study, now=NOW)
    claimed = claim_case(store, worker="w", now=NOW)
    assert claimed is not None
    triage_one(store, claimed, clock=lambda: NOW)
    return case_id


def told(store: Store, case_id: int, *, opens_after: float | None = 120) -> int:
    """Fay wrote the report and, where she opens her page at all, opens it so many seconds on."""
    with store.writing() as connection:
        note_author(connection, case_id, 1, "fay")
    if opens_after is not None:
        look = AuditEntry(
            at=after(opens_after), actor=person("fay").actor, action=AuditAction.SAW, what=OWN_REPORTS
        )
        record_acts(store, [look])
    return case_id


@pytest.fixture
def people(sqlite_store: Store) -> Store:
    """A store in which the author and a reader whose name is in a text have accounts."""
    add(sqlite_store, "fay", Role.FIRST_READER, display_name="Fay Fowler")
    add(sqlite_store, "ada", display_name="Ada Novakova")
    add(sqlite_store, "bob")
    return sqlite_store


def run(store: Store, *words: str) -> int:
    return main(["peer-learning", *words, "--data-folder", str(store.settings.data_folder)])


def listed(store: Store, path: Path, *more: str) -> list[dict[str, str]]:
    assert (
        run(store, "list", "--since", "2026-03-01", "--until", "2026-03-02", "--out", str(path), *more) == 0
    )
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def went_through(path: Path, rows: list[dict[str, str]], **cells: str) -> None:
    """Write the table as a person left it: these cells in every row."""
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        table.writerows(row | cells for row in rows)


def test_a_meeting_shows_the_case_and_names_nobody(people: Store, tmp_path: Path) -> None:
    case_id = told(people, named_case(people))
    judge(people, case_id, TAUGHT, sender())
    path, out = tmp_path / "march.csv", tmp_path / "march"
    rows = listed(people, path, "--with-reports")
    assert [(row["case"], row["told"], row["take"]) for row in rows] == [
        (str(case_id), Telling.OPENED.words, "")
    ]
    assert "Possible miss: Lung mass" in rows[0]["findings"]
    went_through(path, rows, take="yes")

    assert run(people, "export", str(path), "--title", "March", "--out", str(out)) == 0

    page = (out / "meeting.html").read_text(encoding="utf-8")
    assert "look behind the heart" in page
    assert "No mass is seen." in page
    assert "2a" not in re.sub(r"data:[^\"]*|sha256-[^']*|[0-9A-F]{12}", "", page)  # no score
    names = (PATIENT, "Novakova", "Fowler", "4711", "ACC1234", "2026-01-10", "2026-02-11")
    for file in (item for item in out.rglob("*") if item.is_file()):
        content = file.read_bytes()
        assert not [name for name in names if name.encode() in content], file
    assert not re.search(r"(src|href)=\"(?!data:|#)", page)
    assert "<script" not in page
    assert "default-src 'none'" in page
    (folder,) = (out / "images").iterdir()
    assert [dcmread(item).PatientName for item in sorted(folder.glob("*.dcm"))] == [
        dcmread(folder / "1.dcm").PatientID
    ] * 2
    plain, marked = (Image.open(folder / f"{number}.png") for number in (1, 2))
    assert plain.size == marked.size
    with (out / "cases.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["case"], row["images"]) == (folder.name, "2")


def test_who_has_not_been_told_stays_out_unless_a_person_says_otherwise(
    people: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case_id = told(people, named_case(people), opens_after=None)
    judge(people, case_id, TAUGHT, sender())
    path = tmp_path / "list.csv"
    rows = listed(people, path)
    assert (rows[0]["told"], rows[0]["take"]) == (Telling.WAITING.words, "no")

    went_through(path, rows, take="yes")
    assert run(people, "export", str(path), "--out", str(tmp_path / "one")) == 1
    assert f"case {case_id} stays out: its author has not been told" in capsys.readouterr().err
    assert list((tmp_path / "one").rglob("*.dcm")) == []

    assert run(people, "export", str(path), "--with-untold", "--out", str(tmp_path / "two")) == 0
    assert "has not been told yet" in (tmp_path / "two" / "meeting.html").read_text(encoding="utf-8")

    went_through(path, rows, take="yes", told_otherwise="yes")
    assert run(people, "export", str(path), "--out", str(tmp_path / "three")) == 0
    page = (tmp_path / "three" / "meeting.html").read_text(encoding="utf-8")
    assert "has not been told yet" not in page


@pytest.mark.parametrize(
    ("elements", "why"),
    [
        ({"BurnedInAnnotation": "YES"}, "image 2: it says that text is burnt into its pixels"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "image 2: a secondary capture often has text"),
        ({"ImageComments": f"{PATIENT} moved", "DerivationDescription": "x"}, None),  # the profile removes it
    ],
)
def test_a_case_that_deidentification_refuses_in_part_stays_out_as_a_whole(
    people: Store,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    elements: dict[str, str],
    why: str | None,
) -> None:
    case_id = told(people, named_case(people, **elements))
    judge(people, case_id, TAUGHT, sender())
    path, out = tmp_path / "list.csv", tmp_path / "meeting"
    went_through(path, listed(people, path), take="yes")
    assert run(people, "export", str(path), "--out", str(out)) == (1 if why else 0)
    said = capsys.readouterr()
    assert why is None or f"case {case_id} stays out: {why}" in said.err
    assert len(list(out.rglob("*.dcm"))) == (0 if why else 2)
    assert "look at every picture" in said.out


def test_nothing_leaves_that_nobody_said_yes_to_and_what_left_is_recorded(
    people: Store, tmp_path: Path
) -> None:
    first, second = (told(people, named_case(people, number)) for number in (1, 2))
    for number, case_id in enumerate((first, second)):
        judge(people, case_id, TAUGHT, sender(submission=str(number)))
    path, out = tmp_path / "list.csv", tmp_path / "meeting"
    rows = listed(people, path)
    rows[1]["take"] = "yes"
    went_through(path, rows)
    assert run(people, "export", str(path), "--out", str(out)) == 0
    assert len(list((out / "images").iterdir())) == 1
    acts = [item.entry for item in find_entries(people, TrailFilter()) if item.entry]
    left = [act.subject for act in acts if act.what == "overread peer-learning export"]
    assert left == [f"case {second}"]
    assert [act.subject for act in acts if act.what == "overread peer-learning list"] == [
        f"case {first}",
        f"case {second}",
    ]


def test_what_a_person_corrected_leaves_and_is_cleaned_once_more(people: Store, tmp_path: Path) -> None:
    case_id = told(people, named_case(people))
    judge(people, case_id, TAUGHT, sender())
    path, out = tmp_path / "list.csv", tmp_path / "meeting"
    went_through(
        path, listed(people, path), take="yes", learning_point=f"Compare both sides, {PATIENT}.", comment=""
    )
    assert run(people, "export", str(path), "--out", str(out)) == 0
    page = (out / "meeting.html").read_text(encoding="utf-8")
    assert "Compare both sides, [removed]." in page
    assert "behind the heart" not in page


def test_a_judgement_that_was_taken_back_since_stays_out(
    people: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case_id = told(people, named_case(people))
    recorded = judge(people, case_id, TAUGHT, sender())
    path = tmp_path / "list.csv"
    went_through(path, listed(people, path), take="yes")
    undo(people, case_id, recorded.read_id, sender(submission="u"))
    assert run(people, "export", str(path), "--out", str(tmp_path / "meeting")) == 1
    assert "no judgement of it counts any more" in capsys.readouterr().err


def test_cases_of_the_period_with_something_to_learn_are_candidates(store: Store) -> None:
    learned, rejected, taught, late = (seen_case(store, number) for number in range(1, 5))
    judge(store, learned, CONFIRMED, sender(submission="1"))
    judge(store, rejected, REJECTED, sender(submission="2"))
    judge(store, taught, replace(REJECTED, learning_point="An artefact of motion."), sender(submission="3"))
    judge(store, late, CONFIRMED, sender(submission="4", seconds=3600))
    found = list(candidates(store, PERIOD))
    assert [item.case_id for item in found] == [learned, taught]
    assert [item.telling for item in found] == [Telling.NOT_MEANT, Telling.NOT_MEANT]


@pytest.mark.parametrize(
    ("author", "opens_after", "telling"),
    [
        ("fay", 120, Telling.OPENED),
        ("fay", 30, Telling.WAITING),  # before it was judged
        ("fay", None, Telling.WAITING),
        ("ada", None, Telling.NOT_REACHED),  # has no role of a first reader
    ],
)
def test_an_author_is_told_once_they_opened_their_page_after_the_judgement(
    store: Store, author: str, opens_after: float | None, telling: Telling
) -> None:
    add(store, "fay", Role.FIRST_READER)
    add(store, "ada")
    case_id = seen_case(store)
    if author == "fay":
        told(store, case_id, opens_after=opens_after)
    judge(store, case_id, TAUGHT, sender("bob"))
    (found,) = candidates(store, PERIOD)
    assert found.telling is telling
    assert found.telling.is_told == (telling is Telling.OPENED)


def test_an_author_who_opens_the_page_has_been_told(sqlite_store: Store) -> None:
    add(sqlite_store, "fay", Role.FIRST_READER)
    case_id = told(sqlite_store, seen_case(sqlite_store), opens_after=None)
    judge(sqlite_store, case_id, TAUGHT, sender())
    with desk_on(sqlite_store) as desk:
        desk.clock.now = after(120)
        with desk.signed_in("fay") as browser:
            assert "Learning point" in browser.get("/own-reports").text
    (found,) = candidates(sqlite_store, PERIOD)
    assert found.telling is Telling.OPENED


def test_counts_are_of_the_period_and_name_nobody(store: Store) -> None:
    add(store, "ada")
    add(store, "bob")
    add(store, "fay", Role.FIRST_READER)
    asked = replace(CONFIRMED, asks_for_addendum=True)
    plan: list[tuple[str, Judgement]] = [
        ("ada", asked),
        ("ada", asked),
        ("bob", replace(CONFIRMED, learning_point="")),
        ("ada", REJECTED),
    ]
    for number, (name, judgement) in enumerate(plan, start=1):
        judge(store, seen_case(store, number), judgement, sender(name, str(number)))
    told(store, 1)
    send_report(store, "There is a mass.", status=ReportStatus.ADDENDUM, now=after(900))
    counts = {item.what: (item.number, item.of) for item in counts_of(store, PERIOD, target=2)}
    assert counts == {
        "cases judged (submissions)": (4, None),
        "second readers who judged (participants)": (2, 2),
        "of these, with 2 cases or more": (1, 2),
        "learning opportunities (confirmed, or a learning point)": (3, 4),
        "learning opportunities with a learning point": (2, 3),
        "learning opportunities meant for the author of the report": (2, 3),
        "of these, opened by the author": (1, 2),
        "addenda asked for": (2, 3),
        "of these, arrived": (1, 2),
    }


def test_the_counts_of_the_list_stand_on_the_page(people: Store, tmp_path: Path) -> None:
    case_id = told(people, named_case(people))
    judge(people, case_id, replace(TAUGHT, radpeer=Radpeer.CONCUR), sender())
    path, out = tmp_path / "list.csv", tmp_path / "meeting"
    went_through(path, listed(people, path, "--target", "1"), take="yes")
    assert run(people, "export", str(path), "--out", str(out)) == 0
    page = (out / "meeting.html").read_text(encoding="utf-8")
    assert "second readers who judged (participants)</th><td>1</td><td>of 2</td>" in page
    assert "of these, with 1 cases or more</th><td>1</td><td>of 1</td>" in page


def test_what_is_wrong_with_the_table_is_said(people: Store, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    listed(people, path)
    assert run(people, "list", "--since", "2026-03-01", "--out", str(path)) == 1  # it is there already
    went_through(path, [dict.fromkeys(COLUMNS, "") | {"case": "1", "take": "perhaps"}])
    with pytest.raises(InvalidFileError, match="line 2"):
        read_list(path)
    path.write_text("case,take\n1,yes\n")
    with pytest.raises(InvalidFileError, match="is missing"):
        read_list(path)
