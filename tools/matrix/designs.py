"""Two-stage designs against every outcome of the trial, in fractions."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np

from matrix.compare import Data, Numbers, Statistic
from trialpipe.stats import simon
from trialpipe.stats.simon import TwoStage


def draw(number: int, seed: int) -> Data:
    """A design of up to 24 patients, a probability and an outcome that it can have."""
    rng = np.random.default_rng([seed, number, 5])
    n1, n2 = (int(v) for v in rng.integers(1, 13, 2))
    r1 = int(rng.integers(0, n1))
    r = int(rng.integers(r1, n1 + n2))
    late = bool(rng.integers(0, 2))
    x = int(rng.integers(r1 + 1, n1 + n2 + 1)) if late else int(rng.integers(0, r1 + 1))
    return {"design": np.array([r1, n1, r, n1 + n2]), "x": np.array([x]), "p": np.array([int(rng.integers(1, 20))])}


def oracle(d: Data) -> dict[str, np.ndarray]:
    """Chance of every pair of numbers of successes; outcomes in the order of stages, then successes."""
    r1, n1, r, n = (int(v) for v in d["design"])
    x, p = int(d["x"][0]), Fraction(int(d["p"][0]), 20)
    stop = reject = tail = Fraction(0)
    above, whole = Fraction(0), 0
    for a in range(n1 + 1):
        chance = comb(n1, a) * p**a * (1 - p) ** (n1 - a)
        if a <= r1:
            stop += chance
            tail += chance if x <= r1 and a >= x else 0
            continue
        for b in range(n - n1 + 1):
            both = chance * comb(n - n1, b) * p**b * (1 - p) ** (n - n1 - b)
            reject += both if a + b > r else 0
            tail += both if x <= r1 or a + b >= x else 0
            if a + b == x:
                ways = comb(n1, a) * comb(n - n1, b)
                above, whole = above + Fraction(a * ways, n1), whole + ways
    umvue = Fraction(x, n1) if x <= r1 else above / whole
    size = n1 * stop + n * (1 - stop)
    return {"characteristics": np.array([float(v) for v in (reject, stop, size)]), "tail": np.array([float(tail)]),
            "umvue": np.array([float(umvue)])}  # fmt: skip


def _characteristics(d: Data) -> Numbers:
    found = simon.characteristics(TwoStage(*(int(v) for v in d["design"])), int(d["p"][0]) / 20)
    return {"characteristics": [found.promising, found.stop_early, found.expected_n]}


def _inference(d: Data) -> Numbers:
    design, x = TwoStage(*(int(v) for v in d["design"])), int(d["x"][0])
    return {"tail": simon.tail(design, x, int(d["p"][0]) / 20), "umvue": simon.umvue(design, x)}


ORACLE = oracle
STATISTICS = (
    Statistic("Two-stage design: chance to reject, to stop, expected number", "every outcome, in fractions",
              _characteristics),
    Statistic("Two-stage design: stage-wise p-value, unbiased estimate", "every outcome, in fractions", _inference),
)  # fmt: skip
