"""The chain between raw cells and printed numbers, read from the artifacts of a trial.

Edges: result -> rowset -> derived row -> (derived or clean) row -> raw cell. Nothing is recomputed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from trialpipe.io import store

Row = dict[str, Any]


class Cell(NamedTuple):
    """A raw cell: file (with ``[sheet]`` where there is one), row, item."""

    file: str
    row: str
    item: str

    @classmethod
    def parse(cls, address: str) -> Cell:
        """``file:row:item``; ValueError if it is not of that form."""
        parts = address.split(":", 2)
        if len(parts) != 3 or not parts[1].isdigit():
            raise ValueError(f"'{address}' is not a cell; write file:row:item, e.g. ecrf/GREFFE.csv:4:DATE_GREFFE")
        return cls(*parts)

    def __str__(self) -> str:
        return f"{self.file}:{self.row}:{self.item}"


class Graph:
    """Rows and edges of one trial's results folder. Tables are read when first asked for."""

    def __init__(self, folder: Path) -> None:
        if not (folder / "analysis.parquet").exists():
            raise FileNotFoundError(f"{folder.as_posix()} holds no results; run snakemake first")
        self.folder = folder

    @cached_property
    def results(self) -> list[Row]:
        """Rows of the analysis table in printed order."""
        rows = store.read_arrow(self.folder / "analysis.parquet").to_pylist()
        return sorted(rows, key=lambda row: row["order"])

    @cached_property
    def rowsets(self) -> dict[str, list[tuple[str, str]]]:
        """rowset -> (row_id, role), sorted."""
        found: dict[str, list[tuple[str, str]]] = {}
        for row in store.read_arrow(self.folder / "rowsets.parquet").to_pylist():
            found.setdefault(row["rowset"], []).append((row["row_key"], row["role"]))
        return {name: sorted(rows) for name, rows in found.items()}

    @cached_property
    def rows(self) -> dict[str, Row]:
        """Every clean and derived row by row_id."""
        found: dict[str, Row] = {}
        for stage in ("clean", "derived"):
            for path in sorted((self.folder / stage).glob("*.parquet")):
                table = store.read_arrow(path)
                if "row_id" in table.schema.names:
                    found.update((row["row_id"], row) for row in table.to_pylist())
        return found

    @cached_property
    def _ingested(self) -> dict[tuple[str, str], Row]:
        found: dict[tuple[str, str], Row] = {}
        for path in sorted((self.folder / "ingested").glob("*/*.parquet")):
            if not path.name.endswith(".redacted.parquet"):
                for row in store.read_arrow(path).to_pylist():
                    sheet = f"[{row['source_sheet']}]" if row.get("source_sheet") else ""
                    found[(f"{row['source_file']}{sheet}", str(row["source_row"]))] = row
        return found

    def result(self, result_id: str) -> Row:
        """The result row; KeyError if there is none."""
        for row in self.results:
            if row["result_id"] == result_id:
                return row
        raise KeyError(result_id)

    def parents(self, row_id: str) -> tuple[list[str], list[str]]:
        """(rows, raw cells) a row was made from, sorted."""
        row = self.rows[row_id]
        return sorted(row.get("from") or []), sorted(row.get("origin") or [])

    def has(self, cell: Cell) -> bool:
        """Whether the extracts hold this cell."""
        return cell.item in self._ingested.get((cell.file, cell.row), {})

    def text(self, cell: Cell) -> str | None:
        """Text of a raw cell as ingested (redacted where the gate redacted); None if absent or empty."""
        row = self._ingested.get((cell.file, cell.row))
        return None if row is None else row.get(cell.item)

    def reached(self, cell: Cell) -> set[str]:
        """Every clean and derived row that a raw cell reaches."""
        address = str(cell)
        children: dict[str, list[str]] = {}
        for row_id, row in self.rows.items():
            for parent in row.get("from") or []:
                children.setdefault(parent, []).append(row_id)
        waiting = [row_id for row_id, row in self.rows.items() if address in (row.get("origin") or [])]
        seen: set[str] = set()
        while waiting:
            row_id = waiting.pop()
            if row_id not in seen:
                seen.add(row_id)
                waiting += children.get(row_id, [])
        return seen

    def touched(self, cell: Cell) -> Iterator[Row]:
        """Results whose row sets hold a row that the cell reaches, in printed order."""
        rows = self.reached(cell)
        sets = {name for name, members in self.rowsets.items() if any(row in rows for row, _ in members)}
        return (row for row in self.results if row["rowset"] in sets)
