"""Measured values: description with values outside the range of quantification, bands, paired change, categories."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from helpers.analyse_frames import adsl, one, outcome, protocol, run, table, value
from hypothesis import given as arbitrary
from hypothesis import strategies as st

from trialpipe.analyse import sample
from trialpipe.analyse.formats import Bounded
from trialpipe.analyse.in_bands import inside
from trialpipe.analyse.paired_change import Reading, gap, reading
from trialpipe.config.analyses import Band
from trialpipe.io import contracts
from trialpipe.io.errors import DataError

BDS = {"kind": "findings", "dataset": "adcyt"}
VISITS = {
    "visit_sets": [
        {
            "id": "v",
            "visits": [
                {"label": "D1", "day": "1", "window": ["1", "1"], "baseline": "true"},
                {"label": "D14", "day": "14", "window": ["11", "17"]},
            ],
        }
    ],
    "datasets": [
        {
            "kind": "findings",
            "id": "adcyt",
            "label": "Cytokines",
            "domain": "lbcy",
            "visits": "v",
            "parameters": [{"code": "IL6", "label": "IL-6", "where": {"LBTESTCD": "IL6"}}],
        }
    ],
}


def bds(values: list[tuple[str, str, float | str]]) -> pd.DataFrame:
    """(patient, visit, value), a value below or above the range as '<5' or '>90'."""
    rows = []
    for patient, visit, given in values:
        row = {"patient": patient, "PARAMCD": "IL6", "AVISIT": visit, "ANL01FL": "Y", "AVALU": "pg/mL", "CENS": "none"}
        if isinstance(given, str) and given[0] in "<>":
            side, column = ("left", "LLOQ") if given[0] == "<" else ("right", "ULOQ")
            row |= {"CENS": side, column: float(given[1:])}
        elif isinstance(given, str):
            row |= {"AVALC": given}
        else:
            row |= {"AVAL": given}
        rows.append(row)
    return table(contracts.BDS, rows, "adcyt").drop(columns="SCENARIO")


def described(values: list[float | str], analysis: dict | None = None) -> pd.DataFrame:
    people = adsl({f"{i:02d}": {} for i in range(len(values))})
    frame = bds([(f"{i:02d}", "D14", v) for i, v in enumerate(values)])
    given = outcome("describe_by_visit", BDS, {"visits": ["D14"], **(analysis or {})})
    return run(given, {"adsl": people, "adcyt": frame}, protocol(**VISITS))[0]


def test_description_without_censored_values() -> None:
    results = described([2.0, 4.0, 4.5, 8.0], {"geometric": "true"})
    wanted = {"n": 4, "n_below": 0, "mean": 4.625, "median": 4.25, "q1": 3.0, "q3": 6.25, "min": 2.0, "max": 8.0}
    for statistic, number in wanted.items():
        assert value(results, statistic) == pytest.approx(number)
    assert value(results, "geometric_mean") == pytest.approx((2 * 4 * 4.5 * 8) ** 0.25)
    assert value(results, "sd") == pytest.approx(np.std([2, 4, 4.5, 8], ddof=1))
    assert [one(results, s)["formatted"] for s in ("median", "min", "sd")] == ["4.25", "2.0", "2.496"]
    assert one(results, "median")["unit"] == "pg/mL"
    assert value(results, "alive") == 4


def test_changes_from_baseline() -> None:
    """Those of patients with a change; who has a value alone is not counted."""
    frame = bds([("00", "D14", 5.0), ("01", "D14", 8.0), ("02", "D14", "<5")]).assign(CHG=[1.5, None, None])
    data = {"adsl": adsl({f"{i:02d}": {} for i in range(3)}), "adcyt": frame}
    given = outcome("describe_by_visit", BDS, {"visits": ["D14"], "change": "true"})
    results = run(given, data, protocol(**VISITS))[0]
    assert set(results["variable"]) == {"CHG"}
    assert (value(results, "n"), value(results, "mean"), value(results, "n_below")) == (1, 1.5, 0)
    with pytest.raises(ValueError, match="no geometric mean"):
        outcome("describe_by_visit", BDS, {"visits": ["D14"], "change": "true", "geometric": "true"})


def test_each_type_of_sample_has_its_own_analysed_record() -> None:
    """A trough and a peak of one visit are described apart; both in one description would count a patient twice."""
    frame = bds([("00", "D14", 2.0), ("01", "D14", 3.0), ("00", "D14", 8.0)])
    frame["row_id"] = [f"adcyt:{i}" for i in range(3)]
    frame["ANL01FL"], frame["ANL02FL"] = ["Y", "Y", None], "Y"
    frame["SAMPTYPE"] = ["TROUGH", "TROUGH", "PEAK"]
    data = {"adsl": adsl({"00": {}, "01": {}}), "adcyt": frame}
    for types, median in (("TROUGH", 2.5), ("PEAK", 8.0)):
        given = outcome("describe_by_visit", BDS, {"visits": ["D14"], "where": {"SAMPTYPE": types}})
        assert value(run(given, data, protocol(**VISITS))[0], "median") == median
    given = outcome("describe_by_visit", BDS, {"visits": ["D14"], "where": {"SAMPTYPE": ["TROUGH", "PEAK"]}})
    with pytest.raises(DataError, match="several types of sample"):
        run(given, data, protocol(**VISITS))


def test_median_below_the_limit_is_printed_as_such() -> None:
    """Ruling 23: at least half below."""
    results = described(["<5", "<5", 7.0, 30.0], {"geometric": "true"})
    row = one(results, "median")
    assert (row["value"], row["qualifier"], row["formatted"]) == (5.0, "<", "<5")
    assert one(results, "q1")["formatted"] == "<5"
    assert value(results, "q3") == 18.5
    assert (one(results, "min")["formatted"], value(results, "max")) == ("<5", 30.0)
    assert value(results, "percent_below") == 50
    for statistic in ("mean", "sd", "geometric_mean"):
        assert one(results, statistic)["value_text"] == "NE"
        assert "range of quantification" in one(results, statistic)["note"]


def test_fewer_than_half_below_give_a_number() -> None:
    results = described(["<5", "<5", 7.0, 30.0, 41.0])
    assert value(results, "median") == 7.0
    assert pd.isna(one(results, "median")["qualifier"])


def test_above_the_range() -> None:
    results = described([1.0, ">90", ">90"])
    assert one(results, "median")["formatted"] == ">90"
    assert one(results, "max")["formatted"] == ">90"
    assert value(results, "n_above") == 2


def test_limits_among_the_values_use_turnbull() -> None:
    """Half of <10 lies at 3, half at 8 by symmetry of the self-consistent estimate: mass 3: 1/3 + 1/6."""
    results = described(["<10", 3.0, 8.0])
    assert "Turnbull" in one(results, "median")["method"]
    assert value(results, "q1") == 3.0
    assert value(results, "q3") == 8.0


def test_half_below_limits_among_the_values_is_still_below() -> None:
    """Ruling 23 holds for several limits too: 3, 8, <10, <10 have a median below (8 + 10)/2 whatever the two are."""
    row = one(described(["<10", "<10", 3.0, 8.0]), "median")
    assert (row["value"], row["qualifier"], row["formatted"]) == (9.0, "<", "<9")
    assert "at least half of the values below" in row["method"]
    assert pd.isna(one(described(["<10", 3.0, 8.0, 9.0]), "median")["qualifier"])


def test_no_value_at_all() -> None:
    people = adsl({"00": {}, "01": {"DTHDT": "2020-01-05"}})
    given = outcome("describe_by_visit", BDS, {"visits": ["D14"]})
    results, _ = run(given, {"adsl": people, "adcyt": bds([("00", "D1", 1.0)])}, protocol(**VISITS))
    assert value(results, "n") == 0
    assert value(results, "alive") == 1
    assert one(results, "median")["note"] == "no value"


@pytest.mark.parametrize(("death", "alive"), [("2020-01-13", 0), ("2020-01-14", 0), ("2020-01-15", 1), (None, 1)])
def test_alive_on_the_target_day(death: str | None, alive: int) -> None:
    """D14 of a trial that counts from D1 is 13 days after the first dose: 14 January."""
    given = outcome("describe_by_visit", BDS, {"visits": ["D14"]})
    data = {"adsl": adsl({"00": {"DTHDT": death}}), "adcyt": bds([("00", "D1", 1.0)])}
    results, _ = run(given, data, protocol(**VISITS))
    assert value(results, "alive") == alive


@pytest.mark.parametrize(("first", "alive"), [("2020-01-14", 0), ("2020-01-15", 1), (None, 0)])
def test_partial_death_is_its_first_possible_day_in_alive_at_a_visit(first: str | None, alive: int) -> None:
    """As in times to death; a death without a lower bound may have been any day before."""
    given = outcome("describe_by_visit", BDS, {"visits": ["D14"]})
    people = adsl({"00": {"DTHDT": None}})
    people["DTHDT_LO"], people["DTHDT_HI"] = pd.to_datetime([first]), pd.to_datetime(["2021-12-31"])
    results, _ = run(given, {"adsl": people, "adcyt": bds([("00", "D1", 1.0)])}, protocol(**VISITS))
    assert value(results, "alive") == alive


@arbitrary(st.lists(st.integers(0, 40), min_size=1, max_size=12), st.integers(0, 30))
def test_censoring_below_never_moves_a_detected_quantile(values: list[int], limit: int) -> None:
    """Values under a common limit are only known as below it: quantiles above it stay, those below become '<'.

    The mean of the greatest value below and the least above the limit may lie above the limit: its bound is the mean of
    both, but for a median, printed as below the limit when half of the values are.
    """
    whole = sample.Sample(np.array(values, float), np.array([]), np.array([]))
    seen = np.array([v for v in values if v >= limit], float)
    cut = sample.Sample(seen, np.full(len(values) - len(seen), float(limit)), np.array([]))
    for p in (0.25, 0.5, 0.75):
        truth, found = sample._quantile(whole, p), sample._quantile(cut, p)
        if isinstance(found, Bounded):
            assert found.qualifier == "<"
            assert p == 0.5 or truth < found.value
            if p == 0.5 or len(values) - len(seen) > p * len(values):
                assert found.value == limit
            assert sum(v < limit for v in values) / len(values) >= p - 1e-9
        else:
            assert found == truth


BAND = Band(id="b", label="b", low=0.2, high=0.4)
OPEN = Band(id="o", label="o", low=0.16)
LOW = Band(id="l", label="l", high=5.0)


@pytest.mark.parametrize(
    ("value_", "censored", "lloq", "uloq", "band", "wanted"),
    [
        (0.2, "none", 0, 0, BAND, True),
        (0.4, "none", 0, 0, BAND, True),
        (0.41, "none", 0, 0, BAND, False),
        (math.nan, "left", 0.2, 0, BAND, False),
        (math.nan, "left", 0.1, 0, OPEN, False),
        (math.nan, "left", 0.3, 0, BAND, None),
        (math.nan, "left", 0.5, 0, OPEN, None),
        (math.nan, "left", 1.0, 0, LOW, True),
        (math.nan, "left", 6.0, 0, LOW, None),
        (math.nan, "right", 0, 0.4, BAND, False),
        (math.nan, "right", 0, 0.3, BAND, None),
        (math.nan, "right", 0, 4.0, OPEN, True),
        (math.nan, "right", 0, 0.1, OPEN, None),
    ],
)
def test_band_verdict(value_, censored, lloq, uloq, band, wanted) -> None:
    assert inside(value_, censored, lloq, uloq, band) is wanted


def test_undetermined_leaves_the_denominator() -> None:
    people = adsl({f"{i:02d}": {} for i in range(4)})
    frame = bds([("00", "D14", 0.3), ("01", "D14", 0.1), ("02", "D14", "<0.3"), ("03", "D14", "<0.1")])
    bands = [{"id": "b", "label": "0.2 to 0.4", "low": "0.2", "high": "0.4"}]
    given = outcome("in_bands", BDS, {"parameter": "IL6", "visit": "D14", "bands": bands})
    results, _ = run(given, {"adsl": people, "adcyt": frame}, protocol(**VISITS))
    assert (value(results, "n"), value(results, "denominator"), value(results, "undetermined")) == (1, 3, 1)
    assert value(results, "upper") == pytest.approx(90.57006759, rel=1e-8)  # binom.test(1, 3)


@pytest.mark.parametrize(
    ("base", "late", "sign"),
    [
        ((10.0, "none"), (20.0, "none"), 1),
        ((20.0, "none"), (10.0, "none"), -1),
        ((10.0, "none"), (10.0, "none"), 0),
        ((5.0, "left"), (20.0, "none"), 1),
        ((5.0, "left"), (5.0, "none"), 1),
        ((5.0, "left"), (4.0, "none"), 0),
        ((5.0, "left"), (3.0, "left"), 0),
        ((90.0, "right"), (80.0, "none"), -1),
        ((90.0, "right"), (95.0, "none"), 0),
        ((90.0, "right"), (5.0, "left"), -1),
        ((90.0, "right"), (90.0, "right"), 0),
    ],
)
def test_a_sign_counts_only_where_intervals_are_disjoint(base, late, sign) -> None:
    a, b = (reading(v, kind, v, v) for v, kind in (base, late))
    for ratio in (True, False):
        assert np.sign(gap(a, b, ratio)) == sign
        assert gap(b, a, ratio) == -gap(a, b, ratio)


def test_size_of_a_change_is_the_least_possible() -> None:
    assert gap(Reading(0.0, 5.0, False), Reading(20.0, 20.0, True), ratio=True) == 2.0
    assert gap(Reading(0.0, 5.0, False), Reading(20.0, 20.0, True), ratio=False) == 15.0


def test_paired_change() -> None:
    """Five detected rises of different size: the exact two-sided p of 5 of 5 signs in order is 2/32."""
    pairs = {"00": (10.0, 20.0), "01": (10.0, 30.0), "02": (10.0, 40.0), "03": (10.0, 50.0), "04": (10.0, 60.0)}
    values = [(p, v, x) for p, pair in pairs.items() for v, x in zip(("D1", "D14"), pair, strict=True)]
    people = adsl({p: {} for p in (*pairs, "05")})
    given = outcome("paired_change", BDS, {"base_visit": "D1", "visit": "D14"})
    results, rowsets = run(given, {"adsl": people, "adcyt": bds([*values, ("05", "D1", 3.0)])}, protocol(**VISITS))
    assert [value(results, s) for s in ("n", "n_up", "n_down", "n_tie")] == [5, 5, 0, 0]
    assert value(results, "median_change") == 30
    assert value(results, "p") == pytest.approx(2 / 32)
    row = one(results, "p")
    assert "exploratory" in row["method"]
    assert (row["alternative"], row["base_visit"], row["visit"]) == ("two-sided", "D1", "D14")
    members = rowsets[rowsets["rowset"] == one(results, "n")["rowset"]]
    assert (members["role"] == "base").sum() == 5


def test_paired_change_without_any_sign() -> None:
    people = adsl({"00": {}})
    frame = bds([("00", "D1", "<5"), ("00", "D14", 4.0)])
    given = outcome("paired_change", BDS, {"base_visit": "D1", "visit": "D14"})
    results, _ = run(given, {"adsl": people, "adcyt": frame}, protocol(**VISITS))
    assert value(results, "n_tie") == 1
    assert one(results, "p")["note"].startswith("no pair that can be told apart")
    assert one(results, "median_change")["value_text"] == "NE"


def test_categories_add_up_with_missing() -> None:
    people = adsl({"00": {}, "01": {}, "02": {}, "03": {"DTHDT": "2020-01-03"}})
    frame = bds([("00", "D14", "Y"), ("01", "D14", "N"), ("02", "D14", "UNKNOWN")])
    given = outcome("categories_by_visit", BDS, {"parameters": ["IL6"], "visits": ["D14"], "categories": ["N", "Y"]})
    results, _ = run(given, {"adsl": people, "adcyt": frame}, protocol(**VISITS))
    counts = {c: value(results, "n", category=c) for c in results["category"].drop_duplicates()}
    assert counts == {"N": 1, "Y": 1, "UNKNOWN": 1, "Missing": 1}
    assert value(results, "denominator", category="Y") == 3
    assert one(results, "n", category="Missing")["note"] == "0 of them alive on the target day"


def test_baseline_numbers_and_factors() -> None:
    people = adsl({"00": {"AGE": 10.0}, "01": {"AGE": 20.0, "SEX": "M"}, "02": {"AGE": None, "SEX": None}})
    items = [{"variable": "AGE"}, {"variable": "SEX"}, {"dataset": "adcyt", "parameter": "IL6"}]
    frame = bds([("00", "D1", "<5"), ("01", "D1", 7.0)])
    given = outcome("baseline", {"kind": "subjects"}, {"items": items, "visit": "D1"}, section="baseline")
    results, _ = run(given, {"adsl": people, "adcyt": frame}, protocol(**VISITS))
    assert (value(results, "n", variable="AGE"), value(results, "missing", variable="AGE")) == (2, 1)
    assert value(results, "mean", variable="AGE") == 15
    assert one(results, "median", variable="AGE")["formatted"] == "15.0"
    counts = {c: value(results, "n", variable="SEX", category=c) for c in ("F", "M", "Missing")}
    assert counts == {"F": 1, "M": 1, "Missing": 1}
    assert value(results, "denominator", variable="SEX", category="F") == 2
    assert value(results, "n_below", parameter="IL6") == 1
    assert one(results, "median", parameter="IL6")["dataset"] == "adcyt"


def compared(**analysis: object) -> pd.DataFrame:
    """Two arms: ages 1, 2, 3 against 2, 3, 7 and one unknown; women 3 of 3 against 1 of 3 and one unknown."""
    ages, sexes = (1.0, 2.0, 3.0, 2.0, 3.0, 7.0, None), ("F", "F", "F", "F", "M", "M", None)
    people = adsl(
        {
            f"{i:02d}": {"AGE": age, "SEX": sex, "ARMCD": "A" if i < 3 else "B"}
            for i, (age, sex) in enumerate(zip(ages, sexes, strict=True))
        }
    )
    items = [{"variable": "AGE"}, {"variable": "SEX"}]
    given = outcome("baseline", {"kind": "subjects"}, {"items": items, **analysis}, section="baseline")
    two = [{"id": "A", "label": "A"}, {"id": "B", "label": "B"}]
    return run(given, {"adsl": people}, protocol(**VISITS, arms=two))[0]


def test_baseline_is_compared_on_request_alone() -> None:
    assert not (compared(by="ARMCD")["term"] == "Test").any()
    with pytest.raises(ValueError, match="need by"):
        compared(test_numbers="anova")


def test_baseline_tests() -> None:
    """F = 6 over (2 + 14) / 4, the means being 2 and 4; chi-square = 6 * (3*2)^2 / (3 * 3 * 4 * 2)."""
    results = compared(by="ARMCD", test_numbers="anova", test_factors="chi_square")
    tests = results[results["term"] == "Test"]
    assert set(tests["group"]) == {"Overall"}
    assert value(tests, "f", variable="AGE") == pytest.approx(1.5)
    assert (one(tests, "p", variable="AGE")["df"], value(tests, "df_residual", variable="AGE")) == (1.0, 4)
    assert value(tests, "chi_square", variable="SEX") == pytest.approx(3.0)
    ranked = compared(by="ARMCD", test_numbers="kruskal_wallis")
    # ranks 1, 2.5, 4.5 and 2.5, 4.5, 6: H = 12/42 * (64 + 169)/3 - 21, over 1 - 12/210 for two ties of two
    assert value(ranked, "chi_square", variable="AGE") == pytest.approx((12 / 42 * 233 / 3 - 21) / (1 - 12 / 210))


def test_baseline_tests_without_variation() -> None:
    """One level, or one arm with values: no number, with the reason."""
    people = adsl({"00": {"AGE": 3.0, "ARMCD": "A"}, "01": {"AGE": 3.0, "ARMCD": "B"}})
    items = {"items": [{"variable": "AGE"}, {"variable": "SEX"}], "by": "ARMCD"}
    spec = {**items, "test_numbers": "anova", "test_factors": "chi_square"}
    given = outcome("baseline", {"kind": "subjects"}, spec, section="baseline")
    two = [{"id": "A", "label": "A"}, {"id": "B", "label": "B"}]
    found = run(given, {"adsl": people}, protocol(**VISITS, arms=two))[0]
    for variable in ("AGE", "SEX"):
        row = one(found[found["term"] == "Test"], "p", variable=variable)
        assert (row["value_text"], row["note"]) == ("NE", "fewer than two groups or levels, or no variation")


@pytest.mark.parametrize("seed", range(100))
def test_quartiles_are_in_order_whatever_the_limits(seed: int) -> None:
    rng = np.random.default_rng(seed)

    def drawn(n: int) -> np.ndarray:
        return np.round(rng.lognormal(2, 1, n), 1) + 0.1

    values = sample.Sample(drawn(rng.integers(0, 6)), drawn(rng.integers(1, 8)), drawn(rng.integers(0, 2)) + 20)
    found, _, _ = sample.stats(values)
    shown = [found[name] for name in ("q1", "median", "q3")]
    for side in "<>":
        numbers = [v.value if isinstance(v, Bounded) else v for v in shown if getattr(v, "qualifier", side) == side]
        known = [float(v) for v in numbers if isinstance(v, (int, float)) and not math.isnan(v)]
        assert known == sorted(known)
