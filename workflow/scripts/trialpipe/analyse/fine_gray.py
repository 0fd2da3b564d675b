"""Regression of the subdistribution hazard of the event of interest (Fine and Gray)."""

from __future__ import annotations

from typing import Any

from trialpipe.analyse.context import Context
from trialpipe.analyse.design import design
from trialpipe.analyse.formats import NOT_ESTIMABLE, Undefined, Value
from trialpipe.analyse.rows import Manner, Roles
from trialpipe.analyse.times import times
from trialpipe.config.analyses_survival import FineGray
from trialpipe.stats.finegray import fine_gray

_NO_ESTIMATE = "no finite estimate: a group without events, or terms that depend on each other"
_TRUNCATED = "left truncation is not implemented for the subdistribution hazard"


def run(analysis: FineGray, context: Context) -> list[dict[str, Any]]:
    """A cell per coefficient (``hr`` is the subdistribution hazard ratio), then the model's size."""
    seen = times(context.data)
    fixed = design(context, seen.frame, analysis.terms, analysis.reference)
    used = times(seen.frame[fixed.known])
    fit = fine_gray(used.time, used.cause, fixed.matrix, 1, analysis.conf_level)
    roles: Roles = {
        "n": context.behind(used.frame),
        "event": context.behind(used.frame[used.event == 1]),
        "other": context.behind(used.frame[used.cause > 1]),
    }
    notes = [*fixed.notes, *([] if fit.converged else [_NO_ESTIMATE])]
    manner = Manner(
        "Fine-Gray regression, robust variance, Wald interval",
        analysis.conf_level,
        "two-sided",
        note="; ".join(notes) or None,
    )
    found: list[dict[str, Any]] = []
    for i, term in enumerate(fixed.terms):
        stats: dict[str, Value] = {
            "coef": float(fit.coef[i]),
            "std_err": float(fit.se[i]),
            "hr": float(fit.shr[i]),
            "lower": float(fit.lower[i]),
            "upper": float(fit.upper[i]),
            "z": float(fit.z[i]),
            "p": float(fit.p[i]),
        }
        if used.truncated:
            stats = dict.fromkeys(stats, Undefined(NOT_ESTIMABLE, _TRUNCATED))
        shown = manner._replace(null_value=0.0)
        found += context.cell(stats, roles, shown, term=term.variable, category=term.contrast)
    sizes: dict[str, Value] = {"n": len(used.frame), "events": fit.n_event, "loglik": fit.loglik}
    return found + context.cell(sizes, roles, manner, term="Model")
