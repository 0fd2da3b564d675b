"""Marks of the second derivation: under every table, figure and outcome, how many of its numbers are confirmed.

A report has them where verdicts are given (``make qc``); the numbers themselves are the same with and without.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from trialpipe.report.tables import Row, Table

SAME, DIFFERENT, NO_VALUE, NOT_COVERED, THIRD = "same", "different", "no value", "not covered", "third way: "


class Mark(NamedTuple):
    """``ok``: every number is confirmed; ``text``: how many, how, and what is not."""

    ok: bool
    text: str


def mark(rows: Iterable[Row], verdicts: Mapping[str, str]) -> Mark:
    """Mark of result rows. ``verdicts``: verdict by ``result_id``; a row without one counts as not covered.

    Rows of which neither derivation has a value are not counted.
    """
    return mark_of(
        verdicts.get(row["result_id"], NOT_COVERED if row["value"] is not None else NO_VALUE) for row in rows
    )


def mark_of(verdicts: Iterable[str]) -> Mark:
    """Mark of verdicts."""
    found = Counter(verdicts)
    del found[NO_VALUE]
    total = sum(found.values())
    ways = {name.removeprefix(THIRD): n for name, n in sorted(found.items()) if name.startswith(THIRD)}
    agreed = found[SAME] + sum(ways.values())
    if not total:
        return Mark(True, "no number to confirm")
    how = f" ({', '.join(f'{n} by {way}' for way, n in ways.items())})" if ways else ""
    open_ = [f"{found[name]} {name}" for name in (DIFFERENT, NOT_COVERED) if found[name]]
    gone = f"; NOT CONFIRMED: {', '.join(open_)}" if open_ else ""
    return Mark(not open_, f"{agreed} of {total} numbers confirmed{how}{gone}")


def marked(section: dict[str, Any], rows: list[Row], verdicts: Mapping[str, str]) -> dict[str, Any]:
    """The section of an outcome (``run.section``) with marks. ``rows``: its results."""
    by_cell: dict[str, list[Row]] = {}
    for row in rows:
        by_cell.setdefault(str(row["cell_id"]), []).append(row)

    def with_mark(table: Table) -> Table:
        cells = dict.fromkeys(cell.cell_id for _, line in table.body for cell in line if cell.cell_id)
        return replace(table, mark=mark([row for cell in cells for row in by_cell.get(cell, [])], verdicts))

    def titled(tables: list[tuple[str, Table]]) -> list[tuple[str, Table]]:
        return [(title, with_mark(table)) for title, table in tables]

    blocks = []
    for block in section["blocks"]:
        name = block["name"]
        drawn = [row for row in rows if row["analysis"] in (name, f"{name}~curve") and row["scenario"] == "primary"]
        blocks.append(
            block
            | {
                "scenarios": [(label, titled(tables)) for label, tables in block["scenarios"]],
                "sensitivity": block["sensitivity"] and with_mark(block["sensitivity"]),
                "mark": mark(drawn, verdicts) if block["figure"] else None,
            }
        )
    return section | {
        "blocks": blocks,
        "intercurrent": titled(section["intercurrent"]),
        "mark": mark(rows, verdicts),
    }
