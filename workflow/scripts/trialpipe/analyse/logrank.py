"""Log-rank test between groups, stratified where strata are named."""

from __future__ import annotations

from typing import Any

import numpy as np

from trialpipe.analyse.context import OVERALL, Context
from trialpipe.analyse.exposure import at_landmark
from trialpipe.analyse.formats import NOT_ESTIMABLE, Undefined, Value
from trialpipe.analyse.rows import Manner
from trialpipe.analyse.times import grouped, strata
from trialpipe.config.analyses_survival import LogRank
from trialpipe.stats.logrank import logrank

_TRUNCATED = "left truncation is not implemented for the log-rank test"


def run(analysis: LogRank, context: Context) -> list[dict[str, Any]]:
    """Observed and expected events per level, then the test over all (group Overall)."""
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
    result: dict[str, Value] = {"chi_square": test.chi_square, "p": test.p}
    if data.times.truncated:
        result = dict.fromkeys(result, Undefined(NOT_ESTIMABLE, _TRUNCATED))
    elif np.isnan(test.p):
        result = dict.fromkeys(result, Undefined(NOT_ESTIMABLE, "fewer than two groups at risk, or no event"))
    manner = Manner(method=method, alternative="two-sided", df=float(test.df), note=note)
    roles = {"n": context.behind(frame), "event": context.behind(frame[event == 1])}
    return found + context.cell(result, roles, manner, group=OVERALL, term=method)
