"""Fills a store with every kind of row that this release writes, and writes it down for later ones to open.

    python -m tests.service.store.releases.filling tests/service/store/releases/0007.json

That is done once per revision of the tables, before the revision is replaced; the file is never made again.
"""

import base64
import json
import sys
import tempfile
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from overread.actor import Actor, ActorKind
from overread.audit_sample import AuditStratum
from overread.errors import InputError
from overread.finding import Actionable
from overread.priority import shipped_policy_text
from overread.second_read import Judgement, OwnRead, Radpeer, StatedFinding
from service.adjudication.reads import Sender, judge, note_opened, undo
from service.hl7.settings import Hl7Settings
from service.importing.tally import ImportOutcome
from service.intake.closing import close_study
from service.quarantine.replay import replay_entry
from service.security.identity import Identity, Means
from service.security.lockout import Attempt
from service.security.roles import Role, Scope
from service.security.sessions import Lifetime, Origin, begin_session
from service.security.settings import SecuritySettings
from service.security.tokens import make_token
from service.settings import load_settings
from service.store.access_tokens import revoke_token
from service.store.cases import case_for_change
from service.store.commitments import (
    CommitmentRequest,
    ReferencedInstance,
    check_commitment,
    claim_commitment,
    conclude_commitment,
    record_commitment,
)
from service.store.count_tables import case_count_changes, case_counts
from service.store.database import Store, open_store
from service.store.drift import add_look
from service.store.fetches import claim_fetch, conclude_fetch, give_up_fetch, note_missed, note_priors
from service.store.imports import key_of, note_taken
from service.store.migration import newest_revision
from service.store.notices import Cause, Want, Watch, make_notice
from service.store.people import (
    Act,
    NewPerson,
    PersonSource,
    add_person,
    bind_person,
    change_second_factor,
    disable_person,
    use_step,
)
from service.store.policies import activate_policy, follow_shipped_policy
from service.store.quarantine import Correction, discard, list_quarantine
from service.store.queue import (
    claim_case,
    complete_case,
    expire_leases,
    fail_case,
    release_case,
    retry_case,
)
from service.store.records import ClaimedCase, ReportStatus
from service.store.removal import Removal, drop_removed, mark_removed, remove_refused
from service.store.report_authors import note_author
from service.store.schema import metadata
from service.store.second_reads import AuditDraw, ReadAct, add_draw, add_read
from service.store.sessions import ProviderLogout, end_sessions_at_word
from service.store.shadows import ShadowLook, add_shadows
from service.store.worklist import load_case
from service.triage.reconsideration import reorder_list, restore_finding
from tests.service.material import (
    BLACK,
    CLEAR,
    MASS,
    NOW,
    MassDetector,
    after,
    dicom_bytes,
    ready_case,
    send_image,
    send_report,
    triage_one,
    triaged_case,
)
from tests.service.store.releases.whole import (
    FINDING,
    whole_appearance,
    whole_detection,
    whole_look,
    whole_reading,
    whole_result,
)

_HL7 = Hl7Settings()


def fill(store: Store) -> None:
    """Put in every kind of row."""
    follow_shipped_policy(store, actor=Actor.program("overread 0.1.0"), now=NOW)
    _fill_results(store)
    _fill_states(store)
    _fill_reports(store)
    _fill_quarantine(store)
    _fill_errands(store)
    changed = shipped_policy_text().replace('version = "', 'version = "site ', 1)
    activate_policy(store, changed, actor=Actor.unverified("Dr Roe"), now=after(600))
    reorder_list(store, now=after(601), actor=Actor.unverified("Dr Roe"))
    whole = _ready(store, 20)
    _conclude_whole(store, whole, after(700))
    _fill_second_reads(store, whole.lease.case_id)
    watch = Watch(
        destination="notice:pager", cause=Cause.WAITING, wants=(Want(urgencies=frozenset(Actionable)),)
    )
    assert make_notice(store, watch, now=after(10_000))
    assert claim_case(store, worker="host:3:c", now=after(20_000)) is not None
    assert add_look(store, whole_look(), actor=Actor.program("overread drift"))
    assert make_notice(store, Watch(destination="notice:chief", cause=Cause.DRIFT), now=after(10_001)) == 1
    _fill_accounts(store)


