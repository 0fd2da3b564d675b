"""Interval-censored time to response: Turnbull's estimate."""

from __future__ import annotations

from typing import Any

import numpy as np

from trialpipe.analyse import response_times
from trialpipe.analyse.context import Context, Group
from trialpipe.analyse.formats import Value
from trialpipe.analyse.rows import Manner
from trialpipe.config.analyses import ResponseTurnbull
from trialpipe.stats.turnbull import turnbull

_NOTE = "a competing event censors at the last visit without response: read beside the cumulative incidence"


def run(analysis: ResponseTurnbull, context: Context) -> list[dict[str, Any]]:
    """Per group: size, then one cell per interval with mass; ``survival`` is that of no response after it."""
    found: list[dict[str, Any]] = []
    for group in context.groups:
        found += _group(analysis, context, group)
    return found


def _group(analysis: ResponseTurnbull, context: Context, group: Group) -> list[dict[str, Any]]:
    frame = context.of(group, response_times.rows(context, analysis.rule_set, analysis.level))
    responded = (frame["CNSR"] == 0).to_numpy(dtype=bool)
    left = frame["LEFT"].to_numpy(dtype=float)
    right = np.where(responded, frame["RIGHT"].to_numpy(dtype=float), np.inf)
    parameter = f"{analysis.rule_set} {analysis.level}"
    roles = {"n": context.behind(frame), "event": context.behind(frame[responded])}
    sizes: dict[str, Value] = {"n": len(frame), "events": int(responded.sum())}
    found = context.cell(sizes, roles, group=group.label, parameter=parameter)
    estimate = turnbull(left, right)
    manner = Manner("Turnbull's estimate of interval-censored times", note=_NOTE)
    remaining = 1.0
    for low, high, mass in zip(estimate.left, estimate.right, estimate.mass, strict=True):
        if np.isinf(high) or mass == 0:
            continue
        remaining -= float(mass)
        stats: dict[str, Value] = {"probability": float(mass), "survival": max(remaining, 0.0)}
        found += context.cell(
            stats,
            roles,
            manner,
            group=group.label,
            parameter=parameter,
            category=f"({low:g}, {high:g}]",
            time=float(high),
        )
    return found
