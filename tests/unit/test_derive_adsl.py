"""Milestones, last known alive, formulas and populations of ADSL."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import pytest
from helpers.derive_case import adsl_of, domain, trial_protocol

from trialpipe.config import consistency
from trialpipe.config.protocol import Protocol
from trialpipe.derive import formula
from trialpipe.io.errors import DataError


def protocol(**changes: object) -> Protocol:
    base: dict[str, object] = {
        "trial": "t",
        "acronym": "T",
        "title": "t",
        "sponsor": "s",
        "synthetic": "true",
        "source": "s",
        "design": {"allocation": "single_arm", "planned_n": "1", "summary": "s"},
        "arms": [{"id": "A", "label": "Arm A"}],
        "data_cutoff": "2019-12-31",
        "time": {"origin": "first_dose", "first_day": "1"},
        "milestones": [
            {"id": "first_dose", "variable": "TRTSDT", "label": "First dose", "domain": "ex", "date": "EXSTDTC"},
            {
                "id": "last_dose",
                "variable": "TRTEDT",
                "label": "Last dose",
                "domain": "ex",
                "date": "EXSTDTC",
                "pick": "last",
            },
            {
                "id": "death",
                "variable": "DTHDT",
                "label": "Death",
                "domain": "ds",
                "where": {"DSDECOD": "DEATH"},
                "date": "DSSTDTC",
            },
            {
                "id": "hsct",
                "variable": "HSCTDT",
                "label": "HSCT",
                "domain": "pr",
                "where": {"PRDECOD": "HSCT"},
                "date": "PRSTDTC",
            },
        ],
        "last_alive": {"domains": ["ex", "ds", "pr", "lb"]},
        "populations": [
            {"id": "included", "variable": "ENRLFL", "label": "Included"},
            {"id": "treated", "variable": "SAFFL", "label": "Treated", "require": "first_dose"},
        ],
        "datasets": [],
    }
    return Protocol.model_validate(base | changes)


def people(*numbers: str) -> pd.DataFrame:
    return domain("dm", [{"id": number, "key": "dm", "SITEID": "01"} for number in numbers])


def iso(frame: pd.DataFrame, variable: str) -> object:
    value = frame[variable].iloc[0]
    return None if pd.isna(value) else value.strftime("%Y-%m-%d") if isinstance(value, pd.Timestamp) else value


@pytest.mark.parametrize(
    ("dates", "first", "last"),
    [
        # (value, low, high, flag): the interval of the minimum and of the maximum of the possible days
        (["2018-03-05T10:00", "2018-03-07"], ("2018-03-05", "2018-03-05", None), ("2018-03-07", "2018-03-07", None)),
        (["2018-03"], ("2018-03-01", "2018-03-31", "D"), ("2018-03-01", "2018-03-31", "D")),
        (["2018"], ("2018-01-01", "2018-12-31", "M"), ("2018-01-01", "2018-12-31", "M")),
        (["2018-03", "2018-03-05"], ("2018-03-01", "2018-03-05", "D"), ("2018-03-05", "2018-03-31", "D")),
        (["2018-03", "2018-05-02"], ("2018-03-01", "2018-03-31", "D"), ("2018-05-02", "2018-05-02", None)),
        ([None, "2018-05-02"], ("2018-05-02", "2018-05-02", None), ("2018-05-02", "2018-05-02", None)),
        ([None], (None, "2019-12-31", "Y"), (None, "2019-12-31", "Y")),
        (["2019-12"], ("2019-12-01", "2019-12-31", "D"), ("2019-12-01", "2019-12-31", "D")),
        (["2018-02-01", "2020-02-01"], ("2018-02-01", "2018-02-01", None), ("2018-02-01", "2018-02-01", None)),
    ],
)
def test_first_and_last_are_intervals(dates, first, last):
    doses = domain("ex", [{"id": "1", "EXSTDTC": text} for text in dates])
    found = adsl_of(protocol(), {"dm": people("1"), "ex": doses})
    for name, (low, high, flag) in (("TRTSDT", first), ("TRTEDT", last)):
        assert (iso(found, f"{name}_LO"), iso(found, f"{name}_HI"), iso(found, f"{name}F")) == (low, high, flag)
        assert iso(found, name) == (low if low == high else None)
    assert found["SAFFL"].tolist() == ["Y"]


def test_time_only_when_every_record_of_the_day_has_one():
    timed = domain("ex", [{"id": "1", "EXSTDTC": "2018-03-05T14:00"}, {"id": "1", "EXSTDTC": "2018-03-05T09:30"}])
    open_ = domain("ex", [{"id": "1", "EXSTDTC": "2018-03-05T14:00"}, {"id": "1", "EXSTDTC": "2018-03-05"}])
    assert iso(adsl_of(protocol(), {"dm": people("1"), "ex": timed}), "TRTSDT_TM") == "09:30"
    assert iso(adsl_of(protocol(), {"dm": people("1"), "ex": timed}), "TRTEDT_TM") == "14:00"
    assert iso(adsl_of(protocol(), {"dm": people("1"), "ex": open_}), "TRTSDT_TM") is None


def rescue(included: str | None, *given: str | None) -> tuple[object, object, object]:
    """Day, last possible day and time of the first treatment that is not before inclusion."""
    milestone = {"variable": "INCDT", "label": "Inclusion", "domain": "ds", "where": {"DSDECOD": "INCLUSION"}}
    base = protocol().model_dump(mode="json")["milestones"]
    later = {"id": "rescue", "variable": "RESCDT", "label": "Rescue", "domain": "pr", "date": "PRSTDTC"}
    own = [{"id": "inclusion", "date": "DSSTDTC", **milestone}, {**later, "not_before": "inclusion"}]
    dated = [] if included is None else [{"id": "1", "DSDECOD": "INCLUSION", "DSSTDTC": included}]
    tables = {
        "dm": people("1"),
        "ds": domain("ds", dated),
        "pr": domain("pr", [{"id": "1", "PRSTDTC": d} for d in given]),
    }
    found = adsl_of(protocol(milestones=[*base, *own]), tables)
    return iso(found, "RESCDT"), iso(found, "RESCDT_HI"), iso(found, "RESCDT_TM")


@pytest.mark.parametrize(
    ("included", "given", "expected"),
    [
        # the treatment of the day before does not hide the one after inclusion
        ("2018-03-05T10:00", ["2018-03-04T16:00", "2018-03-05T18:00"], ("2018-03-05", "2018-03-05", "18:00")),
        ("2018-03-05T10:00", ["2018-03-05T02:00"], (None, None, None)),
        ("2018-03-05T10:00", ["2018-03-05T10:00"], ("2018-03-05", "2018-03-05", "10:00")),
        # without a time it may be after
        ("2018-03-05T10:00", ["2018-03-05"], ("2018-03-05", "2018-03-05", None)),
        ("2018-03-05", ["2018-03-05T02:00"], ("2018-03-05", "2018-03-05", "02:00")),
        ("2018-03-05", ["2018-03"], (None, "2018-03-31", None)),
        ("2018-03-05", ["2018-02"], (None, None, None)),
        ("2018-03", ["2018-03-05T02:00", "2018-02-28"], ("2018-03-05", "2018-03-05", "02:00")),
        ("2018-03-05", [None], (None, "2019-12-31", None)),
        (None, ["2018-03-05"], (None, None, None)),
    ],
)
def test_not_before_another_milestone(included, given, expected):
    assert rescue(included, *given) == expected


def test_not_before_names_a_milestone_above():
    extracts = SimpleNamespace(domains=[SimpleNamespace(domain=name) for name in ("ex", "ds", "pr", "lb")])
    milestones = protocol().model_dump(mode="json")["milestones"]
    milestones[0]["not_before"] = "hsct"
    wrong = consistency._protocol(protocol(milestones=milestones), extracts)
    assert [(where, text.split(";")[0]) for _, where, text in wrong] == [
        (("milestones", 0, "not_before"), "'hsct' is not a declared milestone above")
    ]


def test_flagged_records_leave():
    doses = domain(
        "ex",
        [
            {"id": "1", "EXSTDTC": "2018-03-05", "flags": ["AFTER_CUTOFF"], "key": "a/1"},
            {"id": "1", "EXSTDTC": "2018-04-05", "flags": ["DUPLICATE"], "key": "b/2"},
            {"id": "1", "EXSTDTC": "2018-04-09", "flags": ["DUPLICATE"], "key": "b/1"},
        ],
    )
    found = adsl_of(protocol(), {"dm": people("1"), "ex": doses})
    assert iso(found, "TRTSDT") == "2018-04-09"
    assert found["from"].iloc[0][:2] == ["dm:t/1/dm/1", "ex:t/1/b/1"]


@pytest.mark.parametrize(
    ("death", "visit", "expected"),
    [
        # a partial death is not before the last evidence of life; evidence after an exact death is capped at it
        ("2018-03", "2018-03-11", ("2018-03-11", "2018-03-31", "2018-03-11")),
        ("2018-03", "2018-03-31", ("2018-03-31", "2018-03-31", "2018-03-31")),
        ("2018-03-10", "2018-03-15", ("2018-03-10", "2018-03-10", "2018-03-10")),
        ("2018-03-10", "2018-03-01", ("2018-03-10", "2018-03-10", "2018-03-10")),
        (None, "2018-03-15", ("2018-03-15", "2019-12-31", "2018-03-15")),
        (
            "2018-03",
            "2018-05-02",
            ("2018-03-01", "2018-03-31", "2018-03-01"),
        ),  # after the death: no evidence
        ("2018-03", ("2018-03-11", "2018-05-02"), ("2018-03-11", "2018-03-31", "2018-03-11")),
    ],
)
def test_death_and_last_alive_bound_each_other(death, visit, expected):
    visits = (visit,) if isinstance(visit, str) else visit
    clean = {
        "dm": people("1"),
        "ds": domain("ds", [{"id": "1", "DSDECOD": "DEATH", "DSSTDTC": death}]),
        "lb": domain("lb", [{"id": "1", "test": "HGB", "value": 80, "date": date} for date in visits]),
    }
    found = adsl_of(protocol(), clean)
    assert (iso(found, "DTHDT_LO"), iso(found, "DTHDT_HI"), iso(found, "LSTALVDT")) == expected


def test_partial_milestones_end_at_death():
    clean = {
        "dm": people("1"),
        "ds": domain("ds", [{"id": "1", "DSDECOD": "DEATH", "DSSTDTC": "2018-03-20"}]),
        "pr": domain("pr", [{"id": "1", "PRDECOD": "HSCT", "PRSTDTC": "2018-03"}]),
    }
    found = adsl_of(protocol(), clean)
    assert (iso(found, "HSCTDT_LO"), iso(found, "HSCTDT_HI"), iso(found, "HSCTDTF")) == (
        "2018-03-01",
        "2018-03-20",
        "D",
    )


def test_what_is_no_evidence_of_life():
    clean = {
        "dm": people("1"),
        "ex": domain("ex", [{"id": "1", "EXSTDTC": "2018-03-01"}]),
        "lb": domain(
            "lb",
            [
                {"id": "1", "test": "HGB", "value": None, "date": "2018-05-01", "stat": "NOT DONE"},
                {"id": "1", "test": "HGB", "value": 80, "date": "2020-03-01"},
                {"id": "1", "test": "HGB", "value": 80, "date": "2018-04"},
            ],
        ),
    }
    assert iso(adsl_of(protocol(), clean), "LSTALVDT") == "2018-04-01"
    without_lb = protocol(last_alive={"domains": ["ex", "lb"], "exclude": {"lb": {"LBTESTCD": "HGB"}}})
    assert iso(adsl_of(without_lb, clean), "LSTALVDT") == "2018-03-01"


def test_formulas_of_the_bone_marrow_trial():
    """Sources: products of ages above 28 as in Klein and Moeschberger, computed by hand."""
    row = {"AGE": 42.0, "DONAGE": 20.0, "FAB": "Yes", "NONE": None}
    for expression, expected in [
        ("AGE - 28", 14.0),
        ("(AGE - 28) * (DONAGE - 28)", -112.0),
        ("AGE > 40", 1.0),
        ("(FAB == 'Yes') * AGE", 42.0),
        ("FAB != 'Yes'", 0.0),
        ("-AGE ** 2 / 4", -441.0),
        ("AGE / (DONAGE - 20)", None),
        ("AGE + NONE", None),
        ("NONE > 3", None),
        ("FAB + 1", None),
        ("(0 - AGE) ** 0.5", None),
    ]:
        assert formula.evaluate(formula.parse(expression), row) == expected, expression


@pytest.mark.parametrize(
    "text", ["__import__('os')", "AGE.real", "1 < AGE < 3", "[AGE]", "AGE if 1 else 2", "AGE +", "True"]
)
def test_formulas_are_arithmetic_only(text):
    with pytest.raises(DataError, match="formulas.expression"):
        formula.parse(text)


def test_formula_of_dates_and_of_unknown_variables():
    doses = domain("ex", [{"id": "1", "EXSTDTC": "2018-02-27"}, {"id": "1", "EXSTDTC": "2018-03-02"}])
    entry = {"name": "TRTDUR", "label": "Days between doses", "expression": "TRTEDT - TRTSDT"}
    found = adsl_of(protocol(formulas=[entry]), {"dm": people("1", "2"), "ex": doses})
    assert found["TRTDUR"].iloc[0] == 3.0
    assert pd.isna(found["TRTDUR"].iloc[1])
    with pytest.raises(DataError, match="TRTDURR.*no variable of ADSL"):
        adsl_of(protocol(formulas=[entry | {"expression": "TRTDURR * 2"}]), {"dm": people("1")})


def test_level_outside_the_declared_ones_is_refused():
    variable = {"name": "SEX", "label": "Sex", "domain": "dm", "column": "SEX", "levels": ["F", "M"]}
    clean = {"dm": domain("dm", [{"id": "1", "SEX": "X"}])}
    with pytest.raises(DataError, match="t/1 SEX 'X' is not one of the levels F, M"):
        adsl_of(protocol(subject_variables=[variable]), clean)


def test_populations_and_arm():
    found = adsl_of(protocol(), {"dm": people("1", "2"), "ex": domain("ex", [{"id": "2", "EXSTDTC": "2018-03"}])})
    assert found["ENRLFL"].tolist() == ["Y", "Y"]
    assert found["SAFFL"].tolist() == ["N", "Y"]
    assert found["ARM"].tolist() == ["Arm A", "Arm A"]
    assert found["SUBJID"].tolist() == ["1", "2"]


def test_configured_trials_have_contracts(tmp_path):
    from helpers.derive_case import check_contract

    for trial in ("c-hlh", "bmt-1991"):
        configured = trial_protocol(trial)
        found = adsl_of(configured, {"dm": domain("dm", [{"id": "1", "SEX": "F", "AGE": 3.0}])})
        check_contract(found, "adsl", configured, tmp_path)
