"""Log-rank test between groups, stratified where strata are named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from trialpipe.analyse.context import OVERALL, Context, Group
from trialpipe.analyse.exposure import at_landmark
from trialpipe.analyse.formats import NOT_ESTIMABLE, Undefined, Value
from trialpipe.analyse.pairs import pairs
from trialpipe.analyse.rows import Manner
from trialpipe.analyse.times import Grouped, grouped, strata
from trialpipe.config.analyses_survival import LogRank
from trialpipe.stats.logrank import LogRank as Tested
from trialpipe.stats.logrank import logrank

_TRUNCATED = "left truncation is not implemented for the log-rank test"


def run(analysis: LogRank, context: Context) -> list[dict[str, Any]]:
    """Observed and expected events per level, the test over all (group Overall), then those of pairs if asked for."""
    context = at_landmark(context, analysis.landmark)
    data = grouped(context, context.levels)
    stratum, known = strata(context, data.times.frame, analysis.strata)
    frame, event, code = data.times.frame[known], data.times.event[known], data.code[known]
    used = stratum[known] if stratum is not None else None
    test = logrank(data.times.time[known], event, code, used, analysis.rho)
    name = "Log-rank test" if analysis.rho == 0 else f"Fleming-Harrington test (rho {analysis.rho:g})"
    method = name + (f" stratified by {' and '.join(map(context.label, analysis.strata))}" if analysis.strata else "")
    notes = [f"patients at risk after day {analysis.landmark.at}"] if analysis.landmark else []
    notes += [f"no patient in {', '.join(data.left_out)}"] if data.left_out else []
    notes += [f"{int((~known).sum())} patient(s) without a stratum left out"] if not known.all() else []
    note = "; ".join(notes) or None
    found: list[dict[str, Any]] = []
    for i, level in enumerate(test.groups):
        mine = frame[code == level]
        roles = {"n": context.behind(mine), "event": context.behind(frame[(code == level) & (event == 1)])}
        stats: dict[str, Value] = {
            "n": len(mine),
            "events": int(event[code == level].sum()),
            "expected": float(test.expected[i]),
        }
        if analysis.rho != 0:
            stats["observed"] = float(test.observed[i])
        found += context.cell(stats, roles, Manner(method=method, note=note), group=data.labels[level])
    place: dict[str, Any] = {"group": OVERALL, "term": method}
    found += _tested(context, data, frame, event, test, Manner(method=method, note=note), place)
    if analysis.compare_with is not None:
        for level, against in pairs(context, analysis.compare_with):
            found += _pair(analysis, context, (level, against), method)
    return found


def _pair(analysis: LogRank, context: Context, levels: tuple[Group, Group], method: str) -> list[dict[str, Any]]:
    """The test of two levels, patients of the others left out."""
    data = grouped(context, levels)
    stratum, known = strata(context, data.times.frame, analysis.strata)
    frame, event = data.times.frame[known], data.times.event[known]
    used = stratum[known] if stratum is not None else None
    test = logrank(data.times.time[known], event, data.code[known], used, analysis.rho)
    left = int((~known).sum())
    note = f"{left} patient(s) without a stratum left out" if left else None
    place: dict[str, Any] = {"group": levels[0].label, "comparator": levels[1].label, "term": method}
    return _tested(context, data, frame, event, test, Manner(method=method, note=note), place)


def _tested(
    context: Context,
    data: Grouped,
    frame: pd.DataFrame,
    event: np.ndarray,
    test: Tested,
    manner: Manner,
    place: dict[str, Any],
) -> list[dict[str, Any]]:
    result: dict[str, Value] = {"chi_square": test.chi_square, "p": test.p}
    if data.times.truncated:
        result = dict.fromkeys(result, Undefined(NOT_ESTIMABLE, _TRUNCATED))
    elif np.isnan(test.p):
        result = dict.fromkeys(result, Undefined(NOT_ESTIMABLE, "fewer than two groups at risk, or no event"))
    roles = {"n": context.behind(frame), "event": context.behind(frame[event == 1])}
    return context.cell(result, roles, manner._replace(alternative="two-sided", df=float(test.df)), **place)
