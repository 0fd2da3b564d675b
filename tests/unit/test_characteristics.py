"""Replicates: random numbers, patients that are drawn, readings, summaries, configuration."""

from __future__ import annotations

import json
import math
from importlib import import_module

import numpy as np
import pandas as pd
import pytest
from helpers.characteristics_case import EXAMINED, ROOT, case, spec, trial

from trialpipe.characteristics import draw_success, draw_survival, population
from trialpipe.characteristics.contract import POOL, REPLICATES
from trialpipe.characteristics.patients import adsl
from trialpipe.characteristics.readings import READERS, REJECT, STOP
from trialpipe.characteristics.replicates import replicates
from trialpipe.characteristics.run import characteristics, enumerate_results
from trialpipe.characteristics.summary import Sample, performance
from trialpipe.characteristics.trial import accrued, analysed, draw, generator, parse, truths
from trialpipe.config.characteristics import READ, Characteristics, faults
from trialpipe.config.errors import ConfigError
from trialpipe.config.trial import SCENARIOS, read_scenarios
from trialpipe.derive.run import derive
from trialpipe.io import store
from trialpipe.provenance import identity
from trialpipe.report.characteristics import tables
from trialpipe.simulate.main import COURSES
from trialpipe.simulate.parameters import FOLDER, read_parameters
from trialpipe.stats import simon_conduct

BINARY = [name for name in EXAMINED if spec(name).two_arms is None]
RANDOMISED = [name for name in EXAMINED if spec(name).two_arms is not None]
HALF = {"kind": "success", "success": 0.5, "lost": 0.2}
ARMS = {"kind": "survival", "at": "730 days", "control": 0.5, "treated": 0.7}


def test_numbers_do_not_depend_on_batches_or_other_scenarios() -> None:
    whole = replicates(case("c-hlh", [HALF, {**HALF, "success": 0.9}]), 0, 5)
    made = case("c-hlh", [HALF, {**HALF, "success": 0.9}])
    parts = pd.concat([replicates(made, 3, 5), replicates(made, 0, 1), replicates(made, 1, 3)])
    keys = list(REPLICATES.key)
    pd.testing.assert_frame_equal(
        whole.sort_values(keys, ignore_index=True), parts.sort_values(keys, ignore_index=True)
    )
    alone = replicates(case("c-hlh", [HALF]), 0, 5)
    pd.testing.assert_frame_equal(alone, whole[whole["scenario"] == "s0"].reset_index(drop=True))
    assert whole["estimate"].nunique() > 2
    other = replicates(case("c-hlh", [HALF], seed=1), 0, 5)
    assert not other["estimate"].equals(alone["estimate"])


@pytest.mark.parametrize("name", EXAMINED)
def test_a_job_draws_what_the_files_say(name: str) -> None:
    """A job holds the configuration as JSON with sorted keys; the order of keys in a file must not matter."""
    held = identity.params(ROOT, trial(name), "characteristics_replicates", (("trial", name), ("batch", "0000")))
    job = parse(json.loads(held["spec"]))
    kept = tuple(s for s in job.spec.scenarios if s.kind != "simulator")
    job = type(job)(job.protocol, job.outcome, job.spec.model_copy(update={"scenarios": kept}))
    own = case(name)
    own = type(own)(own.protocol, own.outcome, own.spec.model_copy(update={"scenarios": kept}))
    pd.testing.assert_frame_equal(replicates(job, 0, 1), replicates(own, 0, 1))


def test_characteristics_do_not_depend_on_the_order_of_batches() -> None:
    made = case("c-hlh", [HALF])
    parts = [replicates(made, first, first + 2) for first in (0, 2, 4)]
    one, two = (characteristics(made, pd.concat(order)) for order in (parts, parts[::-1]))
    pd.testing.assert_frame_equal(one, two)


