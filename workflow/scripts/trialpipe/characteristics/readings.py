"""What the rows of an analysis say about an estimand: estimate, interval, decision.

A function per kind of analysis, found through ``READERS``. Estimates stand in the unit of the rows, hazard ratios as
logarithms. A number that the analysis leaves undefined is nan; a test that is undefined rejects nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from trialpipe.config.analyses import AnyAnalysis, ProportionAnalysis
from trialpipe.config.analyses_survival import Cox, DifferenceAtTime

Rows = list[dict[str, Any]]
NAN = math.nan
REJECT, STOP = "reject p0", "stop for futility"
"""Decisions of a two-stage design in the words of its rows."""


@dataclass(frozen=True)
class Reading:
    """One estimate of one estimand. ``truth``: name of the true value; ``rejects``: 1, 0, or nan without a test."""

    measure: str
    truth: str
    unit: str
    estimate: float = NAN
    std_err: float = NAN
    lower: float = NAN
    upper: float = NAN
    rejects: float = NAN
    patients: float = NAN
    stops: float = NAN


def read(analysis: AnyAnalysis, rows: Rows, level: float) -> list[Reading]:
    """Readings of an analysis's rows; ``level`` is that of a test whose analysis names none. KeyError: no reader."""
    return READERS[analysis.kind](analysis, rows, level)


def _cell(rows: Rows, **place: object) -> dict[str, dict[str, Any]]:
    """Rows by statistic of the one cell at a place; empty if there is none."""
    return {row["statistic"]: row for row in rows if all(row[key] == value for key, value in place.items())}


def _value(cell: dict[str, dict[str, Any]], statistic: str) -> float:
    found = cell.get(statistic, {}).get("value")
    return NAN if found is None else float(found)


def _rejects(cell: dict[str, dict[str, Any]], level: float) -> float:
    """1 if the p-value is at most the level; 0 also where it is undefined; nan if the analysis tests nothing."""
    if "p" not in cell:
        return NAN
    p = _value(cell, "p")
    return float(not math.isnan(p) and p <= level)


def _proportion(analysis: AnyAnalysis, rows: Rows, level: float) -> list[Reading]:
    assert isinstance(analysis, ProportionAnalysis)
    cell = _cell(rows, category="success", group="Overall")
    alpha = round((1 - analysis.conf_level) / (1 if analysis.alternative == "two-sided" else 2), 12)
    values = [_value(cell, name) for name in ("percent", "lower", "upper")]
    return [
        Reading(
            "proportion", "success", "percent", values[0], NAN, values[1], values[2], _rejects(cell, alpha),
            _value(cell, "denominator"),
        )
    ]  # fmt: skip


def _two_stage(analysis: AnyAnalysis, rows: Rows, level: float) -> list[Reading]:
    final, first = (_cell(rows, variable="observed", category=name) for name in ("both stages", "stage 1"))
    cell = _cell(rows, variable="estimates", category="success")
    rejects = float(final["decision"]["value_text"] == REJECT)
    stops = float(first["decision"]["value_text"] == STOP)
    design = Reading(
        "design", "success", "percent", rejects=rejects, patients=_value(final, "denominator"), stops=stops
    )
    plain = [
        Reading(label, "success", "percent", _value(cell, name))
        for label, name in (("maximum likelihood estimate", "mle"), ("UMVUE", "umvue"))
    ]
    limits = _value(cell, "lower"), _value(cell, "upper")
    median = Reading("median-unbiased estimate", "success", "percent", _value(cell, "median_unbiased"), NAN, *limits)
    return [design, *plain, median]


def _difference(analysis: AnyAnalysis, rows: Rows, level: float) -> list[Reading]:
    assert isinstance(analysis, DifferenceAtTime)
    found = []
    for time in analysis.at:
        cell = _cell(rows, time=float(time))
        gap, error, lower, upper = (_value(cell, name) for name in ("difference", "std_err", "lower", "upper"))
        tested = _rejects(cell, round(1 - analysis.conf_level, 12))
        name = f"difference on day {time}"
        found.append(Reading(name, f"difference-{time}", "probability", gap, error, lower, upper, tested))
    return found


def _logrank(analysis: AnyAnalysis, rows: Rows, level: float) -> list[Reading]:
    cell = _cell([row for row in rows if row["statistic"] == "p"], group="Overall")
    return [Reading("test", "log-hazard-ratio", "", rejects=_rejects(cell, level))]


def _cox(analysis: AnyAnalysis, rows: Rows, level: float) -> list[Reading]:
    assert isinstance(analysis, Cox)
    cell = {row["statistic"]: row for row in rows if row["term"] == analysis.terms[0]}
    lower, upper = (math.log(v) if v > 0 else NAN for v in (_value(cell, "lower"), _value(cell, "upper")))
    tested = _rejects(cell, round(1 - analysis.conf_level, 12))
    estimate, error = _value(cell, "coef"), _value(cell, "std_err")
    name = "log hazard ratio"
    return [Reading(name, "log-hazard-ratio", name, estimate, error, lower, upper, tested)]


READERS: dict[str, Callable[[AnyAnalysis, Rows, float], list[Reading]]] = {
    "proportion": _proportion,
    "simon_two_stage": _two_stage,
    "difference_at_time": _difference,
    "logrank": _logrank,
    "cox": _cox,
}
"""Kind of analysis to the function that reads its rows."""
