"""Fields that analysis kinds share."""

from __future__ import annotations

from pydantic import Field, model_validator

from trialpipe.config.names import DatasetId, Name, Variable, Where
from trialpipe.config.types import Probability, Strict, Text


class Analysis(Strict):
    """Fields every analysis has."""

    id: Name | None = Field(None, description="distinguishes two analyses of one kind in an outcome")
    title: Text | None = Field(None, description="heading above the table")
    population: Name | None = Field(None, description="default: the estimand's population")
    dataset: DatasetId | None = Field(None, description="default: the endpoint's dataset")
    where: Where = Field({}, description="filter on the dataset's rows")
    by: Variable | None = Field(None, description="ADSL variable that splits into groups; default: one group")
    overall: bool = Field(True, description="also print all groups together")
    assumed: Text | None = Field(None, description="reason; the choice is not in the protocol")


class Interval(Analysis):
    """Fields of analyses that print intervals."""

    conf_level: Probability = Field(0.95, description="level of two-sided intervals")


class Comparison(Interval):
    """Levels of ``by`` against one of them."""

    reference: Text | None = Field(None, description="level the others are compared with; default: the last declared")

    @model_validator(mode="after")
    def _grouped(self) -> Comparison:
        if self.by is None:
            raise ValueError("a comparison of groups needs by, e.g. ARMCD")
        return self
