"""Comparisons of arms: differences at fixed times and of proportions, components of a composite."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from helpers.analyse_frames import adsl, one, outcome, protocol, run, table, value
from pydantic import ValidationError

from trialpipe.analyse.laws import laws
from trialpipe.analyse.stack import stack
from trialpipe.io import contracts, store
from trialpipe.io.errors import DataError

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "tests" / "reference" / "data" / "transplant" / "difference_at_time.csv"
GROUPS = ("1", "2", "3")
LFS = {"kind": "time_to_event", "origin": "first_dose", "event": ["hsct", "death"]}
RELAPSE = {"kind": "time_to_event", "origin": "first_dose", "event": "hsct", "competing": "death"}
AT = ["100 days", "365 days", "730 days", "1095 days"]


def bone_marrow(competing: bool) -> dict[str, pd.DataFrame]:
    """ADSL with the disease group as arm, and times to relapse (hsct) or death (death) of the public data."""
    with (ROOT / "resources/public/bmt-1991/bmt.csv").open(encoding="utf-8", newline="") as stream:
        raw = list(csv.DictReader(stream))
    people = adsl({f"{i:03d}": {"ARMCD": row["group"]} for i, row in enumerate(raw)})
    rows = []
    for i, row in enumerate(raw):
        cnsr = (0 if row["d2"] == "1" else 2 if row["d3"] == "1" else 1) if competing else 1 - int(row["d3"])
        rows.append({"patient": f"{i:03d}", "AVAL": float(row["t2"]), "CNSR": cnsr, "ENTRY": 0.0})
    return {"adsl": people, "adtte": table(contracts.ADTTE, rows, "adtte")}


def three_arms() -> Any:
    return protocol(arms=[{"id": g, "label": f"Group {g}"} for g in GROUPS])


@pytest.mark.parametrize("what", ["survival", "incidence_aalen", "incidence_jackknife"])
def test_difference_at_time_as_in_r(what: str) -> None:
    of, _, variance = what.partition("_")
    analysis = {"by": "ARMCD", "at": AT, "of": of} | ({"variance": variance} if variance else {})
    given = outcome("difference_at_time", LFS if of == "survival" else RELAPSE, analysis)
    results, _ = run(given, bone_marrow(of != "survival"), three_arms())
    with REFERENCE.open(encoding="utf-8", newline="") as stream:
        expected = [row for row in csv.DictReader(stream) if row["of"] == what]
    assert len(expected) == 8
    for row in expected:
        place = {"group": row["group"], "comparator": row["comparator"], "time": float(row["time"])}
        found = {"chi_square": float(row["z"]) ** 2}
        found |= {name: float(row[name]) for name in ("difference", "std_err", "lower", "upper", "p")}
        for name, expected_value in found.items():
            assert value(results, name, **place) == pytest.approx(expected_value, rel=1e-9, abs=1e-12, nan_ok=True)
    assert set(results["comparator"]) == {"3"}


def test_difference_where_a_curve_has_ended_or_is_flat() -> None:
    rows = [(50.0, 0), (400.0, 1), (60.0, 0), (200.0, 1), (300.0, 1), (300.0, 1)]
    people = adsl({str(i): {"ARMCD": "AB"[i % 2]} for i in range(6)})
    frame = table(
        contracts.ADTTE,
        [{"patient": str(i), "AVAL": t, "CNSR": c, "ENTRY": 0.0} for i, (t, c) in enumerate(rows)],
        "adtte",
    )
    given = outcome("difference_at_time", LFS, {"by": "ARMCD", "at": ["100 days", "350 days"], "reference": "B"})
    results, _ = run(given, {"adsl": people, "adtte": frame})
    place = {"group": "A", "comparator": "B"}
    assert value(results, "difference", time=100.0, **place) == pytest.approx(-2 / 3)
    flat = one(results, "p", time=100.0, **place)
    assert (flat["value_text"], flat["note"]) == ("NE", "no test where an estimate is 0 or 1")
    ended = one(results, "difference", time=350.0, **place)
    assert (ended["value_text"], ended["note"]) == ("NE", "A: after the last observation")


def test_comparisons_need_groups_and_a_reference() -> None:
    with pytest.raises(ValidationError, match="needs by"):
        outcome("difference_at_time", LFS, {"at": AT})
    given = outcome("difference_at_time", LFS, {"by": "ARMCD", "at": AT, "reference": "4"})
    with pytest.raises(DataError, match="is no level of ARMCD"):
        run(given, bone_marrow(False), three_arms())


def binary(counts: dict[str, tuple[int, int, int]]) -> dict[str, pd.DataFrame]:
    """Arms with (successes, failures, unknown)."""
    people, rows = {}, []
    for arm, numbers in counts.items():
        for aval, many in zip((1.0, 0.0, None), numbers, strict=True):
            for _ in range(many):
                number = f"{len(people):03d}"
                people[number] = {"ARMCD": arm}
                rows.append({"patient": number, "AVAL": aval, "CENS": "none"})
    return {"adsl": adsl(people), "adgv": table(contracts.BDS, rows, "adgv").drop(columns="SCENARIO")}


def proportions(**analysis: Any) -> Any:
    return outcome("difference_in_proportions", {"kind": "findings", "dataset": "adgv"}, {"by": "ARMCD", **analysis})


@pytest.mark.parametrize(
    ("method", "lower", "upper"),
    [
        # 56/70 and 48/80: Newcombe 1998, Stat Med 17:873, table II (a), methods 1, 5 (Mee), 6 (Miettinen-Nurminen), 10
        ("wald", 0.0575, 0.3425),
        ("mee", 0.0533, 0.3377),
        ("miettinen-nurminen", 0.0528, 0.3382),
        ("newcombe", 0.0524, 0.3339),
    ],
)
def test_difference_in_proportions_as_published(method: str, lower: float, upper: float) -> None:
    results, _ = run(proportions(method=method), binary({"A": (56, 14, 1), "B": (48, 32, 0)}))
    place = {"group": "A", "comparator": "B"}
    assert value(results, "risk_difference", **place) == pytest.approx(20.0)
    found = [value(results, name, **place) for name in ("lower", "upper")]
    assert found == pytest.approx([100 * lower, 100 * upper], abs=0.005)
    # chi-square of the table by hand: 150 (56*32 - 14*48)^2 / (70*80*104*46)
    pearson = 150 * (56 * 32 - 14 * 48) ** 2 / (70 * 80 * 104 * 46)
    factor = 149 / 150 if method == "miettinen-nurminen" else 1
    assert value(results, "chi_square", **place) == pytest.approx(pearson * factor)
    assert one(results, "risk_difference", **place)["note"] == "1 patient(s) without a value left out"
    assert value(results, "denominator", group="A", comparator=None) == 70


@pytest.mark.parametrize("method", ["miettinen-nurminen", "mee"])
@pytest.mark.parametrize("x", range(5, 16))
def test_test_and_score_interval_agree(method: str, x: int) -> None:
    results, _ = run(proportions(method=method), binary({"A": (x, 20 - x, 0), "B": (4, 17, 0)}))
    place = {"group": "A", "comparator": "B"}
    excludes = value(results, "lower", **place) > 0 or value(results, "upper", **place) < 0
    assert excludes == (value(results, "p", **place) < 0.05)


def test_proportions_of_an_empty_arm_and_of_equal_patients() -> None:
    results, _ = run(proportions(), binary({"A": (3, 0, 0)}))
    row = one(results, "risk_difference", group="A", comparator="B")
    assert (row["value_text"], "a group without patients" in row["note"]) == ("NE", True)
    results, _ = run(proportions(), binary({"A": (3, 0, 0), "B": (2, 0, 0)}))
    assert value(results, "risk_difference", group="A", comparator="B") == 0
    row = one(results, "p", group="A", comparator="B")
    assert (row["value_text"], row["note"]) == ("NE", "no test: all patients alike")


def test_several_rows_of_a_patient_are_refused() -> None:
    data = binary({"A": (3, 0, 0), "B": (2, 0, 0)})
    again = data["adgv"].assign(row_id=data["adgv"]["row_id"] + "/b", PARAMCD="Q")
    data["adgv"] = pd.concat([data["adgv"], again])
    with pytest.raises(DataError, match="several rows of one patient"):
        run(proportions(), data)
    results, _ = run(proportions(where={"PARAMCD": "Q"}), data)
    assert value(results, "n", group="A", comparator=None) == 3


def test_components_add_up_to_the_arm() -> None:
    ends = [("hsct", 0), ("death", 0), ("hsct", 0), (None, 1), (None, None), ("death", 0)]
    people = adsl({str(i): {"ARMCD": "AB"[i % 2]} for i in range(6)})
    frame = table(
        contracts.ADTTE,
        [
            {"patient": str(i), "AVAL": math.nan if c is None else 10.0 + i, "CNSR": c, "ENTRY": 0.0, "EVENT": e}
            for i, (e, c) in enumerate(ends)
        ],
        "adtte",
    )
    given = outcome("first_events", LFS, {"by": "ARMCD"})
    results, rowsets = run(given, {"adsl": people, "adtte": frame})
    whole = results[(results["group"] == "Overall") & (results["statistic"] == "n")]
    counted = dict(zip(whole["category"], whole["value"], strict=True))
    assert counted == {"hsct": 2, "death": 2, "Censored": 1, "No time": 1}
    assert value(results, "n", group="B", category="death") == 2
    verdicts = laws(
        stack([results], (given,)), rowsets, people, store.empty(contracts.RECONCILIATION), protocol(), (given,)
    )
    assert verdicts["holds"].all()


def test_difference_and_ratio_of_restricted_means() -> None:
    """By hand: A dies on days 1 and 3, B on day 2, one of B is followed to day 9; means to day 4."""
    rows = [(1.0, 0), (2.0, 0), (3.0, 0), (9.0, 1)]
    people = adsl({str(i): {"ARMCD": "AB"[i % 2]} for i in range(4)})
    times = [{"patient": str(i), "AVAL": t, "CNSR": c, "ENTRY": 0.0} for i, (t, c) in enumerate(rows)]
    frame = table(contracts.ADTTE, times, "adtte")
    spec = {"by": "ARMCD", "at": ["4 days", "20 days"], "of": "restricted_mean", "reference": "B"}
    results, rowsets = run(outcome("difference_at_time", LFS, spec), {"adsl": people, "adtte": frame})
    place = {"group": "A", "comparator": "B", "time": 4.0}
    # A: 1 + 2/2 = 2, variance (2/2)^2 1/2; B: 2 + 2/2 = 3, variance (2/2)^2 1/2
    assert value(results, "difference", term=None, **place) == pytest.approx(-1)
    assert value(results, "std_err", term=None, **place) == pytest.approx(1)
    assert value(results, "chi_square", term=None, **place) == pytest.approx(1)
    assert value(results, "ratio", term="Ratio", **place) == pytest.approx(2 / 3)
    half = 1.959963984540054 * math.sqrt(0.5 / 4 + 0.5 / 9)
    assert value(results, "lower", term="Ratio", **place) == pytest.approx(2 / 3 * math.exp(-half))
    assert "Ratio of restricted means" in one(results, "p", term="Ratio", **place)["method"]
    late = one(results, "ratio", group="A", comparator="B", time=20.0)
    assert (late["value_text"], late["note"]) == ("NE", "B: after the last observation")
