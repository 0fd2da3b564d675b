"""The pilot study of CDISC, transport files to results, against its study report and R's numbers for the same data.

The report counts the day of the first dose as day 1; results hold elapsed days, one less.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pandas as pd
import pytest
from helpers.reference import reference_case
from workflow.runs import copy_repo, snakemake

from trialpipe.io import store

pytestmark = pytest.mark.slow
TRIAL = "cdiscpilot01"
ARMS = {
    "Placebo": "Placebo",
    "Xanomeline Low Dose": "Xanomeline low dose",
    "Xanomeline High Dose": "Xanomeline high dose",
}
SHORT = dict(zip(("pbo", "low", "high"), ARMS.values(), strict=True))
PLACE = (
    "outcome",
    "analysis",
    "group",
    "comparator",
    "term",
    "parameter",
    "variable",
    "category",
    "time",
    "statistic",
    "visit",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of the trial, its report made."""
    folder = copy_repo(tmp_path_factory.mktemp("cdisc") / "run", (TRIAL,))
    done = snakemake(folder, str(Path("results") / TRIAL / "report" / "index.html"))
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "results" / TRIAL


@pytest.fixture(scope="module")
def results(run: Path) -> pd.DataFrame:
    return store.read(run / "analysis.parquet")


@pytest.fixture(scope="module")
def values(results: pd.DataFrame) -> dict[tuple, float | None]:
    """Value by place; null parts are None."""
    plain = results[[*PLACE, "value"]].astype(object).where(results[[*PLACE, "value"]].notna(), None)
    found = {tuple(row[:-1]): row[-1] for row in plain.itertuples(index=False)}
    assert len(found) == len(results)
    return found


def at(values: dict[tuple, float | None], **place: object) -> float | None:
    return values[tuple(place.get(name) for name in PLACE)]


def expected(case: str) -> dict:
    return json.loads((reference_case("cdisc_pilot", case) / "expected.json").read_text(encoding="utf-8"))


def test_laws_hold(run: Path) -> None:
    laws = store.read(run / "laws.parquet")
    assert len(laws) > 0
    assert laws["holds"].all()


def test_adverse_events_equal_table_14_5_01(values: dict) -> None:
    """Every line of the published table: patients and events of each arm; no class or term is printed beside them."""
    path = reference_case("cdisc_pilot", "adae_teae") / "published_14-5-01.csv"
    lines = list(csv.DictReader(path.open(encoding="utf-8", newline="")))
    assert len(lines) == 254
    seen = set()
    for line in lines:
        place = {"variable": "soc_pt", "parameter": line["soc"]}
        if line["level"] == "any":
            place = {"variable": "overview", "category": "Any adverse event"}
        elif line["level"] == "pt":
            place["category"] = line["term"]
        seen.add((place.get("parameter"), place.get("category")))
        for short, arm in SHORT.items():
            for statistic, column in (("n", f"n_{short}"), ("events", f"ev_{short}")):
                found = at(
                    values, outcome="adverse-events", analysis="adverse_events", group=arm, statistic=statistic, **place
                )
                assert found == float(line[column]), (place, arm, statistic)
    assert len(seen) == 254
    named = {key for key in values if key[0] == "adverse-events" and key[1] == "adverse_events" and key[6] == "soc_pt"}
    printed = {(key[5], key[7]) for key in named}
    assert printed == {pair for pair in seen if pair != (None, "Any adverse event")}


def test_adverse_events_are_compared_by_fishers_test(values: dict) -> None:
    """p of both doses against placebo, of each class and term: R's fisher.test."""
    reference = expected("adae_teae")["expected"]
    compared = 0
    for level in ("any", "soc", "soc_pt"):
        part = reference[level]
        for number, key in enumerate(part["key"]):
            soc, _, term = key.partition("||")
            place: dict[str, object] = {"variable": "soc_pt", "parameter": soc, "category": term or None}
            if level == "any":
                place = {"variable": "overview", "category": "Any adverse event"}
            for short in ("low", "high"):
                found = at(
                    values,
                    outcome="adverse-events",
                    analysis="adverse_events",
                    group=SHORT[short],
                    comparator="Placebo",
                    statistic="p",
                    **place,
                )
                wanted = part[f"p_{short}"][number]
                assert found == (None if wanted is None else pytest.approx(wanted, rel=1e-9)), (key, short)
                compared += 1
    assert compared == 2 * 254


def test_arms_are_compared_as_in_the_report(values: dict) -> None:
    reference = expected("adsl_demographics")["expected"]
    place = {"outcome": "baseline", "analysis": "baseline", "group": "Overall", "term": "Test"}
    for variable, wanted in reference["anova"].items():
        for statistic, name in (("f", "F"), ("df_residual", "df2"), ("p", "p")):
            found = at(values, **place, variable=variable, statistic=statistic)
            assert found == pytest.approx(wanted[name], rel=1e-9), (variable, name)
    assert at(values, **place, variable="SEX", statistic="p") == pytest.approx(reference["sex_chisq_p"], rel=1e-9)


@pytest.mark.parametrize("arm", list(ARMS))
def test_demographics_equal_table_14_2_01(values: dict, arm: str) -> None:
    reference = expected("adsl_demographics")["expected"]["by_arm"][arm]
    place = {"outcome": "baseline", "analysis": "baseline", "group": ARMS[arm]}
    for variable in ("AGE", "HEIGHTBL", "WEIGHTBL", "BMIBL", "MMSETOT"):
        for name, wanted in reference[variable].items():
            found = at(values, **place, variable=variable, statistic=name.removesuffix("_type2"))
            assert found == pytest.approx(wanted, rel=1e-10), (variable, name)
    for variable in ("AGEGR1", "SEX", "RACE"):
        for category, wanted in reference[variable].items():
            assert at(values, **place, variable=variable, category=category, statistic="n") == wanted
            assert at(values, **place, variable=variable, category=category, statistic="denominator") == reference["N"]


