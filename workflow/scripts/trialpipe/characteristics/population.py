"""Patients of the trial's simulator as a population with a known truth, from which replicates are drawn.

The simulator gives every patient a course under either arm. All of them together are the population: what is true of it
is counted, not estimated. A replicate draws patients with replacement, randomises them and follows them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from importlib import import_module

import numpy as np
import pandas as pd

from trialpipe.characteristics import draw_survival
from trialpipe.characteristics.patients import Drawn
from trialpipe.config.characteristics import SimulatorScenario, TwoArms
from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.io.errors import DataError
from trialpipe.simulate.main import COURSES
from trialpipe.simulate.parameters import FOLDER, read_parameters


def make(trial: str, arms: TwoArms, seed: int) -> pd.DataFrame:
    """Rows of the contract POOL: ``arms.population`` patients under either arm, without loss to follow-up.

    Raises DataError if the trial has no simulator, or one that gives no course by arm.
    """
    path = FOLDER / f"{trial}.yaml"
    if not path.is_file():
        raise DataError(item=trial, message=f"resources/reference/simulation has no {path.name}")
    p = read_parameters(path)
    # losses and the cut-off are a matter of each replicate
    unlimited = replace(p, values={**p.values, "lost": "0", "data_cutoff": "2100-01-01"})
    course = import_module(COURSES[p.course][0])
    if not hasattr(course, "first_events"):
        raise DataError(item=trial, value=p.course, message="this simulator has no course by arm")
    rows = course.first_events(unlimited, arms.population, seed)
    found = pd.DataFrame(rows, columns=["patient", "arm", "stratum", "event", "end"])
    return found.astype({"patient": "Int64", "event": "Int64", "end": "Int64"})


def _events(scenario: SimulatorScenario, pool: pd.DataFrame, control: str) -> tuple[np.ndarray, np.ndarray]:
    """Day of the first event (inf: none) of every patient under the control arm and under the other."""
    wide = pool.pivot(index="patient", columns="arm", values="event").sort_index()
    days = {arm: wide[arm].astype("float64").fillna(np.inf).to_numpy() for arm in wide.columns}
    other = control if scenario.effect == "none" else next(arm for arm in days if arm != control)
    return days[control], days[other]


def truths(scenario: SimulatorScenario, pool: pd.DataFrame, times: Iterable[int], control: str) -> dict[str, float]:
    """Differences over the population at ``times``; a hazard ratio only where both arms have one course (0)."""
    plain, treated = _events(scenario, pool, control)
    known = {f"difference-{time}": float((treated > time).mean() - (plain > time).mean()) for time in times}
    return known | ({"log-hazard-ratio": 0.0} if scenario.effect == "none" else {})


def draw(
    protocol: Protocol,
    outcome: Outcome,
    arms: TwoArms,
    scenario: SimulatorScenario,
    pool: pd.DataFrame,
    n: int,
    rng: np.random.Generator,
) -> Drawn:
    """``n`` patients drawn with replacement, randomised within strata and followed. DataError: strata do not fit."""
    plain, treated = _events(scenario, pool, arms.control)
    people = pool[pool["arm"] == arms.control].sort_values("patient")
    given = arms.simulated_strata
    if len(people) and len(people["stratum"].iloc[0]) != len(given):
        message = f"the simulator has {len(people['stratum'].iloc[0])} strata"
        raise DataError(item="two_arms.simulated_strata", value=", ".join(given), message=message)
    levels = [tuple(level for _, level in sorted(zip(given, own, strict=True))) for own in people["stratum"]]
    codes = {level: code for code, level in enumerate(sorted(set(levels)))}
    chosen = rng.integers(0, len(levels), n)
    mine = [levels[k] for k in chosen]
    arm = draw_survival.allocate([codes[level] for level in mine], arms.block, rng)
    event = np.where(arm == 1, treated[chosen], plain[chosen])
    return draw_survival.observe(protocol, outcome, arms, event, arm, mine, rng)
