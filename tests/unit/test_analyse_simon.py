"""Two-stage analysis: order of stages, decisions, numbers by enumeration, supplementary rules, report and figure."""

from __future__ import annotations

import csv
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from helpers.analyse_frames import adsl, one, outcome, protocol, run, table, value
from pydantic import ValidationError

from trialpipe.analyse import outcome_laws
from trialpipe.analyse.laws import laws
from trialpipe.analyse.stack import stack
from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol, SimonDesign
from trialpipe.figures.run import draw
from trialpipe.io import contracts, store
from trialpipe.report.run import headline, split
from trialpipe.report.text import labels

CASES = list(csv.DictReader((Path(__file__).parent / "data" / "simon_decisions.csv").open(encoding="utf-8")))
STATE = {"kind": "state_at_horizon", "origin": "first_dose", "horizon": "56 days", "terminal": "hsct"}
SPEC = {"p0": "0.70", "p1": "0.90", "alpha": "0.10", "power": "0.80", "r1": "4", "n1": "6", "r": "16", "n": "20"}
OBSERVED = {"1": ("alive", 1.0), "0": ("dead", 0.0), "?": (None, None), "x": ("lost", None)}
ESTIMATES = ("median_unbiased", "umvue", "mle", "lower", "upper", "p")


def plan(**changes: str) -> Protocol:
    simon = {**SPEC, **changes}
    return protocol(design={"allocation": "single_arm", "planned_n": "20", "summary": "toy", "simon": simon})


def trial(patients: str) -> dict[str, pd.DataFrame]:
    """Patients in the order of the text; their numbers run against it, so that only dates give the order."""
    size = max(len(patients), 1)
    dates = [str(pd.Timestamp("2020-01-01").date() + pd.Timedelta(days=7 * i)) for i in range(size)]
    people = adsl({f"{size - i:02d}": {"TRTSDT": dates[i]} for i in range(size)})
    if not patients:
        return {"adsl": people.assign(SAFFL="N"), "adeff": store.empty(contracts.ADEFF)}
    rows = [
        {"patient": f"{size - i:02d}", "AVALC": OBSERVED[c][0], "AVAL": OBSERVED[c][1]} for i, c in enumerate(patients)
    ]
    return {"adsl": people, "adeff": table(contracts.ADEFF, rows, "adeff")}


def results_of(patients: str, given: Protocol | None = None, **analysis: Any) -> pd.DataFrame:
    """Result rows; every law holds on them."""
    data, made = trial(patients), outcome("simon_two_stage", STATE, analysis)
    results, rowsets = run(made, data, given or plan())
    found = laws(
        stack([results], (made,)),
        rowsets,
        data["adsl"],
        store.empty(contracts.RECONCILIATION),
        given or plan(),
        (made,),
    )
    assert found["holds"].all(), found[~found["holds"]].to_string()
    return results


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_decisions(case: dict[str, str]) -> None:
    patients = case["patients"]
    results = results_of(patients, accrual=case["accrual"])
    for category, wanted, stage in (("stage 1", case["first"], patients[:6]), ("both stages", case["final"], patients)):
        row = one(results, "decision", variable="observed", category=category)
        assert (row["value_text"], row["formatted"], row["group"]) == (wanted, wanted, "Overall")
        assert row["note"]
        assert value(results, "n", variable="observed", category=category) == stage.count("1")
        known = stage.count("1") + stage.count("0")
        assert value(results, "denominator", variable="observed", category=category) == known
    p = one(results, "p", variable="estimates")
    assert (p["alternative"], p["null_value"]) == ("greater", 0.7)
    assert one(results, "lower", variable="estimates")["conf_level"] == 0.8
    # supplementary rows stand there when and only when the trial did not end as planned
    assert (results["variable"] == "unplanned").any() == (case["run"] in ("crossed", "under", "over"))
    if case["run"] == "open":
        assert {one(results, s, variable="estimates")["value_text"] for s in ESTIMATES} == {"not reached"}
    if case["run"] == "planned":
        assert (p["value"] <= 0.10) == (case["final"] == "reject p0")


