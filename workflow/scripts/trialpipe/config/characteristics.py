"""Typed model of ``characteristics.yaml``: under which truths the primary analysis of a trial is examined."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from trialpipe.config.errors import Problem
from trialpipe.config.names import Name, Variable
from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.config.types import DateText, Duration, Id, Probability, Strict, Text

Share = Annotated[float, Field(ge=0, le=1)]
READ = ("proportion", "simon_two_stage", "difference_at_time", "logrank", "cox")
"""Kinds of analyses whose rows can be read as estimate, interval and decision."""


class Scenario(Strict):
    """A truth from which patients are drawn."""

    id: Id = Field(description="name in the results; the random numbers of a scenario depend on it")
    label: Text = Field(description="the truth in words")
    role: Literal["null", "alternative", "other"] = Field(
        "other", description="what a rejection is: type I error, power, or either"
    )
    source: Text = Field(description="where the numbers are from")


class SuccessScenario(Scenario):
    """Patients succeed independently of each other with one probability."""

    kind: Literal["success"]
    success: Probability = Field(description="probability of success")
    lost: Share = Field(0.0, description="share without a known outcome, whatever it would be")
    terminal: Share = Field(0.5, description="share of the successes that reach the terminal milestone")
    deaths: Share = Field(0.5, description="share of the failures that are deaths, if a failure can be alive")


class SurvivalScenario(Scenario):
    """Two arms with proportional hazards, constant in time within a stratum."""

    kind: Literal["survival"]
    at: Duration = Field(description="time at which the two probabilities hold")
    control: Probability = Field(description="probability to be free of the event in the control arm")
    treated: Probability = Field(description="the same in the other arm")


class SimulatorScenario(Scenario):
    """Patients of the trial's simulator: a population with its course under either arm, drawn with replacement."""

    kind: Literal["simulator"]
    at: Duration = Field(description="time at which the difference is examined")
    effect: Literal["simulated", "none"] = Field(description="none: the course of the control arm in both arms")


AnyScenario = Annotated[SuccessScenario | SurvivalScenario | SimulatorScenario, Field(discriminator="kind")]


class Level(Strict):
    """A level of a stratum."""

    share: Probability = Field(description="share of the patients")
    hazard: float = Field(1.0, gt=0, description="factor on the hazard of the event")


class Observation(Strict):
    """How long patients are followed and when they are seen."""

    first_patient: DateText = Field(description="day of the first patient's origin")
    step: float = Field(gt=0, description="days between the origins of two patients")
    longest: Duration = Field(description="longest follow-up; it also ends at the data cut-off")
    visits: tuple[Duration, ...] = Field(description="planned assessments; without the event the last one censors")
    visit_sd: float = Field(0.0, ge=0, description="standard deviation of the day of an assessment")
    visit_missed: Share = Field(0.0, description="share of assessments that are missed")
    lost: float = Field(0.0, ge=0, description="rate of loss to follow-up per day")
    source: Text = Field(description="where the numbers are from")


class TwoArms(Strict):
    """How two arms are made and followed."""

    control: Text = Field(description="id of the control arm")
    block: int = Field(4, ge=2, multiple_of=2, description="size of the permuted blocks within strata")
    strata: dict[Variable, dict[Text, Level]] = Field({}, description="ADSL variable to its levels")
    first_events: dict[Name, Share] = Field(description="share of each milestone among the first events")
    observation: Observation = Field(description="follow-up")
    simulated_strata: tuple[Variable, ...] = Field(
        (), description="the variables of strata in the order in which the simulator gives them, for kind simulator"
    )
    population: int = Field(2000, ge=1, description="patients of the simulator's population, for kind simulator")


class Characteristics(Strict):
    """``characteristics.yaml``."""

    outcome: Id = Field(description="outcome that is examined, as a rule the primary one")
    analyses: tuple[Text, ...] = Field(description="its analyses that are examined: kind, or kind.id")
    patients: int | None = Field(None, ge=1, description="patients of a replicate; default: planned_n of the protocol")
    replicates: int = Field(1000, ge=2, description="replicates of each scenario")
    batch: int = Field(50, ge=1, description="replicates per job")
    seed: int = Field(ge=0, description="base of all random numbers")
    level: Probability = Field(0.05, description="two-sided level of tests whose analysis names none")
    two_arms: TwoArms | None = Field(None, description="needed by scenarios with two arms")
    scenarios: tuple[AnyScenario, ...] = Field(description="truths, in the order of the page")
    notes: tuple[Text, ...] = Field((), description="what a reader of the page must know")

    @model_validator(mode="after")
    def _complete(self) -> Characteristics:
        ids = [scenario.id for scenario in self.scenarios]
        twice = [name for name in ids if ids.count(name) > 1]
        if twice:
            raise ValueError(f"scenario {twice[0]} is declared twice")
        two = self.two_arms
        drawn = any(scenario.kind == "simulator" for scenario in self.scenarios)
        if two is not None and drawn and sorted(two.simulated_strata) != sorted(two.strata):
            raise ValueError("simulated_strata must name the variables of strata in the simulator's order")
        if self.two_arms is None and any(scenario.kind != "success" for scenario in self.scenarios):
            raise ValueError("a scenario with two arms needs two_arms")
        return self


def faults(given: Characteristics, protocol: Protocol, outcomes: tuple[Outcome, ...], path: str) -> list[Problem]:
    """What does not fit the trial's other files: unknown outcome, analysis or arm, an endpoint the scenarios lack."""
    outcome = next((o for o in outcomes if o.id == given.outcome), None)
    if outcome is None:
        return [Problem(path, None, "outcome", f"'{given.outcome}' is not an outcome of outcomes.yaml")]
    found = []
    kinds = {name_of(a): a.kind for a in outcome.analyses}
    for name in given.analyses:
        if name not in kinds:
            message = f"'{name}' is not an analysis of {outcome.id}; declared: {', '.join(kinds)}"
            found.append(Problem(path, None, "analyses", message))
        elif kinds[name] not in READ:
            found.append(Problem(path, None, "analyses", f"'{name}' cannot be examined; use {', '.join(READ)}"))
    binary = outcome.endpoint.kind in ("state_at_horizon", "sofa_response")
    for scenario in given.scenarios:
        if (scenario.kind == "success") != binary:
            message = f"{scenario.id} of kind {scenario.kind} does not fit an endpoint {outcome.endpoint.kind}"
            found.append(Problem(path, None, "scenarios", message))
    arms = [arm.id for arm in protocol.arms]
    if given.two_arms is not None and (len(arms) != 2 or given.two_arms.control not in arms):
        message = f"'{given.two_arms.control}' is not one of two arms; declared: {', '.join(arms)}"
        found.append(Problem(path, None, "two_arms.control", message))
    return found


def name_of(analysis: object) -> str:
    """Kind of an analysis, or kind.id."""
    kind, own = getattr(analysis, "kind", ""), getattr(analysis, "id", None)
    return f"{kind}.{own}" if own else kind
