"""Analysis of covariance of a measurement at a visit: adjusted means of groups, their differences, tests of terms."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from trialpipe.analyse import sample
from trialpipe.analyse.context import MISSING, OVERALL, Context, text
from trialpipe.analyse.formats import NOT_ESTIMABLE, Undefined, Value
from trialpipe.analyse.pairs import pairs
from trialpipe.analyse.rows import Manner, Roles
from trialpipe.analyse.visits import analysed
from trialpipe.config.analyses_models import Ancova
from trialpipe.stats import linear

WEIGHTS = {"equal": "levels of other factors alike", "proportional": "levels of other factors as often as observed"}
ESTIMATES = ("std_err", "lower", "upper")


class Data(NamedTuple):
    """``rows`` of patients with everything that the model needs, their group, and how many were left out and why."""

    rows: pd.DataFrame
    group: np.ndarray
    covariates: dict[str, np.ndarray]
    factors: dict[str, np.ndarray]
    notes: tuple[str, ...]


def run(analysis: Ancova, context: Context) -> list[dict[str, Any]]:
    """Adjusted mean per level of ``by``, difference per pair with t test, F test per term, residual variance.

    Patients without the value or a covariate are left out and counted in the note. Raises DataError as ``pairs`` does.
    """
    levels = [level.label for level in context.levels if level.label != MISSING]
    data = _data(analysis, context)
    y = data.rows["CHG" if analysis.change else "AVAL"].to_numpy(dtype=float)
    model = linear.ancova(y, data.group, data.covariates, data.factors, analysis.weights, levels)
    manner = _manner(analysis, context, data)
    everyone: Roles = {"n": context.behind(data.rows)}
    variable = "CHG" if analysis.change else "AVAL"
    common: dict[str, Any] = {"parameter": analysis.parameter, "visit": analysis.visit, "variable": variable}
    found: list[dict[str, Any]] = []
    for place, label in enumerate(levels):
        own = context.behind(data.rows[data.group == label])
        mean = model.mean(place, analysis.conf_level)
        stats: dict[str, Value] = {"n": len(own.keys), "ls_mean": mean.value} | _spread(mean)
        roles = {"n": own, "model": everyone["n"]}
        found += context.cell(stats, roles, _told(manner, mean), group=label, **common)
    for group, against in pairs(context, analysis.reference):
        gap = model.difference(levels.index(group.label), levels.index(against.label), analysis.conf_level)
        both = context.behind(data.rows[np.isin(data.group, [group.label, against.label])])
        stats = {"n": len(both.keys), "mean_difference": gap.value} | _spread(gap) | {"p": gap.p}
        shown = _told(manner._replace(alternative="two-sided", null_value=0.0, df=gap.df), gap)
        roles = {"n": both, "model": everyone["n"]}
        found += context.cell(stats, roles, shown, group=group.label, comparator=against.label, **common)
    return found + _terms(context, model, manner, everyone, common)


def _terms(
    context: Context, model: linear.Ancova, manner: Manner, roles: Roles, common: dict[str, Any]
) -> list[dict[str, Any]]:
    """F test of each term given the others, and the residual variance."""
    found: list[dict[str, Any]] = []
    for name, test in model.tests().items():
        term = context.analysis.by if name == linear.GROUP else name
        method = f"F test of type III ({test.df} and {test.df_residual} degrees of freedom)"
        note = "; ".join(part for part in ("no test" if math.isnan(test.p) else "", manner.note or "") if part) or None
        shown = manner._replace(method=method, alternative="two-sided", df=float(test.df), note=note)
        found += context.cell({"f": test.f, "p": test.p}, roles, shown, group=OVERALL, term=term, **common)
    variance: Value = model.model.variance
    if not model.model.df:
        variance = Undefined(NOT_ESTIMABLE, "no degrees of freedom left")
    return found + context.cell(
        {"variance": variance}, roles, manner, group=OVERALL, term="Residual variance", **common
    )


def _data(analysis: Ancova, context: Context) -> Data:
    rows = analysed(context.data, analysis.parameter, analysis.visit)
    place = {u: level.label for level in context.levels for u in level.subjects["USUBJID"]}
    group = rows["USUBJID"].map(place)
    known = rows["AVAL"].notna() & (rows["CENS"] == "none") & group.notna() & (group != MISSING)
    if analysis.baseline or analysis.change:
        known &= rows["BASE"].notna()
    values = context.subjects.set_index("USUBJID").reindex(rows["USUBJID"])[list(analysis.covariates)]
    known &= values.notna().all(axis=1).to_numpy(dtype=bool)
    kept = rows[known]
    kept = kept.assign(CHG=kept["AVAL"] - kept["BASE"])
    covariates = {"BASE": kept["BASE"].to_numpy(dtype=float)} if analysis.baseline else {}
    factors: dict[str, np.ndarray] = {}
    for name in analysis.covariates:
        column = values.loc[known.to_numpy(dtype=bool), name]
        if pd.api.types.is_numeric_dtype(column):
            covariates[name] = column.to_numpy(dtype=float)
        else:
            factors[name] = np.array([str(text(value)) for value in column], dtype=object)
    left = len(context.subjects) - len(kept)
    notes = (f"{left} patient(s) without the value or a covariate left out",) if left else ()
    return Data(kept, group[known].to_numpy(dtype=object), covariates, factors, notes)


def _manner(analysis: Ancova, context: Context, data: Data) -> Manner:
    terms = ["baseline value"] if analysis.baseline else []
    terms += [context.label(name) for name in analysis.covariates]
    adjusted = f", adjusted for {' and '.join(terms)}" if terms else ""
    kind = f"; means with {WEIGHTS[analysis.weights]}" if data.factors else ""
    method = f"Analysis of covariance{adjusted}, t interval{kind}"
    rows = context.data[context.data["PARAMCD"] == analysis.parameter]
    manner = sample.manner(rows, method, "; ".join(data.notes) or None)
    return manner._replace(conf_level=analysis.conf_level)


def _spread(found: linear.Contrast) -> dict[str, Value]:
    return dict(zip(ESTIMATES, (found.std_err, found.lower, found.upper), strict=True))


def _told(manner: Manner, found: linear.Contrast) -> Manner:
    """Why there is no estimate, or none of its error."""
    why = "not determined by the data" if math.isnan(found.value) else "no spread left" if math.isnan(found.p) else ""
    return manner._replace(note="; ".join(part for part in (why, manner.note or "") if part) or None)
