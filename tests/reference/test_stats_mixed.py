"""Linear mixed models against nlme (R), mmrm (R) and what balanced data must give."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from helpers import stats_cases
from helpers.stats_cases import close

from trialpipe.stats import mixed

CASE = ("mixed", "made_visits")
MODELS = [
    (name, f"{structure}_{form}")
    for name in ("between", "small", "no_between")
    for structure in ("random_intercept", "unstructured")
    for form in ("visit", "arms")
    if structure == "random_intercept" or name == "between"
]


def _want() -> dict[tuple[str, str, str], list[float]]:
    found: dict[tuple[str, str, str], list[float]] = {}
    with (stats_cases.folder(*CASE) / "values.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault((row["set"], row["model"], row["what"]), []).append(float(row["value"]))
    return found


def _fit(name: str, model: str) -> mixed.MixedFit:
    data = stats_cases.table(*CASE)
    data = {key: values[data["set"] == name] for key, values in data.items()}
    visit = data["visit"].astype(int)
    columns = np.eye(visit.max() + 1)[visit]
    if model.endswith("arms"):
        # the order of R: base, then visit within arm
        arms = [columns * (data["arm"] == arm)[:, None] for arm in "AB"]
        columns = np.column_stack([data["base"], *arms])
    return mixed.fit(data["y"], columns, data["patient"], visit, model.rpartition("_")[0])


@pytest.mark.parametrize(("name", "model"), MODELS)
def test_nlme(name: str, model: str) -> None:
    want, found = _want(), _fit(name, model)
    exact = model.startswith("random")
    close(found.coef, want[name, model, "coef"], 1e-6 if exact else 2e-5)
    close(found.std_err, want[name, model, "se"], 1e-6 if exact else 2e-5)
    close(found.loglik, want[name, model, "loglik"], 1e-8)
    assert found.loglik > want[name, model, "loglik"][0] - 1e-8
    if exact:
        close(found.components, want[name, model, "component"], 1e-4, 1e-6)


def test_variance_between_patients_stays_at_0_where_the_likelihood_falls() -> None:
    found = _fit("no_between", "random_intercept_arms")
    assert found.boundary
    assert found.components[0] == 0
    # then it is least squares: n - p degrees of freedom
    close(mixed.contrast(found, np.eye(len(found.coef))[1]).df, found.n - len(found.coef), 1e-9)


def _orthodont(structure: str) -> mixed.MixedFit:
    data = stats_cases.table("mmrm", "orthodont")
    female, age = (data["sex"] == "Female").astype(float), data["age"] - 11
    columns = np.column_stack([np.ones(len(age)), female, age, female * age])
    return mixed.fit(data["distance"], columns, data["subject"], ((data["age"] - 8) / 2).astype(int), structure)


@pytest.mark.parametrize(
    ("structure", "model"), [("random_intercept", "gls_compound_symmetry"), ("unstructured", "gls_unstructured")]
)
def test_orthodont(structure: str, model: str) -> None:
    want, found = stats_cases.expected("mmrm", "orthodont")[model], _orthodont(structure)
    close(found.coef, want["coef"], 1e-5)
    close(found.std_err, want["se"], 1e-5)
    close(found.loglik, want["logLik_reml"], 1e-6)


def test_degrees_of_freedom_of_a_balanced_design() -> None:
    """27 children of two sexes at 4 ages: 25 between children, 27 x 3 - 2 within, as in the analysis of variance."""
    model = _orthodont("random_intercept")
    close([mixed.contrast(model, weights).df for weights in np.eye(4)], [25, 25, 79, 79], 1e-7)


def test_mmrm_saturated_orthodont() -> None:
    want = stats_cases.expected("mmrm", "orthodont")["mmrm_saturated"]
    data = stats_cases.table("mmrm", "orthodont")
    female, age = data["sex"] == "Female", ((data["age"] - 8) / 2).astype(int)
    cells = np.eye(8)[2 * age + female]
    model = mixed.fit(data["distance"], cells, data["subject"], age, "unstructured")
    close(model.loglik, want["logLik"], 1e-6)
    means = [mixed.contrast(model, weights) for weights in np.eye(8)]
    assert list(zip(want["lsmeans"]["Sex"], want["lsmeans"]["visit"], strict=True))[:3] == [
        ("Male", "8"),
        ("Female", "8"),
        ("Male", "10"),
    ]
    close([mean.value for mean in means], want["lsmeans"]["estimate"], 1e-5)
    close([mean.std_err for mean in means], want["lsmeans"]["SE"], 1e-4)
    close([mean.df for mean in means], want["lsmeans"]["df"], 1e-3)
    close([mean.lower for mean in means], want["lsmeans"]["lower.CL"], 1e-4)


def _fev() -> tuple[mixed.MixedFit, dict]:
    data, want = stats_cases.table("mmrm", "fev_unstructured"), stats_cases.expected("mmrm", "fev_unstructured")["us"]
    known = ~np.isnan(data["FEV1"])
    visit = (data["VISITN"] - 1).astype(int)
    later, treated = np.eye(4)[visit][:, 1:], (data["ARMCD"] == "TRT").astype(float)
    columns = [np.ones(len(known)), data["RACE"] == "Black or African American", data["RACE"] == "White"]
    columns += [data["SEX"] == "Female", treated, later, later * treated[:, None]]
    x = np.column_stack(columns).astype(float)
    return mixed.fit(data["FEV1"][known], x[known], data["USUBJID"][known], visit[known], "unstructured"), want


def test_mmrm_with_missing_visits() -> None:
    """The reference stopped short of the maximum (its log-likelihood is lower): differences of 1e-4 are its own."""
    model, want = _fev()
    assert (model.n, model.subjects) == (want["n_obs"], want["n_subjects"])
    assert want["logLik"] <= model.loglik < want["logLik"] + 1e-5
    close(model.coef, want["coef"], 1e-4, 2e-4)
    close(model.std_err, want["se"], 1e-4)
    found = [mixed.contrast(model, weights) for weights in np.eye(11)]
    close([c.df for c in found], want["df"], 1e-3)
    close([c.p for c in found], want["p"], 1e-4, 1e-4)
    difference = mixed.contrast(model, np.eye(11)[4] + np.eye(11)[10])
    last = {key: values[3] for key, values in want["differences"].items()}
    close([difference.value, difference.std_err, difference.df], [last["estimate"], last["SE"], last["df"]], 1e-4)
    close(
        [difference.lower, difference.upper, difference.p], [last["lower.CL"], last["upper.CL"], last["p.value"]], 1e-3
    )


def test_order_of_rows_and_names_of_patients_do_not_matter() -> None:
    rng = np.random.default_rng(1)
    subject, visit = np.repeat(np.arange(12), 3), np.tile(np.arange(3), 12)
    y = rng.normal(size=36) + rng.normal(size=12)[subject] + visit
    x = np.eye(3)[visit]
    kept = rng.permutation(36)[:30]
    first = mixed.fit(y[kept], x[kept], subject[kept], visit[kept], "unstructured")
    other = np.sort(kept)
    second = mixed.fit(
        y[other], x[other], np.array([f"s{99 - s}" for s in subject[other]]), visit[other], "unstructured"
    )
    close(first.coef, second.coef.tolist(), 1e-8)
    close(first.components, second.components.tolist(), 1e-6)
    shifted = mixed.fit(10 * y[other] + 3, x[other], subject[other], visit[other], "unstructured")
    close(shifted.coef, (10 * second.coef + 3).tolist(), 1e-7)
    close(shifted.std_err, (10 * second.std_err).tolist(), 1e-7)


def test_errors() -> None:
    y, x = np.arange(6.0), np.eye(2)[[0, 1] * 3]
    subject, visit = np.repeat([0, 1, 2], 2), np.tile([0, 1], 3)
    with pytest.raises(mixed.NotFitted, match="no patient has two values"):
        mixed.fit(y, x, np.arange(6), visit)
    with pytest.raises(mixed.NotFitted, match="more effects"):
        mixed.fit(y, np.column_stack([x, x[:, 0]]), subject, visit)
    with pytest.raises(mixed.NotFitted, match="no variance"):
        mixed.fit(x[:, 0], x, subject, visit)
    with pytest.raises(mixed.NotFitted, match="too few patients"):
        mixed.fit(np.array([1.0, 4.0, 2.0, 3.5]), x[:4], subject[:4], visit[:4], "unstructured")
    with pytest.raises(ValueError, match="two values of one patient"):
        mixed.fit(y, x, subject, np.zeros(6, int))
    with pytest.raises(ValueError, match="missing"):
        mixed.fit(np.array([1, 2, 3, 4, 5, np.nan]), x, subject, visit)
    with pytest.raises(ValueError, match="structure"):
        mixed.fit(y, x, subject, visit, "toeplitz")