def _fill_second_reads(store: Store, case_id: int) -> None:
    """Every act on one listed case, which stands in the list again at the end; its author, and a draw."""
    mass = Judgement(radpeer=Radpeer.UNDERSTANDABLE_INSIGNIFICANT, learning_point="Look behind the heart.")
    severe = replace(mass, radpeer=Radpeer.USUALLY_MADE_SIGNIFICANT, tells_author=True)
    note_opened(store, case_id, _second_reader("ada", "", 701))
    own = OwnRead(findings=(StatedFinding(finding="mass", size_mm=9.0),), comment="left base")
    with store.writing() as connection:
        committed = _second_reader("ada", "own", 702).new(ReadAct.COMMITTED, content=own)
        add_read(connection, case_for_change(connection, case_id), committed)
        drawn = AuditDraw(revision=1, stratum=AuditStratum.NEITHER.value, probability=0.1, is_drawn=False)
        add_draw(connection, case_id, drawn, policy_version="1", now=after(700))
        note_author(connection, case_id, 1, "fay")
    first = judge(store, case_id, severe, _second_reader("ada", "1", 703))
    second = judge(store, case_id, mass, _second_reader("bob", "2", 704))
    undo(store, case_id, second.read_id, _second_reader("bob", "3", 705))
    undo(store, case_id, first.read_id, _second_reader("ada", "4", 706))
    third = judge(store, case_id, mass, _second_reader("ada", "5", 707))
    undo(store, case_id, third.read_id, _second_reader("ada", "6", 708))


def _second_reader(name: str, submission: str, seconds: float) -> Sender:
    actor = Actor(identifier=f"person:{name}", kind=ActorKind.PERSON, display_name=name.title())
    identity = Identity(actor=actor, means=Means.SESSION, roles=frozenset({Role.SECOND_READER}))
    return Sender(identity=identity, submission=submission, revision=1, at=after(seconds))


def _fill_accounts(store: Store) -> None:
    """People of every source, one closed and one bound, sessions, tokens, an attempt and a log-out."""
    by = Act(actor=Actor.account("root"), at=NOW, what="overread users")
    ada, bob, eve = (
        add_person(
            store,
            NewPerson(
                name=name,
                display_name=name.title(),
                roles=("COORDINATOR", "SECOND_READER"),
                source=source,
                subject=None if source is PersonSource.LOCAL else f"{source} {name}",
                password_hash="$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA" if name == "ada" else None,
            ),
            by=by,
        )
        for name, source in zip(("ada", "bob", "eve"), PersonSource, strict=True)
    )
    change_second_factor(store, ada.person_id, "JBSWY3DPEHPK3PXP", by=by)
    assert use_step(store, ada.person_id, 7)
    disable_person(store, bob.person_id, by=by)
    lifetime = Lifetime.of(SecuritySettings())
    begin_session(store, ada, Origin(address="10.1.1.1", what="POST /sign-in"), lifetime, now=NOW)
    bind_person(store, eve.person_id, {"north"}, ("thoracic",), by=by)
    origin = Origin(
        address="10.1.1.1", what="GET /callback", provider_token="an ID token", provider_session="s1"
    )
    begin_session(store, eve, origin, lifetime, now=NOW)
    logout = ProviderLogout(token_sha256="a" * 64, expires_at=after(60), subject=None, session="s2")
    assert end_sessions_at_word(store, logout, now=NOW, entry_of=lambda _: pytest.fail("nobody's")) == 0
    north = frozenset({"north"})
    make_token(store, "viewer", frozenset({Scope.IMAGES_READ}), days=30, by=by, sites=north)
    make_token(store, "ris", frozenset({Scope.REPORTS_WRITE}), days=30, by=by)
    revoke_token(store, "ris", by=by)
    attempt = Attempt(name="ada", address="10.1.1.1")
    assert attempt.count(store, now=NOW) == 0
    attempt.succeed(store, now=NOW)
    assert attempt.count(store, now=NOW) == 0


def _ready(store: Store, number: int, **given: object) -> ClaimedCase:
    case_id = ready_case(store, number, **given)  # type: ignore[arg-type]
    claimed = claim_case(store, worker="host:1:a", now=NOW)
    assert claimed is not None
    assert claimed.lease.case_id == case_id
    return claimed


