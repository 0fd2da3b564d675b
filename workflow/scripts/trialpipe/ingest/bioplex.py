"""Reader of Bio-Plex Manager workbooks: a sheet per analyte, a row per well.

The layout read, sheet by sheet:

* sheet title: the analyte, with or without its bead region, ``IFN-g`` or ``IFN-g (21)``;
* rows above the header: plate metadata, ``key`` in column A and ``value`` in column B, or ``key: value`` in
  column A alone; among them ``File Name``, ``Acquisition Date``, ``Reader Serial Number``;
* a blank row (optional);
* the header row, whose cell in column A is ``Type``, then ``Well, Outlier, Description, FI, FI - Bkgd,
  Std Dev, %CV, Obs Conc, Exp Conc, (Obs/Exp) * 100, Conc in Range, Dilution`` (any subset with Type and
  Well, any order behind Type; spelling differences in case, spaces and the sign of multiplication are
  levelled to these names);
* data rows: every row whose Well is filled; blank rows between them are passed over;
* a blank row (optional) and footer lines, in column A alone; one of them states the band of valid standards,
  ``Standards with recovery between 70-130% are valid``.

The table: ``source_*``, then ANALYTE (title without bead region), BEAD_REGION, the header's columns in the
order above, then for every row of the sheet PLATE_FILE, PLATE_DATE, PLATE_READER_SERIAL, PLATE_META (all
metadata and, under ``Footer``, all footer lines, as JSON text in sheet order), RECOVERY_LOW, RECOVERY_HIGH
(as text; null if no line states them). ``OOR <``, ``OOR >``, ``*12.3``, ``***``, ``---`` stay as text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from trialpipe.ingest.common import Builder, Dialect, check_columns, items, place, stack
from trialpipe.ingest.xlsx import Book
from trialpipe.io.errors import DataError

COLUMNS = (
    "Type",
    "Well",
    "Outlier",
    "Description",
    "FI",
    "FI - Bkgd",
    "Std Dev",
    "%CV",
    "Obs Conc",
    "Exp Conc",
    "(Obs/Exp) * 100",
    "Conc in Range",
    "Dilution",
)
PLATE = {
    "PLATE_FILE": "file name",
    "PLATE_DATE": "acquisition date",
    "PLATE_READER_SERIAL": "reader serial number",
}
MADE = ("ANALYTE", "BEAD_REGION", *PLATE, "PLATE_META", "RECOVERY_LOW", "RECOVERY_HIGH")
_BEAD = re.compile(r"(?P<analyte>.+?)\s*\((?P<bead>\d+)\)\s*")
_NUMBER = r"(\d+(?:[.,]\d+)?)\s*%?"
_BAND = re.compile(rf"recover.*?{_NUMBER}\s*(?:-|\u2013|to|and|\u00e0|et)\s*{_NUMBER}", re.IGNORECASE)

Rows = list[tuple[int, list[str | None]]]


def read(path: Path, rel: str, dialect: Dialect | Mapping[str, Any]) -> pa.Table:
    """Read all analyte sheets of one workbook into one long ingested table (layout: see the module).

    Dialect keys: ``expected`` (items the mapping uses), ``ignore`` (further columns; ``[title]`` passes
    over a sheet that is no analyte). Raises DataError for a sheet without the header, two sheets of one
    analyte, a row that is neither a well nor a footer, and for unknown or missing columns.
    """
    form = Dialect.of(dialect)
    book = Book(Path(path), rel)
    tables: list[pa.Table] = []
    seen: dict[str, str] = {}
    for sheet in book.sheets:
        if f"[{sheet.title}]" in form.ignore:
            continue
        analyte, bead = _analyte(sheet.title)
        if analyte in seen:
            message = f"sheets '{seen[analyte]}' and '{sheet.title}' are the same analyte"
            raise DataError(rel, None, None, None, message, "remove one from the export")
        seen[analyte] = sheet.title
        tables.append(_sheet_table(list(book.rows(sheet)), rel, sheet.title, analyte, bead, form))
    if not tables:
        cure = "export the plate again, a sheet per analyte"
        raise DataError(rel, None, None, None, "no analyte sheet", cure)
    return _in_order(stack(tables))


def _sheet_table(rows: Rows, rel: str, title: str, analyte: str, bead: str | None, form: Dialect) -> pa.Table:
    where = place(rel, title)
    start = next((i for i, (_, cells) in enumerate(rows) if _key(cells[0]) == "type"), None)
    if start is None:
        cure = f"restore the sheet, or add '[{title}]' under ignore of the form in extracts.yaml"
        raise DataError(where, None, None, None, "no header row: no cell 'Type' in column A", cure)
    header_row = rows[start][0]
    names = items([_canonical(cell) for cell in rows[start][1]], where, header_row, MADE)
    _check(names, form, where, header_row)
    data, footer = _split(rows[start + 1 :], names.index("Well"), where)
    made = _made(_metadata(rows[:start]), footer, analyte, bead)
    builder = Builder([*names, *made], rel, header_row, title)
    for row, cells in data:
        builder.add(row, [*cells, *made.values()])
    return builder.table()


def _check(names: list[str | None], form: Dialect, where: str, row: int) -> None:
    if form.expected is None and "Well" in names:
        return
    declared = [item for item in form.expected or () if item not in MADE]
    expected = tuple(dict.fromkeys(["Type", "Well", *declared]))
    optional = (*form.ignore, *(column for column in COLUMNS if column not in expected))
    check_columns(names, Dialect(expected=expected, ignore=optional), where, row)


def _split(rows: Rows, well: int, where: str) -> tuple[Rows, list[str]]:
    data: Rows = []
    footer: list[str] = []
    for row, cells in rows:
        if cells[well] and (cells[well] or "").strip():
            data.append((row, cells))
        elif cells[0] and not any(cells[1:]):
            footer.append(cells[0].strip())
        else:
            cure = "restore the row as the instrument program wrote it"
            raise DataError(where, row, "Well", None, "row is neither a well nor a footer line", cure)
    return data, footer


def _metadata(rows: Rows) -> dict[str, str | None]:
    pairs: dict[str, str | None] = {}
    for _, cells in rows:
        filled = [cell.strip() for cell in cells if cell and cell.strip()] or [""]
        key, colon, value = filled[0].partition(":")
        if len(filled) > 1:
            key, value = filled[0].rstrip(": "), " ".join(filled[1:])
        elif not colon:
            key, value = filled[0], ""
        pairs[key.strip()] = value.strip() or None
    return pairs


def _made(metadata: dict[str, str | None], footer: list[str], analyte: str, bead: str | None) -> dict[str, str | None]:
    folded = {key.casefold(): value for key, value in metadata.items()}
    bands = [match for line in footer if (match := _BAND.search(line))]
    full = {**metadata, "Footer": " | ".join(footer)} if footer else metadata
    return {
        "ANALYTE": analyte,
        "BEAD_REGION": bead,
        **{column: folded.get(key) for column, key in PLATE.items()},
        "PLATE_META": json.dumps(full, ensure_ascii=False) if full else None,
        "RECOVERY_LOW": bands[-1].group(1) if bands else None,
        "RECOVERY_HIGH": bands[-1].group(2) if bands else None,
    }


def _analyte(title: str) -> tuple[str, str | None]:
    match = _BEAD.fullmatch(title)
    return (match["analyte"].strip(), match["bead"]) if match else (title.strip(), None)


def _key(cell: str | None) -> str:
    return re.sub(r"[\s*\u00d7]", "", cell or "").casefold()


_CANONICAL = {_key(name): name for name in COLUMNS}


def _canonical(cell: str | None) -> str | None:
    return _CANONICAL.get(_key(cell), cell)


def _in_order(table: pa.Table) -> pa.Table:
    """Same columns in the same order whatever the order of the sheets."""
    names = table.column_names
    first = [*names[:3], "ANALYTE", "BEAD_REGION", *(c for c in COLUMNS if c in names)]
    last = [name for name in MADE if name not in first]
    middle = [name for name in names if name not in first and name not in last]
    return table.select([*first, *middle, *last])
