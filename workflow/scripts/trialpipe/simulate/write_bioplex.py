"""Writer of Bio-Plex workbooks: a sheet per analyte, the same bytes at every run."""

from __future__ import annotations

import datetime as dt
import io
import re
import zipfile
from pathlib import Path

from trialpipe.simulate.raw import Table

NUMERIC = {"FI", "FI - Bkgd", "Std Dev", "%CV", "Obs Conc", "Exp Conc", "(Obs/Exp) * 100", "Conc in Range", "Dilution"}
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_MODIFIED = re.compile(rb"(<dcterms:(created|modified)[^>]*>)[^<]*")
_STAMP = (2020, 6, 1, 0, 0, 0)


def write(tables: list[Table], out: Path) -> None:
    """Write the sheets of each path into one workbook under ``out``."""
    for path in dict.fromkeys(table.path for table in tables):
        target = out / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(_workbook([table for table in tables if table.path == path]))


def _workbook(tables: list[Table]) -> bytes:
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.active)
    for table in tables:
        sheet = book.create_sheet(table.sheet)
        for key, value in table.head:
            sheet.append([key, value])
        sheet.append([])
        sheet.append(list(table.columns))
        for row in table.rows:
            sheet.append([_cell(column, row.cells[column]) for column in table.columns])
        sheet.append([])
        for line in table.foot:
            sheet.append([line])
    book.properties.created = dt.datetime(*_STAMP)
    buffer = io.BytesIO()
    book.save(buffer)
    return _timeless(buffer.getvalue())


def _cell(column: str, text: str) -> str | float | int | None:
    if column in NUMERIC and _NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    return text or None


def _timeless(data: bytes) -> bytes:
    """The same archive with fixed times inside and outside its parts."""
    buffer = io.BytesIO()
    source = zipfile.ZipFile(io.BytesIO(data))
    with source, zipfile.ZipFile(buffer, "w", compresslevel=9) as made:
        for name in source.namelist():
            part = source.read(name)
            if name == "docProps/core.xml":
                part = _MODIFIED.sub(rb"\g<1>2020-06-01T00:00:00Z", part)
            entry = zipfile.ZipInfo(name, _STAMP)
            entry.compress_type = zipfile.ZIP_DEFLATED
            made.writestr(entry, part)
    return buffer.getvalue()
