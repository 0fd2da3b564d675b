"""States, success proportion, exact interval and test, scenarios."""

from __future__ import annotations

import pandas as pd
import pytest
from helpers.analyse_frames import adsl, one, outcome, run, table, value

from trialpipe.analyse.laws import laws
from trialpipe.analyse.stack import stack
from trialpipe.io import contracts, store

STATE = {
    "kind": "state_at_horizon",
    "origin": "first_dose",
    "horizon": "56 days",
    "terminal": "hsct",
}


def states(counts: dict[str | None, int], scenario: str = "primary", success: tuple[str, ...] = ("reached", "alive")):
    rows = []
    for state, number in counts.items():
        for _ in range(number):
            aval = None if state is None else float(state in success)
            rows.append({"patient": f"{len(rows):02d}", "AVALC": state, "AVAL": aval, "SCENARIO": scenario})
    return table(contracts.ADEFF, rows, f"adeff-{scenario}")


def people(number: int) -> pd.DataFrame:
    return adsl({f"{i:02d}": {"ARMCD": "A" if i % 2 else "B"} for i in range(number)})


def test_states_and_clopper_pearson() -> None:
    """24 of 29: limits as in R's binom.test."""
    data = {"adsl": people(29), "adeff": states({"reached": 20, "alive": 4, "dead": 4, "lost": 1})}
    results, _ = run(outcome("proportion", STATE), data)
    assert {s: value(results, "n", category=s) for s in ("success", "reached", "alive", "dead", "lost")} == {
        "success": 24,
        "reached": 20,
        "alive": 4,
        "dead": 4,
        "lost": 1,
    }
    assert value(results, "percent", category="success") == pytest.approx(2400 / 29, rel=1e-12)
    assert value(results, "lower", category="success") == pytest.approx(64.22524456, rel=1e-9)
    assert value(results, "upper", category="success") == pytest.approx(94.15439170, rel=1e-9)
    row = one(results, "lower", category="success")
    assert (row["formatted"], row["conf_level"], row["unit"]) == ("64.2", 0.95, "%")
    assert not (results["statistic"] == "p").any()


def test_exact_test_and_its_level() -> None:
    """23 of 42 against 0.40, one-sided: P(X >= 23) = 0.0375047; the 90 % interval matches level 0.05."""
    data = {"adsl": people(42), "adeff": states({"alive": 23, "dead": 19})}
    analysis = {"null_value": "0.4", "alternative": "greater", "conf_level": "0.9"}
    results, _ = run(outcome("proportion", {**STATE, "terminal": None}, analysis), data)
    row = one(results, "p")
    assert row["value"] == pytest.approx(0.03750474595, rel=1e-9)
    assert (row["alternative"], row["null_value"]) == ("greater", 0.4)
    assert "one-sided level 0.05" in row["method"]
    assert one(results, "upper")["conf_level"] == 0.9
    assert "reached" not in set(results["category"])


def test_groups_add_up_and_assumption_is_marked() -> None:
    data = {"adsl": people(10), "adeff": states({"reached": 6, "dead": 4})}
    results, _ = run(outcome("proportion", STATE, {"by": "ARMCD", "assumed": "a choice"}), data)
    assert results["group"].drop_duplicates().tolist() == ["A", "B", "Overall"]
    parts = [value(results, "n", category="success", group=g) for g in ("A", "B")]
    assert sum(parts) == value(results, "n", category="success", group="Overall") == 6
    assert results["assumed"].all()


def test_undetermined_patients_leave_the_denominator_and_are_a_line() -> None:
    data = {"adsl": people(5), "adeff": states({"reached": 2, "dead": 2, None: 1})}
    results, _ = run(outcome("proportion", STATE), data)
    assert value(results, "denominator", category="success") == 4
    assert "1 patient(s) not counted" in one(results, "percent", category="success")["note"]
    assert value(results, "n", category="undetermined") == 1
    assert value(results, "denominator", category="dead") == 5


