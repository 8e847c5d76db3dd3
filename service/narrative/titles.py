"""Titles that tell reports of an imaging study from other documents, such as a consent form or dose sheet."""

import re
from collections.abc import Collection

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

_BREAST_IMAGING_REPORT = codes.DCM.BreastImagingReport
_WORDS = re.compile(r"[a-z0-9]+")
_SAYS_REPORT = frozenset({"report", "reports"})
# What else may stand in a title in words. A word outside this list, such as "dose", "CAD" or "consent", makes
# the document another kind of thing.
_MAY_STAND_BESIDE = frozenset(
    (
        *("addendum", "amended", "corrected", "final", "preliminary", "revised", "signed", "verified"),
        *("diagnostic", "imaging", "medical", "radiological", "radiologist", "radiologists", "radiology"),
        *("exam", "examination", "image", "narrative", "result", "results", "s", "scan", "study", "text"),
        *("cr", "ct", "cta", "dx", "mammography", "mr", "mra", "mri", "nm", "pet", "us", "ultrasound"),
        *("film", "plain", "radiograph", "radiography", "ray", "x", "xr", "xray"),
        *("abdomen", "brain", "breast", "chest", "head", "knee", "neck", "pelvis", "spine", "thorax"),
        *("a", "an", "and", "for", "of", "on", "the", "with", "without"),
    )
)


def _report_titles() -> frozenset[tuple[str, str]]:
    """Return the codes of CID 7000, but for the ultrasound procedures of DCM, which are measurements."""
    titles = codes.cid7000
    listed = (getattr(titles, name) for name in titles.dir())
    narrative = (code for code in listed if code.scheme_designator != "DCM")
    return frozenset((code.scheme_designator, code.value) for code in (*narrative, _BREAST_IMAGING_REPORT))


_TITLES = _report_titles()


def is_report_title(code: Code | None, words: str = "", *, further: Collection[str] = ()) -> bool:
    """Whether a title is that of a report: by its code (PS3.16 CID 7000), else by its words.

    Args:
        code: the concept of the title; None where there is none.
        words: the title in words, where it has no code that says so.
        further: titles of the site's own, in words or as scheme:value, in either case of the letters.
    """
    said = {words.strip().lower()}
    if code is not None:
        said |= {code.meaning.lower(), f"{code.scheme_designator}:{code.value}".lower()}
    if said & {title.lower() for title in further}:
        return True
    if code is not None and (code.scheme_designator, code.value) in _TITLES:
        return True
    if code is not None and code.scheme_designator == "DCM":
        return False
    title = set(_WORDS.findall((words or (code.meaning if code else "")).lower()))
    return bool(title & _SAYS_REPORT) and title <= _SAYS_REPORT | _MAY_STAND_BESIDE
