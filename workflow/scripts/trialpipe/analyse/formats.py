"""Canonical text of a statistic, by the closed list in ``resources/reference/statistics.csv``."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from trialpipe.io import reference
from trialpipe.stats.rounding import round_half_away

MOST_DATA_DECIMALS = 2
_COUNTED_KINDS = ("count", "percent")


class Statistic(NamedTuple):
    """A line of the list. ``decimals``: a number, or a rule of the form ``data+1`` or ``estimate``."""

    name: str
    kind: str
    decimals: str
    unit: str
    role: str


class Undefined(NamedTuple):
    """A number that does not exist: its text (NE not estimable, NR not reached) and why."""

    text: str
    note: str


class Bounded(NamedTuple):
    """A number known only as a bound: ``<`` or ``>`` of a value outside the range of quantification."""

    value: float
    qualifier: str


Value = float | int | Undefined | Bounded
NOT_ESTIMABLE = "NE"
NOT_REACHED = "NR"


@cache
def statistics() -> dict[str, Statistic]:
    """The closed list by name."""
    rows = reference.rows("statistics.csv")
    return {r["statistic"]: Statistic(r["statistic"], r["kind"], r["decimals"], r["unit"], r["role"]) for r in rows}


def describes_method(name: str) -> bool:
    """Whether a statistic is the outcome of a method (an estimate, limit or test), not a count."""
    return statistics()[name].kind not in _COUNTED_KINDS


def data_decimals(values: Iterable[float]) -> int:
    """Decimals in which the data were recorded, at most two: more come from unit conversion, not from measuring."""
    shown = (f"{value:.10g}" for value in values if math.isfinite(value))
    return min(MOST_DATA_DECIMALS, max((len(text.partition(".")[2]) for text in shown if "e" not in text), default=0))


def estimate_decimals(names: Iterable[str], data: int) -> int:
    """Decimals of the estimate of a cell; its limits have the same. 2 if the cell has no estimate."""
    for wanted in ("estimate", "percent"):
        for name in names:
            if statistics()[name].kind == wanted:
                return _decimals(statistics()[name].decimals, data, 0)
    return 2


def text_of(name: str, value: Value, data: int, estimate: int) -> str:
    """Canonical English text of one statistic; an undefined number gives its own text."""
    if isinstance(value, Undefined):
        return value.text
    if isinstance(value, Bounded):
        return f"{value.qualifier}{plain(value.value)}"
    statistic = statistics()[name]
    decimals = _decimals(statistic.decimals, data, estimate)
    if statistic.kind == "p":
        return p_text(float(value), decimals)
    return round_half_away(float(value), decimals)


def p_text(value: float, decimals: int) -> str:
    """A p-value, ``<0.001`` and ``>0.999`` beyond what its decimals can show."""
    smallest = 10.0**-decimals
    if value < smallest:
        return f"<{round_half_away(smallest, decimals)}"
    if value > 1 - smallest:
        return f">{round_half_away(1 - smallest, decimals)}"
    return round_half_away(value, decimals)


def plain(value: float) -> str:
    """A limit in at most four decimals (four significant digits below 0.01), without trailing zeros."""
    return f"{value:.4g}" if abs(value) < 0.01 else f"{float(round_half_away(value, 4)):.15g}"


def _decimals(rule: str, data: int, estimate: int) -> int:
    base, _, more = rule.partition("+")
    start = {"data": data, "estimate": estimate}.get(base)
    return int(base) if start is None else start + int(more or 0)
