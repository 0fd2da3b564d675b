"""Typed model of ``protocol.yaml``: who, when, which visits, which populations, which datasets.

Days in this file are *protocol days*: the label printed in the protocol. ``time.first_day`` says which
label the day of the origin has (1: D1, 0: D0); elapsed days are ``day - first_day``. Days that are
anchored on another milestone (``anchor:``) are plain elapsed days from that milestone.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from trialpipe.config.datasets import Dataset
from trialpipe.config.names import DatasetId, Domain, Name, Names, Variable, Where
from trialpipe.config.types import DateText, Id, Probability, Strict, Text


class Assumption(Strict):
    """A choice that no source settles; printed as ASSUMED."""

    id: Id
    text: Text
    reason: Text


class SimonDesign(Strict):
    """Stop for futility if at most ``r1`` of ``n1`` succeed, reject ``p0`` if more than ``r`` of ``n`` do."""

    p0: Probability
    p1: Probability
    alpha: Probability
    power: Probability
    criterion: Literal["optimal", "minimax", "admissible"] = Field(
        "optimal", description="what the protocol calls the design; checked against an exact search"
    )
    r1: int = Field(ge=0)
    n1: int = Field(ge=1)
    r: int = Field(ge=0)
    n: int = Field(ge=2)

    @model_validator(mode="after")
    def _stages(self) -> SimonDesign:
        if not (self.r1 < self.n1 < self.n and self.r1 <= self.r < self.n and self.p0 < self.p1):
            raise ValueError("needs r1 < n1 < n, r1 <= r < n and p0 < p1")
        if self.alpha >= 0.5:
            raise ValueError("needs a one-sided alpha below 0.5: the interval has level 1 - 2 alpha")
        return self


class Design(Strict):
    allocation: Literal["single_arm", "randomised", "observational"]
    phase: Text | None = None
    planned_n: int = Field(ge=1)
    summary: Text
    simon: SimonDesign | None = None


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


class DerivedEvent(Strict):
    """An event of a derived dataset: the first dated row of a parameter. Endpoints name it as they name milestones.

    Of events of one day, those with ``gvhd`` in their id come before relapse and death, as milestones do.
    """

    id: Name
    label: Text
    dataset: DatasetId
    parameter: Variable


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
    derived_events: tuple[DerivedEvent, ...] = ()
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
