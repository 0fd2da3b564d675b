"""Typed models of the analysis kinds on times to events and on two arms."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from trialpipe.config.analyses_base import Analysis, Comparison, Interval
from trialpipe.config.names import Name, Names, Variable
from trialpipe.config.types import Duration, Probability, Strict, Text


class CumulativeIncidence(Interval):
    """Aalen-Johansen per cause, Gray's test between groups."""

    kind: Literal["cumulative_incidence"]
    at: tuple[Duration, ...] = Field(description="times of the table")
    causes: Names = Field((), description="default: event and every competing event")
    variance: Literal["aalen", "jackknife"] = Field("aalen", description="estimator of the variance")
    conf_type: Literal["log-log", "log", "plain"] = Field("log-log", description="transform of the interval")
    gray_test: bool = Field(True, description="test equality of groups (needs by)")
    strata: tuple[Variable, ...] = Field((), description="ADSL variables that stratify the test")


class Landmark(Strict):
    """Only patients still at risk after ``at``; exposure = milestone reached by then."""

    at: Duration = Field(description="time from the origin")
    exposure: Name = Field(description="milestone")
    name: Variable = Field(description="term in the results of a regression")
    label: Text = Field(description="name in tables and, of curves, of the group that reached it")
    other: Text = Field("Not by then", description="name of the group that did not, of curves")


class KaplanMeier(Interval):
    """Survival at times, quantiles, restricted mean, follow-up by reverse Kaplan-Meier."""

    kind: Literal["kaplan_meier"]
    at: tuple[Duration, ...] = Field(description="times of the table")
    quantiles: tuple[Probability, ...] = Field((0.5,), description="shares of patients with event, 0.5 is the median")
    conf_type: Literal["log-log", "log", "plain"] = Field("log-log", description="transform of the interval")
    rmst: Duration | None = Field(None, description="restricted mean to this time")
    follow_up: bool = Field(False, description="also follow-up by reverse Kaplan-Meier")
    landmark: Landmark | None = Field(None, description="two curves by an exposure reached at a later time, not by")


class LogRank(Analysis):
    """K-sample log-rank test, stratified if strata are named; rho of Fleming-Harrington."""

    kind: Literal["logrank"]
    strata: tuple[Variable, ...] = Field((), description="ADSL variables that stratify the test")
    rho: float = Field(0.0, description="weight of Fleming and Harrington; 0 is the log-rank test")
    landmark: Landmark | None = Field(None, description="groups by an exposure reached at a later time, not by")
    compare_with: Text | None = Field(
        None, description="level of by; each other level is also tested against it, the rest left out"
    )

    @model_validator(mode="after")
    def _pairs(self) -> LogRank:
        if self.compare_with is not None and (self.by is None or self.landmark is not None):
            raise ValueError("compare_with needs by, and no landmark")
        return self


class DifferenceAtTime(Comparison):
    """Difference of survival (or incidence) at fixed times, test of complementary log-log transforms (Klein 2007)."""

    kind: Literal["difference_at_time"]
    at: tuple[Duration, ...] = Field(description="times of the comparison")
    of: Literal["survival", "incidence", "restricted_mean"] = Field(
        "survival",
        description="what is compared; restricted_mean: mean time without event until then, and its ratio",
    )
    variance: Literal["aalen", "jackknife"] = Field("aalen", description="of an incidence")


class DifferenceInProportions(Comparison):
    """Difference of proportions (AVAL 1 among 0 and 1) with an interval and a test."""

    kind: Literal["difference_in_proportions"]
    method: Literal["miettinen-nurminen", "mee", "newcombe", "wald"] = Field(
        "miettinen-nurminen", description="method of the interval"
    )


class FirstEvents(Analysis):
    """Patients by the component that ended the time to event, and censored."""

    kind: Literal["first_events"]


class TimeDependent(Strict):
    """Exposure that starts at a milestone during follow-up."""

    name: Variable = Field(description="term in the results")
    label: Text = Field(description="name in tables")
    milestone: Name = Field(description="milestone at which exposure begins")
    switches: Literal["after", "on"] = Field("after", description="exposed from the day after, or on the day itself")


class Cox(Interval):
    """Cox regression; factors are coded against their first level or ``reference``."""

    kind: Literal["cox"]
    terms: tuple[Variable, ...] = Field((), description="ADSL variables; a text variable is a factor")
    reference: dict[Variable, Text] = Field({}, description="level a factor is compared with, e.g. {ARMCD: B}")
    strata: tuple[Variable, ...] = Field((), description="ADSL variables with a baseline hazard each")
    ties: Literal["efron", "breslow"] = Field("efron", description="handling of ties")
    time_dependent: tuple[TimeDependent, ...] = Field((), description="exposures that begin during follow-up")
    landmark: Landmark | None = Field(None, description="analysis from a later time on")
    proportional_hazards: bool = Field(False, description="also test the assumption by scaled Schoenfeld residuals")


class FineGray(Interval):
    """Subdistribution hazard regression of the event of interest."""

    kind: Literal["fine_gray"]
    terms: tuple[Variable, ...] = Field(description="ADSL variables; a text variable is a factor")
    reference: dict[Variable, Text] = Field({}, description="level a factor is compared with, e.g. {ARMCD: B}")
