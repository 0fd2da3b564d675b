"""Response per visit and time to response in the configured trial c-hlh. Rulings 12 to 14; expected values by hand.

Elapsed days: D14 is 13 (window 10 to 16), D21 is 20 (17 to 23), D28 is 27 (24 to 34); first dose on day 0.
"""

from __future__ import annotations

import pandas as pd
import pytest
from helpers.derive_case import check_contract, day, derive_all, domain, trial_outcomes, trial_protocol

from trialpipe.io.errors import DataError

PROTOCOL = trial_protocol("c-hlh")
SICK = {"TEMP": 39.0, "SPLENO": "Y", "CNS": "N", "HGB": 70.0, "NEUT": 0.4, "PLAT": 40.0, "FERRITIN": 9000.0}
SICK |= {"FIBRINO": 1.0, "DDIMER": 2000.0, "CD25S": 5000.0, "TRIG": 5.0, "ALT": 500.0}
WELL = {"TEMP": 36.8, "SPLENO": "N", "CNS": "N", "HGB": 110.0, "NEUT": 2.5, "PLAT": 250.0, "FERRITIN": 300.0}
WELL |= {"FIBRINO": 2.5, "DDIMER": 200.0, "CD25S": 900.0, "TRIG": 1.2, "ALT": 30.0}
HOME = {"TEMP": "vs", "SPLENO": "pe", "CNS": "pe"}
Records = list[tuple[int, dict[str, object]]]


def clean(records: Records, **events: str | int) -> dict[str, pd.DataFrame]:
    """One patient: values by elapsed day; events death, hsct, conditioning, dose (ISO text or elapsed day)."""
    date = {k: day(v) if isinstance(v, int) else v for k, v in events.items()}
    rows: dict[str, list[dict[str, object]]] = {"lb": [], "vs": [], "pe": []}
    for elapsed, values in records:
        for code, value in values.items():
            rows[HOME.get(code, "lb")].append({"id": "1", "test": code, "value": value, "date": day(elapsed)})
    tables = {name: domain(name, entries) for name, entries in rows.items()}
    procedures = [
        {"id": "1", "PRDECOD": name.upper(), "PRSTDTC": date[name]} for name in ("conditioning", "hsct") if name in date
    ]
    tables |= {
        "dm": domain("dm", [{"id": "1", "RFICDTC": day(-1)}]),
        "ex": domain("ex", [{"id": "1", "EXTRT": "ALEMTUZUMAB", "EXSTDTC": date.get("dose", day(0))}]),
        "ds": domain("ds", [{"id": "1", "DSDECOD": "DEATH", "DSSTDTC": date["death"]}] if "death" in date else []),
        "pr": domain("pr", procedures),
        "cm": domain("cm", []),
    }
    return tables


def derived(records: Records, **events: str | int) -> dict[str, pd.DataFrame]:
    return derive_all(PROTOCOL, trial_outcomes("c-hlh"), clean(records, **events))


def overall(found: dict[str, pd.DataFrame], rule_set: str = "NI-0501-04") -> dict[str, tuple[str, str]]:
    rows = found["adrs"]
    kept = rows[(rows["PARAMCD"] == "OVRLRESP") & (rows["RULESET"] == rule_set)]
    return {v: (a, s) for v, a, s in zip(kept["AVISIT"], kept["AVALC"], kept["STATUS"], strict=True)}


def line(found: dict[str, pd.DataFrame], visit: str, code: str) -> pd.Series:
    rows = found["adrs"]
    kept = rows[(rows["PARAMCD"] == code) & (rows["AVISIT"] == visit) & (rows["RULESET"] == "NI-0501-04")]
    return kept.iloc[0]


def test_three_visits():
    found = derived([(0, SICK), (13, SICK), (20, {**WELL, "TEMP": 38.0}), (27, WELL)])
    assert overall(found) == {"D14": ("NR", "assessed"), "D21": ("PR", "assessed"), "D28": ("CR", "assessed")}
    assert line(found, "D21", "CR")["AVALC"] == "false"
    assert line(found, "D28", "PR")["AVALC"] == "true"
    assert line(found, "D21", "FEVER")["AVAL"] == 38.0
    assert line(found, "D21", "FEVER")["AVALC"] == "false"
    assert line(found, "D28", "OVRLRESP")["ATIME"] == 27.0


