"""Luminex xPONENT plates: limits, bead counts, censoring, dilution, repeats. Expected values by hand."""

from __future__ import annotations

import json
import random

import pandas as pd
import pytest

from trialpipe.clean.run import clean, context_from
from trialpipe.config.extracts import DomainMap
from trialpipe.io.errors import DataError

SPEC = {
    "trial": "t",
    "data_cutoff": "2020-06-30",
    "codelists": [{"id": "A", "values": {"IL-6": "IL6", "IL-10": "IL10"}}],
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
            "prepare": "xponent",
            "subject": "SAMPLE",
            "set": {"LBREFID": {"item": "SAMPLE"}},
            "long": {"code": "ANALYTE", "codelist": "A", "result": "RESULT", "unit": "pg/mL"},
        }
    ],
}
# expected and observed of both wells: recoveries 105, 100, 95, 150 % -> valid from 10 to 1000
STANDARDS = ((1000, ("1040", "1060")), (100, ("98", "102")), (10, ("9.4", "9.6")), (1, ("1.4", "1.6")))
YES, NO = ["Dilution applied", "Yes"], ["Dilution applied", "No"]


def plate(
    *wells: tuple,
    name: str = "p1",
    date: str = "01/31/2020 2:01 PM",
    meta: tuple = (YES,),
    standards: tuple = STANDARDS,
    controls: tuple[str, ...] = ("100", "100"),
    unit: str | None = "pg/mL",
    analyte: str = "IL-6",
    recovery: dict[str, str] | None = None,
    ranges: tuple[str, str] | None = None,
    standard_beads: str = "80",
) -> list[dict]:
    """Rows of the blocks of one analyte; a well is (sample, result[, beads[, dilution]])."""
    rows: list[dict] = []

    def put(block: str, location: str | None, sample: str, value: str | None, column: str = analyte) -> None:
        cells = {"BLOCK": block, "LOCATION": location, "SAMPLE": sample, "ANALYTE": column, "VALUE": value}
        rows.append({"source_file": f"{name}.csv", "source_row": len(rows) + 30, "source_sheet": None, **cells})

    full = [(f"Standard{n}", v, standard_beads, "1") for n, (_, two) in enumerate(standards, 1) for v in two]
    full += [("Background0", "NaN", "80", "1"), *((f"Control{n}", v, "80", "1") for n, v in enumerate(controls, 1))]
    full += [(*well, *("80", "4")[len(well) - 2 :]) for well in wells]
    for block, column in (("Result", 1), ("Count", 2), ("Dilution Factor", 3)):
        for place, well in enumerate(full):
            location = f"{place + 1}(1,{'ABCDEFGH'[place % 8]}{place // 8 + 1})"
            put(block, location, well[0], well[column], "Dilution Factor" if column == 3 else analyte)
    put("Units", None, "BeadID:", "19")
    put("Units", None, "Units:", unit)
    for n, (expected, _) in enumerate(standards, 1):
        put("Standard Expected Concentration", None, f"Standard{n}", str(expected))
    for n, _ in enumerate(controls, 1):
        if ranges:
            put("Control Range - Low", None, f"Control{n}", ranges[0])
            put("Control Range - High", None, f"Control{n}", ranges[1])
        else:
            put("Control Expected Concentration", None, f"Control{n}", "100")
    for sample, value in (recovery or {}).items():
        put("% Recovery", None, sample, value)
    put("Avg Result", None, wells[0][0], "777")
    for row in rows:
        row |= {"TOTAL_EVENTS": None, "PLATE_BATCH": name, "PLATE_DATE": date, "PLATE_META": json.dumps(list(meta))}
    return rows


