"""Raw rows of a form: their cells, where each cell stands, how rows are filtered and joined."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from trialpipe.clean.codes import fold
from trialpipe.clean.rules import Log
from trialpipe.io.errors import DataError

POSITION = "source_row"
WORKBOOKS = (".xlsx", ".xlsm", ".xls")
"""Names of spreadsheet files: only there a plain figure may be a date. A sheet alone may be an item group."""
_ORIGIN = ("source_file", "source_row", "source_sheet")


@dataclass(frozen=True)
class Raw:
    """One raw row, or what a preparer made of several.

    ``cells``: text by item. ``places``: where an item stands if not in the row itself (joined or prepared items).
    ``lines``: the raw rows it accounts for. ``flags``: set by a preparer. ``serial``: spreadsheet dates may occur.
    """

    form: str
    file: str
    line: int
    cells: Mapping[str, str | None]
    places: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    lines: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    prepared: bool = False
    serial: bool = False

    @property
    def row(self) -> str:
        """``file:row``, with a sheet ``file[sheet]:row``."""
        return f"{self.file}:{self.line}"

    def text(self, item: str) -> str | None:
        """The cell's text; DataError if the form has no such item."""
        if item == POSITION:
            return str(self.line)
        if item not in self.cells:
            known = ", ".join(list(self.cells)[:12])
            raise DataError("extracts.yaml", None, item, None, f"is no item of {self.form}", f"items are {known}")
        return self.cells[item]

    def origin(self, item: str) -> tuple[str, ...]:
        """Addresses of the raw cell or cells behind an item, ``file:row:item``."""
        return self.places.get(item) or (f"{self.row}:{item}",)


def read(form: str, frame: pd.DataFrame) -> list[Raw]:
    """Raw rows of an ingested frame in the order of file, sheet and line, whatever the order of the frame."""
    items = [name for name in frame.columns if name not in _ORIGIN]
    columns = [_texts(frame[name]) for name in items]
    sheets = _texts(frame["source_sheet"]) if "source_sheet" in frame.columns else [None] * len(frame)
    found = []
    for index, (file, line, sheet) in enumerate(zip(frame["source_file"], frame["source_row"], sheets, strict=True)):
        place = str(file) if sheet is None else f"{file}[{sheet}]"
        cells = {item: column[index] for item, column in zip(items, columns, strict=True)}
        raw = Raw(form, place, int(line), cells, serial=str(file).lower().endswith(WORKBOOKS))
        found.append(replace(raw, lines=(raw.row,)))
    return sorted(found, key=lambda raw: (raw.file, raw.line))


def selected(raw: Raw, where: Mapping[str, Sequence[str]]) -> bool:
    """Whether every named item holds one of its texts, compared without case, accents and outer spaces."""
    return all(fold(raw.text(item) or "") in {fold(value) for value in values} for item, values in where.items())


def filter_name(where: Mapping[str, Sequence[str]]) -> str:
    """The filter as text, for the reason of rows that it leaves out."""
    return "not selected: " + " and ".join(f"{item}={' or '.join(values)}" for item, values in where.items())


def join(raws: Iterable[Raw], others: Sequence[Raw], on: Mapping[str, str], log: Log) -> list[tuple[Raw, bool]]:
    """Each row with the cells of the row of ``others`` that has equal keys, and whether there is one.

    ``on``: this item to that item; texts are compared trimmed. An item of both forms keeps its own cell. Without a
    partner the other form's items are null. A key that stands in several rows takes the first and is queried, a key
    without partner is queried once per key.
    """
    index: dict[tuple[str, ...], list[Raw]] = {}
    for other in others:
        index.setdefault(_key(other, on.values()), []).append(other)
    form = others[0].form if others else None
    items = dict.fromkeys(item for other in others for item in other.cells)
    absent: dict[str, list[Raw]] = {}
    joined = []
    for raw in raws:
        key = _key(raw, on)
        partners = index.get(key, []) if all(key) else []
        value = "/".join(key)
        item = next(iter(on))
        if len(partners) > 1:
            log.add("join_ambiguous", raw.origin(item), form=partners[0].form, item=item, value=value)
        if partners:
            joined.append((_merged(raw, partners[0]), True))
            continue
        absent.setdefault(value, []).append(raw)
        joined.append((replace(raw, cells={**dict.fromkeys(items), **raw.cells}), False))
    for value, missing in sorted(absent.items()):
        item = next(iter(on))
        cells = [cell for raw in missing for cell in raw.origin(item)]
        log.add("join_unknown", cells, form=form, item=item, value=value or "an empty number")
    return joined


def _merged(raw: Raw, other: Raw) -> Raw:
    taken = [item for item in other.cells if item not in raw.cells]
    cells = {**raw.cells, **{item: other.cells[item] for item in taken}}
    places = {**raw.places, **{item: other.origin(item) for item in taken}}
    return replace(raw, cells=cells, places=places)


def _key(raw: Raw, items: Iterable[str]) -> tuple[str, ...]:
    return tuple((raw.text(item) or "").strip() for item in items)


def _texts(column: pd.Series) -> list[str | None]:
    return [value if isinstance(value, str) else None if pd.isna(value) else str(value) for value in column]
