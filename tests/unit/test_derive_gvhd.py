"""Graft-versus-host disease: stages and grades by truth tables, onset and maximum, events of endpoints."""

from __future__ import annotations

import csv
import random
from itertools import product
from pathlib import Path

import pandas as pd
import pytest
from helpers import gvhd_case
from helpers.derive_case import adsl_of, check_contract, day
from helpers.gvhd_case import TABLES, adgv, adtte, clean, graded, gv, organ, outcome, protocol
from hypothesis import given, settings
from hypothesis import strategies as st

from trialpipe.derive import grading
from trialpipe.derive.gvhd import COURSE
from trialpipe.derive.run import derive
from trialpipe.io.errors import DataError

DATA = Path(__file__).parent / "data"
STAGES = list(csv.DictReader((DATA / "gvhd_stages_truth.csv").open(encoding="utf-8")))
GRADES = list(csv.DictReader((DATA / "gvhd_grades_truth.csv").open(encoding="utf-8")))
ASSESSED = list(csv.DictReader((DATA / "gvhd_events_truth.csv").open(encoding="utf-8")))
ALL = {"systems": ["MAGIC", "GLUCKSBERG-1995", "NIH-2014"]}
ZERO = {"SKINST": "0", "LIVERST": "0", "UGIST": "0", "LGIST": "0"}
START = {"randomisation": "2018-01-01"}


def values(text: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in text.split(";") if part)


@pytest.mark.parametrize("case", STAGES, ids=[f"{c['organ']} {c['case']}" for c in STAGES])
def test_stage(case: dict[str, str]) -> None:
    found = organ(case["organ"], values(case["values"]))
    assert (found.low, found.high) == (int(case["low"]), int(case["high"]))
    assert bool(found.notes) >= (found.low != found.high)


@pytest.mark.parametrize("case", GRADES, ids=[f"{c['system']} {c['case']}" for c in GRADES])
def test_grade(case: dict[str, str]) -> None:
    found = graded(case["system"], values(case["values"]))
    assert (found.low, found.high) == (int(case["low"]), int(case["high"]))
    assert bool(found.notes) >= (found.low != found.high)


@pytest.mark.parametrize("case", ASSESSED, ids=[f"{c['code']} {c['case']}" for c in ASSESSED])
def test_event_of_an_assessment(case: dict[str, str]) -> None:
    tests, system = values(case["values"]), gvhd_case.TABLES.systems[case["system"]]
    event = next(event for event in system.events if event.code == case["code"])
    found = grading.event_truth(event, system, graded(case["system"], tests), gvhd_case.measured(tests))
    assert {True: "Y", False: "N", None: ""}[found] == case["expected"]


def test_the_investigator_first_where_asked() -> None:
    assert organ("MAGSKIN", {"SKINBSA": "10", "SKINST": "3"}, "investigator").value == 3
    assert organ("MAGSKIN", {"SKINBSA": "10"}, "investigator").value == 1


@pytest.mark.parametrize("system", ["MAGIC", "GLUCKSBERG-1995"])
def test_acute_grades_are_monotone_in_every_stage(system: str) -> None:
    own = TABLES.systems[system]
    codes = [o.code for o in own.organs]
    for stages in product(*(range(o.greatest + 1) for o in own.organs)):
        grade = grading.points(own, dict(zip(codes, stages, strict=True)))
        for i, o in enumerate(own.organs):
            if stages[i] < o.greatest:
                worse = [s + (i == j) for j, s in enumerate(stages)]
                assert grading.points(own, dict(zip(codes, worse, strict=True))) >= grade


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=8, max_size=8), st.integers(0, 7))
def test_chronic_severity_is_monotone_and_as_published(scores: list[int], place: int) -> None:
    own = TABLES.systems["NIH-2014"]
    codes = [o.code for o in own.organs]
    severity = grading.points(own, dict(zip(codes, scores, strict=True)))
    worse = [min(s + (i == place), 3) for i, s in enumerate(scores)]
    assert grading.points(own, dict(zip(codes, worse, strict=True))) >= severity
    lung, others = scores[5], scores[:5] + scores[6:]
    if max(scores) == 3 or lung >= 2:
        expected = 3
    elif lung == 1 or 2 in others or sum(s > 0 for s in others) >= 3:
        expected = 2
    else:
        expected = min(sum(scores), 1)
    assert severity == expected


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from(["0", "1", "2", "3", "4", ""]), min_size=3, max_size=3), st.sampled_from(["0", "1", ""])
)
def test_the_range_holds_every_completion(stages: list[str], upper: str) -> None:
    tests = dict(zip(("SKINST", "LIVERST", "LGIST"), stages, strict=True)) | {"UGIST": upper}
    found = graded("MAGIC", tests)
    free = [name for name, text in tests.items() if not text]
    complete = [
        graded("MAGIC", tests | dict(zip(free, filled, strict=True))).value
        for filled in product(*(["0", "1"] if name == "UGIST" else list("01234") for name in free))
    ]
    assert (found.low, found.high) == (min(complete), max(complete))  # type: ignore[type-var]


