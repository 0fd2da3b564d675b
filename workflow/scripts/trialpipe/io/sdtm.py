"""Names of SDTM variables: date companions and domain prefixes."""

from __future__ import annotations

from typing import NamedTuple


class DateColumns(NamedTuple):
    """Companions of a date variable such as AESTDTC."""

    dtc: str
    low: str
    high: str
    time: str


def date_columns(variable: str) -> DateColumns:
    """``AESTDTC`` -> AESTDTC, AESTDT_LO, AESTDT_HI, AESTDT_TM."""
    stem = variable.removesuffix("C")
    return DateColumns(variable, f"{stem}_LO", f"{stem}_HI", f"{stem}_TM")


def prefix(domain: str) -> str:
    """Variable prefix of a domain: its first two letters; a split domain (lbcy) keeps its parent's."""
    return domain[:2].upper()
