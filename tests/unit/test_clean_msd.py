"""MSD Discovery Workbench plates: range words, limits, dilution, repeats. Expected values by hand."""

from __future__ import annotations

import math
import random

import pandas as pd
import pytest
from helpers.reference import reference_case

from trialpipe.clean.prepare_msd import kind
from trialpipe.clean.run import clean, context_from
from trialpipe.config.extracts import DomainMap
from trialpipe.ingest import msd
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
            "form": "m.plates",
            "prepare": "msd",
            "subject": "SAMPLE",
            "set": {"LBREFID": {"item": "SAMPLE"}},
            "long": {"code": "ANALYTE", "codelist": "A", "result": "RESULT", "unit": "pg/mL"},
        }
    ],
}
COLUMNS = (
    *("Sample", "Assay", "Well", "Spot", "Fit Statistic: RSquared", "Detection Range", "Dilution", "Concentration"),
    *("Signal", "Adjusted Signal", "Mean", "Adj. Sig. Mean", "CV", "% Recovery", "% Recovery Mean"),
    *("Calc. Concentration", "Calc. Conc. Mean", "Detection Limits: Calc. Low", "Detection Limits: Calc. High"),
)
LOW, HIGH = "Detection Limits: Calc. Low", "Detection Limits: Calc. High"
# level, concentration, recovery of both wells: means 102, 100, 95, 150 % -> valid from 10 to 1000
STANDARDS = (
    ("S001", "1000", ("104", "100")),
    ("S002", "100", ("98", "102")),
    ("S003", "10", ("100", "90")),
    ("S004", "1", ("150", "NaN")),
)
IN, NAN = "In Detection Range", "NaN"
BELOW, BELOW_FIT = "Below Detection Range", "Below Fit Curve Range"
ABOVE, ABOVE_FIT = "Above Detection Range", "Above Fit Curve Range"
LIMITS = ("12", "900")


def plate(
    *wells: tuple,
    file: str = "plate_1",
    name: str = "Plate_A",
    assay: str = "IL-6",
    limits: tuple[str | None, str | None] | None = LIMITS,
    dilution: str | None = "2",
    standards: tuple = STANDARDS,
    controls: tuple[str | None, ...] = ("100", "95"),
    signals: bool = True,
    start: int = 3,
) -> list[dict]:
    """Rows of one assay; a well is (sample, word, calculated[, dilution]).

    The standards' signal is 50 times the concentration, so a sample's is 50 times calculated over dilution.
    """
    rows: list[dict] = []

    def put(sample: str | None, word: str | None, calculated: str | None, **more: str | None) -> None:
        cells = dict.fromkeys(COLUMNS) | {"Sample": sample, "Assay": assay, "Detection Range": word}
        cells |= {"Well": f"{'ABCDEFGH'[len(rows) % 8]}{len(rows) // 8 + 1:02d}", "Spot": "1"}
        cells |= {"Calc. Concentration": calculated, "Calc. Conc. Mean": "777", "% Recovery Mean": "NaN"}
        cells |= dict(zip((LOW, HIGH), limits or (None, None), strict=True)) | more
        if limits is None:
            del cells[LOW], cells[HIGH]
        place = {"source_file": f"{file}.csv", "source_row": len(rows) + start, "source_sheet": None}
        rows.append({**place, **cells, "PLATE": name})

    def signal(text: str | None, times: float) -> str | None:
        try:
            value = float(text or "") * 50 / times
        except ValueError:
            return "100"
        return f"{value:.6g}" if signals and value > 0 and math.isfinite(value) else None

    for level, expected, recoveries in standards:
        for recovery in recoveries:
            found = NAN if recovery == NAN else f"{float(expected) * float(recovery) / 100:.6g}"
            more = {"Concentration": expected, "% Recovery": recovery, "Signal": signal(expected, 1)}
            put(level, IN, found, **more)
    for number, recovery in enumerate(controls, 1):
        put(f"C{number:03d}", IN, recovery, Concentration="100", **{"% Recovery": recovery})
    for sample, word, calculated, *own in wells:
        diluted = own[0] if own else dilution
        times = float(diluted) if (diluted or "").replace(".", "").isdigit() else 1.0
        put(sample, word, calculated, Dilution=diluted, Signal=signal(calculated, times or 1.0))
    return rows


