"""Reader of Luminex INTELLIFLEX CSV exports: a wide row per well becomes a row per figure, as `xponent` has it.

The file: one header line, one line per well: plate columns (INSTRUMENT TYPE, SERIAL NUMBER, SOFTWARE VERSION, PLATE
NAME, PLATE START, WELL LOCATION, SAMPLE ID ...), then ``<analyte> <figure>`` columns, where the figure is one of
``FIGURES`` (``R25: RP1 MEDIAN``). Columns of neither kind are kept per row in PLATE_META.

The table has the columns of `xponent`: BLOCK is the figure as xPONENT calls it (Median, Count, Avg Net MFI ...),
ANALYTE the text before it; TOTAL_EVENTS the well's; PLATE_META the other columns of the row as JSON, a list of
``[column, value]``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from trialpipe.ingest import delimited
from trialpipe.ingest.common import ORIGIN, Builder, Dialect
from trialpipe.ingest.xponent import COLUMNS
from trialpipe.io.errors import DataError

# longest first: a column's name ends with its figure
FIGURES = {
    "AVERAGE MFI": "Avg Net MFI",
    "NET MFI": "Net MFI",
    "STD DEV": "Std Dev",
    "MEDIAN": "Median",
    "COUNT": "Count",
    "MEAN": "Mean",
    "%CV": "%CV",
}
PLATE = {
    "PLATE_BATCH": "PLATE NAME",
    "PLATE_DATE": "PLATE START",
    "PLATE_SERIAL": "SERIAL NUMBER",
    "PLATE_PROGRAM": "INSTRUMENT TYPE",
    "PLATE_BUILD": "SOFTWARE VERSION",
}
LOCATION, SAMPLE, TOTAL = "WELL LOCATION", "SAMPLE ID", "TOTAL EVENTS"


def read(path: Path, rel: str, dialect: Dialect | Mapping[str, Any]) -> pa.Table:
    """Read one INTELLIFLEX export into a long ingested table (layout: see the module).

    Dialect keys: ``encoding``, ``separator``, ``quote``. Raises DataError for a missing plate column, no figure
    column, a well that stands twice in a plate, no wells, and for what `delimited.read` refuses.
    """
    form = Dialect.of(dialect)
    wide = delimited.read(path, rel, Dialect(encoding=form.encoding, separator=form.separator, quote=form.quote))
    columns = wide.column_names[len(ORIGIN) :]
    measured = {name: found for name in columns if (found := _figure(name))}
    _check(columns, measured, wide.num_rows, rel)
    named = {LOCATION, SAMPLE, TOTAL, *PLATE.values(), *measured}
    seen: dict[tuple[str | None, str | None], int] = {}
    builder = Builder(COLUMNS, rel, 1)
    for well in wide.to_pylist():
        row = well["source_row"]
        place = (well[PLATE["PLATE_BATCH"]], well[LOCATION])
        if place in seen:
            message = f"well stands twice, here and in line {seen[place]}"
            raise DataError(rel, row, LOCATION, well[LOCATION], message, "keep one of them")
        seen[place] = row
        rest = [[name, well[name]] for name in columns if name not in named]
        made = [*(well[column] for column in PLATE.values()), json.dumps(rest, ensure_ascii=False)]
        for name, (analyte, block) in measured.items():
            builder.add(row, [block, well[LOCATION], well[SAMPLE], analyte, well[name], well.get(TOTAL), *made])
    return builder.table()


def _figure(name: str) -> tuple[str, str] | None:
    """(analyte, block) of a column; None for a column of the plate or the well."""
    for ending, block in FIGURES.items():
        if name.upper().endswith(f" {ending}"):
            return name[: -len(ending) - 1].strip(), block
    return None


def _check(columns: list[str], measured: Mapping[str, object], rows: int, rel: str) -> None:
    cure = "export the plate again from INTELLIFLEX, with its plate columns and figures"
    missing = [name for name in (LOCATION, SAMPLE, *PLATE.values()) if name not in columns]
    if missing:
        raise DataError(rel, 1, missing[0], None, f"missing column {', '.join(missing)}", cure)
    if not measured:
        raise DataError(rel, 1, None, None, f"no column ends with {', '.join(FIGURES)}", cure)
    if not rows:
        raise DataError(rel, None, None, None, "file has no wells", cure)
