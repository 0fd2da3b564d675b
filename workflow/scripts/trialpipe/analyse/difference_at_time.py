"""Difference between groups of survival, or of the cumulative incidence of the event, at fixed times."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from trialpipe.analyse.context import Context, Group
from trialpipe.analyse.formats import NOT_ESTIMABLE, Undefined, Value
from trialpipe.analyse.pairs import pairs
from trialpipe.analyse.rows import Manner, Roles
from trialpipe.analyse.times import Times, times
from trialpipe.config.analyses_survival import DifferenceAtTime
from trialpipe.stats import competing, km
from trialpipe.stats.fixed_time import complementary_log_log, difference, ratio

EVENT = 1
MEAN = "restricted_mean"
_MEAN_TEST = "normal test that matches it"
NAMES = {
    "survival": "Kaplan-Meier estimates (Greenwood variance)",
    "incidence": "Aalen-Johansen estimates",
    "restricted_mean": "restricted means (Kaplan-Meier, Greenwood variance)",
}
_TEST = (
    "test of log(-log) of the probabilities free of it (Klein 2007); the interval is on another scale than the test "
    "and may disagree with it near the limit"
)


class Estimate(NamedTuple):
    """Survival or incidence of one group at one time; ``note`` says why there is none."""

    value: float
    std_err: float
    note: str | None


def run(analysis: DifferenceAtTime, context: Context) -> list[dict[str, Any]]:
    """Per pair and time: group minus comparator with limits, and the test (df 1). DataError for several rows."""
    found: list[dict[str, Any]] = []
    for group, against in pairs(context, analysis.reference):
        seen = [times(context.of(level)) for level in (group, against)]
        for time in analysis.at:
            found += _pair(analysis, context, group, against, seen, float(time))
    return found


def _pair(
    analysis: DifferenceAtTime, context: Context, group: Group, against: Group, seen: list[Times], time: float
) -> list[dict[str, Any]]:
    one, other = (_estimate(analysis, data, time) for data in seen)
    gap = difference(one.value, one.std_err, other.value, other.std_err, analysis.conf_level)
    free = [e.value if analysis.of == "survival" else 1 - e.value for e in (one, other)]
    z, p = (
        (gap.z, gap.p) if analysis.of == MEAN else complementary_log_log(free[0], one.std_err, free[1], other.std_err)
    )
    notes = [f"{level.label}: {e.note}" for level, e in ((group, one), (against, other)) if e.note]
    stats: dict[str, Value] = {
        "difference": gap.estimate,
        "std_err": gap.std_err,
        "lower": gap.lower,
        "upper": gap.upper,
        "chi_square": z * z,
        "p": p,
    }
    note = "; ".join(notes) or None
    if notes:
        stats = dict.fromkeys(stats, Undefined(NOT_ESTIMABLE, note or ""))
    elif math.isnan(p):
        note = "no test without a spread" if analysis.of == MEAN else "no test where an estimate is 0 or 1"
    manner = Manner(
        method=f"Difference of {NAMES[analysis.of]}, normal interval; {_MEAN_TEST if analysis.of == MEAN else _TEST}",
        conf_level=analysis.conf_level,
        alternative="two-sided",
        null_value=0.0,
        df=1.0,
        note=note,
    )
    rows = [data.frame for data in seen]
    keys = [context.behind(frame).keys for frame in rows]
    events = [context.behind(data.frame[(data.time <= time) & (data.cause == EVENT)]).keys for data in seen]
    everyone = context.behind(rows[0])
    roles = {
        "n": everyone._replace(keys=keys[0] + keys[1]),
        "event": everyone._replace(keys=events[0] + events[1]),
    }
    counts: dict[str, Value] = {"n": len(keys[0]) + len(keys[1]), "cum_events": len(events[0]) + len(events[1])}
    place: dict[str, Any] = {"group": group.label, "comparator": against.label, "time": time}
    found = context.cell(counts | stats, roles, manner, **place)
    return found + _ratio(analysis, context, one, other, roles, manner, place) if analysis.of == MEAN else found


def _ratio(
    analysis: DifferenceAtTime,
    context: Context,
    one: Estimate,
    other: Estimate,
    roles: Roles,
    manner: Manner,
    place: dict[str, Any],
) -> list[dict[str, Any]]:
    """Ratio of the restricted means with limits on the log scale."""
    found = ratio(one.value, one.std_err, other.value, other.std_err, analysis.conf_level)
    stats: dict[str, Value] = {"ratio": found.estimate, "lower": found.lower, "upper": found.upper, "p": found.p}
    note = manner.note
    if one.note or other.note:
        stats = dict.fromkeys(stats, Undefined(NOT_ESTIMABLE, note or ""))
    elif math.isnan(found.estimate):
        note = "no ratio where a mean is 0"
    shown = manner._replace(
        method=f"Ratio of {NAMES[MEAN]}, normal interval of the log; {_MEAN_TEST}", null_value=1.0, note=note
    )
    return context.cell(stats, roles, shown, term="Ratio", **place)


def _estimate(analysis: DifferenceAtTime, seen: Times, time: float) -> Estimate:
    if analysis.of != "incidence":
        curve = km.kaplan_meier(seen.time, seen.event, seen.entry, analysis.conf_level, "log-log")
        at = km.at_times(curve, [time])[0]
        if analysis.of == MEAN:
            mean, error = km.restricted_mean(curve, time)[:2]
            return Estimate(mean, error, _why(seen, at.beyond))
        return Estimate(at.survival, at.std_err, _why(seen, at.beyond))
    entry = seen.entry if seen.truncated else None
    incidence = competing.cumulative_incidence(seen.time, seen.cause, EVENT, analysis.variance, entry)
    found = competing.at_times(incidence, [time], analysis.conf_level, "log-log")[0]
    return Estimate(found.cif, found.std_err, _why(seen, found.beyond))


def _why(seen: Times, beyond: bool) -> str | None:
    if not len(seen.frame):
        return "no patient with a time"
    return "after the last observation" if beyond else None
