"""Derived datasets of the randomised trial of lymphocyte infusions against the simulator's truth.

From the forms with their planted defects put back every patient is compared; from the extract as it is, those without
a defect that may have changed something.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from helpers.truth_case import Row, TruthCase, committed, text
from helpers.truth_forms import derived
from reference.test_clean_truth_elit import REASON, TESTS

HORIZON = 730
DATES = {
    "INCLDT": "included",
    "RANDDT": "randomised",
    "HSCTDT": "hsct",
    "RELDT": "relapse",
    "HSCT2DT": "second_hsct",
    "DTHDT": "death",
    "LSTASSDT": "last_assessment",
    "LSTALVDT": "last_news",
}
CNSR = {"1": 0, "0": 1, "2": 2}
TIMES = {"OS": "os", "LFS": "lfs", "RELAPSE": "relapse", "NRM": "nrm"}
GVHD_TIMES = {
    ("AGVHD24", "primary"): "acute_2_4_magic",
    ("AGVHD24", "glucksberg"): "acute_2_4_glucksberg",
    ("AGVHD34", "primary"): "acute_3_4_magic",
    ("AGVHD34", "glucksberg"): "acute_3_4_glucksberg",
    ("CGVHD", "primary"): "chronic_any",
    ("CGVHDMS", "primary"): "chronic_moderate_severe",
}
ONSETS = {
    "MAGIC24": "acute_2_4_magic",
    "MAGIC34": "acute_3_4_magic",
    "GLUCK24": "acute_2_4_glucksberg",
    "GLUCK34": "acute_3_4_glucksberg",
    "CGVHD": "chronic_any",
    "CGVHDMS": "chronic_moderate_severe",
    "CGVHDSEV": "chronic_severe",
    "CGVHDSYS": "chronic_systemic",
}
GREATEST = {"MAGICMAX": "worst_acute_magic", "GLUCKMAX": "worst_acute_glucksberg", "NIHMAX": "worst_chronic"}
FREE = {
    ("GRFS", "primary"): ("holtan", "magic"),
    ("GRFS", "glucksberg"): ("holtan", "glucksberg"),
    ("GRFSREF", "primary"): ("refined", "magic"),
    ("GRFSREF", "glucksberg"): ("refined", "glucksberg"),
}
GRADES = {"MAGIC": "magic", "GLUCK": "glucksberg", "NIH2014": "nih"}
ROMAN = ("0", "I", "II", "III", "IV")


@pytest.fixture(scope="module")
def case() -> TruthCase:
    return committed("elit-aml01")


def doubtful(case: TruthCase, planted: bool) -> set[str]:
    """Patients with a defect after which the extract need not hold the truth."""
    return {cell["subject"] for cell in case.cells if planted and cell["determines"] != "equal"}


def rows(case: TruthCase, name: str, planted: bool) -> list[Row]:
    out = doubtful(case, planted)
    return [t for t in case.rows(name) if t["subject"] not in out]


def day(value: object) -> str:
    return "" if value is None or str(value) == "NaT" else str(value)[:10]


def times(case: TruthCase, planted: bool) -> dict[tuple[str, str, str], dict]:
    adtte = derived(case, planted)["adtte"]
    return {(r["USUBJID"], r["PARAMCD"], r["SCENARIO"]): r for r in adtte.to_dict("records")}


def milestones(case: TruthCase, planted: bool) -> None:
    adsl = derived(case, planted)["adsl"].set_index("USUBJID")
    for t in rows(case, "patients", planted):
        row = adsl.loc[case.usubjid(t)]
        assert row["ARMCD"] == t["arm"]
        for variable, item in DATES.items():
            assert day(row[variable]) == t[item], (t["subject"], item)


def event_times(case: TruthCase, planted: bool) -> None:
    found = times(case, planted)
    for t in rows(case, "patients", planted):
        for code, item in TIMES.items():
            row = found[case.usubjid(t), code, "primary"]
            assert (row["AVAL"], row["CNSR"]) == (float(t[f"{item}_time"]), CNSR[t[f"{item}_event"]]), (t, code)


def gvhd_times(case: TruthCase, planted: bool) -> None:
    found = times(case, planted)
    known = {(t["subject"], t["endpoint"]): t for t in rows(case, "gvhd", planted)}
    for subject in dict.fromkeys(subject for subject, _ in known):
        for (code, scenario), endpoint in GVHD_TIMES.items():
            t = known[subject, endpoint]
            row = found[case.usubjid(t), code, scenario]
            expected = 0 if t["event"] == "1" else 1 if t["event"] == "0" else 2
            # relapse and death are told apart
            assert (row["AVAL"], min(row["CNSR"], 2)) == (float(t["time"]), expected), t


def gvhd_onsets(case: TruthCase, planted: bool) -> None:
    adgv = derived(case, planted)["adgv"]
    found = {(r["USUBJID"], r["PARAMCD"]): r for r in adgv[adgv["AVISIT"] == "Whole course"].to_dict("records")}
    known = {(t["subject"], t["endpoint"]): t for t in rows(case, "gvhd", planted)}
    for t in rows(case, "patients", planted):
        for code, endpoint in ONSETS.items():
            row, onset = found[case.usubjid(t), code], known[t["subject"], endpoint]["onset"]
            assert (row["AVALC"], day(row["ADT"])) == ("Y" if onset else "N", onset), (t["subject"], code)
        for code, item in GREATEST.items():
            expected = ROMAN[int(t[item])] if code != "NIHMAX" else t[item].lower()
            assert found[case.usubjid(t), code]["AVALC"] == expected, (t["subject"], code)


def gvhd_grades(case: TruthCase, planted: bool) -> None:
    """Grade of every assessment by every system."""
    adgv = derived(case, planted)["adgv"]
    found = {(r["USUBJID"], r["PARAMCD"], day(r["ADT"])): r for r in adgv.to_dict("records") if r["AVISIT"] is None}
    seen = 0
    for t in rows(case, "gvhd_records", planted):
        for code, item in GRADES.items():
            if t[item]:
                row = found[case.usubjid(t), code, t["date"]]
                expected = t[item].lower() if code == "NIH2014" else ROMAN[int(t[item])]
                assert row["AVALC"] == expected, (t, code)
                seen += 1
    assert seen > 100


def free_of_gvhd_and_relapse(case: TruthCase, planted: bool) -> None:
    found = times(case, planted)
    known = {(t["subject"], t["definition"], t["system"]): t for t in rows(case, "grfs", planted)}
    for subject in dict.fromkeys(key[0] for key in known):
        for (code, scenario), (definition, system) in FREE.items():
            t = known[subject, definition, system]
            row = found[case.usubjid(t), code, scenario]
            assert (row["AVAL"], row["CNSR"]) == (float(t["time"]), CNSR[t["event"]]), t
            kind = text(row["EVENT"])
            kind = {"a": "acute_gvhd", "c": "chronic_gvhd"}[kind[0]] if "gvhd" in kind else kind
            assert kind == t["component"], t


def infusions(case: TruthCase, planted: bool) -> None:
    adex = derived(case, planted)["adex"]
    found = {(r["USUBJID"], r["PARAMCD"], r["AVISIT"]): r for r in adex.to_dict("records")}
    undetected = {cell["subject"] for cell in case.cells if planted and cell["kind"] == "cd3_exponent"}
    for t in rows(case, "dli", planted):
        who, number = case.usubjid(t), int(t["number"])
        if t["arm"] == "B":
            assert (who, "NGIVEN", "Whole course") not in found
            continue
        assert found[who, "NGIVEN", "Whole course"]["AVAL"] == number
        if number and t["subject"] not in undetected:
            assert found[who, "CUMDOSE", "Whole course"]["AVAL"] == pytest.approx(float(t["total_cells"]), rel=1e-5)
        reason = t["reason_none"] or t["reason_incomplete"]
        for place in range(number + 1, 4):
            assert found[who, "GIVEN", f"DLI {place}"]["AVALC"] == "N"
            assert found[who, "REASON", f"DLI {place}"]["AVALC"] == REASON.get(reason, reason or "not recorded")
    for t in rows(case, "dli_doses", planted):
        who, visit = case.usubjid(t), f"DLI {t['number']}"
        assert found[who, "DAYS", visit]["AVAL"] == float(t["day"])
        if t["subject"] not in undetected:
            assert found[who, "DOSE", visit]["AVAL"] == pytest.approx(float(t["cells"]), rel=1e-5)
            assert found[who, "DOSE", visit]["AVALU"] == t["unit"]


def immunity(case: TruthCase, planted: bool) -> None:
    found = {(r["USUBJID"], r["PARAMCD"], day(r["ADT"])): r for r in derived(case, planted)["adlb"].to_dict("records")}
    known = rows(case, "imm", planted)
    for t in known:
        row = found.get((case.usubjid(t), TESTS.get(t["test"], t["test"]), t["date"]))
        if t["measured"] == "no":
            assert row is None, t
            continue
        assert row is not None, t
        assert row["AVAL"] == pytest.approx(float(t["value"]), rel=1e-9), t
        assert row["ATIME"] == float(t["day"])
        # a visit of the truth is planned; a window may take a record of another one where its own is missing
        assert row["AVISIT"] in (t["visit"], None), t


def adverse_events(case: TruthCase, planted: bool) -> None:
    adae = derived(case, planted)["adae"].set_index("row_id")
    for t in rows(case, "ae", planted):
        row = adae.loc[f"adae:{case.usubjid(t)}/{t['number']}/1"]
        inside = 0 <= int(t["day"]) <= HORIZON
        assert (row["ATIME"], row["TRTEMFL"]) == (float(t["day"]), "Y" if inside else "N"), t


CHECKS: tuple[Callable[[TruthCase, bool], None], ...] = (
    milestones,
    event_times,
    gvhd_times,
    gvhd_onsets,
    gvhd_grades,
    free_of_gvhd_and_relapse,
    infusions,
    immunity,
    adverse_events,
)


@pytest.mark.parametrize("planted", [False, True], ids=["restored", "planted"])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_derived(case, check, planted):
    check(case, planted)


def test_few_patients_are_in_doubt(case):
    """Otherwise the comparison with the extract as it is would say little."""
    assert len(doubtful(case, True)) < 0.6 * len(case.rows("patients"))


def test_counts_of_the_truth(case):
    """The counts by arm that the truth lists, from datasets of the restored forms."""
    data = derived(case, False)
    arm = dict(zip(data["adsl"]["USUBJID"], data["adsl"]["ARMCD"], strict=True))
    found: Counter = Counter()
    for (who, code, scenario), row in times(case, False).items():
        if scenario == "primary" and code in TIMES and row["CNSR"] == 0:
            found[TIMES[code], "events", arm[who]] += 1
            found[TIMES[code], f"events by day {HORIZON}", arm[who]] += row["AVAL"] <= HORIZON
        if (code, scenario) in GVHD_TIMES and row["CNSR"] == 0:
            found["gvhd", GVHD_TIMES[code, scenario], arm[who]] += 1
    numbers = data["adex"][data["adex"]["PARAMCD"] == "NGIVEN"]
    for who, number in zip(numbers["USUBJID"], numbers["AVAL"], strict=True):
        found["dli", f"{number:g} infusions", arm[who]] += 1
    checked = 0
    for t in case.rows("outcomes"):
        key = (t["outcome"], t["item"], t["arm"])
        known = t["item"].startswith("events") and t["outcome"] != "ae" or t["item"] in GVHD_TIMES.values()
        if known or (t["item"].endswith("infusions") and t["arm"] == "A"):
            assert found[key] == int(t["count"]), t
            checked += 1
    assert checked == 2 * (2 * len(TIMES) + len(GVHD_TIMES)) + 4
