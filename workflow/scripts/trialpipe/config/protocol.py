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
from trialpipe.config.types import DateText, Duration, Id, OneOrMany, Probability, Strict, Text


class Assumption(Strict):
    """A choice that no source settles; printed as ASSUMED."""

    id: Id = Field(description="distinct in the trial or outcome")
    text: Text = Field(description="what is assumed, a whole sentence")
    reason: Text = Field(description="why: what the sources do not say")


class SimonDesign(Strict):
    """Stop for futility if at most ``r1`` of ``n1`` succeed, reject ``p0`` if more than ``r`` of ``n`` do."""

    p0: Probability = Field(description="success probability not worth pursuing")
    p1: Probability = Field(description="success probability hoped for")
    alpha: Probability = Field(description="one-sided type I error the protocol names")
    power: Probability = Field(description="power at p1 the protocol names")
    criterion: Literal["optimal", "minimax", "admissible"] = Field(
        "optimal", description="what the protocol calls the design; checked against an exact search"
    )
    r1: int = Field(ge=0, description="stop after stage 1 with at most so many successes")
    n1: int = Field(ge=1, description="patients of stage 1")
    r: int = Field(ge=0, description="reject p0 with more than so many successes in all")
    n: int = Field(ge=2, description="patients of both stages")

    @model_validator(mode="after")
    def _stages(self) -> SimonDesign:
        if not (self.r1 < self.n1 < self.n and self.r1 <= self.r < self.n and self.p0 < self.p1):
            raise ValueError("needs r1 < n1 < n, r1 <= r < n and p0 < p1")
        if self.alpha >= 0.5:
            raise ValueError("needs a one-sided alpha below 0.5: the interval has level 1 - 2 alpha")
        return self


class Design(Strict):
    """How the trial was planned."""

    allocation: Literal["single_arm", "randomised", "observational"] = Field(
        description="how patients come to their arm"
    )
    phase: Text | None = Field(None, description="as registered, e.g. 1/2")
    planned_n: int = Field(ge=1, description="planned number of patients")
    summary: Text = Field(description="the design in one sentence")
    simon: SimonDesign | None = Field(None, description="two-stage design, for analysis kind simon_two_stage")


class Arm(Strict):
    """An arm, or the one treatment of a single-arm trial."""

    id: Text = Field(description="value of ADSL.ARMCD")
    label: Text = Field(description="name in tables and figures")


class Time(Strict):
    """The trial's clock: a milestone and the protocol label of its day."""

    origin: Name = Field(description="milestone whose day is day zero of visits and windows")
    otherwise: Name | None = Field(
        None, description="milestone that stands for the origin in a patient in whom it did not happen"
    )
    first_day: Literal[0, 1] = Field(description="protocol label of the origin's day: 1 for D1, 0 for D0")
    day_start: str = Field(
        "00:00",
        pattern=r"^\d\d:\d\d$",
        description="clock time at which a trial day begins, e.g. 06:00 in intensive care",
    )


class Milestone(Strict):
    """A dated event of a patient, found in one clean domain; becomes ``variable`` in ADSL."""

    id: Name = Field(description="name that other keys use, e.g. first_dose")
    variable: Variable = Field(description="ADSL date variable, ends in DT, e.g. TRTSDT")
    label: Text = Field(description="name in tables and figures")
    domain: Domain = Field(description="clean domain of the record")
    where: Where = Field({}, description="filter on the records of the domain")
    date: Variable = Field(description="date/time variable of the domain, e.g. EXSTDTC")
    pick: Literal["first", "last"] = Field("first", description="which record counts if there are several")
    not_before: Name | None = Field(
        None, description="milestone declared above: records that are certainly before it do not count"
    )


class DerivedEvent(Strict):
    """An event of a derived dataset: the first dated row of a parameter, or of those that match a filter.

    Endpoints name it as they name milestones.

    Of events of one day, those with ``gvhd`` in their id come before relapse and death, as milestones do.
    """

    id: Name = Field(description="name that endpoints use")
    label: Text = Field(description="name in tables and figures")
    dataset: DatasetId = Field(description="derived dataset of the event")
    parameter: Variable | None = Field(None, description="PARAMCD of its row")
    where: Where = Field({}, description="filter on the rows, e.g. {TRTEMFL: Y, AESER: Y} of adverse events")
    date: Variable = Field("ADT", description="date of the row; ASTDT of adverse events")

    @model_validator(mode="after")
    def _rows(self) -> DerivedEvent:
        if self.parameter is None and not self.where:
            raise ValueError("needs parameter, where or both: which rows are the event")
        return self


