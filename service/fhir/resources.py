"""Elements of FHIR resources that are read, R4 (4.0.1), R4B and R5 (5.0.0) alike; all else is passed over."""

from datetime import datetime
from functools import partial
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Tag,
    TypeAdapter,
    ValidationError,
)
from pydantic.alias_generators import to_camel

from overread.errors import InvalidReportError, UnsupportedMessageError
from service.intake.issued import read_iso_time

VALUES_MAX = 200_000  # JSON values in one document
_PROBLEMS_SHOWN = 10


class MalformedResourceError(InvalidReportError):
    """The body is not JSON, or not of the shape that FHIR gives its resources."""


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True)


class Coding(_Part):
    """A code of a code system."""

    system: str | None = None
    code: str | None = None
    display: str | None = None


class CodeableConcept(_Part):
    """A concept, by codes or in words."""

    coding: tuple[Coding, ...] = ()
    text: str | None = None


class Identifier(_Part):
    """A business identifier."""

    system: str | None = None
    value: str | None = None
    type: CodeableConcept = CodeableConcept()


class Reference(_Part):
    """A reference, literal or by the identifier of what is meant."""

    reference: str | None = None
    type: str | None = None  # of the resource that is meant
    identifier: Identifier | None = None
    display: str | None = None


class Attachment(_Part):
    """A document within a resource, or where it is."""

    content_type: str | None = None
    language: str | None = None
    data: str | None = None  # base64
    url: str | None = None
    hash: str | None = None  # SHA-1 of the document, base64


class Narrative(_Part):
    """The resource as XHTML for people."""

    div: str = ""


class Meta(_Part):
    """What the server knows of a resource."""

    last_updated: Annotated[
        datetime | None, BeforeValidator(partial(read_iso_time, field="meta.lastUpdated"))
    ] = None


class Resource(_Part):
    """Elements that every resource has."""

    resource_type: str
    id: str | None = None
    contained: tuple["Referenced", ...] = ()


class Other(Resource):
    """A resource of which nothing is read."""


class Patient(Resource):
    """A person."""

    identifier: tuple[Identifier, ...] = ()


class Organization(Resource):
    """A hospital, or a part of one."""

    name: str | None = None


class ServiceRequest(Resource):
    """An order."""

    identifier: tuple[Identifier, ...] = ()


class ImagingStudy(Resource):
    """A DICOM study."""

    identifier: tuple[Identifier, ...] = ()
    based_on: tuple[Reference, ...] = ()


class Observation(Resource):
    """A part of the result."""

    status: str | None = None
    code: CodeableConcept = CodeableConcept()
    value_string: str | None = None


class Binary(Resource):
    """A document."""

    content_type: str | None = None
    data: str | None = None  # base64


class DocumentContent(_Part):
    """A form of a document."""

    attachment: Attachment = Attachment()


class DocumentReference(Resource):
    """A document with its description."""

    content: tuple[DocumentContent, ...] = ()


class DiagnosticReport(Resource):
    """A report."""

    status: str
    identifier: tuple[Identifier, ...] = ()
    based_on: tuple[Reference, ...] = ()
    subject: Reference = Reference()
    imaging_study: tuple[Reference, ...] = ()  # R4
    study: tuple[Reference, ...] = ()  # R5
    performer: tuple[Reference, ...] = ()
    results_interpreter: tuple[Reference, ...] = ()
    result: tuple[Reference, ...] = ()
    issued: Annotated[datetime | None, BeforeValidator(partial(read_iso_time, field="issued"))] = None
    meta: Annotated[Meta, BeforeValidator(lambda value: value if isinstance(value, dict) else {})] = Meta()
    presented_form: tuple[Attachment, ...] = ()
    conclusion: str | None = None
    text: Narrative = Narrative()


_READ = (
    Organization,
    Patient,
    ServiceRequest,
    ImagingStudy,
    Observation,
    Binary,
    DocumentReference,
    DiagnosticReport,
)
_NAMES = frozenset(kind.__name__ for kind in _READ)


def _name_of(value: Any) -> str:
    name = value.get("resourceType") if isinstance(value, dict) else getattr(value, "resource_type", None)
    return name if isinstance(name, str) and name in _NAMES else "Other"


Referenced = Annotated[
    Annotated[Organization, Tag("Organization")]
    | Annotated[Patient, Tag("Patient")]
    | Annotated[ServiceRequest, Tag("ServiceRequest")]
    | Annotated[ImagingStudy, Tag("ImagingStudy")]
    | Annotated[Observation, Tag("Observation")]
    | Annotated[Binary, Tag("Binary")]
    | Annotated[DocumentReference, Tag("DocumentReference")]
    | Annotated[DiagnosticReport, Tag("DiagnosticReport")]
    | Annotated[Other, Tag("Other")],
    Discriminator(_name_of),
]


class Request(_Part):
    """Request of an entry of a transaction or batch."""

    method: str = ""
    url: str = ""


class Entry(_Part):
    """One resource of a bundle."""

    full_url: str = ""
    resource: Referenced | None = None
    request: Request | None = None


class Bundle(_Part):
    """Several resources together."""

    resource_type: str
    type: str
    entry: tuple[Entry, ...] = ()


for _kind in (Resource, Other, *_READ, Entry, Bundle):
    _kind.model_rebuild()

_DOCUMENT: TypeAdapter[DiagnosticReport | Bundle] = TypeAdapter(
    Annotated[
        Annotated[DiagnosticReport, Tag("DiagnosticReport")] | Annotated[Bundle, Tag("Bundle")],
        Discriminator(lambda value: value.get("resourceType") if isinstance(value, dict) else None),
    ]
)


def parse_resource(content: bytes) -> DiagnosticReport | Bundle:
    """Return the resource that a body holds.

    Raises:
        UnsupportedMessageError: it is neither a DiagnosticReport nor a Bundle, or no JSON, and so no report.
        MalformedResourceError: it is one of them, but not of its shape; or has far too many values.
    """
    if sum(map(content.count, (b",", b"[", b"{"))) > VALUES_MAX:
        raise MalformedResourceError(
            f"the document has more than {VALUES_MAX} values; send fewer reports at once"
        )
    try:
        return _DOCUMENT.validate_json(content)
    except ValidationError as error:
        problems = error.errors(include_input=False, include_context=False, include_url=False)
    if problems[0]["type"] == "json_invalid":
        raise UnsupportedMessageError("the body is not JSON, or nested too deep")
    if problems[0]["type"].startswith("union_tag"):
        raise UnsupportedMessageError("only a DiagnosticReport or a Bundle with one is taken")
    places = "; ".join(
        f"{_place(problem['loc'])}: {problem['msg']}" for problem in problems[:_PROBLEMS_SHOWN]
    )
    raise MalformedResourceError(f"not the shape of its resource: {places}")


def _place(location: tuple[int | str, ...]) -> str:
    """Return a place as FHIRPath writes it; the names of resources within it are pydantic's alone."""
    steps = [location[0], *(step for step in location[1:] if step not in {*_NAMES, "Other"})]
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")
