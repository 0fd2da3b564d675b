"""One table of the headline number under every sensitivity scenario. Lays out result rows, computes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from trialpipe.config.outcomes import Outcome
from trialpipe.report.captions import table_caption
from trialpipe.report.tables import Row, Table, table

PRIMARY = "primary"
COLUMN = "Analysis"
_IDENTITY = (
    *("group", "comparator", "stratum", "term", "parameter", "variable"),
    *("category", "visit", "base_visit", "time"),
)


def summary(
    outcome: Outcome,
    analysis: str,
    kind: str,
    rows: list[Row],
    labels: Mapping[tuple[str, str], str],
    sets: Mapping[str, str] | None = None,
) -> Table | None:
    """A line for the primary analysis and one per scenario that has the number; None if ``analysis`` is not the one.

    The number is that of the headline: all patients together or a comparison, the state ``success`` if there are
    states, the last time if there are times. None also if that is more than one number.
    ``sets``: labels of populations.
    """
    asked = outcome.headline.model_dump(exclude_none=True) if outcome.headline else {}
    if not outcome.sensitivity or asked.get("analysis", analysis) != analysis:
        return None
    mine = [row for row in rows if row["analysis"] == analysis]
    place = _place([row for row in mine if row["scenario"] == PRIMARY], asked)
    if place is None:
        return None
    words = {PRIMARY: "Primary analysis"} | {s.id: s.label for s in outcome.sensitivity}
    shown = [row for row in mine if all(row[name] == place[name] for name in _IDENTITY) and row["scenario"] in words]
    if len({row["scenario"] for row in shown}) < 2:
        return None
    made = table([_line(row) for row in shown], kind, {**labels, **{("category", k): v for k, v in words.items()}})
    caption = f"{_which(place, labels)}{table_caption(kind, shown, sets or {})}"
    return replace(made, stub=[COLUMN], notes=[], methods=[], caption=caption)


def _which(place: Row, labels: Mapping[tuple[str, str], str]) -> str:
    """Which number of the result the lines hold: its category, visit and day."""
    parts = [labels.get((name, place[name]), place[name]) for name in ("category", "visit") if place[name] is not None]
    parts += [f"day {place['time']:g}"] if place["time"] is not None else []
    text = ", ".join(parts)
    return f"{text[0].upper()}{text[1:]}. " if text else ""


def alike(tables: list[tuple[str, Table]], others: list[tuple[str, Table]]) -> bool:
    """Whether two lists of titled tables print the same."""

    def printed(table: Table) -> tuple[object, ...]:
        return table.head, [(labels, [cell.text for cell in cells]) for labels, cells in table.body], table.notes

    return [(title, printed(table)) for title, table in tables] == [(title, printed(table)) for title, table in others]


def _place(rows: list[Row], asked: Mapping[str, Any]) -> Row | None:
    """A row of the number's cell; None if no single cell is meant."""
    columns = [name for name in asked if name not in ("analysis", "statistic")]
    found = [row for row in rows if all(row[name] == asked[name] for name in columns)]
    if "category" not in columns:
        found = [row for row in found if row["category"] == "success"] or found
    times = [row["time"] for row in found if row["time"] is not None]
    if times:
        found = [row for row in found if row["time"] == max(times)]
    found = [row for row in found if row["comparator"]] or [r for r in found if r["group"] in (None, "Overall")]
    estimates = [row for row in found if row["statistic"] in ("lower", "percent")] or found
    cells = {tuple(row[name] for name in _IDENTITY) for row in estimates}
    return estimates[0] if len(cells) == 1 else None


def _line(row: Row) -> Row:
    """The row under the name of its scenario, with nothing else that makes a line."""
    return {**row, **dict.fromkeys(_IDENTITY), "category": row["scenario"]}