def assessment(patient: str, date: str, **tests: str) -> list[tuple[str, str, str, str]]:
    return [(patient, date, test, text) for test, text in tests.items()]


def rows_of(frame: pd.DataFrame, code: str) -> pd.DataFrame:
    return frame[frame["PARAMCD"] == code]


def test_onset_maximum_and_trace(tmp_path: Path) -> None:
    findings = [
        *assessment("1", "2018-02-01", **ZERO | {"SKINST": "2"}),
        *assessment("1", "2018-02-08", **ZERO | {"LGIST": "1"}),
        *assessment("1", "2018-02-15", **ZERO | {"LGIST": "4"}),
        *assessment("1", "2018-03-01", **ZERO),
        *assessment("2", "2018-02-01", **ZERO),
        *assessment("3", "2018-02-01", SKINST="2", UGIST="0", LGIST="0"),
    ]
    configured = protocol(ALL)
    tables = clean({n: START for n in "1234"}, findings)
    frame = adgv(configured, tables)
    check_contract(frame, "adgv", configured, tmp_path)
    assert frame["row_id"].is_unique
    one = frame[frame["USUBJID"] == "t/1"].set_index("PARAMCD")
    assert list(one.loc["MAGIC"]["AVALC"]) == ["I", "II", "IV", "0"]
    assert list(one.loc["GLUCK"]["AVALC"]) == ["I", "II", "III", "0"]
    assert str(one.loc["MAGIC24"]["ADT"])[:10] == "2018-02-08"
    assert str(one.loc["MAGIC34"]["ADT"])[:10] == "2018-02-15"
    assert one.loc["MAGICMAX"]["AVALC"] == "IV"
    assert one.loc["GLUCKMAX"]["AVALC"] == "III"
    assert one.loc["MAGIC34"]["from"] == ["adgv:t/1/MAGIC/2018-02-15"]
    assert one.loc["MAGIC34"]["ATIME"] == 45.0
    assert len(one[one["AVISIT"].isna()].loc["MAGIC"].iloc[2]["from"]) == 4
    assert set(frame[frame["AVISIT"].notna()]["AVISIT"]) == {COURSE}
    two = frame[frame["USUBJID"] == "t/2"].set_index("PARAMCD")
    assert (two.loc["MAGIC24"]["AVALC"], two.loc["MAGICMAX"]["AVALC"]) == ("N", "0")
    assert two.loc["CGVHD"]["AVALC"] is None
    assert two.loc["CGVHD"]["NOTE"] == "not assessed"
    three = frame[frame["USUBJID"] == "t/3"].set_index("PARAMCD")
    assert three.loc["MAGIC24"]["AVALC"] is None
    assert "undetermined at 1 assessment" in three.loc["MAGIC24"]["NOTE"]
    assert three.loc["MAGICMAX"]["NOTE"] == "between I and IV"
    assert set(frame[frame["USUBJID"] == "t/4"]["NOTE"]) == {"not assessed"}


def test_a_form_that_is_filled_only_where_there_is_gvhd() -> None:
    spec = {"systems": ["MAGIC"], "recorded_if_present": "true", "start": "randomisation"}
    tables = clean({"1": START, "2": {"assessed": "2018-02-01"}, "3": START}, assessment("3", "2018-02-01", SKINST="1"))
    said = adgv(protocol(spec), tables).pivot_table("AVALC", "USUBJID", "PARAMCD", aggfunc="first", dropna=False)
    assert list(said.loc["t/1", ["MAGIC24", "MAGICMAX"]]) == ["N", "0"]
    assert said.loc[["t/2", "t/3"], ["MAGIC24", "MAGICMAX"]].isna().all(axis=None)


