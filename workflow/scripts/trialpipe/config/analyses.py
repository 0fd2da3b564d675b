"""Typed models of the analysis kinds in ``outcomes.yaml``. One class per module of ``trialpipe.analyse``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from trialpipe.config.names import DatasetId, Name, Names, Variable, Where
from trialpipe.config.types import Duration, OneOrMany, Probability, Strict, Text


class Analysis(Strict):
    """Fields every analysis has."""

    id: Name | None = Field(None, description="distinguishes two analyses of one kind in an outcome")
    title: Text | None = None
    population: Name | None = Field(None, description="default: the estimand's population")
    dataset: DatasetId | None = Field(None, description="default: the endpoint's dataset")
    where: Where = Field({}, description="filter on the dataset's rows")
    by: Variable | None = Field(None, description="ADSL variable that splits into groups; default: one group")
    overall: bool = Field(True, description="also print all groups together")
    assumed: Text | None = Field(None, description="reason; the choice is not in the protocol")


class Interval(Analysis):
    conf_level: Probability = 0.95


class ProportionAnalysis(Interval):
    """States and success proportion with exact interval; a test only if ``null_value`` is given."""

    kind: Literal["proportion"]
    null_value: Probability | None = None
    alternative: Literal["two-sided", "greater", "less"] = "two-sided"


class SimonTwoStage(Analysis):
    """Simon's two-stage design of the protocol: both stages as treated, decision, estimates, exact p and interval."""

    kind: Literal["simon_two_stage"]
    order: OneOrMany[Variable] = Field(
        (), description="ADSL variables that order patients into stages, then USUBJID; default: date of the origin"
    )
    accrual: Literal["open", "closed"] = Field(
        "open", description="closed: nobody will be added, fewer patients than planned are under-running"
    )
    max_n: int = Field(60, ge=2, description="largest total that the table of alternative designs searches")

    @model_validator(mode="after")
    def _one_group(self) -> SimonTwoStage:
        if self.by is not None:
            raise ValueError("a two-stage design has one group; leave out by")
        return self


class EventTime(Analysis):
    """Time to the event in patients who have it: conditional on the event, labelled so."""

    kind: Literal["event_time"]


class Deviations(Analysis):
    """Eligibility criteria: met, not met, undetermined; patients with at least one deviation."""

    kind: Literal["deviations"]


class Infections(Interval):
    """Patients with a first viral infection by virus and class (de novo, worsening), with denominators."""

    kind: Literal["infections"]


class LengthOfStay(Analysis):
    """Registered length of a stay, overall and by how it ended, readmissions, days free of it."""

    kind: Literal["length_of_stay"]


class Nosocomial(Interval):
    """Infections acquired in hospital by type: patients, episodes, first ones per 1000 patient-days."""

    kind: Literal["nosocomial"]


class CumulativeIncidence(Interval):
    """Aalen-Johansen per cause, Gray's test between groups."""

    kind: Literal["cumulative_incidence"]
    at: tuple[Duration, ...]
    causes: Names = Field((), description="default: event and every competing event")
    variance: Literal["aalen", "jackknife"] = "aalen"
    conf_type: Literal["log-log", "log", "plain"] = "log-log"
    gray_test: bool = True
    strata: tuple[Variable, ...] = ()


class KaplanMeier(Interval):
    """Survival at times, quantiles, restricted mean, follow-up by reverse Kaplan-Meier."""

    kind: Literal["kaplan_meier"]
    at: tuple[Duration, ...]
    quantiles: tuple[Probability, ...] = (0.5,)
    conf_type: Literal["log-log", "log", "plain"] = "log-log"
    rmst: Duration | None = None
    follow_up: bool = False


class LogRank(Analysis):
    """K-sample log-rank test, stratified if strata are named; rho of Fleming-Harrington."""

    kind: Literal["logrank"]
    strata: tuple[Variable, ...] = ()
    rho: float = 0.0


class Comparison(Interval):
    """Levels of ``by`` against one of them."""

    reference: Text | None = Field(None, description="level the others are compared with; default: the last declared")

    @model_validator(mode="after")
    def _grouped(self) -> Comparison:
        if self.by is None:
            raise ValueError("a comparison of groups needs by, e.g. ARMCD")
        return self


class DifferenceAtTime(Comparison):
    """Difference of survival (or incidence) at fixed times, test of complementary log-log transforms (Klein 2007)."""

    kind: Literal["difference_at_time"]
    at: tuple[Duration, ...]
    of: Literal["survival", "incidence"] = "survival"
    variance: Literal["aalen", "jackknife"] = Field("aalen", description="of an incidence")


class DifferenceInProportions(Comparison):
    """Difference of proportions (AVAL 1 among 0 and 1) with an interval and a test."""

    kind: Literal["difference_in_proportions"]
    method: Literal["miettinen-nurminen", "mee", "newcombe", "wald"] = "miettinen-nurminen"


class FirstEvents(Analysis):
    """Patients by the component that ended the time to event, and censored."""

    kind: Literal["first_events"]


class TimeDependent(Strict):
    """Exposure that starts at a milestone during follow-up."""

    name: Variable
    label: Text
    milestone: Name
    switches: Literal["after", "on"] = Field("after", description="exposed from the day after, or on the day itself")


