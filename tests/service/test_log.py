import subprocess
import sys

PROGRAM = """
import logging
import structlog
from pydicom.dataelem import DataElement
{configured}
DataElement(0x00100030, "DA", "Doe, Jane")  # a date of birth that is none
"""
CONFIGURED = "from service.log import configure_logging; configure_logging()"


def errors_of(configured: str) -> str:
    program = PROGRAM.format(configured=configured)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stderr


def test_what_pydicom_finds_fault_with_is_not_quoted_in_the_log() -> None:
    assert "Doe, Jane" in errors_of("")
    assert errors_of(CONFIGURED) == ""
