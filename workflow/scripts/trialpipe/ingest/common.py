"""What all readers share: the dialect, header checks, and the shape of an ingested table.

An ingested table is a ``pyarrow.Table``: ``source_file`` (string, posix path relative to the extract root),
``source_row`` (int32, row in the file as a person counts, header included), ``source_sheet`` (string, null
without sheets), then one string column per source item. Text is exactly as it stood; null only where the
cell is absent or empty. Rows without any content are skipped, the others keep their row number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pyarrow as pa

from trialpipe.io.errors import DataError

ORIGIN = (("source_file", pa.string()), ("source_row", pa.int32()), ("source_sheet", pa.string()))
_RESERVED = frozenset(name for name, _ in ORIGIN)
_CHUNK = 1 << 16
_NAMED = 5


@dataclass(frozen=True)
class Dialect:
    """How a raw file is written, as far as its structure goes.

    ``expected`` (items the mapping uses; None: any column is fine) and ``ignore`` (items that may be there,
    also where ``expected`` lists them) declare the columns; ``sheet`` picks a sheet of a workbook;
    ``comment`` starts lines to be skipped.
    """

    encoding: str = "utf-8"
    separator: str = ","
    quote: str | None = '"'
    comment: str | None = None
    expected: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    sheet: str | None = None

    @classmethod
    def of(cls, value: Dialect | Mapping[str, Any]) -> Dialect:
        """A Dialect from a mapping; keys that belong to later stages (decimal, dates ...) are passed over."""
        if isinstance(value, Dialect):
            return value
        known = {f.name: value[f.name] for f in fields(cls) if f.name in value}
        if known.get("expected") is not None:
            known["expected"] = tuple(known["expected"])
        known["ignore"] = tuple(known.get("ignore") or ())
        return cls(**known)


def place(file: str, sheet: str | None) -> str:
    """``file`` or ``file[sheet]``, the first part of a cell address."""
    return file if sheet is None else f"{file}[{sheet}]"


def items(header: Sequence[str | None], file: str, row: int, reserved: Iterable[str] = ()) -> list[str | None]:
    """Item names of a header: outer white space trimmed, None for a column without a name.

    ``reserved`` are names that the reader itself adds. Raises DataError for a name that stands twice (naming
    both columns) or is reserved.
    """
    names = [(text or "").strip() or None for text in header]
    taken = _RESERVED | set(reserved)
    seen: dict[str, int] = {}
    for position, name in enumerate(names):
        if name is None:
            continue
        if name in seen:
            both = f"columns {column_name(seen[name])} and {column_name(position)}"
            raise DataError(file, row, name, None, f"{both} have the same header", "rename one of them in the export")
        if name in taken:
            raise DataError(file, row, name, None, "is a reserved column name", "rename it in the export")
        seen[name] = position
    return names


def column_name(position: int) -> str:
    """0 -> ``1 (A)``, 27 -> ``28 (AB)``: as a text editor and as a spreadsheet count."""
    letters, rest = "", position + 1
    while rest:
        rest, digit = divmod(rest - 1, 26)
        letters = chr(65 + digit) + letters
    return f"{position + 1} ({letters})"


def check_columns(names: Iterable[str | None], dialect: Dialect, file: str, row: int) -> None:
    """Compare the columns found with those declared.

    Raises one DataError that names every unknown and every missing column, its nearest partner and the cure.
    """
    if dialect.expected is None:
        return
    found = [name for name in names if name is not None]
    known = {*dialect.expected, *dialect.ignore}
    unknown = [name for name in found if name not in known]
    missing = [name for name in dialect.expected if name not in found and name not in dialect.ignore]
    if not unknown and not missing:
        return
    free = [name for name in dialect.expected if name in missing] or list(dialect.expected)
    messages, cures = [], []
    if unknown:
        messages.append(f"unknown column {_list(unknown, free, 'nearest expected')}")
        cures.append("add it under domains in extracts.yaml, or under ignore of its form")
    if missing:
        messages.append(f"missing column {_list(missing, unknown or found, 'nearest in the file')}")
        cures.append("correct the item's name in extracts.yaml, or ask for the column")
    item = (unknown or missing)[0]
    raise DataError(file, row, item, None, "; ".join(messages), "; ".join(cures))


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate most like ``name`` (letter case aside), or None if none is."""
    import difflib

    folded = {candidate.casefold(): candidate for candidate in candidates}
    match = difflib.get_close_matches(name.casefold(), sorted(folded), n=1, cutoff=0.5)
    return folded[match[0]] if match else None


