"""Texts in the cells of a CSV file, which spreadsheets may take for formulas."""

BEGINS = ("=", "+", "-", "@", "\t", "\r")  # of a formula, for one spreadsheet or another


def as_cell(value: object) -> object:
    """Return a value as a cell that no spreadsheet computes: a text that looks like a formula comes after a quote."""
    if not isinstance(value, str) or not value.startswith(BEGINS) or _is_number(value):
        return value
    return f"'{value}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