# 8 standard wells, two controls, then the sample: its first well is on line 13
FIRST, SECOND = ("plate_1.csv:13:Calc. Concentration", "plate_1.csv:14:Calc. Concentration")
# three more samples that lie on the standards' curve with the dilution, so that the plate tells
CURVE = (("K1", IN, "400"), ("K2", IN, "500"), ("K3", IN, "600"))


def run(*plates: list[dict], decimal: str = ".", **spec):
    frame = pd.DataFrame([row for rows in plates for row in rows], dtype="object")
    dialects = {"m": {"decimal": decimal}}
    context = context_from({**SPEC, "dialects": dialects, **spec})
    result = clean(DomainMap.model_validate(DOMAIN), {"m.plates": frame}, context)
    accounts = result.reconciliation.groupby("status")["rows"].sum()
    assert accounts["in"] == accounts.get("kept", 0) + accounts.get("set_aside", 0) == len(frame)
    known = {
        f"{row['source_file']}:{row['source_row']}:{item}"
        for rows in plates
        for row in rows
        for item in row
        if not item.startswith("source_")
    }
    for origin in [*result.queries["origin"], *result.table["origin"]]:
        assert set(origin) <= known
    return result


def rules(result) -> list[str]:
    return result.queries["rule"].tolist()


def of(result, sample: str = "A1", test: str = "IL6") -> pd.Series:
    return result.table.set_index(["LBTESTCD", "LBREFID"]).loc[(test, sample)]


def pair(first: tuple, second: tuple, **more):
    return run(plate(("A1", *first), ("A1", *second), *CURVE, **more))


def test_limits_are_the_detection_limits_times_the_dilution():
    result = pair((IN, "80"), (IN, "82"))
    row = of(result)
    assert (row["LBLLOQ"], row["LBULOQ"]) == (24, 1800)
    assert (row["LBSTRESN"], row["LBCENS"], row["LBSTRESU"]) == (81, "none", "pg/mL")
    assert row["flags"] == ["REPLICATES_MEAN"]
    assert {FIRST, SECOND, "plate_1.csv:13:Sample"} <= set(row["origin"])
    assert rules(result) == []


@pytest.mark.parametrize(
    ("limits", "found"),
    [
        (None, (20, 2000)),
        (("NaN", "NaN"), (20, 2000)),
        (("0", ""), (20, 2000)),
        (("12", None), (24, 2000)),
        ((None, "900"), (20, 1800)),
    ],
)
def test_a_limit_that_is_not_printed_is_the_outer_valid_standards(limits, found):
    for word, shown in ((BELOW, f"<{found[0]}"), (ABOVE_FIT, f">{found[1]}")):
        row = of(pair((word, NAN), (word, NAN), limits=limits))
        assert (row["LBSTRESC"], row["LBLLOQ"], row["LBULOQ"]) == (shown, *found)


WELLS = {
    # state: word and figure
    "in": (IN, "80"),
    "below": (BELOW, NAN),
    "below, figure": (BELOW, "11.5"),
    "below fit": (BELOW_FIT, NAN),
    "below fit, blank": (BELOW_FIT, None),
    "above": (ABOVE, NAN),
    "above, figure": (ABOVE, "2100"),
    "above fit": (ABOVE_FIT, NAN),
    "above fit, blank": (ABOVE_FIT, None),
    "failed": (IN, NAN),
    "word": ("Out of range", "80"),
    "blank": (IN, None),
}
SIDE = {name: name.split()[0].rstrip(",") for name in WELLS}


