"""Characteristics of a trial's scenarios: exact ones by enumeration of every possible result, simulated ones."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import pandas as pd

from trialpipe.characteristics import draw_success, summary
from trialpipe.characteristics.readings import Reading
from trialpipe.characteristics.trial import Examined, analysed, generator, truths
from trialpipe.config.characteristics import SuccessScenario

Row = dict[str, object]


def enumerate_results(case: Examined) -> Iterator[tuple[int, int, list[bool | None]]]:
    """(successes of stage 1, of stage 2, patients) of every result a trial can have; one stage is stage 1 alone."""
    design, n = case.simon, case.patients
    first = n if design is None else design.n1
    for one in range(first + 1):
        stage: list[bool | None] = [k < one for k in range(first)]
        if design is None or one <= design.r1:
            yield one, 0, stage
            continue
        for two in range(n - first + 1):
            yield one, two, [*stage, *[True] * two, *[False] * (n - first - two)]


def chance(case: Examined, p: float, one: int, two: int, patients: int) -> float:
    """Probability of a result at success probability ``p``: binomial in each stage that was done."""
    first = case.simon.n1 if case.simon is not None else case.patients
    found = math.comb(first, one) * p**one * (1 - p) ** (first - one)
    second = patients - first
    return found * (math.comb(second, two) * p**two * (1 - p) ** (second - two) if second else 1.0)


def exact(case: Examined) -> list[summary.Sample]:
    """Every possible result run through the analyses once, weighted by its probability in each scenario.

    Scenarios with losses are left out: their results are not counted by successes alone.
    """
    scenarios = [s for s in case.spec.scenarios if isinstance(s, SuccessScenario) and s.lost == 0]
    if not scenarios:
        return []
    results = list(enumerate_results(case))
    grouped: dict[tuple[str, str], list[Reading]] = defaultdict(list)
    for one, two, patients in results:
        rng = generator(case.spec.seed, "enumeration", one * (case.patients + 1) + two)
        drawn = draw_success.draw(case.protocol, case.outcome, scenarios[0], patients, rng)
        for analysis, reading in analysed(case, drawn):
            grouped[analysis, reading.measure].append(reading)
    found = []
    for scenario in scenarios:
        p = scenario.success
        weights = np.array([chance(case, p, one, two, len(patients)) for one, two, patients in results])
        for (name, measure), readings in grouped.items():
            values = {key: np.array([getattr(r, key) for r in readings], float) for key in summary.VALUES}
            truth, unit = readings[0].truth, readings[0].unit
            found.append(summary.Sample(scenario.id, name, measure, truth, unit, values, weights))
    return found


def samples(frame: pd.DataFrame) -> list[summary.Sample]:
    """Replicates of REPLICATES as one sample per scenario, analysis and measure, in the order of their first row."""
    found = []
    for (scenario, analysis, measure), part in frame.groupby(["scenario", "analysis", "measure"], sort=False):
        ordered = part.sort_values("replicate", kind="stable")
        values = {name: ordered[name].to_numpy(dtype=float) for name in summary.VALUES}
        truth, unit = str(ordered["truth"].iloc[0]), str(ordered["unit"].iloc[0])
        found.append(summary.Sample(str(scenario), str(analysis), str(measure), truth, unit, values, None))
    return found


def characteristics(case: Examined, frame: pd.DataFrame, pool: pd.DataFrame | None = None) -> pd.DataFrame:
    """Rows of the contract CHARACTERISTICS: exact ones where there are, then simulated ones."""
    known = {scenario.id: truths(case, scenario, pool) for scenario in case.spec.scenarios}
    roles = {scenario.id: scenario.role for scenario in case.spec.scenarios}
    place = {scenario.id: number for number, scenario in enumerate(case.spec.scenarios)}
    rows: list[Row] = []
    for sample in [*exact(case), *samples(frame)]:
        truth = known[sample.scenario].get(sample.truth, math.nan)
        rows += summary.performance(sample, truth, roles[sample.scenario])
    rows.sort(key=lambda row: place[str(row["scenario"])])
    made = pd.DataFrame(rows)
    return made.assign(order=pd.Series(range(len(made)), dtype="Int64"))
