"""De-identification of report texts: known identifiers, dates, numbers and addresses are taken out.

Free text cannot be cleaned with certainty: a name that nobody told, such as that of a colleague or a place,
stays. Who hands texts on reads them first.
"""

import re

from service.deidentification.objects import Known

REMOVED = "[removed]"
_MONTHS = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    "sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
)
_DAY = "[0-9]{1,2}(?:st|nd|rd|th)?"
_TITLE = r"(?:(?:Dr|Prof|Mr|Mrs|Ms)\.?|DR\.|PROF\.|MR\.|MRS\.|MS\.)"  # MR, DR: modalities; MS: a disease
_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\b[0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}\b",
        r"\b[0-9]{1,2}[-/.][0-9]{1,2}[-/.](?:[0-9]{4}|[0-9]{2})\b",
        rf"\b(?:{_DAY}\s+(?:of\s+)?)?(?:{_MONTHS})\.?,?\s+(?:{_DAY},?\s+)?(?:19|20)[0-9][0-9]\b",
        r"\b[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?(?:\s*[ap]\.?m\b\.?)?",
        r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b",
        r"(?<![\w.])\+?[0-9][0-9 ()/-]{6,}[0-9]\b",  # telephone numbers, and numbers of eight digits or more
        rf"(?-i:\b{_TITLE}\s+(?:[A-Z]\.\s*)*[A-Z][\w'-]+)",
        r"(?-i:\b[A-Z][\w'-]+,\s*(?:M\.?D|D\.?O|FRCR)\b\.?)",
    )
)


def clean_text(text: str, known: Known) -> str:
    """Return a report's text with what would name somebody, or a day, taken out.

    Args:
        text: of a report.
        known: what the images of the study say of the patient and of who examined.
    """
    for word in known.words:
        text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", REMOVED, text, flags=re.IGNORECASE)
    for pattern in _PATTERNS:
        text = pattern.sub(REMOVED, text)
    return text
