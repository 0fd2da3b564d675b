"""The clean stage on the simulated extracts against their truth, which was written before any defect was planted."""

from __future__ import annotations

import csv
import functools
from collections import Counter, defaultdict
from collections.abc import Iterator

import pandas as pd
import pytest
from helpers.clean_case import ROOT, Cleaned, cleaned

TRIAL = "c-hlh"
EXTRACTS = ROOT / "resources" / "extracts" / TRIAL


@pytest.fixture(scope="module")
def clean() -> Cleaned:
    return cleaned(TRIAL)


@functools.cache
def truth(name: str) -> list[dict[str, str]]:
    with open(EXTRACTS / "truth" / f"{name}.csv", encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def place(defect: dict[str, str]) -> str:
    return f"{defect['file']}[{defect['sheet']}]" if defect["sheet"] else defect["file"]


@functools.cache
def defects() -> dict[str, tuple[dict[str, str], ...]]:
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in truth("defects"):
        row["raw_row"] = f"{place(row)}:{row['row']}"
        row["cell"] = f"{row['raw_row']}:{row['item']}"
        found[row["id"]].append(row)
    return {name: tuple(rows) for name, rows in found.items()}


@functools.cache
def touched() -> frozenset[str]:
    """Raw rows with a defect after which the extract need not hold the truth."""
    return frozenset(cell["raw_row"] for cells in defects().values() for cell in cells if cell["determines"] != "equal")


def sound(frame: pd.DataFrame) -> Iterator[dict]:
    """Records that no planted defect may have changed."""
    for row in frame.to_dict("records"):
        if not {cell.rsplit(":", 1)[0] for cell in row["origin"]} & touched():
            yield row


def subject(row: dict) -> str:
    return row["USUBJID"].removeprefix(f"{TRIAL}/")


def text(value: object) -> str:
    return value if isinstance(value, str) else ""


@pytest.mark.parametrize("domain", ["lb", "vs", "pe", "qs"])
def test_findings(clean, domain):
    stem = domain.upper()
    known = {(t["subject"], t["test"], t["specimen"], t["datetime"][:10]): t for t in truth("findings")}
    seen = 0
    for row in sound(clean.tables[domain]):
        key = (subject(row), row[f"{stem}TESTCD"], text(row.get(f"{stem}SPEC")), row[f"{stem}DTC"])
        expected = known[key]
        if expected["measured"] == "no":
            assert row[f"{stem}STAT"] == "NOT DONE", key
            continue
        seen += 1
        if expected["text"]:
            assert row[f"{stem}STRESC"] == expected["text"], key
        elif expected["limit"] == "none":
            assert row[f"{stem}STRESN"] == pytest.approx(float(expected["value"]), rel=1e-5), key
            assert (row[f"{stem}CENS"], text(row[f"{stem}STRESU"])) == ("none", expected["unit"]), key
        else:
            side, bound = {"below": ("left", "LLOQ"), "above": ("right", "ULOQ")}[expected["limit"]]
            assert row[f"{stem}CENS"] == side, key
            assert pd.isna(row[f"{stem}STRESN"]), key
            assert row[f"{stem}{bound}"] == pytest.approx(float(expected["value"])), key
    assert seen > {"lb": 2500, "vs": 500, "pe": 900, "qs": 8}[domain]


def test_every_measured_finding_is_there(clean):
    """Nothing measured is lost but in rows that a defect moved, cut off or broke."""
    found = Counter()
    for domain in ("lb", "vs", "pe"):
        stem = domain.upper()
        for row in clean.tables[domain].to_dict("records"):
            found[(subject(row), row[f"{stem}TESTCD"], text(row.get(f"{stem}SPEC")), text(row[f"{stem}DTC"]))] += 1
    missing = [
        t
        for t in truth("findings")
        if t["measured"] == "yes"
        and t["test"] != "NEUROSEQ"
        and not found[(t["subject"], t["test"], t["specimen"], t["datetime"][:10])]
    ]
    every = [cell for cells in defects().values() for cell in cells]
    moved = {cell["subject"] for cell in every if cell["kind"].startswith(("date", "subject"))}
    assert {t["subject"] for t in missing} <= moved
    rows = {(t["subject"], t["datetime"][:10], t["specimen"] or "exam") for t in missing}
    planted = sum(
        cells[0]["file"].endswith(("BIOLOGIE.csv", "CLINIQUE.csv"))
        and cells[0]["kind"] in ("date_year_typo", "date_missing", "subject_malformed", "subject_unknown")
        for cells in defects().values()
    )
    assert len(rows) == planted


def test_patients(clean):
    dm = {subject(row): row for row in clean.tables["dm"].to_dict("records")}
    patients = {t["subject"]: t for t in truth("patients")}
    assert set(dm) == set(patients)
    for number, expected in patients.items():
        row = dm[number]
        if not {cell.rsplit(":", 1)[0] for cell in row["origin"]} & touched():
            assert row["RFICDTC"] == expected["consent"]
        assert row["DMDTC"] == expected["inclusion"]
        assert row["SEX"] == expected["sex"]
        assert row["AGE"] == pytest.approx(float(expected["age_years"]), abs=1)
        assert row["NEONATE"] == expected["neonate"]


@pytest.mark.parametrize(
    ("domain", "variable", "where", "item"),
    [
        ("pr", "PRSTDTC", ("PRDECOD", "HSCT"), "hsct"),
        ("pr", "PRSTDTC", ("PRDECOD", "CONDITIONING"), "conditioning"),
        ("ds", "DSSTDTC", ("DSDECOD", "DEATH"), "death"),
        ("cm", "CMSTDTC", ("CMCAT", "RESCUE"), "rescue"),
    ],
)
def test_milestones(clean, domain, variable, where, item):
    table = clean.tables[domain]
    first: dict[str, str] = {}
    for row in sound(table[table[where[0]] == where[1]]):
        when = text(row[variable])
        first[subject(row)] = min(first.get(subject(row), when), when)
    expected = {t["subject"]: t[item] for t in truth("patients") if t[item]}
    for number, when in first.items():
        assert when == expected[number]
    broken = {cell["subject"] for cells in defects().values() for cell in cells if cell["raw_row"] in touched()}
    assert set(expected) - set(first) <= broken


def test_doses(clean):
    found = Counter((subject(r), r["EXSTDTC"], r["EXENDTC"], f"{r['EXDOSE']:.2f}") for r in sound(clean.tables["ex"]))
    expected = Counter((t["subject"], t["start"], t["end"], f"{float(t['mg']):.2f}") for t in truth("doses"))
    assert found == expected


def test_adverse_events(clean):
    known = {(t["subject"], t["number"]): t for t in truth("ae")}
    rows = list(sound(clean.tables["ae"]))
    for row in rows:
        expected = known[subject(row), row["AESPID"]]
        assert (row["AEDECOD"], row["AESTDTC"], text(row["AEENDTC"])) == (
            expected["pt"],
            expected["onset"],
            expected["end"],
        )
        assert (row["AETOXGR"], row["AESER"]) == (expected["grade"], expected["serious"])
    assert len(rows) > 0.8 * len(known)
    assert len(clean.tables["ae"]) == len(known)


def test_concentrations(clean):
    known = {t["sample"]: t for t in truth("pk")}
    rows = list(sound(clean.tables["pc"]))
    for row in rows:
        expected = known[row["PCREFID"]]
        assert subject(row) == expected["subject"]
        assert row["PCDTC"][:10] == expected["datetime"][:10]
        assert text(row["PCRFTDTC"]) == expected["last_dose"]
        if expected["measured"] == "no":
            assert row["PCSTAT"] == "NOT DONE"
            continue
        assert row["PCSTRESU"] == "ug/mL"
        assert row["PCLLOQ"] == pytest.approx(0.05)
        assert row["PCULOQ"] == pytest.approx(20)
        if expected["limit"] == "none":
            assert row["PCSTRESN"] == pytest.approx(float(expected["value"]), rel=1e-6)
        else:
            assert row["PCCENS"] == {"below": "left", "above": "right"}[expected["limit"]]
            assert pd.isna(row["PCSTRESN"])
    assert len(rows) > 0.95 * len(known)


def _runs(clean: Cleaned) -> dict[tuple[str, str], dict[str, str]]:
    """The last run of each sample and analyte, by the number in the name of the plate's file."""
    chosen: dict[tuple[str, str], dict[str, str]] = {}
    for row in sorted(truth("cytokines"), key=lambda t: t["file"]):
        chosen[row["sample"], row["analyte"]] = row
    return chosen


def test_cytokines(clean):
    chosen = _runs(clean)
    rows = list(sound(clean.tables["lbcy"]))
    sides = Counter()
    for row in rows:
        expected = chosen[row["LBREFID"], row["LBTESTCD"]]
        assert subject(row) == expected["subject"]
        assert row["LBDTC"] == expected["datetime"]
        assert row["LBLLOQ"] == pytest.approx(float(expected["lloq"]), rel=1e-3)
        assert row["LBULOQ"] == pytest.approx(float(expected["uloq"]), rel=1e-3)
        wells = [expected["well_1"], expected["well_2"]]
        if expected["both_in_range"] == "yes":
            assert row["LBSTRESN"] == pytest.approx(float(expected["mean"]), rel=1e-9)
            assert "REPLICATES_MEAN" in row["flags"]
            continue
        sides[row["LBCENS"]] += 1
        assert pd.isna(row["LBSTRESN"])
        below = any(w == "OOR <" or (w[0] == "*" and float(w[1:]) <= float(expected["lloq"])) for w in wells)
        assert row["LBCENS"] == ("left" if below else "right")
        assert ("EXTRAPOLATED" in row["flags"]) == any(w[0] == "*" for w in wells)
    assert len(rows) > 200
    assert sides["left"] > 10


def test_every_defect_that_changes_something_is_queried(clean):
    cells = {cell for origin in clean.queries["origin"] for cell in origin}
    silent = [
        (name, found[0]["kind"])
        for name, found in defects().items()
        if found[0]["detectable"] == "yes"
        and found[0]["determines"] != "equal"
        and not any(cell["cell"] in cells for cell in found)
    ]
    assert silent == []


def test_rule_named_by_the_truth_speaks(clean):
    by_cell = defaultdict(set)
    for row in clean.queries.itertuples():
        for cell in row.origin:
            by_cell[cell].add(row.rule)
    for name, found in defects().items():
        if found[0]["rule"]:
            assert found[0]["rule"] in set().union(*(by_cell[cell["cell"]] for cell in found)), name


def test_hardly_a_query_without_a_defect(clean):
    planted = {cell["cell"] for found in defects().values() for cell in found}
    false = [
        (row.rule, row.subject, row.value)
        for row in clean.queries.itertuples()
        if row.severity != "note" and not planted & set(row.origin)
    ]
    assert len(false) <= len(clean.tables["dm"]) / 100, false


def test_what_cannot_be_read_is_null_and_flagged(clean):
    results = {}
    for domain, table in clean.tables.items():
        stem = domain[:2].upper()
        for row in table.to_dict("records"):
            for cell in row["origin"][:1] if f"{stem}STRESC" in table.columns else row["origin"]:
                results.setdefault(cell, []).append((domain, row))
    checked = 0
    for found in defects().values():
        defect = found[0]
        if defect["determines"] != "flagged_null" or not defect["planted"]:
            continue
        for domain, row in results.get(defect["cell"], []):
            stem = domain[:2].upper()
            checked += 1
            assert row["flags"], defect
            if f"{stem}STRESC" in row:
                assert row[f"{stem}STRESC"] is None, defect
                assert pd.isna(row[f"{stem}STRESN"]), defect
            else:
                assert {"DATE_INVALID", "CODE_UNKNOWN"} & set(row["flags"]), defect
    assert checked > 12


def test_rows_in_are_kept_or_set_aside(clean):
    counts = clean.reconciliation.groupby(["domain", "form", "status"])["rows"].sum().unstack(fill_value=0)
    assert (counts["in"] == counts["kept"] + counts.get("set_aside", 0)).all()
    for (domain, form), row in counts.iterrows():
        assert row["in"] == len(clean.forms[form]), (domain, form)