def expected_pair(one: str, other: str) -> tuple[str | None, str, list[str]]:
    """Result, side and rules of two wells, from the table of the decisions."""
    sides = {SIDE[one], SIDE[other]}
    queries = ["well-excluded"] if sides & {"failed", "word"} else []
    if {"below", "above"} <= sides:
        return None, "none", ["replicate-contradiction", *queries]
    for side, shown, cens in (("below", "<24", "left"), ("above", ">1800", "right")):
        if side in sides:
            return shown, cens, ["replicate-censored", *queries] if "in" in sides else queries
    return ("80", "none", queries) if "in" in sides else (None, "none", queries)


@pytest.mark.parametrize("other", WELLS)
@pytest.mark.parametrize("one", WELLS)
def test_every_pair_of_wells(one, other):
    shown, cens, queries = expected_pair(one, other)
    result = pair(WELLS[one], WELLS[other])
    assert sorted(rules(result)) == sorted(queries)
    if shown is None:
        assert "A1" not in result.table["LBREFID"].tolist()
        assert "no result" in result.reconciliation["reason"].tolist()
    else:
        row = of(result)
        assert (row["LBSTRESC"], row["LBCENS"]) == (shown, cens)
        assert pd.isna(row["LBSTRESN"]) == (cens != "none")


# limits of the wells 24 to 1800
@pytest.mark.parametrize(
    ("wells", "shown", "cens", "flags", "queries"),
    [
        ([("in detection  range ", "80")], "80", "none", [], []),
        ([(BELOW.upper(), NAN)], "<24", "left", ["BLQ"], []),
        ([(IN, "80"), (IN, "100"), (IN, "120")], "100", "none", ["REPLICATES_MEAN"], []),
        ([(IN, "80"), (IN, "82"), (BELOW, "20")], "<24", "left", ["BLQ"], ["replicate-censored"]),
        ([(IN, "80"), (IN, "82"), (IN, NAN)], "81", "none", ["REPLICATES_MEAN"], ["well-excluded"]),
        ([(IN, "80"), (IN, "120")], "100", "none", ["REPLICATES_MEAN"], ["replicate-cv"]),
        ([(BELOW, "500"), (BELOW, "600")], "<24", "left", ["BLQ"], []),
        ([(None, "80"), (NAN, "82")], "81", "none", ["REPLICATES_MEAN"], []),
        ([(None, "20")], "<24", "left", ["BLQ", "EXTRAPOLATED"], ["extrapolated"]),
        ([(None, "1900")], ">1800", "right", ["ALQ", "EXTRAPOLATED"], ["extrapolated"]),
        ([(None, "<30")], "<30", "left", ["BLQ"], []),
        ([(BELOW, "<30"), (BELOW, NAN)], "<30", "left", ["BLQ"], []),
        ([(BELOW, ">30"), (IN, "80")], "80", "none", [], ["well-excluded"]),
        ([(IN, "<30"), (IN, "80")], "80", "none", [], ["well-excluded"]),
        ([(IN, "Infinity"), (IN, "80")], "80", "none", [], ["well-excluded"]),
        ([(IN, "1e400"), (IN, "80")], "80", "none", [], ["well-excluded"]),
        ([(IN, "80 pg/mL"), (IN, "80")], "80", "none", [], ["well-excluded"]),
        ([(IN, "=A1"), (IN, "80")], "80", "none", [], ["well-excluded"]),
        ([(IN, "8.0E+01"), (IN, " 80 ")], "80", "none", ["REPLICATES_MEAN"], []),
        ([(IN, "80"), (IN, "80", "1:2")], "80", "none", [], ["well-excluded"]),
        ([(BELOW, NAN), (BELOW, NAN, "0")], "<24", "left", ["BLQ"], ["well-excluded"]),
        ([(BELOW, NAN), (BELOW, NAN, None)], "<24", "left", ["BLQ"], []),
    ],
)
def test_wells(wells, shown, cens, flags, queries):
    result = run(plate(*(("A1", *well) for well in wells), *CURVE))
    row = of(result)
    assert (row["LBSTRESC"], row["LBCENS"], row["flags"]) == (shown, cens, flags)
    assert rules(result) == queries


