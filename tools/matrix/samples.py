"""Samples of measurements: data sets and what the library makes of them."""

from __future__ import annotations

import math

import numpy as np

from matrix.compare import Data, Numbers, Statistic
from trialpipe.stats import censored, describe, parametric, ranks
from trialpipe.stats.linear import GROUP, ancova
from trialpipe.stats.turnbull import turnbull

ADJUST = ("bonferroni", "holm", "hochberg", "hommel", "bh", "by")


def draw(number: int, seed: int) -> Data:
    """Samples with ties, constants, one value or none; every sixth without ties (see the page)."""
    rng = np.random.default_rng([seed, number, 3])
    shape = number % 12
    m, n, k, size = (int(v) for v in rng.integers((2, 2, 1, 5), (9, 9, 11, 19)))
    if shape == 1:
        m, n = 1, 1
    if shape == 3:
        m = 0

    def values(count: int) -> np.ndarray:
        if shape == 5 or shape == 11:
            return np.round(rng.normal(size=count), 6)
        return np.full(count, 2.0) if shape == 7 else rng.integers(-3, 5, count).astype(float)

    group = rng.integers(1, 4, size)
    base = np.round(rng.normal(size=size), 3) if shape % 2 else rng.integers(0, 4, size).astype(float)
    z = values(size)
    low, high = z.copy(), z.copy()
    below, above = rng.random(size) < 0.25, rng.random(size) < 0.15
    if shape == 9:
        below[:] = True
    low[below], high[below] = -math.inf, -1.0
    high[above & ~below] = math.inf
    left = rng.integers(0, 8, size).astype(float)
    right = left + rng.integers(0, 4, size)
    right[rng.random(size) < 0.2] = math.inf
    return {"x": values(m), "y": values(n) + (1 if shape < 6 else 0), "pair": values(k), "group": group, "base": base,
            "factor": rng.integers(0, 2, size), "z": z, "low": low, "high": high, "left": left, "right": right,
            "p": np.round(rng.random(int(rng.integers(1, 7))), 3)}  # fmt: skip


def _describe(d: Data) -> Numbers:
    if not len(d["x"]):
        return {"quantiles": np.full(7, math.nan)}
    found = describe.describe(d["x"])
    return {"quantiles": [*(describe.quantile(d["x"], p) for p in (0.1, 0.25, 0.5, 0.75, 0.9)), found["mean"],
                          found["sd"]]}  # fmt: skip


def _ranks(d: Data) -> Numbers:
    found: dict[str, np.ndarray | float | list[float]] = {}
    some = bool((d["pair"] != 0).any())
    for correct in (True, False):
        test = ranks.rank_sum_normal(d["x"], d["y"], correct)
        found[f"rank_sum{int(correct)}"] = [test.statistic, test.p]
        signed = ranks.signed_rank_normal(d["pair"], correct)
        found[f"signed{int(correct)}"] = list(signed[:2]) if some else [math.nan, math.nan]
    test = ranks.rank_sum(d["x"], d["y"])
    found["rank_sum_exact"] = [test.statistic, test.p]
    found["signed_exact"] = ranks.signed_rank(d["pair"], "drop")[:2]
    found["pratt"] = ranks.signed_rank(d["pair"])[:2]
    groups = [d["z"][d["group"] == g] for g in (1, 2, 3)]
    h, df, p = ranks.kruskal_wallis(groups)
    return found | {"kruskal": [h, df if df else math.nan, p]}


def _shift(d: Data) -> Numbers:
    both = np.concatenate([d["x"], d["y"]])
    if len(np.unique(both)) < len(both) or not len(d["x"]) or not len(d["y"]):
        return {"shift": np.full(3, math.nan)}
    found = ranks.hodges_lehmann_shift(d["x"], d["y"])
    return {"shift": [found.value, found.lower, found.upper]}


def _level(data: Data, name: str, ours: float, theirs: float) -> str | None:
    if math.isnan(ours):
        return "samples too small for a 95 % interval: wilcox.test gives one of a lower level"
    return None


def _t(d: Data) -> Numbers:
    made = {"t_one": parametric.one_sample(d["pair"]), "t_welch": parametric.two_sample(d["x"], d["y"]),
            "t_pooled": parametric.two_sample(d["x"], d["y"], pooled=True)}  # fmt: skip
    return {k: [t.lower, t.upper, t.t, t.df if not math.isnan(t.t) else math.nan, t.p] for k, t in made.items()}


