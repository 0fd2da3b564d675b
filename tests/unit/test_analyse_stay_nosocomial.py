"""Length of stay and infections acquired in hospital from small datasets; values by hand."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from helpers.analyse_frames import adsl, one, outcome, protocol, run, table, value

from trialpipe.analyse.laws import laws
from trialpipe.analyse.stack import stack
from trialpipe.io import contracts, store
from trialpipe.io.contracts_icu import ADNOSO, ADSTAY

STAY = {
    "kind": "stay",
    "id": "adstay",
    "label": "s",
    "code": "ICUSTAY",
    "origin": "first_dose",
    "discharge": "hsct",
}
NOSOCOMIAL = {
    "kind": "nosocomial",
    "id": "adnoso",
    "label": "n",
    "types": [
        {"code": "BACT", "label": "b", "where": {"CEDECOD": "B"}},
        {"code": "REACT", "label": "r", "where": {"CEDECOD": "R"}, "apart": "true"},
    ],
    "origin": "first_dose",
    "admission": "first_dose",
    "competing": ["death", "hsct"],
}
PLAN = protocol(datasets=[STAY, NOSOCOMIAL])
# patient: time, code, how it ended, readmitted, free days, dead by day 28
STAYS: list[tuple[str, float | None, int | None, str | None, str, float | None, str | None]] = [
    ("1", 10, 0, "discharged alive", "Y", 18, "N"),
    ("2", 4, 2, "died", "N", 0, "Y"),
    ("3", 20, 0, "discharged alive", "N", 8, "N"),
    ("4", 183, 1, "still in", "N", 0, "N"),
    ("5", None, None, None, "N", None, None),
]
LENGTHS = {"kind": "stay", "dataset": "adstay"}
ACQUIRED = {"kind": "nosocomial", "dataset": "adnoso"}


def people(count: int) -> pd.DataFrame:
    return adsl({f"{i}": {"ARMCD": "AB"[i % 2]} for i in range(1, count + 1)})


def adstay(rows: list[tuple[str, float | None, int | None, str | None, str, float | None, str | None]]) -> pd.DataFrame:
    names = ("patient", "AVAL", "CNSR", "ENDED", "READMFL", "FREEDY", "FREEDTH")
    given: list[dict[str, Any]] = [dict(zip(names, row, strict=True)) | {"ENTRY": 0.0} for row in rows]
    return table(ADSTAY, given, "adstay")[[c.name for c in ADSTAY.columns]]


def adnoso() -> pd.DataFrame:
    """1: bacterial on day 10 and 15 (in intensive care); 2: reactivation on day 0; 3: death on day 20; 4: censored."""
    first = {
        "1": {"BACT": (10, 0), "REACT": (27, 1), "ANYNOSO": (10, 0), "ANYICU": (15, 0)},
        "2": {"BACT": (27, 1), "REACT": (0, 0), "ANYNOSO": (27, 1), "ANYICU": (27, 1)},
        "3": dict.fromkeys(("BACT", "REACT", "ANYNOSO", "ANYICU"), (20, 2)),
        "4": dict.fromkeys(("BACT", "REACT", "ANYNOSO", "ANYICU"), (27, 1)),
    }
    rows: list[dict[str, Any]] = [
        {"patient": p, "PARAMCD": code, "AVAL": t, "CNSR": c, "ENTRY": 0.0}
        for p, codes in first.items()
        for code, (t, c) in codes.items()
    ]
    episodes = [("1", "BACT", "Y", "N"), ("1", "BACT", "Y", "Y"), ("2", "REACT", "Y", "Y"), ("3", "BACT", "N", "N")]
    rows += [
        {"patient": p, "PARAMCD": "EPISODE", "TYPES": t, "NOSOFL": counted, "ICUFL": icu}
        for p, t, counted, icu in episodes
    ]
    return table(ADNOSO, rows, "adnoso")[[c.name for c in ADNOSO.columns]]


def check_laws(given: Any, results: pd.DataFrame, rowsets: pd.DataFrame, subjects: pd.DataFrame) -> None:
    found = laws(stack([results], (given,)), rowsets, subjects, store.empty(contracts.RECONCILIATION), PLAN, (given,))
    assert found["holds"].all(), found[~found["holds"]].to_string()


def test_length_of_stay() -> None:
    given = outcome("length_of_stay", LENGTHS, {"by": "ARMCD"})
    subjects = people(5)
    results, rowsets = run(given, {"adsl": subjects, "adstay": adstay(STAYS)}, PLAN)
    whole = {"group": "Overall", "category": "All"}
    # 4, 10, 20 and longer than 183: median 15, first quartile 7, third above 20 and unknown
    assert [value(results, s, **whole) for s in ("n", "denominator", "median", "q1", "min")] == [4, 5, 15, 7, 4]
    top = one(results, "max", **whole)
    assert (top["value"], top["qualifier"]) == (183, ">")
    note = one(results, "median", **whole)["note"]
    assert note == "ends at death too, so that early death shortens it; 1 patient(s) without a length"
    assert value(results, "median", group="Overall", category="Discharged alive") == 15
    assert value(results, "median", group="Overall", category="Died") == 4
    assert value(results, "n", group="Overall", category="Still in on day 183") == 1
    readmitted = {"group": "Overall", "category": "Readmitted"}
    assert [value(results, s, **readmitted) for s in ("n", "denominator")] == [1, 2]
    free = {"group": "Overall", "category": "Days free of the stay to day 28"}
    assert [value(results, s, **free) for s in ("n", "median", "q1", "q3")] == [4, 4, 0, 13]
    assert value(results, "n", group="Overall", category="Dead by day 28: no free day") == 1
    check_laws(given, results, rowsets, subjects)


def test_discharge_alive_against_death() -> None:
    """Four patients at risk: death 4, discharge 10 and 20, one still in: incidence 1/4 and 2/4."""
    given = outcome("cumulative_incidence", LENGTHS, {"at": ["10 days", "20 days"]})
    results, _ = run(given, {"adsl": people(5), "adstay": adstay(STAYS)}, PLAN)
    assert value(results, "cif", category="death", time=20.0) == pytest.approx(0.25)
    assert value(results, "cif", category="hsct", time=10.0) == pytest.approx(0.25)
    assert value(results, "cif", category="hsct", time=20.0) == pytest.approx(0.5)
    assert value(results, "missing") == 1


def test_infections() -> None:
    given = outcome("nosocomial", ACQUIRED, {"by": "ARMCD"})
    subjects = people(4)
    results, rowsets = run(given, {"adsl": subjects, "adnoso": adnoso()}, PLAN)
    place = {"group": "Overall", "variable": "patients"}
    assert [value(results, s, parameter="ANYNOSO", **place) for s in ("n", "denominator", "events")] == [1, 4, 2]
    assert [value(results, s, parameter="ANYICU", **place) for s in ("n", "events")] == [1, 1]
    assert [value(results, s, parameter="REACT", **place) for s in ("n", "events")] == [1, 1]
    # exact limits of 1 of 4
    assert value(results, "upper", parameter="BACT", **place) == pytest.approx(80.588, abs=1e-3)
    place["variable"] = "rate"
    # 10 + 27 + 20 + 27 days; exact limits of one Poisson event: 0.0253178 and 5.5716434
    assert value(results, "person_days", parameter="ANYNOSO", **place) == 84
    assert value(results, "rate_days", parameter="ANYNOSO", **place) == pytest.approx(1000 / 84)
    assert value(results, "lower", parameter="ANYNOSO", **place) == pytest.approx(25.3178 / 84, rel=1e-4)
    assert value(results, "upper", parameter="ANYNOSO", **place) == pytest.approx(5571.6434 / 84, rel=1e-4)
    note = one(results, "rate_days", parameter="REACT", **place)["note"]
    assert note == "1 patient(s) with the infection on the first day: no time at risk"
    check_laws(given, results, rowsets, subjects)


def test_incidence_of_infection_with_death_competing() -> None:
    given = outcome("cumulative_incidence", ACQUIRED, {"at": ["27 days"], "where": {"PARAMCD": "ANYNOSO"}})
    results, _ = run(given, {"adsl": people(4), "adnoso": adnoso()}, PLAN)
    assert [value(results, "cif", category=c) for c in ("infection", "death", "hsct")] == pytest.approx([0.25, 0.25, 0])
