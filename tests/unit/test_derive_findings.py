"""Visit windows, baseline and change of findings datasets. Rulings 1 and 6; windows as in facts 1.5."""

from __future__ import annotations

import pandas as pd
import pytest
from helpers.derive_case import adsl_of, check_contract, day, domain, filled

from trialpipe.config.protocol import Protocol
from trialpipe.derive.run import derive

ORIGIN = "2018-01-01"


def protocol(first_day: int = 1, **changes: object) -> Protocol:
    dates = {"dose": ("ex", "EXSTDTC"), "cond": ("pr", "PRSTDTC")}
    visits = [
        {"label": "Inclusion", "day": 1, "window": [-13, 1], "pick": "last", "baseline": "true"},
        {"label": "D14", "day": 14, "window": [11, 17]},
        {"label": "D21", "day": 21, "window": [18, 24]},
        {"label": "D28", "day": 28, "window": [25, 35]},
        {"label": "Before", "anchor": "cond", "day": -1, "window": [-7, -1], "pick": "last"},
    ]
    parameters: list[dict[str, object]] = [
        {"code": "FERR", "label": "Ferritin", "where": {"LBTESTCD": "FERR"}},
        {"code": "GRADE", "label": "Grade", "where": {"LBTESTCD": "GRADE"}, "type": "text"},
    ]
    base: dict[str, object] = {
        "trial": "t",
        "acronym": "T",
        "title": "t",
        "sponsor": "s",
        "synthetic": "true",
        "source": "s",
        "design": {"allocation": "single_arm", "planned_n": "1", "summary": "s"},
        "arms": [{"id": "A", "label": "A"}],
        "data_cutoff": "2019-12-31",
        "time": {"origin": "dose", "first_day": str(first_day)},
        "milestones": [
            {"id": i, "variable": f"{i.upper()}DT", "label": i, "domain": d, "date": v} for i, (d, v) in dates.items()
        ],
        "last_alive": {"domains": ["lb"]},
        "populations": [{"id": "all", "variable": "ALLFL", "label": "All"}],
        "visit_sets": [{"id": "v", "stop_before": ["cond"], "visits": changes.pop("visits", visits)}],
        "datasets": [
            {"kind": "findings", "id": "adlb", "label": "L", "domain": "lb", "visits": "v", "parameters": parameters}
        ],
    }
    return Protocol.model_validate(base | changes)


def run(
    values: list[tuple[object, object]], dose: str = ORIGIN, cond: str | None = None, **kwargs: object
) -> pd.DataFrame:
    """ADLB of one patient from (date or elapsed day, value); ``cond`` starts conditioning."""
    configured = kwargs.pop("protocol", None) or protocol()
    rows = []
    for date, value in values:
        text = day(date) if isinstance(date, int) else date
        test = "GRADE" if value in ("mild", "severe") else "FERR"
        rows.append({"id": "1", "test": test, "value": value, "date": text} | kwargs)
    clean = {
        "dm": domain("dm", [{"id": "1"}]),
        "ex": domain("ex", [{"id": "1", "EXSTDTC": dose}] if dose else []),
        "pr": domain("pr", [{"id": "1", "PRSTDTC": cond}] if cond else []),
        "lb": domain("lb", rows),
    }
    adsl = adsl_of(configured, clean)
    return derive("adlb", configured, (), filled(configured, clean), {"adsl": adsl})


def analysed(found: pd.DataFrame) -> dict[str, float]:
    kept = found[found["ANL01FL"] == "Y"]
    assert not kept.duplicated(["USUBJID", "PARAMCD", "AVISIT"]).any()
    return dict(zip(kept["AVISIT"], kept["AVAL"], strict=True))


@pytest.mark.parametrize(
    ("elapsed", "visit"),
    [(9, None), (10, "D14"), (13, "D14"), (16, "D14"), (17, "D21"), (23, "D21"), (24, "D28"), (34, "D28"), (35, None)]
    + [(-15, None), (-14, "Inclusion"), (0, "Inclusion"), (1, None)],
)
def test_protocol_days_count_from_day_one(elapsed, visit):
    found = run([(elapsed, 5)])
    assert found["AVISIT"].tolist() == [visit]
    assert found["ATIME"].tolist() == [float(elapsed)]
    assert found["ADY"].tolist() == [elapsed + 1 if elapsed >= 0 else elapsed]