def test_missing_items():
    partly = {k: v for k, v in WELL.items() if k not in ("FERRITIN", "DDIMER")}
    found = derived([(0, SICK), (27, partly)])
    assert overall(found)["D28"] == ("PR", "assessed")
    assert line(found, "D28", "CR")["AVALC"] == "unknown"
    assert "FERRITIN missing; DDIMER missing" in line(found, "D28", "OVRLRESP")["NOTE"]
    little = {"TEMP": 36.5, "PLAT": 250.0}
    found = derived([(0, SICK), (27, little)])
    assert overall(found)["D28"] == ("NE", "not_evaluable")
    assert overall(found)["D14"] == ("NE", "not_evaluable")
    assert line(found, "D14", "OVRLRESP")["NOTE"] == "no assessment in the window"


@pytest.mark.parametrize(
    ("ferritin_day", "item", "response"),
    [(16, "true", "CR"), (9, "true", "CR"), (6, "true", "CR"), (5, "unknown", "PR"), (14, "true", "CR")],
)
def test_items_up_to_seven_days_old(ferritin_day, item, response):
    rest = {k: v for k, v in WELL.items() if k != "FERRITIN"}
    found = derived([(0, SICK), (13, rest), (ferritin_day, {"FERRITIN": 300.0})])
    assert line(found, "D14", "FERRITIN")["AVALC"] == item
    assert overall(found)["D14"][0] == response
    assert line(found, "D14", "OVRLRESP")["ATIME"] == max(13, ferritin_day)


def test_a_value_of_the_window_that_is_too_old_does_not_count():
    rest = {k: v for k, v in WELL.items() if k != "FERRITIN"}
    found = derived([(0, SICK), (33, rest), (25, {"FERRITIN": 300.0})])
    assert line(found, "D28", "FERRITIN")["AVALC"] == "unknown"


def test_values_before_the_first_dose_are_no_response():
    rest = {k: v for k, v in WELL.items() if k != "FERRITIN"}
    found = derived([(0, {**SICK, "FERRITIN": 300.0}), (10, rest)])
    assert line(found, "D14", "FERRITIN")["AVALC"] == "unknown"


def test_death():
    found = derived([(0, SICK), (13, WELL)], death=18)
    assert overall(found) == {"D14": ("CR", "assessed"), "D21": ("DEAD", "dead"), "D28": ("DEAD", "dead")}
    assert line(found, "D21", "CR")["AVALC"] == "false"
    assert line(found, "D21", "FEVER")["AVALC"] == "unknown"
    assert overall(derived([(0, SICK), (17, WELL)], death=18))["D21"] == ("CR", "assessed")


def test_conditioning_carries_the_last_assessment():
    found = derived([(0, SICK), (13, {**WELL, "TEMP": 38.0}), (27, WELL)], conditioning=18)
    assert overall(found) == {"D14": ("PR", "assessed"), "D21": ("PR", "conditioned"), "D28": ("PR", "conditioned")}
    row = line(found, "D28", "OVRLRESP")
    assert (row["CARRIED"], row["ATIME"]) == ("Y", 13.0)
    assert line(found, "D14", "OVRLRESP")["CARRIED"] is None
    dead = derived([(0, SICK), (13, WELL)], conditioning=18, death=22)
    assert overall(dead)["D21"] == ("DEAD", "dead")
    early = derived([(0, SICK), (13, WELL)], conditioning=9)
    assert overall(early)["D14"] == ("NE", "conditioned")
    assert line(early, "D14", "OVRLRESP")["NOTE"] == "no assessment before conditioning"


def test_an_assessment_in_the_window_before_conditioning_counts():
    found = derived([(0, SICK), (13, SICK), (25, WELL)], conditioning=26)
    assert overall(found)["D28"] == ("CR", "assessed")


def test_visits_after_the_cut_off_are_not_reached():
    start = (pd.Timestamp(PROTOCOL.data_cutoff) - pd.Timedelta(days=20)).strftime("%Y-%m-%d")
    late = derived([], dose=start)
    assert overall(late) == {
        "D14": ("NE", "not_evaluable"),
        "D21": ("NE", "not_reached"),
        "D28": ("NE", "not_reached"),
    }


def test_partial_origin():
    found = derived([(13, WELL)], dose="2018-01")
    assert overall(found)["D14"] == ("NE", "not_evaluable")
    assert line(found, "D14", "CR")["NOTE"] == "date of the origin unknown"
    assert len(found["adttr"]) == 0


def test_too_few_abnormal_items_are_flagged():
    nearly = {**WELL, "FERRITIN": 3000.0, "TEMP": 39.0}
    found = derived([(0, nearly), (13, {**nearly, "TEMP": 36.5})])
    assert overall(found)["D14"][0] == "NR"
    assert line(found, "D14", "PR")["NOTE"] == "not attainable: 2 of 3 items abnormal at baseline"


