"""Bio-Plex plates: bounds from valid standards, replicates, flags, repeats. Expected values by hand."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from trialpipe.clean.run import clean, context_from
from trialpipe.config.extracts import DomainMap

SPEC = {
    "trial": "t",
    "data_cutoff": "2020-06-30",
    "dialects": {"b": {}},
    "codelists": [{"id": "A", "values": {"IL-6": "IL6"}}, {"id": "T", "values": {}}],
    "subject_pattern": "[A-Z][0-9]",
    "checks": [],
}
DOMAIN = {
    "domain": "lbcy",
    "label": "x",
    "observation": "finding",
    "key": ["LBTESTCD", "LBREFID"],
    "rows": [
        {
            "form": "b.plates",
            "prepare": "bioplex",
            "subject": "Description",
            "set": {"LBREFID": {"item": "SAMPLE"}},
            "long": {"code": "ANALYTE", "codelist": "A", "result": "Obs Conc", "unit": "pg/mL"},
        }
    ],
}
# type, expected, observed of both wells: recoveries 105, 100, 95, 150 % -> valid from 10 to 1050
STANDARDS = (("S1", 1000, (1040, 1060)), ("S2", 100, (98, 102)), ("S3", 10.526, (9.9, 10.1)), ("S4", 1, (1.4, 1.6)))
BOUND = "dilution factor included"


def plate(
    *wells: tuple[str, str],
    name: str = "p1",
    date: str = "2020-01-01",
    dilution: str = "4",
    meta: dict | None = None,
    controls: tuple[float, ...] = (100, 100),
    standards: tuple = STANDARDS,
) -> list[dict]:
    rows = []

    def add(kind: str, obs: str | None, **more: str) -> None:
        cells = {"Type": kind, "Description": None, "Outlier": None, "Exp Conc": None, "Dilution": "1", **more}
        line = len(rows) + 8
        rows.append(
            {"source_file": f"{name}.xlsx", "source_row": line, "source_sheet": "IL-6", "Obs Conc": obs, **cells}
        )

    for kind, expected, twins in standards:
        for value in twins:
            add(kind, str(value), **{"Exp Conc": str(expected)})
    add("B", "OOR <")
    for value in controls:
        add("C1", str(value), **{"Exp Conc": "100"})
    for sample, text in wells:
        add("X1", text or None, Description=sample, Dilution=dilution)
    declared = {"Obs Conc": BOUND, "Units": "pg/mL"} if meta is None else meta
    for row in rows:
        row |= {"ANALYTE": "IL-6", "PLATE_META": json.dumps(declared), "PLATE_DATE": date, "PLATE_FILE": name}
        row |= {"RECOVERY_LOW": "70", "RECOVERY_HIGH": "130"}
    return rows


def run(*plates: list[dict], order: str = "ISO"):
    frame = pd.DataFrame([row for rows in plates for row in rows], dtype="object")
    result = clean(
        DomainMap.model_validate(DOMAIN),
        {"b.plates": frame},
        context_from({**SPEC, "dialects": {"b": {"dates": order}}}),
    )
    accounts = result.reconciliation.groupby("status")["rows"].sum()
    assert accounts["in"] == accounts["kept"] + accounts.get("set_aside", 0) == len(frame)
    return result


def rules(result) -> list[str]:
    return result.queries["rule"].tolist()


def pair(first: str, second: str, **more):
    return run(plate(("A1", first), ("A1", second), **more))


def test_bounds_are_dilution_times_the_outer_valid_standards():
    row = pair("80", "82").table.iloc[0]
    assert (row["LBLLOQ"], row["LBULOQ"]) == (40, 4200)
    assert (row["LBSTRESN"], row["LBSTRESC"], row["LBCENS"], row["LBSTRESU"]) == (81, "81", "none", "pg/mL")
    assert row["flags"] == ["REPLICATES_MEAN"]
    assert row["row_id"] == "lbcy:t/A1/IL6/A1/1"
    assert {"p1.xlsx[IL-6]:19:Obs Conc", "p1.xlsx[IL-6]:20:Obs Conc"} <= set(row["origin"])


@pytest.mark.parametrize(
    ("first", "second", "shown", "cens", "flags", "queries"),
    [
        ("OOR <", "OOR <", "<40", "left", ["BLQ"], []),
        ("OOR >", "OOR >", ">4200", "right", ["ALQ"], []),
        ("*38", "OOR <", "<40", "left", ["BLQ", "EXTRAPOLATED"], ["extrapolated"]),
        ("*4300", "*4400", ">4200", "right", ["ALQ", "EXTRAPOLATED"], ["extrapolated"]),
        ("*40", "OOR <", "<40", "left", ["BLQ", "EXTRAPOLATED"], ["extrapolated"]),
        ("*4200", "4100", ">4200", "right", ["ALQ", "EXTRAPOLATED"], ["extrapolated", "replicate-censored"]),
        ("*41", "43", "42", "none", ["REPLICATES_MEAN", "EXTRAPOLATED"], ["extrapolated"]),
        ("42", "OOR <", "<40", "left", ["BLQ"], ["replicate-censored"]),
        ("4100", "OOR >", ">4200", "right", ["ALQ"], ["replicate-censored"]),
        ("80", "***", "80", "none", [], ["well-excluded"]),
        ("80", "---", "80", "none", [], ["outlier-removed"]),
        ("80", "", "80", "none", [], []),
        ("80", "113", "96.5", "none", ["REPLICATES_MEAN"], []),
        ("80", "116", "98", "none", ["REPLICATES_MEAN"], ["replicate-cv"]),
    ],
)
def test_two_wells(first, second, shown, cens, flags, queries):
    result = pair(first, second)
    row = result.table.iloc[0]
    assert (row["LBSTRESC"], row["LBCENS"], row["flags"]) == (shown, cens, flags)
    assert pd.isna(row["LBSTRESN"]) == (cens != "none")
    assert rules(result) == queries


@pytest.mark.parametrize(
    ("first", "second", "rule"), [("OOR <", "OOR >", "replicate-contradiction"), ("***", "***", "well-excluded")]
)
def test_wells_without_a_result(first, second, rule):
    result = pair(first, second)
    assert result.table.empty
    assert rules(result) == [rule]
    assert "no result" in result.reconciliation["reason"].tolist()


def test_the_dilution_is_never_multiplied_twice():
    assert pair("80", "82").table.iloc[0]["LBSTRESN"] == 81
    apart = pair("20", "20.5", meta={"Obs Conc": "dilution factor not included", "Units": "pg/mL"})
    assert apart.table.iloc[0]["LBSTRESN"] == 81
    silent = pair("80", "82", meta={})
    assert silent.table.iloc[0]["LBSTRESN"] == 81
    assert rules(silent) == ["dilution-undeclared"]
    assert rules(pair("80", "82", meta={}, dilution="1")) == []


def test_the_unit_of_the_plate_wins_over_the_mapping():
    row = pair("0.08", "0.082", meta={"Obs Conc": BOUND, "Units": "ng/mL"}).table.iloc[0]
    assert (row["LBSTRESN"], row["LBORRESU"], row["flags"]) == (81, "ng/mL", ["UNIT_CONVERTED", "REPLICATES_MEAN"])


def test_the_last_accepted_run_counts():
    first = plate(("A1", "80"), ("A1", "82"), name="p1", date="2020-01-01")
    second = plate(("A1", "90"), ("A1", "92"), name="p2", date="2020-01-02")
    result = run(second, first)
    assert result.table["LBSTRESN"].tolist() == [91]
    assert rules(result) == ["plate-repeat"]
    aside = result.reconciliation.set_index("reason")
    assert aside.loc["repeated on another plate", "rows"] == 2
    assert aside.loc["repeated on another plate", "origin"][0].startswith("p1.xlsx[IL-6]:")


def test_a_plate_whose_controls_fail_gives_way_to_an_earlier_one():
    first = plate(("A1", "80"), ("A1", "82"), name="p1", date="2020-01-01")
    second = plate(("A1", "90"), ("A1", "92"), name="p2", date="2020-01-02", controls=(100, 150))
    result = run(first, second)
    assert result.table["LBSTRESN"].tolist() == [81]
    assert rules(result) == ["plate-control", "plate-repeat"]


def test_a_sheet_without_valid_standards_gives_nothing():
    result = pair("80", "82", standards=(("S1", 1000, (2000, 2100)), ("S2", 100, (98, 102))))
    assert result.table.empty
    assert rules(result) == ["plate-standards"]
    assert "plate without valid standards" in result.reconciliation["reason"].tolist()


def test_other_wells_are_accounted_for():
    reasons = pair("80", "82").reconciliation.set_index("reason")["rows"].to_dict()
    assert {key: value for key, value in reasons.items() if key} == {"standard": 8, "blank": 1, "control": 2}


def test_a_figure_beyond_all_measure_is_no_result():
    result = pair("1e308", "82")
    assert result.table["LBSTRESN"].tolist() == [82]
    assert rules(result) == ["well-excluded"]


def test_a_well_below_the_limit_without_a_star_is_asked_about():
    result = pair("38", "39")
    assert result.table["LBSTRESN"].tolist() == [38.5]
    assert rules(result) == ["limit-crossed"]


@pytest.mark.parametrize(
    ("earlier", "later", "order"),
    [
        ("14/11/2019", "02/12/2019", "DMY"),
        ("11/14/2019 2:01:03 PM", "12/02/2019 9:00:00 AM", "MDY"),
        ("9 March 2019, 02:01 PM", "10 March 2019, 09:00 AM", "DMY"),
        ("2019-03-09 11:59 AM", "2019-03-09 12:01 PM", "ISO"),
        ("2019-03-09 12:30 AM", "2019-03-09 01:00 AM", "ISO"),
        ("2019-03-09 9:05", "2019-03-09 14:05", "ISO"),
    ],
)
def test_plate_dates_are_compared_as_dates(earlier, later, order):
    # the file name would choose the other plate
    first = plate(("A1", "80"), ("A1", "82"), name="p2", date=earlier)
    second = plate(("A1", "90"), ("A1", "92"), name="p1", date=later)
    result = run(first, second, order=order)
    assert result.table["LBSTRESN"].tolist() == [91]
    assert rules(result) == ["plate-repeat"]


def test_a_plate_date_that_cannot_be_read_is_queried_where_it_decides():
    first = plate(("A1", "80"), ("A1", "82"), name="p1", date="2020-01-01")
    second = plate(("A1", "90"), ("A1", "92"), name="p2", date="last Tuesday")
    result = run(first, second)
    assert result.table["LBSTRESN"].tolist() == [81]
    assert rules(result) == ["plate-repeat", "plate-undated"]
    assert rules(run(second)) == []
