"""Tables of results: rows of the analysis table laid out by the shell of their analysis kind. Formats, never computes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from trialpipe.report.shells import DIMENSIONS, SHELLS, Shell

Row = dict[str, Any]
TOKEN = re.compile(r"\{(\w+)\}")
NOT_DONE = "not implemented"


@dataclass(frozen=True)
class Cell:
    """A printed cell: its text, the identity of its numbers, and what is assumed or missing."""

    text: str
    cell_id: str = ""
    note: str = ""
    missing: bool = False


@dataclass(frozen=True)
class Table:
    """``head``: column headers; ``spans``: (group header, columns under it); ``body``: row headers and cells."""

    spans: list[tuple[str, int]]
    head: list[str]
    stub: list[str]
    body: list[tuple[list[str], list[Cell]]]
    methods: list[str]
    notes: list[str]


def table(rows: list[Row], kind: str) -> Table:
    """Lay out the rows of one analysis and scenario.

    A line per distinct value of the dimensions that vary (stratum, term, parameter, category, visits, time), in the
    order of the results; a block of columns per group (and comparator).
    """
    shell = SHELLS.get(kind, Shell(columns=()))
    columns = shell.columns or tuple((s, "{" + s + "}") for s in dict.fromkeys(str(r["statistic"]) for r in rows))
    dimensions = [d for d in DIMENSIONS if any(row[d] is not None for row in rows) and d not in shell.hide]
    groups = list(dict.fromkeys(_group(row) for row in rows))
    lines = list(dict.fromkeys(tuple(_label(d, row) for d in dimensions) for row in rows))
    cells: dict[tuple[tuple[str, ...], str], dict[str, Row]] = {}
    for row in rows:
        place = (tuple(_label(d, row) for d in dimensions), _group(row))
        cells.setdefault(place, {})[str(row["statistic"])] = row
    used = [c for c in columns if any(_fits(c[1], cells.get((line, g), {})) for line in lines for g in groups)]
    body = []
    for line in lines:
        printed = [_cell(pattern, cells.get((line, group), {})) for group in groups for _, pattern in used]
        if any(cell.text for cell in printed):
            body.append((list(line), printed))
    return Table(
        spans=[(group, len(used)) for group in groups] if groups != ["Overall"] and groups != [""] else [],
        head=[title for _ in groups for title, _ in used],
        stub=[shell.titles.get(d, DIMENSIONS[d]) for d in dimensions],
        body=body,
        methods=_distinct(row["method"] for row in rows),
        notes=_distinct(row["note"] for row in rows if row["value"] is None or row["note"]),
    )


def _group(row: Row) -> str:
    group = str(row["group"] or "Overall")
    return f"{group} vs {row['comparator']}" if row["comparator"] else group


def _label(dimension: str, row: Row) -> str:
    value = row[dimension]
    if value is None:
        return ""
    if dimension == "time":
        return f"{float(value):g}"
    return str(value)


def _fits(pattern: str, found: dict[str, Row]) -> bool:
    return any(token in found for token in TOKEN.findall(pattern))


def _cell(pattern: str, found: dict[str, Row]) -> Cell:
    tokens = TOKEN.findall(pattern)
    present = [found[token] for token in tokens if token in found]
    if not present:
        return Cell("")
    first = present[0]
    note = "; ".join(_distinct(row["note"] for row in present))
    if all(row["value"] is None and not row["formatted"] for row in present):
        return Cell("", str(first["cell_id"]), note, missing=True)
    text = pattern
    if len(present) < len(tokens) or any(row["value"] is None for row in present):
        text = pattern if len(tokens) == 1 else _partial(pattern, found)
    filled = TOKEN.sub(lambda m: str(found[m.group(1)]["formatted"]) if m.group(1) in found else "", text)
    return Cell(filled.strip(), str(first["cell_id"]), note, missing=any(row["note"] == NOT_DONE for row in present))


def _partial(pattern: str, found: dict[str, Row]) -> str:
    """The pattern when some of its numbers do not exist: an interval without limits, a count without percentage."""
    known = [t for t in TOKEN.findall(pattern) if t in found and found[t]["value"] is not None]
    if not known:
        token = next(t for t in TOKEN.findall(pattern) if t in found)
        return "{" + token + "}"
    if {"n", "denominator"} <= set(known) and "percent" not in known:
        return "{n}/{denominator}"
    return pattern


def _distinct(values: Iterable[object]) -> list[str]:
    return list(dict.fromkeys(str(value) for value in values if value))
