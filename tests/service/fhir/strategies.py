"""FHIR documents made by hypothesis: of the right shape, nearly so, and not at all."""

from typing import Any

from hypothesis import strategies as st

from service.fhir.report import STATUSES as STATUS_TABLE
from tests.service.fhir.documents import TABLE_0203, attachment, dicom_uid, identifier, report, whole_bundle
from tests.service.narrative.pdfs import pdf_of

Json = dict[str, Any]
IDS = st.sampled_from(["p1", "o1", "s1", "r1", "b1", "x"])
WORDS = st.sampled_from(
    ["A1", "A2", "P1", "", " ", "A" * 65, "\x00", "\ud83d\ude00", "..", "2.25.1"]
) | st.text(max_size=20)
TYPES = st.sampled_from(["ACSN", "MR", "PI", "PLAC", "", None])
CONTENT_TYPES = st.sampled_from(
    [
        *("text/plain", "text/plain; charset=utf-16", "TEXT/HTML", "text/xml", "", "x;charset=\x01", ";;"),
        *("text/plain",) * 8,
        "application/pdf",  # one of sixteen: each is read in a process of its own
    ]
)
CONTENTS = st.sampled_from(
    [
        b"FINDINGS: No mass.",
        b"",
        b"\xff\xfe\x00",
        b"%PDF-1.7",
        pdf_of(),
        b"<p>Normal.",
        b"<ClinicalDocument/>",
    ]
) | st.binary(max_size=40)
TEXTS = st.text(min_size=1).map(lambda text: f"FINDINGS: {text}".encode("utf-8", "replace"))
STATUSES = st.sampled_from([*STATUS_TABLE] * 3 + ["cancelled", "entered-in-error", "unknown", "", "FINAL"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=5,
)


def some(**parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """An object with some of these members."""
    return st.fixed_dictionaries({}, optional=parts)


CODINGS = some(system=st.sampled_from([TABLE_0203, "http://example.org"]), code=TYPES.filter(bool))
ACCESSIONS = st.integers(0, 999).map("A{}".format)
IDENTIFIERS = some(
    system=st.sampled_from(["urn:dicom:uid", "http://example.org"]),
    value=WORDS | st.just("urn:oid:2.25.1"),
    type=some(coding=st.lists(CODINGS, max_size=2)),
) | st.just(dicom_uid("2.25.1"))
REFERENCES = some(
    reference=st.builds(
        "{}/{}".format, st.sampled_from(["Patient", "ServiceRequest", "ImagingStudy", "Binary"]), IDS
    )
    | IDS.map("#{}".format)
    | WORDS,
    identifier=IDENTIFIERS,
)
ATTACHMENTS = (
    st.builds(attachment, TEXTS)
    | st.builds(attachment, CONTENTS, CONTENT_TYPES)
    | some(
        contentType=CONTENT_TYPES,
        data=WORDS,
        url=IDS.map("Binary/{}".format) | WORDS,
        hash=WORDS,
        language=WORDS,
    )
)


def resources(depth: int = 1) -> st.SearchStrategy[Json]:
    """One resource that a report may need, or is."""
    contained = st.lists(resources(depth - 1), max_size=2) if depth else st.just([])

    def of(kind: str, **parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
        given = {"resourceType": st.just(kind), "id": IDS, "contained": contained}
        return st.fixed_dictionaries(given, optional=parts)

    identified = {"identifier": st.lists(IDENTIFIERS, max_size=2)}
    return st.one_of(
        of("Patient", **identified),
        of("ServiceRequest", **identified),
        of("ImagingStudy", **identified, basedOn=st.lists(REFERENCES, max_size=2)),
        of("Observation", status=STATUSES, valueString=WORDS, code=some(text=WORDS)),
        of("Binary", contentType=CONTENT_TYPES, data=WORDS),
        of("DocumentReference", content=st.lists(some(attachment=ATTACHMENTS), max_size=2)),
        of("Practitioner", name=ANYTHING),
        reports(contained),
    )


def reports(contained: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """A report."""
    references = st.lists(REFERENCES, max_size=3)
    return st.fixed_dictionaries(
        {"resourceType": st.just("DiagnosticReport"), "id": IDS, "status": STATUSES, "contained": contained},
        optional={
            "identifier": st.lists(IDENTIFIERS, max_size=2)
            | ACCESSIONS.map(lambda number: [identifier(number, "ACSN")]),
            "basedOn": references,
            "imagingStudy": references,
            "study": references,
            "result": references,
            "subject": REFERENCES,
            "presentedForm": st.lists(ATTACHMENTS, max_size=2),
            "conclusion": WORDS,
            "text": some(div=WORDS.map("<div><p>{}</div>".format)),
        },
    )


BUNDLES = st.fixed_dictionaries(
    {
        "resourceType": st.just("Bundle"),
        "type": st.sampled_from(["transaction", "batch", "collection", "message", "searchset", ""]),
    },
    optional={
        "entry": st.lists(
            some(
                fullUrl=st.builds(
                    "http://example.org/{}/{}".format, st.sampled_from(["Patient", "Binary"]), IDS
                )
                | WORDS,
                resource=resources(),
                request=some(method=st.sampled_from(["POST", "PUT", "DELETE", "GET"]), url=WORDS),
            ),
            max_size=5,
        )
    },
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place within a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, child in inner for place in _places(child, (*path, key)))]


@st.composite
def spoilt(draw: st.DrawFn) -> Any:
    """A whole document, one to three places of which hold something else."""
    document = draw(
        st.sampled_from(["transaction", "batch", "collection"]).map(whole_bundle) | st.builds(report)
    )
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(_places(document)))
        if not place:
            return draw(ANYTHING)
        holder = document
        for step in place[:-1]:
            holder = holder[step]
        holder[place[-1]] = draw(ANYTHING)
    return document


DOCUMENTS = st.one_of(BUNDLES, reports(st.lists(resources(0), max_size=2)), spoilt(), ANYTHING)
"""Anything that a sender may post."""