def test_a_figure_in_range_beyond_the_printed_limit_is_asked_about():
    result = pair((IN, "20"), (IN, "20"))
    assert (of(result)["LBSTRESN"], rules(result)) == (20, ["limit-crossed"])


def test_queries_stand_on_the_wells_own_cells():
    result = pair((IN, "80"), (BELOW, NAN))
    assert result.queries["origin"].tolist() == [[FIRST, SECOND, "plate_1.csv:14:Detection Range"]]
    assert result.queries["value"].tolist() == ["80 / Below Detection Range"]
    result = pair((IN, "80"), ("Out of range", "82"))
    assert result.queries["origin"].tolist() == [[SECOND, "plate_1.csv:14:Detection Range"]]
    assert "a well of A1 IL-6 failed (Out of range); 1 well(s) are left" in result.queries["message"][0]
    assert pair((IN, "80"), (IN, "120")).queries["origin"].tolist() == [[FIRST, SECOND]]
    assert pair((IN, "80"), (IN, NAN)).queries["origin"].tolist() == [[SECOND]]
    result = pair((IN, "80"), (IN, "80", "x2"))
    assert result.queries["origin"].tolist() == [[SECOND, "plate_1.csv:14:Dilution"]]


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("S001", "standard"),
        ("s008", "standard"),
        ("S8", "sample"),
        ("Standards", "standard"),
        ("STD-3", "standard"),
        ("C001", "control"),
        ("Control 2", "control"),
        ("QC1", "control"),
        ("Blank", "blank"),
        ("B001", "blank"),
        ("U001", "sample"),
        ("S1234", "sample"),
        ("S001A", "sample"),
        ("01-02 D7", "sample"),
        ("C001-D7", "sample"),
        ("", "sample"),
    ],
)
def test_roles(name, role):
    assert kind(name) == role


def test_standards_and_controls_are_set_aside():
    result = run(plate(("A1", IN, "80"), ("A1", IN, "82"), ("Blank", IN, "1"), (None, IN, "5"), *CURVE))
    reasons = result.reconciliation.set_index("reason")["rows"].to_dict()
    unnamed = "unknown well without a sample number"
    assert {key: value for key, value in reasons.items() if key} == {
        "standard": 8,
        "control": 2,
        "blank": 1,
        unnamed: 1,
    }


def test_recovery_is_calculated_where_none_is_printed():
    rows = [row | {"% Recovery": None} for row in plate(("A1", BELOW, NAN), *CURVE, limits=None)]
    assert of(run(rows))["LBSTRESC"] == "<20"
    edge = (("S001", "1000", ("130", "130")), ("S002", "100", ("100",)), ("S003", "10", ("70", "70")))
    row = of(run(plate(("A1", BELOW, NAN), *CURVE, limits=None, standards=edge)))
    assert (row["LBLLOQ"], row["LBULOQ"]) == (20, 2000)


def test_the_printed_recovery_decides_on_a_standard():
    # the mean of both wells: 71 and 67 % do not recover, 60 and 82 % do
    own = (("S001", "1000", ("71", "67")), ("S002", "100", ("60", "82")), ("S003", "10", ("100", "100")))
    row = of(run(plate(("A1", BELOW, NAN), *CURVE[:2], limits=None, standards=own)))
    assert (row["LBLLOQ"], row["LBULOQ"]) == (20, 200)
    rows = plate(("A1", BELOW, NAN), *CURVE, limits=None)
    for row in rows:
        row["% Recovery"] = "131" if row["Sample"] == "S001" else row["% Recovery"]
    assert of(run(rows))["LBULOQ"] == 200


