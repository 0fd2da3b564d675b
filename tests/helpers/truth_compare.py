"""Comparisons of clean tables with the truth of a simulated extract, shared by the trials. Each returns how many."""

from __future__ import annotations

import pandas as pd
import pytest
from helpers.truth_case import TruthCase, text


def findings(case: TruthCase, domain: str) -> int:
    """Every sound record of a findings domain has the true value, text, unit or bound."""
    stem = domain.upper()
    known = {(t["subject"], t["test"], t["specimen"], t["datetime"][:10]): t for t in case.rows("findings")}
    seen = 0
    for row in case.sound(case.clean.tables[domain]):
        key = (case.subject(row), row[f"{stem}TESTCD"], text(row.get(f"{stem}SPEC")), row[f"{stem}DTC"])
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
    return seen


def first_dates(case: TruthCase, domain: str, variable: str, where: tuple[str, str], item: str) -> int:
    """The first record of a kind has the date of a milestone; patients with a defect in such a record are out."""
    table = case.clean.tables[domain]
    table = table[table[where[0]] == where[1]]
    spoilt = {case.subject(row) for row in table.to_dict("records") if not case.is_sound(row["origin"])}
    first: dict[str, str] = {}
    for row in (row for row in case.sound(table) if case.subject(row) not in spoilt):
        when = text(row[variable])
        first[case.subject(row)] = min(first.get(case.subject(row), when), when)
    expected = {t["subject"]: t[item] for t in case.rows("patients") if t[item]}
    for number, when in first.items():
        assert when == expected[number], (number, item)
    broken = {cell["subject"] for cell in case.cells if cell["raw_row"] in case.touched}
    assert set(expected) - set(first) <= broken
    return len(first)


def concentrations(case: TruthCase, unit: str, lower: float, upper: float, printed: float = 1e-6) -> int:
    """Every sound concentration has the true value in the canonical unit, or the true side of the range.

    ``printed``: relative precision of the limits as the laboratory printed them.
    """
    known = {t["sample"]: t for t in case.rows("pk")}
    compared = 0
    for row in case.sound(case.clean.tables["pc"]):
        expected = known[row["PCREFID"]]
        assert case.subject(row) == expected["subject"]
        assert row["PCDTC"][:10] == expected["datetime"][:10]
        assert text(row["PCRFTDTC"]) == expected["last_dose"]
        compared += 1
        if expected["measured"] == "no":
            assert row["PCSTAT"] == "NOT DONE"
            continue
        assert row["PCSTRESU"] == unit
        assert row["PCLLOQ"] == pytest.approx(lower, rel=printed)
        assert row["PCULOQ"] == pytest.approx(upper, rel=printed)
        if expected["limit"] == "none":
            assert row["PCSTRESN"] == pytest.approx(float(expected["value"]), rel=1e-6)
        else:
            assert row["PCCENS"] == {"below": "left", "above": "right"}[expected["limit"]]
            assert pd.isna(row["PCSTRESN"])
    assert compared > 0.9 * len(known)
    return compared
