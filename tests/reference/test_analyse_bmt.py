"""The analyses of the public bone-marrow transplant data against R (survival, cmprsk), through the configured trial."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.analyse_frames import one, value
from helpers.reference import reference_case

from trialpipe.analyse.laws import laws
from trialpipe.analyse.run import analyse
from trialpipe.analyse.stack import stack, stack_rowsets
from trialpipe.config.errors import validate
from trialpipe.config.outcomes import Outcome, Outcomes
from trialpipe.config.protocol import Protocol
from trialpipe.config.yaml_strict import load
from trialpipe.io import contracts, store
from trialpipe.io.errors import DataError

ROOT = Path(__file__).resolve().parents[2]
RAW = ROOT / "resources" / "public" / "bmt-1991" / "bmt.csv"
CONFIG = ROOT / "config" / "trials" / "bmt-1991"
DATA = Path(__file__).parent / "data" / "transplant"
GROUPS = {"1": "ALL", "2": "AML low risk", "3": "AML high risk"}
DAY0 = pd.Timestamp("1990-01-01")


def raw() -> pd.DataFrame:
    return pd.read_csv(RAW)


@cache
def configured() -> tuple[Protocol, tuple[Outcome, ...]]:
    protocol = validate(load(CONFIG / "protocol.yaml"), Protocol, "protocol.yaml")
    outcomes = validate(load(CONFIG / "outcomes.yaml"), Outcomes, "outcomes.yaml").outcomes
    return protocol, tuple(o for o in outcomes if o.endpoint.kind == "time_to_event")


def adsl(source: pd.DataFrame) -> pd.DataFrame:
    ids = [f"bmt-1991/{i}" for i in range(1, len(source) + 1)]
    frame = pd.DataFrame({"row_id": [f"adsl:{u}" for u in ids], "USUBJID": ids, "ARMCD": "HCT", "SAFFL": "Y"})
    frame["GROUP"] = [GROUPS[str(g)] for g in source["group"]]
    frame["AGE"], frame["AGE28"] = source["z1"].astype(float), source["z1"] - 28.0
    frame["DONAGE28"] = source["z2"] - 28.0
    frame["AGEXDON"] = frame["AGE28"] * frame["DONAGE28"]
    for name, column in (("FAB", "z8"), ("MTX", "z10")):
        frame[name] = ["Yes" if v else "No" for v in source[column]]
    for name, days, had in (("AGVHDDT", "ta", "da"), ("CGVHDDT", "tc", "dc"), ("PLATDT", "tp", "dp")):
        dates = (DAY0 + pd.to_timedelta(source[days], unit="D")).where(source[had] == 1)
        for suffix in ("", "_LO", "_HI"):
            frame[f"{name}{suffix}"] = dates
    return frame


def adtte(source: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    """Times as a person reads them off the source: t2 with relapse d2, relapse or death d3; t1 with death d1."""
    trm = (source["d3"] == 1) & (source["d2"] == 0)
    codes = {
        "LFS": (source["t2"], np.where(source["d3"] == 1, 0, 1)),
        "OS": (source["t1"], np.where(source["d1"] == 1, 0, 1)),
        "RELAPSE": (source["t2"], np.where(source["d2"] == 1, 0, np.where(trm, 2, 1))),
        "NRM": (source["t2"], np.where(trm, 0, np.where(source["d2"] == 1, 2, 1))),
    }
    frames = []
    for code, (time, cnsr) in codes.items():
        frames.append(
            pd.DataFrame(
                {
                    "row_id": [f"adtte:{u}/{code}/primary" for u in people["USUBJID"]],
                    "USUBJID": people["USUBJID"],
                    "PARAMCD": code,
                    "SCENARIO": "primary",
                    "STARTDT": DAY0,
                    "AVAL": time.astype(float),
                    "ENTRY": 0.0,
                    "CNSR": pd.array(cnsr, dtype="Int64"),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


@cache
def computed() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    protocol, outcomes = configured()
    people = adsl(raw())
    kept = tuple(o for o in outcomes if o.paramcd in ("LFS", "OS", "RELAPSE", "NRM"))
    results, rowsets = analyse(kept, protocol, {"adsl": people, "adtte": adtte(raw(), people)})
    return stack([results], kept), stack_rowsets([rowsets]), people


def results() -> pd.DataFrame:
    return computed()[0]


def expected(group: str, case: str) -> Any:
    return json.loads((reference_case(group, case) / "expected.json").read_text())["expected"]


def near(found: float, wanted: float | None, rel: float = 1e-8, absolute: float = 1e-10) -> None:
    if wanted is None:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(wanted, rel=rel, abs=absolute)


def _strata() -> dict[str, str]:
    return {"Overall": "overall", **{label: code for code, label in GROUPS.items()}}


@pytest.mark.parametrize("group", ["Overall", *GROUPS.values()])
def test_survival_at_times(group: str) -> None:
    reference = expected("km", "bmt_dfs")
    part = reference["overall"] if group == "Overall" else reference["by"][_strata()[group]]
    wanted = part["conf_loglog"]
    for i, time in enumerate(wanted["times"]):
        place = {"outcome": "lfs", "analysis": "kaplan_meier", "group": group, "term": None, "time": float(time)}
        row = one(results(), "survival", **place)
        if row["value_text"] == "NE":  # R carries the curve on; here an estimate ends with the last observation
            assert "last observation" in row["note"]
            continue
        near(row["value"], wanted["surv"][i])
        near(value(results(), "std_err", **place), wanted["std_err"][i])
        near(value(results(), "lower", **place), wanted["lower"][i])
        near(value(results(), "upper", **place), wanted["upper"][i])
        assert value(results(), "n_risk", **place) == wanted["n_risk"][i]
    near(value(results(), "n", outcome="lfs", analysis="kaplan_meier", group=group, term=None, time=None), part["n"])
    near(
        value(results(), "events", outcome="lfs", analysis="kaplan_meier", group=group, term=None, time=None),
        part["n_events"],
    )


@pytest.mark.parametrize("group", ["Overall", *GROUPS.values()])
def test_quantiles(group: str) -> None:
    reference = expected("km", "bmt_dfs")
    wanted = (reference["overall"] if group == "Overall" else reference["by"][_strata()[group]])["conf_loglog"]
    for i, (term, name) in enumerate(
        (("Quantile 25 %", "quantile"), ("Median", "median"), ("Quantile 75 %", "quantile"))
    ):
        place = {"outcome": "lfs", "analysis": "kaplan_meier", "group": group, "term": term}
        for statistic, key in ((name, "quantile"), ("lower", "quantile_lower"), ("upper", "quantile_upper")):
            row = one(results(), statistic, **place)
            near(row["value"], wanted[key][i])
            assert (row["value_text"] == "NR") == (wanted[key][i] is None)


@pytest.mark.parametrize("code", GROUPS)
def test_curve_has_every_step(code: str) -> None:
    steps = expected("km", "bmt_dfs")["by"][code]["steps"]
    rows = results()
    curve = rows[
        (rows["outcome"] == "lfs") & (rows["analysis"] == "kaplan_meier~curve") & (rows["group"] == GROUPS[code])
    ]
    for statistic, key in (
        ("survival", "surv"),
        ("n_risk", "n_risk"),
        ("n_event", "n_event"),
        ("n_censor", "n_censor"),
    ):
        found = curve[curve["statistic"] == statistic].sort_values("time")
        assert found["time"].tolist() == steps["time"]
        assert found["value"].to_numpy() == pytest.approx(steps[key], rel=1e-8)


def test_restricted_mean_and_follow_up() -> None:
    place = {"outcome": "lfs", "analysis": "kaplan_meier", "group": "Overall"}
    near(value(results(), "rmst", term="Restricted mean", **place), 445.0580337, rel=1e-9)
    near(value(results(), "std_err", term="Restricted mean", **place), 24.21145527, rel=1e-9)
    assert value(results(), "median", term="Median follow-up", **place) == 1496


def test_logrank() -> None:
    wanted = expected("km", "bmt_dfs")["logrank"]["rho0"]
    near(value(results(), "chi_square", outcome="lfs", analysis="logrank"), wanted["chisq"])
    near(value(results(), "p", outcome="lfs", analysis="logrank"), wanted["p"])
    for i, label in enumerate(GROUPS.values()):
        near(value(results(), "events", outcome="lfs", analysis="logrank", group=label), wanted["observed"][i])
        near(value(results(), "expected", outcome="lfs", analysis="logrank", group=label), wanted["expected"][i])
    assert value(results(), "chi_square", outcome="lfs", analysis="logrank.by_mtx") == pytest.approx(13.2, abs=0.05)
    assert value(results(), "p", outcome="lfs", analysis="logrank.by_mtx") == pytest.approx(0.001365, abs=5e-7)


@pytest.mark.parametrize(("outcome", "key"), [("relapse", "1"), ("nrm", "2")])
def test_incidence_and_gray(outcome: str, key: str) -> None:
    milestone = next("+".join(o.endpoint.event) for o in configured()[1] if o.id == outcome)  # type: ignore[union-attr]
    reference = expected("competing_risks", "bmt_relapse_trm")
    place = {"outcome": outcome, "analysis": "cumulative_incidence", "category": milestone}
    for group, code in _strata().items():
        part = (
            reference["cuminc_overall"][f"cause{key}"]
            if group == "Overall"
            else reference["cuminc_by"][f"{code} {key}"]
        )
        for i, time in enumerate(part["times"]):
            here = {**place, "group": group, "term": None, "time": float(time)}
            near(value(results(), "cif", **here), part["cif"][i])
            near(value(results(), "std_err", **here), np.sqrt(part["var"][i]))
            near(value(results(), "lower", **here), part["loglog_lo"][i])
            near(value(results(), "upper", **here), part["loglog_hi"][i])
    gray = {"1": (11.9228820486, 0.002576196934), "2": (0.1374107833, 0.933601686433)}[key]
    test = one(results(), "chi_square", **place)
    assert test["df"] == 2
    near(test["value"], gray[0])
    near(value(results(), "p", **place), gray[1])


def test_fine_gray() -> None:
    wanted = {
        ("GROUP", "AML low risk vs ALL"): (-0.813087015919, 0.45370105174),
        ("GROUP", "AML high risk vs ALL"): (0.496464259502, 0.40063415140),
        ("AGE", None): (0.001735449438, 0.01778387199),
    }
    for (term, category), (coef, error) in wanted.items():
        place = {"outcome": "relapse", "analysis": "fine_gray", "term": term, "category": category}
        near(value(results(), "coef", **place), coef, rel=1e-6)
        near(value(results(), "std_err", **place), error, rel=1e-6)
        near(value(results(), "hr", **place), np.exp(coef), rel=1e-6)


def test_cox_fixed_and_stratified() -> None:
    for (term, category), coef in {
        ("GROUP", "AML low risk vs ALL"): -0.6246058197,
        ("GROUP", "AML high risk vs ALL"): 0.3075355667,
        ("AGE", None): 0.0088079763,
    }.items():
        place = {"outcome": "lfs", "analysis": "cox", "term": term, "category": category}
        near(value(results(), "coef", **place), coef, rel=1e-8)
    for category, coef in {"AML low risk vs ALL": -0.5000022176, "AML high risk vs ALL": 0.4400824931}.items():
        place = {"outcome": "lfs", "analysis": "cox.stratified", "term": "GROUP", "category": category}
        near(value(results(), "coef", **place), coef, rel=1e-8)


COX = {
    "cox.full": ("cox_fixed", ["low", "high", "FAB", "AGE28", "DONAGE28", "AGEXDON"]),
    "cox.acute_gvhd": ("td_agvhd", ["low", "high", "AGVHD"]),
    "cox.chronic_gvhd": ("td_cgvhd", ["low", "high", "CGVHD"]),
    "cox.platelets": ("td_platelet", ["low", "high", "PLAT"]),
    "cox.landmark": ("landmark", ["CG100", "low", "high"]),
}


@pytest.mark.parametrize("analysis", COX)
def test_cox_model(analysis: str) -> None:
    key, terms = COX[analysis]
    if key == "landmark":
        wanted = expected("cox_logrank", "bmt_landmark100")["cox"]["efron"]
    else:
        wanted = expected("cox_logrank", "bmt_time_dependent")[key]["efron"]
    levels = {"low": "AML low risk vs ALL", "high": "AML high risk vs ALL", "FAB": "Yes vs No"}
    for i, term in enumerate(terms):
        name = "GROUP" if term in ("low", "high") else term
        place = {"outcome": "lfs", "analysis": analysis, "term": name, "category": levels.get(term)}
        for statistic, reference in (
            ("coef", "coef"),
            ("std_err", "se"),
            ("hr", "hr"),
            ("lower", "hr_lo"),
            ("upper", "hr_hi"),
            ("z", "z"),
            ("p", "p"),
        ):
            near(value(results(), statistic, **place), wanted[reference][i], rel=1e-7)
    place = {"outcome": "lfs", "analysis": analysis}
    near(value(results(), "loglik", **place), wanted["loglik"])
    near(value(results(), "loglik_null", **place), wanted["loglik_null"])
    test = one(results(), "chi_square", term="Likelihood ratio test", **place)
    near(test["value"], wanted["lr_test"], rel=1e-7)
    assert test["df"] == wanted["lr_df"]
    assert value(results(), "events", **place) == wanted["nevent"]


def test_counting_process_is_the_reference_split() -> None:
    """All three exposures together give the rows of the reference's split (tmerge)."""
    from trialpipe.analyse.exposure import counting_process
    from trialpipe.config.analyses_survival import TimeDependent

    folder = reference_case("cox_logrank", "bmt_time_dependent")
    base, split = pd.read_csv(folder / "baseline.csv"), pd.read_csv(folder / "counting_process.csv")
    names = (("ta", "da"), ("tc", "dc"), ("tp", "dp"))
    switches = [base[day].where(base[had] == 1).to_numpy(dtype=float) for day, had in names]
    exposures = [TimeDependent(name="X", label="x", milestone="x") for _ in names]
    found = counting_process(
        base["t2"].to_numpy(float), base["d3"].to_numpy(int), np.zeros(len(base)), switches, exposures
    )
    rows = pd.DataFrame(
        np.column_stack([base["id"].to_numpy()[found.row], found.entry, found.time, found.event, found.exposed]),
        columns=["id", "tstart", "tstop", "dfs", "agvhd", "cgvhd", "plate"],
    ).sort_values(["id", "tstart"], ignore_index=True)
    wanted = split[list(rows.columns)].sort_values(["id", "tstart"], ignore_index=True).astype(float)
    pd.testing.assert_frame_equal(rows, wanted)


