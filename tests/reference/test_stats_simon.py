"""Two-stage designs against clinfun, Simon's tables, and full enumeration."""

from __future__ import annotations

import csv
import math
from fractions import Fraction
from functools import cache
from itertools import product

import pytest
from helpers import stats_cases
from helpers.stats_cases import close, number

from trialpipe.stats import simon
from trialpipe.stats.rounding import round_half_away
from trialpipe.stats.simon import TwoStage


def _rows(columns: dict) -> list[dict]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


@cache
def _search(p0: float, p1: float, alpha: float, beta: float, max_n: int) -> list[simon.Candidate]:
    return simon.search(p0, p1, alpha, beta, max_n)


def _check_design(kind: str, candidate: simon.Candidate, row: dict) -> None:
    design = candidate.design
    assert [design.r1, design.n1, design.r, design.n] == [row[f"{kind}_{k}"] for k in ("r1", "n1", "r", "n")], row
    null, other = (simon.characteristics(design, row[p]) for p in ("p0", "p1"))
    close([candidate.expected_n, candidate.stop_early], [row[f"{kind}_EN_p0"], row[f"{kind}_PET_p0"]], 1e-9)
    close([null.expected_n, null.stop_early, null.promising],
          [row[f"{kind}_EN_p0"], row[f"{kind}_PET_p0"], row[f"{kind}_type1"]], 1e-9)  # fmt: skip
    close([other.expected_n, other.stop_early, other.promising],
          [row[f"{kind}_EN_p1"], row[f"{kind}_PET_p1"], row[f"{kind}_power"]], 1e-9)  # fmt: skip


@pytest.mark.parametrize("case", ["simon_table1", "simon_hlh_like_a"])
def test_optimal_and_minimax(case: str) -> None:
    for row in _rows(stats_cases.expected("simon", case)["designs"]):
        found = _search(row["p0"], row["p1"], row["alpha"], row["beta"], 75)
        _check_design("optimal", simon.optimal(found), row)
        _check_design("minimax", simon.minimax(found), row)


