"""The latent disease under an oral drug given twice a day.

Drug: one compartment with first-order absorption, exact between events (a dose, a change of clearance, a time that is
asked for). Disease as in `kinetics`, the drug's hourly level in the place of the infusions:

    dL/dt = L * (growth * (1 - L / (1.1 severity)) - kill * C / (ec50 + C) - steroids - rescue - maintenance)
    dA/dt = activity_rate * (L - A),   dB/dt = damage_rate * (A - B),   L at least target_floor
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log

import numpy as np

from trialpipe.simulate.parameters import Parameters
from trialpipe.simulate.patient import Course

STEP = 1 / 24
State = tuple[float, float, float]


@dataclass(frozen=True)
class Drug:
    """``clearance`` in L/h, ``volume`` in L, ``absorption`` in 1/h; ``slowed``: hours (first, last) at ``factor``."""

    clearance: float
    volume: float
    absorption: float
    slowed: tuple[float, float] | None
    factor: float


@dataclass(frozen=True)
class Plan:
    """Doses as (hour, mg) from the first one; days as elapsed days, None: never."""

    doses: tuple[tuple[float, float], ...]
    severity: float
    kill: float
    rescue_from: int | None
    maintenance_from: int | None
    days: int


def levels(drug: Drug, doses: Sequence[tuple[float, float]], hours: Sequence[float]) -> list[float]:
    """Plasma concentrations (ng/mL) at ``hours`` from the first dose; a dose of the same moment counts after."""
    turns = drug.slowed or (float("inf"), float("inf"))
    marks = [(hour, 1, mg) for hour, mg in doses] + [(hour, 0, float(k)) for k, hour in enumerate(hours)]
    marks += [(hour, 2, 0.0) for hour in turns if hour != float("inf")]
    gut = central = now = 0.0
    found = [0.0] * len(hours)
    for hour, kind, what in sorted(marks):
        slow = turns[0] <= now < turns[1]
        gut, central = _move(drug, gut, central, hour - now, drug.factor if slow else 1.0)
        now = hour
        if kind == 1:
            gut += what
        elif kind == 0:
            found[int(what)] = max(1000 * central / drug.volume, 0.0)
    return found


def _move(drug: Drug, gut: float, central: float, length: float, factor: float) -> tuple[float, float]:
    """Amounts (mg) in gut and plasma after ``length`` hours."""
    if length <= 0:
        return gut, central
    out, into = factor * drug.clearance / drug.volume, drug.absorption
    absorbed = gut * into / (into - out) * (exp(-out * length) - exp(-into * length))
    return gut * exp(-into * length), central * exp(-out * length) + absorbed


def drug_of(p: Parameters, rng: np.random.Generator, weight: float, slowed: tuple[float, float] | None) -> Drug:
    """Clearance by weight with its scatter between patients."""
    clearance = p.number("clearance") * (weight / 20) ** p.number("clearance_weight")
    clearance *= float(np.exp(p.number("clearance_log_sd") * rng.normal()))
    volume = clearance * p.number("half_life") * float(np.exp(0.2 * rng.normal())) / log(2)
    return Drug(clearance, volume, p.number("absorption"), slowed, p.number("azole_clearance"))


def follow(plan: Plan, drug: Drug, p: Parameters) -> tuple[Course, int | None]:
    """Integrate by the hour; returns the course and the elapsed day on which second line starts, if any."""
    n = plan.days * 24 + 1
    hours = np.arange(n)
    drugs = levels(drug, plan.doses, [float(hour) for hour in hours])
    names = "target_floor target_growth kill_ec50 kill_steroids kill_rescue kill_maintenance activity_rate damage_rate"
    k = {name: p.number(name) for name in names.split()} | {"kill": plan.kill, "cap": 1.1 * plan.severity}
    state: State = (plan.severity, plan.severity, plan.severity)
    rows = np.empty((n, 3))
    rescue: int | None = None
    for hour in range(n):
        rows[hour] = state
        day, rest = divmod(hour, 24)
        if rest == 0 and rescue is None and plan.rescue_from is not None and day >= plan.rescue_from:
            rescue = day if state[1] > p.number("rescue_activity") else None
        kept = plan.maintenance_from is not None and day >= plan.maintenance_from
        more = (k["kill_rescue"] if rescue is not None else 0.0) + (k["kill_maintenance"] if kept else 0.0)
        state = _step(state, drugs[hour], more, k)
    return Course(hours, np.array(drugs), rows[:, 0], rows[:, 1], rows[:, 2]), rescue


def _step(state: State, drug: float, more: float, k: dict[str, float]) -> State:
    target, activity, damage = state
    kill = k["kill"] * drug / (k["kill_ec50"] + drug) + k["kill_steroids"] + more
    growth = k["target_growth"] * (1 - target / k["cap"])
    return (
        max(target + STEP * target * (growth - kill), k["target_floor"]),
        activity + STEP * k["activity_rate"] * (target - activity),
        damage + STEP * k["damage_rate"] * (activity - damage),
    )