def test_day_zero_trials_shift_the_windows_not_ady():
    found = run([(11, 5), (10, 6)], protocol=protocol(0))
    assert dict(zip(found["ATIME"], found["AVISIT"], strict=True)) == {11.0: "D14", 10.0: None}
    assert found["ADY"].tolist() == [12, 11]


def test_nearest_then_earlier():
    assert analysed(run([(11, 1), (12, 2), (16, 3)])) == {"D14": 2.0}
    assert analysed(run([(14, 1), (12, 2)])) == {"D14": 2.0}
    assert analysed(run([(day(13) + "T15:00", 1), (day(13) + "T08:00", 2)])) == {"D14": 2.0}


def test_never_across_conditioning():
    values = [(24, 1), (26, 2), (27, 3)]
    assert analysed(run(values, cond=day(27))) == {"D28": 2.0, "Before": 2.0}
    assert analysed(run(values, cond="2018-01")) == {}
    timed = [(24, 1), (day(27) + "T07:00", 3), (day(27) + "T11:00", 4)]
    assert analysed(run(timed, cond=day(27) + "T09:00")) == {"D28": 3.0, "Before": 1.0}


def test_before_conditioning_is_the_last_value_of_the_week():
    found = run([(33, 1), (37, 2), (39, 3), (40, 4)], cond=day(40))
    assert analysed(found) == {"Before": 3.0, "D28": 1.0}
    before = found[found["AVISIT"] == "Before"].set_index("AVAL")["RELDAYS"].to_dict()
    assert before == {1.0: -6.0, 2.0: -2.0, 3.0: 0.0}
    both = found[found["AVAL"] == 1]
    assert sorted(both["AVISIT"]) == ["Before", "D28"]
    assert both["from"].map(tuple).nunique() == 1
    assert both["row_id"].is_unique


@pytest.mark.parametrize(
    ("dose", "values", "base"),
    [
        (ORIGIN, [(-3, 1), (0, 2)], 2.0),
        (ORIGIN + "T10:00", [(-3, 1), (day(0) + "T08:00", 2)], 2.0),
        (ORIGIN + "T10:00", [(-3, 1), (day(0) + "T10:00", 2)], 2.0),
        (ORIGIN + "T10:00", [(-3, 1), (day(0) + "T12:00", 2)], 1.0),
        (ORIGIN + "T10:00", [(-3, 1), (0, 2)], 2.0),
        (ORIGIN, [(-3, 1), (day(0) + "T12:00", 2)], 2.0),
        (ORIGIN, [(1, 2)], None),
        (ORIGIN, [(-20, 2)], None),
    ],
)
def test_baseline_is_the_last_before_the_first_dose(dose, values, base):
    found = run([*values, (13, 10)], dose=dose)
    assert found.loc[found["ABLFL"] == "Y", "AVAL"].tolist() == ([] if base is None else [base])
    after = found[found["AVISIT"] == "D14"].iloc[0]
    assert (None if pd.isna(after["BASE"]) else after["BASE"]) == base
    assert (None if pd.isna(after["CHG"]) else after["CHG"]) == (None if base is None else 10 - base)
    assert found.loc[found["AVISIT"] == "Inclusion", "CHG"].isna().all()


def test_a_baseline_window_that_reaches_beyond_the_dose():
    visits = [{"label": "Inclusion", "day": 1, "window": [-13, 3], "baseline": "true"}]
    late = protocol(visits=visits)
    found = run([(1, 2), (2, 3)], protocol=late)
    assert found.loc[found["ABLFL"] == "Y", "AVAL"].tolist() == [2.0]
    found = run([(-5, 1), (1, 2)], protocol=late)
    assert found.loc[found["ABLFL"] == "Y", "AVAL"].tolist() == [1.0]
    assert analysed(found) == {"Inclusion": 1.0}