def _one_and_some(data: Data, name: str, ours: float, theirs: float) -> str | None:
    if name == "t_pooled" and math.isnan(ours) and min(len(data["x"]), len(data["y"])) == 1:
        return "pooled variance with a sample of one value: the library gives no interval"
    return None


def _correlation(d: Data) -> Numbers:
    made = {name: getattr(parametric, name)(d["base"], d["z"]) for name in ("pearson", "spearman", "kendall")}
    return {k: [c.value, c.p] for k, c in made.items()} | {
        "pearson_limits": [made["pearson"].lower, made["pearson"].upper]
    }


def _adjust(d: Data) -> Numbers:
    return {f"adjust_{name}": parametric.adjust(d["p"], name) for name in ADJUST}


def _ancova(d: Data) -> Numbers:
    factors = {"f": d["factor"]} if len(np.unique(d["factor"])) > 1 else {}
    if len(np.unique(d["group"])) < 3:
        return {"ancova_g2": math.nan}
    model = ancova(d["z"], d["group"], {"b": d["base"]}, factors)
    gaps = {f"ancova_g{k}": model.difference(k - 1, 0) for k in (2, 3)}
    spread = model.model.variance > 0
    whole = all(math.isfinite(g.value) for g in gaps.values()) and model.model.rank == 4 + len(factors)
    if not whole or not model.model.df:
        return {"ancova_g2": math.nan}
    found: dict[str, np.ndarray | float | list[float]] = {
        k: [g.value, g.std_err, g.lower, g.upper, g.p] if spread else g.value for k, g in gaps.items()
    }
    tests = model.tests()
    if spread:
        found["ancova_f"] = [tests[GROUP].f, tests["b"].f, tests[GROUP].p]
    for weights in ("equal", "proportional"):
        other = ancova(d["z"], d["group"], {"b": d["base"]}, factors, weights)
        for k in (1, 2, 3):
            mean = other.mean(k - 1)
            found[f"mean_{weights}{k}"] = [mean.value, mean.std_err] if spread else mean.value
    return found


def _tobit(d: Data) -> Numbers:
    x = np.column_stack([np.ones(len(d["base"])), d["base"]])
    fit = censored.tobit(d["low"], d["high"], x)
    if not fit.converged:
        return {"tobit": np.full(3, math.nan)}
    return {"tobit": [*fit.coef, fit.scale], "tobit_se": fit.se, "tobit_loglik": fit.loglik}


def _higher(data: Data, name: str, ours: float, theirs: float) -> str | None:
    return "npsurv ends below the maximum that the library finds" if ours > theirs else None


def _turnbull(d: Data) -> Numbers:
    """Log-likelihood of the estimate, which is unique where the estimate is not."""
    left, right = d["left"], d["right"]
    found = turnbull(left, right)
    exact = found.left == found.right
    total = 0.0
    for a, b in zip(left, right, strict=True):
        if a == b:
            inside = exact & (found.left == a)
        else:
            inside = (found.left >= a) & (found.right <= b) & ~(exact & (found.left == a))
        total += math.log(found.mass[inside].sum())
    return {"turnbull": total}


R = "R 4.2.2"
STATISTICS = (
    Statistic("Quantiles by definition 2, mean, standard deviation", f"{R}: `quantile`, `mean`, `sd`", _describe),
    Statistic("Wilcoxon tests (rank sum, signed rank; exact with ties, Pratt's zeros, normal), Kruskal-Wallis",
              f"{R}: `wilcox.test`, `kruskal.test`; exactRankTests 0.8.35: `wilcox.exact`; all sign patterns", _ranks),
    Statistic("Hodges-Lehmann shift with exact limits", f"{R}: `wilcox.test(conf.int=)`", _shift, excuse=_level),
    Statistic("Student's tests (one sample, Welch, pooled)", f"{R}: `t.test`", _t, excuse=_one_and_some),
    Statistic("Correlations (Pearson, Spearman, Kendall)", f"{R}: `cor.test`", _correlation),
    Statistic("Adjusted p-values, six methods", f"{R}: `p.adjust`", _adjust),
    Statistic("Analysis of covariance: differences, F tests, adjusted means (equal, proportional)",
              f"{R}: `lm`, `drop1`, `model.matrix`", _ancova),
    Statistic("Regression of censored values", "survival 3.5.3: `survreg`", _tobit, 1e-5, "both stop their search"),
    Statistic("Turnbull's estimate: likelihood", "npsurv 0.5.0: `npsurv`", _turnbull, 1e-6, "both stop their search",
              excuse=_higher),
)  # fmt: skip