def test_chronic_events() -> None:
    none = dict.fromkeys(("MOUTH", "EYES", "GI", "LIVER", "LUNGS", "JOINTS", "GENITAL"), "0")
    findings = [
        *assessment("1", "2018-06-01", CGVHD="Y", SYSTRT="N", SKIN="1", **none),
        *assessment("1", "2018-07-01", CGVHD="Y", SYSTRT="Y", SKIN="2", **none),
        *assessment("1", "2018-08-01", CGVHD="Y", SYSTRT="Y", SKIN="3", **none),
        *assessment("2", "2018-06-01", CGVHD="N", SYSTRT="Y", SKIN="1", **none),
        *assessment("3", "2018-06-01", CGVHD="Y", SYSTRT="Y"),
    ]
    frame = adgv(protocol(ALL), clean({n: START for n in "123"}, findings))
    events = frame[frame["PARAMCD"].isin(["CGVHD", "CGVHDMS", "CGVHDSYS", "CGVHDSEV"])]
    first = events.pivot(index="USUBJID", columns="PARAMCD", values="ADT").map(
        lambda d: None if pd.isna(d) else f"{d:%m}"
    )
    said = events.pivot(index="USUBJID", columns="PARAMCD", values="AVALC")
    assert list(first.loc["t/1", ["CGVHD", "CGVHDMS", "CGVHDSYS", "CGVHDSEV"]]) == ["06", "07", "07", "08"]
    assert list(said.loc["t/2"]) == ["N"] * 4
    assert [said.loc["t/3", c] for c in ("CGVHD", "CGVHDSYS", "CGVHDMS")] == ["Y", "Y", None]
    assert list(rows_of(frame, "NIH2014")["AVALC"]) == ["mild", "moderate", "severe", "none", None]


@pytest.mark.parametrize(
    ("test", "values", "organ_code", "stage"),
    [
        ("BILIUMOL", ["<34", "34"], "MAGLIV", 1.0),
        ("BILIUMOL", ["257", ">257"], "MAGLIV", 4.0),
        ("FEV1", ["40", "<40"], "NIHLUNGS", 3.0),
        ("FEV1", ["80", ">80"], "NIHLUNGS", 0.0),
    ],
)
def test_worst_of_a_day_at_a_limit(test: str, values: list[str], organ_code: str, stage: float) -> None:
    """Below the limit is less than the limit, above it is more; lung function is worst where it is least."""
    mark = {"CGVHD": "Y"} if test == "FEV1" else {"AGVHD": "Y"}
    findings = [item for value in values for item in assessment("1", "2018-02-01", **{test: value})]
    for given_ in (findings, findings[::-1]):
        frame = adgv(protocol(ALL), clean({"1": START}, [*assessment("1", "2018-02-01", **mark), *given_]))
        assert list(rows_of(frame, organ_code)["AVAL"]) == [stage]


def test_assumed_values_and_the_worst_of_a_day() -> None:
    findings = [
        *assessment("1", "2018-02-01", SKINBSA="60", BILIUMOL="20", UGI="N", LGIVOL="100"),
        *assessment("1", "2018-02-01", BILIUMOL="60"),
    ]
    tables = clean({"1": START}, findings)
    open_ = rows_of(adgv(protocol({"systems": ["MAGIC"]}), tables), "MAGIC").iloc[0]
    assert (open_["AVAL"] != open_["AVAL"], open_["AVALLO"], open_["AVALHI"]) == (True, 3.0, 4.0)
    assume = {"SKINBULL": "N", "LGIPAIN": "N", "LGIBLD": "N"}
    row = rows_of(adgv(protocol({"systems": ["MAGIC"], "assume": assume}), tables), "MAGIC").iloc[0]
    assert row["AVALC"] == "III"
    assert row["NOTE"] == "2 values of BILIUMOL on one day: the worst counts"
    with pytest.raises(DataError, match=r"assume\.SKINBUL "):
        adgv(protocol({"systems": ["MAGIC"], "assume": {"SKINBUL": "N"}}), tables)
    with pytest.raises(DataError, match="the nearest is MAGIC"):
        adgv(protocol({"systems": ["MAGICK"]}), tables)