@pytest.mark.parametrize("name", BINARY)
def test_drawn_patients_have_the_drawn_results(name: str) -> None:
    """Through the derivation: 1 success, 0 failure, and the lost as the endpoint's rule says; every state occurs."""
    made = case(name, [{**HALF, "terminal": 0.5, "deaths": 0.5}])
    scenario = made.spec.scenarios[0]
    rng = generator(1, "x", 0)
    results = draw_success.results(scenario, 400, rng)
    assert {True, False, None} == set(results)
    drawn = draw_success.draw(made.protocol, made.outcome, scenario, results, rng)
    frames = {"adsl": adsl(made.protocol, drawn), **drawn.tables}
    found = derive(made.outcome.endpoint.dataset, made.protocol, (made.outcome,), {}, frames).sort_values("USUBJID")
    rule = getattr(made.outcome.endpoint, "lost", None) or getattr(made.outcome.endpoint, "missing", None)
    assert rule == "failure"
    assert list(found["AVAL"]) == [float(result is True) for result in results]
    states = {"state_at_horizon": {"reached", "alive", "dead", "lost"}}
    wanted = states.get(made.outcome.endpoint.kind, {"success", "no_decrease", "dead", "missing"})
    assert set(found["AVALC"]) == wanted
    lost = [result is None for result in results]
    assert list(found["AVALC"].isin(["lost", "missing"])) == lost


def test_a_two_stage_trial_stops_accrual() -> None:
    made = case("r-hlh")
    design = made.simon
    assert design is not None
    stops = [True] * design.r1 + [False] * (design.n - design.r1)
    goes_on = [True] * (design.r1 + 1) + [False] * (design.n - design.r1 - 1)
    assert accrued(stops, design) == stops[: design.n1]
    assert accrued(goes_on, design) == goes_on
    assert accrued(stops, None) == stops
    # a lost patient is no success
    assert len(accrued([None, *goes_on[1:]], design)) == design.n1


def test_every_result_of_a_two_stage_trial_is_listed_once() -> None:
    made = case("r-hlh")
    design = made.simon
    assert design is not None
    found = [(one, two, len(patients)) for one, two, patients in enumerate_results(made)]
    n2 = design.n - design.n1
    wanted = [(a, 0, design.n1) for a in range(design.r1 + 1)]
    wanted += [(a, b, design.n) for a in range(design.r1 + 1, design.n1 + 1) for b in range(n2 + 1)]
    assert found == wanted


def test_words_of_decisions_are_those_of_the_design() -> None:
    assert (REJECT, STOP) == (simon_conduct.REJECT, simon_conduct.STOP)


def test_every_readable_kind_has_a_reader() -> None:
    assert sorted(READERS) == sorted(READ)


@pytest.mark.parametrize("name", RANDOMISED)
def test_event_times_have_the_declared_probabilities(name: str) -> None:
    """40,000 patients: the share free of the event after day 730 by arm, within four standard errors."""
    made = case(name, [ARMS])
    model = draw_survival.hazards(made.two_arms, made.spec.scenarios[0])
    rng, n = generator(3, "x", 0), 40_000
    stratum = rng.choice(len(model.rates), n, p=[share for _, share in model.strata])
    treated = np.arange(n) % 2
    days = draw_survival.times(model, stratum, treated, rng)
    for arm, p in ((0, 0.5), (1, 0.7)):
        assert abs((days[treated == arm] > 730).mean() - p) < 4 * math.sqrt(p * (1 - p) / (n / 2))
    assert days.min() >= 1
    assert (days == np.floor(days)).all()


