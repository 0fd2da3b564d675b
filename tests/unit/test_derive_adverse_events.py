"""Adverse events: imputed dates and windows (ruling 18). Expected values by hand."""

from __future__ import annotations

import pandas as pd
import pytest
from helpers.derive_case import adsl_of, check_contract, day, domain, filled

from trialpipe.config.protocol import Protocol
from trialpipe.derive.run import derive


def protocol() -> Protocol:
    dates = {"dose": "EXSTDTC", "cond": "PRSTDTC", "death": "DSSTDTC"}
    homes = {"dose": "ex", "cond": "pr", "death": "ds"}
    windows = [
        {"id": "on", "variable": "TRTEMFL", "label": "On", "start": "dose", "ends": ["cond"], "until": "4 months"},
        {"id": "cond", "variable": "CONDFL", "label": "Conditioning", "start": "cond"},
    ]
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
            "data_cutoff": "2019-12-31",
            "time": {"origin": "dose", "first_day": "1"},
            "milestones": [
                {"id": i, "variable": f"{i.upper()}DT", "label": i, "domain": homes[i], "date": v}
                for i, v in dates.items()
            ],
            "last_alive": {"domains": ["ae"]},
            "populations": [{"id": "all", "variable": "ALLFL", "label": "All"}],
            "datasets": [{"kind": "adverse_events", "id": "adae", "label": "AE", "windows": windows}],
        }
    )


def run(
    start: str | None, end: str | None = None, dose: str = "2018-01-15", cond: str = "", death: str = ""
) -> pd.DataFrame:
    clean = {
        "dm": domain("dm", [{"id": "1"}]),
        "ex": domain("ex", [{"id": "1", "EXSTDTC": dose}] if dose else []),
        "pr": domain("pr", [{"id": "1", "PRSTDTC": cond}] if cond else []),
        "ds": domain("ds", [{"id": "1", "DSSTDTC": death}] if death else []),
        "ae": domain("ae", [{"id": "1", "AETERM": "Fever", "AESTDTC": start, "AEENDTC": end, "key": "1/1"}]),
    }
    adsl = adsl_of(protocol(), clean)
    return derive("adae", protocol(), (), filled(protocol(), clean), {"adsl": adsl})


@pytest.mark.parametrize(
    ("start", "end", "onset", "flag", "inside"),
    [
        ("2018-01-14", None, "2018-01-14", None, "N"),
        ("2018-01-15", None, "2018-01-15", None, "Y"),
        ("2018-05-17", None, "2018-05-17", None, "Y"),  # day 122
        ("2018-05-18", None, "2018-05-18", None, "N"),
        ("2018-01", None, "2018-01-15", "D", "Y"),  # month of the first dose
        ("2018-01", "2018-01-10", "2018-01-01", "D", "N"),  # over before the first dose
        ("2018", None, "2018-01-15", "M", "Y"),
        ("2018-02", None, "2018-02-01", "D", "Y"),
        ("2017-12", None, "2017-12-01", "D", "N"),
        (None, None, None, None, "Y"),
        (None, "2018-01-10", None, None, "N"),
        (None, "2018-01", None, None, "Y"),
    ],
)
def test_onset_and_window(start, end, onset, flag, inside):
    row = run(start, end).iloc[0]
    assert (None if pd.isna(row["ASTDT"]) else row["ASTDT"].strftime("%Y-%m-%d")) == onset
    assert row["ASTDTF"] == flag
    assert row["TRTEMFL"] == inside
    assert bool(row["NOTE"]) == (start is None or len(start) < 10)


@pytest.mark.parametrize(
    ("end", "death", "expected", "flag"),
    [
        ("2018-03-10", "", "2018-03-10", None),
        ("2018-03", "", "2018-03-31", "D"),
        ("2018-03", "2018-03-20", "2018-03-20", "D"),
        ("2019", "", "2019-12-31", "M"),
        (None, "", None, None),
    ],
)
def test_end(end, death, expected, flag):
    row = run("2018-02-01", end, death=death).iloc[0]
    assert (None if pd.isna(row["AENDT"]) else row["AENDT"].strftime("%Y-%m-%d")) == expected
    assert row["AENDTF"] == flag


@pytest.mark.parametrize(
    ("start", "dose", "cond", "flags"),
    [
        ("2018-03-01", "2018-01-15", "2018-03-01", ("Y", "Y")),
        ("2018-03-02", "2018-01-15", "2018-03-01", ("N", "Y")),
        ("2018-02-28", "2018-01-15", "2018-03-01", ("Y", "N")),
        ("2018-01-15T08:00", "2018-01-15T10:00", "", ("N", "N")),
        ("2018-01-15T10:00", "2018-01-15T10:00", "", ("Y", "N")),
        ("2018-01-15", "2018-01-15T10:00", "", ("Y", "N")),
        ("2018-03-01", "", "", ("N", "N")),
        ("2018-01-05", "2018-01", "", ("Y", "N")),
        ("2018-03-15", "2018-01-15", "2018-03", ("Y", "Y")),
    ],
)
def test_window_bounds(start, dose, cond, flags):
    row = run(start, dose=dose, cond=cond).iloc[0]
    assert (row["TRTEMFL"], row["CONDFL"]) == flags


def test_rows_and_contract(tmp_path):
    found = run("2018-02-01")
    assert found["row_id"].tolist() == ["adae:t/1/1/1"]
    assert found["from"].tolist() == [["ae:t/1/1/1"]]
    assert found["ATIME"].tolist() == [17.0]
    check_contract(found, "adae", protocol(), tmp_path)
    assert len(run("2020-01-01")) == 0
    assert day(0) == "2018-01-01"
