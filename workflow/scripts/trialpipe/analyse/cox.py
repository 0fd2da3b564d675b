"""Cox regression: fixed covariates, strata, exposures that begin during follow-up, landmark."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from trialpipe.analyse.context import Context
from trialpipe.analyse.design import Design, Term, design
from trialpipe.analyse.exposure import counting_process, switch_days
from trialpipe.analyse.formats import Value
from trialpipe.analyse.rows import Manner, Roles
from trialpipe.analyse.times import Times, strata, times
from trialpipe.config.analyses_survival import Cox
from trialpipe.stats import cox

_NO_ESTIMATE = "no finite estimate: a group without events, or terms that depend on each other"


class Model(NamedTuple):
    """What is fitted: ``frame`` the patients' rows, ``seen`` their times, arrays one entry per interval at risk."""

    frame: pd.DataFrame
    seen: Times
    terms: tuple[Term, ...]
    time: np.ndarray
    event: np.ndarray
    entry: np.ndarray | None
    matrix: np.ndarray
    strata: np.ndarray | None
    notes: tuple[str, ...]


def run(analysis: Cox, context: Context) -> list[dict[str, Any]]:
    """A cell per coefficient, then the model's size and its likelihood ratio test."""
    model = _model(analysis, context)
    fit = cox.cox(model.time, model.event, model.matrix, model.entry, model.strata, analysis.ties, analysis.conf_level)
    roles: Roles = {
        "n": context.behind(model.frame),
        "event": context.behind(model.frame[model.seen.event == 1]),
    }
    by = f", stratified by {' and '.join(map(context.label, analysis.strata))}" if analysis.strata else ""
    method = f"Cox regression, {analysis.ties.capitalize()} ties, Wald interval{by}"
    manner = Manner(method, analysis.conf_level, "two-sided", note="; ".join(model.notes) or None)
    found: list[dict[str, Any]] = []
    for i, term in enumerate(model.terms):
        stats: dict[str, Value] = {
            "coef": float(fit.coef[i]),
            "std_err": float(fit.se[i]),
            "hr": float(fit.hr[i]),
            "lower": float(fit.lower[i]),
            "upper": float(fit.upper[i]),
            "z": float(fit.z[i]),
            "p": float(fit.p[i]),
        }
        notes = [*model.notes, *([_NO_ESTIMATE] if np.isnan(fit.coef[i]) else [])]
        shown = manner._replace(null_value=0.0, note="; ".join(notes) or None)
        found += context.cell(stats, roles, shown, term=term.variable, category=term.contrast)
    sizes: dict[str, Value] = {
        "n": len(model.frame),
        "events": int(model.seen.event.sum()),
        "loglik_null": fit.loglik_null,
        "loglik": fit.loglik,
    }
    found += context.cell(sizes, roles, manner, term="Model")
    test = manner._replace(method=f"Likelihood ratio test, Cox regression{by}", df=float(fit.df))
    found += context.cell({"chi_square": fit.lr_test, "p": fit.lr_p}, roles, test, term="Likelihood ratio test")
    if analysis.proportional_hazards:
        found += _proportional_hazards(analysis, context, model, fit, roles)
    return found


def _model(analysis: Cox, context: Context) -> Model:
    seen = times(context.data)
    notes: list[str] = []
    if analysis.landmark is not None:
        seen = times(seen.frame[seen.time > analysis.landmark.at])
    fixed = design(context, seen.frame, analysis.terms, analysis.reference)
    stratum, in_stratum = strata(context, seen.frame, analysis.strata)
    keep = fixed.known & in_stratum
    matrix = fixed.matrix[keep[fixed.known]]
    chosen = times(seen.frame[keep])
    stratum = stratum[keep] if stratum is not None else None
    notes += fixed.notes
    terms = fixed.terms
    if analysis.landmark is not None:
        reached = switch_days(context, chosen.frame, analysis.landmark.exposure) <= analysis.landmark.at
        terms, matrix = (
            (*terms, Term(analysis.landmark.name)),
            np.column_stack([matrix, reached.astype(float)]),
        )
        notes.append(f"patients at risk after day {analysis.landmark.at}")
    if not analysis.time_dependent:
        entry = chosen.entry if chosen.truncated else None
        return Model(chosen.frame, chosen, terms, chosen.time, chosen.event, entry, matrix, stratum, tuple(notes))
    return _with_exposures(analysis, context, chosen, fixed._replace(terms=terms, matrix=matrix), stratum, notes)


def _with_exposures(
    analysis: Cox,
    context: Context,
    chosen: Times,
    fixed: Design,
    stratum: np.ndarray | None,
    notes: list[str],
) -> Model:
    exposures = analysis.time_dependent
    switches = [switch_days(context, chosen.frame, exposure.milestone) for exposure in exposures]
    pieces = counting_process(chosen.time, chosen.event, chosen.entry, switches, exposures)
    without = len(chosen.frame) - len(set(pieces.row.tolist()))
    notes += [f"{without} patient(s) without time at risk left out"] if without else []
    words = {"after": "from the day after", "on": "from the day itself"}
    notes += [f"{e.label}: exposed {words[e.switches]}" for e in exposures]
    used = times(chosen.frame[np.isin(np.arange(len(chosen.frame)), pieces.row)])
    return Model(
        used.frame,
        used,
        (*fixed.terms, *(Term(exposure.name) for exposure in exposures)),
        pieces.time,
        pieces.event,
        pieces.entry,
        np.column_stack([fixed.matrix[pieces.row], pieces.exposed]),
        None if stratum is None else stratum[pieces.row],
        tuple(notes),
    )


def _proportional_hazards(
    analysis: Cox, context: Context, model: Model, fit: cox.Cox, roles: Roles
) -> list[dict[str, Any]]:
    """Per coefficient and for all together: does the hazard ratio change over time?"""
    from trialpipe.stats.cox_checks import proportional_hazards

    test = proportional_hazards(fit, model.time, model.event, model.matrix, model.entry, model.strata, analysis.ties)
    manner = Manner("Score test of proportional hazards (Grambsch and Therneau), Kaplan-Meier scale of time")
    named = {entry.name: entry.label for entry in analysis.time_dependent}
    named |= {analysis.landmark.name: analysis.landmark.label} if analysis.landmark else {}
    labels = [named.get(term.variable) or context.label(term.variable) for term in model.terms]
    lines = [
        (f"{label}, {term.contrast}" if term.contrast else label, chi, p, 1)
        for label, term, chi, p in zip(labels, model.terms, test.chi_square, test.p, strict=True)
    ]
    found: list[dict[str, Any]] = []
    for category, chi, p, df in [*lines, ("All terms", test.global_chi_square, test.global_p, test.df)]:
        note = None if fit.converged else _NO_ESTIMATE
        shown = manner._replace(alternative="two-sided", df=float(df), note=note)
        found += context.cell(
            {"chi_square": float(chi), "p": float(p)}, roles, shown, term="Proportional hazards", category=category
        )
    return found
