"""Units, code lists, patient numbers, and the consistency of the reference tables."""

from __future__ import annotations

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialpipe.clean import checks, cross, subjects
from trialpipe.clean.codes import Codes, codelists, fold
from trialpipe.clean.reference import load
from trialpipe.clean.units import normalise
from trialpipe.io.reference import REFERENCE, rows

TABLES = load()
UNITS = TABLES.units


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("g/dL", "g/dL"),
        ("g/100 mL", "g/dL"),
        ("G/L", "10*9/L"),
        ("g/L", "g/L"),
        ("g/l", "g/L"),
        ("Giga/L", "10*9/L"),
        ("10⁹/L", "10*9/L"),
        ("×10^9/L", "10*9/L"),
        ("/mm³", "/uL"),
        ("/mm3", "/uL"),
        ("10³/mm³", "10*3/uL"),
        ("µg/L", "ug/L"),
        ("\u03bcg/L", "ug/L"),
        ("UI/L", "U/L"),
        ("kU/L", "kU/L"),
        ("mmHg", "mm[Hg]"),
        ("°C", "Cel"),
        ("bananas/L", None),
    ],
)
def test_spellings(text, unit):
    assert UNITS.canonical(text) == unit


@pytest.mark.parametrize(
    ("test", "unit", "target", "factor"),
    [
        ("HGB", "g/dL", "g/L", 10),
        ("HGB", "mmol/L", "g/L", 1 / 0.06206),
        ("PLAT", "/uL", "10*9/L", 0.001),
        ("PLAT", "10*3/uL", "10*9/L", 1),
        ("FERRITIN", "ng/mL", "ug/L", 1),
        ("TRIG", "g/L", "mmol/L", 1.129),
        ("TRIG", "mg/dL", "mmol/L", 1 / 88.57),
        ("FIBRINO", "mg/dL", "g/L", 0.01),
        ("BILI", "mg/dL", "umol/L", 17.1),
        ("BILI", "mg/L", "umol/L", 1.71),
        ("CREAT", "mg/dL", "umol/L", 88.4),
        ("CD25S", "kU/L", "U/mL", 1),
        ("PAO2", "kPa", "mm[Hg]", 7.5006),
        ("FIO2", "%", "1", 0.01),
        ("ALEMTU", "ng/mL", "ug/mL", 0.001),
        ("RUXO", "nmol/L", "ng/mL", 1 / 3.264),
        ("CD3", "10*7/kg", "10*6/kg", 10),
    ],
)
def test_factors(test, unit, target, factor):
    assert UNITS.factor(test, unit, target) == pytest.approx(factor, rel=1e-4)


@pytest.mark.parametrize(
    ("test", "unit", "target"),
    [
        ("CD25S", "pg/mL", "U/mL"),
        ("CD25S", "ng/mL", "U/mL"),
        ("IL6", "U/mL", "pg/mL"),
        ("ALT", "ug/L", "U/L"),
        ("HGB", "umol/L", "g/L"),
    ],
)
def test_no_factor_between_units_and_mass(test, unit, target):
    assert UNITS.factor(test, unit, target) is None


def test_no_row_crosses_arbitrary_units_and_mass():
    arbitrary = {"U/L", "U/mL", "kU/L", "kU/mL"}
    for row in rows("units.csv"):
        if row["kind"] == "convert":
            assert (row["unit"] in arbitrary) == (row["to"] in arbitrary), row


def test_factors_are_consistent_both_ways_and_in_chains():
    table = {(r["test"], r["unit"], r["to"]): float(r["factor"]) for r in rows("units.csv") if r["kind"] == "convert"}
    for (test, unit, to), factor in table.items():
        back = table.get((test, to, unit))
        assert back is None or back * factor == pytest.approx(1)
        for (other, start, end), second in table.items():
            direct = table.get((test, unit, end))
            if other == test and start == to and direct is not None:
                assert direct == pytest.approx(factor * second), (unit, to, end)


@given(st.sampled_from(sorted({r["unit"] for r in rows("units.csv")} | {r["to"] for r in rows("units.csv")})))
def test_spelling_is_idempotent(text):
    first = UNITS.canonical(text)
    if first is not None:
        assert UNITS.canonical(first) == first
    assert normalise(normalise(text)) == normalise(text)


