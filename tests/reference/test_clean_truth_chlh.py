"""Clean tables that only the trial of infusions has, or has in its own form, against the truth of its extracts."""

from __future__ import annotations

from collections import Counter

import pandas as pd
import pytest
from helpers import truth_compare
from helpers.truth_case import TruthCase, committed

MILESTONES = [
    ("pr", "PRSTDTC", ("PRDECOD", "HSCT"), "hsct"),
    ("pr", "PRSTDTC", ("PRDECOD", "CONDITIONING"), "conditioning"),
    ("ds", "DSSTDTC", ("DSDECOD", "DEATH"), "death"),
    ("cm", "CMSTDTC", ("CMCAT", "RESCUE"), "rescue"),
]


@pytest.fixture(scope="module")
def case() -> TruthCase:
    return committed("c-hlh")


def test_neurological_sequelae(case):
    assert truth_compare.findings(case, "qs") > 8


@pytest.mark.parametrize(("domain", "variable", "where", "item"), MILESTONES)
def test_milestones(case, domain, variable, where, item):
    truth_compare.first_dates(case, domain, variable, where, item)


def test_doses(case):
    table = case.clean.tables["ex"]
    found = Counter((case.subject(r), r["EXSTDTC"], r["EXENDTC"], f"{r['EXDOSE']:.2f}") for r in case.sound(table))
    expected = Counter((t["subject"], t["start"], t["end"], f"{float(t['mg']):.2f}") for t in case.rows("doses"))
    assert found == expected


def test_concentrations(case):
    assert truth_compare.concentrations(case, "ug/mL", 0.05, 20) > 0.95 * len(case.rows("pk"))


def test_cytokines(case):
    chosen = case.last_runs()
    rows = list(case.sound(case.clean.tables["lbcy"]))
    sides = Counter()
    for row in rows:
        expected = chosen[row["LBREFID"], row["LBTESTCD"]]
        assert case.subject(row) == expected["subject"]
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
