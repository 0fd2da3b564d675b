"""Typed model of ``protocol.yaml``: who, when, which visits, which populations, which datasets.

Days in this file are *protocol days*: the label printed in the protocol. ``time.first_day`` says which
label the day of the origin has (1: D1, 0: D0); elapsed days are ``day - first_day``. Days that are
anchored on another milestone (``anchor:``) are plain elapsed days from that milestone.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from trialpipe.config.types import DateText, Duration, Id, OneOrMany, Strict, Text

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", description="lower-case name, e.g. first_dose")]
Variable = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,39}$", description="SDTM/ADaM variable name")]
Domain = Annotated[str, Field(pattern=r"^[a-z]{2,4}$", description="clean domain, e.g. lb, lbcy")]
DatasetId = Annotated[str, Field(pattern=r"^ad[a-z0-9]{1,8}$", description="derived dataset, e.g. adlb")]


Names = OneOrMany[Name]
Where = dict[Variable, OneOrMany[str]]
"""Filter on a table: every named variable must hold one of its values."""


class Assumption(Strict):
    """A choice that no source settles; printed as ASSUMED."""

    id: Id
    text: Text
    reason: Text


class Design(Strict):
    allocation: Literal["single_arm", "randomised", "observational"]
    phase: Text | None = None
    planned_n: int = Field(ge=1)
    summary: Text


class Arm(Strict):
    id: Text = Field(description="value of ADSL.ARMCD")
    label: Text


class Time(Strict):
    """The trial's clock: a milestone and the protocol label of its day."""

    origin: Name
    first_day: Literal[0, 1]
    day_start: str = Field("00:00", pattern=r"^\d\d:\d\d$")


class Milestone(Strict):
    """A dated event of a patient, found in one clean domain; becomes ``variable`` in ADSL."""

    id: Name
    variable: Variable = Field(description="ADSL date variable, ends in DT, e.g. TRTSDT")
    label: Text
    domain: Domain
    where: Where = {}
    date: Variable = Field(description="date/time variable of the domain, e.g. EXSTDTC")
    pick: Literal["first", "last"] = "first"


class Evidence(Strict):
    """Last known alive: the last date of any record of these domains, capped at the cut-off."""

    variable: Variable = "LSTALVDT"
    domains: tuple[Domain, ...]
    exclude: dict[Domain, Where] = {}


class SubjectVariable(Strict):
    """A patient-level variable of ADSL (covariate, stratum, baseline characteristic)."""

    name: Variable
    label: Text
    domain: Domain
    column: Variable = Field(description="clean column the value is read from, e.g. AGE, SCSTRESN")
    where: Where = {}
    type: Literal["number", "text"] = "text"
    unit: Text | None = None
    levels: tuple[Text, ...] | None = Field(None, description="order of categories; the first is reference")


class Formula(Strict):
    """A patient-level variable computed from others: sum over terms of factor times product of factors."""

    name: Variable
    label: Text
    expression: Text = Field(description="arithmetic in ADSL variables: + - * / ** ( ) and comparisons")
    unit: Text | None = None


class Population(Strict):
    """Analysis set: patients who have all ``require`` milestones and match ``where`` on ADSL."""

    id: Name
    variable: Variable = Field(description="ADSL flag, ends in FL, e.g. SAFFL")
    label: Text
    require: Names = ()
    where: Where = {}
    parent: Name | None = Field(None, description="a population this one must be nested in")


class Visit(Strict):
    """A protocol visit and the window in which a record counts for it (inclusive, in days)."""

    label: Text
    anchor: Name | None = Field(None, description="milestone the days count from; the trial's origin if absent")
    day: int
    window: tuple[int, int]
    pick: Literal["nearest", "last", "first"] = "nearest"
    baseline: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> Visit:
        if not self.window[0] <= self.day <= self.window[1]:
            raise ValueError(f"window {list(self.window)} does not hold day {self.day}")
        return self


class VisitSet(Strict):
    id: Name
    stop_before: Names = Field((), description="milestones after whose start no origin visit is filled")
    visits: tuple[Visit, ...]


