"""The latent disease: one system of equations from which everything that is measured follows.

C alemtuzumab concentration (ug/mL), L activated T cells (the drug's target), A inflammatory activity, B damage of
spleen and marrow, all by the hour:

    dC/dt = infusion / (volume * weight) - (linear + target_clearance * L / (km + C)) * C
    dL/dt = L * (growth * (1 - L / (1.1 severity)) - kill * C / (ec50 + C) - steroids - rescue)
    dA/dt = activity_rate * (L - A),   dB/dt = damage_rate * (A - B),   L at least target_floor

A high burden clears the drug faster, so that poor responders also have low levels (target-dependent clearance,
Chakraverty 2010).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trialpipe.simulate.parameters import Parameters
from trialpipe.simulate.patient import Course

STEP = 1 / 24


@dataclass(frozen=True)
class Plan:
    """Infusions as (start day, end day, mg/kg); ``rescue_from``: earliest day of second line, None: never."""

    infusions: tuple[tuple[float, float, float], ...]
    severity: float
    kill: float
    rescue_from: int | None
    days: int


def follow(plan: Plan, p: Parameters) -> tuple[Course, int | None]:
    """Integrate by the hour; returns the course and the elapsed day on which second line starts, if any."""
    n = plan.days * 24 + 1
    rate = _rate(plan, p, n)
    state = [0.0, plan.severity, plan.severity, plan.severity]
    rows = np.empty((n, 4))
    rescue: int | None = None
    threshold = p.number("rescue_activity")
    constants = _constants(plan, p)
    for hour in range(n):
        rows[hour] = state
        day, rest = divmod(hour, 24)
        if rest == 0 and rescue is None and plan.rescue_from is not None and day >= plan.rescue_from:
            rescue = day if state[2] > threshold else None
        state = _step(state, rate[hour], rescue is not None, constants)
    hours = np.arange(n)
    return Course(hours, rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3]), rescue


def _rate(plan: Plan, p: Parameters, n: int) -> np.ndarray:
    """Input into the concentration, ug/mL per day, for every hour."""
    rate = np.zeros(n)
    for start, end, dose in plan.infusions:
        first, last = int(round(start * 24)), int(round(end * 24))
        rate[first:last] += dose / p.number("volume") / ((last - first) / 24)
    return rate


def _constants(plan: Plan, p: Parameters) -> dict[str, float]:
    names = "target_floor linear_clearance target_clearance target_km target_growth kill_ec50 kill_steroids kill_rescue"
    named = {name: p.number(name) for name in [*names.split(), "activity_rate", "damage_rate"]}
    return {**named, "kill": plan.kill, "cap": 1.1 * plan.severity}


def _step(state: list[float], rate: float, rescued: bool, k: dict[str, float]) -> list[float]:
    c, target, activity, damage = state
    clearance = k["linear_clearance"] + k["target_clearance"] * target / (k["target_km"] + c)
    kill = k["kill"] * c / (k["kill_ec50"] + c) + k["kill_steroids"] + (k["kill_rescue"] if rescued else 0.0)
    growth = k["target_growth"] * (1 - target / k["cap"])
    return [
        max(c + STEP * (rate - clearance * c), 0.0),
        max(target + STEP * target * (growth - kill), k["target_floor"]),
        activity + STEP * k["activity_rate"] * (target - activity),
        damage + STEP * k["damage_rate"] * (activity - damage),
    ]
