"""A simulated extract beside its truth, which was written before any defect was planted."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache, cached_property
from pathlib import Path

import pandas as pd
import pytest
from helpers.clean_case import ROOT, Cleaned, cleaned

TRIALS = ("c-hlh", "r-hlh")
Row = dict[str, str]


class TruthCase:
    """Extracts of a trial under ``root``: truth tables, planted defects by address, and what the clean stage makes."""

    def __init__(self, trial: str, root: Path | None = None) -> None:
        self.trial = trial
        self.root = root or ROOT / "resources" / "extracts" / trial
        self._rows: dict[str, list[Row]] = {}

    def rows(self, name: str) -> list[Row]:
        """Rows of truth/<name>.csv."""
        if name not in self._rows:
            path = self.root / "truth" / f"{name}.csv"
            if not path.exists():
                pytest.skip(f"{path.name} of the simulated trial is not there: make simulate")
            with open(path, encoding="utf-8", newline="") as stream:
                self._rows[name] = list(csv.DictReader(stream))
        return self._rows[name]

    @cached_property
    def defects(self) -> dict[str, list[Row]]:
        """Changed cells by the id of their defect; ``raw_row`` and ``cell`` are addresses as ``origin`` has them."""
        found: dict[str, list[Row]] = defaultdict(list)
        for row in self.rows("defects"):
            place = f"{row['file']}[{row['sheet']}]" if row["sheet"] else row["file"]
            raw_row = f"{place}:{row['row']}"
            found[row["id"]].append({**row, "raw_row": raw_row, "cell": f"{raw_row}:{row['item']}"})
        return dict(found)

    @cached_property
    def cells(self) -> list[Row]:
        """Every changed cell."""
        return [cell for cells in self.defects.values() for cell in cells]

    @cached_property
    def touched(self) -> frozenset[str]:
        """Raw rows with a defect after which the extract need not hold the truth."""
        return frozenset(cell["raw_row"] for cell in self.cells if cell["determines"] != "equal")

    @cached_property
    def clean(self) -> Cleaned:
        return cleaned(self.trial, self.root)

    def is_sound(self, origin: Iterable[str]) -> bool:
        """Whether no planted defect may have changed a record of these cells."""
        return self.touched.isdisjoint(cell.rsplit(":", 1)[0] for cell in origin)

    def sound(self, frame: pd.DataFrame) -> Iterator[dict]:
        """Records that no planted defect may have changed."""
        return (row for row in frame.to_dict("records") if self.is_sound(row["origin"]))

    def sound_wells(self, frame: pd.DataFrame) -> Iterator[dict]:
        """Records of plates that no planted defect may have changed: a line of the file holds a well of all analytes.

        ``origin`` starts with a cell of the result, whose item is the analyte, and has the sample's cell of every well.
        """
        planted = {cell["cell"] for cell in self.cells if cell["determines"] != "equal"}
        for row in frame.to_dict("records"):
            analyte = row["origin"][0].rsplit(":", 1)[1]
            lines = {cell.rsplit(":", 1)[0] for cell in row["origin"]}
            if planted.isdisjoint([*row["origin"], *(f"{line}:{analyte}" for line in lines)]):
                yield row

    def subject(self, row: dict) -> str:
        return row["USUBJID"].removeprefix(f"{self.trial}/")

    def usubjid(self, row: Row) -> str:
        return f"{self.trial}/{row['subject']}"

    def false_queries(self) -> list[tuple[str, str, str]]:
        """(rule, subject, value) of errors and warnings that touch no planted cell."""
        planted = {cell["cell"] for cell in self.cells}
        return [
            (row.rule, row.subject, row.value)
            for row in self.clean.queries.itertuples()
            if row.severity != "note" and not planted & set(row.origin)
        ]

    def last_runs(self) -> dict[tuple[str, str], Row]:
        """The plate that counts of each sample and analyte: the last one on which it has its own number."""
        renamed = {(cell["file"], cell["original"]) for cell in self.cells if cell["kind"].endswith("sample_unknown")}
        chosen: dict[tuple[str, str], Row] = {}
        for row in sorted(self.rows("cytokines"), key=lambda t: t["file"]):
            if (row["file"], row["sample"]) not in renamed:
                chosen[row["sample"], row["analyte"]] = row
        return chosen


@cache
def committed(trial: str) -> TruthCase:
    """The extracts of a trial as they are in the repository."""
    return TruthCase(trial)


def text(value: object) -> str:
    return value if isinstance(value, str) else ""
