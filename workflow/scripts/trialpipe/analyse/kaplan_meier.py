"""Survival at times, quantiles, restricted mean and follow-up per group, with the curve."""

from __future__ import annotations

from typing import Any

import numpy as np

from trialpipe.analyse.context import Context, Group
from trialpipe.analyse.exposure import at_landmark
from trialpipe.analyse.formats import NOT_ESTIMABLE, NOT_REACHED, Undefined, Value
from trialpipe.analyse.rows import Manner, Roles
from trialpipe.analyse.times import Times, at_risk, times, why_missing
from trialpipe.config.analyses_survival import KaplanMeier
from trialpipe.stats import km

_EMPTY = "no patient with a time"


def run(analysis: KaplanMeier, context: Context) -> list[dict[str, Any]]:
    """Rows of every group: counts, quantiles, restricted mean, follow-up, estimates at times, curve."""
    context = at_landmark(context, analysis.landmark)
    found: list[dict[str, Any]] = []
    for group in context.groups:
        found += _group(analysis, context, group)
    return found


def _group(analysis: KaplanMeier, context: Context, group: Group) -> list[dict[str, Any]]:
    seen = times(context.of(group))
    curve = km.kaplan_meier(seen.time, seen.event, seen.entry, analysis.conf_level, analysis.conf_type)
    everyone = _roles(context, seen)
    counts: dict[str, Value] = {
        "n": len(seen.frame),
        "events": int(seen.event.sum()),
        "censored": int((seen.event == 0).sum()),
        "missing": len(seen.missing),
    }
    risk = f"patients at risk after day {analysis.landmark.at}" if analysis.landmark else why_missing(seen)
    found = context.cell(counts, everyone, Manner(note=risk), group=group.label)
    manner = Manner(
        method=f"Kaplan-Meier, Greenwood variance, {analysis.conf_type} interval",
        conf_level=analysis.conf_level,
    )
    for p in analysis.quantiles:
        found += _quantile(context, group, curve, p, everyone, manner)
    if analysis.rmst is not None:
        found += _restricted_mean(context, group, curve, analysis.rmst, everyone, analysis.conf_level)
    if analysis.follow_up:
        found += _follow_up(context, group, seen, everyone, analysis.conf_level)
    for at in km.at_times(curve, [float(day) for day in analysis.at]):
        found += _at(context, group, seen, at, manner)
    return found + _curve(context, group, curve, everyone, manner)


def _roles(context: Context, seen: Times) -> Roles:
    return {
        "n": context.behind(seen.frame),
        "event": context.behind(seen.frame[seen.event == 1]),
        "censored": context.behind(seen.frame[seen.event == 0]),
        "missing": context.behind(seen.missing),
    }


def _quantile(
    context: Context, group: Group, curve: km.Curve, p: float, roles: Roles, manner: Manner
) -> list[dict[str, Any]]:
    """Time at which a share ``p`` has had the event."""
    name = "median" if p == 0.5 else "quantile"
    term = "Median" if p == 0.5 else f"Quantile {100 * p:g} %"
    limits = manner._replace(method=f"Kaplan-Meier, Brookmeyer-Crowley interval ({curve.conf_type})", unit="d")
    return context.cell(
        _reached((name, "lower", "upper"), km.quantiles(curve, p), curve.n),
        {"n": roles["n"]},
        limits,
        group=group.label,
        term=term,
    )


def _reached(names: tuple[str, ...], values: tuple[float, ...], n: int) -> dict[str, Value]:
    """Quantile and limits; one that the curve does not reach is NR, without patients NE."""
    gone = Undefined(NOT_REACHED, "not reached") if n else Undefined(NOT_ESTIMABLE, _EMPTY)
    return {name: gone if np.isnan(value) else value for name, value in zip(names, values, strict=True)}


def _restricted_mean(
    context: Context, group: Group, curve: km.Curve, tau: int, roles: Roles, conf_level: float
) -> list[dict[str, Any]]:
    mean, error, lower, upper = km.restricted_mean(curve, float(tau), conf_level)
    note = None if curve.n else _EMPTY
    if curve.n and curve.time[-1] < tau and curve.survival[-1] > 0:
        note = f"last observation on day {curve.time[-1]:g}: the curve is carried forward"
    manner = Manner(method="Restricted mean, area under Kaplan-Meier", conf_level=conf_level, unit="d", note=note)
    stats: dict[str, Value] = {"rmst": mean, "std_err": error, "lower": lower, "upper": upper}
    return context.cell(stats, {"n": roles["n"]}, manner, group=group.label, term="Restricted mean", time=float(tau))


def _follow_up(context: Context, group: Group, seen: Times, roles: Roles, conf_level: float) -> list[dict[str, Any]]:
    """Median follow-up: events are censorings of the follow-up."""
    manner = Manner(method="Reverse Kaplan-Meier, log-log interval", conf_level=conf_level, unit="d")
    return context.cell(
        _reached(("median", "lower", "upper"), km.follow_up(seen.time, seen.event, conf_level), len(seen.frame)),
        {"n": roles["n"]},
        manner,
        group=group.label,
        term="Median follow-up",
    )


def _at(context: Context, group: Group, seen: Times, at: km.AtTime, manner: Manner) -> list[dict[str, Any]]:
    early = seen.frame[(seen.time <= at.time) & (seen.event == 1)]
    risk = seen.frame[at_risk(seen, at.time)]
    left = seen.frame[(seen.time < at.time) & (seen.event == 0)]
    stats: dict[str, Value] = {
        "survival": at.survival,
        "std_err": at.std_err,
        "lower": at.lower,
        "upper": at.upper,
        "n_risk": len(risk),
        "cum_events": at.cumulative_events,
    }
    note = f"no limits where the estimate is {at.survival:g}" if at.survival in (0.0, 1.0) else None
    if at.beyond:
        note = _EMPTY if not len(seen.frame) else "after the last observation"
        stats |= dict.fromkeys(("survival", "std_err", "lower", "upper"), Undefined(NOT_ESTIMABLE, note))
    roles = {
        "at_risk": context.behind(risk),
        "event": context.behind(early),
        "censored": context.behind(left),
    }
    return context.cell(stats, roles, manner._replace(note=note), group=group.label, time=at.time)


def _curve(context: Context, group: Group, curve: km.Curve, roles: Roles, manner: Manner) -> list[dict[str, Any]]:
    """One cell per distinct time; all share the rows of the group."""
    found: list[dict[str, Any]] = []
    for i, time in enumerate(curve.time):
        stats: dict[str, Value] = {
            "survival": float(curve.survival[i]),
            "lower": float(curve.lower[i]),
            "upper": float(curve.upper[i]),
            "n_risk": int(curve.n_risk[i]),
            "n_event": int(curve.n_event[i]),
            "n_censor": int(curve.n_censor[i]),
        }
        undefined = "no limits here" if np.isnan(curve.lower[i]) or np.isnan(curve.upper[i]) else None
        found += context.cell(
            stats, roles, manner._replace(note=undefined), curve=True, group=group.label, time=float(time)
        )
    return found
