"""The settings of the watch for drift: what counts as usual, and how often an alarm may be false."""

from datetime import UTC, datetime
from typing import ClassVar

from pydantic import field_validator

from service.settings_sources import SettingsModel, setting
from service.store.drift import Period

DAYS_OF_MONTH = 365.25 / 12


def _period(text: str) -> Period:
    """Return the period of a text such as "2026-01-01/2026-04-01"."""
    first, _, last = text.partition("/")
    try:
        start, end = (datetime.strptime(day.strip(), "%Y-%m-%d").replace(tzinfo=UTC) for day in (first, last))
    except ValueError:
        raise ValueError(f"{text!r} are no two days such as 2026-01-01/2026-04-01") from None
    if not start < end:
        raise ValueError(f"{text!r} ends before it begins")
    return Period(start=start, end=end)


class DriftSettings(SettingsModel):
    """What counts as usual: nothing is compared unless the site says so."""

    table: ClassVar[str] = "drift"
    prefix: ClassVar[str] = "OVERREAD_DRIFT_"

    reference: str = setting(
        "",
        meaning="days in which the studies that were triaged are usual, from the first until before the "
        "second, such as 2026-01-01/2026-04-01 (UTC); windows after it are compared with them",
        default_words="none, and nothing is compared",
    )
    window_days: float = setting(
        7.0, meaning="length of a window; each is looked at once, when it is over", unit="days", ge=1, le=366
    )
    false_alarms_per_month: float = setting(
        0.05,
        meaning="share of the months without a change in which any look gives an alarm, at most",
        gt=0,
        le=1,
    )
    cases_max: int = setting(
        2000, meaning="studies of reference and of window that are compared, of each", ge=100, le=5000
    )

    @field_validator("reference")
    @classmethod
    def _check_reference(cls, text: str) -> str:
        if text:
            _period(text)
        return text

    @property
    def period(self) -> Period | None:
        """The reference; None where nothing is compared."""
        return _period(self.reference) if self.reference else None

    @property
    def looks_per_month(self) -> float:
        """Number of looks in a month, on average."""
        return DAYS_OF_MONTH / self.window_days
