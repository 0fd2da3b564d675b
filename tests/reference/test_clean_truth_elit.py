"""Clean tables of the randomised trial of lymphocyte infusions against the truth of its extract."""

from __future__ import annotations

from collections import Counter

import pandas as pd
import pytest
from helpers import truth_compare
from helpers.truth_case import TruthCase, committed, text
from reference import test_clean_truth as shared

MILESTONES = [
    ("dm", "RANDDTC", ("DOMAIN", "DM"), "randomised"),
    ("pr", "PRSTDTC", ("PRDECOD", "HSCT"), "hsct"),
    ("pr", "PRSTDTC", ("PRDECOD", "SECOND HSCT"), "second_hsct"),
    ("ce", "CESTDTC", ("CEDECOD", "RELAPSE"), "relapse"),
    ("ds", "DSSTDTC", ("DSDECOD", "DEATH"), "death"),
    ("ds", "DSSTDTC", ("DSDECOD", "LAST CONTACT"), "last_news"),
]
DONOR = {"SIB": "MATCHED SIBLING", "UD": "UNRELATED", "HAPLO": "HAPLOIDENTICAL"}
SUBJECT = {
    "STRDON": ("stratum_donor", DONOR),
    "DONOR": ("stratum_donor", DONOR),
    "STRDIS": ("stratum_disease", {}),
    "DISSTAT": ("stratum_disease", {}),
    "STEMCELL": ("source", {"BM": "BONE MARROW", "PB": "PERIPHERAL BLOOD"}),
    "CONDTYPE": ("conditioning", {"RIC": "REDUCED INTENSITY", "MAC": "MYELOABLATIVE"}),
    "CYTORISK": ("cytogenetics", {"FAV": "FAVOURABLE", "INT": "INTERMEDIATE", "ADV": "ADVERSE"}),
    "MRD": ("mrd", {"POS": "POSITIVE", "NEG": "NEGATIVE"}),
}
FORMS = [("rs", "EVAL"), ("vs", "VS"), ("gv", "AGVHD"), ("gv", "CGVHD")]
FINDINGS = {
    ("AGVHD", "SYSTRT"): "AGSYSTRT",
    ("CGVHD", "LUNG"): "LUNGS",
    ("CGVHD", "JOINT"): "JOINTS",
    ("CGVHD", "GENIT"): "GENITAL",
}
"""Test of an item that has another name in the form."""
TESTS = {"CD3C": "CD3", "CD4C": "CD4", "CD8C": "CD8", "NKC": "NKCELL", "BC": "BCELL"}
OUTCOME = {"RECOV": "RECOVERED", "NOTREC": "NOT RECOVERED", "FATAL": "FATAL"}
CAUSE = {"TOX": "TOXICITY"}
REASON = {"DONOR": "DONOR OR PRODUCT NOT AVAILABLE"}


@pytest.fixture(scope="module")
def case() -> TruthCase:
    return committed("elit-aml01")


@pytest.mark.parametrize("check", shared.DEFECTS, ids=lambda check: check.__name__.removeprefix("test_"))
def test_defects(case, check):
    check(case)


def test_patients(case):
    dm = {case.subject(row): row for row in case.clean.tables["dm"].to_dict("records")}
    patients = {t["subject"]: t for t in case.rows("patients")}
    assert set(dm) == set(patients)
    unread = {cell["subject"] for cell in case.cells if cell["kind"] == "sex_unknown"}
    for number, expected in patients.items():
        row = dm[number]
        known = [row[name] for name in ("RFICDTC", "RANDDTC", "ARMCD", "SITEID")]
        assert known == [expected[name] for name in ("included", "randomised", "arm", "site")], number
        assert text(row["SEX"]) == ("" if number in unread else expected["sex"])
        # the age at inclusion; the truth's is that at randomisation, some days later
        assert expected["age_years"] in (f"{row['AGE']:g}", f"{row['AGE'] + 1:g}")
        if case.is_sound(row["origin"]):
            assert row["PTRNDTC"] == expected["randomised"]


