"""Typed model of ``outcomes.yaml``: every registered outcome, its endpoint, estimand and analyses."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from trialpipe.config.analyses import AnyAnalysis
from trialpipe.config.names import DatasetId, Name, Names, Variable
from trialpipe.config.protocol import Assumption
from trialpipe.config.types import Duration, Id, OneOrMany, Strict, Text


class StateAtHorizon(Strict):
    """State at the earlier of a terminal milestone and the horizon.

    States: ``reached`` (terminal milestone alive), ``alive`` (at horizon), ``dead``, ``lost``.
    Gives a row in the state dataset and one in the time-to-event dataset (event death, competing terminal).
    """

    kind: Literal["state_at_horizon"]
    dataset: DatasetId = Field("adeff", description="state dataset")
    origin: Name = Field(description="milestone that time counts from")
    horizon: Duration = Field(description="time at which the state is read if no terminal milestone came before")
    terminal: Name | None = Field(None, description="milestone that fixes the state, e.g. hsct")
    death: Name = Field("death", description="milestone of death")
    success: OneOrMany[Literal["reached", "alive"]] = Field(
        (
            "reached",
            "alive",
        ),
        description="states that are a success",
    )
    lost: Literal["failure", "success", "exclude"] = Field(
        "failure", description="what a patient lost before the horizon is"
    )
    unordered: Literal["death", "terminal"] = Field(
        "death", description="which comes first of a death and the terminal milestone of one day that no times order"
    )
    labels: dict[Literal["reached", "alive", "dead", "lost", "success"], Text] = Field(
        {}, description="words of the states"
    )


class TimeToEvent(Strict):
    """Time from origin to the first of the events; competing events end it otherwise."""

    kind: Literal["time_to_event"]
    dataset: DatasetId = Field("adtte", description="time-to-event dataset")
    origin: Name = Field(description="milestone that time counts from")
    entry: Name | None = Field(None, description="left truncation: at risk only from this milestone")
    event: Names = Field(description="milestones or derived events; the first counts")
    competing: Names = Field((), description="milestones that end the time otherwise, in order: CNSR 2, 3, ...")
    censor: Name = Field("last_alive", description="milestone of last observation")
    horizon: Duration | None = Field(None, description="administrative end: later events are not counted")
    lost_event: Names = Field((), description="populations in which censored before the horizon is an event")
    lost_free: Names = Field((), description="populations in which censored before it is free of the event up to it")
    early_event: Names = Field(
        (), description="populations in which an event dated before the origin is one on its day; default: no time"
    )
    early_free: Names = Field((), description="populations in which an event dated before the origin is disregarded")
    labels: dict[Name, Text] = Field({}, description="words of events and censoring")

    @model_validator(mode="after")
    def _lost_before(self) -> TimeToEvent:
        if (self.lost_event or self.lost_free) and self.horizon is None:
            raise ValueError("lost_event and lost_free need a horizon, e.g. 730 days")
        for one, other in (("lost_event", "lost_free"), ("early_event", "early_free")):
            both = set(getattr(self, one)) & set(getattr(self, other))
            if both:
                raise ValueError(f"{sorted(both)[0]} is in {one} and in {other}")
        return self


class SofaResponse(Strict):
    """Alive at a visit with an organ failure score at least ``decrease`` below baseline.

    States: ``success``, ``no_decrease``, ``dead``, ``missing`` (no score at the visit or at baseline).
    """

    kind: Literal["sofa_response"]
    dataset: DatasetId = Field(description="sofa_response dataset")
    origin: Name = Field(description="milestone that time counts from")
    death: Name = Field("death", description="milestone of death")
    visit: Text = Field(description="visit of the score, e.g. D7")
    parameter: Variable = Field("SOFATOT", description="total of the score dataset, e.g. SOFACC: complete scores")
    decrease: float = Field(3.0, gt=0, description="least decrease from baseline that is a success")
    missing: Literal["failure", "success", "exclude"] = Field("failure", description="what a patient without score is")
    labels: dict[Literal["success", "no_decrease", "dead", "missing"], Text] = Field(
        {}, description="words of the states"
    )


class ResponseEndpoint(Strict):
    """Response per visit in a response dataset."""

    kind: Literal["response"]
    dataset: DatasetId = Field(description="response dataset")


class ResponseTimeEndpoint(Strict):
    """Time to response in a response-time dataset."""

    kind: Literal["response_time"]
    dataset: DatasetId = Field(description="response-time dataset")


class ReactivationEndpoint(Strict):
    """Reactivation after response in a reactivation dataset."""

    kind: Literal["reactivation"]
    dataset: DatasetId = Field(description="reactivation dataset")


class InfectionsEndpoint(Strict):
    """First viral infection in an infections dataset."""

    kind: Literal["infections"]
    dataset: DatasetId = Field(description="infections dataset")


class StayEndpoint(Strict):
    """Length of a stay in a stay dataset."""

    kind: Literal["stay"]
    dataset: DatasetId = Field(description="stay dataset")


class NosocomialEndpoint(Strict):
    """First infection acquired in hospital in a nosocomial dataset."""

    kind: Literal["nosocomial"]
    dataset: DatasetId = Field(description="nosocomial dataset")


class FindingsEndpoint(Strict):
    """Measured values in a findings dataset."""

    kind: Literal["findings"]
    dataset: DatasetId = Field(description="findings dataset or one of its like")


class AdverseEventsEndpoint(Strict):
    """Adverse events in a window."""

    kind: Literal["adverse_events"]
    dataset: DatasetId = Field(description="adverse-events dataset")


class SubjectsEndpoint(Strict):
    """Patient-level facts of ADSL (flow, populations, baseline)."""

    kind: Literal["subjects"]
    dataset: Literal["adsl"] = Field("adsl", description="one row per patient")


Endpoint = Annotated[
    StateAtHorizon
    | TimeToEvent
    | SofaResponse
    | ResponseEndpoint
    | ResponseTimeEndpoint
    | ReactivationEndpoint
    | InfectionsEndpoint
    | StayEndpoint
    | NosocomialEndpoint
    | FindingsEndpoint
    | AdverseEventsEndpoint
    | SubjectsEndpoint,
    Field(discriminator="kind"),
]

Strategy = Literal[
    "treatment_policy",
    "composite_failure",
    "hypothetical",
    "while_on_treatment",
    "while_alive",
    "principal_stratum",
    "terminal_by_definition",
]


class Estimand(Strict):
    """ICH E9(R1) attributes; the variable is the endpoint."""

    population: Name = Field(description="analysis set")
    treatment: Text = Field(description="treatment condition")
    variable: Text = Field(description="the variable in words")
    intercurrent: dict[Name, Strategy] = Field(
        {}, description="intercurrent event to its strategy; one that occurs without strategy stops the run"
    )
    summary: Text = Field(description="population-level summary in words")


class Registered(Strict):
    """Title and time frame as registered, to the letter."""

    title: Text = Field(description="title as registered")
    time_frame: Text = Field(description="time frame as registered")
    role: Literal["primary", "secondary", "described", "assumed_primary", "assumed"] = Field(
        description="described: promised in the registry's text, not registered as an outcome"
    )


class Sensitivity(Strict):
    """One choice changed: dotted path in the outcome to its new value."""

    id: Id = Field(description="scenario in results")
    label: Text = Field(description="heading in the report")
    set: dict[Text, Text] = Field(
        description="dotted path in the outcome to its new value, e.g. {endpoint.lost: exclude}"
    )


class Headline(Strict):
    """The number that stands for an outcome in overviews: values that columns of its result row must have."""

    analysis: Text | None = Field(None, description="kind, or kind.id")
    parameter: Text | None = Field(None, description="PARAMCD")
    category: Text | None = Field(None, description="category of the row, e.g. success")
    visit: Text | None = Field(None, description="visit of the row")
    time: Duration | None = Field(None, description="time of the row")
    statistic: Literal["percent", "mle", "difference", "risk_difference", "survival", "cif", "hr", "median"] | None = (
        Field(None, description="which of the row's numbers")
    )


class Outcome(Strict):
    """A registered outcome, or a description such as the patient flow."""

    id: Id = Field(description="first part of every result_id")
    title: Text = Field(description="heading in the report")
    registered: Registered | None = Field(None, description="absent for descriptions (flow, baseline)")
    section: Literal["flow", "populations", "baseline", "efficacy", "safety", "pk", "biomarkers"] = Field(
        description="part of the report"
    )
    group: Name = Field(description="outcomes of one group are computed in one job")
    paramcd: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,7}$")] | None = Field(
        None, description="PARAMCD in the state or time-to-event dataset"
    )
    endpoint: Endpoint = Field(description="what is measured, see [endpoint kinds](#endpoint-kinds)")
    estimand: Estimand = Field(description="the attributes of ICH E9(R1)")
    analyses: tuple[AnyAnalysis, ...] = Field(description="what is computed, see [analysis kinds](#analysis-kinds)")
    sensitivity: tuple[Sensitivity, ...] = Field((), description="the same with one choice changed")
    assumptions: tuple[Assumption, ...] = Field((), description="choices that no source settles")
    headline: Headline | None = Field(None, description="default: the last percentage, survival, incidence or median")
    note: Text | None = Field(None, description="a sentence under the heading")


class Outcomes(Strict):
    """``outcomes.yaml``."""

    outcomes: tuple[Outcome, ...] = Field(description="in the order of the report")