def test_bilirubin_and_fev1_of_other_domains_by_age() -> None:
    tests = {"SKINST": "0", "UGIST": "0", "LGIST": "0"}
    tables = clean({"1": START}, assessment("1", "2018-02-05", **tests))
    tables["lb"] = gv([("1", "2018-02-03", "BILIMGDL", "7"), ("1", "2018-02-06", "BILIMGDL", "20")], "lb")
    for age, expected in (("0 days", (0.0, 4.0)), ("2 days", (3.0, 3.0))):
        spec = {"systems": ["MAGIC"], "domains": ["gv", "lb"], "max_age": age}
        frame = adgv(protocol(spec), tables)
        row = rows_of(frame, "MAGIC").iloc[0]
        assert (row["AVALLO"], row["AVALHI"]) == expected
        assert len(rows_of(frame, "MAGIC")) == 1  # a laboratory value alone is no assessment


def test_start_and_ends() -> None:
    findings = [
        *assessment("1", "2017-12-01", **ZERO | {"SKINST": "3"}),
        *assessment("1", "2018-02-01", **ZERO),
        *assessment("1", "2018-03-01", **ZERO | {"LIVERST": "2"}),
        *assessment("1", "2018-03-02", **ZERO | {"LIVERST": "4"}),
    ]
    spec = {"systems": ["MAGIC"], "start": "randomisation", "ends": ["relapse"]}
    tables = clean({"1": START | {"relapse": "2018-03-01"}, "2": {"death": "2018-01-01"}}, findings)
    frame = adgv(protocol(spec), tables).set_index(["USUBJID", "PARAMCD"]).sort_index()
    row = frame.loc[("t/1", "MAGIC24")]
    assert f"{row['ADT'].iloc[0]:%Y-%m-%d}" == "2018-03-01"
    assert row["NOTE"].iloc[0] == "present before randomisation"
    assert frame.loc[("t/1", "MAGICMAX")]["AVALC"].iloc[0] == "III"
    assert frame.loc[("t/2", "MAGIC24")]["NOTE"].iloc[0] == "randomisation did not happen; not assessed"


def test_row_order_does_not_matter() -> None:
    findings = [
        row
        for n in "123"
        for k in range(4)
        for row in assessment(n, day(30 + 7 * k), **ZERO | {"LGIST": str(k), "SKINST": str(int(n))})
    ]
    configured, tables = protocol(ALL), clean({n: START for n in "123"}, findings)
    wanted = adgv(configured, tables)
    shuffled = dict(tables)
    order = list(range(len(tables["gv"])))
    random.Random(1).shuffle(order)
    shuffled["gv"] = tables["gv"].iloc[order].reset_index(drop=True)
    pd.testing.assert_frame_equal(wanted, adgv(configured, shuffled))


EVENTS = {"agvhd_3_4": "MAGIC34", "agvhd_2_4": "MAGIC24", "cgvhd_systemic": "CGVHDSYS", "cgvhd_severe": "CGVHDSEV"}
HOLTAN = {"event": ["agvhd_3_4", "cgvhd_systemic", "relapse", "death"], "horizon": "365 days"}
REFINED = {"event": ["agvhd_3_4", "cgvhd_severe", "relapse", "death"]}
GVHD = {"event": ["agvhd_2_4"], "competing": ["relapse", "death"]}
TIMES = list(csv.DictReader((DATA / "grfs_truth.csv").open(encoding="utf-8")))


