"""Means of the mixed model: balanced data give plain means, arms, baseline, what cannot be fitted."""

from __future__ import annotations

import pytest
from helpers.analyse_frames import adsl, one, outcome, run, table, value

from trialpipe.io import contracts

ENDPOINT = {"kind": "findings", "dataset": "adlb"}
VALUES = {
    "01": (12, 8, 3, 1),
    "02": (10, 9, 6, 2),
    "03": (14, 12, 4, 5),
    "04": (9, 5, 1, 1),
    "05": (13, 11, 9, 4),
    "06": (11, 10, 2, 3),
}
LABELS = ("D1", "D7", "D14", "D28")
MODEL = {"parameter": "S", "visits": LABELS, "base_visit": "D1"}


def scores(values=None, leave=()):
    rows = []
    for number, own in (values or VALUES).items():
        for label, score in zip(LABELS, own, strict=True):
            if (number, label) in leave:
                continue
            place = {"PARAMCD": "S", "AVISIT": label, "ANL01FL": "Y", "CENS": "none", "flags": []}
            rows.append({"patient": number, **place, "AVAL": score, "BASE": own[0]})
    return table(contracts.BDS, rows, "adlb").drop(columns="SCENARIO")


def people(arms="AAABBB"):
    return adsl({number: {"ARMCD": arm} for number, arm in zip(VALUES, arms, strict=True)})


def means(values, place):
    return sum(values[n][place] for n in values) / len(values)


def test_balanced_data_give_plain_means_and_changes():
    found, _ = run(outcome("mixed_model", ENDPOINT, MODEL), {"adsl": people(), "adlb": scores()})
    for place, label in enumerate(LABELS):
        assert value(found, "ls_mean", visit=label) == pytest.approx(means(VALUES, place), rel=1e-9)
        assert value(found, "n", visit=label, base_visit=None) == 6
    changes = [own[3] - own[0] for own in VALUES.values()]
    assert value(found, "mean_difference", visit="D28", base_visit="D1") == pytest.approx(sum(changes) / 6)
    row = one(found, "ls_mean", visit="D28")
    assert row["note"].startswith("hypothetical: values after death")
    assert "Linear mixed model by REML, a random intercept per patient" in row["method"]
    assert one(found, "lower", visit="D28", base_visit=None)["conf_level"] == 0.95
    assert not (found["statistic"] == "p").any()
    assert {"Variance between patients", "Residual variance"} == set(found["term"].dropna())


def test_missing_visits_borrow_from_the_patient():
    """The patient with the worst scores leaves: the mean of the measured falls, that of the model less."""
    leave = {("05", "D14"), ("05", "D28")}
    found, rowsets = run(outcome("mixed_model", ENDPOINT, MODEL), {"adsl": people(), "adlb": scores(leave=leave)})
    measured = sum(VALUES[n][2] for n in VALUES if n != "05") / 5
    assert value(found, "n", visit="D14", base_visit=None) == 5
    assert value(found, "ls_mean", visit="D14") > measured
    behind = rowsets[rowsets["rowset"] == one(found, "n", visit="D14", base_visit=None)["rowset"]]
    assert set(behind["role"]) == {"n", "model"}
    assert (behind["role"] == "n").sum() == 5


def test_arms_and_baseline():
    model = {**MODEL, "by": "ARMCD", "reference": "B", "visits": LABELS[1:], "base_visit": None, "baseline": "true"}
    found, _ = run(outcome("mixed_model", ENDPOINT, model), {"adsl": people(), "adlb": scores()})
    row = one(found, "p", visit="D28")
    assert (row["group"], row["comparator"], row["alternative"], row["null_value"]) == ("A", "B", "two-sided", 0.0)
    assert row["df"] > 0
    gap = value(found, "ls_mean", visit="D28", group="A") - value(found, "ls_mean", visit="D28", group="B")
    assert value(found, "mean_difference", visit="D28", group="A") == pytest.approx(gap)
    # mean baselines are 12 and 11: adjusted means are not the plain ones
    assert value(found, "ls_mean", visit="D28", group="A") != pytest.approx((1 + 2 + 5) / 3)


def test_what_cannot_be_fitted_says_so():
    alone = {(number, label) for number in VALUES for label in LABELS[1:]}
    found, _ = run(outcome("mixed_model", ENDPOINT, MODEL), {"adsl": people(), "adlb": scores(leave=alone)})
    row = one(found, "ls_mean", visit="D1")
    assert (row["value_text"], "no patient has two values" in row["note"]) == ("NE", True)
    few = {**MODEL, "covariance": "unstructured"}
    found, _ = run(
        outcome("mixed_model", ENDPOINT, few), {"adsl": people(), "adlb": scores(dict(list(VALUES.items())[:4]))}
    )
    assert "too few patients for an unstructured covariance" in one(found, "ls_mean", visit="D1")["note"]
    empty, _ = run(outcome("mixed_model", ENDPOINT, {**MODEL, "parameter": "T"}), {"adsl": people(), "adlb": scores()})
    assert "no value at any visit" in one(empty, "ls_mean", visit="D1")["note"]
    lost = {(number, "D14") for number in VALUES}
    partly, _ = run(outcome("mixed_model", ENDPOINT, MODEL), {"adsl": people(), "adlb": scores(leave=lost)})
    assert one(partly, "ls_mean", visit="D14")["value_text"] == "NE"
    assert value(partly, "ls_mean", visit="D28") == pytest.approx(means(VALUES, 3))


def test_changes_start_at_a_visit_of_the_model():
    with pytest.raises(ValueError, match="base_visit must be one of visits"):
        outcome("mixed_model", ENDPOINT, {**MODEL, "base_visit": "D2"})


def test_kenward_roger_widens_the_errors_and_keeps_the_degrees_of_freedom():
    """Balanced data: the errors of means over complete visits are exact, so the adjustment leaves them alone."""
    complete, incomplete = scores(), scores(leave={("02", "D14"), ("05", "D28"), ("03", "D7")})
    for data, wider in ((complete, False), (incomplete, True)):
        found = [
            run(outcome("mixed_model", ENDPOINT, MODEL | {"inference": i}), {"adsl": people(), "adlb": data})[0]
            for i in ("satterthwaite", "kenward_roger")
        ]
        errors = [value(rows, "std_err", visit="D28", base_visit="D1") for rows in found]
        assert errors[1] == pytest.approx(errors[0], rel=1e-9) or (wider and errors[1] > errors[0])
        assert value(found[0], "ls_mean", visit="D28") == value(found[1], "ls_mean", visit="D28")
    assert "Kenward-Roger standard errors" in one(found[1], "lower", visit="D28", base_visit="D1")["method"]
    assert errors[1] > errors[0]