def test_arms_are_balanced_in_every_block_of_every_stratum() -> None:
    rng = generator(5, "x", 0)
    stratum = rng.integers(0, 3, 300).tolist()
    arms = draw_survival.allocate(stratum, 4, rng)
    for level in range(3):
        mine = arms[np.array(stratum) == level]
        assert [int(sum(mine[k : k + 4])) for k in range(0, len(mine) - 3, 4)] == [2] * (len(mine) // 4)
    assert set(arms) == {0, 1}


@pytest.mark.parametrize("name", RANDOMISED)
def test_what_is_recorded_of_a_randomised_patient(name: str) -> None:
    """An event is recorded if it comes by the end of follow-up; else the last planned assessment before it censors."""
    two = spec(name).model_dump(mode="json")["two_arms"]
    two["observation"] |= {"visits": ["100 days", "200 days"], "visit_sd": 0, "visit_missed": 0, "lost": 0}
    two["observation"] |= {"longest": "150 days"}
    made = case(name, [ARMS], two_arms=two)
    event = np.array([40.0, 150.0, 151.0, np.inf])
    levels = [tuple(next(iter(values)) for _, values in sorted(made.two_arms.strata.items()))] * 4
    drawn = draw_survival.observe(
        made.protocol, made.outcome, made.two_arms, event, np.array([1, 0, 1, 0]), levels, generator(1, "x", 0)
    )
    frames = {"adsl": adsl(made.protocol, drawn)}
    protocol = made.protocol
    found = derive(made.outcome.endpoint.dataset, protocol, (made.outcome,), {}, frames).sort_values("USUBJID")
    assert list(found["AVAL"]) == [40, 150, 100, 100]
    assert list(found["CNSR"]) == [0, 0, 1, 1]
    labels = {arm.id: arm.label for arm in protocol.arms}
    assert list(frames["adsl"]["ARM"] == labels[made.two_arms.control]) == [False, True, False, True]


@pytest.mark.parametrize("name", RANDOMISED)
def test_population_gives_the_course_that_the_simulator_delivers(name: str) -> None:
    """The same draws: under the arm a patient was given, the first event is that of the delivered course."""
    p = read_parameters(FOLDER / f"{name}.yaml")
    course = import_module(COURSES[p.course][0])
    events = {(row["patient"], row["arm"]): row["event"] for row in course.first_events(p, 12, 4)}
    assert len(events) == 24
    delivered = course.patients(p, 12, 4)
    assert any(who.days.relapse is not None for who in delivered)
    for who in delivered:
        first = who.days.relapse if who.days.relapse is not None else who.days.death
        assert events[who.person.index, who.arm] == first


def small_population() -> pd.DataFrame:
    rows = [
        {"patient": k, "arm": arm, "stratum": ["x", "y"], "event": event, "end": 1900}
        for k, (a, b) in enumerate([(800, 100), (None, 730), (731, None), (10, 10)])
        for arm, event in (("A", a), ("B", b))
    ]
    return pd.DataFrame(rows).astype({"patient": "Int64", "event": "Int64", "end": "Int64"})


def test_truth_of_a_population_is_counted() -> None:
    """After day 730 three of four are free under A, one of four under B; an event on the day counts."""
    made = case(
        "elit-aml01", [{"kind": "simulator", "at": "730 days", "effect": effect} for effect in ("simulated", "none")]
    )
    pool = small_population()
    assert truths(made, made.spec.scenarios[0], pool) == {"difference-730": 0.5}
    assert truths(made, made.spec.scenarios[1], pool) == {"difference-730": 0.0, "log-hazard-ratio": 0.0}
    drawn = draw(made, made.spec.scenarios[0], generator(1, "x", 0), pool)
    first = {
        m: np.array([x is not None for x in days]) for m, days in drawn.moments.items() if m in ("relapse", "death")
    }
    assert drawn.n == 124
    assert (first["relapse"] | first["death"]).any()


def test_a_population_keeps_its_contract(tmp_path) -> None:  # type: ignore[no-untyped-def]
    two = spec("elit-aml01").two_arms
    assert two is not None
    made = population.make("elit-aml01", two.model_copy(update={"population": 2}), 1)
    store.write(made, tmp_path / "population.parquet", POOL)
    assert (store.read(tmp_path / "population.parquet")["end"] >= 1900).all()


def sample(**values: list[float]) -> Sample:
    size = len(next(iter(values.values())))
    names = ("estimate", "std_err", "lower", "upper", "rejects", "patients", "stops")
    arrays = {name: np.array(values.get(name, [math.nan] * size), float) for name in names}
    return Sample("s", "a", "m", "t", "probability", arrays, None)


def rows(given: Sample, truth: float = 1.0, role: str = "null") -> dict[str, tuple[float, float]]:
    return {
        str(r["quantity"]): (float(str(r["value"])), float(str(r["mcse"]))) for r in performance(given, truth, role)
    }


def test_summaries_worked_by_hand() -> None:
    """Estimates 0, 1, 2, 5 of 1: mean 2, bias 1, sd sqrt(14/3); three of four cover; one of four rejects."""
    found = rows(
        sample(
            estimate=[0, 1, 2, 5], std_err=[1, 1, 1, 1], lower=[-1, 0, 1, 4], upper=[1, 2, 3, 6], rejects=[0, 0, 0, 1]
        )
    )
    sd = math.sqrt(14 / 3)
    assert found["type I error"] == pytest.approx((0.25, math.sqrt(0.25 * 0.75 / 4)))
    assert found["bias"] == pytest.approx((1.0, sd / 2))
    assert found["empirical standard error"] == pytest.approx((sd, sd / math.sqrt(6)))
    assert found["mean model standard error"] == pytest.approx((1.0, 0.0))
    assert found["coverage"] == pytest.approx((0.75, math.sqrt(0.75 * 0.25 / 4)))
    assert found["mean width"] == pytest.approx((2.0, 0.0))
    assert "undefined" not in found


def test_undefined_estimates_are_counted_and_not_averaged() -> None:
    nan = math.nan
    found = rows(
        sample(estimate=[1, nan, 3], lower=[0, nan, 2], upper=[2, nan, 4], rejects=[0, 0, 1]), role="alternative"
    )
    assert found["power"][0] == pytest.approx(1 / 3)
    assert found["bias"][0] == pytest.approx(1.0)
    assert found["coverage"][0] == pytest.approx(0.5)
    assert found["undefined"][0] == pytest.approx(1 / 3)


def test_without_a_true_value_there_is_neither_bias_nor_coverage() -> None:
    found = rows(sample(estimate=[1, 2], lower=[0, 1], upper=[2, 3]), truth=math.nan)
    assert {"mean estimate", "mean width"} <= set(found)
    assert not {"bias", "coverage"} & set(found)


def test_a_test_that_is_undefined_rejects_nothing() -> None:
    """Nobody has an event: no log-rank test, no hazard ratio, a difference without a test."""
    made = case("elit-aml01", [ARMS])
    two = made.two_arms
    n = 8
    levels = [tuple(next(iter(values)) for _, values in sorted(two.strata.items()))] * n
    drawn = draw_survival.observe(
        made.protocol, made.outcome, two, np.full(n, np.inf), np.arange(n) % 2, levels, generator(1, "x", 0)
    )
    found = {name: reading for name, reading in analysed(made, drawn)}
    assert {reading.rejects for reading in found.values()} == {0.0}
    assert math.isnan(found["cox"].estimate)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"outcome": "nothing"}, "is not an outcome"),
        ({"analyses": ["proportion.nothing"]}, "is not an analysis"),
        ({"analyses": ["cumulative_incidence"]}, "cannot be examined"),
        ({"outcome": "adverse-events"}, "does not fit|is not an outcome|is not an analysis"),
    ],
)
def test_what_does_not_fit_the_trial_is_refused(change: dict, words: str) -> None:
    own = trial("c-hlh")
    given = Characteristics.model_validate(spec("c-hlh").model_dump(mode="json") | change)
    found = faults(given, own.protocol, own.outcomes, "characteristics.yaml")
    assert found
    assert any(pd.Series([str(fault)]).str.contains(words).all() for fault in found)


