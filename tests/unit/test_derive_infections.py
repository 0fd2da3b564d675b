"""First viral infections. A row of ``infections_truth.csv`` per branch; expected values by hand.

``records`` are ``day[Thh:mm] result [unit] [POS|NEG] [ORGAN]`` in elapsed days from the first dose at 12:00;
``events`` are milestones by elapsed day or ISO text, ``seen`` the last news (day 100 if none stands there).
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

TRUTH = list(csv.DictReader((Path(__file__).parent / "data" / "infections_truth.csv").open(encoding="utf-8")))
WORDS = {"NEG": "NEGATIVE", "POS": "POSITIVE"}


def protocol(**changes: object) -> Protocol:
    milestones = [
        {"id": i, "variable": v, "label": i, "domain": "ce", "where": {"CEDECOD": i}, "date": "CESTDTC"}
        for i, v in (("first_dose", "TRTSDT"), ("conditioning", "CONDDT"), ("death", "DTHDT"))
    ]
    dataset = {
        "kind": "infections",
        "id": "adinf",
        "label": "Infections",
        "viruses": [{"code": v, "label": v, "where": {"MBTESTCD": v}} for v in ("CMV", "EBV")],
        "start": "first_dose",
        "ends": ["conditioning"],
        "until": "56 days",
        "competing": ["death", "conditioning"],
    }
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
            "time": {"origin": "first_dose", "first_day": "0"},
            "milestones": milestones,
            "last_alive": {"domains": ["ce"]},
            "populations": [{"id": "all", "variable": "ALLFL", "label": "All"}],
            "datasets": [dataset | changes],
        }
    )


PROTOCOL = protocol()


def date(text: str, shift: int) -> str:
    """ISO text of an elapsed day with an optional clock time, or ISO text as it stands."""
    number, mark, clock = text.partition("T")
    if not number.lstrip("-").isdigit() or len(number) == 4:
        return text
    return day(int(number) + shift) + mark + clock


def records(number: str, virus: str, text: str, shift: int) -> list[dict[str, object]]:
    rows = []
    for record in filter(None, text.split(";")):
        when, result, *rest = record.split()
        value: object = WORDS.get(result, result)
        if result[0].isdigit():
            value = float(result)
        row: dict[str, object] = {"id": number, "test": virus, "value": value, "date": date(when, shift)}
        row["MBQUAL"] = next((WORDS[word] for word in rest if word in WORDS), None)
        row["MBORGAN"] = "Y" if "ORGAN" in rest else "N"
        row["MBORRESU"] = next((word for word in rest if "/" in word), None)
        rows.append(row)
    return rows


def clean(patients: dict[str, tuple[str, str, str]], shift: int = 0) -> dict[str, pd.DataFrame]:
    """Patients by number: (records of CMV, records of EBV, events)."""
    mb: list[dict[str, object]] = []
    ce: list[dict[str, object]] = []
    for number, (cmv, ebv, events) in patients.items():
        mb += records(number, "CMV", cmv, shift) + records(number, "EBV", ebv, shift)
        found = {"first_dose": "0T12:00"} | dict(event.split("=") for event in events.split())
        if "death" not in found:
            found.setdefault("seen", "100")
        ce += [{"id": number, "CEDECOD": e, "CESTDTC": date(text, shift)} for e, text in found.items()]
    dm: list[dict[str, object]] = [{"id": number} for number in patients]
    return {"mb": domain("mb", mb), "ce": domain("ce", ce), "dm": domain("dm", dm)}


def infections(patients: dict[str, tuple[str, str, str]], plan: Protocol = PROTOCOL, shift: int = 0) -> pd.DataFrame:
    return derive_all(plan, (), clean(patients, shift))["adinf"]


def check(row: pd.Series, case: dict[str, str]) -> None:
    assert (row["BASESTAT"], row["CLASS"]) == (case["base"], case["class"])
    if not case["cnsr"]:
        assert pd.isna(row["CNSR"])
        assert pd.isna(row["AVAL"])
    else:
        assert (row["CNSR"], row["AVAL"]) == (int(case["cnsr"]), float(case["time"]))
        assert row["ADT"] == row["STARTDT"] + pd.Timedelta(days=int(case["time"]))
    assert (row["EVENT"] or "") == case["event"]


@pytest.mark.parametrize("case", TRUTH, ids=[row["case"] for row in TRUTH])
def test_truth(case):
    found = infections({"1": (case["records"], "", case["events"])}).set_index("PARAMCD")
    assert list(found.index) == ["CMV", "EBV", "ANYVIR"]
    check(found.loc["CMV"], case)
    assert (found.loc["CMV", "NOTE"] or "") == case["note"]
    check(found.loc["ANYVIR"], case)  # the other virus was not looked for
    assert found.loc["EBV", "CLASS"] == "not tested"


def test_any_virus_is_the_first_of_all(tmp_path):
    found = infections(
        {
            "1": ("-3 1000;10 20000", "-3 NEG;20 500", ""),
            "2": ("-3 1000;10 20000", "-3 NEG;10 500", ""),
            "3": ("-3 NEG", "7 500", ""),
            "4": ("-3 NEG;7 NEG", "", ""),
            "5": ("7 500", "-3 NEG;20 500", ""),
        }
    )
    check_contract(found, "adinf", PROTOCOL, tmp_path)
    whole = found[found["PARAMCD"] == "ANYVIR"].set_index("USUBJID")
    assert list(whole["CLASS"]) == ["worsening", "de novo", "unclassifiable", "none", "de novo"]
    assert list(whole["AVAL"]) == [10, 10, 56, 56, 20]
    assert list(whole["BASESTAT"]) == ["positive", "positive", "negative", "negative", "negative"]
    assert whole["EVNTDESC"].iloc[1] == "CMV: Worsening, rise of at least 1 log10; EBV: De novo infection"
    assert whole["NOTE"].iloc[3] == "EBV no PCR"
    assert list(whole["NTEST"]) == [4, 4, 2, 2, 3]
    assert list(whole["from"].iloc[3]) == ["adsl:t/4", "mb:t/4/CMV/11", "mb:t/4/CMV/12"]


def test_other_baseline_and_rise():
    plan = protocol(baseline=["-7", "3"], rise_log10="0.5")
    found = infections({"1": ("-10 NEG;2 1000;9 3000;16 3200", "", "")}, plan).iloc[0]
    assert (found["BASESTAT"], found["CLASS"], found["AVAL"]) == ("positive", "worsening", 16)


def test_open_window_is_censored_at_the_last_day_known_alive():
    found = infections({"1": ("-3 NEG;7 NEG", "", "seen=80")}, protocol(until=None)).iloc[0]
    assert (found["CNSR"], found["AVAL"], found["EVNTDESC"]) == (1, 80, "Censored: Last known alive")


def test_start_missing_or_partial():
    tables = clean({"1": ("-3 NEG;7 500", "", ""), "2": ("-3 NEG;7 500", "", "")})
    dose = tables["ce"]["CEDECOD"] == "first_dose"
    tables["ce"] = tables["ce"][~(dose & (tables["ce"]["USUBJID"] == "t/1"))].reset_index(drop=True)
    dose = tables["ce"]["CEDECOD"] == "first_dose"
    tables["ce"].loc[dose, "CESTDT_HI"] = pd.Timestamp("2018-01-31")
    found = derive_all(PROTOCOL, (), tables)["adinf"]
    assert set(found["USUBJID"]) == {"t/2"}
    assert set(found["CLASS"]) == {"undetermined"}
    assert found["AVAL"].isna().all()
    assert found["NOTE"].iloc[0] == "date of first_dose partial"


def test_no_record_at_all():
    found = derive_all(PROTOCOL, (), clean({"1": ("", "", "")}) | {"mb": domain("mb", [])})["adinf"]
    assert list(found["CLASS"]) == ["not tested"] * 3
    assert derive_all(PROTOCOL, (), {})["adinf"].empty


SOME = [row for row in TRUTH if "2018" not in row["records"] + row["events"]]


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(len(SOME))), st.integers(0, 300))
def test_order_of_rows_and_a_shift_of_all_dates_change_nothing(order, shift):
    patients = {f"{i:02d}": (SOME[i]["records"], "", SOME[i]["events"]) for i in order}
    tables = {name: frame.sample(frac=1, random_state=order[0]) for name, frame in clean(patients, shift).items()}
    found = derive_all(PROTOCOL, (), tables)["adinf"]
    for (_, row), case in zip(found[found["PARAMCD"] == "CMV"].iterrows(), SOME, strict=True):
        check(row, case)