def test_limits_are_those_of_the_wells_else_of_their_assay():
    rows = plate(("A1", BELOW, NAN), ("A1", BELOW, NAN), ("A2", ABOVE, NAN), ("A2", ABOVE, NAN), *CURVE)
    limits = {13: ("14", "800"), 14: ("13", "850"), 15: ("14", "800"), 16: ("13", "850")}
    for row in rows:
        row |= dict(zip((LOW, HIGH), limits.get(row["source_row"], ("16", "700")), strict=True))
    result = run(rows)
    assert (of(result)["LBSTRESC"], of(result, "A2")["LBSTRESC"]) == ("<28", ">1600")
    for row in rows:
        if row["Sample"][0] == "A":
            row |= {LOW: NAN, HIGH: None}
    result = run(rows)
    assert (of(result)["LBSTRESC"], of(result, "A2")["LBSTRESC"]) == ("<32", ">1400")


def test_a_plate_without_valid_standards_gives_nothing():
    result = pair((IN, "80"), (IN, "82"), standards=STANDARDS[1:2] + STANDARDS[3:])
    assert result.table.empty
    assert "plate-standards" in rules(result)
    assert "plate without valid standards" in result.reconciliation["reason"].tolist()


@pytest.mark.parametrize(
    ("controls", "queries"),
    [
        (("70", "130"), []),
        (("100", "95", "131"), []),
        (("100", "131"), ["plate-control"]),
        (("100", NAN), ["plate-control"]),
        ((), []),
    ],
)
def test_controls(controls, queries):
    result = pair((IN, "80"), (IN, "82"), controls=controls)
    assert rules(result) == queries


def test_controls_without_an_expected_concentration_are_not_judged():
    rows = plate(("A1", IN, "80"), *CURVE, controls=("500", NAN))
    for row in rows:
        if row["Sample"].startswith("C0"):
            row |= {"Concentration": None, "% Recovery": NAN}
    assert rules(run(rows)) == []


def test_the_standards_show_whether_the_dilution_is_included():
    assert rules(pair((IN, "80"), (IN, "82"))) == []
    # signals of samples that were not multiplied: 50 times the calculated concentration
    rows = plate(("A1", IN, "40"), ("A1", BELOW, NAN), ("A2", IN, "41"), ("A3", IN, "42"), *CURVE)
    for row in rows:
        if row["Sample"][0] in "AK" and row["Calc. Concentration"] != NAN:
            row["Signal"] = str(50 * float(row["Calc. Concentration"]))
    result = run(rows)
    assert of(result, "A2")["LBSTRESN"] == 82
    assert (of(result, "A2")["LBLLOQ"], of(result)["LBSTRESC"]) == (24, "<24")
    assert rules(result) == ["replicate-censored"]


@pytest.mark.parametrize("change", ["none", "noise", "tie", "hook", "two wells"])
def test_a_plate_that_does_not_tell_is_queried_once(change):
    wells = CURVE[:1] if change == "two wells" else CURVE
    rows = plate(("A1", IN, "80"), *wells, signals=change != "none") + plate(("A1", IN, "80"), assay="IL-10", start=40)
    for number, row in enumerate(rows):
        if change == "noise" and row["Sample"][0] in "AK":
            row["Signal"] = str(300 + 7000 * number % 9000)
        if change == "tie" and row["Sample"] in ("K1", "K2"):
            # as if these had not been multiplied: two of five against
            row["Signal"] = str(50 * float(row["Calc. Concentration"]))
        if change == "hook" and row["Concentration"]:
            # a hook: the samples lie on its rising part
            row["Signal"] = "40000" if row["Concentration"] == "1000" else str(50 * float(row["Concentration"]))
            row["Signal"] = "60000" if row["Concentration"] == "10" else row["Signal"]
        if change in ("hook", "two wells") and row["Assay"] == "IL-10":
            row["Signal"] = None
    result = run(rows)
    assert of(result)["LBSTRESN"] == 80
    assert rules(result) == ["dilution-undeclared"]
    assert result.queries["origin"].tolist() == [["plate_1.csv:13:Dilution"]]
    assert "whether Calc. Concentration holds the dilution" in result.queries["message"][0]


