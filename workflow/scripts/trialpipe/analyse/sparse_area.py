"""Area under the curve of mean concentrations, each patient sampled at some of the times, with standard error.

Times are the target days of visits, or planned hours from the trial's origin, a sample in a range of hours counting
for them (the nearest of several, then the earlier). A value below its limit counts as 0, as in non-compartmental
analysis; one above its limit leaves the area undefined.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from trialpipe.analyse import sample
from trialpipe.analyse.context import Context, Group
from trialpipe.analyse.formats import NOT_ESTIMABLE, Undefined, Value
from trialpipe.analyse.rows import Manner
from trialpipe.analyse.visits import analysed, visit_of
from trialpipe.config.pharmacokinetics import SparseArea
from trialpipe.io.errors import DataError
from trialpipe.stats.nca_sparse import sparse_area

METHOD = "Linear area under the means (Bailer)"
DESIGNS = {
    "batch": "covariances of patients sampled several times by Holder",
    "serial": "every sample taken as a patient of its own",
}


def run(analysis: SparseArea, context: Context) -> list[dict[str, Any]]:
    """One cell per group: samples, those below the limit, the area with standard error and limits (Student's t)."""
    if analysis.hours:
        label, samples = "h", _by_hours(analysis, context)
    else:
        label, samples = "d", _by_visits(analysis, context)
    return [row for group in context.groups for row in _cell(analysis, context, group, samples, label)]


def _by_visits(analysis: SparseArea, context: Context) -> pd.DataFrame:
    """Records analysed at the visits, TIME their target days from the trial's origin."""
    parts = []
    for label in analysis.visits:
        visit = visit_of(context, context.dataset, label)
        if visit is None or visit.anchor is not None:
            item = f"outcome {context.outcome.id} visits"
            cure = "name visits of the dataset's visit set that count from the trial's origin"
            raise DataError("outcomes.yaml", None, item, label, "has no day from the trial's origin", cure)
        time = float(visit.day - context.protocol.time.first_day)
        parts.append(analysed(context.data, analysis.parameter, label).assign(TIME=time))
    return pd.concat(parts)


def _by_hours(analysis: SparseArea, context: Context) -> pd.DataFrame:
    """Records with clock times in the ranges of hours from the origin, TIME the planned hours; one per patient each."""
    frame = context.data[context.data["PARAMCD"] == analysis.parameter].drop_duplicates(["USUBJID", "ADTM", "AVALC"])
    origin = next(m.variable for m in context.protocol.milestones if m.id == context.protocol.time.origin)
    people = context.subjects.set_index("USUBJID")
    starts = {u: _moment(day, clock) for u, day, clock in zip(people.index, *_columns(people, origin), strict=True)}
    start = pd.to_datetime(frame["USUBJID"].map(starts))
    hours = (pd.to_datetime(frame["ADTM"]) - start).dt.total_seconds() / 3600
    parts = []
    for span in analysis.hours:
        near = frame[(hours >= span.from_hours) & (hours <= span.to_hours)].assign(TIME=span.hours)
        apart = (hours.loc[near.index] - span.hours).abs()
        ranked = near.assign(APART=apart).sort_values(["USUBJID", "APART", "ADTM", "row_id"], kind="stable")
        parts.append(ranked.drop_duplicates("USUBJID").drop(columns="APART"))
    return pd.concat(parts)


def _columns(people: pd.DataFrame, variable: str) -> tuple[list[Any], list[Any]]:
    """Days and clock times of a milestone."""
    clock = f"{variable}_TM"
    return list(people[variable]), list(people[clock]) if clock in people.columns else [None] * len(people)


def _moment(day: Any, clock: Any) -> pd.Timestamp:
    """Day and clock time as one; NaT if either is missing."""
    if pd.isna(day) or not isinstance(clock, str):
        return pd.NaT
    hours, minutes = clock.split(":")[:2]
    return pd.Timestamp(day) + pd.Timedelta(hours=int(hours), minutes=int(minutes))


def _cell(
    analysis: SparseArea, context: Context, group: Group, samples: pd.DataFrame, label: str
) -> list[dict[str, Any]]:
    own = context.of(group, samples)
    own = own[own["AVAL"].notna() | (own["CENS"] != "none")]
    below, above = own[own["CENS"] == "left"], own[own["CENS"] == "right"]
    stats: dict[str, Value] = {"n": len(own), "n_below": len(below)}
    values = np.where(own["CENS"] == "left", 0.0, own["AVAL"].to_numpy(dtype=float))
    times = own["TIME"].to_numpy(dtype=float)
    found = sparse_area(times, values, own["USUBJID"].tolist(), analysis.design, analysis.to, analysis.majority)
    low, high = found.limits(analysis.conf_level)
    note = found.note
    numbers = {"auc": found.auc, "std_err": found.se, "lower": low, "upper": high}
    if len(above):
        numbers = dict.fromkeys(numbers, math.nan)
        note = f"{len(above)} value(s) above the limit of quantification"
    stats |= {
        name: Undefined(NOT_ESTIMABLE, note or "not estimable") if math.isnan(value) else value
        for name, value in numbers.items()
    }
    shown = sample.manner(context.data[context.data["PARAMCD"] == analysis.parameter], METHOD, note)
    degrees = "" if math.isnan(found.df) or len(above) else f", {found.df:.1f} degrees of freedom"
    method = f"{METHOD}, {DESIGNS[analysis.design]}; interval by Student's t{degrees}"
    manner: Manner = shown._replace(
        method=method, conf_level=analysis.conf_level, unit=None if shown.unit is None else f"{label}.{shown.unit}"
    )
    roles = {"n": context.behind(own), "below": context.behind(below)}
    return context.cell(stats, roles, manner, group=group.label, parameter=analysis.parameter, variable="AVAL")