def test_censored_values_have_no_change():
    found = run([(0, "<5"), (13, 10), (20, ">100")])
    assert found["AVAL"].isna().tolist() == [True, False, True]
    assert found["CENS"].tolist() == ["left", "none", "right"]
    assert found["LLOQ"].tolist()[0] == 5.0
    assert found["ULOQ"].tolist()[2] == 100.0
    assert found["CHG"].isna().all()
    assert found["ABLFL"].tolist() == ["Y", None, None]
    assert analysed(found).keys() == {"Inclusion", "D14", "D21"}


def test_partial_dates_are_in_no_window():
    found = run([("2018-01", 5)])
    row = found.iloc[0]
    assert pd.isna(row["ADT"])
    assert (row["ADTF"], row["AVISIT"], row["ANL01FL"]) == ("D", None, None)


def test_what_is_no_value():
    assert len(run([(13, None)])) == 0
    assert len(run([(13, 5)], stat="NOT DONE")) == 0
    assert len(run([(13, 5)], flags=["AFTER_CUTOFF"])) == 0
    assert len(run([("2020-01-05", 5)])) == 0


def test_text_parameters_and_untreated_patients():
    found = run([(13, "mild")])
    assert found["AVALC"].tolist() == ["mild"]
    assert found["AVAL"].isna().all()
    untreated = run([(13, 5)], dose="")
    assert untreated["AVISIT"].tolist() == [None]
    assert untreated["ATIME"].isna().all()


def test_day_start_moves_the_small_hours_to_the_day_before():
    shifted = protocol(time={"origin": "dose", "first_day": "1", "day_start": "08:00"})
    found = run([(day(10) + "T07:00", 1), (day(10) + "T09:00", 2)], dose=ORIGIN + "T09:00", protocol=shifted)
    assert dict(zip(found["AVAL"], found["ATIME"], strict=True)) == {1.0: 9.0, 2.0: 10.0}
    assert dict(zip(found["AVAL"], found["AVISIT"], strict=True)) == {1.0: None, 2.0: "D14"}


def test_contract(tmp_path):
    found = run([(0, 1), (13, "<5"), ("2018-01", 5), (day(20) + "T10:00", 7), (20, "mild")], cond=day(40))
    check_contract(found, "adlb", protocol(), tmp_path)


NAMED = [
    {"label": "Base", "day": 1, "recorded": ["Screening", "Baseline"], "baseline": "true"},
    {"label": "Week 2", "day": 14, "recorded": "Week 2"},
    {"label": "Week 4", "day": 28, "recorded": "Week 4"},
    {"label": "Last", "anchor": "dose", "day": 100, "recorded": ["Week 2", "Week 4"], "pick": "last"},
]


def test_visits_by_their_recorded_name() -> None:
    """The name counts, not the day; the last of several names stands beside them; another name is no visit."""
    configured = protocol(visits=NAMED)
    records = [
        (-6, 1.0, "Screening"),
        (-1, 2.0, "Baseline"),
        (40, 4.0, "Week 2"),
        (41, 7.0, "Week 4"),
        (50, 9.0, "Other"),
    ]
    clean = {
        "dm": domain("dm", [{"id": "1"}]),
        "ex": domain("ex", [{"id": "1", "EXSTDTC": ORIGIN}]),
        "lb": domain(
            "lb", [{"id": "1", "test": "FERR", "value": v, "date": day(d), "VISIT": n} for d, v, n in records]
        ),
    }
    adsl = adsl_of(configured, clean)
    found = derive("adlb", configured, (), filled(configured, clean), {"adsl": adsl})
    assert analysed(found) == {"Base": 2.0, "Week 2": 4.0, "Week 4": 7.0, "Last": 7.0}
    assert found.loc[found["AVISIT"] == "Last", "CHG"].tolist() == [2.0, 5.0]
    assert found.loc[found["ABLFL"] == "Y", "AVAL"].tolist() == [2.0]
    assert found.loc[found["AVAL"] == 9.0, "AVISIT"].isna().all()


def test_a_visit_has_a_window_or_names() -> None:
    for visit in ({"label": "x", "day": 1}, {"label": "x", "day": 1, "window": [1, 1], "recorded": "x"}):
        with pytest.raises(ValueError, match="either window or recorded"):
            protocol(visits=[visit])
