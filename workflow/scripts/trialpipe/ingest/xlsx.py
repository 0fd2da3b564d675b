"""Opening of Excel workbooks and the canonical text of their cells, shared by the workbook readers.

Formulas are never evaluated: the value that the spreadsheet program stored is taken.
"""

from __future__ import annotations

import datetime as dt
import re
import zipfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from trialpipe.ingest.common import place
from trialpipe.io.errors import DataError

if TYPE_CHECKING:
    from openpyxl.workbook import Workbook
    from openpyxl.worksheet.worksheet import Worksheet

MAX_BYTES = 200_000_000
MAX_RATIO = 200
_MAX_CELLS = 20_000_000
_ZEROS = re.compile("0{2,}")
_FORBIDDEN = re.compile(rb"<!(?:DOCTYPE|ENTITY)")


class Book:
    """A workbook opened for reading: sheets and the text of their cells."""

    def __init__(self, path: Path, rel: str) -> None:
        """Raises DataError when the file is no plain .xlsx, too large when unpacked, or carries a DTD."""
        guard(path, rel)
        self._path = path
        self.rel = rel
        self._book = _load(path, rel, values=False)
        self._values: Workbook | None = None

    @property
    def sheets(self) -> list[Worksheet]:
        """Visible and hidden worksheets that hold any value, in workbook order."""
        return [sheet for sheet in self._book.worksheets if _filled(sheet)]

    def rows(self, sheet: Worksheet) -> Iterator[tuple[int, list[str | None]]]:
        """(row, texts) of the rows with content, all of the sheet's width.

        Raises DataError for a formula without a stored value, and for a sheet with a stray far cell.
        """
        if _vast(sheet):
            message = f"the sheet reaches to row {sheet.max_row}, column {sheet.max_column}"
            cure = "delete stray cells below and right of the table and save again"
            raise DataError(place(self.rel, sheet.title), None, None, None, message, cure)
        for row, cells in enumerate(sheet.iter_rows(), start=1):
            texts = [self._text(cell, sheet) for cell in cells]
            if any(texts):
                yield row, texts

    def _text(self, cell: object, sheet: Worksheet) -> str | None:
        if getattr(cell, "data_type", None) != "f":
            return text(cell)
        if self._values is None:
            self._values = _load(self._path, self.rel, values=True)
        stored = self._values[sheet.title][cell.coordinate]  # type: ignore[attr-defined]
        # a formula whose result is the empty text is stored with the type "str" and no value
        if stored.value is None and stored.data_type != "str":
            where = place(self.rel, sheet.title)
            message = f"formula in {stored.coordinate} without a stored value"
            cure = "open the file in the spreadsheet program, save it, or paste values"
            raise DataError(where, stored.row, None, None, message, cure)
        return text(stored)


def text(cell: object) -> str | None:
    """Canonical text of a cell: what a person reads, independent of locale and column width.

    Numbers in plain decimal notation with at most 15 significant digits (as the program shows them), a
    number formatted ``0000`` with its leading zeros; dates ISO 8601 (time only if not midnight, seconds only
    if not 0); durations H:MM or H:MM:SS; booleans TRUE or FALSE; text as it stood; null if empty. A
    percentage is the stored fraction.
    """
    value = cell.value  # type: ignore[attr-defined]
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, (int, float)):
        return _number(value, cell.number_format)  # type: ignore[attr-defined]
    if isinstance(value, dt.datetime):
        moment = _to_second(value)
        day = moment.date().isoformat()
        return day if moment.time() == dt.time() else f"{day}T{_clock(moment)}"
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, dt.time):
        return _clock(_to_second(dt.datetime.combine(dt.date(2000, 1, 1), value)))
    if isinstance(value, dt.timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02d}" + (f":{seconds:02d}" if seconds else "")
    return str(value)


def guard(path: Path, rel: str) -> None:
    """Raises DataError for what is no zip, unpacks to over 200 MB or 200 times its size, or has a DTD."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            size = sum(entry.file_size for entry in entries)
            if size > MAX_BYTES or size > MAX_RATIO * max(Path(path).stat().st_size, 1):
                message = f"unpacks to {size} bytes from {Path(path).stat().st_size}: refused"
                cure = f"limits are {MAX_BYTES} bytes and a ratio of {MAX_RATIO}; ask for a clean export"
                raise DataError(rel, None, None, None, message, cure)
            for entry in entries:
                if entry.filename.endswith((".xml", ".rels")) and _FORBIDDEN.search(archive.read(entry)):
                    message = f"part {entry.filename} declares a document type"
                    raise DataError(rel, None, None, None, message, "ask for a clean export")
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        message = "is not a plain .xlsx workbook (cut, old .xls or password-protected)"
        raise DataError(rel, None, None, None, message, "save it as .xlsx without a password") from error


def _load(path: Path, rel: str, values: bool) -> Workbook:
    import warnings

    import openpyxl

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles and validations, which are not read
            return openpyxl.load_workbook(path, data_only=values, keep_links=False)
    except Exception as error:  # openpyxl raises whatever its parsers meet in a damaged file
        message = f"cannot be read as a workbook: {error}"
        raise DataError(rel, None, None, None, message, "export it again") from error


def _vast(sheet: Worksheet) -> bool:
    return sheet.max_row * sheet.max_column > _MAX_CELLS


def _filled(sheet: Worksheet) -> bool:
    if _vast(sheet):
        return True
    return any(value is not None for row in sheet.iter_rows(values_only=True) for value in row)


def _number(value: int | float, number_format: str) -> str:
    if isinstance(value, int) or value.is_integer():
        whole = int(value) if abs(value) < 1e15 else int(Decimal(f"{value:.15g}"))
        width = len(number_format) if _ZEROS.fullmatch(number_format or "") else 0
        return f"{whole:0{width}d}"
    return format(Decimal(f"{value:.15g}"), "f")


def _to_second(value: dt.datetime) -> dt.datetime:
    return (value + dt.timedelta(microseconds=500_000)).replace(microsecond=0)


def _clock(value: dt.datetime) -> str:
    return f"{value:%H:%M:%S}" if value.second else f"{value:%H:%M}"