@pytest.mark.parametrize("dilution", ["1", None, NAN])
def test_undiluted_samples_are_not_asked_about(dilution):
    result = run(plate(("A1", BELOW, NAN), signals=False, dilution=dilution))
    assert (of(result)["LBSTRESC"], rules(result)) == ("<12", [])


def test_of_two_dilutions_on_a_plate_the_one_in_range_counts():
    result = run(plate(("A1", ABOVE, NAN), ("A1", IN, "6000", "20"), *CURVE))
    row = of(result)
    assert (row["LBSTRESN"], row["LBLLOQ"], row["LBULOQ"]) == (6000, 240, 18000)
    assert rules(result) == ["plate-repeat"]


def repeats(*names: tuple[str, str], **later) -> list[list[dict]]:
    """A sample that each plate (file, name) measured, the first as 80, the next as 90, and so on."""
    plates = []
    for number, (file, name) in enumerate(names):
        own = (("A1", IN, str(80 + 10 * number)), ("A1", IN, str(82 + 10 * number)), *CURVE[number : number + 1])
        more = later if number else {}
        plates.append(plate(*own, file=file, name=name, start=3 + 30 * number, **more))
    return plates


def test_a_repeat_on_a_later_plate_counts_by_the_name_of_the_file():
    first, later = repeats(("plate_2", "P2"), ("plate_10", "P10"))
    result = run(later, first)
    assert of(result)["LBSTRESN"] == 91
    assert rules(result) == ["plate-repeat", "plate-undated"]
    queries = result.queries.set_index("rule")
    assert queries.loc["plate-undated", "origin"] == ["plate_2.csv:3:PLATE", "plate_10.csv:33:PLATE"]
    assert "order of the file names" in queries.loc["plate-undated", "message"]
    assert "A1 was measured again; the run on plate_10.csv counts" in queries.loc["plate-repeat", "message"]
    assert queries.loc["plate-repeat", "origin"] == [cell.replace("plate_1", "plate_2") for cell in (FIRST, SECOND)]
    assert result.reconciliation.set_index("reason").loc["repeated on another plate", "rows"] == 2


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("plate_1", "plate_2"),
        ("plate_9", "plate_10"),
        ("plate_2", "plate_2 repeat"),
        ("plate_2", "plate_2-bis"),
        ("plate_2 repeat", "plate_3"),
        ("2020-01-31 a", "2020-02-01 a"),
        ("plate", "plate2"),
        ("1 x", "a"),
        ("p01", "p1"),
    ],
)
def test_order_of_file_names(earlier, later):
    assert of(run(*repeats((earlier, "same"), (later, "same"))[::-1]))["LBSTRESN"] == 91


def test_a_later_plate_whose_controls_fail_does_not_count():
    result = run(*repeats(("plate_1", "P1"), ("plate_2", "P2"), controls=("100", "150")))
    assert of(result)["LBSTRESN"] == 81
    assert rules(result) == ["plate-control", "plate-repeat", "plate-undated"]
    cells = ["plate_2.csv:33:Calc. Concentration", "plate_2.csv:42:Calc. Concentration"]
    assert result.queries["origin"][0] == cells


def test_of_three_plates_the_last_counts():
    result = run(*repeats(("plate_1", "P1"), ("plate_2", "P2"), ("plate_3", "P3")))
    assert of(result)["LBSTRESN"] == 101
    assert sorted(rules(result)) == ["plate-repeat", "plate-repeat", "plate-undated"]


