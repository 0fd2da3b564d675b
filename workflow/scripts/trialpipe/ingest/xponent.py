"""Reader of Luminex xPONENT CSV exports: a row per cell of a block.

The file: header lines (``Program,xPONENT,,MAGPIX`` first), then blocks, each a line ``DataType:,<name>``, a line of
column headers and data rows, then the footer ``-- CRC --`` and ``CRC32: ...``. A spreadsheet may have re-saved it:
rows padded with separators, lines of separators only, quotes lost. Where quotes were lost around a location that
holds the separator (``1(1,A1)``), its two halves are joined again.

The table: ``source_*``, then BLOCK, LOCATION (null where the block has none), SAMPLE (the Sample column; in a block
without Location the first cell; null in a block with Location and no Sample), ANALYTE (column header), VALUE,
TOTAL_EVENTS (of the row), then for every row of the file PLATE_BATCH, PLATE_DATE (date and time, as they stand),
PLATE_SERIAL, PLATE_PROGRAM, PLATE_BUILD, and PLATE_META: the lines outside of the blocks as JSON, a list of lists of
cells, in file order. Blocks of any name are read alike; a decimal comma stays text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from trialpipe.ingest.common import Builder, Dialect, items
from trialpipe.ingest.lines import records, trimmed
from trialpipe.io.errors import DataError

CELL = ("BLOCK", "LOCATION", "SAMPLE", "ANALYTE", "VALUE", "TOTAL_EVENTS")
PLATE = {
    "PLATE_BATCH": "batch",
    "PLATE_DATE": "date",
    "PLATE_SERIAL": "sn",
    "PLATE_PROGRAM": "program",
    "PLATE_BUILD": "build",
}
COLUMNS = (*CELL, *PLATE, "PLATE_META")
TOTAL = "Total Events"
FOOTER = "-- CRC --"
# blocks that hold a figure of every well: one of them without rows is a cut file
_WELLS = frozenset(("median", "net mfi", "count", "result", "mean", "dilution factor"))
_HALVES = ((re.compile(r"\d+\(\d+"), re.compile(r"[A-P]\d+\)")), (re.compile(r"\d+"), re.compile(r"[A-P]\d+")))
# every row carries the header lines; one Arrow column holds 2 GB of text
_META_LIMIT = (1 << 31) - 1
# 384 wells of 100 analytes in 50 blocks; memory stays bounded whatever the file
CELL_LIMIT, HEADER_LIMIT = 2_000_000, 10_000
_AGAIN = "export the plate again from xPONENT"


@dataclass
class _Block:
    name: str
    row: int
    header: list[str] | None = None
    rows: int = 0


def read(path: Path, rel: str, dialect: Dialect | Mapping[str, Any]) -> pa.Table:
    """Read one xPONENT export into a long ingested table (layout: see the module).

    Dialect keys: ``encoding``, ``separator``, ``quote``. ``source_row`` is the line on which the cell's row starts.
    The file is read line by line. Raises DataError for a file that is no xPONENT export or has another separator, a
    file without CRC footer or with text behind it, a block that stands twice or has no rows, a row with fewer or
    more cells than its block has columns, two columns of one name, and for what `lines` refuses.
    """
    form = Dialect.of(dialect)
    plate = _Plate(rel)
    with Path(path).open("rb") as stream:
        for row, cells in records(stream, rel, form):
            plate.take(row, cells)
    return plate.table()


class _Plate:
    """State while the lines of one file come in."""

    def __init__(self, rel: str) -> None:
        self.rel = rel
        self.meta: list[list[str]] = []
        self.blocks: dict[str, _Block] = {}
        self.block: _Block | None = None
        self.footer: int | None = None
        self.last = 0
        self.cells = 0
        self.builder = Builder(CELL, rel, 1)

    def take(self, row: int, cells: list[str]) -> None:
        self.last = row
        if self.cells > CELL_LIMIT or len(self.meta) > HEADER_LIMIT:
            raise self._too_large(row)
        key = cells[0].casefold()
        if not self.meta:
            _check_first(cells, self.rel, row)
        if self.footer is not None:
            self._after(row, cells)
        elif key == "datatype:":
            self._open(row, cells)
        elif key == FOOTER.casefold():
            self._close()
            self.footer = row
            self.meta.append(trimmed(cells))
        elif self.block is None:
            self.meta.append(trimmed(cells))
        elif self.block.header is None:
            self.block.header = _header(cells, self.rel, row)
        else:
            self._cells(self.block, self.block.header, row, cells)

    def table(self) -> pa.Table:
        if not self.meta:
            raise DataError(self.rel, None, None, None, "file has no content", _AGAIN)
        if self.footer is None or not self.meta[-1][0].casefold().startswith("crc32"):
            message = f"file is cut: it ends without the footer '{FOOTER}' and its CRC32"
            raise DataError(self.rel, self.last, None, None, message, _AGAIN)
        if not any(block.name.casefold() in _WELLS for block in self.blocks.values()):
            message = "file has no block of wells (Median, Net MFI, Count, Result ...)"
            raise DataError(self.rel, None, None, None, message, _AGAIN)
        meta = json.dumps(self.meta, ensure_ascii=False)
        made = [*_made(self.meta).values(), meta]
        table = self.builder.table()
        if table.num_rows * len(meta.encode("utf-8")) > _META_LIMIT:
            raise self._too_large(self.last)
        for name, value in zip((*PLATE, "PLATE_META"), made, strict=True):
            table = table.append_column(name, _constant(value, table.num_rows))
        return table

    def _after(self, row: int, cells: list[str]) -> None:
        if not cells[0].casefold().startswith("crc32") or self.meta[-1][0].casefold().startswith("crc32"):
            message = "there is text behind the CRC footer"
            raise DataError(self.rel, row, None, cells[0] or None, message, "keep one plate per file")
        self.meta.append(trimmed(cells))

    def _open(self, row: int, cells: list[str]) -> None:
        self._close()
        name = cells[1] if len(cells) > 1 else ""
        if not name:
            raise DataError(self.rel, row, "DataType:", None, "block has no name", _AGAIN)
        twin = self.blocks.get(name.casefold())
        if twin:
            message = f"block stands twice, here and in line {twin.row}"
            raise DataError(self.rel, row, "DataType:", name, message, "remove one of them, or export the plate again")
        self.block = self.blocks[name.casefold()] = _Block(name, row)

    def _close(self) -> None:
        block = self.block
        if block and not block.rows and block.name.casefold() in _WELLS:
            raise DataError(self.rel, block.row, "DataType:", block.name, "block has no rows", _AGAIN)
        self.block = None

    def _cells(self, block: _Block, header: list[str], row: int, cells: list[str]) -> None:
        located = header[0].casefold() == "location"
        cells = _joined(cells, len(header)) if located else cells
        found = max(len(trimmed(cells)), min(len(cells), len(header)))
        if found != len(header):
            message = f"row has {found} cells, its block '{block.name}' has {len(header)} columns"
            cure = "the file is cut" if found < len(header) else "a separator in a text is not quoted"
            raise DataError(self.rel, row, None, None, message, f"{cure}; {_AGAIN}")
        sampled = located and len(header) > 1 and header[1].casefold() == "sample"
        sample = (cells[1] if sampled else None) if located else cells[0]
        start = 2 if sampled else 1
        values = dict(zip(header[start:], cells[start : len(header)], strict=True))
        total = values.pop(TOTAL, None)
        for analyte, value in values.items():
            self.builder.add(row, [block.name, cells[0] if located else None, sample, analyte, value, total])
        block.rows += 1
        self.cells += len(values)

    def _too_large(self, row: int) -> DataError:
        return DataError(self.rel, row, None, None, "file holds more than a plate does", "keep one plate per file")


def _check_first(cells: list[str], rel: str, row: int) -> None:
    if cells[0].casefold() == "program" and len(cells) > 1:
        return
    if re.match(r"\"?program\"?\s*[;,\t|]", cells[0], re.IGNORECASE):
        message, cure = "the first line is one cell", "correct separator in extracts.yaml"
    else:
        message, cure = "file is no xPONENT export: its first line is not 'Program'", _AGAIN
    raise DataError(rel, row, None, cells[0] or None, message, cure)


def _header(cells: list[str], rel: str, row: int) -> list[str]:
    header = trimmed(cells)
    if "" in header:
        position = header.index("") + 1
        raise DataError(rel, row, None, None, f"column {position} of the block has no header", _AGAIN)
    items(header, rel, row)
    return header


def _joined(cells: list[str], width: int) -> list[str]:
    """A location that lost its quotes and so stands in two cells, joined; the row has one cell too many."""
    for left, right in _HALVES:
        if len(cells) > width and left.fullmatch(cells[0]) and right.fullmatch(cells[1]):
            return [f"{cells[0]},{cells[1]}", *cells[2:]]
    return cells


def _made(meta: list[list[str]]) -> dict[str, str | None]:
    found: dict[str, list[str]] = {}
    for line in meta:
        found.setdefault(line[0].casefold(), line[1:])
    made: dict[str, str | None] = {}
    for name, key in PLATE.items():
        cells = [cell for cell in found.get(key, []) if cell]
        made[name] = (" ".join(cells) if key == "date" else cells[0]) if cells else None
    return made


def _constant(value: str | None, n: int) -> pa.Array:
    """``value`` n times, built from buffers: ``pa.repeat`` imports pandas (see `common.strings`)."""
    text = (value or "").encode("utf-8")
    offsets = np.arange(n + 1, dtype=np.int64) * len(text)
    bitmap = pa.py_buffer(bytes((n + 7) // 8)) if value is None else None
    ends = pa.py_buffer(offsets.astype(np.int32).tobytes())
    return pa.StringArray.from_buffers(n, ends, pa.py_buffer(text * n), bitmap)
