"""Small random data sets with many ties, against R's survival and cmprsk run beside the test."""

from __future__ import annotations

import csv
import math
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from trialpipe.stats import competing, km
from trialpipe.stats.cox import cox
from trialpipe.stats.cox_checks import proportional_hazards
from trialpipe.stats.finegray import fine_gray
from trialpipe.stats.gray import gray_test
from trialpipe.stats.logrank import logrank

SETS = 40
AT = np.arange(14.0)
pytestmark = pytest.mark.slow


def _draw(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(14, 45))
    x = rng.integers(0, 4, n) / 2
    time = rng.integers(1, 13, n).astype(float)
    cause = rng.choice([0, 1, 2], n, p=[0.3, 0.4, 0.3])
    group, stratum = rng.integers(1, 4, n), rng.integers(1, 3, n)
    entry = np.minimum(rng.integers(0, 4, n), time - 1)
    return {"time": time, "entry": entry, "event": (cause > 0).astype(int), "cause": cause, "group": group, "x": x,
            "stratum": stratum}  # fmt: skip


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[int, str], np.ndarray]:
    rscript = shutil.which("Rscript")
    if rscript is None:
        (pytest.fail if os.environ.get("REQUIRE_ALL") == "1" else pytest.skip)("Rscript is not installed")
    path = tmp_path_factory.mktemp("r") / "data.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["set", *_draw(0)])
        for s in range(SETS):
            data = _draw(s)
            writer.writerows([s, *row] for row in zip(*data.values(), strict=True))
    script = Path(__file__).parent / "random_survival.R"
    done = subprocess.run([rscript, str(script), str(path)], capture_output=True, text=True, check=False)
    if done.returncode:
        missing = "there is no package" in done.stderr and os.environ.get("REQUIRE_ALL") != "1"
        (pytest.skip if missing else pytest.fail)(done.stderr[-400:])
    found: dict[tuple[int, str], list[float]] = {}
    for row in csv.DictReader(done.stdout.splitlines()):
        found.setdefault((int(row["set"]), row["what"]), []).append(
            math.nan if row["value"].strip() in ("NA", "NaN") else float(row["value"])
        )
    return {key: np.array(values) for key, values in found.items()}


def _close(found, want: np.ndarray, what: str, rel: float = 1e-8, abs_: float = 1e-9) -> None:
    np.testing.assert_allclose(np.atleast_1d(found), want, rtol=rel, atol=abs_, equal_nan=True, err_msg=what)


@pytest.mark.parametrize("s", range(SETS))
def test_kaplan_meier(reference, s: int) -> None:
    d = _draw(s)
    for kind in ("log-log", "log", "plain"):
        curve = km.kaplan_meier(d["time"], d["event"], conf_type=kind)
        rows = km.at_times(curve, AT)
        _close([r.survival for r in rows], reference[s, f"surv_{kind}"], f"{s} {kind}")
        for side in ("lower", "upper"):
            want, got = reference[s, f"{side}_{kind}"], np.array([getattr(r, side) for r in rows])
            full = np.array([r.survival for r in rows]) == 1  # R before 3.8 prints NA after a censoring at S = 1
            assert (got[full] == 1).all()
            _close(got[~full], want[~full], f"{s} {kind} {side}")
        for i, name in enumerate(("q", "ql", "qu")):
            got = [km.quantiles(curve, p)[i] for p in (0.25, 0.5, 0.75)]
            _close(got, reference[s, f"{name}_{kind}"], f"{s} {kind} {name}")
    late = km.kaplan_meier(d["time"], d["event"], d["entry"])
    _close([r.survival for r in km.at_times(late, AT)], reference[s, "entry_surv"], f"{s} entry")
    _close(km.restricted_mean(km.kaplan_meier(d["time"], d["event"]), 10)[:2], reference[s, "rmean"], f"{s} rmean")