def test_two_plates_in_one_file():
    first, later = repeats(("plate_1", "Z"), ("plate_1", "A"), limits=("20", "900"))
    result = run(later, first)
    row = of(result)
    # the order of the file, not of the names; each plate with its own limits
    assert (row["LBSTRESN"], row["LBLLOQ"]) == (91, 40)
    assert of(result, "K1")["LBLLOQ"] == 24
    assert rules(result) == ["plate-repeat", "plate-undated"]
    assert "the run on plate_1.csv[A] counts" in result.queries["message"][0]
    assert result.queries["origin"][1] == ["plate_1.csv:3:PLATE", "plate_1.csv:33:PLATE"]
    # the repeat is on another plate even though in the same file; samples of one plate alone are not asked about
    assert "repeated on another plate" in result.reconciliation["reason"].tolist()
    alone = [row | {"Sample": row["Sample"].replace("A1", "A2")} for row in later]
    assert rules(run(first, alone)) == []


def test_a_plate_of_the_file_is_judged_alone():
    first, later = repeats(("plate_1", "Z"), ("plate_1", "A"), standards=STANDARDS[:1])
    result = run(first, later)
    assert of(result)["LBSTRESN"] == 81
    assert "K2" not in result.table["LBREFID"].tolist()
    assert rules(result) == ["plate-standards"]


def test_a_line_that_stands_twice_is_no_replicate():
    rows = plate(("A1", IN, "80"), ("A1", IN, "83"), *CURVE)
    again = [row | {"source_row": 90} for row in rows if row["source_row"] == 13]
    result = run(rows, again)
    assert of(result)["LBSTRESN"] == 81.5
    assert rules(result) == ["duplicate-exact"]
    assert result.queries["origin"].tolist() == [["plate_1.csv:90:Calc. Concentration"]]


def two_analytes() -> list[dict]:
    one = plate(("A1", IN, "80"), ("A1", IN, "82"), ("K9", BELOW, NAN), *CURVE)
    other = plate(("A1", IN, "800"), ("A1", IN, "820"), ("K9", NAN, NAN), assay="IL-10", limits=("30", "950"), start=40)
    return one + other


def test_assays_of_a_plate_are_apart():
    result = run(two_analytes())
    assert (of(result)["LBSTRESN"], of(result, test="IL10")["LBSTRESN"]) == (81, 810)
    assert (of(result, "K9")["LBSTRESC"], of(result, test="IL10")["LBLLOQ"]) == ("<24", 60)
    assert ("IL10", "K9") not in result.table.set_index(["LBTESTCD", "LBREFID"]).index
    assert result.queries["origin"].tolist() == [["plate_1.csv:52:Calc. Concentration"]]


def test_a_decimal_comma_is_told_by_the_plate():
    rows = plate(("A1", IN, "80.5"), ("A1", IN, "81.5"), *CURVE, limits=("12.5", "900.5"))
    comma = [
        {k: v.replace(".", ",") if isinstance(v, str) and k in COLUMNS[7:] else v for k, v in row.items()}
        for row in rows
    ]
    for own, decimal in ((rows, ","), (comma, ".")):
        result = run(own, decimal=decimal)
        assert (of(result)["LBSTRESN"], of(result)["LBLLOQ"], rules(result)) == (81, 25, [])


def test_hostile_cells():
    hostile = "=cmd|' /C calc'!A0", "<b>", "a\nb", "\u202e12", "S001\u00a0", "９"
    wells = [(name, IN, "80") for name in hostile] + [("A1", text, text) for text in hostile]
    result = run(plate(*wells, ("A1", IN, "80"), ("A1", IN, "80", "=2*2"), *CURVE))
    assert of(result)["LBSTRESN"] == 80
    assert "\n" not in "".join(result.queries["message"])
    # a no-break space behind the name of a standard does not make it a sample
    assert result.reconciliation.set_index("reason").loc["standard", "rows"] == 9
    rows = plate(("A1", IN, "80"), *CURVE)
    rows += [row | {"source_row": 80, "Assay": assay, "Well": str(assay)} for assay in (None, " ") for row in rows[-1:]]
    rows[-1]["source_row"] = 81
    result = run(rows)
    assert result.reconciliation.set_index("reason").loc["well without an assay", "rows"] == 2