def _tail(x: int, p: Fraction) -> Fraction:
    """P(outcome at least x) for 4/6 then 20, by pairs (x1, x2)."""
    total = Fraction(0)
    for x1 in range(7):
        if x1 <= 4:
            total += math.comb(6, x1) * p**x1 * (1 - p) ** (6 - x1) * (x1 >= x)
            continue
        for x2 in range(15):
            chance = math.comb(6, x1) * math.comb(14, x2) * p ** (x1 + x2) * (1 - p) ** (20 - x1 - x2)
            total += chance * (x1 + x2 >= x)
    return total


@pytest.mark.parametrize(
    ("patients", "x", "umvue"),
    [
        # first patients that succeed among the paths to 17: (5 C(14,12) + C(14,11)) / (6 C(14,12) + C(14,11))
        ("11111011111011111011", 17, Fraction(5 * 91 + 364, 6 * 91 + 364)),
        ("110110", 4, Fraction(4, 6)),
    ],
)
def test_numbers_of_a_trial_run_as_planned(patients: str, x: int, umvue: Fraction) -> None:
    results = results_of(patients)
    found = {s: value(results, s, variable="estimates") for s in ESTIMATES}
    assert found["p"] == pytest.approx(float(_tail(x, Fraction(7, 10))), rel=1e-12)
    assert found["umvue"] == pytest.approx(100 * float(umvue), rel=1e-12)
    assert found["mle"] == pytest.approx(100 * patients.count("1") / len(patients), rel=1e-12)
    for statistic, tail in (("lower", 0.1), ("median_unbiased", 0.5), ("upper", 0.9)):
        assert float(_tail(x, Fraction(found[statistic] / 100))) == pytest.approx(tail, rel=1e-9)
    row = one(results, "lower", variable="estimates")
    assert (row["unit"], row["conf_level"]) == ("%", 0.8)
    assert "Koyama and Chen" in row["method"]


def test_no_success_has_a_lower_limit_only() -> None:
    results = results_of("000000")
    assert {s: one(results, s, variable="estimates")["value"] for s in ("lower", "umvue", "mle", "p")} == {
        "lower": 0,
        "umvue": 0,
        "mle": 0,
        "p": 1,
    }
    upper = one(results, "upper", variable="estimates")
    assert (upper["value_text"], "no upper limit" in upper["note"]) == ("NE", True)


def test_crossing_and_going_on() -> None:
    """Estimates are of stage 1; the exact test of all is there, named supplementary, and no error is left to spend."""
    results = results_of("11011011111111111111")
    assert value(results, "p", variable="estimates") == pytest.approx(float(_tail(4, Fraction(7, 10))), rel=1e-12)
    assert "stage 1 only" in one(results, "umvue", variable="estimates")["note"]
    rule = one(results, "decision", variable="unplanned")
    assert (rule["value_text"], "supplementary" in rule["category"]) == ("do not reject p0", True)
    assert value(results, "conditional_error", variable="unplanned") == 0
    naive = one(results, "p", variable="unplanned")
    exact = sum(math.comb(20, k) * 0.7**k * 0.3 ** (20 - k) for k in range(18, 21))
    assert naive["value"] == pytest.approx(exact, rel=1e-12)
    assert (naive["category"], "ignores the design" in naive["note"]) == (
        "one-stage exact test (supplementary)",
        True,
    )


@pytest.mark.parametrize(
    ("patients", "accrual", "decision"),
    [
        # x1 = 5: error P(X2 >= 12; 14, .7) = .1608; 15 more with 13 successes: P = .1268, with 12: .2969
        ("111110" + "1" * 13 + "00", "open", "reject p0"),
        ("111110" + "1" * 12 + "000", "open", "do not reject p0"),
        # 7 more: all 7: .0824, 6: .3294
        ("111110" + "1" * 7, "closed", "reject p0"),
        ("111110" + "1" * 6 + "0", "closed", "do not reject p0"),
    ],
)
def test_another_size_of_stage_2(patients: str, accrual: str, decision: str) -> None:
    results = results_of(patients, accrual=accrual)
    n2, x2 = len(patients) - 6, patients[6:].count("1")

    def upper(x: int, n: int) -> float:
        return sum(math.comb(n, k) * 0.7**k * 0.3 ** (n - k) for k in range(x, n + 1))

    place = {"variable": "unplanned", "category": "rule for the actual number (supplementary)"}
    assert value(results, "conditional_error", **place) == pytest.approx(upper(12, 14), rel=1e-12)
    assert value(results, "p", **place) == pytest.approx(upper(x2, n2), rel=1e-12)
    assert one(results, "decision", **place)["value_text"] == decision
    fewest = next(k for k in range(n2 + 1) if upper(k, n2) <= upper(12, 14))
    assert value(results, "critical", **place) == 5 + fewest
    # the decision of the trial is not changed by it
    final = one(results, "decision", variable="observed", category="both stages")["value_text"]
    assert final.startswith("do not reject p0 (")
    assert one(results, "p", variable="estimates")["value_text"] == "NE"
    assert "as if" in one(results, "umvue", variable="estimates")["note"]


