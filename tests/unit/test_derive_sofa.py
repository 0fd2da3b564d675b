"""Organ failure score: every band boundary as data, every branch of a day as a small patient."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers.derive_case import adsl_of, check_contract
from helpers.sofa_case import COMPONENTS, clean, course, full_day, moment, protocol, record, scored

from trialpipe.config import consistency
from trialpipe.derive.rules import Measured
from trialpipe.derive.run import derive
from trialpipe.derive.sofa_definition import points, scores
from trialpipe.io.errors import DataError

DATA = Path(__file__).parent / "data"
ORGANS = {organ.code: organ for organ in scores()["SOFA-1"].components}


def table(name: str) -> list[dict[str, str]]:
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def measured(text: str) -> Measured:
    if text in ("Y", "N"):
        return Measured(0, "r", text=text)
    if text[0] in "<>":
        limit = float(text[1:])
        return Measured(0, "r", below=limit if text[0] == "<" else None, above=limit if text[0] == ">" else None)
    return Measured(0, "r", float(text))


@pytest.mark.parametrize("case", table("sofa_points_truth"), ids=lambda c: f"{c['component']} {c['case']}")
def test_points(case):
    values = {name: measured(text) for name, text in (part.split("=") for part in case["values"].split(";"))}
    found = points(ORGANS[case["component"]], values)
    assert ("" if found is None else f"{found:g}") == case["expected"]


def test_every_organ_has_every_number_of_points():
    seen = {(case["component"], case["expected"]) for case in table("sofa_points_truth")}
    assert {(code, str(p)) for code in COMPONENTS for p in range(5)} <= seen


def one(frame, code: str, day: int = 0):
    return frame.loc[(code, day)]


def aval(frame, code: str, day: int = 0) -> float | None:
    value = one(frame, code, day)["AVAL"]
    return None if value != value else float(value)


def gas(day: int, time: str | None, po2: float, fio2: float, support: str | None) -> list[dict]:
    found = [record("PO2", day, time, po2), record("FIO2", day, time, fio2)]
    return found if support is None else [*found, record("RESPSUP", day, time, support)]


def test_lowest_without_support_68_and_lowest_with_it_120_give_3():
    frame = course(gas(6, "08:00", 68, 1, "N") + gas(6, "14:00", 60, 0.5, "Y") + gas(6, "20:00", 130, 1, "Y"))
    row = one(frame, "SOFARESP", 6)
    assert (row["AVAL"], row["FILL"]) == (3, "observed")
    assert {source.split("/")[2] for source in row["from"]} == {"PO2", "FIO2", "RESPSUP"}


def test_oxygen_of_another_time_makes_no_ratio():
    frame = course([record("PO2", 6, "08:00", 60), record("FIO2", 6, "09:00", 1.0), record("RESPSUP", 6, "08:00", "Y")])
    assert (aval(frame, "SOFARESP", 6), one(frame, "SOFARESP", 6)["FILL"]) == (None, "missing")


def test_support_of_the_day_stands_for_a_gas_without_its_own():
    day = record("RESPSUP", 6, None, "Y")
    assert aval(course([*gas(6, "08:00", 68, 1, None), day]), "SOFARESP", 6) == 4
    assert aval(course([*gas(6, "08:00", 68, 1, "N"), day]), "SOFARESP", 6) == 2
    unknown = one(course(gas(6, "08:00", 68, 1, None)), "SOFARESP", 6)
    assert (unknown["AVAL"], unknown["NOTE"]) == (2, "respiratory support unknown: read as none")


def test_fraction_above_1_is_not_read():
    frame = course(gas(6, "08:00", 60, 40, "Y"))
    assert aval(frame, "SOFARESP", 6) is None
    assert one(frame, "SOFATOT", 6)["NOTE"] == "FIO2: 40 is no fraction"


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        ({"dose": 0.1}, 3),
        ({"dose": 0.11}, 4),
        ({"dose": 0}, 0),
        ({"dose": 0.2, "salt": "TARTRATE"}, 3),
        ({"dose": 0.21, "salt": "TARTRATE"}, 4),
        ({"dose": 0.48, "unit": "mg/h"}, 3),
        ({"dose": 0.49, "unit": "mg/h"}, 4),
        ({"dose": 0.96, "unit": "mg/h", "salt": "TARTRATE"}, 3),
        ({"dose": 0.98, "unit": "mg/h", "salt": "TARTRATE"}, 4),
        ({"dose": 0.1, "unit": "µg/kg/min"}, 3),
        ({"dose": 5, "unit": "drops"}, 3),
        ({"dose": 5, "salt": "CITRATE"}, 3),
        ({"dose": None}, 0),
    ],
)
def test_norepinephrine(rate, expected):
    """80 kg: 0.48 mg/h are 0.1 ug/kg/min."""
    records = [record("MAP", 6, "08:00", 90), record("WEIGHT", 0, None, 80)]
    frame = course(records, [{"code": "NOREPI", "day": 6, "time": "10:00", "salt": "BASE", **rate}])
    assert aval(frame, "SOFACARD", 6) == expected


@pytest.mark.parametrize(("text", "expected"), [("0.12", 3), ("0,06", 3), ("0", 0), ("-0.1", 0), ("NF", 0), (None, 0)])
def test_rate_whose_figure_clean_set_aside(text, expected):
    """Without a unit, or with the wrong decimal mark, a rate is still above 0."""
    rate = {"code": "NOREPI", "domain": "vs", "where": {"VSTESTCD": "NOREPI"}}
    plan = protocol(rates=[{**rate, "dose": "VSSTRESN", "unit": "VSORRESU", "start": "VSDTC"}])
    rows = [record("MAP", 6, "08:00", 90), record("NOREPI", 6, "08:00", None, ORRES=text)]
    assert aval(course(rows, plan=plan), "SOFACARD", 6) == expected


def test_notes_of_vasopressors():
    at = {"day": 6, "time": "10:00"}
    pressure = [record("MAP", 6, "08:00", 90)]
    said = {
        "NOREPI: salt not recorded, read as base": {"code": "NOREPI", "dose": 0.2},
        "NOREPI: no body weight": {"code": "NOREPI", "dose": 1, "unit": "mg/h", "salt": "BASE"},
        "NOREPI: unit drops unknown": {"code": "NOREPI", "dose": 1, "unit": "drops", "salt": "BASE"},
        "NOREPI: salt CITRATE unknown": {"code": "NOREPI", "dose": 1, "salt": "CITRATE"},
        "EPINEPH: rate missing": {"code": "EPINEPH", "dose": None},
        "VASOPRES given, no part of the score": {"code": "VASOPRES", "dose": 2, "unit": "U/h"},
        "DOPAMINE: less than 60 minutes": {"code": "DOPAMINE", "dose": 20, "end_day": 6, "end_time": "10:59"},
    }
    for note, rate in said.items():
        assert note in (one(course(pressure, [{**at, **rate}]), "SOFATOT", 6)["NOTE"] or ""), note
    short = [{"code": "DOPAMINE", "dose": 20, "end_day": 6, "end_time": "11:00", **at}]
    assert aval(course(pressure, short), "SOFACARD", 6) == 4
    assert aval(course(pressure, [{"code": "VASOPRES", "dose": 2, **at}]), "SOFACARD", 6) == 0


def test_rate_runs_over_days():
    rate = {"code": "EPINEPH", "dose": 0.05, "day": 3, "time": "10:00", "end_day": 5, "end_time": "10:00"}
    frame = course([record("MAP", day, "12:00", 80) for day in range(8)], [rate])
    assert [aval(frame, "SOFACARD", day) for day in range(1, 8)] == [0, 0, 3, 3, 3, 0, 0]


def test_rate_that_ends_at_midnight():
    rate = {"code": "EPINEPH", "dose": 0.05, "day": 3, "time": "10:00", "end_day": 5, "end_time": "00:00"}
    frame = course([record("GCS", 2, "12:00", 15)], [rate])
    assert [one(frame, "SOFACARD", day)["FILL"] for day in range(3, 8)] == [
        *("observed", "observed"),
        *("within_6h", "locf", "missing"),
    ]


def test_glasgow_under_sedation():
    before = record("GCS", 3, "08:00", 13)
    sedated = [record("GCS", 6, "08:00", 3), record("SEDATED", 6, "08:00", "Y")]
    carried = one(course([before, *sedated]), "SOFACNS", 6)
    assert (carried["AVAL"], carried["FILL"], carried["NOBS"]) == (1, "pre_sedation", 0)
    assumed = one(course([before, *sedated, record("GCSASS", 6, None, 15)]), "SOFACNS", 6)
    assert (assumed["AVAL"], assumed["FILL"], assumed["NOTE"]) == (0, "observed", "GCS assumed")
    nothing = one(course(sedated), "SOFACNS", 6)
    assert (nothing["AVALC"], nothing["FILL"], nothing["NOTE"]) == (
        None,
        "missing",
        "under sedation, no score before it",
    )
    awake = [record("GCS", 6, "18:00", 9), record("SEDATED", 6, "18:00", "N")]
    assert aval(course([before, *sedated, *awake]), "SOFACNS", 6) == 3
    beside = course([record("GCS", 6, "08:00", 15), record("GCSASS", 6, None, 6)])
    assert aval(beside, "SOFACNS", 6) == 0, "nobody is sedated: nothing to stand for"
    assert aval(course([record("GCSASS", 6, None, 6)]), "SOFACNS", 6) == 3
    whole_day = [record("GCS", 6, "08:00", 3), record("SEDATED", 6, None, "Y")]
    assert aval(course([before, *whole_day]), "SOFACNS", 6) == 1
    flag_only = [record("SEDATED", 6, None, "Y")]
    assert one(course([before, *flag_only]), "SOFACNS", 6)["FILL"] == "pre_sedation"


def test_replacement_therapy_can_be_switched_off():
    records = [record("CREAT", 6, "08:00", 80), record("RRT", 6, None, "Y")]
    assert aval(course(records), "SOFARENL", 6) == 4
    assert aval(course(records, plan=protocol(rrt="false")), "SOFARENL", 6) == 0
    alone = course([record("RRT", 6, None, "N")])
    assert one(alone, "SOFARENL", 6)["FILL"] == "missing"


@pytest.mark.parametrize(
    ("code", "component", "value", "unit", "more", "expected"),
    [
        ("BILI", "SOFALIVR", 34.0, "umol/L", {}, 2),
        ("BILI", "SOFALIVR", 33.5, "umol/L", {"ORRES": "1,96", "ORRESU": "mg/dL"}, 1),
        ("BILI", "SOFALIVR", 33.5, "umol/L", {"ORRES": "19.6", "ORRESU": "mg/L"}, 1),
        ("BILI", "SOFALIVR", 33.5, "umol/L", {"ORRES": "33.5", "ORRESU": "umol/L"}, 2),
        ("BILI", "SOFALIVR", 2.0, "mg/dL", {}, 2),
        ("CREAT", "SOFARENL", 300.6, "umol/L", {"ORRES": "3.4", "ORRESU": "mg/dL"}, 2),
        ("CREAT", "SOFARENL", 300.6, "umol/L", {"ORRES": "unreadable", "ORRESU": "mg/dL"}, 3),
        ("CREAT", "SOFARENL", 3.5, "mg/dL", {}, 3),
        ("CREAT", "SOFARENL", None, "umol/L", {"ORRES": "350", "ORRESU": "mg/dL"}, None),
        ("CREAT", "SOFARENL", ">442", "umol/L", {"ORRES": "5", "ORRESU": "mg/dL"}, 4),
        ("CREAT", "SOFARENL", 3.5, "furlong", {}, None),
        ("MAP", "SOFACARD", 9.33, "kPa", {}, 1),
        ("URINOUT", "SOFARENL", 0.4, "L", {}, 3),
    ],
)
def test_a_value_is_compared_in_the_unit_it_was_reported_in(code, component, value, unit, more, expected):
    frame = course([record(code, 6, "08:00", value, unit, **more)])
    assert aval(frame, component, 6) == expected
    if unit == "furlong":
        assert "no bands for unit furlong" in one(frame, "SOFATOT", 6)["NOTE"]


@pytest.mark.parametrize(
    ("day", "time", "fill", "value"),
    [
        (6, "08:00", "observed", 2),
        (7, "05:59", "within_6h", 2),
        (7, "06:00", "missing", None),
        (5, "18:00", "within_6h", 2),
        (5, "17:59", "locf", 2),
        (4, "00:00", "locf", 2),
        (3, "23:59", "missing", None),
        (6, None, "observed", 2),
        (4, None, "locf", 2),
        (3, None, "missing", None),
        (7, None, "missing", None),
    ],
)
def test_filling_of_day_7_in_intensive_care(day, time, fill, value):
    row = one(course([record("PLAT", day, time, 60)]), "SOFACOAG", 6)
    assert (row["FILL"], None if row["AVAL"] != row["AVAL"] else row["AVAL"]) == (fill, value)


@pytest.mark.parametrize(
    ("day", "time", "fill"),
    [(7, "05:59", "observed"), (6, "06:00", "observed"), (6, "05:59", "within_6h"), (7, "06:00", "within_6h")],
)
def test_day_that_starts_at_6(day, time, fill):
    plan = protocol(day_start="06:00")
    assert one(course([record("PLAT", day, time, 60)], plan=plan), "SOFACOAG", 6)["FILL"] == fill


def test_last_observed_is_the_worst_of_its_day():
    frame = course([record("PLAT", 5, "00:10", 30), record("PLAT", 5, "17:00", 160)])
    assert aval(frame, "SOFACOAG", 6) == 3


def test_baseline_precedes_the_first_dose():
    records = [record("PLAT", 0, "11:00", 120), record("PLAT", 0, "13:00", 10)]
    frame = course(records)
    row = one(frame, "SOFACOAG", 0)
    assert (row["AVAL"], row["AVISIT"], row["ABLFL"]) == (1, "D1", "Y")
    assert aval(frame, "SOFACOAG", 1) == 4, "what follows the dose is carried to the next day"
    late = course(records, events={"dose": moment(0, "14:00")})
    assert aval(late, "SOFACOAG", 0) == 4
    untimed = course([record("PLAT", 0, None, 10)])
    assert aval(untimed, "SOFACOAG", 0) == 4
    never = course(records, events={"dose": ""})
    assert aval(never, "SOFACOAG", 0) == 4


def test_missing_baseline_component_is_0_unless_all_are():
    frame = course([record("PLAT", 0, "11:00", 60), record("PLAT", 6, "11:00", 60)])
    assert (aval(frame, "SOFATOT"), one(frame, "SOFATOT")["NOBS"]) == (2, 1)
    assert one(frame, "SOFALIVR")["FILL"] == "baseline_zero"
    assert aval(frame, "SOFATOT", 6) is None
    nothing = one(course([record("PLAT", 6, "11:00", 60)]), "SOFATOT")
    assert (nothing["AVALC"], nothing["NOTE"]) == (None, "no baseline assessment")


def test_after_live_discharge_from_intensive_care():
    before = [record("RRT", 5, "08:00", "Y"), *full_day(5), record("CREAT", 5, "09:00", 180)]
    out = {"icu_out": moment(5, "18:00"), "out": moment(12)}
    frame = course(before, events=out)
    fills = {code: one(frame, code, 6)["FILL"] for code in COMPONENTS}
    assert fills == dict.fromkeys(("SOFARESP", "SOFACARD", "SOFACNS"), "ward_zero") | dict.fromkeys(
        ("SOFACOAG", "SOFALIVR", "SOFARENL"), "ward_last"
    )
    assert [aval(frame, code, 6) for code in COMPONENTS] == [0, 1, 1, 0, 0, 2], "dialysis is not carried, creatinine is"
    assert [one(frame, "SOFATOT", day)["STATUS"] for day in (5, 6, 12, 13, 27)] == [
        "icu",
        "ward",
        "ward",
        "discharged",
        "discharged",
    ]
    assert aval(frame, "SOFATOT", 27) == 4
    seen = course([*before, record("PLAT", 6, "08:00", 10), record("GCS", 6, "08:00", 14)], events=out)
    assert [aval(seen, code, 6) for code in ("SOFACOAG", "SOFACNS", "SOFARESP")] == [4, 1, 0]
    assert one(seen, "SOFATOT", 6)["NOBS"] == 2


def test_back_in_intensive_care():
    events = {"icu_out": moment(3), "icu_back": moment(5)}
    frame = course(full_day(2), events=events)
    assert [one(frame, "SOFATOT", day)["STATUS"] for day in (3, 4, 5, 6)] == ["icu", "ward", "icu", "icu"]


def test_discharge_before_admission_is_not_used():
    for setting, status, fill in (({}, "ward", "ward_zero"), ({"icu_admission": "included"}, "icu", "missing")):
        found = one(course(full_day(2), events={"icu_out": moment(-20)}, plan=protocol(**setting)), "SOFARESP", 6)
        assert (found["STATUS"], found["FILL"]) == (status, fill)
    same_day = course(full_day(0), events={"icu_out": moment(0, "20:00")}, plan=protocol(icu_admission="included"))
    assert [one(same_day, "SOFATOT", day)["STATUS"] for day in (0, 1)] == ["icu", "ward"]


def test_no_score_from_the_day_of_death_on():
    frame = course([r for day in range(10) for r in full_day(day)], events={"death": moment(6, "23:00")})
    dead = one(frame, "SOFATOT", 6)
    assert (dead["STATUS"], dead["AVALC"], dead["AVISIT"]) == ("dead", None, "D7")
    assert aval(frame, "SOFA24", 6) == 24
    assert (one(frame, "SOFATOT", 5)["STATUS"], aval(frame, "SOFATOT", 5), aval(frame, "SOFA24", 5)) == ("icu", 5, 5)
    days = sorted({day for _, day in frame.index})
    assert days == [0, 1, 2, 3, 4, 5, 6, 13, 27], "after death only visits"
    assert [aval(frame, code, 27) for code in (*COMPONENTS, "SOFACC", "SOFABEST", "SOFAWRST")] == [None] * 9


def test_lost_and_not_reached():
    lost = course(full_day(0) + full_day(4), events={"seen": moment(4)})
    assert (one(lost, "SOFATOT", 6)["STATUS"], aval(lost, "SOFATOT", 6)) == ("lost", None)
    assert (aval(lost, "SOFABEST", 6), aval(lost, "SOFAWRST", 6)) == (0, 24)
    plan = protocol().model_copy(update={"data_cutoff": moment(10)})
    late = course(full_day(0), plan=plan)
    assert (one(late, "SOFATOT", 13)["STATUS"], aval(late, "SOFAWRST", 13)) == ("not_reached", None)


def test_scenarios_of_missing_components():
    records = [r for r in full_day(0) + full_day(6) if r["code"] != "BILI" or r["day"] == 0]
    frame = course(records)
    assert [aval(frame, code, 6) for code in ("SOFATOT", "SOFACC", "SOFABEST", "SOFAWRST")] == [None, None, 4, 8]
    assert [aval(frame, code, 0) for code in ("SOFATOT", "SOFACC", "SOFABEST", "SOFAWRST")] == [5, 5, 5, 5]
    row = one(frame, "SOFATOT", 6)
    assert (row["NOBS"], row["FILL"]) == (5, "SOFALIVR missing")


def test_visit_takes_the_nearest_complete_day_of_its_window():
    plan = protocol(windows={"D14": (12, 16)})
    frame = course(full_day(0) + full_day(15), plan=plan)
    row = one(frame, "SOFATOT", 15)
    assert (row["AVISIT"], row["RELDAYS"], row["ATIME"], row["CHG"]) == ("D14", 2, 15, 0)
    assert one(frame, "SOFATOT", 13)["AVISIT"] is None


def test_contract_and_sources(tmp_path):
    plan, tables = protocol(), clean(full_day(0) + full_day(6))
    frame = scored(plan, tables)
    check_contract(frame, "adsofa", plan, tmp_path)
    assert not frame["row_id"].duplicated().any()
    known = {*tables["vs"]["row_id"], "adsl:t/1"}
    assert {source for sources in frame["from"] for source in sources} <= known
    visits = frame[(frame["PARAMCD"] == "SOFATOT") & (frame["ANL01FL"] == "Y")]
    assert list(visits["AVISIT"]) == ["D1", "D7", "D14", "D28"]
    assert list(visits["ADY"]) == [1, 7, 14, 28]


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"definition": "SOFA-2"}, "datasets[adsofa].definition 'SOFA-2' is not in sofa.yaml - use one of SOFA-1"),
        (
            {"measures": [{"code": "PLT", "domain": "vs", "where": {"VSTESTCD": "PLT"}}]},
            "datasets[adsofa].measures 'PLT' is none of SOFA-1",
        ),
        (
            {"rates": [{"code": "LEVO", "domain": "ex", "where": {"EXTRT": "X"}}]},
            "datasets[adsofa].rates 'LEVO' is none of SOFA-1",
        ),
    ],
)
def test_errors(changes, wrong):
    plan, tables = protocol(**changes), clean(full_day(0))
    with pytest.raises(DataError) as found:
        derive("adsofa", plan, (), tables, {"adsl": adsl_of(plan, tables)})
    assert wrong in str(found.value)


def test_undeclared_names_are_refused():
    """Milestones and domains of the dataset are part of the configuration's cross-check."""
    extracts = SimpleNamespace(domains=[SimpleNamespace(domain=name) for name in ("vs", "ex", "ds")])
    assert consistency._protocol(protocol(), extracts) == []
    wrong = consistency._protocol(protocol(icu_discharge="icu_exit"), extracts)
    assert [fault[2] for fault in wrong] == ["'icu_exit' is not a declared milestone; did you mean 'icu_out'?"]
    extracts.domains.pop(0)
    assert "'vs' is not a declared domain of extracts.yaml" in consistency._protocol(protocol(), extracts)[0][2]


def test_visits_need_one_baseline():
    plan = protocol()
    visits = plan.visit_sets[0]
    bare = tuple(visit.model_copy(update={"baseline": False}) for visit in visits.visits)
    plan = plan.model_copy(update={"visit_sets": (visits.model_copy(update={"visits": bare}),)})
    with pytest.raises(DataError, match="needs exactly one baseline visit - set baseline: true once"):
        course(full_day(0), plan=plan)


def test_two_gases_of_one_time_are_kept_apart_by_their_group():
    pairs = [("a", 100, 1.0), ("b", 60, 0.5)]
    records = [record(c, 6, "08:00", v, GRPID=g) for g, po2, fio2 in pairs for c, v in (("PO2", po2), ("FIO2", fio2))]
    support = record("RESPSUP", 6, "08:00", "Y")
    assert aval(course([*records, support]), "SOFARESP", 6) == 3, "100 and 120, not 60"
    mixed = [{**r, "more": {}} for r in records]
    assert aval(course([*mixed, support]), "SOFARESP", 6) == 4, "without groups the worst combination"