def test_characteristics(case):
    patients = {t["subject"]: t for t in case.rows("patients")}
    rows = list(case.sound(case.clean.tables["sc"]))
    seen = Counter()
    for row in rows:
        item, words = SUBJECT[row["SCTESTCD"]]
        expected = patients[case.subject(row)][item]
        assert row["SCSTRESC"] == words.get(expected, expected), row["row_id"]
        seen[row["SCTESTCD"]] += 1
    assert set(seen) == set(SUBJECT)
    assert min(seen.values()) > 0.9 * len(patients)


@pytest.mark.parametrize(("domain", "variable", "where", "item"), MILESTONES)
def test_milestones(case, domain, variable, where, item):
    truth_compare.first_dates(case, domain, variable, where, item)


def test_status_and_cause_of_death(case):
    patients = {t["subject"]: t for t in case.rows("patients")}
    for row in case.sound(case.clean.tables["ds"]):
        expected = patients[case.subject(row)]
        if row["DSDECOD"] == "DEATH":
            assert row["DSTERM"] == CAUSE.get(expected["cause"], expected["cause"])
        elif row["DSDECOD"] == "LAST CONTACT":
            assert row["DSTERM"] == expected["status"]


def test_infusions(case):
    def line(row):
        rest = (row[name] for name in ("EXSTDTC", "EXFRESH", "EXDOSU"))
        return (case.subject(row), f"{row['EXNUM']:g}", f"{row['EXDOSE']:.6g}", *rest)

    doses = case.rows("dli_doses")
    expected = Counter(
        (t["subject"], t["number"], f"{float(t['cells']):.6g}", t["date"], t["fresh"], t["unit"]) for t in doses
    )
    found = Counter(map(line, case.sound(case.clean.tables["ex"])))
    assert not found - expected
    changed = {c["raw_row"] for c in case.cells if c["sheet"] == "DLI" and c["original"]}
    assert (expected - found).total() == len(changed)


def test_infusions_not_given(case):
    known = {t["subject"]: t for t in case.rows("dli")}
    table = case.clean.tables["ds"]
    rows = list(case.sound(table[table["DSDECOD"] == "DLI NOT GIVEN"]))
    for row in rows:
        expected = known[case.subject(row)]
        reason = expected["reason_none"] or expected["reason_incomplete"]
        assert row["DSTERM"] == REASON.get(reason, reason)
        assert row["DSNUM"] == int(expected["number"]) + 1
    changed = {cell["raw_row"] for cell in case.cells if cell["sheet"] == "DLINOT"}
    stopped = [t for t in known.values() if t["reason_none"] or t["reason_incomplete"]]
    assert len(rows) == len(stopped) - len(changed)


def test_last_evaluation_of_the_disease(case):
    last: dict[str, str] = {}
    for row in case.clean.tables["rs"].to_dict("records"):
        last[case.subject(row)] = max(last.get(case.subject(row), ""), text(row["RSDTC"]))
    doubtful = {cell["subject"] for cell in case.cells if cell["sheet"] == "EVAL" and cell["determines"] != "equal"}
    for expected in case.rows("patients"):
        if expected["subject"] not in doubtful:
            assert last[expected["subject"]] == expected["last_assessment"], expected["subject"]


def test_assessments_of_gvhd(case):
    """The grade of the investigator is that of the stages, treatment as given; every assessment is there."""
    planted = {cell["raw_row"] for cell in case.cells if cell["sheet"] in ("AGVHD", "CGVHD")}
    tests = {"AGGRADE": ("acute", "magic"), "AGSYSTRT": ("acute", "systemic"), "CGSEV": ("chronic", "nih")}
    tests |= {"SYSTRT": ("chronic", "systemic")}
    known = {(t["subject"], t["kind"], t["date"]): t for t in case.rows("gvhd_records")}
    seen = set()
    for row in case.clean.tables["gv"].to_dict("records"):
        if row["GVTESTCD"] not in tests or not planted.isdisjoint(c.rsplit(":", 1)[0] for c in row["origin"]):
            continue
        kind, item = tests[row["GVTESTCD"]]
        key = (case.subject(row), kind, row["GVDTC"])
        assert row["GVSTRESC"] == known[key][item], key
        seen.add(key)
    assert len(set(known) - seen) == len(planted)