@pytest.mark.parametrize(
    ("test", "target", "value", "unit", "low", "high", "suspect"),
    [
        ("HGB", "g/L", 119.0, "g/dL", 40, 200, "g/L"),
        ("HGB", "g/L", 9.0, "g/L", 40, 200, "g/dL"),
        ("PLAT", "10*9/L", 35000.0, "10*9/L", 1, 1000, "/uL"),
        ("FIBRINO", "g/L", 270.0, "g/L", 0.2, 10, "mg/dL"),
        ("WEIGHT", "kg", 35000.0, "kg", 1.5, 150, "g"),
        ("TEMP", "Cel", 83.2, "Cel", 34, 42, None),
        ("NEUT", "10*9/L", -4.4, "10*9/L", 0, 100, None),
    ],
)
def test_suspect_units(test, target, value, unit, low, high, suspect):
    assert UNITS.suspect(test, target, value, unit, low, high) == suspect


def test_codes_are_blind_to_case_accents_spaces_and_hyphens():
    codes = Codes("X", {"Résolu": "A", "Non lié": "B", "GM-CSF": "C", "1": "D"})
    known = {" résolu ": "A", "RESOLU": "A", "non  lie": "B", "Nonlié": "B", "gm csf": "C", "GM\u2011CSF": "C"}
    for text, value in known.items():
        assert codes.get(text) == value
    for text in ("Résolus", "-1", "1.", "", "GMCSF2"):
        assert codes.get(text) is None, text


def test_codes_that_squeeze_alike_are_not_told_by_it():
    codes = Codes("X", {"IL-1 2": "A", "IL-12": "B"})
    assert (codes.get("IL-1 2"), codes.get("IL-12"), codes.get("IL12")) == ("A", "B", None)


def test_a_trial_s_list_takes_the_place_of_its_namesake():
    tables = codelists(TABLES.codelists, {"YESNO": {"Ja": "Y"}})
    assert tables["YESNO"].get("Ja") == "Y"
    assert tables["YESNO"].get("Oui") is None
    assert tables["SEX"].get("masculin") == "M"


def test_fold():
    assert fold("  Décédé\u00a0(IL\u20116) ") == "decede (il-6)"


@pytest.mark.parametrize(
    ("text", "number"), [(" 0012 ", "0012"), ("\u00a001-001", "01-001"), ("  ", None), (None, None)]
)
def test_patient_numbers_are_trimmed_only(text, number):
    assert subjects.tidy(text) == number


def test_near_numbers():
    assert subjects.near(["01-001", "O1-001", "01-010", "1-1", "10-01"]) == [
        ("01-001", "1-1"),
        ("01-001", "O1-001"),
        ("1-1", "O1-001"),
    ]
    assert subjects.near([f"{site:02d}-{n:03d}" for site in range(1, 12) for n in range(1, 120)]) == []


def test_every_check_has_an_interpreter_and_readable_words():
    emitted = {rule.kind for rule in TABLES.rules if rule.scope == "record"} - set(checks.KINDS)
    stage = REFERENCE.parents[1] / "workflow" / "scripts" / "trialpipe" / "clean"
    source = "".join(path.read_text(encoding="utf-8") for path in stage.glob("*.py"))
    for kind in emitted:
        assert f'"{kind}"' in source, kind
    for rule in TABLES.rules:
        if rule.scope == "cross":
            assert rule.kind in cross.KINDS, rule.id
        assert rule.id == rule.id.lower()
        assert " " not in rule.id
        assert rule.message
        assert rule.cure or rule.severity == "note"
    assert len({rule.id for rule in TABLES.rules}) >= 25


def test_every_code_of_an_analyte_is_described():
    with open(REFERENCE / "analytes.csv", encoding="utf-8", newline="") as stream:
        described = {r["testcd"]: r for r in csv.DictReader(line for line in stream if not line.startswith("#"))}
    codes = {row["text"]: row["value"] for row in rows("codelists.csv") if row["id"] == "ANALYTE"}
    assert set(codes.values()) <= set(described)
    for code, row in described.items():
        for other in filter(None, row["never_merge_with"].split("|")):
            assert described[other]["never_merge_with"] == code
    # p70 and p40, free and total stay apart
    assert codes["IL-12p70"] != codes["IL-12p40"]
    assert codes["IL-18 free"] != codes["IL-18 total"]


def test_plausible_ranges_are_nested():
    for row in rows("tests.csv"):
        names = ("low_hard", "high_hard", "low_soft", "high_soft")
        low, high, soft_low, soft_high = (float(row[name] or "nan") for name in names)
        assert not low > soft_low, row
        assert not high < soft_high, row
