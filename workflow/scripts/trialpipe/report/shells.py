"""Table shells: which statistics of an analysis kind stand in which column. Data; ``tables.table`` interprets it."""

from __future__ import annotations

from dataclasses import dataclass, field

DIMENSIONS = {
    "stratum": "Stratum",
    "parameter": "Parameter",
    "term": "Term",
    "category": "",
    "variable": "",
    "base_visit": "From",
    "visit": "Visit",
    "time": "Day",
}
"""Result columns that make the lines of a table, in nesting order, with their headers."""


@dataclass(frozen=True)
class Shell:
    """``columns``: (header, pattern of statistics); ``titles``: headers of dimensions; ``hide``: dimensions left out."""

    columns: tuple[tuple[str, str], ...]
    titles: dict[str, str] = field(default_factory=dict)
    hide: tuple[str, ...] = ()


N_PERCENT = ("n/N (%)", "{n}/{denominator} ({percent} %)")
INTERVAL = ("Interval", "[{lower}, {upper}]")

SHELLS: dict[str, Shell] = {}
