"""Repeated measures: data sets and what the library makes of them."""

from __future__ import annotations

import math

import numpy as np

from matrix.compare import Data, Numbers, Statistic
from trialpipe.stats import mixed


def draw(number: int, seed: int) -> Data:
    """Patients in two arms at two to four visits, some missing; every sixth set where patients do not differ."""
    rng = np.random.default_rng([seed, number, 6])
    shape = number % 12
    people, visits = int(rng.integers(4, 13)), int(rng.integers(2, 5))
    who, visit = np.repeat(np.arange(people), visits), np.tile(np.arange(visits), people)
    between = 0.0 if shape in (1, 7) else 2.0
    y = rng.normal(size=len(who)) + between * rng.normal(size=people)[who] + visit
    if shape == 3:
        y = np.round(y)
    kept = rng.random(len(who)) < (1.0 if shape == 5 else 0.8)
    kept[:visits] = True
    if shape == 9:
        # one value per patient: no model
        kept = visit == (who % visits)
    arm = (rng.random(people) < 0.5).astype(int)
    arm[:2] = (0, 1)
    return {"y": y[kept], "id": who[kept], "visit": visit[kept], "arm": arm[who[kept]]}


def _fit(d: Data) -> Numbers:
    x = np.column_stack([np.eye(int(d["visit"].max()) + 1)[d["visit"]], d["arm"]])
    found: dict[str, np.ndarray | float | list[float]] = {}
    for reml in (True, False):
        name = "reml" if reml else "ml"
        try:
            fit = mixed.fit(d["y"], x, d["id"], d["visit"], reml=reml)
        except mixed.NotFitted:
            found[f"{name}_loglik"] = math.nan
            continue
        found[f"{name}_loglik"], found[f"{name}_coef"] = fit.loglik, fit.coef
        if reml:
            found["reml_se"] = fit.std_err
    return found


def _excuse(data: Data, name: str, ours: float, theirs: float) -> str | None:
    if math.isnan(theirs):
        return "lme stops without an answer"
    several = int((np.bincount(data["id"]) > 1).sum())
    if math.isnan(ours) and several == 2:
        return (
            "two patients with more than one value, whose changes are all but equal: the library says there is no model"
        )
    if math.isnan(ours) and several == 0:
        return "one value per patient: lme splits one variance into two, the library has no model"
    if name.endswith("loglik") and ours > theirs:
        return "lme ends below the maximum that the library finds"
    return None


STATISTICS = (
    Statistic("Linear mixed model, random intercept: means, errors, likelihood (REML, ML)", "nlme 3.1.162: `lme`", _fit,
              1e-3, "lme's search stops early, up to 1e-3 of a small mean", _excuse),
)  # fmt: skip
