"""Results of the randomised trial, its defects put back, against the simulator's truth: counts, and estimates by R.

``data/transplant/elit_truth.csv`` is made by ``elit_truth.R`` from the truth of the committed extract.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.analyse_frames import one, value
from helpers.truth_case import TruthCase, committed
from helpers.truth_forms import derived

from trialpipe.analyse.run import analyse
from trialpipe.analyse.stack import stack
from trialpipe.config import plan
from trialpipe.config.trial import load_trial

ROOT = Path(__file__).resolve().parents[2]
WANTED = Path(__file__).parent / "data" / "transplant" / "elit_truth.csv"
ARMS = {"A": "DLI", "B": "No intervention"}
DAY = 730.0
PAIR = {"group": ARMS["A"], "comparator": ARMS["B"], "time": DAY}
TIMES = {
    "lfs": ("LFS", "relapse+death"),
    "os": ("OS", "death"),
    "relapse": ("RELAPSE", "relapse"),
    "nrm": ("NRM", "death"),
}
GVHD = {
    "acute_2_4_magic": ("acute-gvhd-2-4", "primary", "agvhd_2_4"),
    "acute_2_4_glucksberg": ("acute-gvhd-2-4", "glucksberg", "agvhd_2_4_glucksberg"),
    "acute_3_4_magic": ("acute-gvhd-3-4", "primary", "agvhd_3_4"),
    "acute_3_4_glucksberg": ("acute-gvhd-3-4", "glucksberg", "agvhd_3_4_glucksberg"),
    "chronic_any": ("chronic-gvhd", "primary", "cgvhd"),
    "chronic_moderate_severe": ("chronic-gvhd-moderate-severe", "primary", "cgvhd_moderate_severe"),
}


@cache
def case() -> TruthCase:
    return committed("elit-aml01")


@cache
def results() -> pd.DataFrame:
    """Results of all groups of outcomes."""
    trial = load_trial(ROOT / "config" / "trials", "elit-aml01")
    datasets = derived(case(), planted=False)
    made = [
        analyse(plan.group_outcomes(trial, group), plan.group_protocol(trial, group), datasets)[0]
        for group in dict.fromkeys(outcome.group for outcome in trial.outcomes)
    ]
    return stack(made, trial.outcomes)


def counts(outcome: str, item: str) -> dict[str, int]:
    """Truth by arm."""
    rows = [r for r in case().rows("outcomes") if (r["outcome"], r["item"]) == (outcome, item)]
    return {ARMS[r["arm"]]: int(r["count"]) for r in rows}


def wanted() -> list[Any]:
    frame = pd.read_csv(WANTED, dtype={"arm": str}, keep_default_na=False)
    return [pytest.param(r, id=f"{r.outcome}-{r.what}-{r.arm}") for r in frame.itertuples()]


@pytest.mark.parametrize("row", wanted())
def test_estimates_and_tests_as_in_r(row: Any) -> None:
    place: dict[str, Any] = {"outcome": row.outcome, "scenario": "primary"}
    exposure = {"time_dependent": "DLI", "landmark": "DLI60"}
    statistic, where = {
        "survival": ("survival", {"analysis": "kaplan_meier", "time": DAY, "term": None}),
        "lower": ("lower", {"analysis": "kaplan_meier", "time": DAY, "term": None}),
        "upper": ("upper", {"analysis": "kaplan_meier", "time": DAY, "term": None}),
        "rmst": ("rmst", {"analysis": "kaplan_meier"}),
        "difference": ("difference", {"analysis": "difference_at_time", **PAIR}),
        "chi_square": ("chi_square", {"analysis": "difference_at_time", **PAIR}),
        "p": ("p", {"analysis": "difference_at_time", **PAIR}),
        "logrank": ("chi_square", {"analysis": "logrank"}),
        "zph": ("chi_square", {"analysis": "cox", "term": "Proportional hazards", "category": "All terms"}),
        "cif": ("cif", {"analysis": "cumulative_incidence", "time": DAY}),
        "gray": ("chi_square", {"analysis": "cumulative_incidence", "term": "Gray's test"}),
        "coef": ("coef", {"term": "ARM"}),
        "se": ("std_err", {"term": "ARM"}),
    }[row.what]
    if row.outcome == "dli-received":
        where = {"analysis": f"cox.{row.arm}", "term": exposure[row.arm]}
    elif row.what in ("coef", "se"):
        where = {**where, "analysis": "cox" if row.outcome in ("lfs", "os") else "fine_gray"}
    if row.arm in ARMS:
        where = {**where, "group": ARMS[row.arm]}
    # R iterates Cox and Fine-Gray to 1e-9 of the likelihood, so that an estimate is good to about 1e-6
    loose = row.what in ("coef", "se", "zph")
    assert value(results(), statistic, **place, **where) == pytest.approx(row.value, rel=1e-5 if loose else 1e-9)


@pytest.mark.parametrize("outcome", TIMES)
def test_events_by_day_730(outcome: str) -> None:
    code, cause = TIMES[outcome]
    place = {"outcome": outcome, "scenario": "primary", "time": DAY, "term": None}
    place |= (
        {"analysis": "kaplan_meier"}
        if outcome in ("lfs", "os")
        else {"analysis": "cumulative_incidence", "category": cause}
    )
    for arm, expected in counts(outcome, "events by day 730").items():
        assert value(results(), "cum_events", group=arm, **place) == expected
    adtte = derived(case(), planted=False)["adtte"]
    early = adtte[
        (adtte["PARAMCD"] == code) & (adtte["SCENARIO"] == "primary") & (adtte["CNSR"] == 1) & (adtte["AVAL"] < DAY)
    ]
    assert len(early) == sum(counts(outcome, "censored before day 730").values())


@pytest.mark.parametrize("endpoint", GVHD)
def test_gvhd_before_relapse_and_death(endpoint: str) -> None:
    """Of all onsets, those by day 730; the truth counts onsets at any time."""
    outcome, scenario, event = GVHD[endpoint]
    onsets = [r for r in case().rows("gvhd") if r["endpoint"] == endpoint and r["event"] == "1"]
    for arm, expected in counts("gvhd", endpoint).items():
        late = sum(ARMS[r["arm"]] == arm and float(r["time"]) > DAY for r in onsets)
        found = value(
            results(), "cum_events", outcome=outcome, scenario=scenario, category=event, group=arm, time=DAY, term=None
        )
        assert found == expected - late


@pytest.mark.parametrize("definition", ["holtan", "refined"])
def test_first_components_of_grfs(definition: str) -> None:
    """The table counts them at any time, the curve by day 730."""
    codes = {"acute_gvhd": "agvhd_3_4", "relapse": "relapse", "death": "death"}
    codes["chronic_gvhd"] = {"holtan": "cgvhd_systemic", "refined": "cgvhd_severe"}[definition]
    truth = [r for r in case().rows("grfs") if (r["definition"], r["system"]) == (definition, "magic")]
    place = {"outcome": f"grfs-{definition}", "scenario": "primary"}
    for arm, label in ARMS.items():
        for component, code in codes.items():
            expected = sum(r["arm"] == arm and r["component"] == component for r in truth)
            found = value(results(), "n", analysis="first_events", group=label, category=code, **place)
            assert found == expected, (label, component)
        by_day = sum(counts("grfs", f"{definition} {component} by day 730")[label] for component in codes)
        assert (
            value(results(), "cum_events", analysis="kaplan_meier", group=label, time=DAY, term=None, **place) == by_day
        )


def test_infusions_and_reasons() -> None:
    place = {"outcome": "dli-feasibility"}
    for number in range(4):
        expected = counts("dli", f"{number} infusions")["DLI"]
        assert value(results(), "n", analysis="categories_by_visit.number", category=str(number), **place) == expected
    words = {"DONOR": "DONOR OR PRODUCT NOT AVAILABLE"}
    for reason in ("DONOR", "GVHD", "OTHER", "RELAPSE"):
        found = value(
            results(),
            "n",
            analysis="categories_by_visit.reason",
            category=words.get(reason, reason),
            visit="DLI 1",
            **place,
        )
        assert found == counts("dli", f"none: {reason}")["DLI"]
    cells = [float(r["cells"]) for r in case().rows("dli_doses") if r["number"] == "1"]
    row = one(results(), "median", analysis="describe_by_visit.dose", visit="DLI 1", **place)
    assert row["value"] == pytest.approx(np.median(cells), rel=1e-9)


def test_adverse_events_in_the_window() -> None:
    """Onset from randomisation to day 730; fatal ones later than that are in the truth and not in the window."""
    inside = [r for r in case().rows("ae") if 0 <= float(r["day"]) <= DAY]
    for arm, label in ARMS.items():
        mine = [r for r in inside if r["arm"] == arm]
        serious = {r["subject"] for r in mine if r["serious"] == "Y"}
        severe = {r["subject"] for r in mine if int(r["grade"]) >= 3}
        place = {"outcome": "safety", "variable": "overview", "group": label}
        assert value(results(), "events", category="Any adverse event", **place) == len(mine)
        assert value(results(), "n", category="Any adverse event", **place) == len({r["subject"] for r in mine})
        assert value(results(), "n", category="Serious", **place) == len(serious)
        assert value(results(), "n", category="Grade 3 or higher", **place) == len(severe)


def test_immune_cells_by_visit_and_arm() -> None:
    """Medians of the truth of the visit; windows take the visit's own record where no other is nearer."""
    codes = {"CD4C": "CD4", "CHIMCD3": "CHIMCD3"}
    for test, code in codes.items():
        for visit in ("M3", "M12"):
            for arm, label in ARMS.items():
                subjects = {r["subject"] for r in case().rows("patients") if r["arm"] == arm}
                rows = [r for r in case().rows("imm") if (r["test"], r["visit"], r["measured"]) == (test, visit, "yes")]
                values = [float(r["value"]) for r in rows if r["subject"] in subjects]
                place = {"outcome": "immune-reconstitution", "parameter": code, "visit": visit, "group": label}
                assert value(results(), "n", **place) == len(values)
                assert value(results(), "median", **place) == pytest.approx(np.median(values), rel=1e-9)


@pytest.mark.parametrize(
    ("scenario", "followed", "arm_of_events"),
    [
        ("worst-case", "last_assessment_day", "A"),
        ("best-case", "last_assessment_day", "B"),
        ("worst-news", "last_news_day", "A"),
        ("best-news", "last_news_day", "B"),
    ],
)
def test_worst_and_best_case_are_plain_proportions(scenario: str, followed: str, arm_of_events: str) -> None:
    """With nobody censored before day 730 the curves are proportions, counted here from the truth."""
    free = {}
    for arm in ARMS:
        patients = [r for r in case().rows("patients") if r["arm"] == arm]
        events = [r for r in patients if r["lfs_event"] == "1" and float(r["lfs_time"]) <= DAY]
        lost = [r for r in patients if r["lfs_event"] == "0" and float(r[followed]) < DAY]
        assert lost
        failed = len(events) + (len(lost) if arm == arm_of_events else 0)
        free[arm] = 1 - failed / len(patients)
    place = {**PAIR, "outcome": "lfs", "analysis": "difference_at_time", "scenario": scenario}
    assert value(results(), "difference", **place) == pytest.approx(free["A"] - free["B"], rel=1e-9)
