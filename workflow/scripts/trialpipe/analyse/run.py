"""The analyse stage: every declared analysis of a group of outcomes as result rows, with the records behind them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import pandas as pd

from trialpipe.analyse import rows
from trialpipe.analyse.context import PRIMARY, Context, build
from trialpipe.analyse.rows import Store
from trialpipe.config.analyses import AnyAnalysis
from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.config.scenarios import scenarios

KINDS = {
    "proportion": "trialpipe.analyse.proportion",
    "simon_two_stage": "trialpipe.analyse.simon_two_stage",
    "cumulative_incidence": "trialpipe.analyse.cumulative_incidence",
    "kaplan_meier": "trialpipe.analyse.kaplan_meier",
    "event_time": "trialpipe.analyse.event_time",
    "infections": "trialpipe.analyse.infections",
    "length_of_stay": "trialpipe.analyse.length_of_stay",
    "nosocomial": "trialpipe.analyse.nosocomial",
    "logrank": "trialpipe.analyse.logrank",
    "difference_at_time": "trialpipe.analyse.difference_at_time",
    "difference_in_proportions": "trialpipe.analyse.difference_in_proportions",
    "first_events": "trialpipe.analyse.first_events",
    "cox": "trialpipe.analyse.cox",
    "fine_gray": "trialpipe.analyse.fine_gray",
    "response_by_visit": "trialpipe.analyse.response_by_visit",
    "response_incidence": "trialpipe.analyse.response_incidence",
    "response_turnbull": "trialpipe.analyse.response_turnbull",
    "responder_time": "trialpipe.analyse.responder_time",
    "describe_by_visit": "trialpipe.analyse.describe_by_visit",
    "in_bands": "trialpipe.analyse.in_bands",
    "sparse_area": "trialpipe.analyse.sparse_area",
    "paired_change": "trialpipe.analyse.paired_change",
    "mixed_model": "trialpipe.analyse.mixed_model",
    "ancova": "trialpipe.analyse.ancova",
    "cmh": "trialpipe.analyse.cmh",
    "state_occupation": "trialpipe.analyse.state_occupation",
    "categories_by_visit": "trialpipe.analyse.categories_by_visit",
    "adverse_events": "trialpipe.analyse.adverse_events",
    "baseline": "trialpipe.analyse.baseline",
    "deviations": "trialpipe.analyse.deviations",
    "flow": "trialpipe.analyse.flow",
    "populations": "trialpipe.analyse.populations",
    "intercurrent_events": "trialpipe.analyse.intercurrent_events",
    "planned": "trialpipe.analyse.planned",
}
"""Analysis kind to the module whose ``run`` computes it, imported when needed."""


def analyse(
    outcomes: tuple[Outcome, ...], protocol: Protocol, datasets: Mapping[str, pd.DataFrame]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(results, rowsets) of outcomes that are computed together, under the contracts RESULTS and ROWSETS.

    ``datasets`` holds ADSL and every dataset the analyses name. Rows are in the order of outcomes, scenarios and
    analyses, ``order`` counting from 0.
    """
    store = Store()
    found: list[dict[str, Any]] = []
    for outcome in outcomes:
        for scenario, changed in scenarios(outcome):
            for analysis, primary in zip(changed.analyses, outcome.analyses, strict=True):
                context = build(changed, analysis, scenario, protocol, datasets, store)
                if scenario == PRIMARY or _differs(context, primary, outcome):
                    found += compute(context)
    return rows.frame(found), store.frame()


def compute(context: Context) -> list[dict[str, Any]]:
    """Result rows of one analysis."""
    module = import_module(KINDS[context.analysis.kind])
    made: list[dict[str, Any]] = module.run(context.analysis, context)
    return made


def _differs(context: Context, primary: AnyAnalysis, outcome: Outcome) -> bool:
    """Whether a sensitivity scenario can change an analysis: by its own data, its specification or its population."""
    own_rows = "SCENARIO" in context.data.columns and len(context.data) > 0
    return own_rows or context.analysis != primary or context.population != _population(primary, outcome)


def _population(analysis: AnyAnalysis, outcome: Outcome) -> str:
    return analysis.population or outcome.estimand.population
