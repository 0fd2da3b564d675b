"""Counts, proportions, rates and tables: data sets and what the library makes of them."""

from __future__ import annotations

import math

import numpy as np

from matrix.compare import Data, Numbers, Statistic
from trialpipe.stats import binomial, rates, tables, two_proportions
from trialpipe.stats.cmh import cmh


def draw(number: int, seed: int) -> Data:
    """Two groups, strata of 2 x 2 and of R x C, events: small counts, every sixth set with an edge (see the page)."""
    rng = np.random.default_rng([seed, number, 2])
    shape = number % 12
    n = rng.integers(1, 25, 2)
    if shape == 3:
        n[int(rng.integers(2))] = 0
    if shape == 5:
        n[:] = 1
    x = np.array([int(rng.integers(0, m + 1)) for m in n])
    if shape in (7, 9):
        x = n * 0 if shape == 7 else n.copy()
    k = int(rng.integers(1, 4))
    square = rng.integers(0, 5, (k, 2, 2))
    if shape == 1:
        square[:, 0] = 0
    if shape == 2:
        square = (square > 3).astype(int)
    r, c = int(rng.integers(2, 4)), int(rng.integers(2, 5))
    wide = rng.integers(0, 4, (k, r, c))
    if shape == 4:
        wide[:, 0] = 0
    if shape == 6:
        wide[:, :, 1] = 0
    if shape == 8:
        wide = (wide > 2).astype(int)
    return {"x": x, "n": n, "level": np.array([rng.choice([0.8, 0.9, 0.95, 0.99])]),
            "p0": np.array([rng.choice([0.05, 0.2, 0.5, 0.7])]), "k": np.array([k]), "square": square.ravel(),
            "shape": np.array([k, r, c]), "wide": wide.ravel(),
            "events": rng.integers(0, 15, 1), "person": np.round(rng.uniform(0.5, 40, 1), 2)}  # fmt: skip


def _one(d: Data) -> tuple[int, int, int, int, float, float]:
    x, n = d["x"].tolist(), d["n"].tolist()
    return x[0], n[0], x[1], n[1], float(d["level"][0]), float(d["p0"][0])


def _single(d: Data) -> Numbers:
    x, n, _, _, level, p0 = _one(d)
    if not n:
        return {"clopper_pearson": binomial.clopper_pearson(x, n, level), "binomial_p_two.sided": math.nan}
    sides = {"two.sided": "two-sided", "greater": "greater", "less": "less"}
    return {"clopper_pearson": binomial.clopper_pearson(x, n, level), "wilson": binomial.wilson(x, n, level)} | {
        f"binomial_p_{side}": binomial.exact_test(x, n, p0, name) for side, name in sides.items()
    }


def _no_patient(data: Data, name: str, ours: float, theirs: float) -> str | None:
    if data["n"][0] == 0 and math.isnan(theirs) and ours in (0.0, 1.0):
        return "no patient: the interval is all of 0 to 1, binom.test stops"
    return None


def _two(d: Data) -> Numbers:
    x1, n1, x2, n2, level, _ = _one(d)
    args = (x1, n1, x2, n2, level)
    return {"newcombe": two_proportions.difference_newcombe(*args), "wald": two_proportions.difference_wald(*args),
            "miettinen": two_proportions.difference_score(*args),
            "mee": two_proportions.difference_score(*args, method="mee")}  # fmt: skip


def _fisher(d: Data) -> Numbers:
    x1, n1, x2, n2, level, _ = _one(d)
    found = tables.fisher(x1, n1 - x1, x2, n2 - x2, level)
    return {"fisher_p": found.p, "fisher_greater": found.p_greater, "fisher_less": found.p_less}


def _fisher_odds(d: Data) -> Numbers:
    x1, n1, x2, n2, level, _ = _one(d)
    found = tables.fisher(x1, n1 - x1, x2, n2 - x2, level)
    return {"fisher_odds": [found.odds_ratio, found.lower, found.upper]}


