"""Acute GVHD stages and grades against the enumerated grade tables of the reference case."""

from __future__ import annotations

import csv
import json
from collections import Counter
from itertools import product
from pathlib import Path

from helpers.gvhd_case import TABLES, organ
from helpers.reference import reference_case

from trialpipe.derive import grading

MAGIC = ("MAGSKIN", "MAGLIV", "MAGUGI", "MAGLGI")
GLUCK = ("GLUSKIN", "GLULIV", "GLUGUT")
ORGANS = {"skin": "MAGSKIN", "liver": "MAGLIV", "upper_gi": "MAGUGI", "lower_gi": "MAGLGI"}
TESTS = {
    "bsa_pct": "SKINBSA",
    "bilirubin_mg_dL": "BILIMGDL",
    "stool_mL_day": "LGIVOL",
    "stool_mL_kg_day": "LGIVKG",
    "episodes_day": "LGIEPI",
}


def _case() -> tuple[Path, dict]:
    folder = reference_case("scores", "agvhd_a")
    return folder, json.loads((folder / "expected.json").read_text(encoding="utf-8"))["expected"]


def _rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _values(row: dict[str, str]) -> dict[str, str]:
    """Values of a line; what the line does not say was looked for and absent."""
    values = {"SKINBULL": "N", "LGIPAIN": "N", "LGIBLD": "N"}
    values |= {"AGE": "8", "WEIGHT": "30"} if row["population_or_detail"] == "child" else {"AGE": "40"}
    if row["measure"] == "symptoms":
        return values | {"UGI": "N" if row["value"] == "none/intermittent" else "Y"}
    if row["measure"] == "other":
        return values | {"LGIPAIN": "Y", "LGIVOL": "0"}
    return values | {TESTS[row["measure"]]: row["value"]}


def test_magic_stages() -> None:
    folder, expected = _case()
    found = [organ(ORGANS[row["organ"]], _values(row)).value for row in _rows(folder, "magic_stages.csv")]
    assert found == expected["magic_stage"]


def test_magic_grades() -> None:
    folder, expected = _case()
    system = TABLES.systems["MAGIC"]
    found = []
    for row in _rows(folder, "magic_organ_stages.csv"):
        found.append(grading.points(system, {ORGANS[name]: int(value) for name, value in row.items()}))
    assert found == expected["magic_grade"]
    combinations = product(range(5), range(5), range(2), range(5))
    counts = Counter(str(grading.points(system, dict(zip(MAGIC, stages, strict=True)))) for stages in combinations)
    assert counts == expected["magic_grade_counts_all_250"]


def test_glucksberg_grades() -> None:
    folder, expected = _case()
    system = TABLES.systems["GLUCKSBERG-1995"]
    codes = {"skin": "GLUSKIN", "liver": "GLULIV", "gut": "GLUGUT"}
    rows = _rows(folder, "glucksberg_organ_stages.csv")
    found = [grading.points(system, {codes[name]: int(value) for name, value in row.items()}) for row in rows]
    assert found == expected["glucksberg_consensus_grade"]
    combinations = product(range(5), repeat=3)
    counts = Counter(str(grading.points(system, dict(zip(GLUCK, stages, strict=True)))) for stages in combinations)
    assert counts == expected["glucksberg_grade_counts_all_125"]
