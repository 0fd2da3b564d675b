"""Writer of MSD Discovery Workbench exports: UTF-8, ``,``, the plate's name on the first line, then the header."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from trialpipe.simulate.msd import Plate


def write(tables: list[Plate], out: Path) -> None:
    """Write every plate to its path under ``out``."""
    for plate in tables:
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\r\n")
        writer.writerow([plate.name, *[""] * (len(plate.columns) - 1)])
        writer.writerow(plate.columns)
        writer.writerows([row.cells[column] for column in plate.columns] for row in plate.rows)
        target = out / plate.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(buffer.getvalue().encode("utf-8"))
