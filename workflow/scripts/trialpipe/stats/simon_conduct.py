"""A two-stage trial as it was conducted: decisions, under- and over-running, the rule that keeps the level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from trialpipe.stats.distributions import binomial_upper
from trialpipe.stats.simon import TwoStage

NOT_REACHED = "not reached"
STOP = "stop for futility"
CONTINUE = "continue"
REJECT = "reject p0"
KEEP = "do not reject p0"
CROSSED = f"{KEEP} (futility bound crossed at stage 1, accrual went on)"
UNDER = f"{KEEP} (under-running)"
OVER = f"{KEEP} (over-running)"

Run = Literal["open", "planned", "crossed", "under", "over"]


@dataclass(frozen=True)
class Verdict:
    """A decision and what it rests on."""

    decision: str
    why: str


@dataclass(frozen=True)
class Conduct:
    """Decisions after stage 1 and at the end. ``run``: open (no final decision), planned, crossed, under, over.

    ``x1`` and ``x``: successes seen so far in stage 1 and in all.
    """

    first: Verdict
    final: Verdict
    run: Run
    x1: int
    x: int


def conduct(design: TwoStage, outcomes: Sequence[bool | None], closed: bool) -> Conduct:
    """Decisions of a trial whose patients, in the order of stages, succeeded, failed or (None) are not yet known.

    The planned rule decides only where the number of patients is the planned one: any other number, and going on
    after at most ``r1`` successes in stage 1, never rejects. ``closed``: nobody will be added, so that fewer
    patients than planned are under-running rather than a trial under way.
    """
    treated = len(outcomes)
    x1, x = (sum(o is True for o in part) for part in (outcomes[: design.n1], outcomes))
    first = _first(design, outcomes, x1)
    if first.decision == STOP:
        if treated == design.n1:
            return Conduct(first, Verdict(KEEP, f"stopped after stage 1: {first.why}"), "planned", x1, x)
        why = f"{first.why}, and {treated} patients were treated"
        return Conduct(first, Verdict(CROSSED, why), "crossed", x1, x)
    run, final = _final(design, outcomes, x, closed)
    return Conduct(first, final, run, x1, x)


def _first(design: TwoStage, outcomes: Sequence[bool | None], x1: int) -> Verdict:
    stage = outcomes[: design.n1]
    known = sum(o is not None for o in stage)
    if known < design.n1:
        waiting = len(stage) - known
        later = f", {waiting} without a status yet" if waiting else ""
        return Verdict(NOT_REACHED, f"{len(stage)} of {design.n1} patients of stage 1 treated{later}")
    passed = x1 > design.r1
    compared = "more than" if passed else "at most"
    return Verdict(CONTINUE if passed else STOP, f"{_successes(x1)} of {design.n1}, {compared} {design.r1}")


def _final(design: TwoStage, outcomes: Sequence[bool | None], x: int, closed: bool) -> tuple[Run, Verdict]:
    treated, waiting = len(outcomes), sum(o is None for o in outcomes)
    numbers = f"{treated} patients treated, {design.n} planned"
    if waiting:
        return "open", Verdict(NOT_REACHED, f"{numbers}, {waiting} without a status yet")
    if treated < design.n:
        return ("under", Verdict(UNDER, numbers)) if closed else ("open", Verdict(NOT_REACHED, numbers))
    if treated > design.n:
        return "over", Verdict(OVER, numbers)
    passed = x > design.r
    why = f"{_successes(x)} of {design.n}, {'more than' if passed else 'at most'} {design.r}"
    return "planned", Verdict(REJECT if passed else KEEP, why)


def _successes(x: int) -> str:
    return f"{x} success" if x == 1 else f"{x} successes"


@dataclass(frozen=True)
class Unplanned:
    """The rule for another size of stage 2 than planned, given the successes of stage 1.

    ``error``: conditional type I error of the planned design; ``p``: conditional p-value of stage 2; ``critical``:
    fewest successes in all that reject, None if no number does.
    """

    error: float
    p: float
    critical: int | None
    rejects: bool


def conditional_error(design: TwoStage, x1: int, p0: float) -> float:
    """P(planned design rejects | x1 successes in stage 1; p0), 0 if it stops. Raises ValueError for x1 not in 0..n1."""
    if not 0 <= x1 <= design.n1:
        raise ValueError(f"x1 = {x1} does not lie in 0..{design.n1}")
    if x1 <= design.r1:
        return 0.0
    return binomial_upper(design.r + 1 - x1, design.n - design.n1, p0)


def unplanned(design: TwoStage, x1: int, x2: int, n2: int, p0: float) -> Unplanned:
    """Test after x2 successes of ``n2`` in stage 2 instead of the planned number (Koyama and Chen 2008, section 4).

    Rejects if P(X2 >= x2; n2, p0) is at most the conditional type I error of the planned design at x1. Whatever
    decides n2, provided it is not the outcomes of stage 2, the type I error is then at most that of the design.
    Raises ValueError unless 0 <= x1 <= n1, 0 <= x2 <= n2 and 0 <= p0 <= 1.
    """
    if not 0 <= x2 <= n2 or not 0 <= p0 <= 1:
        raise ValueError(f"{x2} of {n2} in stage 2 at {p0:g} is not an outcome")
    error = conditional_error(design, x1, p0)
    needed = (k for k in range(n2 + 1) if binomial_upper(k, n2, p0) <= error)
    fewest = next(needed, None)
    p = binomial_upper(x2, n2, p0)
    return Unplanned(error, p, None if fewest is None else x1 + fewest, p <= error)