class Evidence(Strict):
    """Last known alive: the last date of any record of these domains, capped at the cut-off."""

    variable: Variable = Field("LSTALVDT", description="ADSL variable of the date")
    domains: tuple[Domain, ...] = Field(description="domains whose dated records show that a patient was alive")
    exclude: dict[Domain, Where] = Field(
        {}, description="records that do not, by domain: those that match are left out"
    )


class SubjectVariable(Strict):
    """A patient-level variable of ADSL (covariate, stratum, baseline characteristic)."""

    name: Variable = Field(description="ADSL variable")
    label: Text = Field(description="name in tables")
    domain: Domain = Field(description="clean domain the value is read from")
    column: Variable = Field(description="clean column the value is read from, e.g. AGE, SCSTRESN")
    where: Where = Field({}, description="filter on the records of the domain")
    type: Literal["number", "text"] = Field("text", description="number or text")
    unit: Text | None = Field(None, description="unit of a number")
    levels: tuple[Text, ...] | None = Field(None, description="order of categories; the first is reference")
    labels: dict[Text, Text] = Field({}, description="words for categories in tables; default: as they are")


class Formula(Strict):
    """A patient-level variable computed from others: sum over terms of factor times product of factors."""

    name: Variable = Field(description="ADSL variable")
    label: Text = Field(description="name in tables")
    expression: Text = Field(description="arithmetic in ADSL variables: + - * / ** ( ), comparisons, round(x, digits)")
    unit: Text | None = Field(None, description="unit of the result")


class ValueBand(Strict):
    """A band of a number; what falls into it is the level ``label``."""

    label: Text = Field(description="level, in the order of tables")
    ge: float | None = Field(None, description="at least")
    gt: float | None = Field(None, description="more than")
    le: float | None = Field(None, description="at most")
    lt: float | None = Field(None, description="less than")

    @model_validator(mode="after")
    def _limited(self) -> ValueBand:
        if (self.ge is not None and self.gt is not None) or (self.le is not None and self.lt is not None):
            raise ValueError("one lower and one upper limit: ge or gt, le or lt")
        if all(limit is None for limit in (self.ge, self.gt, self.le, self.lt)):
            raise ValueError("needs a limit: ge, gt, le or lt")
        return self

    def holds(self, value: float) -> bool:
        """Whether a number lies in the band."""
        low = (self.ge is None or value >= self.ge) and (self.gt is None or value > self.gt)
        return low and (self.le is None or value <= self.le) and (self.lt is None or value < self.lt)


class Grouping(Strict):
    """A patient-level variable with a level per band of a number; without a value, or in no band, it is missing."""

    name: Variable = Field(description="ADSL variable")
    label: Text = Field(description="name in tables")
    of: Variable = Field(description="number that is banded: a subject variable or formula")
    bands: tuple[ValueBand, ...] = Field(description="bands; the first that holds the number counts")


class Population(Strict):
    """Analysis set: patients who have all ``require`` milestones and match ``where`` on ADSL."""

    id: Name = Field(description="name that estimands and analyses use")
    variable: Variable = Field(description="ADSL flag, ends in FL, e.g. SAFFL")
    label: Text = Field(description="name in tables")
    require: Names = Field((), description="milestones a member has")
    where: Where = Field({}, description="filter on ADSL, e.g. {ARMCD: [A, B]}")
    parent: Name | None = Field(None, description="a population this one must be nested in")


class Visit(Strict):
    """A protocol visit and the window in which a record counts for it (in days), or its name in the extract."""

    label: Text = Field(description="the protocol's name of the visit, e.g. D14")
    anchor: Name | None = Field(None, description="milestone the days count from; the trial's origin if absent")
    day: int = Field(description="target: protocol day, or elapsed days from the anchor")
    window: tuple[int, int] | None = Field(
        None, description="first and last day that count, both included; required unless recorded is given"
    )
    recorded: OneOrMany[Text] = Field(
        (),
        description="names of the visit in the extract (clean VISIT): its records count, whatever their day; "
        "for findings and concentrations",
    )
    pick: Literal["nearest", "last", "first"] = Field(
        "nearest",
        description="which record of the window counts: nearest the target (a tie: the earlier), last or first",
    )
    baseline: bool = Field(False, description="the visit whose value is the baseline")

    @model_validator(mode="after")
    def _ordered(self) -> Visit:
        if (self.window is None) == (not self.recorded):
            raise ValueError("needs either window or recorded")
        if not self.bounds[0] <= self.day <= self.bounds[1]:
            raise ValueError(f"window {list(self.bounds)} does not hold day {self.day}")
        return self

    @property
    def bounds(self) -> tuple[int, int]:
        """First and last day; of a visit that goes by its recorded name the target day alone."""
        return self.window or (self.day, self.day)