def _conclude_whole(store: Store, claimed: ClaimedCase, now: datetime) -> None:
    detection = whole_detection(f"{claimed.study_instance_uid}.1.1")
    result = whole_result(detection, claimed.policy.version)
    complete_case(
        store,
        claimed,
        result,
        reading=whole_reading(),
        detections=(detection,),
        appearance=whole_appearance(),
        now=now,
    )


def _fill_results(store: Store) -> None:
    """Cases of every outcome, one of them with looks in shadow, one with a finding that a person restored."""
    listed = _ready(store, 1, site="North")
    triage_one(store, listed, clock=lambda: NOW)
    looks = [
        ShadowLook(
            detector=MassDetector.identity,
            detection=whole_detection("2.25.1.1.1"),
            failure=None,
            seconds=0.25,
        ),
        ShadowLook(detector=MassDetector.identity, detection=None, failure="out of memory", seconds=0.5),
    ]
    add_shadows(store, listed.lease, looks, now=after(1))
    concordant = triaged_case(store, 2, value=BLACK)
    send_image(store, dicom_bytes(study="2.25.3", AccessionNumber="A3", Modality="CT"))
    send_report(store, CLEAR, accession="A3")
    close_study(store, "2.25.3", now=NOW)
    other = claim_case(store, worker="host:1:a", now=NOW)
    assert other is not None
    triage_one(store, other, clock=lambda: NOW)
    _conclude_whole(store, _ready(store, 4), after(2))
    restored = _ready(store, 5)
    _conclude_whole(store, restored, after(2))
    restore_finding(
        store, restored.lease.case_id, FINDING, actor=Actor.unverified("page 10.0.0.5"), now=after(90)
    )
    uid = "2.25.2.1.1"
    state = load_case(store, concordant).summary.state
    assert mark_removed(store, "2.25.2", [uid], Removal(at=after(300), why="older than 90 days", state=state))
    drop_removed(store, uid)


def _fill_states(store: Store) -> None:
    """Cases in every state that is no outcome, and every event on the way."""
    fail_case(store, _ready(store, 6).lease, "the pixels are broken", now=after(1))
    again = _ready(store, 7).lease
    fail_case(store, again, "the pixels are broken", now=after(1))
    retry_case(store, again.case_id, actor=Actor.unverified("HTTP 10.0.0.5"), now=after(2))
    given_back = claim_case(store, worker="host:2:b", now=after(3))
    assert given_back is not None
    release_case(store, given_back.lease, "the worker stops", now=after(4), failed=False)
    hung = claim_case(store, worker="host:2:b", now=after(5))
    assert hung is not None
    assert expire_leases(store, now=after(10_000)) == 1
    send_image(store, dicom_bytes(study="2.25.8", AccessionNumber="A8"))
    close_study(store, "2.25.8", now=after(6))
    send_report(store, MASS, accession="A9", patient=None, now=after(6))
    send_image(store, dicom_bytes(study="2.25.12", AccessionNumber="A12"))
    close_study(store, "2.25.12", now=after(6))
    send_report(store, MASS, accession="A12", now=after(7))
    send_image(store, dicom_bytes(study="2.25.10", AccessionNumber="A10"))
    send_report(store, MASS, status=ReportStatus.PRELIMINARY, accession="A10")
    close_study(store, "2.25.10", now=after(6))


def _fill_reports(store: Store) -> None:
    """A triaged case whose report came in every status, and that a further image sent back to triage."""
    send_report(store, CLEAR, status=ReportStatus.PRELIMINARY, accession="A11")
    case_id = triaged_case(store, 11)
    for seconds, status in ((10, ReportStatus.CORRECTED), (15, ReportStatus.ADDENDUM)):
        given = {"status": status, "issued": after(seconds), "now": after(20)}
        send_report(store, f"{MASS} {status}", accession="A11", **given)  # type: ignore[arg-type]
    again = send_report(
        store,
        f"{MASS} CORRECTED",
        status=ReportStatus.CORRECTED,
        accession="A11",
        issued=after(12),
        now=after(25),
    )
    assert again.version == 3
    send_image(store, dicom_bytes(study="2.25.11", number=2, AccessionNumber="A11"), now=after(30))
    close_study(store, "2.25.11", now=after(40))
    assert len(load_case(store, case_id).reports) == 4


