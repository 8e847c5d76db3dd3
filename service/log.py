"""Structured logs: one JSON object a line on standard error, one `action` word each.

Logs name UIDs, case numbers and what to do; never a patient's name or id, never report text.
"""

import logging
import sys

import structlog

from overread.library_warnings import withhold_warning_text


def configure_logging(*, level: int = logging.INFO) -> None:
    """From now on every structlog logger of this process writes JSON lines to standard error.

    pydicom is silenced: it quotes the values that it finds fault with, which may be a patient's. Of any other
    warning of a library the kind and the place are told, for the same reason.
    """
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    withhold_warning_text(_note_warning)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.EventRenamer("action"),
            structlog.processors.JSONRenderer(sort_keys=True),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )


def _note_warning(kind: str, place: str) -> None:
    structlog.get_logger("overread.library").warning("library_warning", kind=kind, place=place)
