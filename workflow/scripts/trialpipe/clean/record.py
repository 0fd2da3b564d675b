"""A clean record while it is made: its variables, the raw cells behind each, its flags."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from trialpipe.clean.rows import Raw
from trialpipe.io.sdtm import DateColumns, date_columns

FLAGS = (
    "DATE_PARTIAL",
    "DATE_INVALID",
    "UNIT_CONVERTED",
    "UNIT_SUSPECT",
    "CODE_UNKNOWN",
    "NUMBER_INVALID",
    "OUT_OF_RANGE",
    "DUPLICATE",
    "BLQ",
    "ALQ",
    "VISIT_UNKNOWN",
    "REDACTED",
    "REPLICATES_MEAN",
    "EXTRAPOLATED",
    "AFTER_CUTOFF",
)


@dataclass
class Record:
    """``values``: variables to text, float, date or None. ``cells``: variable to raw cells (file:row:item).

    ``shown``: variable to its raw text. ``order``: place among the domain's records.
    """

    raw: Raw
    subject: str
    order: tuple[int, ...]
    values: dict[str, object] = field(default_factory=dict)
    cells: dict[str, tuple[str, ...]] = field(default_factory=dict)
    shown: dict[str, str | None] = field(default_factory=dict)
    flags: set[str] = field(default_factory=set)
    visit: str | None = None
    occurrence: int = 0
    extra_origin: tuple[str, ...] = ()

    def text(self, variable: str) -> str | None:
        """A variable as text; figures without needless digits."""
        value = self.values.get(variable)
        return f"{value:.10g}" if isinstance(value, float) else None if value is None else str(value)

    def day(self, variable: str) -> Day | None:
        """The date of a --DTC variable, None if unknown."""
        names = date_columns(variable)
        low, high = self.values.get(names.low), self.values.get(names.high)
        if not isinstance(low, dt.date) or not isinstance(high, dt.date):
            return None
        time = self.values.get(names.time)
        return Day(low, high, time if isinstance(time, str) else None, str(self.values.get(variable)))

    def origin(self, first: Sequence[str] = ()) -> list[str]:
        """Raw cells behind the record, those of the variables in ``first`` before the others."""
        order = [*first, *(name for name in self.cells if name not in first)]
        cells = [cell for name in order for cell in self.cells.get(name, ())]
        return list(dict.fromkeys([*cells, *self.extra_origin]))


@dataclass(frozen=True)
class Day:
    """First and last possible day of a date, its clock time, its ISO text."""

    low: dt.date
    high: dt.date
    time: str | None
    text: str

    @property
    def exact(self) -> bool:
        return self.low == self.high

    def surely_after(self, other: Day) -> bool:
        """Whether no reading of the two dates puts this one on or before the other."""
        if self.low > other.high:
            return True
        same = self.exact and other.exact and self.low == other.low
        return same and self.time is not None and other.time is not None and self.time > other.time


def date_variables(variables: Iterable[str]) -> list[DateColumns]:
    """Companions of every date variable (ends in DTC)."""
    return [date_columns(name) for name in variables if name.endswith("DTC")]
