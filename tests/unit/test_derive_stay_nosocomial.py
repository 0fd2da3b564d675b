"""Length of stay and infections acquired in hospital: a row of the truth tables per branch, expected values by hand.

Dates are elapsed days from inclusion (10:00 that day) with an optional clock time, or ISO text; admission to hospital
and intensive care is day -1 at 10:00, the last news day 200 unless said otherwise.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
import pytest
from helpers.derive_case import check_contract, day, derive_all, domain
from hypothesis import given, settings
from hypothesis import strategies as st

from trialpipe.config.protocol import Protocol

DATA = Path(__file__).parent / "data"
STAYS = list(csv.DictReader((DATA / "stay_truth.csv").open(encoding="utf-8")))
INFECTIONS = list(csv.DictReader((DATA / "nosocomial_truth.csv").open(encoding="utf-8")))
MILESTONES = {
    "inclusion": "RFICDT",
    "hospital": "HOSPDT",
    "icu": "ICUDT",
    "discharge": "DISCHDT",
    "readmission": "READMDT",
    "death": "DTHDT",
}
STAY: dict[str, object] = {
    "kind": "stay",
    "id": "adstay",
    "label": "Intensive care",
    "code": "ICUSTAY",
    "origin": "inclusion",
    "discharge": "discharge",
    "over_by": "hospital",
    "readmission": "readmission",
}
NOSOCOMIAL: dict[str, object] = {
    "kind": "nosocomial",
    "id": "adnoso",
    "label": "Infections",
    "where": {"CECAT": "INFECTION"},
    "types": [
        {"code": "BACT", "label": "Bacterial", "where": {"CEDECOD": "B"}},
        {"code": "REACT", "label": "Viral reactivation", "where": {"CEDECOD": "R"}, "apart": "true"},
    ],
    "origin": "inclusion",
    "admission": "hospital",
    "until": "27 days",
    "competing": ["death", "discharge"],
    "place": "CELOC",
    "icu_admission": "icu",
}


def protocol(*datasets: dict[str, object]) -> Protocol:
    where = {"CECAT": "MILESTONE"}
    return Protocol.model_validate(
        {
            "trial": "t",
            "acronym": "T",
            "title": "t",
            "sponsor": "s",
            "synthetic": "true",
            "source": "s",
            "design": {"allocation": "single_arm", "planned_n": "1", "summary": "s"},
            "arms": [{"id": "A", "label": "A"}],
            "data_cutoff": "2020-12-31",
            "time": {"origin": "inclusion", "first_day": "1"},
            "milestones": [
                {"id": i, "variable": v, "label": i, "domain": "ce", "where": where | {"CEDECOD": i}, "date": "CESTDTC"}
                for i, v in MILESTONES.items()
            ],
            "last_alive": {"domains": ["ce"], "exclude": {"ce": {"CECAT": "INFECTION"}}},
            "populations": [{"id": "all", "variable": "ALLFL", "label": "All"}],
            "datasets": list(datasets),
        }
    )


def date(text: str, shift: int) -> str | None:
    number, mark, clock = text.partition("T")
    if not number.lstrip("-").isdigit() or len(number) == 4:
        return text or None
    return day(int(number) + shift) + mark + clock


def clean(patients: dict[str, tuple[str, str]], shift: int = 0, **first: str) -> dict[str, pd.DataFrame]:
    """Patients by number: (records ``day type place``, events)."""
    rows: list[dict[str, object]] = []
    for number, (records, events) in patients.items():
        found = {"inclusion": "0T10:00"} | first | dict(event.split("=") for event in events.split())
        if "death" not in found:
            found.setdefault("seen", "200")
        for name, text in found.items():
            rows.append({"id": number, "CECAT": "MILESTONE", "CEDECOD": name, "CESTDTC": date(text, shift)})
        for record in filter(None, records.split(";")):
            when, code, place = record.split(" ")
            more = {"CECAT": "INFECTION", "CEDECOD": code, "CELOC": place}
            rows.append({"id": number, "CESTDTC": date(when, shift), **more})
    return {"ce": domain("ce", rows), "dm": domain("dm", [{"id": number} for number in patients])}


def stays(patients: dict[str, str], shift: int = 0, **changes: object) -> pd.DataFrame:
    tables = clean({number: ("", events) for number, events in patients.items()}, shift)
    return derive_all(protocol(STAY | changes), (), tables)["adstay"]


def nosocomial(patients: dict[str, tuple[str, str]], shift: int = 0, **changes: object) -> pd.DataFrame:
    tables = clean(patients, shift, hospital="-1T10:00", icu="-1T10:00")
    return derive_all(protocol(NOSOCOMIAL | changes), (), tables)["adnoso"]


def number(text: str) -> float | None:
    return float(text) if text else None


def plain(value: object) -> object:
    return None if pd.isna(value) else value


def check_stay(row: pd.Series, case: dict[str, str]) -> None:
    assert (plain(row["CNSR"]), plain(row["AVAL"])) == (number(case["cnsr"]), number(case["time"]))
    assert (row["ENDED"] or "", row["READMFL"]) == (case["ended"], case["readmitted"])
    assert (plain(row["FREEDY"]), row["FREEDTH"] or "") == (number(case["free"]), case["dead"])
    assert (row["NOTE"] or "") == case["note"]


@pytest.mark.parametrize("case", STAYS, ids=[c["case"] for c in STAYS])
def test_stay(case: dict[str, str], tmp_path: Path) -> None:
    found = stays({"1": case["events"]})
    check_contract(found, "adstay", protocol(STAY), tmp_path)
    check_stay(found.iloc[0], case)


def test_no_day_is_free_from_a_readmission_on_if_so_declared() -> None:
    found = stays({"1": "discharge=10 readmission=15", "2": "discharge=10"}, free_until_readmission="true")
    assert list(found["FREEDY"]) == [5, 18]


def check_infection(rows: pd.DataFrame, case: dict[str, str]) -> None:
    whole = rows[rows["PARAMCD"] == "ANYNOSO"].iloc[0]
    assert (whole["CNSR"], whole["AVAL"], whole["EVENT"] or "") == (
        int(case["cnsr"]),
        float(case["time"]),
        case["event"],
    )
    assert whole["NEPI"] == int(case["episodes"])
    assert rows[rows["PARAMCD"] == "ANYICU"]["NEPI"].iloc[0] == int(case["icu"])


@pytest.mark.parametrize("case", INFECTIONS, ids=[c["case"] for c in INFECTIONS])
def test_infection(case: dict[str, str], tmp_path: Path) -> None:
    found = nosocomial({"1": (case["records"], case["events"])})
    check_contract(found, "adnoso", protocol(NOSOCOMIAL), tmp_path)
    check_infection(found, case)
    assert (found[found["PARAMCD"] == "ANYNOSO"]["NOTE"].iloc[0] or "") == case["note"]
    assert (found["PARAMCD"] == "EPISODE").sum() == len([r for r in case["records"].split(";") if r])


def test_types_and_what_is_apart() -> None:
    found = nosocomial({"1": ("10T08:00 R ICU;12T08:00 B ICU", "")}).set_index("PARAMCD")
    assert list(found.index) == ["BACT", "REACT", "ANYNOSO", "ANYICU", "EPISODE", "EPISODE"]
    assert list(found["AVAL"]) == [12, 10, 12, 12, 10, 12]
    assert list(found.loc["EPISODE", "TYPES"]) == ["REACT", "BACT"]


def test_place_by_dates_hours_after_leaving_and_readmission() -> None:
    unit = {"icu_discharge": "discharge", "competing": ["death"]}
    patients = {
        "1": ("10T08:00 B -", "discharge=12T08:00"),
        "2": ("13T08:00 B WARD", "discharge=12T08:00"),
        "3": ("21T08:00 B ICU", "discharge=12T08:00 readmission=20T08:00"),
        "4": ("23T08:00 B ICU", "discharge=12T08:00 readmission=20T08:00"),
    }

    def acquired(**changes: object) -> list[str]:
        rows = nosocomial(patients, **(unit | changes))
        return list(rows[rows["PARAMCD"] == "EPISODE"]["ICUFL"])

    patients["1"] = ("10T08:00 B WARD", patients["1"][1])
    assert acquired() == ["N", "N", "Y", "Y"]
    assert acquired(icu_after="48") == ["N", "Y", "Y", "Y"]
    assert acquired(icu_readmission="readmission") == ["N", "N", "N", "Y"]
    assert acquired(place=None) == ["Y", "N", "N", "N"]
    assert acquired(place=None, icu_readmission="readmission") == ["Y", "N", "N", "Y"]
    assert acquired(icu_admission=None, place=None) == ["N", "N", "N", "N"]


def test_nobody() -> None:
    found = derive_all(protocol(STAY, NOSOCOMIAL), (), {})
    assert found["adstay"].empty
    assert found["adnoso"].empty


FREE = [c for c in STAYS if "2018" not in c["events"]]
ANY = [c for c in INFECTIONS if "2018" not in c["records"]]


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(len(FREE))), st.integers(0, 300))
def test_order_and_origin_change_no_stay(order: list[int], shift: int) -> None:
    found = stays({f"{i:02d}": FREE[i]["events"] for i in order}, shift)
    for (_, row), case in zip(found.iterrows(), FREE, strict=True):
        check_stay(row, case)


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(len(ANY))), st.integers(0, 300))
def test_order_and_origin_change_no_infection(order: list[int], shift: int) -> None:
    found = nosocomial({f"{i:02d}": (ANY[i]["records"], ANY[i]["events"]) for i in order}, shift)
    for i, case in enumerate(ANY):
        check_infection(found[found["USUBJID"] == f"t/{i:02d}"], case)
