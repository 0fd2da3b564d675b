"""Reader of a flat table in an Excel workbook: one sheet, a header row, a row per record."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from trialpipe.ingest.common import Builder, Dialect, check_columns, items, nearest, place
from trialpipe.ingest.xlsx import Book
from trialpipe.io.errors import DataError

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet


def read(path: Path, rel: str, dialect: Dialect | Mapping[str, Any]) -> pa.Table:
    """Read one sheet into an ingested table (see `common`); cells become text as in `xlsx.text`.

    Dialect keys: ``sheet`` (None: the only sheet with content), ``expected``, ``ignore``. The header is the
    first row with content; hidden rows, columns and sheets are read like others. Raises DataError for
    several candidate sheets, merged cells, a formula without a stored value, and as `delimited.read` for
    headers and columns.
    """
    form = Dialect.of(dialect)
    book = Book(Path(path), rel)
    sheet = _sheet(book, form.sheet)
    where = place(rel, sheet.title)
    _refuse_merged(sheet, where)
    rows = book.rows(sheet)
    first = next(rows, None)
    if first is None:
        raise DataError(where, None, None, None, "sheet is empty", "export it again with its header row")
    header_row, header = first
    names = items(header, where, header_row)
    check_columns(names, form, where, header_row)
    builder = Builder(names, rel, header_row, sheet.title)
    for row, cells in rows:
        builder.add(row, cells)
    return builder.table()


def _sheet(book: Book, title: str | None) -> Worksheet:
    sheets = book.sheets
    titles = [sheet.title for sheet in sheets]
    if title is None and len(sheets) == 1:
        return sheets[0]
    if title in titles:
        return sheets[titles.index(title)]
    if not sheets:
        raise DataError(book.rel, None, None, None, "workbook is empty", "export it again")
    listed = ", ".join(f"'{t}'" for t in titles)
    if title is None:
        message, cure = f"workbook has several sheets: {listed}", "name one under sheet in extracts.yaml"
    else:
        near = nearest(title, titles)
        message = f"no sheet '{title}' with content; there are {listed}"
        cure = f"correct sheet in extracts.yaml{f', nearest is {near!r}' if near else ''}"
    raise DataError(book.rel, None, None, None, message, cure)


def _refuse_merged(sheet: Worksheet, where: str) -> None:
    ranges = sorted(sheet.merged_cells.ranges, key=lambda r: (r.min_row, r.min_col))
    if ranges:
        message = f"cells {ranges[0].coord} are merged: all but the first would read as empty"
        raise DataError(where, ranges[0].min_row, None, None, message, "unmerge and fill them in the export")