def test_order_is_by_the_named_dates_then_the_number() -> None:
    """Patient 03 came first, 01 and 02 on one day later, 04 has no date."""
    days = {"01": "2020-02-01", "02": "2020-02-01", "03": "2020-01-01", "04": None}
    people = adsl({number: {"INCLDT": day, "TRTSDT": "2020-03-01"} for number, day in days.items()})
    people["INCLDT"] = pd.to_datetime(people["INCLDT"])
    rows = [{"patient": n, "AVALC": "alive", "AVAL": float(n in ("01", "03"))} for n in days]
    data = {"adsl": people, "adeff": table(contracts.ADEFF, rows, "adeff")}
    given = plan(r1="0", n1="2", r="1", n="4")
    for order, wanted in ((["INCLDT"], 2), (["TRTSDT"], 1)):
        results, rowsets = run(outcome("simon_two_stage", STATE, {"order": order}), data, given)
        row = one(results, "n", variable="observed", category="stage 1")
        assert row["value"] == wanted
        assert len(rowsets[rowsets["rowset"] == row["rowset"]]) == wanted
    with pytest.raises(ValueError, match="name a variable of ADSL"):
        run(outcome("simon_two_stage", STATE, {"order": ["NODT"]}), data, given)


def test_a_patient_left_out_is_replaced_by_the_next_and_full_accrual_is_known() -> None:
    """Lost patients excluded: stage 1 takes the seventh; with 20 treated, 19 that count are under-running."""
    results = results_of("11x111" + "1" * 14)
    assert value(results, "denominator", variable="observed", category="stage 1") == 6
    row = one(results, "decision", variable="observed", category="both stages")
    assert row["value_text"] == "do not reject p0 (under-running)"
    assert "1 patient(s) left out" in row["note"]


def test_design_stands_in_the_primary_scenario_only() -> None:
    data = trial("111110")
    again = data["adeff"].assign(SCENARIO="other", row_id=data["adeff"]["row_id"] + "/other")
    data["adeff"] = pd.concat([data["adeff"], again], ignore_index=True)
    sensitivity = [{"id": "other", "label": "Other", "set": {"endpoint.lost": "exclude"}}]
    results, _ = run(outcome("simon_two_stage", STATE, sensitivity=sensitivity), data, plan())
    shown = {s: set(found["variable"]) for s, found in results.groupby("scenario")}
    assert shown["primary"] - shown["other"] == {"design", "alternatives", "characteristics"}
    assert "observed" in shown["other"]


def test_what_is_assumed_is_said() -> None:
    results = results_of("111110", assumed="the registry names none")
    assert results["assumed"].all()
    assert one(results, "p0")["note"] == "ASSUMED: p0, p1, alpha, power and the bounds (the registry names none)"
    assert one(results_of("111110"), "p0")["note"] is None


def test_a_design_that_misses_its_error_rates_says_so() -> None:
    note = one(results_of("1", plan(r="15")), "p0")["note"]
    assert f"type I error {float(_tail(16, Fraction(7, 10))):.4f}" in note
    assert "above alpha" in note
    assert "below the nominal one" in one(results_of("1", plan(r="17")), "p0")["note"]
    none = one(results_of("1", max_n="10"), "size", variable="alternatives")
    assert (none["value_text"], "at most 10 patients" in none["note"]) == ("none", True)


def test_operating_characteristics_fall_and_rise() -> None:
    results = results_of("1")
    rows = results[(results["variable"] == "characteristics") & ~results["analysis"].str.endswith("~curve")]
    assert list(dict.fromkeys(rows["category"])) == [
        "p = 0.70 (p0)",
        "p = 0.75",
        "p = 0.80",
        "p = 0.85",
        "p = 0.90 (p1)",
    ]
    for statistic, rising in (("reject", True), ("stop_early", False), ("expected_size", True)):
        values = list(rows.loc[rows["statistic"] == statistic, "value"])
        assert values == sorted(values, reverse=not rising)
    assert rows["value"].iloc[0] == pytest.approx(float(_tail(17, Fraction(7, 10))), rel=1e-12)


