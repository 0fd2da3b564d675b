"""Raw tables as text before they are written, and how a French spreadsheet writes dates and numbers."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

NBSP = "\u00a0"


@dataclass(eq=False)
class Row:
    """Cells of one raw row as text; ``tags`` say what the row is about and are never written."""

    cells: dict[str, str]
    subject: str
    tags: dict[str, Any] = field(default_factory=dict)


@dataclass
class Table:
    """One raw table. ``first`` is the line of its first row in the file, as a person counts."""

    path: str
    columns: tuple[str, ...]
    rows: list[Row] = field(default_factory=list)
    sheet: str | None = None
    first: int = 2
    head: tuple[tuple[str, str], ...] = ()
    foot: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """``file`` or ``file[sheet]``, the first part of a cell address."""
        return self.path if self.sheet is None else f"{self.path}[{self.sheet}]"

    def add(self, subject: str, cells: dict[str, str], **tags: Any) -> Row:
        unknown = set(cells) - set(self.columns)
        if unknown:
            raise KeyError(f"{self.path}: no column {sorted(unknown)}")
        row = Row({column: cells.get(column, "") for column in self.columns}, subject, tags)
        self.rows.append(row)
        return row

    def settle(self) -> None:
        """Told when no row changes any more."""

    def file(self, row: Row) -> str:
        """Path of the file in which a row stands."""
        return self.path

    def line(self, row: Row) -> int:
        """Line of a row in the file."""
        return self.first + next(k for k, other in enumerate(self.rows) if other is row)


def date(value: dt.date | dt.datetime | None) -> str:
    """dd/mm/yyyy; empty for None."""
    return "" if value is None else f"{value:%d/%m/%Y}"


def clock(value: dt.datetime | None) -> str:
    return "" if value is None else f"{value:%H:%M}"


def moment(value: dt.datetime | None) -> str:
    return "" if value is None else f"{value:%d/%m/%Y %H:%M}"


def number(text: str) -> str:
    """A plain figure (``12400``, ``8.3``) with decimal comma and, from five figures on, grouped thousands."""
    whole, _, rest = text.partition(".")
    sign, digits = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
    if len(digits) > 4:
        digits = f"{int(digits):,}".replace(",", NBSP)
    return sign + digits + (f",{rest}" if rest else "")
