"""Laws of the organ failure score for any patient: bounds, direction, order of rows and choice of units."""

from __future__ import annotations

from helpers.derive_case import adsl_of
from helpers.sofa_case import COMPONENTS, clean, protocol, record
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trialpipe.derive.rules import Measured
from trialpipe.derive.run import derive
from trialpipe.derive.sofa_definition import points, scores

PLAN = protocol()
ORGANS = {organ.code: organ for organ in scores()["SOFA-1"].components}
TOTALS = ("SOFATOT", "SOFACC", "SOFABEST", "SOFAWRST", "SOFA24")
RANGES = {
    "PLAT": (0, 400),
    "BILI": (0, 500),
    "MAP": (30, 120),
    "GCS": (3, 15),
    "CREAT": (20, 900),
    "URINOUT": (0, 3000),
}
WORSE_LOW = {"PF": "SOFARESP", "PLAT": "SOFACOAG", "MAP": "SOFACARD", "GCS": "SOFACNS", "URINOUT": "SOFARENL"}
WORSE_HIGH = {
    "BILI": "SOFALIVR",
    "BILI_MG": "SOFALIVR",
    "CREAT": "SOFARENL",
    "CREAT_MG": "SOFARENL",
    "NOREPI": "SOFACARD",
    "EPINEPH": "SOFACARD",
    "DOPAMINE": "SOFACARD",
    "DOBUTAM": "SOFACARD",
}
SLOW = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
TIMES = st.sampled_from([None, "00:30", "07:15", "12:00", "23:50"])


@st.composite
def results(draw):
    code = draw(st.sampled_from(sorted(RANGES)))
    low, high = RANGES[code]
    value = draw(st.integers(low, high))
    return record(code, draw(st.integers(-2, 13)), draw(TIMES), value)


@st.composite
def gases(draw):
    day, time = draw(st.integers(-2, 13)), draw(TIMES)
    support = [record("RESPSUP", day, time, draw(st.sampled_from("YN")))] if draw(st.booleans()) else []
    po2, fio2 = draw(st.integers(30, 400)), draw(st.integers(21, 100)) / 100
    return [record("PO2", day, time, po2), record("FIO2", day, time, fio2), *support]


@st.composite
def rates(draw):
    code = draw(st.sampled_from(["NOREPI", "EPINEPH", "DOPAMINE", "DOBUTAM"]))
    dose = draw(st.sampled_from([0, 0.01, 0.05, 0.1, 0.11, 0.5, 2, 5, 6, 15, 16]))
    return {"code": code, "dose": dose, "day": draw(st.integers(-1, 13)), "time": draw(TIMES), "salt": "BASE"}


@st.composite
def patients(draw):
    records = draw(st.lists(results(), max_size=25))
    records += [r for gas in draw(st.lists(gases(), max_size=4)) for r in gas]
    events = {}
    for name in ("icu_out", "death"):
        if draw(st.booleans()):
            events[name] = f"2024-03-{draw(st.integers(11, 25)):02d}"
    return records, draw(st.lists(rates(), max_size=4)), events


def derived(records, given_rates, events, shuffle=None):
    tables = clean(records, given_rates, events)
    adsl = adsl_of(PLAN, tables)
    if shuffle is not None:
        tables = {name: frame.iloc[shuffle.sample(range(len(frame)), len(frame))] for name, frame in tables.items()}
    return derive("adsofa", PLAN, (), tables, {"adsl": adsl})


@given(patients())
@SLOW
def test_bounds_and_sums(patient):
    frame = derived(*patient)
    own = frame.set_index(["ATIME", "PARAMCD"])["AVAL"].unstack()
    organs = own[list(COMPONENTS)]
    assert organs.stack().isin(range(5)).all()
    assert own[list(TOTALS)].stack().between(0, 24).all()
    complete = organs.notna().all(axis=1)
    assert (own.loc[complete, "SOFATOT"] == organs[complete].sum(axis=1)).all()
    assert own.loc[~complete, "SOFATOT"].isna().all()
    scored = own["SOFABEST"].notna()
    assert (own.loc[scored, "SOFABEST"] <= own.loc[scored, "SOFAWRST"]).all()
    total = own["SOFATOT"].notna()
    assert (own.loc[total, "SOFABEST"] == own.loc[total, "SOFATOT"]).all()
    assert (own.loc[total, "SOFAWRST"] == own.loc[total, "SOFATOT"]).all()
    rows = frame[frame["PARAMCD"].isin(COMPONENTS)]
    assert (rows["AVAL"].isna() == rows["FILL"].isin(["missing", None])).all()
    dead = frame[frame["STATUS"] == "dead"]
    assert dead[dead["PARAMCD"] != "SOFA24"]["AVAL"].isna().all()
    assert (dead[dead["PARAMCD"] == "SOFA24"]["AVAL"] == 24).all()


@given(patients(), st.randoms(use_true_random=False))
@SLOW
def test_order_of_rows_does_not_matter(patient, shuffle):
    frame, other = derived(*patient), derived(*patient, shuffle=shuffle)
    assert frame.equals(other)


