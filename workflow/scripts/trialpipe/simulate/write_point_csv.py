"""Writer of plain CSV files: UTF-8, ``,``, decimal point."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from trialpipe.simulate.raw import Table


def write(tables: list[Table], out: Path) -> None:
    """Write every table to its path under ``out``."""
    for table in tables:
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(table.columns)
        writer.writerows([row.cells[column] for column in table.columns] for row in table.rows)
        target = out / table.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(buffer.getvalue().encode("utf-8"))
