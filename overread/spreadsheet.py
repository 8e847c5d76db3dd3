"""Cells of tables that people open in a spreadsheet, where text that begins like a formula is run as one.

A spreadsheet takes a cell that begins with =, +, -, @, a tab or the like for a formula, which may send what
stands beside it elsewhere (OWASP ASVS 5.0, 1.2.10). An apostrophe before it makes it text; reading a
table that was written so takes it away again.
"""

_STARTS = ("=", "+", "-", "@", "\t", "\r", "\0")


def as_cell(text: str) -> str:
    """Return a text as a cell that no spreadsheet runs; `from_cell` gives the text back."""
    return f"'{text}" if text.lstrip("'").startswith(_STARTS) else text


def from_cell(cell: str) -> str:
    """Return the text of a cell that `as_cell` wrote; any other cell as it is."""
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(_STARTS) else cell