def test_transfusions_are_looked_up():
    tables = clean([(0, SICK), (13, WELL)])
    tables["cm"] = domain("cm", [{"id": "1", "CMDECOD": "TRANSFUSION PLATELETS", "CMSTDTC": day(11)}])
    found = derive_all(PROTOCOL, trial_outcomes("c-hlh"), tables)
    assert line(found, "D14", "PLAT")["AVALC"] == "false"
    assert overall(found)["D14"][0] == "PR"


def test_a_trial_without_medication_leaves_support_unknown():
    datasets = tuple(d.model_copy(update={"domains": ()}) if d.kind == "response" else d for d in PROTOCOL.datasets)
    bare = PROTOCOL.model_copy(update={"datasets": datasets})
    found = derive_all(bare, trial_outcomes("c-hlh"), clean([(0, SICK), (13, WELL)]))
    assert line(found, "D14", "PLAT")["AVALC"] == "unknown"
    assert line(found, "D14", "CR")["AVALC"] == "unknown"


def test_unknown_rule_set_is_refused():
    datasets = tuple(
        d.model_copy(update={"rule_sets": ("HLH-2030",)}) if d.kind == "response" else d for d in PROTOCOL.datasets
    )
    with pytest.raises(DataError, match="'HLH-2030' is not in response_rules.yaml"):
        derive_all(PROTOCOL.model_copy(update={"datasets": datasets}), (), clean([]))


def times(found: dict[str, pd.DataFrame], level: str = "CR") -> tuple[object, ...]:
    rows = found["adttr"]
    row = rows[(rows["RULESET"] == "NI-0501-04") & (rows["LEVEL"] == level)].iloc[0]
    right = None if pd.isna(row["RIGHT"]) else row["RIGHT"]
    return row["LEFT"], right, row["TIME"], row["CNSR"], row["EVENT"], row["AVISIT"]


FEVERISH = {**WELL, "TEMP": 38.0}


@pytest.mark.parametrize(
    ("records", "events", "expected"),
    [
        # LEFT, RIGHT, TIME, CNSR, EVENT, AVISIT; competing death 2, conditioning 3
        ([(12, FEVERISH), (21, WELL)], {}, (12.0, 21.0, 20.0, 0, "response", "D21")),
        ([(13, WELL)], {}, (0.0, 13.0, 13.0, 0, "response", "D14")),
        ([(13, FEVERISH), (27, WELL)], {}, (13.0, 27.0, 27.0, 0, "response", "D28")),
        ([(13, FEVERISH), (20, FEVERISH)], {}, (20.0, None, 20.0, 1, None, None)),
        ([], {}, (0.0, None, 0.0, 1, None, None)),
        ([(13, FEVERISH)], {"death": 18}, (13.0, None, 20.0, 2, "death", None)),
        ([(13, FEVERISH)], {"conditioning": 18}, (13.0, None, 20.0, 3, "conditioning", None)),
        ([(13, FEVERISH)], {"conditioning": 18, "death": 19}, (13.0, None, 20.0, 3, "conditioning", None)),
        ([(13, WELL)], {"conditioning": 18, "death": 19}, (0.0, 13.0, 13.0, 0, "response", "D14")),
        ([(13, FEVERISH), (25, WELL)], {"conditioning": 26}, (13.0, 25.0, 27.0, 0, "response", "D28")),
        ([(13, FEVERISH), (27, FEVERISH)], {"death": 40}, (27.0, None, 27.0, 1, None, None)),
        ([], {"death": 0}, (0.0, None, 13.0, 2, "death", None)),
        # a death recorded before the first dose is misdated: a response assessed later stands
        ([(13, WELL)], {"death": -30}, (0.0, 13.0, 13.0, 0, "response", "D14")),
        ([(13, FEVERISH)], {"death": -30}, (0.0, None, 13.0, 2, "death", None)),
    ],
)
def test_time_to_response(records, events, expected):
    assert times(derived([(0, SICK), *records], **events)) == expected


def test_or_better():
    found = derived([(0, SICK), (13, FEVERISH), (20, WELL)])
    assert times(found, "PR")[:2] == (0.0, 13.0)
    assert times(found, "CR")[:2] == (13.0, 20.0)


def test_contracts(tmp_path):
    found = derived([(0, SICK), (13, FEVERISH), (20, WELL)], conditioning=30, death=40)
    for name, frame in found.items():
        check_contract(frame, name, PROTOCOL, tmp_path)