def test_scenarios_must_fit_the_endpoint_and_the_arms() -> None:
    own = trial("elit-aml01")
    data = spec("elit-aml01").model_dump(mode="json")
    two = {**data["two_arms"], "control": "C"}
    scenarios = [{"id": "x", "label": "l", "source": "s", **HALF}]
    given = Characteristics.model_validate({**data, "two_arms": two, "scenarios": scenarios})
    found = " ".join(map(str, faults(given, own.protocol, own.outcomes, "f")))
    assert "does not fit an endpoint time_to_event" in found
    assert "'C' is not one of two arms" in found


def test_a_scenario_file_is_read_strictly(tmp_path) -> None:  # type: ignore[no-untyped-def]
    own = trial("c-hlh")
    path = tmp_path / SCENARIOS
    assert read_scenarios(path, own.protocol, own.outcomes) is None
    text = (ROOT / "config" / "trials" / "c-hlh" / SCENARIOS).read_text(encoding="utf-8")
    path.write_text(text.replace("success: 0.60", "success: 1.60"), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"characteristics\.yaml:\d+ .*success.*between 0 and 1"):
        read_scenarios(path, own.protocol, own.outcomes)


def test_tables_show_exact_and_simulated_numbers_side_by_side() -> None:
    made = case("c-hlh", [{"kind": "success", "success": 0.5}])
    found = characteristics(made, replicates(made, 0, 3)).astype(object)
    rows_ = found.where(pd.notna(found), None).to_dict("records")
    (only,) = tables(made.protocol, trial("c-hlh").outcomes[3], made.spec, rows_)
    cells = dict(zip(only.head, only.body[0], strict=True))
    assert cells["True value"] == ("50.00",)
    assert cells["Coverage"][0].endswith(" exact")
    assert cells["Bias"][0] == "0.00 exact"
    assert cells["Bias"][1].endswith(")")
    assert "95 %" in only.caption


def test_parameters_without_a_course_by_arm_are_refused() -> None:
    from trialpipe.io.errors import DataError

    two = spec("elit-aml01").two_arms
    assert two is not None
    with pytest.raises(DataError, match="no course by arm"):
        population.make("c-hlh", two, 1)
    with pytest.raises(DataError, match="simulation has no"):
        population.make("nowhere", two, 1)
