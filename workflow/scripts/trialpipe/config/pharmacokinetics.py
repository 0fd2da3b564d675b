"""Typed models of pharmacokinetics: the dataset of parameters in ``protocol.yaml``, an area in ``outcomes.yaml``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from trialpipe.config.analyses_base import Interval
from trialpipe.config.names import DatasetId, Domain, Name, Variable, Where
from trialpipe.config.types import Strict, Text

BelowRule = Literal["keep", "drop"] | Annotated[float, Field(ge=0)]


class DoseRecords(Strict):
    """Administrations one by one, each with day and clock time."""

    domain: Domain = Field("ex", description="clean domain of the administrations")
    where: Where = Field({}, description="filter on the domain")
    date: Variable = Field("EXSTDTC", description="column of date and time, at the start of an infusion")
    end: Variable | None = Field(None, description="column of date and time at the end of an infusion")
    dose: Variable = Field("EXDOSE", description="column of the dose")
    unit: Variable = Field("EXDOSU", description="column of its unit")


class BelowRules(Strict):
    """What stands for a value below the limit of quantification: keep (0), drop or a number."""

    first: BelowRule = Field("keep", description="up to the first quantified value, and where nothing is quantified")
    middle: BelowRule = Field("drop", description="between quantified values")
    last: BelowRule = Field("keep", description="after the last quantified value")
    before_tmax: BelowRule | None = Field(None, description="with after_tmax, instead of the three: before Tmax")
    after_tmax: BelowRule | None = Field(None, description="from Tmax on")
    consecutive: int | None = Field(
        None, ge=1, description="this many in a row after Tmax end the profile: later values are left out; 2 is usual"
    )

    @model_validator(mode="after")
    def _both(self) -> BelowRules:
        if (self.before_tmax is None) != (self.after_tmax is None):
            raise ValueError("give before_tmax and after_tmax together")
        return self


class TerminalSlope(Strict):
    """How the terminal slope is chosen and judged."""

    min_points: int = Field(3, ge=3, description="fewest points")
    allow_tmax: bool = Field(False, description="Cmax may be one of the points; usual after a bolus")
    tolerance: float = Field(1e-4, ge=0, description="adjusted R2 within this of the best is as good: most points win")
    max_over: Literal["all", "falling"] = Field(
        "all", description="the best fit is looked for among all (a rising end gives no slope) or only falling ones"
    )
    min_r2: float = Field(0.9, ge=0, le=1, description="adjusted R2 below this is noted")
    min_span: float = Field(2.0, ge=0, description="fewer half-lives covered than this are noted")
    max_extrapolated: float = Field(20.0, ge=0, description="more percent of the area extrapolated than this is noted")
    strict: bool = Field(False, description="what is noted makes no slope, and nothing that rests on it")


class HoursRange(Strict):
    """Hours since the dose of a partial area."""

    from_hours: float = Field(ge=0, description="start")
    to_hours: float = Field(gt=0, description="end")

    @model_validator(mode="after")
    def _order(self) -> HoursRange:
        if self.from_hours >= self.to_hours:
            raise ValueError("to_hours must be after from_hours")
        return self


class PkParametersDataset(Strict):
    """ADPP: non-compartmental parameters of each profile: a dose with enough samples before the next one."""

    kind: Literal["pk_parameters"]
    id: DatasetId = Field(description="name of the dataset")
    label: Text = Field(description="what the dataset holds")
    domain: Domain = Field("pc", description="clean domain of the concentrations")
    where: Where = Field(description="filter on it: one analyte in one specimen, e.g. {PCTESTCD: RUXO, PCSPEC: PLASMA}")
    doses: DoseRecords = Field(description="the administrations")
    visits: Name = Field(description="visit set; a profile is at the visit whose window holds the day of its dose")
    route: Literal["extravascular", "bolus", "infusion"] = Field(description="route of administration")
    duration_hours: float | None = Field(None, gt=0, description="length of an infusion without a recorded end")
    tau_hours: float | None = Field(None, gt=0, description="planned dosing interval")
    steady_state: tuple[Text, ...] = Field((), description="visits at steady state; needs tau_hours")
    washout_hours: float | None = Field(
        None, gt=0, description="a dose so long after the one before it counts as a first dose"
    )
    until_hours: float | None = Field(None, gt=0, description="samples later after the dose are none of its profile")
    planned_hours: Variable | None = Field(
        None,
        description="column of the planned hours since the dose, e.g. PCTPTNUM: they stand for actual ones where the "
        "clock time of the sample or of its dose is missing (the last dose before; none where there were two that day)",
    )
    deviation_percent: float = Field(20.0, gt=0, description="samples further off their planned hours are noted")
    predose_hours: float = Field(1.0, ge=0, description="a sample so shortly before the dose stands for its time")
    samples: int = Field(3, ge=2, description="fewest samples after the dose that make a profile")
    method: Literal["linear-up log-down", "linear", "linear-log", "log"] = Field(
        "linear-up log-down", description="rule of areas"
    )
    start: Literal["required", "zero", "minimum", "predose", "c0"] | None = Field(
        None,
        description="value at the dose where none was measured; default: C0 after a bolus, else 0 after a first dose, "
        "the least of the interval at steady state, none (no area) otherwise",
    )
    first_tmax: bool = Field(True, description="Tmax is the first of equal greatest concentrations; false: the last")
    below: BelowRules = Field(BelowRules.model_validate({}), description="values below the limit of quantification")
    terminal: TerminalSlope = Field(TerminalSlope.model_validate({}), description="terminal slope")
    trough_within_hours: float = Field(
        0.5, ge=0, description="a sample so near the end of the dosing interval is its trough"
    )
    intervals: tuple[HoursRange, ...] = Field((), description="partial areas AUCINT1, AUCINT2, ...")
    parameters: tuple[Variable, ...] = Field(
        (), description="codes of resources/reference/pk_parameters.csv in the order of tables; default: all there are"
    )

    @model_validator(mode="after")
    def _fits(self) -> PkParametersDataset:
        if self.steady_state and self.tau_hours is None:
            raise ValueError("steady_state needs tau_hours")
        if self.route == "infusion" and self.duration_hours is None and self.doses.end is None:
            raise ValueError("an infusion needs duration_hours or doses.end")
        if self.route != "infusion" and (self.duration_hours is not None or self.doses.end is not None):
            raise ValueError("only an infusion has a duration")
        return self


class PlannedHours(Strict):
    """A planned time of sampling; a sample from ``from_hours`` to ``to_hours`` counts for it."""

    hours: float = Field(description="planned hours from the trial's origin")
    from_hours: float = Field(description="earliest, included; below 0 before the origin")
    to_hours: float = Field(description="latest, included")


class SparseArea(Interval):
    """Area under the curve of mean concentrations where no patient has a whole profile (Bailer), with its error."""

    kind: Literal["sparse_area"]
    parameter: Variable = Field(description="PARAMCD of the concentrations")
    visits: tuple[Text, ...] = Field((), description="visits in order, their target days being the times")
    hours: tuple[PlannedHours, ...] = Field((), description="instead of visits: planned hours in order")
    design: Literal["batch", "serial"] = Field(
        "batch", description="batch: samples of one patient are correlated; serial: one sample per patient"
    )
    to: Literal["last", "all"] = Field("last", description="area to the last mean above 0, or to the last time")
    majority: bool = Field(True, description="a mean of which more than half is below the limit is 0")

    @model_validator(mode="after")
    def _times(self) -> SparseArea:
        if bool(self.visits) == bool(self.hours):
            raise ValueError("give visits or hours")
        if len(self.visits or self.hours) < 2:
            raise ValueError("an area needs at least two times")
        for span in self.hours:
            if not span.from_hours <= span.hours <= span.to_hours:
                raise ValueError("hours must lie from from_hours to to_hours")
        for one, two in zip(self.hours, self.hours[1:], strict=False):
            if one.to_hours >= two.from_hours:
                raise ValueError("ranges of hours must follow each other without overlap")
        return self
