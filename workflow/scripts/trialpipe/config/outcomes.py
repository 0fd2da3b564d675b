"""Typed model of ``outcomes.yaml``: every registered outcome, its endpoint, estimand and analyses."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

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
    dataset: DatasetId = "adeff"
    origin: Name
    horizon: Duration
    terminal: Name | None = None
    death: Name = "death"
    success: OneOrMany[Literal["reached", "alive"]] = (
        "reached",
        "alive",
    )
    lost: Literal["failure", "success", "exclude"] = "failure"
    labels: dict[Literal["reached", "alive", "dead", "lost", "success"], Text] = {}


class TimeToEvent(Strict):
    """Time from origin to the first of the events; competing events end it otherwise."""

    kind: Literal["time_to_event"]
    dataset: DatasetId = "adtte"
    origin: Name
    entry: Name | None = Field(None, description="left truncation: at risk only from this milestone")
    event: Names
    competing: Names = ()
    censor: Name = Field("last_alive", description="milestone of last observation")
    horizon: Duration | None = None
    labels: dict[Name, Text] = {}


class SofaResponse(Strict):
    """Alive at a visit with an organ failure score at least ``decrease`` below baseline.

    States: ``success``, ``no_decrease``, ``dead``, ``missing`` (no score at the visit or at baseline).
    """

    kind: Literal["sofa_response"]
    dataset: DatasetId
    origin: Name
    death: Name = "death"
    visit: Text = Field(description="visit of the score, e.g. D7")
    parameter: Variable = Field("SOFATOT", description="total of the score dataset, e.g. SOFACC: complete scores")
    decrease: float = Field(3.0, gt=0)
    missing: Literal["failure", "success", "exclude"] = "failure"
    labels: dict[Literal["success", "no_decrease", "dead", "missing"], Text] = {}


class ResponseEndpoint(Strict):
    """Response per visit in a response dataset."""

    kind: Literal["response"]
    dataset: DatasetId


class ResponseTimeEndpoint(Strict):
    """Time to response in a response-time dataset."""

    kind: Literal["response_time"]
    dataset: DatasetId


class ReactivationEndpoint(Strict):
    """Reactivation after response in a reactivation dataset."""

    kind: Literal["reactivation"]
    dataset: DatasetId


class InfectionsEndpoint(Strict):
    """First viral infection in an infections dataset."""

    kind: Literal["infections"]
    dataset: DatasetId


class StayEndpoint(Strict):
    """Length of a stay in a stay dataset."""

    kind: Literal["stay"]
    dataset: DatasetId


class NosocomialEndpoint(Strict):
    """First infection acquired in hospital in a nosocomial dataset."""

    kind: Literal["nosocomial"]
    dataset: DatasetId


class FindingsEndpoint(Strict):
    """Measured values in a findings dataset."""

    kind: Literal["findings"]
    dataset: DatasetId


class AdverseEventsEndpoint(Strict):
    """Adverse events in a window."""

    kind: Literal["adverse_events"]
    dataset: DatasetId


class SubjectsEndpoint(Strict):
    """Patient-level facts of ADSL (flow, populations, baseline)."""

    kind: Literal["subjects"]
    dataset: Literal["adsl"] = "adsl"


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
    "principal_stratum",
    "terminal_by_definition",
]


class Estimand(Strict):
    """ICH E9(R1) attributes; the variable is the endpoint."""

    population: Name
    treatment: Text
    variable: Text
    intercurrent: dict[Name, Strategy] = {}
    summary: Text


class Registered(Strict):
    """Title and time frame as registered, to the letter."""

    title: Text
    time_frame: Text
    role: Literal["primary", "secondary", "described", "assumed"] = Field(
        description="described: promised in the registry's text, not registered as an outcome"
    )


class Sensitivity(Strict):
    """One choice changed: dotted path in the outcome to its new value."""

    id: Id
    label: Text
    set: dict[Text, Text]


class Headline(Strict):
    """The number that stands for an outcome in overviews: values that columns of its result row must have."""

    analysis: Text | None = Field(None, description="kind, or kind.id")
    parameter: Text | None = None
    category: Text | None = None
    visit: Text | None = None
    time: Duration | None = None
    statistic: Literal["percent", "mle", "survival", "cif", "median"] | None = None


class Outcome(Strict):
    id: Id
    title: Text = Field(description="heading in the report")
    registered: Registered | None = Field(None, description="absent for descriptions (flow, baseline)")
    section: Literal["flow", "populations", "baseline", "efficacy", "safety", "pk", "biomarkers"]
    group: Name = Field(description="outcomes of one group are computed in one job")
    paramcd: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,7}$")] | None = None
    endpoint: Endpoint
    estimand: Estimand
    analyses: tuple[AnyAnalysis, ...]
    sensitivity: tuple[Sensitivity, ...] = ()
    assumptions: tuple[Assumption, ...] = ()
    headline: Headline | None = Field(None, description="default: the last percentage, survival, incidence or median")
    note: Text | None = None


class Outcomes(Strict):
    """``outcomes.yaml``."""

    outcomes: tuple[Outcome, ...]
