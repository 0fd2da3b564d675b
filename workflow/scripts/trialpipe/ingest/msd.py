"""Reader of MSD Discovery Workbench CSV exports: a row per spot of a well.

The file: the plate's name alone on a line, a header line, data rows; further plates may follow in the same way.

The table: ``source_*``, the file's columns as they are (those of a later plate that the first lacks, behind them),
then PLATE, the name of the row's plate as it stands. ``NaN`` and the words of the Detection Range stay as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from trialpipe.ingest.common import Builder, Dialect, check_columns, items, stack
from trialpipe.ingest.lines import records, trimmed
from trialpipe.io.errors import DataError

NEEDED = ("Sample", "Assay", "Well")
PLATE = "PLATE"
_AGAIN = "export the plate again from Discovery Workbench"


def read(path: Path, rel: str, dialect: Dialect | Mapping[str, Any]) -> pa.Table:
    """Read one MSD export into an ingested table (layout: see the module).

    Dialect keys: ``encoding``, ``separator``, ``quote``, ``expected``, ``ignore``. Raises DataError for a file
    without a plate's name or header, a plate without rows or that stands twice, a row with more or fewer cells than
    the header, unknown or missing columns, and for what `lines` refuses.
    """
    form = Dialect.of(dialect)
    plates: list[_Plate] = []
    with Path(path).open("rb") as stream:
        for row, cells in records(stream, rel, form):
            if len(trimmed(cells)) == 1 and (not plates or plates[-1].builder is not None):
                plates.append(_Plate(cells[0], row, rel, [plate.name for plate in plates]))
            elif not plates:
                cure = f"correct separator in extracts.yaml, or {_AGAIN}"
                raise DataError(rel, row, None, cells[0], "first line is not a plate's name", cure)
            else:
                plates[-1].take(row, cells, form)
    if not plates:
        raise DataError(rel, None, None, None, "file has no content", _AGAIN)
    table = stack([plate.table() for plate in plates])
    return table.select([*(name for name in table.column_names if name != PLATE), PLATE])


class _Plate:
    def __init__(self, name: str, row: int, rel: str, before: list[str]) -> None:
        if name in before:
            raise DataError(rel, row, PLATE, name, "plate stands twice", "remove one of them")
        self.name, self.row, self.rel = name, row, rel
        self.builder: Builder | None = None
        self.width = 0
        self.rows = 0

    def take(self, row: int, cells: list[str], form: Dialect) -> None:
        if self.builder is None:
            self._head(row, trimmed(cells), form)
            return
        found = max(len(trimmed(cells)), min(len(cells), self.width))
        if found != self.width:
            message = f"row has {found} cells, the header has {self.width}"
            cure = "the file is cut" if found < self.width else "a separator in a text is not quoted"
            raise DataError(self.rel, row, None, None, message, f"{cure}; {_AGAIN}")
        self.builder.add(row, [*cells[: self.width], self.name])
        self.rows += 1

    def table(self) -> pa.Table:
        if self.builder is None or not self.rows:
            raise DataError(self.rel, self.row, PLATE, self.name, "plate has no rows", _AGAIN)
        return self.builder.table()

    def _head(self, row: int, header: list[str], form: Dialect) -> None:
        missing = [name for name in NEEDED if name not in header]
        if missing:
            message = f"line is no header of Discovery Workbench: no column {', '.join(missing)}"
            raise DataError(self.rel, row, missing[0], None, message, _AGAIN)
        names = items(header, self.rel, row, (PLATE,))
        if form.expected is not None:
            declared = tuple(name for name in form.expected if name != PLATE)
            columns = Dialect(expected=declared, ignore=(*form.ignore, *NEEDED))
            check_columns(names, columns, self.rel, row)
        self.builder, self.width = Builder([*names, PLATE], self.rel, row), len(names)