@pytest.mark.parametrize("s", range(SETS))
def test_competing(reference, s: int) -> None:
    d = _draw(s)
    for k in (1, 2):
        if (s, f"cif{k}") in reference:
            rows = competing.at_times(competing.cumulative_incidence(d["time"], d["cause"], k), AT)
            seen = ~np.isnan(reference[s, f"cif{k}"])
            _close(np.array([r.cif for r in rows])[seen], reference[s, f"cif{k}"][seen], f"{s} cif{k}")
            _close(np.array([r.std_err**2 for r in rows])[seen], reference[s, f"cifvar{k}"][seen], f"{s} var{k}")
        rows = competing.at_times(competing.cumulative_incidence(d["time"], d["cause"], k, "jackknife"), AT)
        _close([r.cif for r in rows], reference[s, f"aj{k}"], f"{s} aj{k}")
        _close([r.std_err for r in rows], reference[s, f"ajse{k}"], f"{s} ajse{k}")


@pytest.mark.parametrize("s", range(SETS))
@pytest.mark.parametrize("rho", [0, 1])
def test_comparisons(reference, s: int, rho: int) -> None:
    d = _draw(s)
    for name, strata in (("", None), ("_strat", d["stratum"])):
        found = logrank(d["time"], d["event"], d["group"], strata, rho)
        if (s, f"logrank{name}{rho}") in reference:
            _close(found.chi_square, reference[s, f"logrank{name}{rho}"], f"{s} logrank{name}", 1e-8)
        if (s, f"gray{name}{rho}") in reference:
            found = [gray_test(d["time"], d["cause"], d["group"], k, strata, rho).chi_square for k in (1, 2)]
            _close(found, reference[s, f"gray{name}{rho}"], f"{s} gray{name}", 1e-7)


@pytest.mark.parametrize("s", range(SETS))
@pytest.mark.parametrize("ties", ["efron", "breslow", "exact"])
def test_cox(reference, s: int, ties: str) -> None:
    d = _draw(s)
    x = np.column_stack([d["x"], d["group"] == 2]).astype(float)
    fit = cox(d["time"], d["event"], x, strata=d["stratum"], ties=ties)
    if fit.converged and (s, f"cox_{ties}") in reference:
        _close(fit.coef, reference[s, f"cox_{ties}"], f"{s}", 1e-6, 1e-7)
        _close(fit.se, reference[s, f"coxse_{ties}"], f"{s}", 1e-6, 1e-7)
        _close([fit.loglik_null, fit.loglik], reference[s, f"coxll_{ties}"], f"{s}", 1e-8)
        _close(fit.score_test, reference[s, f"coxscore_{ties}"], f"{s}", 1e-7)
    late = cox(d["time"], d["event"], d["x"], d["entry"], ties=ties)
    if late.converged and (s, f"late_{ties}") in reference:
        _close(late.coef, reference[s, f"late_{ties}"], f"{s}", 1e-6, 1e-7)
        _close(late.se, reference[s, f"latese_{ties}"], f"{s}", 1e-6, 1e-7)


@pytest.mark.parametrize("s", range(SETS))
def test_regression_checks(reference, s: int) -> None:
    d = _draw(s)
    x = np.column_stack([d["x"], d["group"] == 2]).astype(float)
    fit = cox(d["time"], d["event"], x)
    for transform in ("km", "identity"):
        if fit.converged and (s, f"zph_{transform}") in reference:
            found = proportional_hazards(fit, d["time"], d["event"], x, transform=transform)
            _close([*found.chi_square, found.global_chi_square], reference[s, f"zph_{transform}"], f"{s}", 1e-6, 1e-7)
    sub = fine_gray(d["time"], d["cause"], x, 1)
    if sub.converged and (s, "crr") in reference:
        _close(sub.coef, reference[s, "crr"], f"{s} crr", 1e-6, 1e-7)
        _close(sub.se, reference[s, "crrse"], f"{s} crr se", 1e-6, 1e-7)


def test_the_comparison_compared(reference) -> None:
    """Most sets have every model: a comparison that silently skips all would pass for nothing."""
    for what in ("crr", "gray0", "gray_strat0", "logrank0", "cox_efron", "cox_exact", "late_efron", "zph_km", "cif1"):
        assert sum((s, what) in reference for s in range(SETS)) > 0.8 * SETS, what


def test_most_models_have_an_estimate() -> None:
    fits = []
    for s in range(SETS):
        d = _draw(s)
        x = np.column_stack([d["x"], d["group"] == 2]).astype(float)
        fits.append(
            (
                cox(d["time"], d["event"], x, strata=d["stratum"]).converged,
                fine_gray(d["time"], d["cause"], x, 1).converged,
            )
        )
    assert np.mean(fits, axis=0).min() > 0.8
