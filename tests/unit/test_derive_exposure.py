"""Planned administrations: given, dose, days, reason, sum per patient; and the analyses that print them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from helpers.analyse_frames import one, run, value
from helpers.analyse_frames import outcome as analysed
from helpers.derive_case import adsl_of, check_contract, day, domain

from trialpipe.config.protocol import Protocol
from trialpipe.derive.exposure import COURSE
from trialpipe.derive.run import derive

REASON = {"domain": "ds", "where": {"DSDECOD": "DLI NOT GIVEN"}, "variable": "DSTERM", "number": "DSSEQN"}


def protocol(**changes: Any) -> Protocol:
    spec = {"kind": "exposure", "id": "adex", "label": "DLI", "name": "DLI", "planned": "3", "start": "randomisation"}
    spec |= {"where": {"EXTRT": "DLI"}, "number": "EXNUM", "reason": REASON, "patients": {"ARMCD": "DLI"}, **changes}
    return Protocol.model_validate(
        {
            "trial": "t",
            "acronym": "T",
            "title": "t",
            "sponsor": "s",
            "synthetic": "true",
            "source": "s",
            "design": {"allocation": "randomised", "planned_n": "1", "summary": "s"},
            "arms": [{"id": "DLI", "label": "DLI"}, {"id": "CTRL", "label": "No DLI"}],
            "data_cutoff": "2019-12-31",
            "time": {"origin": "randomisation", "first_day": "0"},
            "milestones": [
                {"id": "randomisation", "variable": "RANDDT", "label": "Randomisation", "domain": "ds"}
                | {"where": {"DSDECOD": "RANDOMIZED"}, "date": "DSSTDTC"}
            ],
            "last_alive": {"domains": ["ds"]},
            "populations": [{"id": "itt", "variable": "ITTFL", "label": "Randomised", "require": "randomisation"}],
            "datasets": [spec],
        }
    )


def dose(number: str, when: int, amount: float | None, place: str | None, **more: Any) -> dict[str, Any]:
    row = {"id": number, "EXTRT": "DLI", "EXDOSE": amount, "EXDOSU": "10*6/kg", "EXSTDTC": day(when), "EXNUM": place}
    return row | {"key": f"{place}-{when}", **more}


def clean() -> dict[str, pd.DataFrame]:
    people = [{"id": str(n), "ARMCD": "CTRL" if n == 5 else "DLI"} for n in range(1, 7)]
    given = [
        dose("1", 10, 1.0, "1"),
        dose("1", 60, 5.0, "2"),
        dose("1", 110, 10.0, "3"),
        dose("2", 12, 1.0, "1"),
        dose("2", 70, 5.0, "2", EXSTAT="NOT DONE"),
        dose("4", 20, None, "1"),
        dose("5", 20, 1.0, "1"),
        dose("6", -20, 1.0, "1"),
        dose("6", 15, 0.0, "1"),
    ]
    status = [{"id": str(n), "DSDECOD": "RANDOMIZED", "DSSTDTC": day(0)} for n in range(1, 7)]
    for number, place, text in (("2", "2", "GVHD"), ("2", "3", "GVHD"), ("3", "1", "Relapse")):
        status.append({"id": number, "DSDECOD": "DLI NOT GIVEN", "DSTERM": text, "DSSEQN": place, "DSSTDTC": day(60)})
    return {"dm": domain("dm", people), "ex": domain("ex", given), "ds": domain("ds", status)}


def numeric(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    tables["ex"]["EXDOSE"] = pd.to_numeric(tables["ex"]["EXDOSE"])
    return tables


def adex(configured: Protocol, tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    return derive("adex", configured, (), tables, {"adsl": adsl_of(configured, tables)})


def text(frame: pd.DataFrame, number: str, code: str) -> list[str | None]:
    rows = frame[(frame["USUBJID"] == f"t/{number}") & (frame["PARAMCD"] == code)]
    return list(rows["AVALC"])


def test_administrations(tmp_path: Path) -> None:
    configured, tables = protocol(), numeric(clean())
    frame = adex(configured, tables)
    check_contract(frame, "adex", configured, tmp_path)
    assert "t/5" not in set(frame["USUBJID"])
    assert [text(frame, n, "GIVEN") for n in "12346"] == [
        ["Y", "Y", "Y"],
        ["Y", "N", "N"],
        ["N", "N", "N"],
        ["Y", "N", "N"],
        ["N", "N", "N"],
    ]
    assert [text(frame, n, "REASON") for n in "123"] == [
        [],
        ["GVHD", "GVHD"],
        ["Relapse", "Relapse", "Relapse"],
    ]
    assert text(frame, "4", "REASON") == ["not recorded", "not recorded"]
    late = frame[(frame["USUBJID"] == "t/3") & (frame["PARAMCD"] == "REASON")]
    assert list(late["NOTE"]) == [None, "reason of DLI 1", "reason of DLI 1"]
    assert text(frame, "1", "DOSE") == ["1", "5", "10"]
    assert text(frame, "1", "DAYS") == ["10", "60", "110"]
    assert [text(frame, n, "NGIVEN")[0] for n in "12346"] == ["3", "1", "0", "1", "0"]
    assert [text(frame, n, "CUMDOSE")[0] for n in "12346"] == ["16", "1", "0", None, "0"]
    row = frame[(frame["USUBJID"] == "t/4") & (frame["PARAMCD"] == "CUMDOSE")].iloc[0]
    assert row["NOTE"] == "a dose is missing or units differ"
    row = frame[(frame["USUBJID"] == "t/1") & (frame["PARAMCD"] == "CUMDOSE")].iloc[0]
    assert (row["AVALU"], len(row["from"]), row["AVISIT"]) == ("10*6/kg", 3, COURSE)


def test_without_numbers_the_dates_count() -> None:
    tables = numeric(clean())
    tables["ex"] = tables["ex"].drop(columns="EXNUM")
    reason = {k: v for k, v in REASON.items() if k != "number"}
    frame = adex(protocol(number=None, reason=reason, patients={}), tables)
    assert text(frame, "1", "DOSE") == ["1", "5", "10"]
    assert text(frame, "3", "REASON") == ["Relapse"] * 3
    assert text(frame, "5", "GIVEN") == ["Y", "N", "N"]


def test_more_than_planned_and_a_number_twice() -> None:
    tables = clean()
    more = [dose("1", 160 + k, 1.0, place) for k, place in enumerate(("4", "1"))]
    given = [row for row in tables["ex"].to_dict("records") if row["USUBJID"] == "t/1"]
    tables["ex"] = pd.concat([pd.DataFrame(given), domain("ex", more)], ignore_index=True)
    frame = adex(protocol(), numeric(tables))
    assert text(frame, "1", "GIVEN") == ["Y"] * 5
    assert text(frame, "1", "NGIVEN") == ["5"]
    row = frame[(frame["USUBJID"] == "t/1") & (frame["PARAMCD"] == "NGIVEN")].iloc[0]
    assert row["NOTE"] == "number 1 recorded twice: read by order of dates"


@pytest.mark.parametrize(
    ("recorded", "numbers"),
    [
        (["1", "2", "3"], [1, 2, 3]),
        (["2", "1", "3"], [1, 2, 3]),
        (["1", "1"], [1, 2]),
        (["2", "2"], [2, 3]),
        (["1", "1", "2"], [1, 2, 3]),
        (["1", "3", "3"], [1, 3, 4]),
        ([None, "2"], [1, 2]),
        (["1", None, "3"], [1, 2, 3]),
        ([None, "3"], [1, 3]),
    ],
)
def test_number_absent_or_twice_is_read_by_the_order_of_dates(recorded: list[str | None], numbers: list[int]) -> None:
    tables = clean()
    tables["ex"] = domain("ex", [dose("1", 10 + 50 * n, 1.0, place) for n, place in enumerate(recorded)])
    frame = adex(protocol(), numeric(tables))
    rows = frame[(frame["USUBJID"] == "t/1") & (frame["PARAMCD"] == "GIVEN") & (frame["AVALC"] == "Y")]
    assert list(rows["AVISIT"]) == [f"DLI {n}" for n in numbers]
    assert text(frame, "1", "NGIVEN") == [str(len(recorded))]


def test_administration_without_a_date_is_given_on_an_unknown_day() -> None:
    """A partial date counts unless it is wholly before the start (2018-01-01)."""
    tables = clean()
    written = zip("123", (None, "2017-12", "2018"), strict=True)
    tables["ex"] = domain("ex", [dose(number, 0, 1.0, "1", EXSTDTC=date) for number, date in written])
    frame = adex(protocol(), numeric(tables))
    assert [text(frame, number, "GIVEN") for number in "123"] == [["Y", "N", "N"], ["N"] * 3, ["Y", "N", "N"]]
    assert [text(frame, number, "DOSE") for number in "123"] == [["1"], [], ["1"]]
    assert text(frame, "1", "DAYS") == text(frame, "3", "DAYS") == []


def test_row_order_does_not_matter() -> None:
    configured, tables = protocol(), numeric(clean())
    wanted = adex(configured, tables)
    order = list(range(len(tables["ex"])))
    random.Random(3).shuffle(order)
    tables["ex"] = tables["ex"].iloc[order].reset_index(drop=True)
    pd.testing.assert_frame_equal(wanted, adex(configured, tables))


def test_feasibility_is_printed_by_the_kinds_of_findings() -> None:
    configured, tables = protocol(), numeric(clean())
    adsl = adsl_of(configured, tables)
    data = {"adsl": adsl, "adex": derive("adex", configured, (), tables, {"adsl": adsl})}
    base = {"estimand": {"population": "itt", "treatment": "t", "variable": "v", "summary": "s"}}
    arm = {"by": "ARMCD", "overall": "false"}
    visits = ["DLI 1", "DLI 2", "DLI 3"]
    endpoint = {"kind": "findings", "dataset": "adex"}

    doses, _ = run(
        analysed("describe_by_visit", endpoint, {"parameters": ["DOSE"], "visits": visits, **arm}, **base),
        data,
        configured,
    )
    assert value(doses, "n", visit="DLI 1", group="DLI") == 2
    assert value(doses, "median", visit="DLI 2", group="DLI") == pytest.approx(5)
    assert one(doses, "median", visit="DLI 2", group="DLI")["unit"] == "10*6/kg"

    spec = {"parameters": ["GIVEN"], "visits": visits, "categories": ["Y", "N"], **arm}
    given, _ = run(analysed("categories_by_visit", endpoint, spec, **base), data, configured)
    found = [value(given, "n", visit=v, group="DLI", category="Y") for v in visits]
    assert found == [3, 1, 1]
    assert value(given, "denominator", visit="DLI 1", group="DLI", category="Y") == 5

    spec = {"parameters": ["NGIVEN"], "visits": [COURSE], "categories": ["0", "1", "2", "3"], **arm}
    number, _ = run(analysed("categories_by_visit", endpoint, spec, **base), data, configured)
    assert [value(number, "n", group="DLI", category=c) for c in "0123"] == [2, 2, 0, 1]
