"""Typed models of the derived datasets in ``protocol.yaml``, a class per kind."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from trialpipe.config.icu import NosocomialDataset, SofaDataset, SofaResponseDataset, StayDataset
from trialpipe.config.names import DatasetId, Domain, Name, Names, Variable, Where
from trialpipe.config.pharmacokinetics import PkParametersDataset
from trialpipe.config.types import Duration, Strict, Text


class Parameter(Strict):
    """A parameter of a findings dataset: PARAMCD from a test (and specimen) of the domain."""

    code: Variable = Field(description="PARAMCD")
    label: Text = Field(description="name in tables")
    where: Where = Field(description="filter on the domain, e.g. {LBTESTCD: FERRITIN, LBSPEC: BLOOD}")
    type: Literal["number", "text"] = Field("number", description="number or text")


class FindingsDataset(Strict):
    """BDS dataset from findings domains: one row per parameter and record, windowed to visits."""

    kind: Literal["findings"]
    id: DatasetId = Field(description="name of the dataset")
    label: Text = Field(description="what the dataset holds")
    domain: Domain = Field(description="clean domain of the records")
    visits: Name = Field(description="visit set the records are assigned to")
    parameters: tuple[Parameter, ...] = Field(description="parameters in the order of tables")


class ResponseDataset(Strict):
    """Response per visit under named rule-sets (three-valued), from findings datasets."""

    kind: Literal["response"]
    id: DatasetId = Field(description="name of the dataset")
    label: Text = Field(description="what the dataset holds")
    inputs: tuple[DatasetId, ...] = Field(description="findings datasets that hold the items")
    domains: tuple[Domain, ...] = Field(
        (), description="clean domains of supportive treatment that rules read beside them"
    )
    visits: Name = Field(description="visit set of the assessments")
    rule_sets: tuple[Text, ...] = Field(description="ids in resources/reference/response_rules.yaml")
    max_age: Duration = Field(description="oldest value of an item that still counts at a visit")
    carried_after: Name | None = Field(None, description="milestone after which the last assessment is carried")


class ResponseTimeDataset(Strict):
    """Interval-censored time to response per rule-set and level, with competing events."""

    kind: Literal["response_time"]
    id: DatasetId = Field(description="name of the dataset")
    label: Text = Field(description="what the dataset holds")
    source: DatasetId = Field(description="response dataset")
    competing: Names = Field((), description="milestones that compete with response, in order: CNSR 2, 3, ...")


class AdverseEventsDataset(Strict):
    """One row per adverse event with analysis windows as flags."""

    kind: Literal["adverse_events"]
    id: DatasetId = Field(description="name of the dataset")
    label: Text = Field(description="what the dataset holds")
    domain: Domain = Field("ae", description="clean domain of the events")
    windows: tuple[AEWindow, ...] = Field(description="periods in which events count, one flag each")
    lists: tuple[TermList, ...] = Field((), description="lists of terms to be marked")


class AEWindow(Strict):
    """Events count from ``start`` until the first of ``ends`` (milestones, their day included), the day before a
    milestone of ``before``, or ``until`` elapsed days; ``extend`` adds days to whichever comes first.
    """

    id: Name = Field(description="name that analyses use")
    variable: Variable = Field(description="flag in ADAE, e.g. TRTEMFL")
    label: Text = Field(description="name in tables")
    start: Name = Field(description="milestone at which the window begins")
    ends: Names = Field((), description="milestones that end it, their day included")
    before: Names = Field((), description="milestones that end it the day before")
    until: Duration | None = Field(None, description="last elapsed day from start")
    extend: Duration | None = Field(None, description="days added to the earliest end")


class TermList(Strict):
    """Adverse events marked by a flag: their preferred term stands in a cited table or under ``terms``, holds one of
    some texts, or is in a system organ class. Letters are compared without case and accents.
    """

    variable: Variable = Field(description="flag in ADAE, e.g. SMPCFL")
    label: Text = Field(description="name in tables")
    table: Text | None = Field(None, description="file in resources/reference with a column term")
    terms: tuple[Text, ...] = Field((), description="preferred terms")
    contains: tuple[Text, ...] = Field((), description="texts within preferred terms, e.g. DERMATITIS")
    classes: tuple[Text, ...] = Field((), description="system organ classes, all of their terms")
    except_terms: tuple[Text, ...] = Field((), description="preferred terms of those classes that are not meant")

    @model_validator(mode="after")
    def _something(self) -> TermList:
        if self.table is None and not (self.terms or self.contains or self.classes):
            raise ValueError("needs table, terms, contains or classes: which events are marked")
        if self.except_terms and not self.classes:
            raise ValueError("except_terms is for classes")
        return self


class SampleTiming(Strict):
    """What a sample is by hours since the dose before it; other hours are ``OTHER``."""

    type: Literal["TROUGH", "PEAK"] = Field(description="what the sample is called")
    label: Text = Field(description="name in tables")
    from_hours: float = Field(ge=0, description="hours since the dose, included")
    to_hours: float = Field(ge=0, description="hours since the dose, included")


class PairedRatio(Strict):
    """Ratio of two parameters of one patient, sampled at most ``within_minutes`` apart."""

    code: Variable = Field(description="PARAMCD of the ratio")
    label: Text = Field(description="name in tables")
    numerator: Variable = Field(description="parameter above")
    denominator: Variable = Field(description="parameter below")
    within_minutes: int = Field(ge=0, description="longest time between the two samples")


class ConcentrationsDataset(Strict):
    """ADPC: findings with hours since the dose before the sample, its type by them, and paired ratios."""

    kind: Literal["concentrations"]
    id: DatasetId = Field(description="name of the dataset")
    label: Text = Field(description="what the dataset holds")
    domain: Domain = Field(description="clean domain of the concentrations")
    visits: Name = Field(description="visit set of the samples")
    parameters: tuple[Parameter, ...] = Field(description="concentrations")
    previous_dose: Variable = Field("PCRFTDTC", description="date/time of the dose before the sample")
    timing: tuple[SampleTiming, ...] = Field((), description="types of samples")
    ratios: tuple[PairedRatio, ...] = Field((), description="ratios of parameters, e.g. fluid over plasma")


class CriteriaDataset(Strict):
    """Diagnostic criteria and scores at one visit, three-valued, with the least and greatest possible score."""

    kind: Literal["criteria"]
    id: DatasetId = Field(description="name of the dataset")
    label: Text = Field(description="what the dataset holds")
    inputs: tuple[DatasetId, ...] = Field(description="findings datasets that hold the items")
    visit: Text = Field(description="visit whose values count")
    visit_of: dict[DatasetId, Text] = Field({}, description="the visit of an input that names it otherwise")
    definitions: tuple[Text, ...] = Field(description="ids in resources/reference/criteria.yaml")


class Criterion(Strict):
    """An eligibility criterion: a rule in the grammar of resources/reference/response_rules.yaml, parameters named."""

    code: Variable = Field(description="PARAMCD")
    category: Literal["INCLUSION", "EXCLUSION"] = Field(description="inclusion must be met, exclusion must not")
    text: Text = Field(description="the criterion as the protocol words it")
    rule: dict[str, object] = Field(description="condition on parameters of the inputs")


class EligibilityDataset(Strict):
    """ADIE: eligibility criteria as checks; an inclusion criterion not met or an exclusion met is a deviation."""

    kind: Literal["eligibility"]
    id: DatasetId = Field(description="name of the dataset")
    label: Text = Field(description="what the dataset holds")
    inputs: tuple[DatasetId, ...] = Field(description="findings datasets that hold the items")
    visit: Text = Field(description="visit whose values count")
    visit_of: dict[DatasetId, Text] = Field({}, description="the visit of an input that names it otherwise")
    criteria: tuple[Criterion, ...] = Field(description="criteria that the extracts can check")


class ReactivationDataset(Strict):
    """Time from first response to reactivation; death and the other competing milestones end it otherwise."""

    kind: Literal["reactivation"]
    id: DatasetId = Field(description="name of the dataset")
    label: Text = Field(description="what the dataset holds")
    source: DatasetId = Field(description="response dataset")
    rule_set: Text = Field(description="rule-set of the response")
    levels: tuple[Text, ...] = Field(description="levels that are a response, e.g. CR, PR")
    criteria: Text = Field(description="id under reactivation in resources/reference/response_rules.yaml")
    inputs: tuple[DatasetId, ...] = Field(description="findings datasets that hold the items")
    competing: Names = Field((), description="milestones that end the time otherwise")


class InfectionsDataset(Strict):
    """ADINF: first viral infection by virus (de novo or worsening) in a window, from repeated PCR."""

    kind: Literal["infections"]
    id: DatasetId = Field(description="name of the dataset")
    label: Text = Field(description="what the dataset holds")
    domain: Domain = Field("mb", description="clean domain of the PCRs")
    viruses: tuple[Parameter, ...] = Field(description="viruses, a parameter each")
    start: Name = Field(description="milestone at which the window begins")
    ends: Names = Field((), description="milestones that end it, their day included")
    until: Duration | None = Field(None, description="last elapsed day from start")
    competing: Names = Field(("death",), description="milestones that end the time to infection otherwise")
    rise_log10: float = Field(1.0, gt=0, description="rise of a positive baseline that is a worsening, log10")
    baseline: tuple[int, int] = Field((-14, 0), description="elapsed days in which a PCR is the baseline")


class GradedTerm(Strict):
    """A toxicity term and the parameter of the inputs it grades."""

    term: Text = Field(description="term in the table of the version, e.g. Anemia")
    parameter: Variable = Field(description="PARAMCD in the inputs")


class FirstHours(Strict):
    """The worst values are looked for from ``before`` hours before a milestone to ``after`` hours after it."""

    milestone: Name = Field(description="milestone, e.g. admission to intensive care")
    before: int = Field(6, ge=0, description="hours before it")
    after: int = Field(24, ge=0, description="hours after it")


class LabGradesDataset(Strict):
    """ADLBGR: toxicity grade of laboratory results, a row per graded record and term."""

    kind: Literal["lab_grades"]
    id: DatasetId = Field(description="name of the dataset")
    label: Text = Field(description="what the dataset holds")
    inputs: tuple[DatasetId, ...] = Field(description="findings datasets that hold the results")
    version: Text = Field("5.0", description="version of the terminology, in resources/reference/ctcae_lab.csv")
    units: Literal["SI", "US"] = Field("SI", description="units of the results: SI, or US conventional units")
    terms: tuple[GradedTerm, ...] = Field(description="terms to grade")
    until: Duration | None = Field(None, description="last elapsed day whose records count for the worst grade")
    first_hours: FirstHours | None = Field(None, description="worst values around a milestone, beside the worst of all")


class GvhdDataset(Strict):
    """ADGV: organ stages and grades of graft-versus-host disease per assessment, onset and maximum per patient."""

    kind: Literal["gvhd"]
    id: DatasetId = Field(description="name of the dataset")
    label: Text = Field(description="what the dataset holds")
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

    domain: Domain = Field(description="clean domain of the records")
    where: Where = Field({}, description="filter on the domain")
    variable: Variable = Field(description="column of the reason")
    number: Variable | None = Field(
        None, description="number of the administration; absent: the reason holds for every one not given"
    )


class ExposureDataset(Strict):
    """ADEX: planned administrations one by one (given, dose, days, reason if not) and their sum per patient."""

    kind: Literal["exposure"]
    id: DatasetId = Field(description="name of the dataset")
    label: Text = Field(description="what the dataset holds")
    domain: Domain = Field("ex", description="clean domain of the administrations")
    where: Where = Field({}, description="filter on the domain")
    dose: Variable = Field("EXDOSE", description="column of the dose")
    unit: Variable = Field("EXDOSU", description="column of its unit")
    date: Variable = Field("EXSTDTC", description="column of the date")
    number: Variable | None = Field(None, description="number of the administration; absent: order of dates")
    name: Text = Field(description="name of an administration, e.g. DLI; visits are 'DLI 1', 'DLI 2', ...")
    planned: int = Field(ge=1, description="planned number of administrations")
    start: Name = Field(description="milestone that days count from")
    patients: Where = Field({}, description="filter on ADSL: who was to receive it, e.g. {ARMCD: DLI}")
    reason: ReasonNotGiven | None = Field(None, description="where the reason of a missing one stands")


class TimeToEventDataset(Strict):
    """ADTTE: one row per patient, time-to-event endpoint and scenario."""

    kind: Literal["time_to_event"]
    id: DatasetId = Field(description="name of the dataset")
    label: Text = Field(description="what the dataset holds")


class IntercurrentDataset(Strict):
    """Intercurrent events per patient and outcome, with the declared strategy.

    A protocol that declares such events has it without being asked for.
    """

    kind: Literal["intercurrent"]
    id: DatasetId = Field("adice", description="name of the dataset")
    label: Text = Field("Intercurrent events", description="what the dataset holds")


class StateDataset(Strict):
    """ADEFF: one row per patient, state-at-horizon endpoint and scenario."""

    kind: Literal["state"]
    id: DatasetId = Field(description="name of the dataset")
    label: Text = Field(description="what the dataset holds")


Dataset = Annotated[
    FindingsDataset
    | ConcentrationsDataset
    | PkParametersDataset
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
    | IntercurrentDataset
    | TimeToEventDataset
    | StateDataset,
    Field(discriminator="kind"),
]


def named_domains(dataset: Dataset) -> list[str]:
    """Clean domains a declared dataset names."""
    one = getattr(dataset, "domain", None)
    more = [dataset.reason.domain] if isinstance(dataset, ExposureDataset) and dataset.reason else []
    if isinstance(dataset, PkParametersDataset):
        more = [dataset.doses.domain]
    return list(dict.fromkeys([*([one] if one else []), *getattr(dataset, "domains", ()), *more]))


def named_datasets(dataset: Dataset) -> list[str]:
    """Datasets a declared dataset names."""
    source = getattr(dataset, "source", None)
    return list(dict.fromkeys([*([source] if source else []), *getattr(dataset, "inputs", ())]))


AdverseEventsDataset.model_rebuild()