def _list(names: Sequence[str], candidates: Sequence[str], label: str) -> str:
    shown = []
    for name in names[:_NAMED]:
        near = nearest(name, candidates)
        shown.append(f"'{name}' ({label}: '{near}')" if near else f"'{name}'")
    rest = len(names) - _NAMED
    return ", ".join(shown) + (f" and {rest} more" if rest > 0 else "")


class Builder:
    """Collects rows into an ingested table, chunk by chunk so that Python objects do not pile up."""

    def __init__(self, names: Sequence[str | None], file: str, row: int, sheet: str | None = None) -> None:
        """``names`` as given by `items`; ``row`` is the header's, for errors about unnamed columns."""
        self._names = names
        self._file = file
        self._sheet = sheet
        self._schema = _schema(name for name in names if name is not None)
        self._header_row = row
        self._batches: list[pa.RecordBatch] = []
        self._rows: list[int] = []
        self._cells: list[Sequence[str | None]] = []

    def add(self, row: int, cells: Sequence[str | None]) -> None:
        """Add one row of as many cells as there are names; empty text counts as null.

        Raises DataError when a cell stands under an empty header.
        """
        for position, name in enumerate(self._names):
            if name is None and cells[position]:
                where = place(self._file, self._sheet)
                message = f"column {column_name(position)} has data but no header in row {self._header_row}"
                raise DataError(where, row, None, None, message, "give the column a header in the export")
        self._rows.append(row)
        self._cells.append(cells)
        if len(self._rows) >= _CHUNK:
            self._flush()

    def table(self) -> pa.Table:
        """The table of all rows added."""
        if self._rows:
            self._flush()
        return pa.Table.from_batches(self._batches, schema=self._schema)

    def _flush(self) -> None:
        n = len(self._rows)
        arrays = [strings([self._file] * n), integers(self._rows), strings([self._sheet] * n)]
        for position, name in enumerate(self._names):
            if name is not None:
                arrays.append(strings([cells[position] or None for cells in self._cells]))
        self._batches.append(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
        self._rows, self._cells = [], []


def strings(values: Sequence[str | None]) -> pa.Array:
    """An Arrow string array, built from buffers because ``pa.array`` of a list imports pandas (0.4 s)."""
    encoded = [b"" if value is None else value.encode("utf-8") for value in values]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    if ends[-1] > np.iinfo(np.int32).max:
        raise OverflowError("more than 2 GB of text in one column")
    known = np.array([value is not None for value in values], dtype=bool)
    bitmap = None if known.all() else pa.py_buffer(np.packbits(known, bitorder="little").tobytes())
    offsets = pa.py_buffer(ends.astype(np.int32).tobytes())
    return pa.StringArray.from_buffers(len(encoded), offsets, pa.py_buffer(b"".join(encoded)), bitmap)


def integers(values: Sequence[int]) -> pa.Array:
    """An Arrow int32 array without nulls, built like `strings`."""
    data = pa.py_buffer(np.array(values, dtype=np.int32).tobytes())
    return pa.Array.from_buffers(pa.int32(), len(values), [None, data])


def stack(tables: Sequence[pa.Table]) -> pa.Table:
    """Tables of one layout below each other; a column that a table lacks is null there."""
    return pa.concat_tables(tables, promote_options="default").combine_chunks()


def _schema(names: Iterable[str]) -> pa.Schema:
    return pa.schema([*ORIGIN, *((name, pa.string()) for name in names)])
