"""Linear mixed model of a score over visits: means by visit and group, changes between visits, differences of groups.

Every group and visit has a mean of its own; a baseline covariate has an effect of its own at each visit and is held at
its mean over the patients of the model. Values after death do not exist: the model treats them as missing at random, so
that its means are those of a world without death.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from trialpipe.analyse import sample
from trialpipe.analyse.context import MISSING, Context, Group
from trialpipe.analyse.formats import NOT_ESTIMABLE, Undefined, Value
from trialpipe.analyse.pairs import pairs
from trialpipe.analyse.rows import Manner
from trialpipe.analyse.visits import analysed
from trialpipe.config.analyses import MixedModel
from trialpipe.stats import mixed

COVARIANCES = {
    "random_intercept": "a random intercept per patient",
    "unstructured": "unstructured covariance between visits",
}
INFERENCE = {
    "satterthwaite": "Satterthwaite degrees of freedom",
    "kenward_roger": "Kenward-Roger standard errors and degrees of freedom",
}
NOTE = "hypothetical: values after death and missing values are taken as missing at random"
BETWEEN, RESIDUAL = "Variance between patients", "Residual variance"
Cells = dict[tuple[str, str], int]


class Fitted(NamedTuple):
    """The model (or why there is none), its rows, and the column of each group and visit that has a value."""

    model: mixed.MixedFit | None
    why: str
    rows: pd.DataFrame
    cells: Cells


def run(analysis: MixedModel, context: Context) -> list[dict[str, Any]]:
    """Means by group and visit, changes from ``base_visit``, differences of groups by visit, variance components.

    Where the model cannot be fitted every estimate is NE with the reason. Raises DataError as ``pairs`` does.
    """
    groups = [group for group in context.levels if group.label != MISSING] or [Group("Overall", context.subjects)]
    fitted = _fit(analysis, context, groups)
    manner = _manner(analysis, context)
    found: list[dict[str, Any]] = []
    for group in groups:
        for visit in analysis.visits:
            place = {"group": group.label, "variable": "AVAL", "visit": visit}
            found += _estimate(analysis, context, fitted, manner, "ls_mean", {(group.label, visit): 1.0}, place)
    for group in groups:
        for visit in analysis.visits:
            if analysis.base_visit is None or visit == analysis.base_visit:
                continue
            weights = {(group.label, visit): 1.0, (group.label, analysis.base_visit): -1.0}
            place = {"group": group.label, "variable": "CHG", "visit": visit, "base_visit": analysis.base_visit}
            found += _estimate(analysis, context, fitted, manner, "mean_difference", weights, place)
    if context.levels:
        for group, against in pairs(context, analysis.reference):
            for visit in analysis.visits:
                weights = {(group.label, visit): 1.0, (against.label, visit): -1.0}
                place = {"group": group.label, "comparator": against.label, "variable": "AVAL", "visit": visit}
                found += _estimate(analysis, context, fitted, manner, "mean_difference", weights, place)
    return found + _components(analysis, context, fitted, manner)


def _fit(analysis: MixedModel, context: Context, groups: list[Group]) -> Fitted:
    parts = []
    for group in groups:
        for number, visit in enumerate(analysis.visits):
            rows = analysed(context.of(group), analysis.parameter, visit)
            rows = rows[rows["AVAL"].notna() & (rows["CENS"] == "none")]
            rows = rows[rows["BASE"].notna()] if analysis.baseline else rows
            parts.append(rows.assign(group=group.label, visit=visit, number=number))
    rows = pd.concat(parts).drop_duplicates(["USUBJID", "visit"])
    seen = dict.fromkeys(zip(rows["group"], rows["visit"], strict=True))
    cells = {cell: place for place, cell in enumerate(seen)}
    if not len(rows):
        return Fitted(None, "no value at any visit", rows, cells)
    index = [cells[cell] for cell in zip(rows["group"], rows["visit"], strict=True)]
    columns = np.eye(len(cells))[index]
    codes = np.unique(rows["number"].to_numpy(dtype=int), return_inverse=True)[1]
    if analysis.baseline:
        mean = rows.drop_duplicates("USUBJID")["BASE"].mean()
        base = (rows["BASE"] - mean).to_numpy(dtype=float)
        columns = np.column_stack([columns, np.eye(codes.max() + 1)[codes] * base[:, None]])
    try:
        model = mixed.fit(
            rows["AVAL"].to_numpy(dtype=float),
            columns,
            rows["USUBJID"].to_numpy(dtype=object).astype(str),
            codes,
            analysis.covariance,
        )
    except mixed.NotFitted as error:
        return Fitted(None, str(error), rows, cells)
    return Fitted(model, "", rows, cells)


def _manner(analysis: MixedModel, context: Context) -> Manner:
    covariate = ", baseline value by visit as covariate" if analysis.baseline else ""
    method = (
        f"Linear mixed model by REML, {COVARIANCES[analysis.covariance]}, a mean per visit and group{covariate}; "
        f"t interval, {INFERENCE[analysis.inference]}"
    )
    manner = sample.manner(context.data[context.data["PARAMCD"] == analysis.parameter], method, NOTE)
    return manner._replace(conf_level=analysis.conf_level)


def _estimate(
    analysis: MixedModel,
    context: Context,
    fitted: Fitted,
    manner: Manner,
    statistic: str,
    wanted: dict[tuple[str, str], float],
    place: dict[str, Any],
) -> list[dict[str, Any]]:
    """One contrast of means; NE where a mean has no value behind it. ``n``: patients with a value at the visit."""
    inside = [
        cell in wanted and cell[1] == place["visit"]
        for cell in zip(fitted.rows["group"], fitted.rows["visit"], strict=True)
    ]
    rows = fitted.rows[pd.Series(inside, index=fitted.rows.index, dtype=bool)]
    names = (statistic, "std_err", "lower", "upper")
    stats: dict[str, Value] = {"n": len(rows)}
    if fitted.model is None or not set(wanted) <= set(fitted.cells):
        why = fitted.why if fitted.model is None else "no value"
        stats |= {name: Undefined(NOT_ESTIMABLE, why) for name in names}
    else:
        weights = np.zeros(len(fitted.model.coef))
        for cell, weight in wanted.items():
            weights[fitted.cells[cell]] = weight
        covariance = "kenward_roger" if analysis.inference == "kenward_roger" else "model"
        found = mixed.contrast(fitted.model, weights, analysis.conf_level, covariance)
        stats |= dict(zip(names, (found.value, found.std_err, found.lower, found.upper), strict=True))
        if "comparator" in place:
            stats["p"] = found.p
            manner = manner._replace(alternative="two-sided", null_value=0.0, df=found.df)
    roles = {"n": context.behind(rows), "model": context.behind(fitted.rows)}
    return context.cell(stats, roles, manner, parameter=analysis.parameter, **place)


def _components(analysis: MixedModel, context: Context, fitted: Fitted, manner: Manner) -> list[dict[str, Any]]:
    """Variance between patients and residual variance, or the variance of each visit."""
    roles = {"n": context.behind(fitted.rows)}
    visits = sorted(set(zip(fitted.rows["number"], fitted.rows["visit"], strict=True)))
    if analysis.covariance == "random_intercept":
        terms: list[tuple[str, str | None]] = [(BETWEEN, None), (RESIDUAL, None)]
        values = None if fitted.model is None else list(fitted.model.components)
    else:
        terms = [("Variance", visit) for _, visit in visits]
        values = None if fitted.model is None else list(np.diag(fitted.model.between))
    found: list[dict[str, Any]] = []
    for place, (term, visit) in enumerate(terms):
        value: Value = Undefined(NOT_ESTIMABLE, fitted.why) if values is None else float(values[place])
        found += context.cell(
            {"variance": value}, roles, manner, parameter=analysis.parameter, term=term, visit=visit, variable="AVAL"
        )
    return found
