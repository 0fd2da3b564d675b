"""Typed models of the analysis kinds on states, on measurements by arm and on tables in strata."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from trialpipe.config.analyses_base import Comparison, Interval
from trialpipe.config.names import Name, Variable
from trialpipe.config.types import Duration, Strict, Text


class State(Strict):
    """A state that patients pass through on their way to the events of the endpoint."""

    milestone: Name = Field(description="entered at this milestone; the state most recently entered is the one")
    label: Text = Field(description="name in tables")


class StateOccupation(Interval):
    """Probability of being in each state at times (Aalen-Johansen); each event of the endpoint is a last state."""

    kind: Literal["state_occupation"]
    at: tuple[Duration, ...] = Field(description="times of the table")
    states: tuple[State, ...] = Field(
        min_length=1, description="states between the first and the events; of one day the last declared"
    )
    start: Text = Field("None of them yet", description="name of the state at the origin")
    variance: Literal["greenwood", "jackknife"] = Field(
        "greenwood", description="jackknife: robust where the future depends on more than the state"
    )
    conf_type: Literal["log-log", "log", "plain"] = Field("log-log", description="transform of the interval")

    @model_validator(mode="after")
    def _distinct(self) -> StateOccupation:
        names = [state.milestone for state in self.states]
        if len(set(names)) < len(names):
            raise ValueError("a milestone makes one state only")
        return self


class Ancova(Comparison):
    """Analysis of covariance of a parameter at a visit: adjusted means of the levels of by and their differences."""

    kind: Literal["ancova"]
    parameter: Variable = Field(description="PARAMCD")
    visit: Text = Field(description="visit of the value")
    change: bool = Field(False, description="change from baseline as response; the baseline adjusted for is the same")
    baseline: bool = Field(True, description="baseline value as covariate")
    covariates: tuple[Variable, ...] = Field((), description="further ADSL variables; a text variable is a factor")
    weights: Literal["equal", "proportional"] = Field(
        "equal", description="of the levels of other factors in an adjusted mean: all alike, or as many as observed"
    )


class Cmh(Interval):
    """Cochran-Mantel-Haenszel tests of an answer at a visit against groups, within strata."""

    kind: Literal["cmh"]
    parameter: Variable = Field(description="PARAMCD of a text result")
    visit: Text = Field(description="visit of the result")
    categories: tuple[Text, ...] = Field(min_length=2, description="results in their order; the first one is success")
    strata: tuple[Variable, ...] = Field((), description="ADSL variables that make the strata")
    scores: Literal["table", "ridit"] = Field("table", description="scores of ordered results: 1, 2, 3 or mean ranks")
    reference: Text | None = Field(None, description="level of by the odds ratio of a 2 x 2 table is against")

    @model_validator(mode="after")
    def _grouped(self) -> Cmh:
        if self.by is None:
            raise ValueError("a comparison of groups needs by, e.g. ARMCD")
        if len(set(self.categories)) < len(self.categories):
            raise ValueError("a category is named twice")
        return self
