"""Typed models of the derived datasets in ``protocol.yaml``, a class per kind."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from trialpipe.config.icu import NosocomialDataset, StayDataset
from trialpipe.config.names import DatasetId, Domain, Name, Names, Variable, Where
from trialpipe.config.types import Duration, Strict, Text


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
    lists: tuple[TermList, ...] = ()


class AEWindow(Strict):
    """Events count from ``start`` until the first of ``ends`` (milestones, their day included), the day before a
    milestone of ``before``, or ``until`` elapsed days; ``extend`` adds days to whichever comes first.
    """

    id: Name
    variable: Variable = Field(description="flag in ADAE, e.g. TRTEMFL")
    label: Text
    start: Name
    ends: Names = ()
    before: Names = ()
    until: Duration | None = None
    extend: Duration | None = None


class TermList(Strict):
    """Preferred terms of a cited table in resources/reference, marked by a flag."""

    variable: Variable = Field(description="flag in ADAE, e.g. SMPCFL")
    label: Text
    table: Text = Field(description="file in resources/reference with a column term")


class SampleTiming(Strict):
    """What a sample is by hours since the dose before it; other hours are ``OTHER``."""

    type: Literal["TROUGH", "PEAK"]
    label: Text
    from_hours: float = Field(ge=0)
    to_hours: float = Field(ge=0)


class PairedRatio(Strict):
    """Ratio of two parameters of one patient, sampled at most ``within_minutes`` apart."""

    code: Variable
    label: Text
    numerator: Variable
    denominator: Variable
    within_minutes: int = Field(ge=0)


class ConcentrationsDataset(Strict):
    """ADPC: findings with hours since the dose before the sample, its type by them, and paired ratios."""

    kind: Literal["concentrations"]
    id: DatasetId
    label: Text
    domain: Domain
    visits: Name
    parameters: tuple[Parameter, ...]
    previous_dose: Variable = Field("PCRFTDTC", description="date/time of the dose before the sample")
    timing: tuple[SampleTiming, ...] = ()
    ratios: tuple[PairedRatio, ...] = ()


class CriteriaDataset(Strict):
    """Diagnostic criteria and scores at one visit, three-valued, with the least and greatest possible score."""

    kind: Literal["criteria"]
    id: DatasetId
    label: Text
    inputs: tuple[DatasetId, ...]
    visit: Text = Field(description="visit whose values count")
    definitions: tuple[Text, ...] = Field(description="ids in resources/reference/criteria.yaml")


class Criterion(Strict):
    """An eligibility criterion: a rule in the grammar of resources/reference/response_rules.yaml, parameters named."""

    code: Variable
    category: Literal["INCLUSION", "EXCLUSION"]
    text: Text
    rule: dict[str, object]


class EligibilityDataset(Strict):
    """ADIE: eligibility criteria as checks; an inclusion criterion not met or an exclusion met is a deviation."""

    kind: Literal["eligibility"]
    id: DatasetId
    label: Text
    inputs: tuple[DatasetId, ...]
    visit: Text
    criteria: tuple[Criterion, ...]


class ReactivationDataset(Strict):
    """Time from first response to reactivation; death and the other competing milestones end it otherwise."""

    kind: Literal["reactivation"]
    id: DatasetId
    label: Text
    source: DatasetId = Field(description="response dataset")
    rule_set: Text
    levels: tuple[Text, ...] = Field(description="levels that are a response, e.g. CR, PR")
    criteria: Text = Field(description="id under reactivation in resources/reference/response_rules.yaml")
    inputs: tuple[DatasetId, ...]
    competing: Names = ()


class InfectionsDataset(Strict):
    """ADINF: first viral infection by virus (de novo or worsening) in a window, from repeated PCR."""

    kind: Literal["infections"]
    id: DatasetId
    label: Text
    domain: Domain = "mb"
    viruses: tuple[Parameter, ...]
    start: Name
    ends: Names = ()
    until: Duration | None = None
    competing: Names = ("death",)
    rise_log10: float = Field(1.0, gt=0)
    baseline: tuple[int, int] = Field((-14, 0), description="elapsed days in which a PCR is the baseline")


class SofaMeasure(Strict):
    """A measure of the score in a findings domain; its unit decides which bands it is compared with."""

    code: Variable = Field(description="measure of resources/reference/sofa.yaml, e.g. PLAT, PO2, RESPSUP")
    domain: Domain
    where: Where


class SofaRate(Strict):
    """Rates of one vasopressor: a dose with unit, at ``start`` or from there to ``end``, in any domain."""

    code: Variable = Field(description="rate of resources/reference/sofa.yaml, e.g. NOREPI")
    domain: Domain
    where: Where
    dose: Variable = "EXDOSE"
    unit: Variable = "EXDOSU"
    start: Variable = "EXSTDTC"
    end: Variable | None = None
    salt: Variable | None = Field(None, description="column that says BASE or TARTRATE")
    salt_default: Text = Field("BASE", description="what a dose without salt is")


class SofaDataset(Strict):
    """Organ failure score per intensive care day from daily components, with what was filled and how."""

    kind: Literal["sofa"]
    id: DatasetId
    label: Text
    definition: Text = Field("SOFA-1", description="id in resources/reference/sofa.yaml")
    visits: Name
    measures: tuple[SofaMeasure, ...]
    rates: tuple[SofaRate, ...] = ()
    day_start: str | None = Field(None, pattern=r"^\d\d:\d\d$", description="the trial's day_start if absent")
    first_dose: Name | None = Field(None, description="what the baseline precedes; the trial's origin if absent")
    icu_discharge: Name | None = None
    icu_readmission: Name | None = None
    hospital_discharge: Name | None = None
    rrt: bool = Field(True, description="renal replacement therapy scores 4")

    @property
    def domains(self) -> tuple[str, ...]:
        """Clean domains of measures and rates."""
        named = [measure.domain for measure in self.measures] + [rate.domain for rate in self.rates]
        return tuple(dict.fromkeys(named))


class SofaResponseDataset(Strict):
    """ADEFF of outcomes with a sofa_response endpoint: alive with a decrease of the score at a visit."""

    kind: Literal["sofa_response"]
    id: DatasetId
    label: Text
    source: DatasetId = Field(description="sofa dataset")


class GradedTerm(Strict):
    """A toxicity term and the parameter of the inputs it grades."""

    term: Text = Field(description="term in the table of the version, e.g. Anemia")
    parameter: Variable


class FirstHours(Strict):
    """The worst values are looked for from ``before`` hours before a milestone to ``after`` hours after it."""

    milestone: Name
    before: int = Field(6, ge=0)
    after: int = Field(24, ge=0)


class LabGradesDataset(Strict):
    """ADLBGR: toxicity grade of laboratory results, a row per graded record and term."""

    kind: Literal["lab_grades"]
    id: DatasetId
    label: Text
    inputs: tuple[DatasetId, ...]
    version: Text = Field("5.0", description="version of the terminology, in resources/reference/ctcae_v5_lab.csv")
    terms: tuple[GradedTerm, ...]
    until: Duration | None = Field(None, description="last elapsed day whose records count for the worst grade")
    first_hours: FirstHours | None = None


class GvhdDataset(Strict):
    """ADGV: organ stages and grades of graft-versus-host disease per assessment, onset and maximum per patient."""

    kind: Literal["gvhd"]
    id: DatasetId
    label: Text
    domains: tuple[Domain, ...] = Field(
        ("gv",), description="the first holds the assessments, the others give values of the days up to one"
    )
    systems: tuple[Text, ...] = Field(description="ids in resources/reference/gvhd.yaml")
    prefer: Literal["measures", "investigator"] = Field(
        "measures", description="what counts first; the other where this leaves an organ's stage open"
    )
    assume: dict[Variable, Text] = Field(
        {}, description="value of a test that an assessment lacks, e.g. {LGIBLD: N}; without it the stage may be open"
    )
    max_age: Duration = Field(0, description="oldest value of the other domains that still counts")
    start: Name | None = Field(None, description="onset and maximum count assessments from this milestone on")
    ends: Names = Field((), description="and up to the first of these milestones, their day included")
    recorded_if_present: bool = Field(
        False, description="the form is filled only where there is GVHD: a patient without a record has none"
    )


class ReasonNotGiven(Strict):
    """Why an administration was not given: records of a domain, the reason in ``variable``."""

    domain: Domain
    where: Where = {}
    variable: Variable
    number: Variable | None = Field(
        None, description="number of the administration; absent: the reason holds for every one not given"
    )


class ExposureDataset(Strict):
    """ADEX: planned administrations one by one (given, dose, days, reason if not) and their sum per patient."""

    kind: Literal["exposure"]
    id: DatasetId
    label: Text
    domain: Domain = "ex"
    where: Where = {}
    dose: Variable = "EXDOSE"
    unit: Variable = "EXDOSU"
    date: Variable = "EXSTDTC"
    number: Variable | None = Field(None, description="number of the administration; absent: order of dates")
    name: Text = Field(description="name of an administration, e.g. DLI; visits are 'DLI 1', 'DLI 2', ...")
    planned: int = Field(ge=1)
    start: Name
    patients: Where = Field({}, description="filter on ADSL: who was to receive it, e.g. {ARMCD: DLI}")
    reason: ReasonNotGiven | None = None


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
    FindingsDataset
    | ConcentrationsDataset
    | ResponseDataset
    | ResponseTimeDataset
    | ReactivationDataset
    | CriteriaDataset
    | EligibilityDataset
    | InfectionsDataset
    | AdverseEventsDataset
    | SofaDataset
    | SofaResponseDataset
    | LabGradesDataset
    | GvhdDataset
    | ExposureDataset
    | StayDataset
    | NosocomialDataset
    | TimeToEventDataset
    | StateDataset,
    Field(discriminator="kind"),
]


def named_domains(dataset: Dataset) -> list[str]:
    """Clean domains a declared dataset names."""
    one = getattr(dataset, "domain", None)
    reason = [dataset.reason.domain] if isinstance(dataset, ExposureDataset) and dataset.reason else []
    return list(dict.fromkeys([*([one] if one else []), *getattr(dataset, "domains", ()), *reason]))


def named_datasets(dataset: Dataset) -> list[str]:
    """Datasets a declared dataset names."""
    source = getattr(dataset, "source", None)
    return list(dict.fromkeys([*([source] if source else []), *getattr(dataset, "inputs", ())]))


AdverseEventsDataset.model_rebuild()
