"""Cumulative incidence per cause and group (Aalen-Johansen), with Gray's test and the curves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from trialpipe.analyse.context import OVERALL, Context, Group
from trialpipe.analyse.formats import NOT_ESTIMABLE, Undefined, Value
from trialpipe.analyse.rows import Manner
from trialpipe.analyse.times import Times, at_risk, causes, grouped, strata, times, why_missing
from trialpipe.config.analyses_survival import CumulativeIncidence
from trialpipe.stats import competing

_TRUNCATED = "left truncation is not implemented for Gray's test"


def run(analysis: CumulativeIncidence, context: Context) -> list[dict[str, Any]]:
    """Counts per group, estimates at times per cause and group, Gray's test per cause, curves."""
    known = _chosen(analysis, context)
    found: list[dict[str, Any]] = []
    for group in context.groups:
        seen = times(context.of(group))
        found += _counts(context, group, seen, known)
        for cause, of in known.items():
            found += _cause(analysis, context, group, seen, cause, of)
    if analysis.gray_test and context.levels:
        for cause, of in known.items():
            found += _gray(analysis, context, cause, of)
    return found


def _chosen(analysis: CumulativeIncidence, context: Context) -> dict[str, int]:
    """Causes asked for; a component of a composite event stands for the composite."""
    known = causes(context)
    if not analysis.causes:
        return known
    parts = {part: name for name in known for part in name.split("+")}
    return {parts[cause]: known[parts[cause]] for cause in analysis.causes}


def _counts(context: Context, group: Group, seen: Times, known: dict[str, int]) -> list[dict[str, Any]]:
    roles = {
        "n": context.behind(seen.frame),
        "censored": context.behind(seen.frame[seen.cause == 0]),
        "missing": context.behind(seen.missing),
    }
    stats: dict[str, Value] = {
        "n": len(seen.frame),
        "censored": int((seen.cause == 0).sum()),
        "missing": len(seen.missing),
    }
    return context.cell(stats, roles, Manner(note=why_missing(seen)), group=group.label)


def _cause(
    analysis: CumulativeIncidence, context: Context, group: Group, seen: Times, cause: str, of: int
) -> list[dict[str, Any]]:
    entry = seen.entry if seen.truncated else None
    curve = competing.cumulative_incidence(seen.time, seen.cause, of, analysis.variance, entry)
    late = ", patients at risk from their entry" if seen.truncated else ""
    manner = Manner(
        method=f"Aalen-Johansen, {analysis.variance.capitalize()} variance, {analysis.conf_type} interval{late}",
        conf_level=analysis.conf_level,
    )
    found: list[dict[str, Any]] = []
    days = [float(day) for day in analysis.at]
    for at in competing.at_times(curve, days, analysis.conf_level, analysis.conf_type):
        found += _at(context, group, seen, at, cause, of, manner)
    roles = {"n": context.behind(seen.frame), "event": context.behind(seen.frame[seen.cause == of])}
    for i, time in enumerate(curve.time):
        error = float(np.sqrt(curve.variance[i]))
        lower, upper = competing.limits(float(curve.cif[i]), error, analysis.conf_level, analysis.conf_type)
        stats: dict[str, Value] = {
            "cif": float(curve.cif[i]),
            "lower": lower,
            "upper": upper,
            "n_risk": int(curve.n_risk[i]),
            "n_event": int(curve.n_event[i]),
            "n_censor": int(curve.n_censor[i]),
        }
        note = "no limits here" if np.isnan(lower) or np.isnan(upper) else None
        found += context.cell(
            stats,
            roles,
            manner._replace(note=note),
            curve=True,
            group=group.label,
            category=cause,
            time=float(time),
        )
    return found


def _at(
    context: Context, group: Group, seen: Times, at: competing.AtTime, cause: str, of: int, manner: Manner
) -> list[dict[str, Any]]:
    estimates: dict[str, Value] = {"cif": at.cif, "std_err": at.std_err, "lower": at.lower, "upper": at.upper}
    note = f"no limits where the estimate is {at.cif:g}" if np.isnan(at.lower) and not np.isnan(at.cif) else None
    if at.beyond:
        note = "after the last observation" if len(seen.frame) else "no patient with a time"
        estimates = dict.fromkeys(estimates, Undefined(NOT_ESTIMABLE, note))
    risk = seen.frame[at_risk(seen, at.time)]
    stats = estimates | {"n_risk": len(risk), "cum_events": at.cumulative_events}
    roles = {
        "at_risk": context.behind(risk),
        "event": context.behind(seen.frame[(seen.time <= at.time) & (seen.cause == of)]),
        "other": context.behind(seen.frame[(seen.time <= at.time) & (seen.cause > 0) & (seen.cause != of)]),
        "censored": context.behind(seen.frame[(seen.time < at.time) & (seen.cause == 0)]),
    }
    return context.cell(stats, roles, manner._replace(note=note), group=group.label, category=cause, time=at.time)


def _gray(analysis: CumulativeIncidence, context: Context, cause: str, of: int) -> list[dict[str, Any]]:
    """Gray's test between the levels, over all times."""
    from trialpipe.stats.gray import gray_test

    data = grouped(context, context.levels)
    stratum, known = strata(context, data.times.frame, analysis.strata)
    seen, frame = data.times, data.times.frame
    used = stratum[known] if stratum is not None else None
    test = gray_test(seen.time[known], seen.cause[known], data.code[known], of, used)
    notes = [f"no patient in {', '.join(data.left_out)}"] if data.left_out else []
    notes += ["test undefined: fewer than two groups with events"] if np.isnan(test.p) else []
    notes += [_TRUNCATED] if seen.truncated else []
    method = "Gray's test" + (
        f" stratified by {' and '.join(map(context.label, analysis.strata))}" if analysis.strata else ""
    )
    manner = Manner(method=method, alternative="two-sided", df=float(test.df), note="; ".join(notes) or None)
    stats: dict[str, Value] = {"chi_square": test.chi_square, "p": test.p}
    if seen.truncated:
        stats = dict.fromkeys(stats, Undefined(NOT_ESTIMABLE, _TRUNCATED))
    chosen: pd.DataFrame = frame[known]
    return context.cell(stats, {"n": context.behind(chosen)}, manner, group=OVERALL, term=method, category=cause)