def run(*plates: list[dict], **spec):
    frame = pd.DataFrame([row for rows in plates for row in rows], dtype="object")
    dialects = {"b": {"dates": "MDY"}}
    result = clean(
        DomainMap.model_validate(DOMAIN), {"b.plates": frame}, context_from({**SPEC, "dialects": dialects, **spec})
    )
    accounts = result.reconciliation.groupby("status")["rows"].sum()
    lines = frame[["source_file", "source_row"]].drop_duplicates()
    assert accounts["in"] == accounts.get("kept", 0) + accounts.get("set_aside", 0) == len(lines)
    return result


def rules(result) -> list[str]:
    return result.queries["rule"].tolist()


def pair(first: str, second: str, **more):
    return run(plate(("A1", first), ("A1", second), **more))


def test_limits_are_dilution_times_the_outer_valid_standards():
    result = pair("80", "82")
    row = result.table.iloc[0]
    assert (row["LBLLOQ"], row["LBULOQ"]) == (40, 4000)
    assert (row["LBSTRESN"], row["LBCENS"], row["LBSTRESU"]) == (81, "none", "pg/mL")
    assert row["flags"] == ["REPLICATES_MEAN"]
    # 8 standard wells, background, two controls, then the sample
    assert {"p1.csv:41:IL-6", "p1.csv:42:IL-6", "p1.csv:41:Sample"} <= set(row["origin"])
    assert rules(result) == []


