"""What a two-stage design can do, whatever the data: exact error rates, other designs, operating characteristics."""

from __future__ import annotations

from typing import Any

from trialpipe.analyse.context import Context
from trialpipe.analyse.formats import Undefined, Value
from trialpipe.analyse.rows import Manner
from trialpipe.config.protocol import SimonDesign
from trialpipe.stats import simon
from trialpipe.stats.simon import Candidate, TwoStage

EXACT = "Exact binomial probabilities (Simon 1989); EN expected number of patients, PET chance to stop after stage 1"
SEARCH = "Exact search of the design with the least expected size at p0 for every maximum size (Simon 1989)"
ADMISSIBLE = "admissible designs (Jung et al. 2004) minimise w n + (1 - w) EN(p0) for weights w in the range given"
STEP, CURVE_STEP = 0.05, 0.025


def design(context: Context, spec: SimonDesign, planned: TwoStage) -> list[dict[str, Any]]:
    """Nominal and exact numbers of the trial's design."""
    null, other = (simon.characteristics(planned, p) for p in (spec.p0, spec.p1))
    stats: dict[str, Value] = {
        "p0": spec.p0,
        "p1": spec.p1,
        "alpha": spec.alpha,
        "power": spec.power,
        **_bounds(planned),
        "type1": null.promising,
        "exact_power": other.promising,
        "stop_p0": null.stop_early,
        "stop_p1": other.stop_early,
        "size_p0": null.expected_n,
        "size_p1": other.expected_n,
    }
    faults = []
    if null.promising > spec.alpha:
        faults.append(f"the exact type I error {null.promising:.4f} is above alpha")
    if other.promising < spec.power:
        faults.append(f"the exact power {other.promising:.4f} is below the nominal one")
    note = "; ".join(part for part in (_assumed(context), *faults) if part) or None
    manner = Manner(EXACT, note=note, data_decimals=_decimals(spec.p0, spec.p1, spec.alpha, spec.power))
    return context.cell(stats, {}, manner, variable="design", category="design")


def _assumed(context: Context) -> str:
    """Says so if the numbers of the design are not in the protocol."""
    words = "ASSUMED: p0, p1, alpha, power and the bounds"
    if context.analysis.assumed:
        return f"{words} ({context.analysis.assumed.rstrip('.')})"
    return f"{words}; see the assumptions of this outcome" if context.outcome.assumptions else ""


def _bounds(planned: TwoStage) -> dict[str, Value]:
    return {"bound1": planned.r1, "size1": planned.n1, "bound": planned.r, "size": planned.n}


def _decimals(*values: float) -> int:
    """Decimals in which the protocol writes them, at least two."""
    return max(2, *(len(f"{value:.10g}".partition(".")[2]) for value in values))


def alternatives(context: Context, spec: SimonDesign, planned: TwoStage, max_n: int) -> list[dict[str, Any]]:
    """Minimax, admissible and optimal design for the same error rates, the trial's own if it is none of them."""
    found = simon.search(spec.p0, spec.p1, spec.alpha, round(1 - spec.power, 12), max_n)
    manner = Manner(f"{SEARCH} up to {max_n}; {ADMISSIBLE}")
    if not found:
        gone = Undefined("none", f"no design of at most {max_n} patients meets both error rates")
        return context.cell({"size": gone}, {}, manner, variable="alternatives", category="any design")
    best = simon.admissible(found)
    rows: list[dict[str, Any]] = []
    for place, (candidate, low, high) in enumerate(best):
        name = _name(place, len(best))
        own = candidate.design == planned
        stats = _compared(candidate, spec) | {"weight_low": low, "weight_high": high}
        note = f"the trial's design is the {name} one" if own else None
        rows += context.cell(stats, {}, manner._replace(note=note), variable="alternatives", category=name)
    if all(candidate.design != planned for candidate, _, _ in best):
        null = simon.characteristics(planned, spec.p0)
        note = f"the trial's design, called {spec.criterion} in the protocol, is none of the designs found"
        stats = _compared(Candidate(planned, null.expected_n, null.stop_early), spec)
        rows += context.cell(stats, {}, manner._replace(note=note), variable="alternatives", category="this trial")
    return rows


def _name(place: int, total: int) -> str:
    if total == 1:
        return "minimax and optimal"
    if place in (0, total - 1):
        return "optimal" if place else "minimax"
    return "admissible" if total == 3 else f"admissible {place}"


def _compared(candidate: Candidate, spec: SimonDesign) -> dict[str, Value]:
    null, other = (simon.characteristics(candidate.design, p) for p in (spec.p0, spec.p1))
    return {
        **_bounds(candidate.design),
        "size_p0": candidate.expected_n,
        "stop_p0": candidate.stop_early,
        "type1": null.promising,
        "exact_power": other.promising,
    }


def characteristics(context: Context, spec: SimonDesign, planned: TwoStage) -> list[dict[str, Any]]:
    """Chance to reject, to stop early and expected size at p0, p1 and between; and along 0 to 1 for the figure."""
    decimals = _decimals(spec.p0, spec.p1)
    count = round((spec.p1 - spec.p0) / STEP)
    between = [round(spec.p0 + STEP * k, 10) for k in range(1, count + 1)]
    grid = [spec.p0, *(p for p in between if p < spec.p1 - 1e-9), spec.p1]
    rows: list[dict[str, Any]] = []
    for p in grid:
        named = {spec.p0: " (p0)", spec.p1: " (p1)"}.get(p, "")
        label = f"p = {p:.{decimals}f}{named}"
        rows += context.cell(_at(planned, p), {}, Manner(EXACT), variable="characteristics", category=label)
    for k in range(round(1 / CURVE_STEP) + 1):
        p = round(k * CURVE_STEP, 10)
        rows += context.cell(
            _at(planned, p), {}, Manner(EXACT), curve=True, variable="characteristics", category=f"p = {p:g}"
        )
    return rows


def _at(planned: TwoStage, p: float) -> dict[str, Value]:
    found = simon.characteristics(planned, p)
    return {"reject": found.promising, "stop_early": found.stop_early, "expected_size": found.expected_n}
