"""Typed models of the datasets of intensive care: organ failure, stays, infections acquired in hospital."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from trialpipe.config.names import DatasetId, Domain, Name, Names, Variable, Where
from trialpipe.config.types import Duration, Strict, Text


class StayDataset(Strict):
    """ADSTAY: length of a stay (in a unit or hospital) from ``origin`` to discharge or death, and days free of it."""

    kind: Literal["stay"]
    id: DatasetId = Field(description="name of the dataset")
    label: Text = Field(description="what the dataset holds")
    code: Variable = Field(description="PARAMCD, e.g. ICUSTAY")
    origin: Name = Field(description="milestone at which the stay begins")
    discharge: Name = Field(description="milestone of the end of the stay; on the day of death it is a death")
    death: Name = Field("death", description="milestone of death")
    over_by: Name | None = Field(
        None, description="milestone by which the stay must be over: without a discharge the length is then unknown"
    )
    readmission: Name | None = Field(None, description="the first stay counts, readmissions are counted apart")
    horizon: Duration = Field(183, description="a stay that lasts longer is censored there")
    free_to: Duration = Field(28, description="days free of the stay are counted to this elapsed day, 0 if dead by it")
    free_until_readmission: bool = Field(False, description="no day from a readmission on is free: its end is unknown")


class NosocomialType(Strict):
    """Infections of one type or group of types."""

    code: Variable = Field(description="PARAMCD, e.g. BACT")
    label: Text = Field(description="name in tables")
    where: Where = Field(description="filter on the records, e.g. {CEDECOD: [VAP, BLOODSTREAM]}")
    apart: bool = Field(False, description="not among any infection, e.g. viral reactivation")


class NosocomialDataset(Strict):
    """ADNOSO: infections acquired in hospital, an EPISODE row per record and the first of each type per patient."""

    kind: Literal["nosocomial"]
    id: DatasetId = Field(description="name of the dataset")
    label: Text = Field(description="what the dataset holds")
    domain: Domain = Field("ce", description="clean domain of the infections")
    date: Variable = Field("CESTDTC", description="date/time of onset")
    where: Where = Field({}, description="records of the domain that are infections")
    types: tuple[NosocomialType, ...] = Field(description="types, each with its records")
    origin: Name = Field(description="start of the time at risk, e.g. inclusion")
    admission: Name = Field(description="admission to hospital")
    hours: int = Field(48, ge=0, description="onset is more than so many hours after the admission")
    until: Duration = Field(28, description="last elapsed day from until_from, included")
    until_from: Name | None = Field(None, description="default: the origin, which also holds where this did not happen")
    competing: Names = Field(("death",), description="milestones that end the time at risk")
    place: Variable | None = Field(None, description="column that says where the infection began")
    icu_place: Text = Field("ICU", description="its value in intensive care")
    icu_admission: Name | None = Field(None, description="without it no infection is acquired in intensive care")
    icu_discharge: Name | None = Field(None, description="milestone of the end of intensive care")
    icu_readmission: Name | None = Field(None, description="if given, the hours count anew from it")
    icu_after: int = Field(0, ge=0, description="hours after discharge that still count as intensive care")


class SofaMeasure(Strict):
    """A measure of the score in a findings domain; its unit decides which bands it is compared with."""

    code: Variable = Field(description="measure of resources/reference/sofa.yaml, e.g. PLAT, PO2, RESPSUP")
    domain: Domain = Field(description="clean domain of the records")
    where: Where = Field(description="filter on the domain, e.g. {LBTESTCD: PLAT}")


class SofaRate(Strict):
    """Rates of one vasopressor: a dose with unit, at ``start`` or from there to ``end``, in any domain."""

    code: Variable = Field(description="rate of resources/reference/sofa.yaml, e.g. NOREPI")
    domain: Domain = Field(description="clean domain of the records")
    where: Where = Field(description="filter on the domain, e.g. {EXTRT: NOREPINEPHRINE}")
    dose: Variable = Field("EXDOSE", description="column of the dose")
    unit: Variable = Field("EXDOSU", description="column of its unit")
    start: Variable = Field("EXSTDTC", description="column of its start")
    end: Variable | None = Field(None, description="column of its end; absent: a rate at one time")
    salt: Variable | None = Field(None, description="column that says BASE or TARTRATE")
    salt_default: Text = Field("BASE", description="what a dose without salt is")


class SofaDataset(Strict):
    """Organ failure score per intensive care day from daily components, with what was filled and how."""

    kind: Literal["sofa"]
    id: DatasetId = Field(description="name of the dataset")
    label: Text = Field(description="what the dataset holds")
    definition: Text = Field("SOFA-1", description="id in resources/reference/sofa.yaml")
    visits: Name = Field(description="visit set of the intensive care days")
    measures: tuple[SofaMeasure, ...] = Field(description="measures of the components")
    rates: tuple[SofaRate, ...] = Field((), description="vasopressor rates")
    day_start: str | None = Field(None, pattern=r"^\d\d:\d\d$", description="the trial's day_start if absent")
    first_dose: Name | None = Field(None, description="what the baseline precedes; the trial's origin if absent")
    icu_admission: Name | None = Field(None, description="milestone; a discharge before it is an error, and not used")
    icu_discharge: Name | None = Field(None, description="milestone; live discharge ends three components")
    icu_readmission: Name | None = Field(None, description="milestone; from it on they are scored again")
    hospital_discharge: Name | None = Field(None, description="milestone; no score is expected after it")
    rrt: bool = Field(True, description="renal replacement therapy scores 4")

    @property
    def domains(self) -> tuple[str, ...]:
        """Clean domains of measures and rates."""
        named = [measure.domain for measure in self.measures] + [rate.domain for rate in self.rates]
        return tuple(dict.fromkeys(named))


class SofaResponseDataset(Strict):
    """ADEFF of outcomes with a sofa_response endpoint: alive with a decrease of the score at a visit."""

    kind: Literal["sofa_response"]
    id: DatasetId = Field(description="name of the dataset")
    label: Text = Field(description="what the dataset holds")
    source: DatasetId = Field(description="sofa dataset")