def _pearson(d: Data) -> Numbers:
    x1, n1, x2, n2, _, _ = _one(d)
    return {f"pearson{int(c)}": two_proportions.pearson_test(x1, n1, x2, n2, c) for c in (False, True)}


def _mcnemar(d: Data) -> Numbers:
    b, c = d["x"].tolist()
    found = {f"mcnemar{int(k)}": tables.mcnemar(b, c, k) for k in (False, True)}
    numbers: dict[str, np.ndarray | float | list[float]] = {k: [v.statistic, v.p] for k, v in found.items()}
    return numbers | {"mcnemar_exact": found["mcnemar0"].exact_p}


def _haenszel(d: Data) -> Numbers:
    square, level = d["square"].reshape(-1, 2, 2), float(d["level"][0])
    plain = tables.mantel_haenszel(square, conf_level=level)
    corrected = tables.mantel_haenszel(square, correct=True)
    found: dict[str, np.ndarray | float | list[float]] = {
        "mh0": [plain.statistic, plain.p],
        "mh1": [corrected.statistic, corrected.p],
    }
    if not math.isnan(plain.statistic):
        found |= {"mh_odds": plain.odds_ratio, "mh_limits": [plain.lower, plain.upper]}
        used = square[square.sum(axis=(1, 2)) > 1]
        found["mh_exact_p"] = tables.conditional(used).p
    return found


def _wide(d: Data) -> np.ndarray:
    whole: np.ndarray = d["wide"].reshape(d["shape"])
    return whole


def _general(d: Data) -> Numbers:
    chi, df, _ = cmh(_wide(d)).general
    return {"general": [chi, df if df else math.nan]}


def _singular(data: Data, name: str, ours: float, theirs: float) -> str | None:
    if math.isnan(theirs):
        return "covariance of less than full rank (a row or column that varies in no stratum): R stops"
    return None


def _scored(d: Data) -> Numbers:
    plain, ridit = cmh(_wide(d)), cmh(_wide(d), "ridit")
    found: dict[str, np.ndarray | float | list[float]] = {
        "means": plain.means[0], "line": plain.correlation[0],
        "means_ridit": ridit.means[0], "line_ridit": ridit.correlation[0],
    }  # fmt: skip
    one = cmh(_wide(d).sum(axis=0)[None], "ridit").means
    return found | {"kruskal": [one[0], one[1] if not math.isnan(one[0]) else math.nan]}


def _rate(d: Data) -> Numbers:
    return {"rate": rates.poisson_rate(int(d["events"][0]), float(d["person"][0]), float(d["level"][0]))}


R = "R 4.2.2"
STATISTICS = (
    Statistic("Proportion: Clopper-Pearson and Wilson limits, exact tests", f"{R}: `binom.test`, closed form", _single,
              excuse=_no_patient),
    Statistic("Difference of proportions: Miettinen-Nurminen, Mee, Newcombe, Wald",
              f"{R}: `uniroot` on the closed form of Farrington and Manning", _two, 1e-7, "the root is searched for"),
    Statistic("Fisher's exact test", f"{R}: `fisher.test`", _fisher),
    Statistic("Conditional odds ratio with exact limits",
              f"{R}: equations of `fisher.test`, roots by `uniroot` to 1e-14", _fisher_odds),
    Statistic("Pearson's chi-square test, with and without correction", f"{R}: `chisq.test`", _pearson),
    Statistic("McNemar's test, exact and approximate", f"{R}: `mcnemar.test`, `binom.test`", _mcnemar),
    Statistic("Cochran-Mantel-Haenszel test of 2 x 2 tables, odds ratio, exact p", f"{R}: `mantelhaen.test`",
              _haenszel),
    Statistic("Cochran-Mantel-Haenszel: general association, R x C", f"{R}: `mantelhaen.test`", _general,
              excuse=_singular),
    Statistic("Cochran-Mantel-Haenszel: row mean scores, correlation; table scores, ridits",
              f"{R}: sums over subjects, `kruskal.test`", _scored, excuse=_singular),
    Statistic("Rate per patient-time with exact limits", f"{R}: `poisson.test`", _rate),
)  # fmt: skip
