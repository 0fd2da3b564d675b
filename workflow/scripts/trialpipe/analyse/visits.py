"""Visits of findings datasets: the analysed record of each patient, and who was alive on the target day."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from trialpipe.analyse.context import Context
from trialpipe.config.datasets import ConcentrationsDataset, FindingsDataset, SofaDataset
from trialpipe.config.pharmacokinetics import PkParametersDataset
from trialpipe.config.protocol import Visit

DEATH = "death"
_BY_VISIT = (FindingsDataset, ConcentrationsDataset)
_VISITS = (*_BY_VISIT, SofaDataset, PkParametersDataset)


def parameters(context: Context, wanted: Sequence[str]) -> list[str]:
    """Parameters asked for, or all of the dataset in declared order (those of the data if it is not declared)."""
    if wanted:
        return list(wanted)
    for entry in context.protocol.datasets:
        if isinstance(entry, _BY_VISIT) and entry.id == context.dataset:
            return [parameter.code for parameter in entry.parameters]
        if isinstance(entry, PkParametersDataset) and entry.id == context.dataset and entry.parameters:
            return list(entry.parameters)
    return list(dict.fromkeys(context.data["PARAMCD"].sort_values()))


def analysed(frame: pd.DataFrame, parameter: str, visit: str) -> pd.DataFrame:
    """The record analysed for a parameter and visit, one per patient."""
    return frame[(frame["PARAMCD"] == parameter) & (frame["AVISIT"] == visit) & (frame["ANL01FL"] == "Y")]


def visit_of(context: Context, dataset: str, label: str) -> Visit | None:
    """The protocol's visit of that label in the dataset's visit set; None if it is not declared."""
    for entry in context.protocol.datasets:
        if isinstance(entry, _VISITS) and entry.id == dataset:
            sets = [s for s in context.protocol.visit_sets if s.id == entry.visits]
            return next((v for s in sets for v in s.visits if v.label == label), None)
    return None


def alive(context: Context, people: pd.DataFrame, visit: Visit | None) -> pd.DataFrame | None:
    """Patients whose visit has an origin and who were alive on its target day; None if that cannot be known.

    A partial date of death counts as its first possible day, as in times to death; without any lower bound the
    patient is not known to be alive.
    """
    names = {m.id: m.variable for m in context.protocol.milestones}
    if visit is None or DEATH not in names:
        return None
    time = context.protocol.time
    start = pd.to_datetime(people[names[visit.anchor or time.origin]])
    if visit.anchor is None and time.otherwise is not None:
        happened = people[f"{names[time.origin]}_HI"].notna()
        start = start.where(happened, pd.to_datetime(people[names[time.otherwise]]))
    elapsed = visit.day - (0 if visit.anchor else context.protocol.time.first_day)
    target = start + pd.Timedelta(days=elapsed)
    low, high = (
        f"{names[DEATH]}_{bound}" if f"{names[DEATH]}_{bound}" in people.columns else names[DEATH]
        for bound in ("LO", "HI")
    )
    died = people[high].notna()
    return people[target.notna() & (~died | (pd.to_datetime(people[low]) > target))]
