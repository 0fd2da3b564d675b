"""Optimal designs of 20 patients as printed, and the analysis rows made of them."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from helpers.analyse_frames import adsl, one, outcome, protocol, run, value

from trialpipe.io import contracts, store
from trialpipe.stats import simon
from trialpipe.stats.rounding import round_half_away
from trialpipe.stats.simon import TwoStage

FOLDER = Path(__file__).parent / "data" / "simon" / "designs_of_20"
ROWS = list(csv.DictReader((FOLDER / "published.csv").open(encoding="utf-8")))
STATE = {"kind": "state_at_horizon", "origin": "first_dose", "horizon": "56 days", "terminal": "hsct"}
PRINTED = (("EN_p0", "size_p0", 2), ("PET_p0", "stop_p0", 3), ("type1", "type1", 4), ("power", "exact_power", 4))


def _id(row: dict[str, str]) -> str:
    return f"{row['p0']}-{row['p1']}-{row['alpha']}-{row['beta']}"


def _design(row: dict[str, str]) -> TwoStage:
    return TwoStage(*(int(row[k]) for k in ("r1", "n1", "r", "n")))


@pytest.mark.parametrize("row", ROWS, ids=_id)
def test_exact_search_finds_the_printed_design(row: dict[str, str]) -> None:
    p0, p1, alpha, beta = (float(row[k]) for k in ("p0", "p1", "alpha", "beta"))
    found = simon.search(p0, p1, alpha, beta, 60)
    best = simon.optimal(found)
    assert best.design == _design(row)
    null, other = simon.characteristics(best.design, p0), simon.characteristics(best.design, p1)
    numbers = {
        "EN_p0": null.expected_n,
        "PET_p0": null.stop_early,
        "type1": null.promising,
        "power": other.promising,
    }
    for name, _, decimals in PRINTED:
        assert round_half_away(numbers[name], decimals).lstrip("0") == row[name], name
    # the +1 and +2 patients are a reserve: with them there is no better design, only a larger expected size
    assert best.design.n + int(row["padded"]) == 20
    with_20 = [c for c in found if c.design.n == 20]
    if row["padded"] != "0":
        assert all(c.expected_n > best.expected_n for c in with_20)


@pytest.mark.parametrize("row", ROWS, ids=_id)
def test_rows_of_the_analysis_print_the_same(row: dict[str, str]) -> None:
    spec = {k: row[k] for k in ("p0", "p1", "alpha", "r1", "n1", "r", "n")} | {"power": f"{1 - float(row['beta']):.2f}"}
    plan = protocol(design={"allocation": "single_arm", "planned_n": "20", "summary": "s", "simon": spec})
    data = {"adsl": adsl({"01": {}}), "adeff": store.empty(contracts.ADEFF)}
    results, _ = run(outcome("simon_two_stage", STATE), data, plan)
    printed = results[(results["variable"] == "alternatives") & (results["category"].str.endswith("optimal"))]
    for rows in (results[results["variable"] == "design"], printed):
        formatted = dict(zip(rows["statistic"], rows["formatted"], strict=True))
        bounds = (formatted[k] for k in ("bound1", "size1", "bound", "size"))
        assert list(bounds) == [row[k] for k in ("r1", "n1", "r", "n")]
        for name, statistic, _ in PRINTED:
            assert formatted[statistic].lstrip("0") == row[name], statistic
    assert "optimal one" in printed["note"].iloc[0]


def test_a_padded_design_is_told_from_those_found() -> None:
    """.65/.90 with the 20th patient as part of the design: it meets both error rates but is none of the best."""
    spec = {"p0": ".65", "p1": ".9", "alpha": ".05", "power": ".8", "r1": "4", "n1": "6", "r": "16", "n": "20"}
    plan = protocol(design={"allocation": "single_arm", "planned_n": "20", "summary": "s", "simon": spec})
    data = {"adsl": adsl({"01": {}}), "adeff": store.empty(contracts.ADEFF)}
    results, _ = run(outcome("simon_two_stage", STATE), data, plan)
    row = one(results, "size", variable="alternatives", category="this trial")
    assert (row["value"], "none of the designs found" in row["note"]) == (20, True)
    assert value(results, "size", variable="alternatives", category="optimal") == 19