class VisitSet(Strict):
    """Visits that the datasets of one schedule share."""

    id: Name = Field(description="name that datasets use")
    stop_before: Names = Field((), description="milestones after whose start no origin visit is filled")
    visits: tuple[Visit, ...] = Field(description="the visits, in order of time")


class TreatmentStop(Strict):
    """The last administration is a stop if it comes before the planned end and nothing explains it."""

    start: Name = Field(description="milestone of the first administration")
    planned: Duration = Field(description="planned days of treatment, the first one counted")
    unless: Names = Field((), description="milestones that explain the end, or last_alive for the end of what is known")
    grace: Duration = Field(1, description="days after the last administration within which they explain it")


class IntercurrentEvent(Strict):
    """An event that affects the interpretation of outcomes (ICH E9(R1)), found by its date.

    Either a ``milestone`` (or derived event) that happened, or one that did not (``absent``), which is dated ``at``
    another.
    """

    id: Name = Field(description="name that estimands use")
    label: Text = Field(description="name in the report")
    milestone: Name | None = Field(None, description="milestone or derived event of its date")
    absent: Name | None = Field(None, description="milestone that the patient has not, e.g. first_dose: never treated")
    at: Name | None = Field(None, description="with absent: milestone that dates it, e.g. inclusion")
    population: Name | None = Field(None, description="only in patients of this population, e.g. those of one arm")
    stop: TreatmentStop | None = Field(None, description="the milestone is a last administration: when it is a stop")

    @model_validator(mode="after")
    def _dated(self) -> IntercurrentEvent:
        if (self.milestone is None) == (self.absent is None):
            raise ValueError("needs either milestone or absent")
        if (self.absent is None) != (self.at is None):
            raise ValueError("absent and at belong together, e.g. absent: first_dose, at: inclusion")
        if self.stop is not None and self.milestone is None:
            raise ValueError("stop needs the milestone of the last administration")
        return self

    @property
    def moment(self) -> str:
        """Under which name a patient has it: the milestone itself where every occurrence of it counts, else the id."""
        plain = self.population is None and self.stop is None
        return self.milestone if plain and self.milestone is not None else self.id


class Protocol(Strict):
    """``protocol.yaml``."""

    trial: Id = Field(description="id, equal to the folder's name")
    acronym: Text = Field(description="short name")
    title: Text = Field(description="title of the report")
    sponsor: Text = Field(description="sponsor of the trial")
    identifiers: dict[str, Text] = Field({}, description="registry to number, e.g. NCT: NCT02472054")
    synthetic: bool = Field(description="true: simulated data; a banner says so on every page")
    source: Text = Field(description="where the data come from, printed on the first page")
    dates_are_nominal: bool = Field(False, description="source holds elapsed days only; calendar dates are not printed")
    design: Design = Field(description="allocation, size, two-stage design")
    arms: tuple[Arm, ...] = Field(description="arms or the one treatment")
    data_cutoff: DateText = Field(description="later records are left out of derivation")
    time: Time = Field(description="the trial's clock")
    milestones: tuple[Milestone, ...] = Field(description="dated events, one ADSL date each")
    derived_events: tuple[DerivedEvent, ...] = Field((), description="events from derived datasets")
    last_alive: Evidence = Field(description="where the last known alive date is found")
    intercurrent_events: tuple[IntercurrentEvent, ...] = Field((), description="events that estimands must handle")
    subject_variables: tuple[SubjectVariable, ...] = Field(
        (), description="covariates, strata, baseline characteristics"
    )
    formulas: tuple[Formula, ...] = Field((), description="variables computed from ADSL variables")
    groupings: tuple[Grouping, ...] = Field((), description="levels made of bands of a number, e.g. age groups")
    populations: tuple[Population, ...] = Field(description="analysis sets")
    visit_sets: tuple[VisitSet, ...] = Field((), description="visits and their windows")
    datasets: tuple[Dataset, ...] = Field(description="derived datasets, see [dataset kinds](#dataset-kinds)")
    language: Literal["en"] = Field("en", description="language of the report")
    assumptions: tuple[Assumption, ...] = Field((), description="choices that concern the whole trial")
    registry_errors: tuple[Text, ...] = Field((), description="known errors of the registry text and what is done")
