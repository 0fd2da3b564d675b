"""Analysis of covariance against R's lm; Cochran-Mantel-Haenszel tests as published."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from helpers import stats_cases
from helpers.stats_cases import close

from trialpipe.stats.cmh import cmh
from trialpipe.stats.linear import GROUP, Ancova, ancova
from trialpipe.stats.tables import mantel_haenszel

CASE = ("ancova", "anorexia")
MODELS = {"plain": ([], []), "base": (["before"], []), "factor": (["before"], ["half"])}


def _fit(model: str, weights: str) -> Ancova:
    data = stats_cases.table(*CASE)
    covariates, factors = ({name: data[name] for name in names} for names in MODELS[model])
    return ancova(data["after"], data["treat"], covariates, factors, weights)


@pytest.mark.parametrize("model", MODELS)
def test_analysis_of_covariance(model: str) -> None:
    compared = 0
    with (stats_cases.folder(*CASE) / "values.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["model"] == model]
    for row in rows:
        what, name, want = row["what"], row["name"], float(row["value"])
        fit = _fit(model, what.rpartition("_")[2] if what.startswith("mean") else "equal")
        tests = fit.tests()
        if what.startswith("mean"):
            mean = fit.mean(fit.groups.index(name))
            found = mean.std_err if "_se_" in what else mean.value
        elif what.startswith("difference"):
            first, _, second = name.partition("-")
            gap = fit.difference(fit.groups.index(first), fit.groups.index(second))
            part = what.removeprefix("difference").strip("_")
            found = getattr(gap, {"": "value", "se": "std_err"}.get(part, part))
        elif what in ("f", "f_p", "f_df"):
            test = tests[GROUP if name == "treat" else name]
            found = {"f": test.f, "f_p": test.p, "f_df": test.df}[what]
        else:
            found = {"variance": fit.model.variance, "df": fit.model.df}[what]
        close(found, want, 1e-9, what=f"{what} {name}")
        compared += 1
    assert compared == len(rows) > 20


def test_units_and_order_do_not_matter() -> None:
    data = stats_cases.table(*CASE)
    first = ancova(data["after"], data["treat"], {"before": data["before"]}).difference(0, 2)
    grams = ancova(453.59237 * data["after"][::-1], data["treat"][::-1], {"b": 1e6 * data["before"][::-1]})
    close(grams.difference(0, 2)[:2], (453.59237 * np.array(first[:2])).tolist(), 1e-9)
    close(grams.difference(0, 2).p, first.p, 1e-8)


def test_a_level_without_patients_has_no_mean() -> None:
    y, group = np.array([1.0, 2, 4, 7]), np.array(list("AABB"))
    fit = ancova(y, group, order=["A", "B", "C"])
    assert np.isnan(fit.mean(2)).all()
    assert np.isnan(fit.difference(0, 2)).all()
    close([fit.mean(0).value, fit.difference(1, 0).value], [1.5, 4.0])
    assert fit.tests()[GROUP].df == 1


def test_a_baseline_that_says_the_group() -> None:
    """All A begin at 1, all B at 2: nothing tells the group from the baseline, so there is no adjusted difference."""
    y, group = np.array([1.0, 2, 4, 7]), np.array(list("AABB"))
    fit = ancova(y, group, {"base": np.array([1.0, 1, 2, 2])})
    assert np.isnan(fit.difference(0, 1)).all()
    assert np.isnan(fit.mean(0)).all()
    assert [test.df for test in fit.tests().values()] == [0, 0]


# Job satisfaction of 104 black Americans by income and sex: Agresti 2002, Categorical Data Analysis, table 7.8
# (R: help page of mantelhaen.test); its three tests, with the scores below, as printed there from SAS PROC FREQ
SATISFACTION = np.array(
    [
        [[1, 3, 11, 2], [2, 3, 17, 3], [0, 1, 8, 5], [0, 2, 4, 2]],
        [[1, 1, 2, 1], [0, 3, 5, 1], [0, 0, 7, 3], [0, 1, 9, 6]],
    ]
)


def test_cochran_mantel_haenszel_as_published() -> None:
    found = cmh(SATISFACTION, "table", np.array([3, 10, 20, 35]), np.array([1, 3, 4, 5]))
    for (chi, df, p), want in zip(
        (found.correlation, found.means, found.general),
        ((6.1563, 1, 0.0131), (9.0342, 3, 0.0288), (10.2001, 9, 0.3345)),
        strict=True,
    ):
        assert (round(chi, 4), df, round(p, 4)) == want


def test_two_by_two_tables_have_one_test() -> None:
    rng = np.random.default_rng(5)
    for _ in range(50):
        tables = rng.integers(0, 6, (3, 2, 2))
        found, one = cmh(tables), mantel_haenszel(tables)
        for chi, df, p in (found.general, found.means, found.correlation):
            close([chi, p], [one.statistic, one.p], 1e-9)
            assert df == 1


def test_kruskal_wallis_is_the_test_of_ridits() -> None:
    from trialpipe.stats.ranks import kruskal_wallis

    rng = np.random.default_rng(6)
    for _ in range(20):
        row, column = rng.integers(0, 3, 30), rng.integers(0, 4, 30)
        table = np.zeros((1, 3, 4))
        np.add.at(table[0], (row, column), 1)
        groups = [column[row == i].astype(float) for i in range(3)]
        close(cmh(table, "ridit").means, list(kruskal_wallis(groups)), 1e-9)


def test_errors() -> None:
    with pytest.raises(ValueError, match="neither equal"):
        ancova(np.ones(3), np.array(list("ABA")), weights="some")
    with pytest.raises(ValueError, match="missing"):
        ancova(np.array([1, np.nan]), np.array(list("AB")))
    with pytest.raises(ValueError, match="not in the order"):
        ancova(np.ones(2), np.array(list("AB")), order=["A"])
    with pytest.raises(ValueError, match="must have a number"):
        ancova(np.ones(2), np.array(list("AB")), {"x": np.array([1, np.nan])})
    with pytest.raises(ValueError, match="shape"):
        cmh(np.ones((2, 3)))
    with pytest.raises(ValueError, match="fractional"):
        cmh(np.full((1, 2, 2), 0.5))
    with pytest.raises(ValueError, match="scores must be"):
        cmh(np.ones((1, 2, 2)), row_scores=np.ones(3))
    with pytest.raises(ValueError, match="neither table"):
        cmh(np.ones((1, 2, 2)), "midrank")