def test_sparse_columns_of_an_export():
    least = ["Sample", "Assay", "Well", "Concentration", "Calc. Concentration", "PLATE"]
    keep = ["source_file", "source_row", "source_sheet", *least]
    rows = [{name: row[name] for name in keep} for row in plate(("A1", None, "80"), ("A2", None, "9"), limits=None)]
    result = run(rows)
    assert (of(result)["LBSTRESN"], of(result, "A2")["LBSTRESC"]) == (80, "<10")
    assert rules(result) == ["extrapolated"]


def test_a_form_of_another_reader():
    with pytest.raises(DataError, match="Assay"):
        run([{"source_file": "a", "source_row": 2, "source_sheet": None, "Sample": "A1"}])
    with pytest.raises(DataError, match="Calc. Concentration"):
        run([{k: v for k, v in row.items() if k != "Calc. Concentration"} for row in plate(("A1", IN, "8"))])


def test_a_check_that_is_switched_off_does_not_speak():
    off = [{"rule": rule, "off": "x"} for rule in ("plate-undated", "plate-repeat")]
    result = run(*repeats(("plate_1", "P1"), ("plate_2", "P2")), checks=off)
    assert (of(result)["LBSTRESN"], rules(result)) == (91, [])


def test_the_order_of_the_rows_does_not_matter():
    plates = [two_analytes(), *repeats(("plate_1", "Z"), ("plate_2", "P2"))]
    plates[1] = [row | {"source_row": row["source_row"] + 200} for row in plates[1]]
    rows = [row for own in plates for row in own]
    expected = run(rows)
    assert {"plate-repeat", "plate-undated", "well-excluded"} <= set(rules(expected))
    for seed in range(6):
        shuffled = rows[:]
        random.Random(seed).shuffle(shuffled)
        again = run(shuffled)
        for name in ("table", "queries", "reconciliation"):
            pd.testing.assert_frame_equal(getattr(again, name), getattr(expected, name))


@pytest.mark.parametrize(
    ("printed", "code"),
    [
        ("IL-2", "IL2"),
        ("IL-6", "IL6"),
        ("IL-10", "IL10"),
        ("IL-12p70", "IL12P70"),
        ("GM-CSF", "GMCSF"),
        ("IFN-γ", "IFNG"),
        ("TNF-α", "TNFA"),
    ],
)
def test_the_panel_as_printed(printed, code):
    domain = DOMAIN | {"rows": [DOMAIN["rows"][0] | {"long": DOMAIN["rows"][0]["long"] | {"codelist": "ANALYTE"}}]}
    frame = pd.DataFrame(plate(("A1", IN, "80"), *CURVE, assay=printed), dtype="object")
    context = context_from({**SPEC, "codelists": [], "dialects": {"m": {}}})
    result = clean(DomainMap.model_validate(domain), {"m.plates": frame}, context)
    assert set(result.table["LBTESTCD"]) == {code}
    assert result.queries.empty


def test_the_reference_file_holds_standards_only():
    path = reference_case("raw_instrument", "msd_workbench_csv") / "input.csv"
    frame = msd.read(path, "input.csv", {}).to_pandas()
    context = context_from({**SPEC, "dialects": {"m": {}}})
    result = clean(DomainMap.model_validate(DOMAIN), {"m.plates": frame}, context)
    assert result.table.empty
    assert result.reconciliation.set_index("reason").loc["standard", "rows"] == 4
    # recovery of the one standard: 98.2 and 101.6 % on one assay; 150.6 % and NaN on the other
    found = result.queries[["rule", "value", "origin"]].values.tolist()
    assert found == [
        ["plate-standards", "1", ["input.csv:3:Calc. Concentration"]],
        ["plate-standards", "0", ["input.csv:5:Calc. Concentration"]],
    ]