# limits of the plate 40 to 4000
@pytest.mark.parametrize(
    ("first", "second", "shown", "cens", "flags", "queries"),
    [
        ("<2.5", "<2.5", "<2.5", "left", ["BLQ"], []),
        ("<2.5", "<3", "<3", "left", ["BLQ"], []),
        ("< 2.5", "39", "<40", "left", ["BLQ", "EXTRAPOLATED"], ["extrapolated"]),
        ("38", "39", "<40", "left", ["BLQ", "EXTRAPOLATED"], ["extrapolated"]),
        ("40", "4000", "2020", "none", ["REPLICATES_MEAN"], ["replicate-cv"]),
        (">10000", ">12000", ">10000", "right", ["ALQ"], []),
        (">10000", "4001", ">4000", "right", ["ALQ", "EXTRAPOLATED"], ["extrapolated"]),
        ("42", "<2.5", "<2.5", "left", ["BLQ"], ["replicate-censored"]),
        ("3900", ">10000", ">10000", "right", ["ALQ"], ["replicate-censored"]),
        ("80", "NaN", "80", "none", [], ["well-excluded"]),
        ("80", "***", "80", "none", [], ["well-excluded"]),
        ("80", None, "80", "none", [], []),
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
    ("first", "second", "rule"), [("<2.5", ">10000", "replicate-contradiction"), ("NaN", "NaN", "well-excluded")]
)
def test_wells_without_a_result(first, second, rule):
    result = pair(first, second)
    assert result.table.empty
    assert rules(result) == [rule]
    assert "no result" in result.reconciliation["reason"].tolist()


@pytest.mark.parametrize(
    ("beads", "value", "queries"),
    [
        ("34", 90, ["bead-count"]),
        ("35", 85, ["bead-count-few"]),
        ("49", 85, ["bead-count-few"]),
        ("50", 85, []),
        ("NaN", 85, []),
    ],
)
def test_bead_counts(beads, value, queries):
    result = run(plate(("A1", "80", beads), ("A1", "90")))
    assert result.table["LBSTRESN"].tolist() == [value]
    assert rules(result) == queries
    if queries:
        assert result.queries["origin"].tolist() == [["p1.csv:54:IL-6"]]
        assert f"{beads} beads in a well of A1 IL-6" in result.queries["message"][0]


def test_a_check_that_is_switched_off_does_not_judge():
    wells = plate(("A1", "80", "10"), ("A1", "90"))
    result = run(wells, checks=[{"rule": "bead-count", "off": "x"}, {"rule": "bead-count-few", "off": "x"}])
    assert (result.table["LBSTRESN"].tolist(), rules(result)) == ([85], [])


def test_standards_with_few_beads_are_left_out():
    result = pair("80", "82", standard_beads="20")
    assert result.table.empty
    assert rules(result) == ["bead-count"] * 8 + ["plate-standards"]
    assert "plate without valid standards" in result.reconciliation["reason"].tolist()


def test_names_go_before_the_expected_concentrations():
    rows = plate(("A1", "80"), ("A1", "82"))
    more = [row | {"SAMPLE": "Background0", "VALUE": "0", "source_row": 99} for row in rows if row["BLOCK"] == "Units"]
    result = run(rows + [more[0] | {"BLOCK": "Standard Expected Concentration"}])
    assert result.reconciliation.set_index("reason").loc["blank", "rows"] == 3
    # and a standard of any other name is told by its expected concentration
    named = [row | {"SAMPLE": (row["SAMPLE"] or "").replace("Standard", "Kit level ")} for row in rows]
    assert run(named).table["LBLLOQ"].tolist() == [40]


def test_a_form_of_another_reader():
    with pytest.raises(DataError, match="BLOCK"):
        run([{"source_file": "a", "source_row": 2, "source_sheet": None, "SAMPLE": "A1"}])


def test_a_printed_recovery_decides_on_a_standard():
    row = pair("80", "82", recovery={"Standard1": "131", "Standard4": "70"}).table.iloc[0]
    assert (row["LBLLOQ"], row["LBULOQ"]) == (4, 400)


def test_the_dilution_is_multiplied_once_and_only_where_the_file_says_so():
    assert pair("80", "82").table.iloc[0]["LBSTRESN"] == 81
    apart = pair("20", "20.5", meta=(["Program", "xPONENT"], NO))
    assert apart.table.iloc[0]["LBSTRESN"] == 81
    assert apart.table.iloc[0]["LBLLOQ"] == 40
    assert pair("<2.5", "<2.5", meta=(NO,)).table.iloc[0]["LBSTRESC"] == "<10"
    silent = pair("80", "82", meta=())
    assert silent.table.iloc[0]["LBSTRESN"] == 81
    assert rules(silent) == ["dilution-undeclared"]
    assert "whether Result holds the dilution" in silent.queries["message"][0]
    assert rules(run(plate(("A1", "80", "80", "1"), meta=()))) == []


def test_of_two_dilutions_on_a_plate_the_one_in_range_counts():
    result = run(plate(("A1", ">4000"), ("A1", "6000", "80", "40")))
    row = result.table.iloc[0]
    assert (row["LBSTRESN"], row["LBLLOQ"], row["LBULOQ"]) == (6000, 400, 40000)
    assert rules(result) == ["plate-repeat"]
    # both in range: the smaller dilution
    assert run(plate(("A1", "900"), ("A1", "6000", "80", "40"))).table["LBSTRESN"].tolist() == [900]


def test_the_unit_of_the_plate_wins_over_the_mapping():
    row = pair("80", "82", unit="ng/mL").table.iloc[0]
    assert (row["LBSTRESN"], row["LBLLOQ"], row["flags"]) == (81000, 40000, ["UNIT_CONVERTED", "REPLICATES_MEAN"])
    assert pair("80", "82", unit=None).table.iloc[0]["LBSTRESN"] == 81
    odd = pair("80", "82", unit="MFI")
    assert pd.isna(odd.table.iloc[0]["LBSTRESN"])
    assert rules(odd) == ["unit-unknown"]


def test_the_last_accepted_run_counts():
    first = plate(("A1", "80"), ("A1", "82"), name="p2", date="01/31/2020 2:01 PM")
    second = plate(("A1", "90"), ("A1", "92"), name="p1", date="02/01/2020 9:00 AM")
    result = run(first, second)
    assert result.table["LBSTRESN"].tolist() == [91]
    assert rules(result) == ["plate-repeat"]
    aside = result.reconciliation.set_index("reason")
    # two lines each of result, count and dilution
    assert aside.loc["repeated on another plate", "rows"] == 6
    failed = plate(("A1", "90"), ("A1", "92"), name="p1", date="02/01/2020 9:00 AM", controls=("100", "150"))
    result = run(first, failed)
    assert result.table["LBSTRESN"].tolist() == [81]
    assert rules(result) == ["plate-control", "plate-repeat"]


def test_a_plate_date_that_cannot_be_read_is_queried_where_it_decides():
    second = plate(("A1", "90"), ("A1", "92"), name="p2", date="last Tuesday")
    result = run(plate(("A1", "80"), ("A1", "82")), second)
    assert result.table["LBSTRESN"].tolist() == [81]
    assert rules(result) == ["plate-repeat", "plate-undated"]
    assert rules(run(second)) == []


def test_a_control_range_of_the_kit_goes_before_the_percentage():
    assert rules(pair("80", "82", controls=("150", "150"), ranges=("90", "160"))) == []
    assert rules(pair("80", "82", controls=("100", "100"), ranges=("110", "160"))) == ["plate-control"]


def test_a_plate_without_valid_standards_gives_nothing():
    result = pair("80", "82", standards=((1000, ("2000", "2100")), (100, ("98", "102"))))
    assert result.table.empty
    assert rules(result) == ["plate-standards"]
    assert "plate without valid standards" in result.reconciliation["reason"].tolist()


def test_other_lines_are_accounted_for():
    reasons = pair("80", "82").reconciliation.set_index("reason")["rows"].to_dict()
    assert {key: value for key, value in reasons.items() if key} == {
        "standard": 24,
        "blank": 3,
        "control": 6,
        "block Units": 2,
        "block Standard Expected Concentration": 4,
        "block Control Expected Concentration": 2,
        "block Avg Result": 1,
    }


def two_analytes() -> list[dict]:
    """One file whose lines hold two analytes, as the reader delivers it."""
    one = plate(("A1", "80"), ("A1", "82"), ("K2", "<2.5"))
    other = plate(("A1", "800"), ("A1", "820"), ("K2", "900", "20"), analyte="IL-10")
    return one + [row for row in other if row["ANALYTE"] == "IL-10"]


def test_analytes_of_one_line_are_apart():
    result = run(two_analytes())
    table = result.table.set_index(["LBTESTCD", "LBREFID"])
    assert table.loc[("IL6", "A1"), "LBSTRESN"] == 81
    assert table.loc[("IL10", "A1"), "LBSTRESN"] == 810
    assert table.loc[("IL6", "K2"), "LBSTRESC"] == "<2.5"
    assert ("IL10", "K2") not in table.index
    assert result.queries["origin"].tolist() == [["p1.csv:57:IL-10"]]


def test_a_decimal_comma_is_told_by_the_file():
    rows = plate(("A1", "80,5"), ("A1", "81,5"), standards=((1000, ("1040,5",)), (10, ("9,4",))), name="p2")
    both = run(rows, plate(("K2", "80.5"), ("K2", "81.5")))
    assert both.table["LBSTRESN"].tolist() == [81, 81]
    assert rules(both) == []


def test_a_file_with_averages_only():
    rows = [row for row in plate(("A1", "80"), ("A1", "82")) if row["BLOCK"] not in ("Result", "Count")]
    more = [dict(row, SAMPLE=f"Standard{n}", VALUE=v) for n, v in ((1, "1000"), (2, "100")) for row in rows[-1:]]
    for number, row in enumerate(more):
        row["source_row"] += 1 + number
    assert run(rows + more).table["LBSTRESN"].tolist() == [777]


def test_the_order_of_the_rows_does_not_matter():
    other = plate(("A1", "90"), ("A1", "92"), ("K2", "50"), name="p2", date="02/01/2020 9:00 AM")
    rows = two_analytes() + other
    expected = run(rows)
    for seed in range(4):
        shuffled = rows[:]
        random.Random(seed).shuffle(shuffled)
        again = run(shuffled)
        for name in ("table", "queries", "reconciliation"):
            pd.testing.assert_frame_equal(getattr(again, name), getattr(expected, name))