def test_laws_hold() -> None:
    protocol, outcomes = configured()
    found, rowsets, people = computed()
    verdicts = laws(found, rowsets, people, store.empty(contracts.RECONCILIATION), protocol, outcomes)
    broken = verdicts[~verdicts["holds"]]
    assert broken.empty, broken.to_string()
    assert verdicts["law_id"].is_unique
    tied = verdicts[verdicts["law"] == "Event-free survival and incidences of its events add up to 1"]
    assert tied["subject"].tolist() == ["lfs + relapse + nrm"]
    assert tied["expected"].tolist() == ["20 of 20 hold"]


def test_rows_resolve_to_the_patients_counted() -> None:
    found, rowsets, _ = computed()
    row = one(found, "cum_events", outcome="relapse", category="relapse", group="Overall", time=365.0)
    keys = rowsets[(rowsets["rowset"] == row["rowset"]) & (rowsets["role"] == "event")]["row_key"]
    source = raw()
    patients = source.index[(source["d2"] == 1) & (source["t2"] <= 365)] + 1
    assert sorted(keys) == sorted(f"adtte:bmt-1991/{i}/RELAPSE/primary" for i in patients)


LANDMARK = {"at": "100 days", "exposure": "chronic_gvhd", "name": "CG100", "label": "Exposed", "other": "Not exposed"}


