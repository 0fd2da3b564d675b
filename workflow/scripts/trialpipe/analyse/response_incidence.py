"""Discrete cumulative incidence of response over the visits, with competing events."""

from __future__ import annotations

from typing import Any

import numpy as np

from trialpipe.analyse import response_times
from trialpipe.analyse.context import Context, Group
from trialpipe.analyse.formats import NOT_ESTIMABLE, Undefined, Value
from trialpipe.analyse.rows import Manner
from trialpipe.config.analyses import ResponseIncidence
from trialpipe.stats import competing


def run(analysis: ResponseIncidence, context: Context) -> list[dict[str, Any]]:
    """Per group, cause and visit: incidence by the visit's target day, with limits, at risk and events so far."""
    found: list[dict[str, Any]] = []
    for group in context.groups:
        for cause, of in response_times.causes(context).items():
            found += _cause(analysis, context, group, cause, of)
    return found


def _cause(analysis: ResponseIncidence, context: Context, group: Group, cause: str, of: int) -> list[dict[str, Any]]:
    frame = context.of(group, response_times.rows(context, analysis.rule_set, analysis.level))
    time, code = frame["TIME"].to_numpy(dtype=float), response_times.cause(frame)
    curve = competing.cumulative_incidence(time, code, of)
    days = response_times.visit_times(context)
    manner = Manner("Aalen-Johansen on the scale of visits, log-log interval", analysis.conf_level)
    found: list[dict[str, Any]] = []
    for visit, at in zip(days, competing.at_times(curve, list(days.values()), analysis.conf_level), strict=True):
        stats: dict[str, Value] = {"cif": at.cif, "std_err": at.std_err, "lower": at.lower, "upper": at.upper}
        note = f"no limits where the estimate is {at.cif:g}" if np.isnan(at.lower) else None
        if at.beyond:
            note = "nobody is followed to this visit" if len(frame) else "no patient"
            stats = dict.fromkeys(stats, Undefined(NOT_ESTIMABLE, note))
        roles = {
            "at_risk": context.behind(frame[time >= at.time]),
            "event": context.behind(frame[(time <= at.time) & (code == of)]),
            "other": context.behind(frame[(time <= at.time) & (code > 0) & (code != of)]),
            "censored": context.behind(frame[(time < at.time) & (code == 0)]),
        }
        stats |= {"n_risk": at.n_risk, "cum_events": at.cumulative_events}
        found += context.cell(
            stats,
            roles,
            manner._replace(note=note),
            group=group.label,
            parameter=f"{analysis.rule_set} {analysis.level}",
            category=cause,
            visit=visit,
            time=at.time,
        )
    return found