class Parameter(Strict):
    """A parameter of a findings dataset: PARAMCD from a test (and specimen) of the domain."""

    code: Variable
    label: Text
    where: Where = Field(description="filter on the domain, e.g. {LBTESTCD: FERRITIN, LBSPEC: BLOOD}")
    type: Literal["number", "text"] = "number"


class FindingsDataset(Strict):
    """BDS dataset from findings domains: one row per parameter and record, windowed to visits."""

    kind: Literal["findings"]
    id: DatasetId
    label: Text
    domain: Domain
    visits: Name
    parameters: tuple[Parameter, ...]


class ResponseDataset(Strict):
    """Response per visit under named rule-sets (three-valued), from findings datasets."""

    kind: Literal["response"]
    id: DatasetId
    label: Text
    inputs: tuple[DatasetId, ...]
    domains: tuple[Domain, ...] = ()
    visits: Name
    rule_sets: tuple[Text, ...] = Field(description="ids in resources/reference/response_rules.yaml")
    max_age: Duration = Field(description="oldest value of an item that still counts at a visit")
    carried_after: Name | None = Field(None, description="milestone after which the last assessment is carried")


class ResponseTimeDataset(Strict):
    """Interval-censored time to response per rule-set and level, with competing events."""

    kind: Literal["response_time"]
    id: DatasetId
    label: Text
    source: DatasetId
    competing: Names = Field((), description="milestones that compete with response, in order: CNSR 2, 3, ...")


class AdverseEventsDataset(Strict):
    """One row per adverse event with analysis windows as flags."""

    kind: Literal["adverse_events"]
    id: DatasetId
    label: Text
    domain: Domain = "ae"
    windows: tuple[AEWindow, ...]


class AEWindow(Strict):
    """Events count from ``start`` until the first of ``ends`` (milestones) or ``until`` elapsed days."""

    id: Name
    variable: Variable = Field(description="flag in ADAE, e.g. TRTEMFL")
    label: Text
    start: Name
    ends: Names = ()
    until: Duration | None = None


class TimeToEventDataset(Strict):
    """ADTTE: one row per patient, time-to-event endpoint and scenario."""

    kind: Literal["time_to_event"]
    id: DatasetId
    label: Text


class StateDataset(Strict):
    """ADEFF: one row per patient, state-at-horizon endpoint and scenario."""

    kind: Literal["state"]
    id: DatasetId
    label: Text


Dataset = Annotated[
    FindingsDataset | ResponseDataset | ResponseTimeDataset | AdverseEventsDataset | TimeToEventDataset | StateDataset,
    Field(discriminator="kind"),
]


class IntercurrentEvent(Strict):
    """An event that affects the interpretation of outcomes (ICH E9(R1)); its date is a milestone."""

    id: Name
    milestone: Name
    label: Text


class Protocol(Strict):
    """``protocol.yaml``."""

    trial: Id
    acronym: Text
    title: Text
    sponsor: Text
    identifiers: dict[str, Text] = {}
    synthetic: bool
    source: Text = Field(description="where the data come from, printed on the first page")
    dates_are_nominal: bool = Field(False, description="source holds elapsed days only; calendar dates are not printed")
    design: Design
    arms: tuple[Arm, ...]
    data_cutoff: DateText
    time: Time
    milestones: tuple[Milestone, ...]
    last_alive: Evidence
    intercurrent_events: tuple[IntercurrentEvent, ...] = ()
    subject_variables: tuple[SubjectVariable, ...] = ()
    formulas: tuple[Formula, ...] = ()
    populations: tuple[Population, ...]
    visit_sets: tuple[VisitSet, ...] = ()
    datasets: tuple[Dataset, ...]
    language: Literal["en"] = "en"
    assumptions: tuple[Assumption, ...] = ()
    registry_errors: tuple[Text, ...] = Field((), description="known errors of the registry text and what is done")


AdverseEventsDataset.model_rebuild()