def test_no_patient_gives_null_not_zero() -> None:
    empty = people(2).assign(SAFFL="N")
    results, _ = run(outcome("proportion", STATE), {"adsl": empty, "adeff": states({"reached": 2})})
    row = one(results, "percent", category="success")
    assert row["value_text"] == "NE"
    assert row["note"] == "no patient in the denominator"
    assert value(results, "n", category="success") == 0


def test_scenarios_run_on_their_own_rows() -> None:
    sensitivity = [{"id": "lost-out", "label": "x", "set": {"endpoint.lost": "exclude"}}]
    rows = pd.concat([states({"reached": 3, "lost": 1}), states({"reached": 3, None: 1}, "lost-out")])
    given = outcome("proportion", STATE, sensitivity=sensitivity)
    results, _ = run(given, {"adsl": people(4), "adeff": rows})
    assert value(results, "percent", category="success", scenario="primary") == 75
    assert value(results, "percent", category="success", scenario="lost-out") == 100


def law(found: pd.DataFrame, name: str) -> pd.DataFrame:
    return found[found["law"] == name]


def test_proportion_and_incidence_of_death_add_up_to_one() -> None:
    """Ruling 11: 3 of 5 alive, 2 dead by day 56, nobody lost."""
    people_ = people(5)
    times = table(
        contracts.ADTTE,
        [
            {"patient": "00", "AVAL": 30.0, "CNSR": 2, "ENTRY": 0.0},
            {"patient": "01", "AVAL": 40.0, "CNSR": 2, "ENTRY": 0.0},
            {"patient": "02", "AVAL": 56.0, "CNSR": 1, "ENTRY": 0.0},
            {"patient": "03", "AVAL": 5.0, "CNSR": 0, "ENTRY": 0.0},
            {"patient": "04", "AVAL": 56.0, "CNSR": 0, "ENTRY": 0.0},
        ],
        "adtte",
    )
    analyses = [
        {"kind": "proportion"},
        {"kind": "cumulative_incidence", "dataset": "adtte", "at": ["28 days", "56 days"]},
    ]
    given = outcome("proportion", STATE, analyses=analyses)
    data = {"adsl": people_, "adeff": states({"reached": 2, "alive": 1, "dead": 2}), "adtte": times}
    results, rowsets = run(given, data)
    assert value(results, "cif", category="death", time=56.0) == pytest.approx(0.4, rel=1e-12)
    assert value(results, "cif", category="hsct", time=56.0) == pytest.approx(0.4, rel=1e-12)
    from helpers.analyse_frames import protocol

    stacked = stack([results], (given,))
    arguments = (rowsets, people_, store.empty(contracts.RECONCILIATION), protocol(), (given,))
    verdicts = laws(stacked, *arguments)
    held = law(verdicts, "Proportion alive and incidence of death add up to 1")
    assert held["found"].tolist() == ["1 hold"]
    assert verdicts["holds"].all(), verdicts[~verdicts["holds"]].to_string()

    wrong = stacked.copy()
    wrong.loc[(wrong["statistic"] == "cif") & (wrong["time"] == 56) & (wrong["category"] == "death"), "value"] = 0.6
    broken = laws(wrong, *arguments)
    timeless = stacked.copy()
    timeless.loc[timeless["statistic"] == "missing", "value"] = 1.0
    assert law(laws(timeless, *arguments), "Proportion alive and incidence of death add up to 1").empty
    assert not law(broken, "Proportion alive and incidence of death add up to 1")["holds"].iloc[0]


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        (0, "the outcome of 0 of 40 patients (0.0 %) is not known, less than 5 %: no multiple imputation"),
        (1, "the outcome of 1 of 40 patients (2.5 %) is not known, less than 5 %: no multiple imputation"),
        (2, "(5.0 %) is not known, 5 % or more: multiple imputation is called for and was not done"),
    ],
)
def test_says_whether_missing_outcomes_call_for_imputation(lost, said) -> None:
    data = {"adsl": people(40), "adeff": states({"alive": 38 - lost, "dead": 2, "lost": lost})}
    results, _ = run(outcome("proportion", {**STATE, "terminal": None}, {"imputation_from": "0.05"}), data)
    assert said in one(results, "percent", category="lost")["note"]
    assert one(results, "percent", category="dead")["note"] is None
