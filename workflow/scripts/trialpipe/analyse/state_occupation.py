"""State occupation probabilities: where patients are at fixed days, between the origin and the events that end it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from trialpipe.analyse.context import Context, Group
from trialpipe.analyse.exposure import switch_days
from trialpipe.analyse.formats import NOT_ESTIMABLE, Undefined, Value
from trialpipe.analyse.rows import Manner
from trialpipe.analyse.times import Times, causes, times, why_missing
from trialpipe.config.analyses_models import StateOccupation
from trialpipe.io.errors import DataError
from trialpipe.stats import competing, multistate
from trialpipe.stats.sojourns import Sojourns, sojourns

CENSORED = -1
STATISTICS = ("occupation", "std_err", "lower", "upper")


class Paths(NamedTuple):
    """Stays of patients, a row each: place of the patient in ``seen``, state, next state, begin, end."""

    patient: list[int]
    state: list[int]
    target: list[int]
    begin: list[float]
    end: list[float]

    def stay(self, patient: int, state: int, target: int, begin: float, end: float) -> None:
        self.patient.append(patient)
        self.state.append(state)
        self.target.append(target)
        self.begin.append(begin)
        self.end.append(end)


def run(analysis: StateOccupation, context: Context) -> list[dict[str, Any]]:
    """Per group: patients, moves seen between states, and per day and state its probability with limits.

    Raises DataError for a state whose milestone is not declared or is an event of the endpoint.
    """
    names = _names(analysis, context)
    found: list[dict[str, Any]] = []
    for group in context.groups:
        seen = times(context.of(group))
        found += _group(analysis, context, group, seen, names)
    return found


def _names(analysis: StateOccupation, context: Context) -> list[str]:
    """States in order: the first, those passed through, those of the endpoint's events."""
    known, ends = {m.id for m in context.protocol.milestones}, causes(context)
    item = f"outcome {context.outcome.id} {context.name}.states"
    for state in analysis.states:
        if state.milestone not in known:
            raise DataError(
                "outcomes.yaml", None, item, state.milestone, "is no milestone", "declare it in protocol.yaml"
            )
        if state.milestone in {part for name in ends for part in name.split("+")}:
            cure = "it has a state already: leave it out"
            raise DataError("outcomes.yaml", None, item, state.milestone, "is an event that ends the time", cure)
    names = [analysis.start, *(state.label for state in analysis.states), *ends]
    if len(set(names)) < len(names):
        raise DataError(
            "outcomes.yaml", None, item, ", ".join(names), "two states of one name", "give each its own label"
        )
    return names


def _group(
    analysis: StateOccupation, context: Context, group: Group, seen: Times, names: list[str]
) -> list[dict[str, Any]]:
    late = ", patients at risk from their entry" if seen.truncated else ""
    manner = Manner(
        method=f"Aalen-Johansen, {analysis.variance} variance, {analysis.conf_type} interval{late}",
        conf_level=analysis.conf_level,
        note=why_missing(seen),
    )
    roles = {"n": context.behind(seen.frame), "missing": context.behind(seen.missing)}
    counts: dict[str, Value] = {"n": len(seen.frame), "missing": len(seen.missing)}
    found = context.cell(counts, roles, manner, group=group.label)
    through = [switch_days(context, seen.frame, state.milestone) for state in analysis.states]
    paths = _paths(seen, through)
    found += _moves(context, group, seen, paths, names, manner)
    patient, state, target, begin, end = (np.array(part, dtype=float) for part in paths)
    data = sojourns(patient, state, target, begin, end, len(names))
    why = _why(seen, data)
    curve = None if why else multistate.occupation(data, analysis.variance)
    for day in analysis.at:
        found += _at(analysis, context, group, seen, data, curve, why, names, float(day), manner)
    return found


def _paths(seen: Times, through: Sequence[np.ndarray]) -> Paths:
    """The way of each patient. A state entered by the time the patient is observed is where the patient begins; one
    entered on the day of the event that ends the time is not seen, one entered on the last day of observation is; of
    several on one day the last declared counts.
    """
    paths = Paths([], [], [], [], [])
    for i, (end, cause) in enumerate(zip(seen.time, seen.cause, strict=True)):
        begin = max(float(seen.entry[i]), 0.0)
        entered = sorted(
            (float(days[i]), place)
            for place, days in enumerate(through, 1)
            if days[i] < end or (days[i] == end and not cause)
        )
        state = next((place for day, place in reversed(entered) if day <= begin), 0)
        later = {day: place for day, place in entered if day > begin}
        for day, place in later.items():
            paths.stay(i, state, place, begin, day)
            begin, state = day, place
        # who moved on the last day has no time in the new state
        if cause or begin < end or not later:
            paths.stay(i, state, len(through) + int(cause) if cause else CENSORED, begin, float(end))
    return paths


def _moves(
    context: Context, group: Group, seen: Times, paths: Paths, names: list[str], manner: Manner
) -> list[dict[str, Any]]:
    """Patients who went from one state to another."""
    found: list[dict[str, Any]] = []
    pairs = sorted({(a, b) for a, b in zip(paths.state, paths.target, strict=True) if b != CENSORED})
    for a, b in pairs:
        who = [i for i, x, y in zip(paths.patient, paths.state, paths.target, strict=True) if (x, y) == (a, b)]
        moved = context.behind(seen.frame.iloc[who])
        found += context.cell(
            {"n": len(who)}, {"n": moved}, manner, group=group.label, term=names[a], category=names[b]
        )
    return found


def _at(
    analysis: StateOccupation,
    context: Context,
    group: Group,
    seen: Times,
    data: Sojourns,
    curve: multistate.Occupation | None,
    why: str | None,
    names: list[str],
    day: float,
    manner: Manner,
) -> list[dict[str, Any]]:
    """A cell per state: its probability on a day, or why there is none, and the patients seen in it before."""
    last = seen.time.max(initial=0)
    if curve is not None and day > last and (seen.cause[seen.time == last] == 0).any():
        curve, why = None, "after the last observation"
    inside = (data.start < day) & (data.exit >= day)
    found: list[dict[str, Any]] = []
    for place, name in enumerate(names):
        at_risk = context.behind(seen.frame.iloc[sorted(data.patient[inside & (data.state == place)])])
        stats: dict[str, Value] = {"n_risk": len(at_risk.keys)}
        note = why
        if curve is None:
            stats |= dict.fromkeys(STATISTICS, Undefined(NOT_ESTIMABLE, why or ""))
        else:
            step = int(np.searchsorted(curve.time, day, side="right")) - 1
            value, error = float(curve.probability[step, place]), float(curve.std_err[step, place])
            limits = competing.limits(value, error, analysis.conf_level, analysis.conf_type)
            note = f"no limits where the estimate is {value:g}" if math.isnan(limits[0]) else None
            stats |= dict(zip(STATISTICS, (value, error, *limits), strict=True))
        roles = {"n": context.behind(seen.frame), "at_risk": at_risk}
        shown = manner._replace(note="; ".join(part for part in (note, manner.note) if part) or None)
        found += context.cell(stats, roles, shown, group=group.label, category=name, time=day)
    return found


def _why(seen: Times, data: Sojourns) -> str | None:
    """Why there is no estimate on any day."""
    if not len(seen.frame):
        return "no patient with a time"
    return None if data.initial().sum() else "nobody is under observation at the origin"
