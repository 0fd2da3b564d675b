"""One replicate of a trial: patients drawn, the endpoint derived, the declared analyses run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
import pandas as pd

from trialpipe.analyse.context import build
from trialpipe.analyse.rows import Store
from trialpipe.analyse.run import compute
from trialpipe.characteristics import draw_success, draw_survival, population
from trialpipe.characteristics.patients import Drawn, adsl
from trialpipe.characteristics.readings import Reading, read
from trialpipe.config.characteristics import (
    AnyScenario,
    Characteristics,
    SimulatorScenario,
    SuccessScenario,
    SurvivalScenario,
    TwoArms,
    name_of,
)
from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol, SimonDesign
from trialpipe.derive.run import derive

REPLICATE = "replicate"
"""Scenario of the rows: what an analysis prints in its primary scenario alone (tables of other designs) is left out."""


@dataclass(frozen=True)
class Examined:
    """What is examined: the trial's protocol, its outcome with the chosen analyses, the scenarios' file."""

    protocol: Protocol
    outcome: Outcome
    spec: Characteristics

    @property
    def patients(self) -> int:
        """Patients of a replicate; a two-stage design has its own number."""
        if self.simon is not None:
            return self.simon.n
        return self.spec.patients or self.protocol.design.planned_n

    @property
    def simon(self) -> SimonDesign | None:
        """The two-stage design if an examined analysis is one."""
        two_stage = any(analysis.kind == "simon_two_stage" for analysis in self.outcome.analyses)
        return self.protocol.design.simon if two_stage else None

    @property
    def two_arms(self) -> TwoArms:
        assert self.spec.two_arms is not None  # the model of the file sees to it
        return self.spec.two_arms


def examined(protocol: Protocol, outcomes: tuple[Outcome, ...], spec: Characteristics) -> Examined:
    """The examined outcome without its sensitivity analyses and with the examined analyses alone."""
    outcome = next(o for o in outcomes if o.id == spec.outcome)
    chosen = {name_of(analysis): analysis for analysis in outcome.analyses}
    analyses = tuple(chosen[name] for name in spec.analyses)
    changed = outcome.model_copy(update={"analyses": analyses, "sensitivity": (), "headline": None})
    # events of derived datasets are not drawn; an endpoint that needs one finds no such milestone
    return Examined(protocol.model_copy(update={"derived_events": ()}), changed, spec)


def parse(spec: Mapping[str, Any]) -> Examined:
    """What is examined, from the part of the configuration that a job holds."""
    outcomes = tuple(Outcome.model_validate(given) for given in spec["outcomes"])
    return examined(
        Protocol.model_validate(spec["protocol"]), outcomes, Characteristics.model_validate(spec["characteristics"])
    )


def generator(seed: int, scenario: str, replicate: int) -> np.random.Generator:
    """Random numbers of one replicate: those of its number alone, whatever is drawn in other replicates or jobs."""
    word = int.from_bytes(sha256(scenario.encode()).digest()[:8], "big")
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, word], spawn_key=(replicate,))))


def draw(case: Examined, scenario: AnyScenario, rng: np.random.Generator, pool: pd.DataFrame | None) -> Drawn:
    """The patients of one replicate; ``pool`` is the simulator's population, for scenarios of that kind."""
    if isinstance(scenario, SuccessScenario):
        found = accrued(draw_success.results(scenario, case.patients, rng), case.simon)
        return draw_success.draw(case.protocol, case.outcome, scenario, found, rng)
    if isinstance(scenario, SurvivalScenario):
        return draw_survival.draw(case.protocol, case.outcome, case.two_arms, scenario, case.patients, rng)
    assert pool is not None
    return population.draw(case.protocol, case.outcome, case.two_arms, scenario, pool, case.patients, rng)


def accrued(results: list[bool | None], design: SimonDesign | None) -> list[bool | None]:
    """Patients who are treated: those of stage 1 if a two-stage design stops there. A lost patient is no success."""
    if design is None or sum(result is True for result in results[: design.n1]) > design.r1:
        return results
    return results[: design.n1]


def analysed(case: Examined, drawn: Drawn) -> list[tuple[str, Reading]]:
    """(analysis, reading) of every examined analysis on these patients."""
    # what is not drawn did not happen: its milestone says no more than its absence, and costs time
    kept = tuple(milestone for milestone in case.protocol.milestones if milestone.id in drawn.moments)
    protocol = case.protocol.model_copy(update={"milestones": kept})
    frames = {"adsl": adsl(protocol, drawn), **drawn.tables}
    name = case.outcome.endpoint.dataset
    made = derive(name, protocol, (case.outcome,), {}, frames)
    datasets: Mapping[str, pd.DataFrame] = {"adsl": frames["adsl"], name: made.assign(SCENARIO=REPLICATE)}
    found = []
    for analysis in case.outcome.analyses:
        context = build(case.outcome, analysis, REPLICATE, protocol, datasets, Store())
        found += [(name_of(analysis), reading) for reading in read(analysis, compute(context), case.spec.level)]
    return found


def truths(case: Examined, scenario: AnyScenario, pool: pd.DataFrame | None) -> dict[str, float]:
    """True value by name, in the unit of the readings; a name that is absent has no true value in this scenario."""
    if isinstance(scenario, SuccessScenario):
        return {"success": 100 * scenario.success}
    times = {time for analysis in case.outcome.analyses for time in getattr(analysis, "at", ())}
    if isinstance(scenario, SurvivalScenario):
        model = draw_survival.hazards(case.two_arms, scenario)
        gaps = {f"difference-{time}": model.free(time, True) - model.free(time, False) for time in times}
        return {"log-hazard-ratio": math.log(model.ratio), **gaps}
    assert isinstance(scenario, SimulatorScenario)
    assert pool is not None
    return population.truths(scenario, pool, times, case.two_arms.control)
