"""Areas under mean concentrations as result rows: Holder's example by visits and by hours, and degenerate samples."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest
from helpers.analyse_frames import adsl, outcome, protocol, run, table
from numpy.testing import assert_allclose

from trialpipe.io import contracts
from trialpipe.io.errors import DataError

# Nedelman and Jia; Holder 2001: nine animals in three batches of three
BATCHES = {
    ("1", "2", "3"): {0: (0, 0, 0), 1: (1.75, 2.2, 1.58), 6: (4.63, 2.99, 1.52)},
    ("4", "5", "6"): {2: (3.03, 1.98, 2.22), 10: (3.34, 1.3, 1.22)},
    ("7", "8", "9"): {4: (3.54, 2.84, 2.55), 24: (0.3, 0.0421, 0.231)},
}
TIMES = (0, 1, 2, 4, 6, 10, 24)
SAMPLES = [
    (who, time, value)
    for people, times in BATCHES.items()
    for time, values in times.items()
    for who, value in zip(people, values, strict=True)
]
VISITS = [{"id": "v", "visits": [{"label": f"D{t}", "day": str(t + 1), "window": [str(t), str(t + 2)]} for t in TIMES]}]
DATASET = {
    "kind": "findings",
    "id": "adpc",
    "label": "c",
    "domain": "pc",
    "visits": "v",
    "parameters": [{"code": "DRUG", "label": "Drug", "where": {"PCTESTCD": "DRUG"}}],
}
HOURS = [{"hours": str(t), "from_hours": str(t - 0.25), "to_hours": str(t + 0.25)} for t in TIMES]


def values(samples: list[tuple[str, float, float]], censored: dict[int, str] | None = None) -> pd.DataFrame:
    rows = [
        {
            "patient": who,
            "PARAMCD": "DRUG",
            "AVAL": None if (censored or {}).get(place) else value,
            "AVALC": f"{value:g}",
            "AVALU": "ng/mL",
            "CENS": (censored or {}).get(place, "none"),
            "LLOQ": 0.05,
            "ULOQ": 9.0,
            "AVISIT": f"D{time:g}",
            "ANL01FL": "Y",
            "ADTM": pd.Timestamp("2020-01-01T08:00") + pd.Timedelta(hours=time),
        }
        for place, (who, time, value) in enumerate(samples)
    ]
    return table(contracts.BDS, rows, "adpc").drop(columns="SCENARIO")


def found(frame: pd.DataFrame, **analysis: Any) -> dict[str, dict[str, Any]]:
    people = adsl({str(n): {} for n in range(1, 10)}).assign(TRTSDT_TM="08:00")
    plan = protocol(visit_sets=VISITS, datasets=[DATASET])
    given = outcome("sparse_area", {"kind": "findings", "dataset": "adpc"}, {"parameter": "DRUG", **analysis})
    results, _ = run(given, {"adsl": people, "adpc": frame}, plan)
    return {row["statistic"]: row for row in results.to_dict("records")}


BY_VISIT = {"visits": [f"D{t}" for t in TIMES]}


@pytest.mark.parametrize(
    ("design", "se", "df"),
    [("batch", 7.30997787038754, 2.74598236184576), ("serial", 6.86584835083522, 2.82631153092225)],
)
def test_published_example(design: str, se: float, df: float) -> None:
    from trialpipe.stats.distributions import t_quantile

    rows = found(values(SAMPLES), design=design, **BY_VISIT)
    assert_allclose([rows["auc"]["value"], rows["std_err"]["value"]], [39.4689, se], rtol=1e-9)
    half = t_quantile(df, 0.975) * se
    assert_allclose([rows["lower"]["value"], rows["upper"]["value"]], [39.4689 - half, 39.4689 + half], rtol=1e-7)
    assert (rows["n"]["value"], rows["auc"]["unit"]) == (21, "d.ng/mL")
    assert rows["lower"]["conf_level"] == 0.95
    assert "Bailer" in rows["auc"]["method"]


def test_hours_from_the_origin() -> None:
    rows = found(values(SAMPLES), hours=HOURS)
    assert_allclose(rows["auc"]["value"], 39.4689)
    assert rows["auc"]["unit"] == "h.ng/mL"
    # of two samples near a planned time the nearer; outside every range: none
    more = [*SAMPLES, ("1", 1.2, 99.0), ("2", 3.0, 99.0)]
    again = found(values(more), hours=HOURS)
    assert again["auc"]["value"] == rows["auc"]["value"]
    assert again["n"]["value"] == 21


def test_below_the_limit_is_0_and_above_it_leaves_no_area() -> None:
    low = found(values(SAMPLES, {0: "left", 1: "left", 2: "left"}), **BY_VISIT)
    assert_allclose(low["auc"]["value"], 39.4689)
    assert low["n_below"]["value"] == 3
    high = found(values(SAMPLES, {6: "right"}), **BY_VISIT)
    assert math.isnan(high["auc"]["value"])
    assert "above the limit" in high["auc"]["note"]
    assert high["n"]["value"] == 21


def test_too_little() -> None:
    one = found(values(SAMPLES[:3]), **BY_VISIT)
    assert math.isnan(one["auc"]["value"])
    assert "fewer than two sampling times" in one["auc"]["note"]
    single = found(values([("1", 0, 2.0), ("1", 1, 4.0)]), visits=["D0", "D1"])
    assert single["auc"]["value"] == 3
    assert math.isnan(single["std_err"]["value"])
    assert "one sample at a time" in single["std_err"]["note"]


def test_a_visit_without_a_day_is_refused() -> None:
    with pytest.raises(DataError, match="has no day from the trial's origin"):
        found(values(SAMPLES), visits=["D0", "Discharge"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "give visits or hours"),
        ({"visits": ["D0"], "hours": HOURS}, "give visits or hours"),
        ({"visits": ["D0"]}, "at least two times"),
        ({"hours": [HOURS[1], HOURS[0]]}, "follow each other"),
        ({"hours": [HOURS[0], {"hours": "5", "from_hours": "6", "to_hours": "7"}]}, "must lie"),
    ],
)
def test_times_that_do_not_fit(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        outcome("sparse_area", {"kind": "findings", "dataset": "adpc"}, {"parameter": "DRUG", **changes})