def _fill_quarantine(store: Store) -> None:
    """Entries in every state, with every action, one without its bytes."""
    numbers = [_refused_image(store, b"no DICOM"), _refused_report(store, "")]
    texts = ("Nothing of note.", "Of no use.", "A duplicate.")
    numbers += [_refused_report(store, text, accession=None, patient="P9") for text in texts]
    waiting, _, corrected, discarded, removed = numbers
    replay_entry(store, waiting, actor=Actor.unverified("Dr Roe"), now=after(60), hl7=_HL7)
    correction = Correction(
        accession_number="A9",
        study_instance_uid="2.25.9",
        patient_id="",
        charset="cp1252",
        status=ReportStatus.FINAL,
        accepts=True,
    )
    replay_entry(
        store,
        corrected,
        actor=Actor.unverified("Dr Roe (page 10.0.0.5)"),
        now=after(60),
        hl7=_HL7,
        correction=correction,
    )
    for number in (discarded, removed):
        discard(store, number, actor=Actor.unverified("jane"), because="a test message", now=after(61))
    entry = next(entry for entry in list_quarantine(store) if entry.quarantine_id == removed)
    assert remove_refused(store, removed, entry.sha256, Removal(at=after(300), why="older than 30 days"))


def _refused_image(store: Store, content: bytes) -> int:
    try:
        send_image(store, content)
    except InputError:
        return list_quarantine(store, limit=1)[0].quarantine_id
    raise AssertionError("it was not refused")


def _refused_report(store: Store, text: str, **given: object) -> int:
    try:
        send_report(store, text, **given)  # type: ignore[arg-type]
    except InputError:
        return list_quarantine(store, limit=1)[0].quarantine_id
    raise AssertionError("it was not refused")


def _fill_errands(store: Store) -> None:
    """What was imported, what storage commitment promised, and what is fetched from the PACS."""
    note_taken(store, {key_of(item.value): item for item in ImportOutcome}, now=NOW)
    for number in (1, 2):
        request = CommitmentRequest(
            transaction_uid=f"2.25.77.{number}",
            requestor="MODALITY",
            called="OVERREAD",
            instances=(
                ReferencedInstance(
                    sop_class_uid="1.2.840.10008.5.1.4.1.1.1.1", sop_instance_uid="2.25.1.1.1"
                ),
                ReferencedInstance(
                    sop_class_uid="1.2.840.10008.5.1.4.1.1.1.1", sop_instance_uid="2.25.9.9.9"
                ),
            ),
        )
        record_commitment(store, request, due_at=NOW, now=NOW)
    reported = claim_commitment(store, now=after(1))
    assert reported is not None
    conclude_commitment(store, reported, check_commitment(store, reported.request), now=after(2))
    assert note_missed(store, before=after(10_000), now=NOW)
    note_priors(store, ["2.25.500", "2.25.501"], now=NOW)
    done, lost = claim_fetch(store, now=after(1)), claim_fetch(store, now=after(1))
    assert done is not None
    assert lost is not None
    conclude_fetch(store, done, "3 images", now=after(2))
    give_up_fetch(store, lost, "the PACS knows no such study", now=after(2))


_KEPT = (case_counts, case_count_changes)


def written_down(store: Store) -> dict[str, object]:
    """Return revision, rows and files of a store, as JSON can hold them."""
    with store.reading() as connection:
        tables = {
            table.name: [
                {key: _plain(value) for key, value in row._mapping.items()}
                for row in connection.execute(select(table).order_by(*table.primary_key.columns))
            ]
            for table in metadata.sorted_tables
            if table not in _KEPT  # the database counts again what is laid down
        }
    folder = store.settings.data_folder
    files = {
        str(path.relative_to(folder)): base64.b64encode(path.read_bytes()).decode()
        for part in ("objects", "quarantine")
        for path in sorted((folder / part).rglob("*"))
        if path.is_file()
    }
    return {"revision": newest_revision(), "tables": tables, "files": files}


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


def main(target: Path) -> None:
    """Write the file."""
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings({"OVERREAD_FREE_BYTES_MIN": "0"}, data_folder=Path(folder))
        store = open_store(settings)
        fill(store)
        text = json.dumps(written_down(store), indent=1)
        store.close()
    target.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