@pytest.mark.parametrize(
    ("statistic", "category", "changed"),
    [
        ("n", "both stages", 16.0),
        ("denominator", "both stages", 21.0),
        ("n", "stage 1", 4.0),
        ("p", "success", 0.2),
        ("decision", "stage 1", "stop for futility"),
    ],
)
def test_the_law_of_decisions_sees_a_changed_number(statistic: str, category: str, changed: float | str) -> None:
    results = results_of("11111011111011111011")
    column = "value_text" if isinstance(changed, str) else "value"
    place = (results["statistic"] == statistic) & (results["category"] == category)
    results.loc[place & results["variable"].isin(["observed", "estimates"]), column] = changed
    checks = list(outcome_laws.two_stage(results, (outcome("simon_two_stage", STATE),), plan()))
    assert [check.holds for check in checks].count(False) >= 1


def test_refused() -> None:
    with pytest.raises(ValidationError, match="one group"):
        outcome("simon_two_stage", STATE, {"by": "SEX"})
    for changes in ({"r1": "6"}, {"n": "6"}, {"r": "20"}, {"p0": "0.9"}, {"alpha": "0.5"}):
        with pytest.raises(ValidationError, match="needs"):
            SimonDesign.model_validate({**SPEC, **changes})
    with pytest.raises(ValueError, match="design.simon is missing"):
        run(outcome("simon_two_stage", STATE), trial("1"), protocol())


def _rows(results: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {k: None if not isinstance(v, list) and pd.isna(v) else v for k, v in row.items()}
        for row in results.to_dict("records")
    ]


def _tables(results: pd.DataFrame, made: Outcome) -> dict[str, Any]:
    rows = _rows(results[~results["analysis"].str.endswith("~curve")])
    return dict(split(rows, "simon_two_stage", labels(made, plan())))


def test_tables_of_the_report() -> None:
    made = outcome("simon_two_stage", STATE)
    results = results_of("11111011111011111011")
    found = {title.split(":")[0].split(" by ")[0]: t for title, t in _tables(results, made).items()}
    assert list(found) == [
        "Two-stage design",
        "Stages as treated and decision",
        "Estimates of the success probability",
        "Designs with the same nominal error rates",
        "Operating characteristics",
    ]
    design = found["Two-stage design"]
    assert dict(zip(design.head, (c.text for c in design.body[0][1]), strict=True)) == {
        "p0": "0.70",
        "p1": "0.90",
        "Nominal \u03b1": "0.10",
        "Nominal power": "0.80",
        "r1/n1": "4/6",
        "r/n": "16/20",
        "EN(p0)": "11.88",
        "EN(p1)": "18.40",
        "PET(p0)": "0.580",
        "PET(p1)": "0.114",
        "Exact \u03b1": "0.0904",
        "Exact power": "0.8062",
    }
    stages = found["Stages as treated and decision"]
    assert [[c.text for c in cells] for _, cells in stages.body] == [
        ["5/6", "continue"],
        ["17/20 (85.0 %)", "reject p0"],
    ]
    assert found["Estimates of the success probability"].head[3:] == ["80 % CI", "One-sided p"]
    assert headline(_rows(results), {}) == "17/20 (85.0 %)"


@pytest.mark.parametrize("patients", ["", "1", "110110", "11011011", "11111011111011111011", "1" * 22, "11111?"])
def test_figure_of_every_state_of_a_trial(patients: str, tmp_path: Path) -> None:
    made = outcome("simon_two_stage", STATE)
    (figure,) = draw(results_of(patients), plan(), (made,))
    path = figure.data[(figure.data["variable"] == "path") & (figure.data["statistic"] == "n")]
    known = patients.partition("?")[0]
    assert list(path["value"]) == [known[: i + 1].count("1") for i in range(len(known))]
    for name in ("a.svg", "b.svg"):
        figure.save(tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert (tmp_path / "a.svg").read_text(encoding="utf-8").startswith("<svg")
