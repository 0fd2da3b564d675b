"""Patients of two arms with a time to their first event, followed and seen as the scenario file says.

Times are whole days: an event in the continuous time t happens on the day ceil(t), so that the probability to be free
of it at a whole day is the one of continuous time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from trialpipe.characteristics.patients import Drawn, day
from trialpipe.config.characteristics import SurvivalScenario, TwoArms
from trialpipe.config.outcomes import Outcome, TimeToEvent
from trialpipe.config.protocol import Protocol
from trialpipe.io.errors import DataError


@dataclass(frozen=True)
class Hazards:
    """Hazard per day of the control arm by stratum, in the order of ``strata``, and the hazard ratio of the other."""

    strata: tuple[tuple[tuple[str, ...], float], ...]
    rates: tuple[float, ...]
    ratio: float

    def free(self, time: float, treated: bool) -> float:
        """Probability to be free of the event at ``time`` (days) over all strata."""
        factor = self.ratio if treated else 1.0
        parts = (
            share * math.exp(-rate * factor * time) for (_, share), rate in zip(self.strata, self.rates, strict=True)
        )
        return math.fsum(parts)


def strata(arms: TwoArms) -> list[tuple[tuple[str, ...], float, float]]:
    """(levels, share, factor on the hazard) of every stratum; shares multiply.

    Variables and levels are in alphabetical order, so that nothing depends on their order in the file.
    """
    found: list[tuple[tuple[str, ...], float, float]] = [((), 1.0, 1.0)]
    for _, levels in sorted(arms.strata.items()):
        total = math.fsum(level.share for level in levels.values())
        found = [
            ((*names, name), share * level.share / total, factor * level.hazard)
            for names, share, factor in found
            for name, level in sorted(levels.items())
        ]
    return found


def hazards(arms: TwoArms, scenario: SurvivalScenario) -> Hazards:
    """Baseline hazard and hazard ratio that give the scenario's two probabilities over all strata."""
    made = strata(arms)
    levels = tuple((names, share) for names, share, _ in made)

    def free(rate: float) -> float:
        return math.fsum(share * math.exp(-rate * factor * scenario.at) for _, share, factor in made)

    control, treated = (_solve(free, value) for value in (scenario.control, scenario.treated))
    return Hazards(levels, tuple(control * factor for _, _, factor in made), treated / control)


def _solve(free: Callable[[float], float], wanted: float) -> float:
    """Rate at which ``free``, which falls from 1 to 0, is ``wanted``; by bisection to the last digits."""
    low, high = 0.0, 1.0
    while free(high) > wanted:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if free(middle) > wanted else (low, middle)
    return (low + high) / 2


def allocate(stratum: Sequence[int], block: int, rng: np.random.Generator) -> np.ndarray:
    """1 for the arm under examination, 0 for the control: permuted blocks within strata, in the order of patients."""
    arms = np.zeros(len(stratum), int)
    waiting: dict[int, list[int]] = {}
    for index, level in enumerate(stratum):
        if not waiting.get(level):
            waiting[level] = [int(place) % 2 for place in rng.permutation(block)]
        arms[index] = waiting[level].pop()
    return arms


def times(model: Hazards, stratum: np.ndarray, treated: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Day of the first event of every patient, from 1 on."""
    rate = np.array(model.rates)[stratum] * np.where(treated == 1, model.ratio, 1.0)
    return np.ceil(rng.exponential(size=len(stratum)) / rate)


def observe(
    protocol: Protocol,
    outcome: Outcome,
    arms: TwoArms,
    event: np.ndarray,
    treated: np.ndarray,
    levels: Sequence[tuple[str, ...]],
    rng: np.random.Generator,
) -> Drawn:
    """What is recorded: events during follow-up, else the last assessment.

    ``event``: day of the first, inf: none; ``levels`` of each patient by variable in alphabetical order.
    """
    endpoint = outcome.endpoint
    if not isinstance(endpoint, TimeToEvent):
        raise DataError(item=outcome.id, value=endpoint.kind, message="no patients can be drawn for this endpoint")
    plan, n = arms.observation, len(event)
    start = np.array([day(plan.first_patient) + int(plan.step * index) for index in range(n)])
    ends = np.minimum(day(protocol.data_cutoff) - start, plan.longest)
    gone = np.floor(rng.exponential(size=n) / plan.lost) if plan.lost > 0 else np.full(n, np.inf)
    ends = np.maximum(np.minimum(ends, gone), 0)
    happens = event <= ends
    last = np.where(happens, event, _assessed(arms, ends, rng))
    names = sorted(arms.first_events)
    shares = np.array([arms.first_events[name] for name in names])
    which = rng.choice(len(names), n, p=shares / shares.sum())
    moments: dict[str, list[int | None]] = {
        name: [int(start[i] + event[i]) if happens[i] and which[i] == k else None for i in range(n)]
        for k, name in enumerate(names)
    }
    begins: list[int | None] = [int(value) for value in start]
    moments |= dict.fromkeys({endpoint.origin, protocol.time.origin}, begins)
    moments.setdefault(endpoint.censor, [int(value) for value in start + last])
    seen = [int(value) for value in start + np.where(happens, event, ends)]
    ids = {arm.id: arm.label for arm in protocol.arms}
    other = next(name for name in ids if name != arms.control)
    codes = [other if one else arms.control for one in treated]
    columns = {"ARMCD": codes, "ARM": [ids[code] for code in codes]}
    columns |= {variable: [level[k] for level in levels] for k, variable in enumerate(sorted(arms.strata))}
    return Drawn(n, moments, seen, columns)


def _assessed(arms: TwoArms, ends: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Day of the last assessment before the end of follow-up; 0, the day of randomisation, without any."""
    plan = arms.observation
    last = np.zeros(len(ends))
    for visit in plan.visits:
        when = visit + np.round(rng.normal(size=len(ends)) * plan.visit_sd)
        made = (rng.random(len(ends)) >= plan.visit_missed) & (when < ends)
        last = np.where(made, np.maximum(last, when), last)
    return last


def draw(
    protocol: Protocol, outcome: Outcome, arms: TwoArms, scenario: SurvivalScenario, n: int, rng: np.random.Generator
) -> Drawn:
    """``n`` randomised patients of a scenario with proportional hazards."""
    model = hazards(arms, scenario)
    shares = np.array([share for _, share in model.strata])
    stratum = rng.choice(len(shares), n, p=shares / shares.sum())
    treated = allocate(stratum.tolist(), arms.block, rng)
    event = times(model, stratum, treated, rng)
    return observe(protocol, outcome, arms, event, treated, [model.strata[k][0] for k in stratum], rng)