def test_immunity_and_chimerism(case):
    known = {(t["subject"], TESTS.get(t["test"], t["test"]), t["date"]): t for t in case.rows("imm")}
    measured = {key for key, t in known.items() if t["measured"] == "yes"}
    seen = set()
    for row in case.sound(case.clean.tables["lb"]):
        key = (case.subject(row), row["LBTESTCD"], row["LBDTC"])
        expected = known[key]
        assert row["LBSTRESN"] == pytest.approx(float(expected["value"]), rel=1e-9), key
        assert row["LBSTRESU"] == {"cells/uL": "/uL"}.get(expected["unit"], expected["unit"])
        assert row["VISIT"] == expected["visit"]
        seen.add(key)
    assert seen <= measured
    broken = {cell["raw_row"] for cell in case.cells if cell["sheet"] == "IMM"}
    assert len({key[::2] for key in measured - seen}) <= len(broken)
    assert len(seen) > 0.98 * len(measured)


def test_adverse_events(case):
    known = {(t["subject"], t["number"]): t for t in case.rows("ae")}
    table = case.clean.tables["ae"]
    rows = list(case.sound(table))
    for row in rows:
        expected = known[case.subject(row), row["AESPID"]]
        found = [
            text(row[name]) for name in ("AETERM", "AEDECOD", "AEBODSYS", "AESTDTC", "AEENDTC", "AETOXGR", "AESER")
        ]
        assert found == [expected[name] for name in ("term", "pt", "soc", "onset", "end", "grade", "serious")]
        assert (row["AEREL"] == "RELATED") == (expected["related"] == "Y")
        assert row["AEOUT"] == OUTCOME[expected["outcome"]]
    assert len(table) == len(known)
    assert len(rows) > 0.9 * len(known)
    assert not pd.isna(table["AESPID"]).any()


@pytest.mark.parametrize(("domain", "form"), FORMS)
def test_findings(case, domain, form):
    """Every item of every form has its true value, date and visit; what is missing stands in a planted row."""
    stem = domain.upper()
    known = {}
    for t in case.rows("findings"):
        if t["form"] == form:
            known[t["subject"], FINDINGS.get((form, t["item"]), t["item"]), t["date"]] = t
    codes, seen = {code for _, code, _ in known}, set()
    for row in case.sound(case.clean.tables[domain]):
        if row[f"{stem}TESTCD"] not in codes:
            continue
        key = (case.subject(row), row[f"{stem}TESTCD"], row[f"{stem}DTC"])
        expected = known[key]
        value, visit = expected["value"], expected["visit"]
        if pd.isna(row[f"{stem}STRESN"]):
            assert row[f"{stem}STRESC"] == {"POS": "POSITIVE", "NEG": "NEGATIVE"}.get(value, value), key
        else:
            assert row[f"{stem}STRESN"] == pytest.approx(float(value), rel=1e-9), key
        if "VISIT_UNKNOWN" not in row["flags"]:
            assert text(row["VISIT"]) == {"INCL": "Inclusion", "UNS": "Unscheduled"}.get(visit, visit), key
        seen.add(key)
    planted = {cell["raw_row"] for cell in case.cells if cell["sheet"] == form}
    assert len({key[::2] for key in known.keys() - seen}) <= len(planted)
    assert len(seen) > 0.9 * len(known)


def test_concomitant_treatment(case):
    def line(row):
        return (case.subject(row), row["CMTRT"], text(row["CMSTDTC"]), text(row["CMENDTC"]))

    expected = Counter((t["subject"], t["name"], t["start"], t["end"]) for t in case.rows("medications"))
    found = Counter(map(line, case.sound(case.clean.tables["cm"])))
    assert not found - expected
    planted = {cell["raw_row"] for cell in case.cells if cell["sheet"] == "CM"}
    assert (expected - found).total() == len(planted)