@given(patients(), patients())
@SLOW
def test_a_further_observation_of_the_day_never_lowers_an_organ(patient, further):
    """On days on which the organ was observed before."""
    records, given_rates, _ = patient
    before = derived(records, given_rates, {})
    after = derived(records + further[0], given_rates + further[1], {})
    seen = before[before["FILL"].eq("observed") & before["PARAMCD"].isin(COMPONENTS)].set_index("row_id")["AVAL"]
    assert (after.set_index("row_id").loc[seen.index, "AVAL"] >= seen).all()


def in_other_units(entry):
    """The same result in another unit that has no bands of its own."""
    code, value = entry["code"], entry["value"]
    if code in ("PO2", "MAP"):
        return {**entry, "value": value / 7.5006, "unit": "kPa"}
    if code == "FIO2":
        return {**entry, "value": value * 100, "unit": "%"}
    return {**entry, "value": value / 1000, "unit": "L"} if code == "URINOUT" else entry


@given(patients(), st.integers(40, 120))
@SLOW
def test_units_do_not_matter(patient, weight):
    records, given_rates, events = patient
    heavy = [*records, record("WEIGHT", -5, None, weight)]
    other = [in_other_units(entry) for entry in heavy]
    doses = [{**rate, "dose": rate["dose"] * weight * 60 / 1000, "unit": "mg/h"} for rate in given_rates]
    doses = [{**r, "dose": 2 * r["dose"], "salt": "TARTRATE"} if r["code"] == "NOREPI" else r for r in doses]
    frame, converted = derived(heavy, given_rates, events), derived(other, doses, events)
    columns = ["row_id", "AVAL", "STATUS", "NOBS", "FILL", "BASE", "CHG"]
    assert frame[columns].equals(converted[columns])


def scored(code: str, organ: str, number: float, support: str = "Y") -> float:
    values = {code: Measured(0, "r", number), "RESPSUP": Measured(0, "r", text=support)}
    return points(ORGANS[organ], values) or 0.0


@given(st.data(), st.floats(0, 1000), st.floats(0, 1000), st.sampled_from("YN"))
def test_points_are_monotone_in_every_input(data, a, b, support):
    low, high = sorted((a, b))
    code = data.draw(st.sampled_from(sorted(WORSE_LOW)))
    assert scored(code, WORSE_LOW[code], low, support) >= scored(code, WORSE_LOW[code], high, support)
    code = data.draw(st.sampled_from(sorted(WORSE_HIGH)))
    assert scored(code, WORSE_HIGH[code], low) <= scored(code, WORSE_HIGH[code], high)


@given(st.floats(0, 600))
def test_support_never_lowers_the_points(ratio):
    assert scored("PF", "SOFARESP", ratio, "Y") >= scored("PF", "SOFARESP", ratio, "N")


TRUE = {
    "SOFARESP": [(450, "N"), (350, "N"), (250, "Y"), (150, "Y"), (80, "Y")],
    "SOFACOAG": [200, 120, 60, 30, 10],
    "SOFALIVR": [10, 25, 60, 150, 250],
    "SOFACARD": [("MAP", 80), ("MAP", 60), ("DOBUTAM", 3), ("NOREPI", 0.08), ("EPINEPH", 0.3)],
    "SOFACNS": [15, 13, 11, 7, 4],
    "SOFARENL": [("CREAT", 80), ("CREAT", 150), ("CREAT", 200), ("URINOUT", 300), ("RRT", "Y")],
}
"""What a patient with so many points has (Vincent 1996, table 3, inside the bands)."""


def records_of(code: str, number: int, day: int, time: str):
    """(results, rates) that show these points at this time."""
    shown = TRUE[code][number]
    if code == "SOFARESP":
        ratio, support = shown
        gas = [record("PO2", day, time, ratio * 0.4), record("FIO2", day, time, 0.4)]
        return [*gas, record("RESPSUP", day, time, support)], []
    if code == "SOFACARD" and shown[0] != "MAP":
        return [], [{"code": shown[0], "dose": shown[1], "day": day, "time": time, "salt": "BASE"}]
    if code in ("SOFACARD", "SOFARENL"):
        return [record(shown[0], day, time, shown[1])], []
    measure = {"SOFACOAG": "PLAT", "SOFALIVR": "BILI", "SOFACNS": "GCS"}[code]
    return [record(measure, day, time, shown)], []


@given(st.lists(st.tuples(*[st.lists(st.integers(0, 4), min_size=1, max_size=3)] * 6), min_size=8, max_size=8))
@SLOW
def test_truth_generated_forward(truth):
    """Days 0 to 7, each organ seen one to three times a day: the worst of the day; before the dose on day 0."""
    given_records, given_rates = [], []
    for day, organs in enumerate(truth):
        for code, shown in zip(COMPONENTS, organs, strict=True):
            for time, number in zip(("08:00", "09:30", "11:00"), shown, strict=False):
                found, doses = records_of(code, number, day, time)
                given_records, given_rates = given_records + found, given_rates + doses
    own = derived(given_records, given_rates, {}).set_index(["ATIME", "PARAMCD"])["AVAL"].unstack()
    for day, organs in enumerate(truth):
        expected = [max(shown) for shown in organs]
        assert own.loc[day, list(COMPONENTS)].tolist() == expected
        assert own.loc[day, "SOFATOT"] == own.loc[day, "SOFACC"] == sum(expected)