def test_landmark_curves_test_and_reference_level_as_in_r() -> None:
    """Against tests/reference/landmark.R: patients at risk after day 100, by chronic GVHD until then."""
    wanted = pd.read_csv(DATA / "landmark.csv", dtype={"group": str})
    protocol, outcomes = configured()
    lfs = next(o for o in outcomes if o.paramcd == "LFS").model_dump(mode="json")
    lfs["analyses"] = [
        {"kind": "kaplan_meier", "landmark": LANDMARK, "overall": False, "at": ["180 days", "365 days", "730 days"]},
        {"kind": "logrank", "landmark": LANDMARK},
        {"kind": "cox", "landmark": LANDMARK, "terms": ["GROUP"], "reference": {"GROUP": "AML high risk"}},
    ]
    people = adsl(raw())
    found, _ = analyse((Outcome.model_validate(lfs),), protocol, {"adsl": people, "adtte": adtte(raw(), people)})
    names = {"0": "Not exposed", "1": "Exposed"}
    for row in wanted[wanted["what"] == "n"].itertuples():
        assert value(found, "n", analysis="kaplan_meier", group=names[row.group], term=None, time=None) == row.value
    for row in wanted[wanted["what"] == "survival"].itertuples():
        place = {"analysis": "kaplan_meier", "group": names[row.group], "term": None, "time": float(row.time)}
        near(value(found, "survival", **place), row.value)
        near(value(found, "lower", **place), row.lower)
        near(value(found, "upper", **place), row.upper)
    near(value(found, "chi_square", analysis="logrank"), wanted[wanted["what"] == "logrank"]["value"].iloc[0])
    terms = {
        "group1": ("GROUP", "ALL vs AML high risk"),
        "group2": ("GROUP", "AML low risk vs AML high risk"),
        "exposed": ("CG100", None),
    }
    for row in wanted[wanted["what"] == "cox"].itertuples():
        term, category = terms[row.group]
        place = {"analysis": "cox", "term": term, "category": category}
        near(value(found, "coef", **place), row.value, rel=1e-7)
        near(np.log(value(found, "lower", **place)), row.lower, rel=1e-7)
        near(np.log(value(found, "upper", **place)), row.upper, rel=1e-7)


def test_a_reference_that_nobody_has_is_refused() -> None:
    protocol, outcomes = configured()
    lfs = next(o for o in outcomes if o.paramcd == "LFS").model_dump(mode="json")
    lfs["analyses"] = [{"kind": "cox", "terms": ["GROUP"], "reference": {"GROUP": "AML"}}]
    people = adsl(raw())
    with pytest.raises(DataError, match="is the level of no patient at hand - name one of ALL"):
        analyse((Outcome.model_validate(lfs),), protocol, {"adsl": people, "adtte": adtte(raw(), people)})
