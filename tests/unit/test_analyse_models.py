"""State occupation, analysis of covariance and Cochran-Mantel-Haenszel tests as result rows."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.analyse_frames import adsl, one, outcome, protocol, run, table, value
from pydantic import ValidationError

from trialpipe.analyse.laws import laws
from trialpipe.analyse.stack import stack
from trialpipe.io import contracts, store
from trialpipe.io.errors import DataError

DATA = Path(__file__).resolve().parents[1] / "reference" / "data" / "ancova" / "anorexia"
DEATH = {"kind": "time_to_event", "origin": "first_dose", "event": "death"}
FINDINGS = {"kind": "findings", "dataset": "adlb"}
STATES = [{"milestone": "hsct", "label": "Transplanted"}]


def hold(results: pd.DataFrame, rowsets: pd.DataFrame, given: Any, people: pd.DataFrame, plan: Any = None) -> None:
    empty = store.empty(contracts.RECONCILIATION)
    found = laws(stack([results], (given,)), rowsets, people, empty, plan or protocol(), (given,))
    assert found["holds"].all(), found[~found["holds"]].to_string()


def followed(rows: list[tuple[float, int, str | None]], entry: float = 0.0) -> dict[str, pd.DataFrame]:
    """(time, CNSR, date of transplant) per patient, day 0 is 2020-01-01."""
    people = adsl({f"{i}": {"HSCTDT": day, "ARMCD": "AB"[i % 2]} for i, (_, _, day) in enumerate(rows)})
    start = pd.Timestamp("2020-01-01")
    times = [
        {"patient": f"{i}", "AVAL": t, "CNSR": c, "ENTRY": entry, "STARTDT": start} for i, (t, c, _) in enumerate(rows)
    ]
    return {"adsl": people, "adtte": table(contracts.ADTTE, times, "adtte")}


def test_patients_are_counted_in_their_states() -> None:
    """Nobody lost by day 20: the probabilities are shares of the five patients."""
    data = followed(
        [
            (30.0, 1, "2020-01-11"),  # transplanted on day 10, lost on day 30
            (15.0, 0, "2020-01-06"),  # transplanted on day 5, died on day 15
            (12.0, 0, "2020-01-13"),  # died on the day of the transplant: not seen in that state
            (25.0, 0, None),
            (40.0, 1, "2019-12-01"),  # transplanted before the origin
        ]
    )
    given = outcome("state_occupation", DEATH, {"at": ["4 days", "12 days", "20 days"], "states": STATES})
    results, rowsets = run(given, data)
    hold(results, rowsets, given, data["adsl"])
    wanted = {4.0: (4, 1, 0), 12.0: (1, 3, 1), 20.0: (1, 2, 2)}
    for day, counts in wanted.items():
        for state, count in zip(("None of them yet", "Transplanted", "death"), counts, strict=True):
            assert value(results, "occupation", category=state, time=day) == pytest.approx(count / 5)
    assert value(results, "n_risk", category="Transplanted", time=12.0) == 3
    assert value(results, "n_risk", category="None of them yet", time=12.0) == 2
    moves = results[(results["statistic"] == "n") & results["term"].notna()]
    found = {(row.term, row.category): row.value for row in moves.itertuples()}
    assert found == {
        ("None of them yet", "Transplanted"): 2,
        ("None of them yet", "death"): 2,
        ("Transplanted", "death"): 1,
    }
    assert one(results, "lower", category="death", time=4.0)["note"] == "no limits where the estimate is 0"
    assert "Aalen-Johansen, greenwood variance" in one(results, "occupation", category="death", time=20.0)["method"]


def test_states_after_the_last_observation_and_late_entry() -> None:
    data = followed([(10.0, 1, None), (5.0, 0, "2020-01-03")])
    given = outcome("state_occupation", DEATH, {"at": ["10 days", "11 days"], "states": STATES, "by": "ARMCD"})
    results, _ = run(given, data)
    assert value(results, "occupation", group="A", category="death", time=10.0) == 0
    late = one(results, "occupation", group="A", category="death", time=11.0)
    assert (late["value_text"], late["note"]) == ("NE", "after the last observation")
    # all of B have died: what follows is known
    assert value(results, "occupation", group="B", category="death", time=11.0) == 1
    results, _ = run(given, followed([(10.0, 1, None), (5.0, 0, None)], entry=2.0))
    row = one(results, "occupation", group="Overall", category="death", time=10.0)
    assert (row["value_text"], row["note"]) == ("NE", "nobody is under observation at the origin")


def test_states_that_cannot_be() -> None:
    data = followed([(10.0, 1, None)])
    for states, message in (
        ([{"milestone": "relapse", "label": "Relapse"}], "is no milestone"),
        ([{"milestone": "death", "label": "Dead"}], "is an event that ends the time"),
        ([{"milestone": "hsct", "label": "death"}], "two states of one name"),
    ):
        with pytest.raises(DataError, match=message):
            run(outcome("state_occupation", DEATH, {"at": ["5 days"], "states": states}), data)
    with pytest.raises(ValidationError, match="one state only"):
        outcome("state_occupation", DEATH, {"at": ["5 days"], "states": STATES * 2})


def anorexia() -> tuple[dict[str, pd.DataFrame], dict[tuple[str, str, str], float]]:
    with (DATA / "input.csv").open(encoding="utf-8", newline="") as file:
        raw = list(csv.DictReader(file))
    people = adsl({f"{i:02d}": {"ARMCD": r["treat"], "SEX": r["half"]} for i, r in enumerate(raw)})
    place = {"PARAMCD": "W", "AVISIT": "End", "ANL01FL": "Y", "CENS": "none", "flags": []}
    rows = [
        {"patient": f"{i:02d}", **place, "AVAL": float(r["after"]), "BASE": float(r["before"])}
        for i, r in enumerate(raw)
    ]
    with (DATA / "values.csv").open(encoding="utf-8", newline="") as file:
        want = {(r["model"], r["what"], r["name"]): float(r["value"]) for r in csv.DictReader(file)}
    return {"adsl": people, "adlb": table(contracts.BDS, rows, "adlb").drop(columns="SCENARIO")}, want


@pytest.mark.parametrize("model", ["plain", "base", "factor"])
@pytest.mark.parametrize("weights", ["equal", "proportional"])
def test_analysis_of_covariance_as_in_r(model: str, weights: str) -> None:
    data, want = anorexia()
    arms = [{"id": name, "label": name} for name in ("FT", "Cont", "CBT")]
    plan = protocol(arms=arms, subject_variables=[
        {"name": "SEX", "label": "Half", "domain": "dm", "column": "SEX", "levels": ["early", "late"]}])  # fmt: skip
    spec = {"parameter": "W", "visit": "End", "by": "ARMCD", "weights": weights, "baseline": model != "plain"}
    given = outcome("ancova", FINDINGS, spec | ({"covariates": ["SEX"]} if model == "factor" else {}))
    results, rowsets = run(given, data, plan)
    hold(results, rowsets, given, data["adsl"], plan)
    for arm in ("CBT", "Cont", "FT"):
        found = [value(results, name, group=arm, comparator=None) for name in ("ls_mean", "std_err")]
        want_mean = [want[model, f"mean_{weights}", arm], want[model, f"mean_se_{weights}", arm]]
        assert found == pytest.approx(want_mean, rel=1e-9)
    for arm in ("Cont", "FT"):
        place = {"group": arm, "comparator": "CBT"}
        names = {"mean_difference": "", "std_err": "_se", "lower": "_lower", "upper": "_upper", "p": "_p"}
        for name, part in names.items():
            assert value(results, name, **place) == pytest.approx(
                want[model, f"difference{part}", f"{arm}-CBT"], rel=1e-8
            )
    for term, name in {"ARMCD": "treat", "BASE": "before", "SEX": "half"}.items():
        if (model, "f", name) in want:
            assert value(results, "f", term=term) == pytest.approx(want[model, "f", name], rel=1e-9)
            assert one(results, "p", term=term)["df"] == want[model, "f_df", name]
    assert value(results, "variance", term="Residual variance") == pytest.approx(want[model, "variance", ""], rel=1e-9)


def test_change_from_baseline_has_the_same_differences() -> None:
    data, _ = anorexia()
    plan = protocol(arms=[{"id": name, "label": name} for name in ("FT", "Cont", "CBT")])
    spec = {"parameter": "W", "visit": "End", "by": "ARMCD"}
    value_, change = (run(outcome("ancova", FINDINGS, spec | {"change": c}), data, plan)[0] for c in ("false", "true"))
    place = {"group": "FT", "comparator": "CBT"}
    for name in ("mean_difference", "std_err", "p"):
        assert value(change, name, **place) == pytest.approx(value(value_, name, **place), rel=1e-9)
    assert set(change["variable"]) == {"CHG"}


def test_patients_without_a_value_are_counted_and_a_model_without_spread_has_no_test() -> None:
    people = adsl({n: {"ARMCD": a} for n, a in zip("1234", "AABB", strict=True)})
    place = {"PARAMCD": "W", "AVISIT": "End", "ANL01FL": "Y", "CENS": "none", "flags": [], "BASE": 1.0}
    rows = [{"patient": n, **place, "AVAL": v} for n, v in zip("123", (2.0, 2.0, 5.0), strict=True)]
    data = {"adsl": people, "adlb": table(contracts.BDS, rows, "adlb").drop(columns="SCENARIO")}
    spec = {"parameter": "W", "visit": "End", "by": "ARMCD", "baseline": "false"}
    results, _ = run(outcome("ancova", FINDINGS, spec), data)
    row = one(results, "p", group="A", comparator="B")
    assert row["value_text"] == "NE"
    assert row["note"] == "no spread left; 1 patient(s) without the value or a covariate left out"
    assert value(results, "mean_difference", group="A", comparator="B") == pytest.approx(-3)


def answers(tables: np.ndarray, categories: list[str]) -> dict[str, pd.DataFrame]:
    """Strata F and M of SEX, arms A and B, answers."""
    people, rows = {}, []
    for (k, r, c), count in np.ndenumerate(tables):
        for _ in range(int(count)):
            number = f"{len(people):03d}"
            people[number] = {"ARMCD": "AB"[r], "SEX": "FM"[k]}
            rows.append({"patient": number, "PARAMCD": "Q", "AVISIT": "End", "ANL01FL": "Y", "CENS": "none",
                         "flags": [], "AVALC": categories[c]})  # fmt: skip
    return {"adsl": adsl(people), "adlb": table(contracts.BDS, rows, "adlb").drop(columns="SCENARIO")}


def test_cochran_mantel_haenszel_rows() -> None:
    """Two strata by hand: sum of (a - E) and of its variances, odds ratio by Mantel and Haenszel."""
    tables = np.array([[[8, 2], [5, 6]], [[3, 4], [2, 9]]])
    data = answers(tables, ["Yes", "No"])
    spec = {"parameter": "Q", "visit": "End", "by": "ARMCD", "strata": ["SEX"], "categories": ["Yes", "No"]}
    given = outcome("cmh", FINDINGS, spec)
    results, rowsets = run(given, data)
    hold(results, rowsets, given, data["adsl"])
    gap = (8 - 10 * 13 / 21) + (3 - 7 * 5 / 18)
    spread = 10 * 11 * 13 * 8 / (21**2 * 20) + 7 * 11 * 5 * 13 / (18**2 * 17)
    for term in ("General association", "Row mean scores differ", "Non-zero correlation"):
        assert value(results, "chi_square", term=term) == pytest.approx(gap**2 / spread)
        assert one(results, "p", term=term)["df"] == 1
    odds = (8 * 6 / 21 + 3 * 9 / 18) / (2 * 5 / 21 + 4 * 2 / 18)
    assert value(results, "odds_ratio", group="A", comparator="B") == pytest.approx(odds)
    assert value(results, "n", group="A", category="Yes", comparator=None) == 11
    assert value(results, "denominator", group="B", category="No", comparator=None) == 22
    assert "within Sex" in one(results, "odds_ratio", group="A", comparator="B")["method"]


def test_cochran_mantel_haenszel_where_nothing_varies() -> None:
    data = answers(np.array([[[3, 0, 0], [4, 0, 0]]]), ["a", "b", "c"])
    spec = {"parameter": "Q", "visit": "End", "by": "ARMCD", "categories": ["a", "b", "c"]}
    results, _ = run(outcome("cmh", FINDINGS, spec), data)
    row = one(results, "p", term="General association")
    assert (row["value_text"], row["note"]) == ("NE", "no test: nothing varies within a stratum")
    assert not (results["statistic"] == "odds_ratio").any()
    with pytest.raises(DataError, match="is a result and no category"):
        run(outcome("cmh", FINDINGS, spec | {"categories": ["b", "c"]}), data)
    with pytest.raises(ValidationError, match="needs by"):
        outcome("cmh", FINDINGS, {**spec, "by": None})
    with pytest.raises(ValidationError, match="named twice"):
        outcome("cmh", FINDINGS, {**spec, "categories": ["a", "a"]})