def test_published_table() -> None:
    """Simon 1989, tables 1 and 2; expected sizes to one decimal, once from the chance of stopping to two decimals:
    11/16 then 20/25 has 20.049 and is printed as 20.1, which is 16 + (1 - .55) 9 rounded up.
    """
    with (stats_cases.folder("simon", "simon_table1") / "published.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found = _search(*(float(row[k]) for k in ("p0", "p1", "alpha", "beta")), 75)
            for short, best in (("opt", simon.optimal(found)), ("mm", simon.minimax(found))):
                d = best.design
                assert [d.r1, d.n1, d.r, d.n] == [int(row[f"{short}_{k}"]) for k in ("r1", "n1", "r", "n")]
                printed = d.n1 + (1 - round(best.stop_early, 2)) * (d.n - d.n1)
                assert float(row[f"{short}_EN"]) in (
                    float(round_half_away(best.expected_n, 1)),
                    float(round_half_away(round(printed, 9), 1)),
                )


@pytest.mark.slow
def test_best_design_of_every_size() -> None:
    case = stats_cases.expected("simon", "simon_candidates_a")
    rows = _rows(case["candidates"])
    for i, key in enumerate(dict.fromkeys((r["p0"], r["p1"], r["alpha"], r["beta"]) for r in rows)):
        want = [r for r in rows if (r["p0"], r["p1"], r["alpha"], r["beta"]) == key]
        found = _search(*key, 150)
        assert [c.design.n for c in found] == [r["n"] for r in want]
        close([c.expected_n for c in found], [r["EN(p0)"] for r in want], 1e-9)
        close([c.stop_early for c in found], [r["PET(p0)"] for r in want], 1e-9)
        for c, r in zip(found, want, strict=True):
            assert [c.design.r1, c.design.n1, c.design.r] == [r["r1"], r["n1"], r["r"]], r
        block = case["admissible"][i]
        best = simon.admissible(found)
        for k in ("r1", "n1", "r", "n"):
            assert [getattr(c.design, k) for c, _, _ in best] == block[k]
        # clinfun prints q to three decimals
        close([low for _, low, _ in best], block["qLo"], 0, 5.001e-4)
        close([high for _, _, high in best], block["qHi"], 0, 5.001e-4)


def test_single_stage() -> None:
    for block in stats_cases.expected("simon", "single_stage_a")["solutions"]:
        row = _rows(block)[0]
        found = simon.single_stage(row["p0"], row["p1"], row["alpha"], row["beta"], len(block["n"]))
        assert [[f.n, f.r] for f in found] == [list(v) for v in zip(block["n"], block["r"], strict=True)]
        close([f.type1 for f in found], block["Type I error"])
        close([f.type2 for f in found], block["Type II error"])


def test_toxicity_boundary() -> None:
    want = stats_cases.expected("simon", "toxbdry_a")
    found = simon.toxicity_boundary(0.2, want["looks"], 0.1)
    assert (found.low, found.high) == (want["lo.bdry"], want["hi.bdry"])
    for row in _rows(want["bdry.oc"]):
        for side, boundary in (("lo", found.low), ("hi", found.high)):
            at = simon.boundary_crossing(want["looks"], boundary, row["ptox"])
            close([at.ever, at.before_last, at.expected_n], [row[f"{k}.{side}"] for k in ("pcross", "pstop", "ess")])


def test_inference() -> None:
    for row in _rows(stats_cases.expected("simon", "two_stage_inference_a")["rows"]):
        design = TwoStage(row["r1"], row["n1"], row["r"], row["n"])
        found, wide = (simon.inference(design, row["x"], row["pu"], level) for level in (0.90, 0.95))
        assert found.stopped_early == row["stopped_stage1"]
        close([found.naive, found.umvue, found.umvue], [row["naive"], row["umvue"], row["umvue_OneArm"]], 0, 1e-10)
        close([found.p, found.p], [row["p_value"], row["p_OneArm"]], 0, 1e-10)
        close(found.p, row["p_direct"], 1e-8, 0, what=str(row))
        close([found.lower, found.upper], [row["exact_lcl90"], row["exact_ucl90"]], 0, 1e-8)
        close([wide.lower, wide.upper], [row["exact_lcl95"], row["exact_ucl95"]], 0, 1e-8)
        close(found.median, row["mue"], 0, 1e-8)
        for limit, grid in ((found.lower, row["clinfun_lcl"]), (found.upper, row["clinfun_ucl"])):
            assert grid is None or abs(limit - number(grid)) <= 2e-4


def test_oracles() -> None:
    import json
    from pathlib import Path

    oracles = json.loads((Path(__file__).parent / "oracles.json").read_text(encoding="utf-8"))
    for row in oracles["two_stage"]:
        # r is not used by the inference: any that fits
        design = TwoStage(row["r1"], row["n1"], row["n"] - 1, row["n"])
        found = simon.inference(design, row["x"], row["p0"], 1 - 2 * row["alpha"])
        close([found.umvue, found.p], [row["umvue"], row["p"]], 1e-6, 1e-5)
        if row["limits"]:
            close([found.lower, found.upper], row["limits"], 0, 2e-4)


SMALL = [TwoStage(0, 3, 2, 6), TwoStage(1, 4, 3, 9), TwoStage(2, 5, 4, 8), TwoStage(0, 1, 0, 2)]


def _outcomes(design: TwoStage, p: Fraction) -> dict[int, Fraction]:
    """Probability of each final number of responses, over every sequence of single patients."""
    found: dict[int, Fraction] = {}
    for first in product((0, 1), repeat=design.n1):
        x1 = sum(first)
        chance = p**x1 * (1 - p) ** (design.n1 - x1)
        if x1 <= design.r1:
            found[x1] = found.get(x1, Fraction(0)) + chance
            continue
        n2 = design.n - design.n1
        for second in product((0, 1), repeat=n2):
            x2 = sum(second)
            found[x1 + x2] = found.get(x1 + x2, Fraction(0)) + chance * p**x2 * (1 - p) ** (n2 - x2)
    return found


@pytest.mark.parametrize("design", SMALL)
@pytest.mark.parametrize("p", [Fraction(1, 5), Fraction(1, 2), Fraction(9, 10)])
def test_against_every_sequence_of_patients(design: TwoStage, p: Fraction) -> None:
    outcomes = _outcomes(design, p)
    found = simon.characteristics(design, float(p))
    assert found.promising == pytest.approx(float(sum(c for x, c in outcomes.items() if x > design.r)), rel=1e-12)
    assert found.stop_early == pytest.approx(float(sum(c for x, c in outcomes.items() if x <= design.r1)), rel=1e-12)
    # the estimate is unbiased
    assert sum(float(c) * simon.umvue(design, x) for x, c in outcomes.items()) == pytest.approx(float(p), rel=1e-12)
    for x in outcomes:
        # stopping early lies below every result of stage 2, which has more responses than r1
        at_least = sum(c for y, c in outcomes.items() if y >= x)
        assert simon.tail(design, x, float(p)) == pytest.approx(float(at_least), rel=1e-12)
        # a p-value is at most as small as it should be
        reached = [c for y, c in outcomes.items() if simon.tail(design, y, float(p)) <= float(at_least) + 1e-12]
        assert float(sum(reached)) <= float(at_least) + 1e-12


@pytest.mark.parametrize(
    ("p0", "p1", "alpha", "beta"), [(0.1, 0.5, 0.1, 0.2), (0.3, 0.7, 0.1, 0.1), (0.2, 0.6, 0.05, 0.2)]
)
def test_search_against_all_designs(p0: float, p1: float, alpha: float, beta: float) -> None:
    """Every r1, n1, r for every n up to 20."""
    largest = 20
    best: dict[int, float] = {}
    for n in range(2, largest + 1):
        for n1 in range(1, n):
            for r1 in range(n1):
                for r in range(r1, n):
                    design = TwoStage(r1, n1, r, n)
                    null = simon.characteristics(design, p0)
                    if null.promising <= alpha and simon.characteristics(design, p1).promising >= 1 - beta:
                        best[n] = min(best.get(n, math.inf), null.expected_n)
    found = {c.design.n: c.expected_n for c in simon.search(p0, p1, alpha, beta, largest)}
    assert found == pytest.approx(best)


def test_a_trial_that_never_crosses_and_one_that_always_does() -> None:
    at = simon.boundary_crossing([5, 10], [5, 10], 0.9)
    assert (at.ever, at.expected_n) == (0, 10)
    at = simon.boundary_crossing([5, 10], [-1, 10], 0.1)
    assert (at.ever, at.expected_n) == pytest.approx((1, 5))


INVALID = [
    (lambda: TwoStage(3, 3, 5, 9), "design"),
    (lambda: simon.characteristics(SMALL[0], 1.2), "probability"),
    (lambda: simon.search(0.4, 0.2, 0.05, 0.2), "p0 < p1"),
    (lambda: simon.umvue(SMALL[0], 7), "0..6"),
    (lambda: simon.inference(SMALL[0], 3, 0.2, 90), "conf_level"),
    (lambda: simon.optimal([]), "no design"),
    (lambda: simon.boundary_crossing([10, 5], [1, 2], 0.1), "rising"),
    (lambda: simon.toxicity_boundary(0.2, []), "rising"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "words"), INVALID)
def test_invalid_input_is_refused(call, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()
