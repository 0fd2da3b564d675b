"""ADPP: which doses make profiles, what their parameters rest on, units, and why a value is missing."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.derive_case import adsl_of, check_contract, domain, filled

from trialpipe.config.protocol import Protocol
from trialpipe.derive import pk_units
from trialpipe.derive.run import derive
from trialpipe.io.errors import DataError

START = pd.Timestamp("2024-05-02T08:00")
HOURS = (0.5, 1, 2, 4, 8, 12)


def protocol(**changes: object) -> Protocol:
    visits = [{"label": f"D{d}", "day": str(d), "window": [str(d), str(d)]} for d in (1, 2, 8)]
    dataset = {
        "kind": "pk_parameters",
        "id": "adpp",
        "label": "Parameters",
        "where": {"PCTESTCD": "DRUG"},
        "doses": {},
        "visits": "v",
        "route": "extravascular",
        **changes,
    }
    return Protocol.model_validate(
        {
            "trial": "t",
            "acronym": "T",
            "title": "t",
            "sponsor": "s",
            "synthetic": "true",
            "source": "s",
            "design": {"allocation": "single_arm", "planned_n": "1", "summary": "s"},
            "arms": [{"id": "A", "label": "A"}],
            "data_cutoff": "2025-12-31",
            "time": {"origin": "dose", "first_day": "1"},
            "milestones": [{"id": "dose", "variable": "DOSEDT", "label": "dose", "domain": "ex", "date": "EXSTDTC"}],
            "last_alive": {"domains": ["pc"]},
            "populations": [{"id": "all", "variable": "ALLFL", "label": "All"}],
            "visit_sets": [{"id": "v", "visits": visits}],
            "datasets": [dataset],
        }
    )


def at(hours: float) -> str:
    return (START + pd.Timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M")


def run(
    concentrations: list[tuple[float | str, object]],
    given: list[dict[str, object]] | None = None,
    unit: str | list[str] = "ng/mL",
    planned: tuple[float, ...] = (),
    **changes: object,
) -> pd.DataFrame:
    """ADPP of one patient; samples by hours since the first dose (or ISO text), doses 100 mg at hour 0 by default."""
    units = [unit] * len(concentrations) if isinstance(unit, str) else unit
    rows = [
        {
            "id": "1",
            "test": "DRUG",
            "value": value,
            "date": when if isinstance(when, str) else at(when),
            "PCSTRESU": u,
            "PCTPTNUM": planned[n] if planned else None,
            "key": f"DRUG/S{n:02d}",
        }
        for n, ((when, value), u) in enumerate(zip(concentrations, units, strict=True))
    ]
    taken = [
        {
            "id": "1",
            "key": f"ex{n}",
            "EXSTDTC": dose["at"] if isinstance(dose["at"], str) else at(dose["at"]),  # type: ignore[arg-type]
            "EXENDTC": at(dose["end"]) if "end" in dose else None,  # type: ignore[arg-type]
            "EXDOSE": dose.get("dose", 100.0),
            "EXDOSU": dose.get("unit", "mg"),
        }
        for n, dose in enumerate([{"at": 0}] if given is None else given)
    ]
    clean = {"dm": domain("dm", [{"id": "1", "key": "dm"}]), "ex": domain("ex", taken), "pc": domain("pc", rows)}
    for row, u in zip(range(len(rows)), units, strict=True):
        clean["pc"].loc[row, "PCSTRESU"] = u
    configured = protocol(**changes)
    tables = filled(configured, clean)
    return derive("adpp", configured, (), tables, {"adsl": adsl_of(configured, clean)})


def values(frame: pd.DataFrame, visit: str | None = "D1") -> dict[str, float]:
    own = frame[frame["AVISIT"] == visit] if visit else frame[frame["AVISIT"].isna()]
    return dict(zip(own["PARAMCD"], own["AVAL"], strict=True))


def note(frame: pd.DataFrame, code: str) -> str:
    return str(frame.loc[frame["PARAMCD"] == code, "NOTE"].iloc[0])


def decline(c0: float = 100.0, k: float = 0.25, hours: tuple[float, ...] = HOURS) -> list[tuple[float | str, object]]:
    return [(h, round(c0 * math.exp(-k * h), 9)) for h in hours]


def test_bolus_in_litres(tmp_path: Path) -> None:
    """100 mg and 100 ng/mL at once is a volume of 1000 L; the clearance is 0.25/h of it."""
    frame = run(decline(), route="bolus")
    found = values(frame)
    assert found["C0"] == pytest.approx(100)
    assert found["AUCIFO"] == pytest.approx(400)
    assert [found["CLO"], found["VZO"], found["VSSO"]] == pytest.approx([250, 1000, 1000])
    assert found["MRTIBIFO"] == pytest.approx(4)
    units = dict(zip(frame["PARAMCD"], frame["AVALU"], strict=True))
    want = {"CMAX": "ng/mL", "AUCIFO": "h.ng/mL", "AUMCIFO": "h2.ng/mL", "CLO": "L/h", "VZO": "L", "LAMZ": "/h"}
    assert {code: units[code] for code in want} == want
    assert units["CMAXD"] == "ng/mL/mg"
    assert set(frame["PPSCAT"]) == {"FIRST DOSE"}
    assert set(frame["ANL01FL"]) == {"Y"}
    assert frame["NSAMP"].unique().tolist() == [6]
    check_contract(frame, "adpp", protocol(route="bolus"), tmp_path)


def test_a_first_oral_dose_starts_at_0() -> None:
    frame = run([(1, 40), (2, 80), (4, 50), (8, 20), (12, 8)], method="linear")
    assert values(frame)["AUCLST"] == pytest.approx(20 + 60 + 130 + 140 + 56)
    required = run([(1, 40), (2, 80), (4, 50), (8, 20), (12, 8)], method="linear", start="required")
    assert math.isnan(values(required)["AUCLST"])
    assert "at the time of the dose" in note(required, "AUCLST")


def test_a_sample_shortly_before_the_dose_stands_for_it() -> None:
    later: list[tuple[float | str, object]] = [(1, 40), (2, 80), (4, 50), (8, 20), (12, 8)]
    found = run([(-0.5, 10), *later], method="linear")
    assert values(found)["AUCLST"] == pytest.approx(25 + 60 + 130 + 140 + 56)
    early = run([(-1.5, 10), *later], method="linear")
    assert values(early)["AUCLST"] == pytest.approx(20 + 60 + 130 + 140 + 56)
    both = run([(-0.5, 10), (0, 20), *later], method="linear")
    assert values(both)["AUCLST"] == pytest.approx(30 + 60 + 130 + 140 + 56)


def test_a_sample_before_a_bolus_is_not_its_c0() -> None:
    assert values(run([(-0.5, 30), *decline()], route="bolus"))["C0"] == pytest.approx(100)


def test_infusion_by_its_record_and_by_plan() -> None:
    samples: list[tuple[float | str, object]] = [(1, 40), (2, 80), (4, 40), (6, 20), (8, 10)]
    recorded = run(samples, [{"at": 0, "end": 2}], route="infusion", doses={"end": "EXENDTC"})
    planned = run(samples, route="infusion", duration_hours=2)
    assert values(recorded) == pytest.approx(values(planned), nan_ok=True)
    plain = run(samples)
    assert values(recorded)["MRTICIFO"] == pytest.approx(values(plain)["MRTEVIFO"] - 1)
    lost = run(samples, route="infusion", doses={"end": "EXENDTC"})
    assert lost["AVAL"].isna().all()
    assert note(lost, "CMAX") == "the end of the infusion is not known"


DOSES = [{"at": 12.0 * n} for n in range(15)]


def test_steady_state_and_doses_between() -> None:
    """First dose, a dose between (nothing to infinity, no start made up), and steady state on day 8."""
    later = [(h + 24, 1.3 * c) for h, c in decline()] + [(h + 168, 1.5 * c) for h, c in decline()]  # type: ignore[operator]
    frame = run([*decline(), *later], DOSES, tau_hours=12, steady_state=["D8"])
    kinds = frame.groupby("AVISIT")["PPSCAT"].unique().map(list).to_dict()
    assert kinds == {"D1": ["FIRST DOSE"], "D2": ["OTHER DOSE"], "D8": ["STEADY STATE"]}
    first, between, steady = (values(frame, visit) for visit in ("D1", "D2", "D8"))
    assert {"AUCIFO", "CLFO", "MRTEVIFO"} <= first.keys()
    assert not {"AUCIFO", "CLFO", "VZFO", "MRTEVIFO", "CLFTAU", "TLAG"} & between.keys()
    assert math.isnan(between["AUCLST"])
    assert {"CLFTAU", "FLUCP", "SWING", "CAVG"} <= steady.keys()
    assert "AUCIFO" not in steady
    assert steady["CTROUGH"] == pytest.approx(150 * math.exp(-3))
    assert steady["CAVG"] == pytest.approx(steady["AUCTAU"] / 12)
    assert steady["CLFTAU"] == pytest.approx(100 / steady["AUCTAU"] * 1000)


def test_a_dose_after_washout_is_a_first_dose() -> None:
    samples = [(h + 168, c) for h, c in decline()]  # type: ignore[operator]
    doses = [{"at": 0}, {"at": 168}]
    assert set(run(samples, doses)["PPSCAT"]) == {"OTHER DOSE"}
    assert set(run(samples, doses, washout_hours=168)["PPSCAT"]) == {"FIRST DOSE"}
    assert set(run(samples, doses, washout_hours=169)["PPSCAT"]) == {"OTHER DOSE"}


def test_samples_end_with_the_next_dose() -> None:
    """The sample at the next dose is the trough of this one; what comes after is none of its profile."""
    frame = run([*decline(), (13, 500)], [{"at": 0}, {"at": 12}], tau_hours=12)
    found = values(frame)
    assert found["CMAX"] < 100
    assert found["CTROUGH"] == pytest.approx(100 * math.exp(-3))
    assert frame["NSAMP"].unique().tolist() == [6]
    cut = run(decline(), until_hours=8)
    assert values(cut)["TLST"] == 8


def test_too_few_samples_make_no_profile() -> None:
    assert run(decline(hours=(1, 12))).empty
    assert not run(decline(hours=(1, 12)), samples=2).empty
    # samples at and before the dose do not count
    assert run([(-0.5, 1), (0, 2), (1, 30), (2, 20)]).empty


def test_without_clock_times() -> None:
    assert run(decline(), [{"at": "2024-05-02"}]).empty
    frame = run([*decline(), ("2024-05-02", 77)])
    assert values(frame)["CMAX"] < 100
    assert "1 sample(s) without clock time left out" in note(frame, "CMAX")


def test_planned_hours_stand_for_missing_clock_times() -> None:
    """All by plan, one by plan, and none where two doses of a day leave the dose open."""
    known = values(run(decline(), route="bolus"))
    days_only: list[tuple[float | str, object]] = [("2024-05-02", c) for _, c in decline()]
    plan = {"planned_hours": "PCTPTNUM", "route": "bolus"}
    for given in ([{"at": 0}], [{"at": "2024-05-02"}]):
        frame = run(days_only, given, planned=HOURS, **plan)
        assert values(frame) == pytest.approx(known, nan_ok=True)
        assert "6 sample(s) at planned hours" in note(frame, "CMAX")
    assert frame["PPRFTDTM"].isna().all()
    mixed = [*decline()[:2], ("2024-05-02", decline()[2][1]), *decline()[3:]]
    assert values(run(mixed, planned=HOURS, **plan)) == pytest.approx(known, nan_ok=True)
    assert run(days_only, [{"at": 0}, {"at": 12}], planned=HOURS, **plan).empty
    assert run(days_only, [{"at": 0}], **plan).empty


def test_planned_hours_lead_to_the_day_of_the_dose() -> None:
    samples: list[tuple[float | str, object]] = [
        ("2024-05-02", 9),
        ("2024-05-03", 5),
        ("2024-05-04", 2),
        ("2024-05-09", 1),
    ]
    frame = run(samples, [{"at": "2024-05-02"}], planned=(2, 24, 48, 72), planned_hours="PCTPTNUM")
    # the last is a week after the dose, not three days: no dose leads to it
    assert values(frame)["TLST"] == 48
    evening = run(samples[:3], [{"at": "2024-05-02"}], planned=(2, 12, 36), planned_hours="PCTPTNUM")
    assert values(evening)["TLST"] == 36


def test_samples_far_off_their_plan_are_noted() -> None:
    frame = run(decline(), planned=(0.5, 1, 2, 4, 6, 12), planned_hours="PCTPTNUM")
    assert "1 sample(s) more than 20 % off the planned hours" in note(frame, "CMAX")
    near = run(decline(), planned=(0.5, 1, 2, 4, 7, 12), planned_hours="PCTPTNUM")
    assert "planned" not in note(near, "CMAX")


def test_a_dose_without_clock_time_ends_a_profile_when_it_can_have_been() -> None:
    assert run(decline(), [{"at": 0}, {"at": "2024-05-02"}]).empty
    longer = [*decline(), (20, 0.5), (30, 7)]
    cut = run(longer, [{"at": 0}, {"at": "2024-05-03"}])
    assert values(cut)["TLST"] == 12
    assert values(run(longer))["TLST"] == 30
    before = run(decline(), [{"at": "2024-05-01"}, {"at": 0}])
    assert set(before["PPSCAT"]) == {"OTHER DOSE"}


def test_a_dose_in_parts_and_of_0() -> None:
    parts = run(decline(), [{"at": 0, "dose": 60.0}, {"at": 0, "dose": 40.0}], route="bolus")
    assert values(parts)["CLO"] == pytest.approx(250)
    unclear = run(decline(), [{"at": 0, "dose": 60.0}, {"at": 0, "dose": None}], route="bolus")
    assert math.isnan(values(unclear)["CLO"])
    assert "no dose" in note(unclear, "CLO")
    assert values(unclear)["AUCIFO"] == pytest.approx(400)
    none = run(decline(), [{"at": -24, "dose": 100.0}, {"at": 0, "dose": 0.0}])
    assert none.empty or set(none["PPRFTDTM"]) == {START - pd.Timedelta(hours=24)}


def test_values_below_and_above_their_limits() -> None:
    samples: list[tuple[float | str, object]] = [(1, 40), (2, 80), (4, 40), (8, 10), (12, "<1"), (16, "<1"), (24, 3)]
    plain = run(samples)
    assert values(plain)["TLST"] == 24
    ended = run(samples, below={"consecutive": 2})
    assert values(ended)["TLST"] == 8
    assert ended["NBELOW"].unique().tolist() == [2]
    above = run([*samples[:2], (3, ">500"), *samples[2:]])
    assert above["AVAL"].isna().all()
    assert "above the upper limit" in note(above, "CMAX")
    nothing = run([(1, "<1"), (2, "<1"), (4, "<1")], tau_hours=12)
    found = values(nothing)
    assert [found["CMAX"], found["AUCLST"], found["AUCIFO"]] == [0, 0, 0]
    assert all(math.isnan(found[code]) for code in ("TMAX", "LAMZHL", "CLFO"))
    assert "below the limit of quantification" in note(nothing, "CMAX")


@pytest.mark.parametrize(
    ("samples", "unit", "why"),
    [
        ([(1, 40), (1, 41), (2, 30), (4, 20)], "ng/mL", "two concentrations at one time"),
        ([(1, 40), (2, -3), (4, 20)], "ng/mL", "negative"),
        ([(1, 40), (2, 30), (4, 20)], ["ng/mL", "ng/mL", "ug/mL"], "units of the concentrations differ"),
    ],
)
def test_profiles_that_are_not_sound(samples: list, unit: object, why: str) -> None:
    frame = run(samples, unit=unit)  # type: ignore[arg-type]
    assert len(frame)
    assert frame["AVAL"].isna().all()
    assert frame["NOTE"].str.contains(why).all()


def test_every_missing_value_says_why() -> None:
    for samples in ([(1, 40), (2, 80), (4, 50)], [(1, 5), (2, 5), (4, 5), (8, 5)], [(1, 1), (2, 3), (4, 9), (8, 20)]):
        for route, more in (("extravascular", {}), ("bolus", {}), ("infusion", {"duration_hours": 0.5})):
            frame = run(samples, route=route, tau_hours=12, **more)  # type: ignore[arg-type]
            assert frame.loc[frame["AVAL"].isna(), "NOTE"].notna().all()


def test_partial_areas_and_chosen_parameters() -> None:
    spans = [{"from_hours": "0", "to_hours": "4"}, {"from_hours": "4", "to_hours": "48"}]
    frame = run(decline(), route="bolus", intervals=spans, parameters=["CMAX", "AUCINT2", "AUCINT1"])
    assert frame["PARAMCD"].tolist() == ["CMAX", "AUCINT2", "AUCINT1"]
    found = values(frame)
    assert found["AUCINT1"] == pytest.approx(400 * (1 - math.exp(-1)))
    assert found["AUCINT2"] == pytest.approx(400 * (math.exp(-1) - math.exp(-12)))
    last = frame.iloc[1]
    assert [last["PARAM"], last["PPSTINT"], last["PPENINT"]] == ["AUC from 4 to 48 h", 4, 48]


def test_a_parameter_of_another_route_is_refused() -> None:
    with pytest.raises(DataError, match="is no parameter of the route"):
        run(decline(), parameters=["CLO"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steady_state": ["D8"]}, "tau_hours"),
        ({"route": "infusion"}, "duration_hours or doses.end"),
        ({"duration_hours": "1"}, "only an infusion"),
        ({"intervals": [{"from_hours": "4", "to_hours": "4"}]}, "after from_hours"),
        ({"below": {"first": "zero"}}, "first"),
        ({"below": {"before_tmax": "drop"}}, "together"),
    ],
)
def test_configurations_that_do_not_fit(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        protocol(**changes)


def test_options_reach_the_analysis() -> None:
    samples: list[tuple[float | str, object]] = [(1, 8), (2, "<1"), (4, 8), (6, 4), (8, 2), (12, 1), (16, "<1")]
    plain = values(run(samples, method="linear"))
    assert (plain["TMAX"], plain["LAMZLL"]) == (1, 4)
    assert values(run(samples, method="linear", first_tmax=False))["TMAX"] == 4
    kept = values(run(samples, method="linear", below={"before_tmax": "keep", "after_tmax": "keep"}))
    assert kept["AUCLST"] == plain["AUCLST"] - 8 * 3 + 4 + 8
    half = values(run(samples, method="linear", below={"middle": "0.5"}))
    assert half["AUCLST"] == kept["AUCLST"] + 0.5 * 0.5 + 0.5 * 1
    rising: list[tuple[float | str, object]] = [(1, 9), (2, 8), (3, 3), (4, 0.5), (5, 1), (6, 2), (7, 4)]
    assert math.isnan(values(run(rising))["LAMZ"])
    assert values(run(rising, terminal={"max_over": "falling"}))["LAMZ"] > 0


def test_order_of_records_does_not_matter() -> None:
    samples = decline()
    there = run(samples)
    back = run(samples[::-1])
    pd.testing.assert_series_equal(there["AVAL"], back["AVAL"])
    assert len(there["from"].iloc[0]) == 1 + len(samples)


@pytest.mark.parametrize(
    ("conc", "dose", "factor", "volume"),
    [
        ("ng/mL", "mg", 1e3, "L"),
        ("ug/mL", "mg", 1.0, "L"),
        ("mg/L", "g", 1e3, "L"),
        ("ug/dL", "mg", 1e2, "L"),
        ("ng/mL", "mg/kg", 1e3, "L/kg"),
        ("nmol/L", "umol", 1e3, "L"),
        ("nmol/L", "mg", 1.0, "mg/(nmol/L)"),
        ("[iU]/L", "[iU]", 1.0, "[iU]/([iU]/L)"),
        (None, "mg", 1.0, None),
        ("ng/mL", None, 1.0, None),
    ],
)
def test_units_of_volumes(conc: str | None, dose: str | None, factor: float, volume: str | None) -> None:
    scale, unit = pk_units.factors(conc, dose)["volume"]
    assert scale == pytest.approx(factor)
    assert unit == volume


def test_clearance_does_not_depend_on_the_unit_of_the_concentrations() -> None:
    samples = decline()
    other = [(h, float(np.float64(c) / 1000)) for h, c in samples]  # type: ignore[arg-type]
    one, two = values(run(samples, route="bolus")), values(run(other, unit="ug/mL", route="bolus"))
    for code in ("CLO", "VZO", "VSSO", "LAMZHL", "MRTIBIFO"):
        assert one[code] == pytest.approx(two[code], rel=1e-9)
