"""Planting of defects into raw text, after the truth is written. A defect is one or more cells with one id.

Which kinds, how often and what they leave determined stands in the parameter file; here is only how each is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from trialpipe.simulate.parameters import Item, Parameters
from trialpipe.simulate.patient import Patient
from trialpipe.simulate.raw import Row, Table
from trialpipe.simulate.rng import stream

UNKNOWN = "ND"
"""Written for the unknown part of a date."""


@dataclass(frozen=True)
class Cell:
    """One changed cell."""

    table: Table
    row: Row
    item: str
    original: str
    planted: str


@dataclass
class Forge:
    """The raw tables and what has been touched. A row carries at most one defect."""

    patients: dict[str, Patient]
    forms: dict[str, Table]
    sheets: list[Table]
    cutoff_year: int
    touched: set[int] = field(default_factory=set)

    def free(self, table: Table) -> list[Row]:
        return [row for row in table.rows if id(row) not in self.touched]

    def put(self, table: Table, row: Row, item: str, text: str) -> Cell:
        """Replace a cell's text."""
        original = row.cells[item]
        row.cells[item] = text
        self.touched.add(id(row))
        return Cell(table, row, item, original, text)

    def insert(self, table: Table, after: Row, cells: dict[str, str]) -> Row:
        """A further row behind ``after``."""
        row = Row(dict(cells), after.subject, dict(after.tags))
        position = next(k for k, other in enumerate(table.rows) if other is after)
        table.rows.insert(position + 1, row)
        self.touched |= {id(row), id(after)}
        return row


Maker = Callable[[Forge, np.random.Generator], list[Cell]]


def choose(rng: np.random.Generator, rows: list[Row]) -> Row | None:
    return rows[int(rng.integers(len(rows)))] if rows else None


def plant(p: Parameters, seed: int, forge: Forge, makers: dict[str, Maker]) -> tuple[list[dict[str, object]], set[str]]:
    """Plant every kind of the parameter file at its rate; returns (rows of truth/defects.csv, kinds without a place).

    Raises KeyError for a kind that no maker knows.
    """
    share = len(forge.patients) / p.number("planned_n")
    found: list[tuple[str, list[Cell]]] = []
    absent = set()
    for entry in p.defects:
        kind = entry["kind"]
        for k in range(max(1, round(float(entry["rate"]) * share))):
            cells = makers[kind](forge, stream(seed, "defect", kind, k))
            if cells:
                found.append((kind, cells))
            else:
                absent.add(kind)
    for cell in (cell for _, cells in found for cell in cells):
        cell.table.settle()
    details = {entry["kind"]: entry for entry in p.defects}
    return list(_rows(found, details)), absent


def _rows(found: list[tuple[str, list[Cell]]], details: dict[str, Item]) -> Iterable[dict[str, object]]:
    for number, (kind, cells) in enumerate(found, start=1):
        entry = details[kind]
        detectable = "no" if _hidden(cells, entry.get("hidden_by", ()), found) else entry["detectable"]
        for cell in cells:
            yield {
                "id": f"D{number:03d}",
                "kind": kind,
                "file": cell.table.file(cell.row),
                "sheet": cell.table.sheet or "",
                "row": cell.table.line(cell.row),
                "item": cell.item,
                "original": cell.original,
                "planted": cell.planted,
                "subject": cell.row.subject,
                "detectable": detectable,
                "determines": entry["determines"],
                "rule": entry["rule"],
            }


def _hidden(cells: list[Cell], by: Iterable[str], found: list[tuple[str, list[Cell]]]) -> bool:
    """Whether a date stands within the partial date that a defect of the kinds ``by`` left of the same patient.

    A record of the month of a death contradicts that death no longer once its day is unknown.
    """
    partial = [
        (other.row.subject, other.planted.replace(UNKNOWN, "")) for kind, own in found if kind in by for other in own
    ]
    return any(cell.row.subject == subject and known in cell.planted for cell in cells for subject, known in partial)