@pytest.mark.parametrize("case", TIMES, ids=[f"{c['endpoint']} {c['case']}" for c in TIMES])
def test_times_with_derived_events(case: dict[str, str]) -> None:
    none = dict.fromkeys(("SKIN", "MOUTH", "EYES", "GI", "LIVER", "LUNGS", "JOINTS", "GENITAL"), "0")
    findings = [("1", "2018-01-02", test, text) for test, text in (ZERO | none | {"CGVHD": "N", "SYSTRT": "N"}).items()]
    for column, tests in (
        ("agvhd2", ZERO | {"SKINST": "3"}),
        ("agvhd3", ZERO | {"LIVERST": "2"}),
        ("cgvhd_topical", none | {"CGVHD": "Y", "SYSTRT": "N", "SKIN": "1"}),
        ("cgvhd_systemic", none | {"CGVHD": "Y", "SYSTRT": "Y", "SKIN": "1"}),
        ("cgvhd_severe", none | {"CGVHD": "Y", "SYSTRT": "N", "SKIN": "3"}),
    ):
        if case[column]:
            findings += [("1", day(int(case[column])), test, text) for test, text in tests.items()]
    dates = {name: day(int(case[name])) for name in ("relapse", "death", "assessed") if case[name]}
    endpoint = {"holtan": HOLTAN, "refined": REFINED, "gvhd": GVHD}[case["endpoint"]]
    configured = protocol(ALL, EVENTS)
    tables = clean({"1": START | dates}, findings)
    row = adtte(configured, tables, outcome("X", **endpoint, censor="assessed")).iloc[0]
    assert (row["CNSR"], row["AVAL"], row["EVENT"]) == (int(case["cnsr"]), float(case["time"]), case["event"] or None)
    assert row["EVNTDESC"] == (case["event"].upper() if "gvhd" in case["event"] else row["EVNTDESC"])
    if "gvhd" in case["event"]:
        assert row["from"][1].startswith("adgv:t/1/")


def test_an_open_grade_is_told_beside_the_time() -> None:
    findings = [*assessment("1", "2018-02-01", SKINST="1"), *assessment("1", "2018-03-01", LIVERST="3")]
    tables = clean({"1": START | {"assessed": "2018-06-01"}}, findings)
    row = adtte(protocol(ALL, EVENTS), tables, outcome("X", **GVHD, censor="assessed")).iloc[0]
    assert (row["EVENT"], row["AVAL"]) == ("agvhd_2_4", 59.0)
    assert row["NOTE"] == "agvhd_2_4: undetermined at 1 assessment(s)"


def test_partial_assessment_date() -> None:
    findings = assessment("1", "2018-03", **ZERO | {"LIVERST": "3"})
    tables = clean({"1": START | {"assessed": "2018-06-01"}}, findings)
    configured = protocol(ALL, EVENTS)
    frame = adgv(configured, tables)
    assert rows_of(frame, "MAGIC24")["ADTF"].iloc[0] == "D"
    row = adtte(configured, tables, outcome("X", **GVHD, censor="assessed")).iloc[0]
    assert (row["AVAL"], row["ADTF"]) == (59.0, "D")


def test_partial_onset_begins_no_earlier_than_the_start() -> None:
    findings = assessment("1", "2018-03", **ZERO | {"LIVERST": "3"})
    findings += assessment("2", "2018-03", **ZERO | {"LIVERST": "3"})
    tables = clean({"1": {"randomisation": "2018-03-11"}, "2": {"randomisation": "2018-04-01"}}, findings)
    frame = adgv(protocol(ALL | {"start": "randomisation"}, EVENTS), tables)
    rows = rows_of(frame, "MAGIC24").set_index("USUBJID")
    first = rows.loc["t/1"]
    assert (first["AVALC"], first["ADTLO"], first["ADTHI"]) == (
        "Y",
        pd.Timestamp("2018-03-11"),
        pd.Timestamp("2018-03-31"),
    )
    assert rows.loc["t/2", "AVALC"] is None
    # the assessment itself keeps the bounds that were recorded
    assert rows_of(frame, "MAGIC").set_index("USUBJID").loc["t/1", "ADTLO"] == pd.Timestamp("2018-03-01")


def test_no_assessment_at_all() -> None:
    configured = protocol(ALL, EVENTS)
    tables = clean({"1": START | {"assessed": "2018-06-01"}}, [])
    row = adtte(configured, tables, outcome("X", **GVHD, censor="assessed")).iloc[0]
    assert (row["CNSR"], row["AVAL"], row["NOTE"]) == (1, 151.0, "agvhd_2_4: not assessed")
    empty = derive("adgv", configured, (), tables, {"adsl": adsl_of(configured, tables).iloc[:0]})
    assert empty.empty