class Landmark(Strict):
    """Only patients still at risk after ``at``; exposure = milestone reached by then."""

    at: Duration
    exposure: Name
    name: Variable
    label: Text


class Cox(Interval):
    """Cox regression; factors are coded against their first level."""

    kind: Literal["cox"]
    terms: tuple[Variable, ...] = ()
    strata: tuple[Variable, ...] = ()
    ties: Literal["efron", "breslow"] = "efron"
    time_dependent: tuple[TimeDependent, ...] = ()
    landmark: Landmark | None = None
    proportional_hazards: bool = False


class FineGray(Interval):
    """Subdistribution hazard regression of the event of interest."""

    kind: Literal["fine_gray"]
    terms: tuple[Variable, ...]


class ResponseByVisit(Interval):
    """Responders per visit, rule-set and level; not evaluable counts as non-response."""

    kind: Literal["response_by_visit"]
    rule_set: Text
    levels: tuple[Text, ...]
    visits: tuple[Text, ...]


class ResponseIncidence(Interval):
    """Discrete cumulative incidence of response by visit, competing events as declared."""

    kind: Literal["response_incidence"]
    rule_set: Text
    level: Text


class ResponseTurnbull(Analysis):
    """NPMLE of the interval-censored time to response."""

    kind: Literal["response_turnbull"]
    rule_set: Text
    level: Text


class ResponderTime(Analysis):
    """Median visit day of response in responders only: conditional, labelled so."""

    kind: Literal["responder_time"]
    rule_set: Text
    level: Text


class DescribeByVisit(Analysis):
    """n, below/above limits, median, quartiles, range per parameter and visit; censored values as such."""

    kind: Literal["describe_by_visit"]
    parameters: tuple[Variable, ...] = ()
    visits: tuple[Text, ...]
    geometric: bool = False


class Band(Strict):
    id: Name
    label: Text
    low: float | None = Field(None, description="inclusive")
    high: float | None = Field(None, description="inclusive")


class InBands(Interval):
    """Patients whose value at a visit lies in a band; below the LLOQ is undetermined if the band asks it."""

    kind: Literal["in_bands"]
    parameter: Variable
    visit: Text
    bands: tuple[Band, ...]


class PairedChange(Analysis):
    """Change between two visits in patients with both: signs by disjoint intervals, exploratory test."""

    kind: Literal["paired_change"]
    parameters: tuple[Variable, ...] = ()
    base_visit: Text
    visit: OneOrMany[Text]


class CategoriesByVisit(Interval):
    """Counts of text results per visit."""

    kind: Literal["categories_by_visit"]
    parameters: tuple[Variable, ...]
    visits: tuple[Text, ...]
    categories: tuple[Text, ...]


class AdverseEvents(Interval):
    """Patients with at least one event, events, worst grade, rates per 100 patient-months in a window."""

    kind: Literal["adverse_events"]
    window: Name
    displays: tuple[Literal["overview", "soc_pt", "worst_grade", "rates"], ...] = (
        "overview",
        "soc_pt",
        "worst_grade",
        "rates",
    )


class BaselineItem(Strict):
    variable: Variable | None = Field(None, description="ADSL variable")
    dataset: DatasetId | None = None
    parameter: Variable | None = None


class Baseline(Analysis):
    """Characteristics at baseline by group."""

    kind: Literal["baseline"]
    items: tuple[BaselineItem, ...]
    visit: Text | None = Field(None, description="baseline visit of findings parameters")


class Box(Strict):
    """A box of the patient flow. A box's patients are a subset of its parent's."""

    id: Name
    label: Text
    parent: Name | None = None
    require: Names = Field((), description="milestones the patient has")
    absent: Names = Field((), description="milestones the patient has not")
    where: Where = Field({}, description="filter on ADSL")
    before: Name | None = Field(None, description="required milestones are before this one")
    splits: bool = Field(True, description="with its sisters partitions the parent (law: they add up)")


class Flow(Analysis):
    """Patient flow; the arithmetic is a law."""

    kind: Literal["flow"]
    boxes: tuple[Box, ...]
    split_at: Name | None = Field(
        None, description="box under which the figure has a branch per level of by (CONSORT); default: the first box"
    )

    @model_validator(mode="after")
    def _split_known(self) -> Flow:
        if self.split_at is not None and self.split_at not in {box.id for box in self.boxes}:
            raise ValueError(f"split_at '{self.split_at}' is no box")
        return self


class Populations(Analysis):
    """Size of every analysis set."""

    kind: Literal["populations"]


class Planned(Analysis):
    """A method that is registered but not built: rows with a null value and `not implemented`."""

    kind: Literal["planned"]
    method: Text


AnyAnalysis = Annotated[
    ProportionAnalysis
    | SimonTwoStage
    | EventTime
    | Deviations
    | Infections
    | LengthOfStay
    | Nosocomial
    | CumulativeIncidence
    | KaplanMeier
    | LogRank
    | DifferenceAtTime
    | DifferenceInProportions
    | FirstEvents
    | Cox
    | FineGray
    | ResponseByVisit
    | ResponseIncidence
    | ResponseTurnbull
    | ResponderTime
    | DescribeByVisit
    | InBands
    | PairedChange
    | CategoriesByVisit
    | AdverseEvents
    | Baseline
    | Flow
    | Populations
    | Planned,
    Field(discriminator="kind"),
]
