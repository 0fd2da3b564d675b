"""HLH-2004 criteria and HScore of hand-worked patients, through the derived dataset."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pandas as pd
import pytest
from helpers.criteria_case import criteria, points
from helpers.reference import reference_case

MG_DL = {"triglycerides": 1 / 88.57, "fibrinogen": 1 / 100}
YES_NO = {"1": "Y", "1.0": "Y", "0": "N", "0.0": "N", "yes": "Y", "no": "N"}
NK = {"low": "DECREASED", "absent": "ABSENT", "normal": "NORMAL"}
FLAGS = {
    "fever": "HLHFEVER",
    "splenomegaly": "HLHSPLEN",
    "cytopenia_2_of_3": "HLHCYTOP",
    "hyperTG_or_hypofibrinogen": "HLHTGFIB",
    "haemophagocytosis": "HLHHAEMO",
    "nk_low_absent": "HLHNKACT",
    "ferritin_ge_500": "HLHFERRI",
    "scd25_ge_2400": "HLHCD25S",
}
ITEMS = {
    "immunosuppression": "HSIMMUN",
    "temperature": "HSTEMP",
    "organomegaly": "HSORGAN",
    "cytopenias": "HSCYTOP",
    "ferritin": "HSFERRI",
    "triglycerides": "HSTRIG",
    "fibrinogen": "HSFIB",
    "ast": "HSAST",
    "haemophagocytosis": "HSHAEMO",
}
NUMBERS = {
    "temperature": "TEMP",
    "ferritin": "FERRITIN",
    "triglycerides": "TRIG",
    "fibrinogen": "FIBRINO",
    "ast": "AST",
}
ORGANS = {"none": "NN", "hepatomegaly": "YN", "splenomegaly": "NY", "hepatosplenomegaly": "YY"}


def read(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def expected(folder: Path) -> dict:
    return json.loads((folder / "expected.json").read_text(encoding="utf-8"))["expected"]


def hlh_values(row: dict[str, str]) -> dict[str, str]:
    """A patient of the case as parameters; empty is not assessed."""
    return {
        "TEMP": row["temperature_max"],
        "SPLENO": YES_NO.get(row["splenomegaly"], ""),
        "HGB": row["hb_g_L"],
        "PLAT": row["plt_10e9_L"],
        "NEUT": row["anc_10e9_L"],
        "NEONATE": "Y" if float(row["age_weeks"]) < 4 else "N",
        "TRIG": row["tg_fasting_mmol_L"],
        "FIBRINO": row["fibrinogen_g_L"],
        "HEMOPHAG": YES_NO.get(row["haemophagocytosis"], ""),
        "NKACT": NK.get(row["nk_activity"], ""),
        "FERRITIN": row["ferritin_ug_L"],
        "CD25S": row["scd25_U_mL"],
        "GENE": "PRF1" if row["molecular_diagnosis"] == "1" else "unknown",
    }


def test_hlh_2004() -> None:
    folder = reference_case("scores", "hlh2004_a")
    wanted = expected(folder)
    found = criteria("HLH-2004", {row["id"]: hlh_values(row) for row in read(folder, "patients.csv")})
    assert sorted(found) == sorted(wanted)
    for patient, flags in wanted.items():
        own = found[patient]
        for name, code in FLAGS.items():
            assert own.loc[code, "AVALC"] == {1: "Y", 0: "N", None: None}[flags[name]], (patient, name)
        assert own.loc["HLHNMET", "AVAL"] == flags["n_met"]
        assert own.loc["HLHNASS", "AVAL"] == sum(flags[name] is not None for name in FLAGS)
        # the case counts a criterion that was not assessed as not met
        assert own.loc["HLHDIAGA", "AVALC"] == ("Y" if flags["hlh"] else "N")


def test_hlh_2004_undetermined() -> None:
    """Three-valued: A03 and A09 have 4 met of 6 and of 4 assessed, so the diagnosis is open; the others agree."""
    folder = reference_case("scores", "hlh2004_a")
    found = criteria("HLH-2004", {row["id"]: hlh_values(row) for row in read(folder, "patients.csv")})
    diagnoses = {patient: own.loc["HLHDIAG", "AVALC"] for patient, own in found.items()}
    assert diagnoses == {"A01": "Y", "A03": None, "A05": "Y", "A07": "Y", "A09": None, "A11": "Y"}


def item_values(row: dict[str, str]) -> dict[str, str]:
    """The parameters of one item of the case, in clean units."""
    item, value = row["item"], row["value"]
    if item in NUMBERS:
        factor = MG_DL[item] if row.get("unit") == "mg/dL" else 1
        return {NUMBERS[item]: str(float(value) * factor)}
    if item == "organomegaly":
        return dict(zip(("HEPATO", "SPLENO"), ORGANS[value], strict=True))
    if item == "cytopenias":
        low = int(value)
        return {code: "1" if place < low else "500" for place, code in enumerate(("HGB", "WBC", "PLAT"))}
    return {{"immunosuppression": "IMMSUP", "haemophagocytosis": "HEMOPHAG"}[item]: YES_NO[value]}


def test_hscore_items() -> None:
    folder = reference_case("scores", "hscore_a")
    rows, wanted = read(folder, "items.csv"), expected(folder)["items_points"]
    assert len(rows) == len(wanted)
    for row, expected_points in zip(rows, wanted, strict=True):
        assert points("HSCORE", ITEMS[row["item"]][2:], item_values(row)) == (expected_points,), row


def test_hscore_cytopenia() -> None:
    """The case counts lineages; points tell 0 or 1, 2 and 3 of them apart."""
    folder = reference_case("scores", "hscore_a")
    for row, lineages in zip(read(folder, "cytopenia.csv"), expected(folder)["cytopenia_lineages"], strict=True):
        values = {"HGB": row["hb_g_L"], "WBC": row["wbc_10e9_L"], "PLAT": row["plt_10e9_L"]}
        assert points("HSCORE", "CYTOP", values) == ({0: 0, 1: 0, 2: 24, 3: 34}[lineages],), row


def test_hscore_patients() -> None:
    folder = reference_case("scores", "hscore_a")
    wanted = expected(folder)["patients"]
    given = {}
    for row in read(folder, "patients.csv"):
        values = {"HGB": row["hb"], "WBC": row["wbc"], "PLAT": row["plt"], "TRIG": row["tg"], "FIBRINO": row["fib"]}
        for item in ("immunosuppression", "temperature", "organomegaly", "ferritin", "ast", "haemophagocytosis"):
            values |= item_values({"item": item, "value": row[item]})
        given[row["id"]] = values
    found: dict[str, pd.DataFrame] = criteria("HSCORE", given)
    assert sorted(found) == sorted(wanted)
    for patient, totals in wanted.items():
        own = found[patient]
        for item, code in ITEMS.items():
            assert own.loc[code, "AVAL"] == totals[item], (patient, item)
        score = own.loc["HSCORE"]
        assert (score["AVAL"], score["AVALLO"], score["AVALHI"]) == pytest.approx((totals["total"],) * 3)
        assert own.loc["HSGE169", "AVALC"] == ("Y" if totals["ge_169"] else "N")
