"""Typed models of the analysis kinds in ``outcomes.yaml``. One class per module of ``trialpipe.analyse``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from trialpipe.config.analyses_base import Analysis, Interval
from trialpipe.config.analyses_models import Ancova, Cmh, StateOccupation
from trialpipe.config.analyses_survival import (
    Cox,
    CumulativeIncidence,
    DifferenceAtTime,
    DifferenceInProportions,
    FineGray,
    FirstEvents,
    KaplanMeier,
    LogRank,
)
from trialpipe.config.names import DatasetId, Name, Names, Variable, Where
from trialpipe.config.pharmacokinetics import SparseArea
from trialpipe.config.types import OneOrMany, Probability, Strict, Text


class ProportionAnalysis(Interval):
    """States and success proportion with exact interval; a test only if ``null_value`` is given."""

    kind: Literal["proportion"]
    null_value: Probability | None = Field(None, description="proportion of the null hypothesis")
    alternative: Literal["two-sided", "greater", "less"] = Field("two-sided", description="side of the test")
    imputation_from: Probability | None = Field(
        None, description="share of missing outcomes from which multiple imputation is called for; the table says so"
    )


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


class ResponseByVisit(Interval):
    """Responders per visit, rule-set and level; not evaluable counts as non-response."""

    kind: Literal["response_by_visit"]
    rule_set: Text = Field(description="rule-set of the response dataset")
    levels: tuple[Text, ...] = Field(
        description="levels from best to worst, e.g. [CR, PR]; each exactly, then it or better"
    )
    visits: tuple[Text, ...] = Field(description="visits of the table")


class ResponseIncidence(Interval):
    """Discrete cumulative incidence of response by visit, competing events as declared."""

    kind: Literal["response_incidence"]
    rule_set: Text = Field(description="rule-set of the response-time dataset")
    level: Text = Field(description="level reached or better")


class ResponseTurnbull(Analysis):
    """NPMLE of the interval-censored time to response."""

    kind: Literal["response_turnbull"]
    rule_set: Text = Field(description="rule-set of the response-time dataset")
    level: Text = Field(description="level reached or better")


class ResponderTime(Analysis):
    """Median visit day of response in responders only: conditional, labelled so."""

    kind: Literal["responder_time"]
    rule_set: Text = Field(description="rule-set of the response-time dataset")
    level: Text = Field(description="level reached or better")


class DescribeByVisit(Analysis):
    """n, below/above limits, median, quartiles, range per parameter and visit; censored values as such."""

    kind: Literal["describe_by_visit"]
    change: bool = Field(False, description="describe the changes from baseline (CHG) instead of the values")
    parameters: tuple[Variable, ...] = Field((), description="default: all of the dataset")
    visits: tuple[Text, ...] = Field(description="visits of the table")
    geometric: bool = Field(False, description="also geometric mean and its CV, where no value is censored")

    @model_validator(mode="after")
    def _signs(self) -> DescribeByVisit:
        if self.change and self.geometric:
            raise ValueError("changes have no geometric mean")
        return self


class Band(Strict):
    """A range of values, both ends included."""

    id: Name = Field(description="category in the results")
    label: Text = Field(description="name in tables")
    low: float | None = Field(None, description="inclusive")
    high: float | None = Field(None, description="inclusive")


class InBands(Interval):
    """Patients whose value at a visit lies in a band; below the LLOQ is undetermined if the band asks it."""

    kind: Literal["in_bands"]
    parameter: Variable = Field(description="PARAMCD")
    visit: Text = Field(description="visit of the value")
    bands: tuple[Band, ...] = Field(description="bands, which may overlap")


class PairedChange(Analysis):
    """Change between two visits in patients with both: signs by disjoint intervals, exploratory test."""

    kind: Literal["paired_change"]
    parameters: tuple[Variable, ...] = Field((), description="default: all of the dataset")
    base_visit: Text = Field(description="visit the change is from")
    visit: OneOrMany[Text] = Field(description="visit or visits the change is to")
    ratio: bool = Field(True, description="sizes of changes of positive values are ratios; false: differences")


class MixedModel(Interval):
    """Linear mixed model of a parameter over visits; labelled hypothetical, because values after death do not exist."""

    kind: Literal["mixed_model"]
    parameter: Variable = Field(description="PARAMCD of the score")
    visits: tuple[Text, ...] = Field(description="visits of the model, in order")
    covariance: Literal["random_intercept", "unstructured"] = Field(
        "random_intercept", description="covariance of a patient's visits"
    )
    inference: Literal["satterthwaite", "kenward_roger"] = Field(
        "satterthwaite", description="kenward_roger: standard errors also adjusted for few patients (as SAS, DDFM=KR)"
    )
    baseline: bool = Field(False, description="baseline value as covariate, with an effect per visit")
    base_visit: Text | None = Field(None, description="visit from which changes of the means are printed")
    reference: Text | None = Field(None, description="level of by the others are compared with; default: the last")

    @model_validator(mode="after")
    def _visits(self) -> MixedModel:
        if self.base_visit is not None and self.base_visit not in self.visits:
            raise ValueError("base_visit must be one of visits")
        return self


class CategoriesByVisit(Interval):
    """Counts of text results per visit."""

    kind: Literal["categories_by_visit"]
    parameters: tuple[Variable, ...] = Field(description="text parameters")
    visits: tuple[Text, ...] = Field(description="visits of the table")
    categories: tuple[Text, ...] = Field(description="results counted, in the order of the table")
    missing: bool = Field(True, description="also count patients without a result")


EventLine = Literal[
    "any",
    "serious",
    "grade_3",
    "severe",
    "related",
    "serious_related",
    "fatal",
    "grade_missing",
    "severity_missing",
    "causality_missing",
]


class AdverseEvents(Interval):
    """Patients with at least one event, events, worst grade, rates per 100 patient-months in a window."""

    kind: Literal["adverse_events"]
    window: Name = Field(description="window of the dataset")
    displays: tuple[Literal["overview", "soc_pt", "worst_grade", "worst_severity", "rates"], ...] = Field(
        (
            "overview",
            "soc_pt",
            "worst_grade",
            "rates",
        ),
        description="tables to make; worst_severity is for events graded in words (AESEV)",
    )
    lines: tuple[EventLine, ...] = Field(
        (
            "any",
            "serious",
            "grade_3",
            "related",
            "serious_related",
            "fatal",
            "grade_missing",
            "causality_missing",
        ),
        description="lines of the overview, and of the rates those that are rated",
    )
    compare_with: Text | None = Field(
        None, description="level of by; the patients of each other level are compared with it"
    )
    test: Literal["fisher", "chi_square"] = Field("fisher", description="test of the comparison, two-sided")

    @model_validator(mode="after")
    def _groups(self) -> AdverseEvents:
        if self.compare_with is not None and self.by is None:
            raise ValueError("compare_with needs by")
        return self


class BaselineItem(Strict):
    """A variable of ADSL, or a parameter of a findings dataset at the baseline visit."""

    variable: Variable | None = Field(None, description="ADSL variable")
    dataset: DatasetId | None = Field(None, description="findings dataset, with parameter")
    parameter: Variable | None = Field(None, description="PARAMCD in that dataset")


class Baseline(Analysis):
    """Characteristics at baseline by group."""

    kind: Literal["baseline"]
    items: tuple[BaselineItem, ...] = Field(description="characteristics in the order of the table")
    visit: Text | None = Field(None, description="baseline visit of findings parameters")
    test_numbers: Literal["anova", "kruskal_wallis"] | None = Field(
        None, description="test that numbers are alike in the groups of by; default: none, as for a randomised trial"
    )
    test_factors: Literal["chi_square"] | None = Field(None, description="the same of factors (Pearson)")
    mean: bool = Field(False, description="print mean and standard deviation of numbers beside median and range")

    @model_validator(mode="after")
    def _groups(self) -> Baseline:
        if self.by is None and (self.test_numbers or self.test_factors):
            raise ValueError("test_numbers and test_factors need by")
        return self


class Box(Strict):
    """A box of the patient flow. A box's patients are a subset of its parent's."""

    id: Name = Field(description="category in the results")
    label: Text = Field(description="text of the box")
    parent: Name | None = Field(None, description="box it is a part of; absent: the first box")
    require: Names = Field((), description="milestones the patient has")
    absent: Names = Field((), description="milestones the patient has not")
    where: Where = Field({}, description="filter on ADSL")
    before: Names = Field((), description="required milestones are before each of these")
    splits: bool = Field(True, description="with its sisters partitions the parent (law: they add up)")


class Flow(Analysis):
    """Patient flow; the arithmetic is a law."""

    kind: Literal["flow"]
    boxes: tuple[Box, ...] = Field(description="boxes from top to bottom")
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


class IntercurrentEvents(Analysis):
    """Patients with each declared intercurrent event while at risk of the outcome, with its strategy.

    Every registered outcome has it without being asked for.
    """

    kind: Literal["intercurrent_events"]
    dataset: DatasetId = Field("adice", description="dataset of intercurrent events")


class Planned(Analysis):
    """A method that is registered but not built: rows with a null value and `not implemented`."""

    kind: Literal["planned"]
    method: Text = Field(description="name of the method")


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
    | SparseArea
    | PairedChange
    | MixedModel
    | Ancova
    | Cmh
    | StateOccupation
    | CategoriesByVisit
    | AdverseEvents
    | Baseline
    | Flow
    | Populations
    | IntercurrentEvents
    | Planned,
    Field(discriminator="kind"),
]
