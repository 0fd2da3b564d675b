"""Operating characteristics against base R, Schoenfeld's formula and the level of a test."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pandas as pd
import pytest
from helpers.characteristics_case import case, spec

from trialpipe.characteristics.draw_survival import hazards
from trialpipe.characteristics.replicates import replicates
from trialpipe.characteristics.run import exact
from trialpipe.characteristics.summary import performance
from trialpipe.config.characteristics import SurvivalScenario

VALUES = list(
    csv.DictReader((Path(__file__).parent / "data" / "characteristics" / "values.csv").open(encoding="utf-8"))
)
ONE_STAGE = {
    "42 patients 90 % against 0.4": ("jakahdi", "proportion.test"),
    "42 patients 95 %": ("jakahdi", "proportion.description"),
    "29 patients 95 %": ("c-hlh", "proportion"),
}
PROPORTION = "proportion/proportion"
TWO_STAGE = {
    "rejects": ("simon_two_stage/design", "rejection"),
    "stop after stage 1": ("simon_two_stage/design", "stop after stage 1"),
    "patients": ("simon_two_stage/design", "patients"),
    "bias mle": ("simon_two_stage/maximum likelihood estimate", "bias"),
    "bias umvue": ("simon_two_stage/UMVUE", "bias"),
    "bias median": ("simon_two_stage/median-unbiased estimate", "bias"),
    "coverage two-stage": ("simon_two_stage/median-unbiased estimate", "coverage"),
    "coverage one-stage": (PROPORTION, "coverage"),
    "undefined": ("simon_two_stage/median-unbiased estimate", "undefined"),
}


def reference(design: str) -> list[tuple[float, str, float]]:
    found = [(float(r["p"]), r["quantity"], float(r["value"])) for r in VALUES if r["design"] == design]
    assert found
    return found


def enumerated(name: str, truths: list[float]) -> dict[tuple[float, str, str], float]:
    """(truth, analysis/measure, quantity) to exact value."""
    made = case(name, [{"kind": "success", "success": p} for p in truths])
    p_of = {f"s{k}": p for k, p in enumerate(truths)}
    return {
        (p_of[s.scenario], f"{s.analysis}/{s.measure}", str(row["quantity"])): float(str(row["value"]))
        for s in exact(made)
        for row in performance(s, 100 * p_of[s.scenario], "other")
    }


@pytest.mark.parametrize("design", ONE_STAGE)
def test_one_stage_as_in_r(design: str) -> None:
    """Exact test and Clopper-Pearson interval over all results of the trial."""
    wanted = reference(design)
    name, analysis = ONE_STAGE[design]
    ours = enumerated(name, sorted({p for p, _, _ in wanted}))
    for p, quantity, value in wanted:
        found = ours[p, f"{analysis}/proportion", {"rejects": "rejection"}.get(quantity, quantity)]
        assert found == pytest.approx(value, rel=1e-9), (p, quantity)
        assert ours[p, f"{analysis}/proportion", "bias"] == pytest.approx(0, abs=1e-9)


def test_two_stages_as_in_r() -> None:
    """Error rates, stopping, size; bias of three estimates; coverage of the two-stage and of the naive interval."""
    wanted = reference("4/6 then 16/20")
    ours = enumerated("r-hlh", sorted({p for p, _, _ in wanted}))
    for p, quantity, value in wanted:
        assert ours[(p, *TWO_STAGE[quantity])] == pytest.approx(value, rel=1e-7, abs=1e-9), (p, quantity)


@pytest.mark.parametrize(("p", "value"), [(p, value) for p, _, value in reference("two arms against 0.5")])
def test_hazard_ratio_over_strata_as_in_r(p: float, value: float) -> None:
    two = spec("elit-aml01").two_arms
    assert two is not None
    given = {"id": "s", "label": "l", "source": "t", "kind": "survival", "at": "730 days", "control": 0.5, "treated": p}
    model = hazards(two, SurvivalScenario.model_validate(given))
    assert math.log(model.ratio) == pytest.approx(value, abs=1e-6)
    assert (model.free(730, False), model.free(730, True)) == pytest.approx((0.5, p), abs=1e-12)


def followed(control: float, treated: float, count: int, analyses: list[str]) -> pd.DataFrame:
    """Replicates of 124 patients without strata or losses, all seen on every day up to day 730."""
    two = spec("elit-aml01").model_dump(mode="json")["two_arms"]
    two["observation"] |= {"longest": "730 days", "visits": ["730 days"], "visit_sd": 0, "visit_missed": 0, "lost": 0}
    given = {"kind": "survival", "at": "729 days", "control": control, "treated": treated}
    made = case("elit-aml01", [given], two_arms=two, analyses=analyses)
    endpoint = made.outcome.endpoint.model_copy(update={"censor": "last_alive"})
    outcome = made.outcome.model_copy(update={"endpoint": endpoint})
    return replicates(type(made)(made.protocol, outcome, made.spec), 0, count)


def test_power_of_the_log_rank_test_is_near_schoenfeld() -> None:
    """150 replicates: Monte Carlo error .04; a test that ignored the arms or the events would be far off."""
    ((_, _, power),) = reference("Schoenfeld")
    count = 150
    found = followed(0.5, 0.7, count, ["logrank.unstratified"])["rejects"].mean()
    assert abs(found - power) < 4 * math.sqrt(power * (1 - power) / count)


@pytest.mark.slow
def test_null_hypothesis_is_rejected_at_the_level() -> None:
    """400 replicates of equal arms: 5 % within four Monte Carlo errors, difference and log hazard ratio around 0."""
    count = 400
    found = followed(0.5, 0.5, count, ["difference_at_time", "logrank", "cox"])
    error = math.sqrt(0.05 * 0.95 / count)
    for _, part in found.groupby("analysis"):
        assert abs(part["rejects"].mean() - 0.05) < 4 * error
        if part["estimate"].notna().any():
            assert abs(part["estimate"].mean()) < 4 * part["estimate"].std() / math.sqrt(count)
            covered = ((part["lower"] <= 0) & (part["upper"] >= 0)).mean()
            assert abs(covered - 0.95) < 4 * error
