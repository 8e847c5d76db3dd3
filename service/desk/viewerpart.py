"""What the viewer on the case page is given beside the image that it begins with."""

from collections.abc import Sequence
from dataclasses import dataclass

from overread.comparison import days_between
from overread.discrepancy import Discrepancy
from service.desk.marks import MarkLine, mark_lines
from service.desk.viewerkeys import VIEWER_KEYS, ViewerKey
from service.store.prior_studies import PriorStudy
from service.store.records import CaseDetail
from service.web.settings import WebSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorChoice:
    """An earlier study to look at beside this one."""

    case_id: int
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewerPart:
    """The viewer."""

    marks: tuple[MarkLine, ...]
    priors: tuple[PriorChoice, ...]  # those of the same modality first, the latest of them first
    next_case: int | None  # fetched while this one is read
    ohif_address: str | None = None  # of the study in OHIF; None where that is not installed
    keys: tuple[ViewerKey, ...] = VIEWER_KEYS


def viewer_part(
    detail: CaseDetail, chosen: Discrepancy | None, priors: Sequence[PriorStudy], *, next_case: int | None
) -> ViewerPart:
    """Return the marks of the chosen discrepancy, and the earlier studies of the patient."""
    modality = detail.study.modality if detail.study else None
    ordered = sorted(priors, key=lambda prior: prior.modality != modality)
    date = detail.study.study_date if detail.study else None
    return ViewerPart(
        marks=mark_lines(detail, chosen),
        priors=tuple(PriorChoice(case_id=prior.case_id, words=_words(prior, date)) for prior in ordered),
        next_case=next_case,
    )


def ohif_address(web: WebSettings, detail: CaseDetail) -> str | None:
    """Return where OHIF shows the study of a case, None where there is none or OHIF is not installed."""
    study = detail.summary.study_instance_uid
    if web.ohif_folder is None or study is None or not detail.instances:
        return None
    base = (web.dicomweb_url or web.stow_address).rstrip("/")
    return f"{base}/ohif/viewer?StudyInstanceUIDs={study}"


def _words(prior: PriorStudy, date: str | None) -> str:
    day = prior.study_date
    parts = [f"{day[:4]}-{day[4:6]}-{day[6:]}", prior.modality, prior.description]
    days = days_between(day, date) if date else None
    if days is not None:
        parts.append(f"{round(days)} days before")
    return " · ".join(part for part in parts if part)
