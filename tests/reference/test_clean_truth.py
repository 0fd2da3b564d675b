"""The clean stage on the simulated extracts against their truth, which was written before any defect was planted.

What holds of every trial; what is of one trial stands in files of their own beside this one.
"""

from __future__ import annotations

from collections import Counter, defaultdict

import pandas as pd
import pytest
from helpers import truth_compare
from helpers.truth_case import TRIALS, TruthCase, committed, text

LEAST = {
    "c-hlh": {"lb": 2500, "vs": 500, "pe": 900},
    "r-hlh": {"lb": 1500, "vs": 300, "pe": 600},
}
"""Findings that are compared in the committed extracts."""
FINDING_FORMS = ("BIOLOGIE.csv", "CLINIQUE.csv", "IG.LB", "IG.VS", "IG.PE", "IG.LP")
MOVING = ("date_year_typo", "date_missing", "subject_malformed", "subject_unknown")


@pytest.fixture(scope="module", params=TRIALS)
def case(request: pytest.FixtureRequest) -> TruthCase:
    return committed(request.param)


@pytest.mark.parametrize("domain", ["lb", "vs", "pe"])
def test_findings(case, domain):
    assert truth_compare.findings(case, domain) > LEAST[case.trial][domain]


def test_every_measured_finding_is_there(case):
    """Nothing measured is lost but in rows that a defect moved, cut off or broke."""
    found = Counter()
    for domain in ("lb", "vs", "pe"):
        stem = domain.upper()
        for row in case.clean.tables[domain].to_dict("records"):
            spec = text(row.get(f"{stem}SPEC"))
            found[(case.subject(row), row[f"{stem}TESTCD"], spec, text(row[f"{stem}DTC"]))] += 1
    missing = [
        t
        for t in case.rows("findings")
        if t["measured"] == "yes"
        and t["test"] != "NEUROSEQ"
        and not found[(t["subject"], t["test"], t["specimen"], t["datetime"][:10])]
    ]
    moved = {cell["subject"] for cell in case.cells if cell["kind"].startswith(("date", "subject"))}
    assert {t["subject"] for t in missing} <= moved
    rows = {(t["subject"], t["datetime"][:10], t["specimen"] or "exam") for t in missing}
    planted = [
        cells[0]["id"]
        for cells in case.defects.values()
        if cells[0]["kind"] in MOVING and (cells[0]["sheet"] or cells[0]["file"].split("/")[-1]) in FINDING_FORMS
    ]
    assert len(rows) == len(planted)


def test_patients(case):
    dm = {case.subject(row): row for row in case.clean.tables["dm"].to_dict("records")}
    patients = {t["subject"]: t for t in case.rows("patients")}
    unread = {cell["subject"] for cell in case.cells if cell["kind"] == "sex_unknown"}
    assert set(dm) == set(patients)
    for number, expected in patients.items():
        row = dm[number]
        if case.is_sound(row["origin"]):
            assert row["RFICDTC"] == expected["consent"]
        assert row["DMDTC"] == expected["inclusion"]
        assert row["SEX"] == (None if number in unread else expected["sex"])
        assert row["AGE"] == pytest.approx(float(expected["age_years"]), abs=1)
        assert row["NEONATE"] == expected["neonate"]


def test_adverse_events(case):
    known = {(t["subject"], t["number"]): t for t in case.rows("ae")}
    rows = list(case.sound(case.clean.tables["ae"]))
    for row in rows:
        expected = known[case.subject(row), row["AESPID"]]
        assert (row["AEDECOD"], row["AESTDTC"], text(row["AEENDTC"])) == (
            expected["pt"],
            expected["onset"],
            expected["end"],
        )
        assert (row["AETOXGR"], row["AESER"]) == (expected["grade"], expected["serious"])
    assert len(rows) > 0.8 * len(known)
    assert len(case.clean.tables["ae"]) == len(known)


def test_every_defect_that_changes_something_is_queried(case):
    cells = {cell for origin in case.clean.queries["origin"] for cell in origin}
    silent = [
        (name, found[0]["kind"])
        for name, found in case.defects.items()
        if found[0]["detectable"] == "yes"
        and found[0]["determines"] != "equal"
        and not any(cell["cell"] in cells for cell in found)
    ]
    assert silent == []


def test_rule_named_by_the_truth_speaks(case):
    by_cell = defaultdict(set)
    for row in case.clean.queries.itertuples():
        for cell in row.origin:
            by_cell[cell].add(row.rule)
    for name, found in case.defects.items():
        if found[0]["rule"] and found[0]["detectable"] == "yes":
            assert found[0]["rule"] in set().union(*(by_cell[cell["cell"]] for cell in found)), name


def test_hardly_a_query_without_a_defect(case):
    false = case.false_queries()
    assert len(false) <= len(case.clean.tables["dm"]) / 100, false


def test_what_cannot_be_read_is_null_and_flagged(case):
    """The result of a cell that cannot be read, or whose unit cannot; date or code of a record that is no finding."""
    results, others = {}, {}
    for domain, table in case.clean.tables.items():
        finding = f"{domain[:2].upper()}STRESC" in table.columns
        for row in table.to_dict("records"):
            for place, cell in enumerate(row["origin"]):
                kind = results if place == 0 or not finding else others
                kind.setdefault(cell, []).append((domain, row))
    checked = 0
    for found in case.defects.values():
        defect = found[0]
        unit = defect["kind"].endswith(("unit_missing", "unit_unknown"))
        if defect["determines"] != "flagged_null" or not (defect["planted"] or unit):
            continue
        for domain, row in (others if unit else results).get(defect["cell"], []):
            stem = domain[:2].upper()
            checked += 1
            assert row["flags"], defect
            if f"{stem}STRESC" in row:
                assert row[f"{stem}STRESC"] is None, defect
                assert pd.isna(row[f"{stem}STRESN"]), defect
            else:
                assert {"DATE_INVALID", "CODE_UNKNOWN", "REDACTED"} & set(row["flags"]), defect
    assert checked > 12


def test_rows_in_are_kept_or_set_aside(case):
    counts = case.clean.reconciliation.groupby(["domain", "form", "status"])["rows"].sum().unstack(fill_value=0)
    assert (counts["in"] == counts["kept"] + counts.get("set_aside", 0)).all()
    for (domain, form), row in counts.iterrows():
        lines = case.clean.forms[form][["source_file", "source_sheet", "source_row"]].drop_duplicates()
        assert row["in"] == len(lines), (domain, form)


DEFECTS = (
    test_every_defect_that_changes_something_is_queried,
    test_rule_named_by_the_truth_speaks,
    test_hardly_a_query_without_a_defect,
    test_what_cannot_be_read_is_null_and_flagged,
    test_rows_in_are_kept_or_set_aside,
)
"""Checks of planted defects that hold in every trial."""
