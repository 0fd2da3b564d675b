"""Times to event: one row of tte_truth.csv per branch, and the bone-marrow trial against its published columns."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
import pytest
from helpers.derive_case import ROOT, adsl_of, check_contract, day, derive_all, domain, trial_outcomes, trial_protocol

from trialpipe.config.outcomes import Outcome
from trialpipe.config.protocol import Protocol
from trialpipe.derive.errors import UndeclaredIntercurrentEvent
from trialpipe.derive.run import derive

TRUTH = list(csv.DictReader((Path(__file__).parent / "data" / "tte_truth.csv").open(encoding="utf-8")))
EVENTS = {"relapse": "relapse", "gvhd": "agvhd", "death": "death", "discharge": "icu_discharge", "assessed": "assessed"}
ENDPOINTS: dict[str, dict[str, object]] = {
    "lfs": {"event": ["relapse", "death"], "censor": "assessed"},
    "relapse": {"event": "relapse", "competing": "death", "censor": "assessed"},
    "nrm": {"event": "death", "competing": "relapse", "censor": "assessed"},
    "gvhd": {"event": "agvhd", "competing": ["death", "relapse"], "censor": "assessed"},
    "stay": {"event": "icu_discharge", "competing": "death"},
    "os": {"event": "death", "horizon": "100 days"},
    "entry": {"event": "death", "entry": "assessed"},
    "early-event": {"event": ["relapse", "death"], "censor": "assessed", "early_event": "all"},
    "early-competing": {"event": "death", "competing": "relapse", "censor": "assessed", "early_event": "all"},
    "early-os": {"event": "death", "early_free": "all"},
    "early-free": {"event": ["relapse", "death"], "censor": "assessed", "early_free": "all"},
}


def protocol(events: tuple[str, ...] = ()) -> Protocol:
    milestones = [
        {"id": i, "variable": f"M{n}DT", "label": i, "domain": "ce", "where": {"CEDECOD": i}, "date": "CESTDTC"}
        for n, i in enumerate(("hsct", *EVENTS.values()))
    ]
    return Protocol.model_validate(
        {
            "trial": "t",
            "acronym": "T",
            "title": "t",
            "sponsor": "s",
            "synthetic": "true",
            "source": "s",
            "design": {"allocation": "single_arm", "planned_n": "1", "summary": "s"},
            "arms": [{"id": "A", "label": "A"}],
            "data_cutoff": "2019-12-31",
            "time": {"origin": "hsct", "first_day": "0"},
            "milestones": milestones,
            "last_alive": {"domains": ["ce", "lb"]},
            "intercurrent_events": [{"id": e, "milestone": e, "label": e} for e in events],
            "populations": [{"id": "all", "variable": "ALLFL", "label": "All"}],
            "datasets": [{"kind": "time_to_event", "id": "adtte", "label": "Time"}],
        }
    )


def outcome(endpoint: str, **intercurrent: str) -> Outcome:
    estimand = {"population": "all", "treatment": "X", "variable": "t", "summary": "s", "intercurrent": intercurrent}
    return Outcome.model_validate(
        {
            "id": endpoint,
            "title": endpoint,
            "section": "efficacy",
            "group": "g",
            "paramcd": endpoint.upper().replace("-", "")[:8],
            "endpoint": {"kind": "time_to_event", "origin": "hsct"} | ENDPOINTS[endpoint],
            "estimand": estimand,
            "analyses": [],
        }
    )


def clean(case: dict[str, str]) -> dict[str, pd.DataFrame]:
    events = [{"id": "1", "CEDECOD": i, "CESTDTC": case[c]} for c, i in EVENTS.items() if case.get(c)]
    seen = [{"id": "1", "test": "HGB", "value": 80, "date": case["seen"]}] if case.get("seen") else []
    origin = {"id": "1", "CEDECOD": "hsct", "CESTDTC": "2018-01-01"}
    return {"dm": domain("dm", [{"id": "1"}]), "ce": domain("ce", [origin, *events]), "lb": domain("lb", seen)}


def run(case: dict[str, str], what: Outcome, events: tuple[str, ...] = ()) -> pd.Series:
    configured = protocol(events)
    return derive("adtte", configured, (what,), {}, {"adsl": adsl_of(configured, clean(case))}).iloc[0]


@pytest.mark.parametrize("case", TRUTH, ids=[case["case"] for case in TRUTH])
def test_time(case):
    row = run(case, outcome(case["endpoint"]))
    assert (None if pd.isna(row["CNSR"]) else str(row["CNSR"])) == (case["cnsr"] or None)
    assert (None if pd.isna(row["AVAL"]) else row["AVAL"]) == (float(case["time"]) if case["time"] else None)
    assert row["EVENT"] == (case["event"] or None)
    assert case["note"] in (row["NOTE"] or "")
    assert bool(row["NOTE"]) == bool(case["note"])
    if case["time"]:
        assert row["ADT"] == pd.Timestamp(day(int(case["time"])))


def test_entry_is_kept():
    assert run({"death": "2018-03-01", "assessed": "2018-01-31"}, outcome("entry"))["ENTRY"] == 30.0
    assert run({"death": "2018-03-01", "assessed": "2017-06-30"}, outcome("entry"))["ENTRY"] == 0.0


@pytest.mark.parametrize(
    ("strategy", "death", "expected"),
    [
        ("treatment_policy", "2018-03-01", (0, 59.0, "death")),
        ("composite_failure", "2018-03-01", (0, 40.0, "agvhd")),
        ("composite_failure", "2018-02-01", (0, 31.0, "death")),
        ("hypothetical", "2018-03-01", (1, 40.0, None)),
        ("hypothetical", "2018-02-10", (0, 40.0, "death")),
        ("hypothetical", "", (1, 40.0, None)),
        ("while_on_treatment", "2018-03-01", (1, 40.0, None)),
    ],
)
def test_strategies(strategy, death, expected):
    case = {"gvhd": "2018-02-10", "death": death, "seen": "2018-03-30" if not death else ""}
    row = run(case, outcome("os", agvhd=strategy), ("agvhd",))
    assert (row["CNSR"], row["AVAL"], row["EVENT"]) == expected


@pytest.mark.parametrize(
    ("case", "lost", "expected"),
    [
        ({"seen": "2018-02-10"}, {"lost_event": "all"}, (0, 40.0, "lost_before_horizon")),
        ({"seen": "2018-02-10"}, {"lost_free": "all"}, (1, 100.0, None)),
        ({"seen": "2018-02-10"}, {"lost_event": "other"}, (1, 40.0, None)),
        ({"death": "2018-02-10"}, {"lost_free": "all"}, (0, 40.0, "death")),
        ({"seen": "2018-06-10"}, {"lost_event": "all"}, (1, 100.0, None)),
    ],
)
def test_worst_and_best_case_of_patients_lost(case, lost, expected):
    what = outcome("os")
    endpoint = what.endpoint.model_dump(mode="json") | lost
    row = run(case, Outcome.model_validate(what.model_dump(mode="json") | {"endpoint": endpoint}))
    assert (row["CNSR"], row["AVAL"], row["EVENT"]) == expected


def test_worst_and_best_case_need_a_horizon_and_exclude_each_other():
    for wrong in ({"horizon": None, "lost_event": "all"}, {"lost_event": "all", "lost_free": "all"}):
        endpoint = outcome("os").endpoint.model_dump(mode="json") | wrong
        with pytest.raises(ValueError, match=r"need a horizon|in lost_event and in lost_free"):
            type(outcome("os").endpoint).model_validate(endpoint)


def test_undeclared_intercurrent_event_stops_the_run():
    with pytest.raises(UndeclaredIntercurrentEvent, match="outcome os"):
        run({"gvhd": "2018-02-10", "seen": "2018-06-01"}, outcome("os"), ("agvhd",))
    # part of the endpoint, or after the end of the time at risk
    run({"gvhd": "2018-02-10", "seen": "2018-06-01", "assessed": "2018-06-01"}, outcome("gvhd"), ("agvhd",))
    run({"gvhd": "2018-05-10", "seen": "2018-06-01"}, outcome("os"), ("agvhd",))


def bone_marrow() -> tuple[list[dict[str, str]], dict[str, pd.DataFrame]]:
    """The public data set as clean tables; the mapping is that of config/trials/bmt-1991/extracts.yaml."""
    raw = list(csv.DictReader((ROOT / "resources/public/bmt-1991/bmt.csv").open(encoding="utf-8")))
    rows: dict[str, list[dict[str, object]]] = {"dm": [], "pr": [], "ds": [], "ce": []}
    events = (
        ("d2", "t2", "RELAPSE"),
        ("da", "ta", "ACUTE GVHD"),
        ("dc", "tc", "CHRONIC GVHD"),
        ("dp", "tp", "PLATELET RECOVERY"),
    )
    for line, patient in enumerate(raw, start=2):
        who: dict[str, object] = {"id": f"{line:03d}"}
        rows["dm"].append(who | {"AGE": float(patient["z1"]), "SEX": "M" if patient["z3"] == "1" else "F"})
        rows["pr"].append(who | {"PRDECOD": "HSCT", "PRSTDTC": day(0, "1990-01-01")})
        last = "DEATH" if patient["d1"] == "1" else "LAST CONTACT"
        rows["ds"].append(who | {"DSDECOD": last, "DSSTDTC": day(int(patient["t1"]), "1990-01-01")})
        assessed = day(int(patient["t2"]), "1990-01-01")
        rows["ds"].append(who | {"DSDECOD": "DISEASE ASSESSMENT", "DSSTDTC": assessed})
        for flag, time, name in events:
            if patient[flag] == "1":
                rows["ce"].append(who | {"CEDECOD": name, "CESTDTC": day(int(patient[time]), "1990-01-01")})
        if (patient["d2"], patient["d3"]) == ("0", "1"):
            rows["ce"].append(who | {"CEDECOD": "DEATH IN REMISSION", "CESTDTC": assessed})
    return raw, {name: domain(name, entries) for name, entries in rows.items()}


def test_bone_marrow_trial_gives_the_published_times(tmp_path):
    """Klein and Moeschberger, table D.1: t2 with d3 is leukaemia-free survival, t1 with d1 survival.

    One patient contradicts himself in the source (line 39: dead at 350 without relapse, leukaemia-free until 332);
    the configuration dates death in remission by t2, as the published analyses do.
    """
    raw, tables = bone_marrow()
    configured, outcomes = trial_protocol("bmt-1991"), trial_outcomes("bmt-1991")
    found = derive_all(configured, outcomes, tables)["adtte"]
    check_contract(found, "adtte", configured, tmp_path)
    times = {code: part.sort_values("USUBJID").reset_index() for code, part in found.groupby("PARAMCD")}

    def column(name: str) -> list[int]:
        return [int(patient[name]) for patient in raw]

    expected = column("t2")
    lfs, survival, relapse, nrm = times["LFS"], times["OS"], times["RELAPSE"], times["NRM"]
    assert lfs["AVAL"].tolist() == expected
    assert [int(c == 0) for c in lfs["CNSR"]] == column("d3")
    assert survival["AVAL"].tolist() == column("t1")
    assert [int(c == 0) for c in survival["CNSR"]] == column("d1")
    assert [int(c == 0) for c in relapse["CNSR"]] == column("d2")
    assert relapse["AVAL"].tolist() == expected
    in_remission = [int(p["d1"] == "1" and p["d2"] == "0") for p in raw]
    assert [int(c == 0) for c in nrm["CNSR"]] == in_remission
    assert [int(c == 2) for c in nrm["CNSR"]] == column("d2")
    # law: every end of leukaemia-free survival is a relapse or a death in remission, at the same time
    assert [int(a == 0 or b == 0) for a, b in zip(relapse["CNSR"], nrm["CNSR"], strict=True)] == column("d3")
    gvhd = times["AGVHD"]
    had = [p["da"] == "1" and int(p["ta"]) <= int(p["t2"]) for p in raw]
    assert [c == 0 for c in gvhd["CNSR"]] == had
    assert [t for t, h in zip(gvhd["AVAL"], had, strict=True) if h] == [
        int(p["ta"]) for p, h in zip(raw, had, strict=True) if h
    ]
