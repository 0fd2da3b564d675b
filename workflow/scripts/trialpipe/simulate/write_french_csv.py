"""Writer of French spreadsheet exports: ``;``, cp1252, CRLF, quotes where needed."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from trialpipe.simulate.raw import Table


def write(tables: list[Table], out: Path) -> None:
    """Write every table to its path under ``out``. Raises UnicodeEncodeError for text outside cp1252."""
    for table in tables:
        target = out / table.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text(table).encode("cp1252"))


def text(table: Table) -> str:
    """The file's text."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=";", lineterminator="\r\n")
    writer.writerow(table.columns)
    writer.writerows([row.cells[column] for column in table.columns] for row in table.rows)
    return buffer.getvalue()
