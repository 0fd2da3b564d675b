"""Writer of an ODM e-CRF: its snapshot and its transactions as UTF-8 text."""

from __future__ import annotations

from pathlib import Path

from trialpipe.simulate.odm import OdmTable
from trialpipe.simulate.raw import Table


def write(tables: list[Table], out: Path) -> None:
    """Write the files of the study of the ODM tables among ``tables`` under ``out``."""
    studies = {id(table.study): table.study for table in tables if isinstance(table, OdmTable) and table.study}
    for study in studies.values():
        for name, path in study.files.items():
            target = out / path
            target.parent.mkdir(parents=True, exist_ok=True)
            text = "".join(f"{line}\n" for line, _ in study.lines(name))
            target.write_bytes(text.encode("utf-8"))