def test_patients_equal_adsl(run: Path) -> None:
    """Patient by patient, what the study's own analysis data set holds."""
    path = reference_case("cdisc_pilot", "adsl_demographics") / "adsl.csv"
    theirs = {line["USUBJID"]: line for line in csv.DictReader(path.open(encoding="utf-8", newline=""))}
    adsl = store.read(run / "derived" / "adsl.parquet")
    ours = {line["SUBJID"]: line for line in adsl[adsl["ITTFL"] == "Y"].to_dict("records")}
    assert set(ours) == set(theirs)
    for number, line in theirs.items():
        mine = ours[number]
        for name in ("AGE", "HEIGHTBL", "WEIGHTBL", "BMIBL", "MMSETOT", "DURDIS", "EDUCLVL"):
            wanted = float(line[name]) if line[name] else None
            assert (None if pd.isna(mine[name]) else mine[name]) == wanted, (number, name)
        for name in ("SEX", "RACE", "ETHNIC", "AGEGR1", "SAFFL", "ITTFL", "EFFFL", "COMP24FL", "SITEID"):
            assert mine[name] == line[name], (number, name)
        assert mine["ARM"] == ARMS[line["TRT01P"]]
        assert f"{mine['TRTSDT']:%Y-%m-%d}" == line["TRTSDT"]
        assert pd.isna(mine["DISCDT"]) == (line["DISCONFL"] != "Y")


def test_times_to_dermatologic_event_equal_adtte(run: Path) -> None:
    path = reference_case("cdisc_pilot", "adtte_dermatologic") / "adtte.csv"
    theirs = {line["USUBJID"]: line for line in csv.DictReader(path.open(encoding="utf-8", newline=""))}
    adtte = store.read(run / "derived" / "adtte.parquet")
    known = adtte[adtte["AVAL"].notna()]
    ours = {row.USUBJID.rpartition("/")[2]: (row.AVAL + 1, row.CNSR) for row in known.itertuples()}
    assert ours == {number: (float(line["AVAL"]), int(line["CNSR"])) for number, line in theirs.items()}


def test_kaplan_meier_of_the_first_dermatologic_event(values: dict) -> None:
    reference = expected("adtte_dermatologic")["expected"]
    place = {"outcome": "dermatologic", "analysis": "kaplan_meier"}
    for number, arm in enumerate(reference["arms"]):
        mine = place | {"group": ARMS[arm]}
        events = at(values, **mine | {"analysis": "logrank"}, statistic="events")
        assert events == reference["events"][number]
        for time, risk, wanted in zip(
            reference["n_at_risk_times"], reference["n_at_risk"][arm], reference["surv"][f"arm={arm}"], strict=True
        ):
            if time > 0:
                assert at(values, **mine, time=float(time - 1), statistic="n_risk") == risk
                assert at(values, **mine, time=float(time - 1), statistic="survival") == pytest.approx(wanted, rel=1e-9)
        quantiles = reference["quantiles_conf_loglog"]
        for column, (term, name) in {
            "V1": ("Quantile 25 %", "quantile"),
            "V2": ("Median", "median"),
            "V3": ("Quantile 75 %", "quantile"),
        }.items():
            for statistic, part in ((name, "quantile"), ("lower", "lower"), ("upper", "upper")):
                wanted = quantiles[part][column][number]
                found = at(values, **mine, term=term, statistic=statistic)
                assert found == (None if wanted is None else wanted - 1), (arm, term, statistic)


def test_tests_of_the_first_dermatologic_event(values: dict) -> None:
    reference = expected("adtte_dermatologic")["expected"]
    test = {"outcome": "dermatologic", "analysis": "logrank", "group": "Overall", "term": "Log-rank test"}
    assert at(values, **test, statistic="chi_square") == pytest.approx(reference["logrank_chisq"], rel=1e-9)
    assert at(values, **test, statistic="p") == pytest.approx(reference["logrank_p"], rel=1e-9)
    cox = reference["cox_hr"]
    for number, name in enumerate(cox["terms"]):
        place = {"outcome": "dermatologic", "analysis": "cox", "group": "Overall", "term": "ARM"}
        place["category"] = f"{ARMS[name.removeprefix('arm')]} vs Placebo"
        for statistic, column in (("hr", "hr"), ("lower", "lo"), ("upper", "hi")):
            assert at(values, **place, statistic=statistic) == pytest.approx(cox[column][number], rel=1e-8)


def test_weights_equal_the_studys_data_set(values: dict) -> None:
    """Values and changes by visit and arm: R on the study's own analysis data set."""
    path = Path(__file__).parents[1] / "reference" / "data" / "cdisc_pilot" / "weight_by_visit.csv"
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    compared = 0
    for line in csv.DictReader(lines):
        change = line["variable"] == "CHG"
        found = [
            value
            for key, value in values.items()
            if key[:3] == ("weight", f"describe_by_visit{'.change' if change else ''}", ARMS[line["arm"]])
            and (key[6], key[9]) == (line["variable"], line["statistic"])
            and key[10] == line["visit"].replace("End of Treatment", "End of treatment")
        ]
        assert found == [pytest.approx(float(line["value"]), rel=1e-9, abs=1e-12)], line
        compared += 1
    assert compared == 216
