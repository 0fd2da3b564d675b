"""Simon's two-stage design: the design, the stages as treated, decisions, estimates, and what the design can do.

Displays (column ``variable``): design, observed, estimates, unplanned, alternatives, characteristics.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import pandas as pd

from trialpipe.analyse import simon_designs
from trialpipe.analyse.context import OVERALL, PRIMARY, Context, Group, keep
from trialpipe.analyse.formats import NOT_ESTIMABLE, Undefined, Value
from trialpipe.analyse.rows import DENOMINATOR, Behind, Manner
from trialpipe.config.analyses import SimonTwoStage
from trialpipe.config.outcomes import StateAtHorizon
from trialpipe.config.protocol import SimonDesign
from trialpipe.stats import simon, simon_conduct
from trialpipe.stats.simon import TwoStage
from trialpipe.stats.simon_conduct import Conduct, Verdict

METHOD = (
    "Stage-wise order of outcomes: p-value and interval of Koyama and Chen 2008 (limits invert the one-sided test at "
    "alpha and 1 - alpha), median-unbiased estimate where its p-value is 0.5, UMVUE of Jung and Kim 2004"
)
KEPT_LEVEL = (
    "Rule for another size of stage 2 that keeps the conditional type I error of the planned design given stage 1 "
    "(Koyama and Chen 2008); p-value of stage 2"
)
NAIVE = "Clopper-Pearson interval and exact binomial test that take the number of patients as planned in one stage"
BOTH = "both stages"
ESTIMATES = ("median_unbiased", "umvue", "mle", "lower", "upper", "p")


class Trial(NamedTuple):
    """``rows``: a row of the dataset per patient that counts, in the order of stages; AVAL null: not yet known."""

    context: Context
    spec: SimonDesign
    design: TwoStage
    rows: pd.DataFrame
    conduct: Conduct

    @property
    def level(self) -> float:
        """Two-sided level that matches the one-sided test."""
        return round(1 - 2 * self.spec.alpha, 12)


def run(analysis: SimonTwoStage, context: Context) -> list[dict[str, Any]]:
    """Rows of all displays; those of the design alone only in the primary scenario.

    Raises ValueError if the protocol has no ``design.simon`` or ``order`` names no variable of ADSL.
    """
    spec = context.protocol.design.simon
    if spec is None:
        raise ValueError(
            "protocol.yaml: design.simon is missing - simon_two_stage needs p0, p1, alpha, power, r1, n1, r, n"
        )
    design = TwoStage(spec.r1, spec.n1, spec.r, spec.n)
    rows = _ordered(analysis, context)
    outcomes = [None if pd.isna(value) else value == 1 for value in rows["AVAL"]]
    closed = analysis.accrual == "closed" or len(context.subjects) >= spec.n
    trial = Trial(context, spec, design, rows, simon_conduct.conduct(design, outcomes, closed))
    first = context.scenario == PRIMARY
    found = simon_designs.design(context, spec, design) if first else []
    found += _observed(trial) + _estimates(trial) + _unplanned(trial)
    if first:
        found += simon_designs.alternatives(context, spec, design, analysis.max_n)
        found += simon_designs.characteristics(context, spec, design)
    return found + _path(trial)


def _ordered(analysis: SimonTwoStage, context: Context) -> pd.DataFrame:
    """Patients by the variables of ``order`` (missing last), then number; without those the outcome does not count."""
    variables = list(analysis.order) or [_origin(context)]
    lost = [name for name in variables if name not in context.subjects.columns]
    if lost:
        raise ValueError(f"outcomes.yaml: {context.outcome.id} order {lost[0]} - name a variable of ADSL")
    people = context.subjects[["USUBJID", *variables]].sort_values([*variables, "USUBJID"], kind="stable")
    seen = context.data[["USUBJID", "row_id", "AVAL", "AVALC"]]
    joined = people[["USUBJID"]].merge(seen, on="USUBJID", how="left", validate="one_to_one")
    return keep(joined, joined["AVAL"].notna() | joined["AVALC"].isna()).reset_index(drop=True)


def _origin(context: Context) -> str:
    endpoint = context.outcome.endpoint
    if not isinstance(endpoint, StateAtHorizon):
        raise ValueError(f"outcomes.yaml: {context.outcome.id} endpoint {endpoint.kind} - needs state_at_horizon")
    return next(m.variable for m in context.protocol.milestones if m.id == endpoint.origin)


def _hits(trial: Trial, rows: pd.DataFrame) -> Behind:
    return Behind(trial.context.dataset, tuple(rows.loc[rows["AVAL"] == 1, "row_id"]))


def _people(trial: Trial, rows: pd.DataFrame) -> Behind:
    return trial.context.patients(rows.loc[rows["AVAL"].notna(), "USUBJID"])


def _observed(trial: Trial) -> list[dict[str, Any]]:
    """Successes among the patients of a stage whose status is known, and the decision in words."""
    left_out = len(trial.context.subjects) - len(trial.rows)
    note = f"{left_out} patient(s) left out in this scenario, the next in order takes the place" if left_out else None
    found: list[dict[str, Any]] = []
    stages = (
        ("stage 1", trial.rows.head(trial.design.n1), trial.conduct.first),
        (BOTH, trial.rows, trial.conduct.final),
    )
    for category, rows, verdict in stages:
        hits, people = _hits(trial, rows), _people(trial, rows)
        n, total = len(hits.keys), len(people.keys)
        stats: dict[str, Value] = {"n": n, "denominator": total, "decision": _words(verdict)}
        if category == BOTH:
            stats["percent"] = 100 * n / total if total else Undefined(NOT_ESTIMABLE, "no patient in the denominator")
        roles = {"n": hits, DENOMINATOR: people}
        found += trial.context.cell(stats, roles, Manner(note=note), variable="observed", category=category)
    return found


def _words(verdict: Verdict) -> Undefined:
    return Undefined(verdict.decision, verdict.why)


def _estimates(trial: Trial) -> list[dict[str, Any]]:
    """Estimates, p-value and interval in the stage-wise order, at the level that matches the one-sided test."""
    values, note = _inference(trial)
    rows = trial.rows.head(trial.design.n1) if trial.conduct.first.decision == simon_conduct.STOP else trial.rows
    manner = Manner(METHOD, trial.level, "greater", trial.spec.p0, note=note)
    roles = {"n": _hits(trial, rows), DENOMINATOR: _people(trial, rows)}
    return trial.context.cell(values, roles, manner, variable="estimates", category="success")


def _inference(trial: Trial) -> tuple[dict[str, Value], str | None]:
    design, conduct, spec = trial.design, trial.conduct, trial.spec
    if conduct.run == "open":
        gone = Undefined(simon_conduct.NOT_REACHED, conduct.final.why)
        return dict.fromkeys(ESTIMATES, gone), None
    if conduct.run == "planned":
        stopped = conduct.first.decision == simon_conduct.STOP
        return _numbers(simon.inference(design, conduct.x1 if stopped else conduct.x, spec.p0, trial.level))
    if conduct.run == "crossed":
        found, empty = _numbers(simon.inference(design, conduct.x1, spec.p0, trial.level))
        note = "stage 1 only, where the design stops; patients treated later are not in these numbers"
        return found, "; ".join(part for part in (note, empty) if part)
    treated = len(trial.rows)
    if treated <= design.n1:
        return dict.fromkeys(ESTIMATES, Undefined(NOT_ESTIMABLE, f"stage 2 has no patient: {conduct.final.why}")), None
    # neither estimate nor interval depends on r
    actual = TwoStage(design.r1, design.n1, treated - 1, treated)
    found, _ = _numbers(simon.inference(actual, conduct.x, spec.p0, trial.level))
    found["p"] = Undefined(NOT_ESTIMABLE, "the number of patients is not the planned one")
    return found, f"as if {treated} patients had been planned; not valid if the outcomes decided the number"


def _numbers(found: simon.Inference) -> tuple[dict[str, Value], str | None]:
    percents = [found.median, found.umvue, found.naive, found.lower, found.upper]
    values: dict[str, Value] = dict(zip(ESTIMATES, [*(100 * p for p in percents), found.p], strict=True))
    return values, "no success: no upper limit in this order" if math.isnan(found.upper) else None


def _unplanned(trial: Trial) -> list[dict[str, Any]]:
    """Supplementary tests of a trial that did not end as planned: they are labelled, and do not change the decision."""
    design, conduct, context = trial.design, trial.conduct, trial.context
    if conduct.run in ("open", "planned"):
        return []
    treated = len(trial.rows)
    known = len(trial.rows["AVAL"].dropna())
    roles = {"n": _hits(trial, trial.rows), DENOMINATOR: _people(trial, trial.rows)}
    place: dict[str, Any] = {"variable": "unplanned", "category": "rule for the actual number (supplementary)"}
    found: list[dict[str, Any]] = []
    if conduct.first.decision == simon_conduct.NOT_REACHED:
        gone = Undefined(NOT_ESTIMABLE, f"stage 1 is not complete: {conduct.first.why}")
        found += context.cell({"decision": gone}, roles, **place)
    elif conduct.first.decision == simon_conduct.STOP:
        why = Verdict(simon_conduct.KEEP, f"the planned design stops at {conduct.first.why}: no error is left to spend")
        found += context.cell({"decision": _words(why), "conditional_error": 0.0}, roles, Manner(KEPT_LEVEL), **place)
    else:
        rule = simon_conduct.unplanned(design, conduct.x1, conduct.x - conduct.x1, treated - design.n1, trial.spec.p0)
        why = Verdict(
            simon_conduct.REJECT if rule.rejects else simon_conduct.KEEP,
            f"supplementary: conditional p {rule.p:.4f} against conditional error {rule.error:.4f}",
        )
        none = Undefined(NOT_ESTIMABLE, "no number of successes rejects")
        stats: dict[str, Value] = {
            "decision": _words(why),
            "critical": none if rule.critical is None else rule.critical,
            "conditional_error": rule.error,
            "p": rule.p,
        }
        manner = Manner(KEPT_LEVEL, alternative="greater", null_value=trial.spec.p0)
        found += context.cell(stats, roles, manner, **place)
    return found + _naive(trial, known)


def _naive(trial: Trial, known: int) -> list[dict[str, Any]]:
    from trialpipe.stats.binomial import exact_test

    p0 = trial.spec.p0
    hits = _hits(trial, trial.rows)
    extra: dict[str, Value] = {"p": exact_test(len(hits.keys), known, p0, "greater")} if known else {}
    return trial.context.proportion(
        hits,
        Group(OVERALL, trial.context.subjects),
        _people(trial, trial.rows),
        trial.level,
        "supplementary: ignores the design",
        extra,
        Manner(NAIVE, alternative="greater", null_value=p0),
        variable="unplanned",
        category="one-stage exact test (supplementary)",
    )


def _path(trial: Trial) -> list[dict[str, Any]]:
    """Successes among the first 1, 2, ... patients, up to the first whose status is not known; for the figure."""
    known = trial.rows["AVAL"].notna().cummin() if len(trial.rows) else trial.rows["AVAL"].notna()
    rows = keep(trial.rows, known)
    found: list[dict[str, Any]] = []
    for patients in range(1, len(rows) + 1):
        seen = rows.head(patients)
        hits = _hits(trial, seen)
        stats: dict[str, Value] = {"n": len(hits.keys), "denominator": patients}
        roles = {"n": hits, DENOMINATOR: _people(trial, seen)}
        found += trial.context.cell(stats, roles, curve=True, variable="path", category=f"patient {patients}")
    return found
