"""Typed models of the datasets on stays in a unit and on infections acquired in hospital."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from trialpipe.config.names import DatasetId, Domain, Name, Names, Variable, Where
from trialpipe.config.types import Duration, Strict, Text


class StayDataset(Strict):
    """ADSTAY: length of a stay (in a unit or hospital) from ``origin`` to discharge or death, and days free of it."""

    kind: Literal["stay"]
    id: DatasetId
    label: Text
    code: Variable = Field(description="PARAMCD, e.g. ICUSTAY")
    origin: Name
    discharge: Name = Field(description="milestone of the end of the stay; on the day of death it is a death")
    death: Name = "death"
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
    label: Text
    where: Where = Field(description="filter on the records, e.g. {CEDECOD: [VAP, BLOODSTREAM]}")
    apart: bool = Field(False, description="not among any infection, e.g. viral reactivation")


class NosocomialDataset(Strict):
    """ADNOSO: infections acquired in hospital, an EPISODE row per record and the first of each type per patient."""

    kind: Literal["nosocomial"]
    id: DatasetId
    label: Text
    domain: Domain = "ce"
    date: Variable = Field("CESTDTC", description="date/time of onset")
    where: Where = Field({}, description="records of the domain that are infections")
    types: tuple[NosocomialType, ...]
    origin: Name = Field(description="start of the time at risk, e.g. inclusion")
    admission: Name = Field(description="admission to hospital")
    hours: int = Field(48, ge=0, description="onset is more than so many hours after the admission")
    until: Duration = Field(28, description="last elapsed day from until_from, included")
    until_from: Name | None = Field(None, description="default: the origin, which also holds where this did not happen")
    competing: Names = ("death",)
    place: Variable | None = Field(None, description="column that says where the infection began")
    icu_place: Text = Field("ICU", description="its value in intensive care")
    icu_admission: Name | None = Field(None, description="without it no infection is acquired in intensive care")
    icu_discharge: Name | None = None
    icu_readmission: Name | None = Field(None, description="if given, the hours count anew from it")
    icu_after: int = Field(0, ge=0, description="hours after discharge that still count as intensive care")
