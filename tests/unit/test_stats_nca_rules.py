"""Non-compartmental analysis: closed forms, properties, and one row per branch of its rules."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from trialpipe.stats import nca, nca_area, nca_profile, nca_sparse, nca_urine
from trialpipe.stats.nca import Options
from trialpipe.stats.nca_profile import Blq
from trialpipe.stats.nca_terminal import TerminalRule, terminal

NAN = math.nan
LIN, UPDOWN, LINLOG, LOG = "linear", "linear-up log-down", "linear-log", "log"


def _oral(dose: float = 100.0, ka: float = 1.1, ke: float = 0.15) -> tuple[np.ndarray, np.ndarray]:
    t = np.array([0, 0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 36.0])
    return t, dose / 20 * ka / (ka - ke) * (np.exp(-ke * t) - np.exp(-ka * t))


# closed forms


def test_bolus_of_one_compartment() -> None:
    k, c0, dose = 0.3, 12.0, 60.0
    t = np.array([0.5, 1, 2, 4, 8, 12])
    found = nca.parameters(t, c0 * np.exp(-k * t), dose, "bolus").values
    assert_allclose(found["C0"], c0)
    assert_allclose([found["AUCIFO"], found["AUCIFP"]], c0 / k)
    assert_allclose(found["AUMCIFO"], c0 / k**2)
    assert_allclose([found["LAMZ"], found["LAMZHL"]], [k, math.log(2) / k])
    assert_allclose([found["MRTIBIFO"], found["CLO"]], [1 / k, dose * k / c0])
    assert_allclose([found["VZO"], found["VSSO"]], dose / c0)
    assert_allclose(found["AUCPBEO"], 100 * (1 - math.exp(-k * 0.5)))
    assert_allclose(found["AUCPEO"], 100 * math.exp(-k * 12))


def test_bolus_with_a_sample_at_the_dose_extrapolates_nothing_back() -> None:
    t = np.array([0.0, 1, 2, 4, 8])
    found = nca.parameters(t, 10 * np.exp(-0.2 * t), 10, "bolus").values
    assert_allclose([found["C0"], found["AUCPBEO"], found["AUCIFO"]], [10, 0, 50])


def test_infusion_mean_residence_time_is_less_by_half_the_infusion() -> None:
    t, c = np.array([0, 1, 2, 4, 6, 8.0]), np.array([0, 8, 6, 3, 1.5, 0.75])
    given = nca.parameters(t, c, 100, "infusion", duration=1.0).values
    other = nca.parameters(t, c, 100).values
    assert_allclose(given["MRTICIFO"], other["MRTEVIFO"] - 0.5)
    assert_allclose(given["VSSO"], given["CLO"] * given["MRTICIFO"])
    assert "TLAG" not in given
    assert "CLFO" not in given


def test_infusion_points_up_to_its_end_are_no_terminal_points() -> None:
    t, c = np.array([0, 1, 2, 3, 4, 6, 8.0]), np.array([0, 9, 8, 7, 4, 2, 1.0])
    assert nca.parameters(t, c, 1, "infusion", duration=3.0).values["LAMZLL"] > 3


def test_area_of_a_triangle_and_of_an_exponential() -> None:
    t, c = np.array([0.0, 2, 4]), np.array([0.0, 6, 0])
    assert nca_area.area(nca_profile.prepare(t, c), LIN) == (6.0, 12.0)
    assert nca_area.area(nca_profile.prepare(t, c), LIN, "all")[0] == 12.0
    t = np.linspace(0, 5, 6)
    auc, aumc = nca_area.area(nca_profile.prepare(t, np.exp(-t)), UPDOWN)
    assert_allclose(auc, 1 - math.exp(-5))
    assert_allclose(aumc, 1 - 6 * math.exp(-5))


def test_intervals_add_up_to_the_whole() -> None:
    profile = nca_profile.prepare(*_oral())
    cuts = [0, 0.1, 0.7, 2, 2.3, 5, 20, 30, 36, 50]
    for method in nca_area.METHODS:
        for extension, lam in (("last", NAN), ("all", NAN), ("infinity", 0.15)):
            parts = [
                nca_area.interval_area(profile, a, b, method, extension, lam, float(profile.conc[-1]))
                for a, b in zip(cuts, cuts[1:], strict=False)
            ]
            whole = nca_area.interval_area(profile, 0, 50, method, extension, lam, float(profile.conc[-1]))
            assert_allclose(math.fsum(parts), whole, rtol=1e-12)
            if extension == "last":
                assert_allclose(whole, nca_area.area(profile, method)[0], rtol=1e-12)


def test_area_to_infinity_is_the_limit_of_intervals() -> None:
    t, c = _oral()
    found = nca.parameters(t, c, 100, intervals=((0, 1e6), (0, 36), (36, math.inf))).values
    assert_allclose(found["AUCINT1"], found["AUCIFO"])
    assert_allclose(found["AUCINT2"], found["AUCLST"])
    assert_allclose(found["AUCINT3"], found["AUCIFO"] - found["AUCLST"])


def test_time_above_of_an_exponential() -> None:
    t = np.array([0.0, 3, 9])
    profile = nca_profile.prepare(t, 8 * np.exp(-0.5 * t))
    assert_allclose(nca_area.time_above(profile, 2.0), math.log(4) / 0.5)
    assert nca_area.time_above(profile, 0.0) == 9.0
    assert nca_area.time_above(profile, 100.0) == 0.0
    assert_allclose(nca_area.time_above(nca_profile.prepare(np.array([0, 2.0]), np.array([0, 4.0])), 1.0, LOG), 1.5)


def test_steady_state() -> None:
    k, tau, dose, volume = 0.2, 6.0, 30.0, 10.0
    t = np.arange(0.0, tau + 1)
    c = dose / volume * np.exp(-k * t) / (1 - math.exp(-k * tau))
    found = nca.parameters(t, c, dose, "bolus", tau=tau, steady_state=True).values
    assert_allclose(found["AUCTAU"], dose / volume / k)
    assert_allclose(found["CAVG"], dose / volume / k / tau)
    assert_allclose([found["CLTAU"], found["VZTAU"]], [k * volume, volume])
    assert_allclose(found["CTROUGH"], c[-1])
    assert_allclose(found["SWING"], 100 * (c[0] / c[-1] - 1))
    assert_allclose(found["FLUCP"], 100 * (c[0] - c[-1]) / found["CAVG"])
    assert_allclose(found["AILAMZ"], 1 / (1 - math.exp(-k * tau)))
    assert "CLO" not in found
    first = nca.parameters(t, dose / volume * np.exp(-k * t), dose, "bolus", tau=tau).values
    assert_allclose(nca.accumulation_ratio(found["AUCTAU"], first["AUCTAU"]), found["AILAMZ"])
    residence = nca.mean_residence_at_steady_state(
        found["AUCTAU"], found["AUMCLST"], found["AUCTAU"] / (1 - math.exp(-k * tau)), tau
    )
    assert_allclose(residence, 1 / k)


def test_steady_state_reads_peak_and_trough_within_the_interval() -> None:
    t = np.array([0, 2, 6, 11.8, 12.3, 14])
    c = np.array([2.0, 8, 5, 2.5, 2.2, 9])
    plain = nca.parameters(t, c, 10, tau=12.0, steady_state=True)
    assert [plain.values[code] for code in ("CMAX", "TMAX", "CMIN")] == [8, 2, 2]
    assert math.isnan(plain.values["CTROUGH"])
    near = nca.parameters(t, c, 10, tau=12.0, steady_state=True, options=Options(trough_within=0.5))
    assert near.values["CTROUGH"] == 2.5
    # the area ends within the last segment, not at the last sample before the end
    assert_allclose(plain.values["AUCTAU"], nca_area.interval_area(nca_profile.prepare(t, c), 0, 12))


# properties


@pytest.mark.parametrize("method", nca_area.METHODS)
def test_dose_proportionality(method: str) -> None:
    t, c = _oral()
    one = nca.parameters(t, c, 100, options=Options(method=method)).values
    three = nca.parameters(t, 3 * c, 300, options=Options(method=method)).values
    for code in ("CMAX", "AUCLST", "AUCALL", "AUCIFO", "AUMCIFO", "CLSTP"):
        assert_allclose(three[code], 3 * one[code], rtol=1e-10)
    for code in ("TMAX", "LAMZ", "CLFO", "VZFO", "MRTEVIFO", "AUCPEO", "LAMZNPT", "CMAXD", "R2ADJ"):
        assert_allclose(three[code], one[code], rtol=1e-7)


def test_cmin_is_that_of_the_dosing_interval() -> None:
    t, c = _oral()
    assert nca.parameters(t[1:], c[1:], 100, tau=12.0).values["CMIN"] == c[10]
    assert nca.parameters(t[1:], c[1:], 100).values["CMIN"] == c[-1]


def test_units_of_time_and_order_of_rows() -> None:
    t, c = _oral()
    hours = nca.parameters(t, c, 100, tau=12.0).values
    minutes = nca.parameters(60 * t, c, 100, tau=720.0).values
    factors = {"AUCLST": 60, "AUMCLST": 3600, "LAMZ": 1 / 60, "LAMZHL": 60, "CLFO": 1 / 60, "VZFO": 1, "CAVG": 1}
    for code, factor in factors.items():
        assert_allclose(minutes[code], factor * hours[code], rtol=1e-9)
    order = np.random.default_rng(3).permutation(len(t))
    assert nca.parameters(t[order], c[order], 100, tau=12.0).values == hours


def test_a_time_shift_of_the_window_shifts_nothing_else() -> None:
    t, c = _oral()
    moved, values = nca_profile.window(t + 100, c, 100, 200)
    assert nca.parameters(moved, values, 100).values == nca.parameters(t, c, 100).values


# one row per branch


@pytest.mark.parametrize(
    ("blq", "times"),
    [
        (Blq(), [0, 1, 2, 4, 8, 10, 12]),
        (Blq("drop", "drop", "drop"), [2, 4, 8]),
        (Blq("keep", "keep", "keep"), [0, 1, 2, 3, 4, 8, 10, 12]),
        (Blq("drop", "keep", "drop"), [2, 3, 4, 8]),
        (Blq(last="drop"), [0, 1, 2, 4, 8]),
        (Blq(before_tmax="drop", after_tmax="keep"), [2, 4, 8, 10, 12]),
        (Blq(before_tmax="keep", after_tmax="drop"), [0, 1, 2, 3, 4, 8]),
        (Blq(consecutive=2), [0, 1, 2, 4, 8, 10, 12]),
        (Blq(consecutive=1), [0, 1, 2, 4, 8, 10]),
    ],
)
def test_rules_for_values_below_the_limit(blq: Blq, times: list[float]) -> None:
    t, c = np.array([0, 1, 2, 3, 4, 8, 10, 12.0]), np.array([0, 0, 2, 0, 5, 3, 0, 0.0])
    assert nca_profile.prepare(t, c, blq).time.tolist() == times


def test_consecutive_values_below_the_limit_end_the_profile() -> None:
    t, c = np.arange(8.0), np.array([0, 9, 4, 0, 2, 0, 0, 1.0])
    two, one = (nca_profile.prepare(t, c, Blq(consecutive=n)) for n in (2, 1))
    assert two.time.tolist() == [0, 1, 2, 4, 5, 6]
    assert two.conc.tolist() == [0, 9, 4, 2, 0, 0]
    assert one.time.tolist() == [0, 1, 2, 3]
    assert nca_profile.prepare(t, c).time.tolist() == [0, 1, 2, 4, 7]
    # before Tmax a run ends nothing
    rising = np.array([1, 0, 0, 9, 4, 3, 2, 1.0])
    assert nca_profile.prepare(t, rising, Blq("keep", "keep", "keep", consecutive=2)).time.tolist() == t.tolist()


def test_a_number_stands_for_values_below_the_limit() -> None:
    t, c = np.arange(5.0), np.array([0, 4, 0, 2, 0])
    assert nca_profile.prepare(t, c, Blq(0.1, 0.2, 0.3)).conc.tolist() == [0.1, 4, 0.2, 2, 0.3]
    assert nca_profile.prepare(t, np.zeros(5), Blq(0.1, 0.2, 0.3)).conc.tolist() == [0.1] * 5
    # what was measured is not changed by what stands for it
    assert nca.parameters(t, c, options=Options(blq=Blq(0.1, 0.2, 0.3))).values["TLST"] == 3


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"before_tmax": "keep"}, "together"),
        ({"consecutive": 0}, "at least 1"),
        ({"first": "zero"}, "keep, drop or a number"),
        ({"last": -1.0}, ">= 0"),
    ],
)
def test_rules_that_do_not_fit(kwargs: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Blq(**kwargs)


@pytest.mark.parametrize(
    ("method", "want"),
    [
        (LIN, [False] * 6),
        (UPDOWN, [False, False, True, False, True, False]),
        (LINLOG, [False, False, True, True, True, False]),
        (LOG, [False, True, True, True, True, False]),
    ],
)
def test_segments(method: str, want: list[bool]) -> None:
    t, c = np.arange(7.0), np.array([0, 2, 9, 4, 5, 3, 0.0])
    assert nca_area.log_segments(t, c, method).tolist() == want


def test_equal_ends_are_never_logarithmic() -> None:
    t, c = np.arange(3.0), np.array([5.0, 2, 2])
    for method in (UPDOWN, LINLOG, LOG):
        assert nca_area.log_segments(t, c, method).tolist() == [True, False]


@pytest.mark.parametrize(
    ("rule", "first"),
    [("required", 1.0), ("zero", 0.0), ("minimum", 2.0), ("predose", 3.0), ("c0", 9.0)],
)
def test_value_at_the_dose(rule: str, first: float) -> None:
    profile = nca_profile.prepare(np.array([1.0, 2]), np.array([4.0, 2]))
    found = nca_profile.with_start(profile, rule, predose=3.0, c0=9.0)
    assert (found.time[0], found.conc[0]) == ((1.0, 4.0) if rule == "required" else (0.0, first))


def test_a_measured_value_at_the_dose_stays_but_for_c0() -> None:
    profile = nca_profile.prepare(np.array([0.0, 2]), np.array([4.0, 2]))
    for rule in ("required", "zero", "minimum", "predose"):
        assert nca_profile.with_start(profile, rule, predose=3.0).conc[0] == 4.0
    assert nca_profile.with_start(profile, "c0", c0=9.0).conc.tolist() == [9.0, 2.0]
    # nothing before the dose: nothing to carry
    late = nca_profile.prepare(np.array([1.0, 2]), np.array([4.0, 2]))
    assert nca_profile.with_start(late, "predose").time[0] == 1.0


@pytest.mark.parametrize(
    ("conc", "methods", "want"),
    [
        ([7, 4, 2], ("c0", "logslope"), 7),
        ([0, 4, 2], ("c0", "logslope", "c1"), 8),
        ([0, 2, 4], ("c0", "logslope", "c1"), 2),
        ([0, 4, 0], ("logslope", "c1"), 4),
        ([0, 4, 4], ("logslope",), NAN),
        ([0, 4, NAN], ("logslope", "c1"), 4),
        ([3, 4, 2], ("cmin",), 2),
        ([3, 4, 2], ("set0",), 0),
        ([0, NAN, NAN], ("c0", "logslope", "c1"), NAN),
    ],
)
def test_initial_concentration(conc: list[float], methods: tuple[str, ...], want: float) -> None:
    found = nca_profile.initial_concentration(np.array([0.0, 1, 2]), np.array(conc, float), methods)
    assert_allclose(found, want)


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(ValueError, match="method for C0"):
        nca_profile.initial_concentration(np.array([0.0]), np.array([0.0]), ("guess",))
    with pytest.raises(ValueError, match="method for areas"):
        nca_area.area(nca_profile.prepare(np.array([0.0, 1]), np.array([1.0, 2])), "spline")  # type: ignore[arg-type]


def test_terminal_slope_takes_more_points_of_a_tie() -> None:
    t = np.arange(1.0, 8)
    exact = terminal(t, np.exp(-0.5 * t), 0.0)
    assert (exact.n, exact.first) == (7, 1.0)
    bent = np.exp(-0.5 * t) * np.array([3, 1, 1, 1, 1, 1, 1])
    assert terminal(t, bent, 0.0).n == 6
    assert terminal(t, bent, 0.0, TerminalRule(tolerance=0.9)).n == 7


def test_published_half_lives() -> None:
    """The two examples of PKNCA: with Tmax 1, without it 1.000577."""
    t, c = np.arange(3.0), np.array([1, 0.5, 0.25])
    assert_allclose(terminal(t, c, 0.0, TerminalRule(allow_tmax=True)).half_life, 1.0)
    t, c = np.arange(4.0), np.array([1, 0.5, 0.25, 0.1251])
    assert_allclose(terminal(t, c, 0.0).half_life, 1.000577, atol=5e-7)


@pytest.mark.parametrize(
    ("conc", "rule", "note"),
    [
        ([9, 4, 2], TerminalRule(), "2 values for the terminal slope, 3 needed"),
        ([9, 2, 2, 2], TerminalRule(), "all equal"),
        ([9, 1, 2, 4], TerminalRule(), "does not fall"),
        ([9, 4, 3.9, 1, 2, 4.1], TerminalRule(), "does not fall"),
        ([9, 1, 4], TerminalRule(min_points=2), "do not fall"),
        # least squares of values that fall and rise alike: a slope of 1e-16
        ([0, 1.2, 0.5, 0.8, 0.5], TerminalRule(), "does not fall"),
        ([0, 0, 0, 0], TerminalRule(), "no value above the limit"),
    ],
)
def test_no_terminal_slope(conc: list[float], rule: TerminalRule, note: str) -> None:
    t, c = np.arange(float(len(conc))), np.array(conc, float)
    found = terminal(t, c, nca_profile.tmax_of(t, c), rule)
    assert math.isnan(found.lambda_z)
    assert found.n == 0
    assert note in (found.note or "")


def test_rising_ends_can_be_passed_over() -> None:
    t, c = np.arange(7.0), np.array([9, 8, 3, 0.5, 1, 2, 4.0])
    assert terminal(t, c, 0.0).n == 0
    assert terminal(t, c, 0.0, TerminalRule(max_over="falling")).n > 3


def test_two_points_have_no_adjusted_r2() -> None:
    found = terminal(np.arange(3.0), np.array([9, 4, 2.0]), 0.0, TerminalRule(min_points=2))
    assert_allclose(found.lambda_z, math.log(2))
    assert found.n == 2
    assert math.isnan(found.adjusted_r2)


def test_chosen_points() -> None:
    t, c = np.arange(6.0), np.array([0, 9, 5, 3, 2, 1.0])
    marked = nca.parameters(t, c, 1, points=np.array([0, 0, 1, 0, 1, 0], bool))
    assert_allclose(marked.values["LAMZ"], math.log(5 / 2) / 2)
    none = nca.parameters(t, c, 1, points=np.array([0, 0, 1, 0, 0, 0], bool))
    assert math.isnan(none.values["LAMZ"])
    assert "fewer than two" in (none.note("LAMZ") or "")


def test_what_the_slope_misses_is_noted_or_refused() -> None:
    t, c = np.array([0, 1, 2, 3, 4.0]), np.array([0, 9, 8.5, 8.2, 7.9])
    noted = nca.parameters(t, c, 100)
    assert noted.values["AUCIFO"] > 0
    assert "half-lives covered" in (noted.note("AUCIFO") or "")
    assert "extrapolated" in (noted.note("CLFO") or "")
    assert noted.note("AUCLST") is None
    strict = nca.parameters(t, c, 100, options=Options(terminal=TerminalRule(strict=True)))
    for code in ("AUCIFO", "CLFO", "LAMZ", "LAMZHL", "VZFO", "MRTEVIFO", "CLSTP"):
        assert math.isnan(strict.values[code])
        assert "half-lives covered" in (strict.note(code) or "")
    assert strict.values["AUCLST"] == noted.values["AUCLST"]


# degenerate


def test_all_below_the_limit() -> None:
    result = nca.parameters(np.arange(4.0), np.zeros(4), 100, tau=3.0)
    assert [result.values[c] for c in ("CMAX", "AUCLST", "AUCALL", "AUCIFO", "AUCTAU", "CAVG")] == [0] * 6
    for code in ("TMAX", "TLST", "LAMZ", "CLFO", "AUCPEO", "SWING", "FLUCP"):
        assert math.isnan(result.values[code])
    assert "below the limit" in (result.note("CMAX") or "")


def test_all_below_the_limit_from_a_later_time() -> None:
    for start in (None, "required"):
        found = nca.parameters(np.array([1.0, 2, 3]), np.zeros(3), 100, options=Options(start=start)).values
        assert (found["AUCLST"], found["AUCIFO"]) == (0, 0)


def test_one_value() -> None:
    result = nca.parameters(np.array([2.0]), np.array([5.0]), 100, options=Options(start="required"))
    assert (result.values["CMAX"], result.values["TMAX"]) == (5, 2)
    assert math.isnan(result.values["AUCLST"])
    assert result.note("AUCLST") == "no concentration at the time of the dose"
    alone = nca.parameters(np.array([0.0]), np.array([5.0]), 100)
    assert math.isnan(alone.values["AUCLST"])
    assert alone.note("AUCLST") == "one concentration"


def test_no_value() -> None:
    result = nca.parameters(np.array([]), np.array([]), 100, tau=12.0)
    assert all(math.isnan(v) for v in result.values.values())
    assert result.note("AUCLST")
    assert result.note("CMAX") == "no concentration after the dose"


def test_values_before_the_dose_count_only_as_predose() -> None:
    t, c = np.array([-1.0, 1, 2, 4, 8]), np.array([50.0, 9, 6, 3, 1])
    found = nca.parameters(t, c, 100)
    assert (found.values["CMAX"], found.values["TMAX"]) == (9, 1)
    assert found.values == nca.parameters(t[1:], c[1:], 100).values
    carried = nca.parameters(t, c, 100, options=Options(method=LIN, start="predose")).values
    with_zero = nca.parameters(np.append(0.0, t[1:]), np.append(50.0, c[1:]), 100, options=Options(method=LIN))
    assert carried["AUCLST"] == with_zero.values["AUCLST"]


@pytest.mark.parametrize(
    ("time", "conc", "message"),
    [
        ([0, 1, 1], [0, 2, 3], "two concentrations at one time"),
        ([0, 1], [0, -2], "negative"),
        ([0, NAN], [0, 2], "time is missing"),
        ([0, 1], [0, math.inf], "infinite"),
        ([0, 1], [0], "differ in length"),
    ],
)
def test_refused_profiles(time: list[float], conc: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        nca.parameters(np.array(time, float), np.array(conc, float))


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"dose": 0.0}, "dose must be positive"),
        ({"route": "rectal"}, "a route is"),
        ({"duration": 1.0}, "duration"),
        ({"route": "infusion"}, "duration"),
        ({"steady_state": True}, "dosing interval"),
        ({"tau": -1.0}, "dosing interval must be positive"),
        ({"end": 0.0}, "ends after it starts"),
    ],
)
def test_refused_arguments(kwargs: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        nca.parameters(np.arange(3.0), np.arange(3.0), **kwargs)


def test_missing_trough_and_undefined_interval_are_noted() -> None:
    t, c = np.array([0, 1, 2, 3.0]), np.array([0, 9, 8, 8.5])
    result = nca.parameters(t, c, 100, tau=12.0)
    assert math.isnan(result.values["CTROUGH"])
    assert "no sample at the end" in (result.note("CTROUGH") or "")
    assert math.isnan(result.values["AUCTAU"])
    assert result.note("AUCTAU")


def test_every_missing_parameter_says_why() -> None:
    cases = [
        ([0, 1, 2], [0, 4, 3]),
        ([0, 1, 2, 3], [0, 0, 0, 0]),
        ([1, 2, 4], [4, 3, 2]),
        ([3.0], [1.0]),
        ([], []),
        ([0, 1, 2, 4, 8], [5, 5, 5, 5, 5]),
    ]
    for route, more in (("extravascular", {}), ("bolus", {}), ("infusion", {"duration": 0.5})):
        for time, conc in cases:
            for dose in (None, 100.0):
                for start in (None, "required"):
                    result = nca.parameters(
                        np.array(time, float),
                        np.array(conc, float),
                        dose,
                        route,
                        tau=6.0,
                        intervals=((0, 3),),
                        options=Options(start=start),
                        **more,
                    )
                    silent = [c for c, v in result.values.items() if math.isnan(v) and not result.note(c)]
                    assert silent == [], (route, time, dose, start)
                    assert not any(math.isinf(v) for v in result.values.values())


def test_bioavailability_and_ratios() -> None:
    # one compartment: the effective half-life is the half-life
    assert_allclose(nca.effective_half_life(1 / 0.3), math.log(2) / 0.3)
    assert nca.peak_trough_ratio(8, 2) == 4
    assert math.isnan(nca.peak_trough_ratio(8, 0))
    assert_allclose(nca.bioavailability(100, 40, 50, 40), 0.5)
    assert math.isnan(nca.bioavailability(0, 40, 50, 40))
    assert math.isnan(nca.accumulation_ratio(3, 0))
    assert math.isnan(nca.accumulation_index(-0.1, 12))
    assert math.isnan(nca.fluctuation(3, 1, 0))
    assert math.isnan(nca.swing(3, 0))


# sparse samples and urine


def test_sparse_area_of_whole_profiles_is_the_mean_of_their_areas() -> None:
    """With every subject at every time the batch design is the sample of areas: mean, standard error, n - 1."""
    rng = np.random.default_rng(7)
    times = np.array([0.0, 1, 2, 4, 8])
    c = np.exp(rng.normal(1, 0.3, (6, 5)))
    own = [nca_area.area(nca_profile.prepare(times, row), LIN)[0] for row in c]
    found = nca_sparse.sparse_area(np.tile(times, 6), c.ravel(), np.repeat(np.arange(6), 5).tolist())
    assert_allclose([found.auc, found.se, found.df], [np.mean(own), np.std(own, ddof=1) / math.sqrt(6), 5])
    low, high = found.limits(0.9)
    assert_allclose((low + high) / 2, found.auc)
    assert low < found.auc < high


@pytest.mark.parametrize(
    ("rows", "auc", "note"),
    [
        ([(0, 1, "a"), (0, 2, "b")], NAN, "fewer than two"),
        ([(0, 0, "a"), (1, 0, "b"), (1, 0, "c")], 0.0, "below the limit"),
        ([(0, 1, "a"), (1, 3, "b"), (2, 1, "c"), (2, 3, "d")], 4.5, "one sample at a time"),
        ([(0, 2, "a"), (0, 4, "b"), (1, 0, "c"), (1, 0, "d"), (1, 9, "e")], NAN, "only the first time"),
    ],
)
def test_degenerate_sparse_samples(rows: list[tuple[float, float, str]], auc: float, note: str) -> None:
    found = nca_sparse.sparse_area(*([np.array([r[i] for r in rows], float) for i in (0, 1)]), [r[2] for r in rows])
    assert_allclose(found.auc, auc)
    assert math.isnan(found.se)
    assert note in (found.note or "")
    assert all(math.isnan(limit) for limit in found.limits())


def test_sparse_majority_rule_and_last_mean() -> None:
    time, conc = [0, 0, 1, 1, 2, 2, 2], [2, 4, 1, 3, 0, 0, 9]
    who = list("abcdefg")
    arrays = (np.array(time, float), np.array(conc, float), who)
    assert_allclose(nca_sparse.sparse_area(*arrays).auc, 2.5)
    assert_allclose(nca_sparse.sparse_area(*arrays, majority=False).auc, 5.0)
    assert_allclose(nca_sparse.sparse_area(*arrays, to="all").auc, 3.5)


def test_sparse_incomplete_batches_have_no_degrees_of_freedom() -> None:
    time, conc = np.array([0, 0, 1, 1, 2, 2.0]), np.array([2, 4, 1, 3, 2, 1.0])
    found = nca_sparse.sparse_area(time, conc, ["a", "b", "a", "c", "d", "e"])
    assert found.se > 0
    assert math.isnan(found.df)
    assert "incomplete" in (found.note or "")


def test_refused_sparse_samples() -> None:
    with pytest.raises(ValueError, match="two samples of one subject"):
        nca_sparse.sparse_area(np.zeros(2), np.ones(2), ["a", "a"])
    with pytest.raises(ValueError, match="length"):
        nca_sparse.sparse_area(np.zeros(2), np.ones(2), ["a"])
    with pytest.raises(ValueError, match="negative"):
        nca_sparse.sparse_area(np.zeros(1), -np.ones(1), ["a"])


def test_urine_rates_and_missing_collections() -> None:
    found = nca_urine.excreted([4, 0], [8, 4], [0.2, 0.3], [10, 20])
    assert found.amounts.tolist() == [6, 2]
    assert found.cumulative.tolist() == [6, 8]
    assert found.rates.tolist() == [1.5, 0.5]
    assert found.midpoints.tolist() == [2, 6]
    lost = nca_urine.excreted([0, 4, 8], [4, 8, 12], [0.3, NAN, 0.0], [20, 10, NAN])
    assert math.isnan(lost.total)
    assert "1 of 3" in (lost.note or "")
    assert lost.amounts[2] == 0
    assert math.isnan(nca_urine.excreted([], [], [], []).total)
    assert math.isnan(nca_urine.fraction(3, 0))
    assert math.isnan(nca_urine.renal_clearance(3, 0))


@pytest.mark.parametrize(
    ("start", "end", "volume", "message"),
    [([0, 3], [4, 8], [1, 1], "overlap"), ([4], [4], [1], "ends after"), ([0], [4], [-1], "negative")],
)
def test_refused_collections(start: list, end: list, volume: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        nca_urine.excreted(start, end, volume, [1] * len(start))
    with pytest.raises(ValueError, match="length"):
        nca_urine.excreted([0], [4], [1, 2], [1])
