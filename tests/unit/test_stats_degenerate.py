"""What every statistic does with next to nothing: a defined value, nan, or an error; never a warning.

One line per function and input: no patients, one patient, no events, an empty group, death at time 0, several events on
a day, negative, missing or infinite numbers. Expected values are worked by hand.
"""

from __future__ import annotations

import importlib
import inspect
import math
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import trialpipe.stats
from trialpipe.stats import (
    binomial,
    censored,
    cmh,
    competing,
    concordance,
    cox,
    cox_checks,
    describe,
    finegray,
    finegray_predict,
    fixed_time,
    fourpl,
    gray,
    groups,
    km,
    linear,
    logrank,
    mixed,
    mixed_df,
    multistate,
    parametric,
    ranks,
    rates,
    simon,
    sojourns,
    tables,
    turnbull,
    two_proportions,
)

pytestmark = pytest.mark.filterwarnings("error")
NAN, INF = math.nan, math.inf
NO = np.array([])
ERROR = ValueError
Z = 1.959963984540054


def a(*values: float) -> np.ndarray:
    return np.array(values, float)


def curve(time: np.ndarray, event: np.ndarray, *at: float) -> list:
    """Survival, error and limits at times."""
    rows = km.at_times(km.kaplan_meier(time, event), at)
    return [v for r in rows for v in (r.survival, r.std_err, r.lower, r.upper)]


def incidence(time: np.ndarray, cause: np.ndarray, *at: float) -> list:
    rows = competing.at_times(competing.cumulative_incidence(time, cause, 1), at)
    return [v for r in rows for v in (r.cif, r.std_err, r.lower, r.upper)]


def coefficients(fit: Any) -> list:
    return [*fit.coef, *fit.se, *fit.p, float(fit.converged)]


def stays(*rows: tuple) -> sojourns.Sojourns:
    return sojourns.sojourns(*np.array(rows, float).reshape(-1, 5).T, 3)


ONE_DIES, BOTH_AT_0 = (a(5), a(1)), (a(0, 0), a(1, 1))
DESIGN = simon.TwoStage(0, 2, 1, 4)

# (function, what it is given, call, expected)
CASES: list[tuple[str, str, Callable[[], Any], Any]] = [
    ("binomial.clopper_pearson", "nobody", lambda: binomial.clopper_pearson(0, 0), (NAN, NAN)),
    ("binomial.clopper_pearson", "none of one", lambda: binomial.clopper_pearson(0, 1), (0, 0.975)),
    ("binomial.clopper_pearson", "more than all", lambda: binomial.clopper_pearson(2, 1), ERROR),
    ("binomial.clopper_pearson", "level 1", lambda: binomial.clopper_pearson(1, 2, 1.0), ERROR),
    ("binomial.clopper_pearson_one_sided", "nobody", lambda: binomial.clopper_pearson_one_sided(0, 0), (NAN, NAN)),
    ("binomial.clopper_pearson_one_sided", "all of one", lambda: binomial.clopper_pearson_one_sided(1, 1), (0.05, 1)),
    ("binomial.wilson", "nobody", lambda: binomial.wilson(0, 0), (NAN, NAN)),
    ("binomial.wilson", "none of one", lambda: binomial.wilson(0, 1), (0, Z**2 / (1 + Z**2))),
    ("binomial.agresti_coull", "nobody", lambda: binomial.agresti_coull(0, 0), (NAN, NAN)),
    ("binomial.wald", "nobody", lambda: binomial.wald(0, 0), (NAN, NAN)),
    ("binomial.wald", "none of one: no spread", lambda: binomial.wald(0, 1), (0, 0)),
    ("binomial.jeffreys", "nobody", lambda: binomial.jeffreys(0, 0), (NAN, NAN)),
    ("binomial.mid_p", "nobody", lambda: binomial.mid_p(0, 0), (NAN, NAN)),
    ("binomial.exact_test", "nobody", lambda: binomial.exact_test(0, 0, 0.5), NAN),
    ("binomial.exact_test", "negative", lambda: binomial.exact_test(-1, 2, 0.5), ERROR),
    ("binomial.exact_test", "one", lambda: binomial.exact_test(1, 1, 0.5), 1.0),
    ("two_proportions.difference_newcombe", "an empty arm",
     lambda: two_proportions.difference_newcombe(0, 0, 1, 2), (NAN, NAN)),
    ("two_proportions.difference_score", "an empty arm",
     lambda: two_proportions.difference_score(1, 2, 0, 0), (NAN, NAN)),
    ("two_proportions.difference_score", "more than all", lambda: two_proportions.difference_score(3, 2, 0, 1), ERROR),
    ("two_proportions.difference_wald", "an empty arm",
     lambda: two_proportions.difference_wald(1, 2, 0, 0), (NAN, NAN)),
    ("two_proportions.risk_ratio", "no success", lambda: two_proportions.risk_ratio(0, 2, 0, 2), (NAN, NAN, NAN)),
    ("two_proportions.risk_ratio", "none in the second",
     lambda: two_proportions.risk_ratio(1, 2, 0, 2), (INF, NAN, NAN)),
    ("two_proportions.odds_ratio", "no success", lambda: two_proportions.odds_ratio(0, 2, 0, 2), NAN),
    ("two_proportions.pearson_test", "no success", lambda: two_proportions.pearson_test(0, 2, 0, 2), (NAN, NAN)),
    ("tables.fisher", "empty table", lambda: vars(tables.fisher(0, 0, 0, 0)).values(), (1, 1, 1, 0, 0, INF)),
    ("tables.fisher", "negative", lambda: tables.fisher(-1, 0, 0, 1), ERROR),
    ("tables.fisher_p", "empty arm", lambda: tables.fisher_p(0, 0, 3, 4), 1.0),
    ("tables.conditional", "a missing count", lambda: tables.conditional(np.full((1, 2, 2), NAN)), ERROR),
    ("tables.mantel_haenszel", "strata of one", lambda: vars(tables.mantel_haenszel(
        np.array([[[1, 0], [0, 0]], [[0, 0], [0, 1]]]))).values(), (NAN,) * 5),
    ("tables.mantel_haenszel_difference", "an empty arm", lambda: tables.mantel_haenszel_difference(
        np.array([[[0, 0], [1, 2]]])), (NAN, NAN, NAN)),
    ("tables.mcnemar", "no discordant pair", lambda: vars(tables.mcnemar(0, 0)).values(), (NAN, NAN, NAN)),
    ("tables.mcnemar", "negative", lambda: tables.mcnemar(-1, 0), ERROR),
    ("cmh.cmh", "nobody", lambda: cmh.cmh(np.zeros((1, 2, 3))).general, (NAN, 0, NAN)),
    ("cmh.cmh", "an empty arm", lambda: cmh.cmh(np.array([[[0, 0, 0], [1, 2, 3]]])).means, (NAN, 0, NAN)),
    ("cmh.cmh", "all answers equal", lambda: cmh.cmh(np.array([[[3, 0], [4, 0]]])).correlation, (NAN, 0, NAN)),
    ("cmh.cmh", "negative", lambda: cmh.cmh(np.full((1, 2, 2), -1)), ERROR),
    ("groups.anova", "nobody", lambda: groups.anova([NO, NO]).p, NAN),
    ("groups.anova", "one value each", lambda: groups.anova([a(1), a(2)]).p, NAN),
    ("groups.chi_square", "an empty arm", lambda: groups.chi_square(np.array([[0, 0], [1, 2]])).p, NAN),
    ("rates.poisson_rate", "no time", lambda: rates.poisson_rate(0, 0.0), (NAN, NAN, NAN)),
    ("rates.poisson_rate", "no event", lambda: rates.poisson_rate(0, 2.0), (0, 0, -math.log(0.025) / 2)),
    ("rates.poisson_rate", "events without time", lambda: rates.poisson_rate(1, 0.0), ERROR),
    ("rates.poisson_rate", "negative time", lambda: rates.poisson_rate(1, -1.0), ERROR),
    ("rates.rate_ratio", "no event", lambda: rates.rate_ratio(0, 1.0, 0, 1.0), (NAN,) * 4),
    ("rates.rate_ratio", "an empty arm", lambda: rates.rate_ratio(1, 1.0, 0, 0.0), (NAN,) * 4),
    ("km.kaplan_meier", "nobody", lambda: curve(NO, NO, 1.0), [NAN] * 4),
    ("km.kaplan_meier", "no event", lambda: curve(a(3, 4), a(0, 0), 3.5), [1, 0, 1, 1]),
    ("km.kaplan_meier", "one dies", lambda: curve(*ONE_DIES, 4.0, 5.0), [1, 0, 1, 1, 0, NAN, NAN, NAN]),
    ("km.kaplan_meier", "all die at 0", lambda: curve(*BOTH_AT_0, 0.0), [0, NAN, NAN, NAN]),
    ("km.kaplan_meier", "one of two dies at 0", lambda: curve(a(0, 9), a(1, 0), 0.0)[:2], [0.5, math.sqrt(1 / 8)]),
    ("km.kaplan_meier", "negative time", lambda: km.kaplan_meier(a(-1), a(1)), ERROR),
    ("km.kaplan_meier", "missing time", lambda: km.kaplan_meier(a(NAN), a(1)), ERROR),
    ("km.kaplan_meier", "infinite time", lambda: km.kaplan_meier(a(INF), a(1)), ERROR),
    ("km.kaplan_meier", "event 2", lambda: km.kaplan_meier(a(1), a(2)), ERROR),
    ("km.kaplan_meier", "entry after the event", lambda: km.kaplan_meier(a(1), a(1), a(2)), ERROR),
    ("km.kaplan_meier", "weight 0", lambda: km.kaplan_meier(a(1), a(1), weights=a(0)), ERROR),
    ("km.at_times", "no time asked", lambda: len(km.at_times(km.kaplan_meier(a(1), a(1)), [])), 0),
    ("km.limits", "S = 0", lambda: km.limits(a(0), a(NAN), 0.95, "log-log"), (a(NAN), a(NAN))),
    ("km.limits", "unknown type", lambda: km.limits(a(0.5), a(0.1), 0.95, "logit"), ERROR),
    ("km.nelson_aalen", "nobody", lambda: km.nelson_aalen(km.kaplan_meier(NO, NO)), (NO, NO)),
    ("km.quantiles", "nobody", lambda: km.quantiles(km.kaplan_meier(NO, NO), 0.5), (NAN,) * 3),
    ("km.quantiles", "no event", lambda: km.quantiles(km.kaplan_meier(a(1, 2), a(0, 0)), 0.5), (NAN,) * 3),
    ("km.quantiles", "all die at 0", lambda: km.quantiles(km.kaplan_meier(*BOTH_AT_0), 0.5), (0, NAN, NAN)),
    ("km.restricted_mean", "nobody", lambda: km.restricted_mean(km.kaplan_meier(NO, NO), 5), (NAN,) * 4),
    ("km.restricted_mean", "all die at 0", lambda: km.restricted_mean(km.kaplan_meier(*BOTH_AT_0), 5), (0, 0, 0, 0)),
    ("km.restricted_mean", "no event", lambda: km.restricted_mean(km.kaplan_meier(a(9), a(0)), 5), (5, 0, 5, 5)),
    ("km.follow_up", "nobody", lambda: km.follow_up(NO, NO), (NAN,) * 3),
    ("km.follow_up", "all die", lambda: km.follow_up(a(1, 2), a(1, 1)), (NAN,) * 3),
    ("logrank.logrank", "nobody", lambda: logrank.logrank(NO, NO, NO).p, NAN),
    ("logrank.logrank", "one group", lambda: logrank.logrank(a(1, 2), a(1, 1), a(1, 1)).p, NAN),
    ("logrank.logrank", "no event", lambda: logrank.logrank(a(1, 2), a(0, 0), a(1, 2)).p, NAN),
    ("logrank.logrank", "all at one time", lambda: logrank.logrank(a(1, 1), a(1, 1), a(1, 2)).p, NAN),
    ("logrank.logrank", "a group is missing", lambda: logrank.logrank(a(1, 2), a(1, 1), a(1, NAN)), ERROR),
    ("competing.cumulative_incidence", "nobody", lambda: incidence(NO, NO, 1.0), [NAN] * 4),
    ("competing.cumulative_incidence", "no event", lambda: incidence(a(3), a(0), 2.0), [0, 0, NAN, NAN]),
    ("competing.cumulative_incidence", "all at 0", lambda: incidence(*BOTH_AT_0, 0.0)[:1], [1]),
    ("competing.cumulative_incidence", "both causes on a day", lambda: incidence(a(2, 2), a(1, 2), 2.0)[:1], [0.5]),
    ("competing.cumulative_incidence", "negative", lambda: competing.cumulative_incidence(a(-1), a(1), 1), ERROR),
    ("competing.cumulative_incidence", "entry after", lambda: competing.cumulative_incidence(
        a(1), a(1), 1, entry=a(1)), ERROR),
    ("competing.at_times", "no time asked", lambda: len(competing.at_times(
        competing.cumulative_incidence(a(1), a(1), 1), [])), 0),
    ("competing.limits", "incidence 1 but for rounding", lambda: competing.limits(1 - 1e-16, 1e-9), (NAN, NAN)),
    ("competing.limits", "no spread", lambda: competing.limits(0.5, 0.0), (NAN, NAN)),
    ("gray.gray_test", "nobody", lambda: gray.gray_test(NO, NO, NO, 1).p, NAN),
    ("gray.gray_test", "no event", lambda: gray.gray_test(a(1, 2), a(0, 0), a(1, 2), 1).p, NAN),
    ("gray.gray_test", "one group", lambda: gray.gray_test(a(1, 2), a(1, 2), a(1, 1), 1).p, NAN),
    ("gray.gray_test", "negative", lambda: gray.gray_test(a(-1, 2), a(1, 2), a(1, 2), 1), ERROR),
    ("cox.cox", "nobody", lambda: coefficients(cox.cox(NO, NO, NO.reshape(0, 1))), [NAN, NAN, NAN, 0]),
    ("cox.cox", "one patient", lambda: coefficients(cox.cox(*ONE_DIES, a(1))), [NAN, NAN, NAN, 0]),
    ("cox.cox", "no event", lambda: coefficients(cox.cox(a(1, 2), a(0, 0), a(0, 1))), [NAN, NAN, NAN, 0]),
    ("cox.cox", "a group without events", lambda: coefficients(cox.cox(
        a(1, 2, 3, 4), a(1, 1, 0, 0), a(1, 1, 0, 0))), [NAN, NAN, NAN, 0]),
    ("cox.cox", "constant covariate", lambda: coefficients(cox.cox(a(1, 2), a(1, 1), a(1, 1))), [NAN, NAN, NAN, 0]),
    ("cox.cox", "all at one time, balanced", lambda: cox.cox(a(0, 0, 0, 0), a(1, 1, 0, 0), a(1, 0, 1, 0)).coef, [0]),
    ("cox.cox", "negative", lambda: cox.cox(a(-1, 2), a(1, 1), a(0, 1)), ERROR),
    ("cox.cox", "missing covariate", lambda: cox.cox(a(1, 2), a(1, 1), a(0, NAN)), ERROR),
    ("cox.landmark", "at the landmark", lambda: cox.landmark(a(0, 5, 6), 5).tolist(), [False, False, True]),
    ("cox.landmark", "negative", lambda: cox.landmark(a(-1), 5), ERROR),
    ("cox.split_at", "switch on the day of the event", lambda: cox.split_at(a(5), a(1), a(5))[4], [0]),
    ("cox.split_at", "switch before the start", lambda: cox.split_at(a(5), a(1), a(-2))[4], [1]),
    ("cox.split_at", "unknown rule", lambda: cox.split_at(a(5), a(1), a(5), "before"), ERROR),
    ("cox_checks.proportional_hazards", "no event", lambda: cox_checks.proportional_hazards(
        cox.cox(a(1, 2), a(0, 0), a(0, 1)), a(1, 2), a(0, 0), a(0, 1)).global_p, NAN),
    ("cox_checks.proportional_hazards", "another model", lambda: cox_checks.proportional_hazards(
        cox.cox(a(1, 2), a(0, 0), a(0, 1)), a(1, 2), a(0, 0), np.ones((2, 2))), ERROR),
    ("cox_checks.predicted_survival", "no estimate", lambda: cox_checks.predicted_survival(
        cox.cox(a(1, 2), a(0, 0), a(0, 1)), a(1, 2), a(0, 0), a(0, 1), a(1), a(0))[0], [NAN]),
    ("concordance.concordance", "nobody", lambda: concordance.concordance(NO, NO, NO).value, NAN),
    ("concordance.concordance", "one", lambda: concordance.concordance(a(1), *ONE_DIES).value, NAN),
    ("concordance.concordance", "two events on a day", lambda: concordance.concordance(
        a(1, 2), a(3, 3), a(1, 1)).value, NAN),
    ("concordance.concordance", "all scores equal", lambda: concordance.concordance(
        a(1, 1), a(3, 4), a(1, 1)).value, 0.5),
    ("concordance.concordance", "missing score", lambda: concordance.concordance(a(NAN), *ONE_DIES), ERROR),
    ("finegray.fine_gray", "nobody", lambda: coefficients(finegray.fine_gray(NO, NO, NO.reshape(0, 1), 1)),
     [NAN, NAN, NAN, 0]),
    ("finegray.fine_gray", "no event of interest", lambda: coefficients(finegray.fine_gray(
        a(1, 2), a(2, 0), a(0, 1), 1)), [NAN, NAN, NAN, 0]),
    ("finegray.fine_gray", "one patient", lambda: coefficients(finegray.fine_gray(*ONE_DIES, a(1), 1)),
     [NAN, NAN, NAN, 0]),
    ("finegray.fine_gray", "negative", lambda: finegray.fine_gray(a(-1), a(1), a(1), 1), ERROR),
    ("finegray.subjects_at_risk", "no event", lambda: finegray.subjects_at_risk(a(1, 2), a(0, 2), 1)[0], []),
    ("finegray.subjects_at_risk", "negative", lambda: finegray.subjects_at_risk(a(-1), a(1), 1), ERROR),
    ("finegray_predict.predicted_incidence", "no estimate", lambda: finegray_predict.predicted_incidence(
        finegray.fine_gray(a(1, 2), a(2, 0), a(0, 1), 1), a(1, 2), a(2, 0), a(0, 1), 1, a(1), [1]), [NAN]),
    ("finegray_predict.predicted_incidence", "another model", lambda: finegray_predict.predicted_incidence(
        finegray.fine_gray(a(1, 2), a(2, 0), a(0, 1), 1), a(1, 2), a(2, 0), a(0, 1), 1, a(1, 2), [1]), ERROR),
    ("fixed_time.difference", "no spread", lambda: fixed_time.difference(1, 0, 0.5, 0).p, NAN),
    ("fixed_time.difference", "nothing", lambda: fixed_time.difference(NAN, NAN, 0.5, 0.1).estimate, NAN),
    ("fixed_time.ratio", "mean 0", lambda: fixed_time.ratio(0, 0, 1, 0.1).estimate, NAN),
    ("fixed_time.ratio", "no spread", lambda: fixed_time.ratio(2, 0, 1, 0).p, NAN),
    ("fixed_time.complementary_log_log", "S = 1", lambda: fixed_time.complementary_log_log(1, 0, 0.5, 0.1), (NAN, NAN)),
    ("sojourns.sojourns", "a stay of no time", lambda: stays((1, 0, 1, 2, 2)), ERROR),
    ("sojourns.sojourns", "two moves on a day", lambda: stays((1, 0, 1, 0, 2), (1, 1, 2, 2, 2)), ERROR),
    ("sojourns.sojourns", "negative", lambda: stays((1, 0, 1, -1, 2)), ERROR),
    ("sojourns.occupation_influence", "one patient", lambda: sojourns.occupation_influence(
        stays((1, 0, 1, 0, 2)), a(2)).ravel(), [0, 0, 0]),
    ("multistate.hazards", "nobody moves", lambda: len(multistate.hazards(stays((1, 0, -1, 0, 2))).time), 0),
    ("multistate.transition_probabilities", "nobody moves", lambda: multistate.transition_probabilities(
        multistate.hazards(stays((1, 0, -1, 0, 2)))).probability[0], np.eye(3)),
    ("multistate.probabilities_at", "before the start", lambda: multistate.probabilities_at(
        multistate.transition_probabilities(multistate.hazards(stays((1, 0, 1, 0, 2))), 1.0), [0.5])[0],
     np.full((1, 3, 3), NAN)),
    ("multistate.occupation", "nobody", lambda: len(multistate.occupation(stays()).time), 0),
    ("multistate.occupation", "death at 0", lambda: multistate.occupation(
        stays((1, 0, 2, 0, 0))).probability[0], [0, 0, 1]),
    ("multistate.occupation", "nobody from the start", lambda: multistate.occupation(stays((1, 0, 2, 1, 3))), ERROR),
    ("multistate.cox_hazards", "no estimate", lambda: multistate.cox_hazards(
        a(1), a(1), np.ones((1, 1)), a(0), a(0), a(NAN), np.eye(1), [], 2), ERROR),
    ("describe.quantile", "nobody", lambda: describe.quantile(NO, 0.5), NAN),
    ("describe.describe", "nobody", lambda: [describe.describe(NO)[k] for k in ("n", "mean", "sd", "median")],
     [0, NAN, NAN, NAN]),
    ("describe.describe", "one", lambda: [describe.describe(a(3))[k] for k in ("mean", "sd", "q1")], [3, NAN, 3]),
    ("describe.describe", "infinite", lambda: describe.describe(a(INF)), ERROR),
    ("describe.geometric", "zero", lambda: describe.geometric(a(0, 1)), (NAN, NAN)),
    ("describe.geometric", "one", lambda: describe.geometric(a(2)), (2, NAN)),
    ("describe.geometric_limits", "one", lambda: describe.geometric_limits(a(2)), (NAN, NAN)),
    ("ranks.ranks", "nobody", lambda: ranks.ranks(NO), []),
    ("ranks.signed_rank", "no pair", lambda: ranks.signed_rank(NO), (NAN, NAN, 0)),
    ("ranks.signed_rank", "no change", lambda: ranks.signed_rank(a(0, 0)), (NAN, NAN, 0)),
    ("ranks.signed_rank", "one pair", lambda: ranks.signed_rank(a(2)), (1, 1, 1)),
    ("ranks.signed_rank", "missing", lambda: ranks.signed_rank(a(NAN)), ERROR),
    ("ranks.signed_rank_normal", "no change", lambda: ranks.signed_rank_normal(a(0, 0)), (NAN, NAN, 0)),
    ("ranks.hodges_lehmann_paired", "no change", lambda: ranks.hodges_lehmann_paired(a(0)).value, NAN),
    ("ranks.hodges_lehmann_paired", "one", lambda: vars(ranks.hodges_lehmann_paired(a(2))).values(), (2, NAN, NAN)),
    ("ranks.rank_sum", "an empty arm", lambda: ranks.rank_sum(NO, a(1)).p, NAN),
    ("ranks.rank_sum", "all equal", lambda: ranks.rank_sum(a(1, 1), a(1)).p, 1),
    ("ranks.rank_sum_normal", "all equal", lambda: ranks.rank_sum_normal(a(1, 1), a(1)).p, NAN),
    ("ranks.hodges_lehmann_shift", "an empty arm", lambda: ranks.hodges_lehmann_shift(NO, a(1)).value, NAN),
    ("ranks.kruskal_wallis", "one group", lambda: ranks.kruskal_wallis([a(1, 2), NO]), (NAN, 0, NAN)),
    ("ranks.kruskal_wallis", "all equal", lambda: ranks.kruskal_wallis([a(1), a(1)])[2], NAN),
    ("parametric.one_sample", "one", lambda: parametric.one_sample(a(1)).p, NAN),
    ("parametric.one_sample", "no spread", lambda: parametric.one_sample(a(1, 1)).p, NAN),
    ("parametric.one_sample", "nobody", lambda: parametric.one_sample(NO).estimate, NAN),
    ("parametric.two_sample", "an empty arm", lambda: parametric.two_sample(NO, a(1, 2)).estimate, NAN),
    ("parametric.two_sample", "no spread", lambda: parametric.two_sample(a(1, 1), a(2, 2)).p, NAN),
    ("parametric.pearson", "no spread", lambda: parametric.pearson(a(1, 1), a(1, 2)).value, NAN),
    ("parametric.pearson", "two pairs", lambda: parametric.pearson(a(1, 2), a(1, 2)).p, NAN),
    ("parametric.pearson", "lengths", lambda: parametric.pearson(a(1, 2), a(1)), ERROR),
    ("parametric.spearman", "no spread", lambda: parametric.spearman(a(1, 1), a(1, 2)).value, NAN),
    ("parametric.kendall", "one pair", lambda: parametric.kendall(a(1), a(1)).value, NAN),
    ("parametric.adjust", "no test", lambda: parametric.adjust(NO, "holm"), []),
    ("parametric.adjust", "undefined ones", lambda: parametric.adjust(a(NAN, 0.02), "holm"), [NAN, 0.02]),
    ("parametric.adjust", "above 1", lambda: parametric.adjust(a(1.5), "holm"), ERROR),
    ("linear.least_squares", "nobody", lambda: linear.least_squares(NO, np.zeros((0, 1))).variance, NAN),
    ("linear.least_squares", "missing", lambda: linear.least_squares(a(NAN), np.ones((1, 1))), ERROR),
    ("linear.contrast", "one value", lambda: linear.contrast(
        linear.least_squares(a(3), np.ones((1, 1))), a(1))[:2], (3, NAN)),
    ("linear.drop_term", "no variation left", lambda: linear.drop_term(a(1, 2), np.eye(2), [0]).p, NAN),
    ("linear.ancova", "nobody", lambda: linear.ancova(NO, NO, order=["A"]).mean(0).value, NAN),
    ("linear.ancova", "one value each", lambda: linear.ancova(a(1, 4), a(1, 2)).difference(1, 0)[:2], (3, NAN)),
    ("mixed.fit", "one value per patient", lambda: mixed.fit(
        a(1, 2, 3), np.ones((3, 1)), a(1, 2, 3), np.array([0, 1, 0])),
     ERROR),
    ("mixed.fit", "two values on a visit", lambda: mixed.fit(
        a(1, 2), np.ones((2, 1)), a(1, 1), np.array([0, 0])), ERROR),
    ("mixed.contrast", "unknown covariance", lambda: mixed.contrast(mixed.fit(
        a(1, 2, 4, 3), np.ones((4, 1)), a(1, 1, 2, 2), np.array([0, 1, 0, 1])), a(1), covariance="x"), ERROR),
    ("mixed_df.between_within", "nobody", lambda: mixed_df.between_within(np.zeros((0, 1)), NO)[0] <= 0, True),
    ("mixed_df.between_within", "lengths", lambda: mixed_df.between_within(np.ones((2, 1)), a(1)), ERROR),
    ("censored.tobit", "all below", lambda: censored.tobit(a(-INF, -INF), a(1, 1), np.ones((2, 1))).coef, [NAN]),
    ("censored.tobit", "one value", lambda: censored.tobit(a(2), a(2), np.ones((1, 1))).coef, [NAN]),
    ("censored.tobit", "no spread", lambda: censored.tobit(a(2, 2), a(2, 2), np.ones((2, 1))).coef, [NAN]),
    ("censored.tobit", "nobody", lambda: censored.tobit(NO, NO, np.ones((0, 1))).coef, [NAN]),
    ("censored.tobit", "reversed", lambda: censored.tobit(a(2), a(1), np.ones((1, 1))), ERROR),
    ("turnbull.turnbull", "nobody", lambda: turnbull.turnbull(NO, NO).quantile(0.5), (NAN, NAN)),
    ("turnbull.turnbull", "all below", lambda: turnbull.turnbull(a(-INF), a(1)).quantile(0.5), (-INF, 1)),
    ("turnbull.turnbull", "reversed", lambda: turnbull.turnbull(a(2), a(1)), ERROR),
    ("fourpl.fit", "too few points", lambda: fourpl.fit(a(1, 2), a(1, 2)).a, NAN),
    ("fourpl.fit", "flat", lambda: fourpl.fit(a(1, 2, 4, 8, 16), a(1, 1, 1, 1, 1)).a, NAN),
    ("fourpl.fit", "concentration 0", lambda: fourpl.fit(a(0, 1, 2, 3, 4), a(1, 2, 3, 4, 5)), ERROR),
    ("simon.characteristics", "p 0", lambda: vars(simon.characteristics(DESIGN, 0.0)).values(), (0, 1, 2)),
    ("simon.characteristics", "p above 1", lambda: simon.characteristics(DESIGN, 1.5), ERROR),
    ("simon.search", "p1 below p0", lambda: simon.search(0.5, 0.3, 0.05, 0.2), ERROR),
    ("simon.optimal", "no design", lambda: simon.optimal([]), ERROR),
    ("simon.minimax", "no design", lambda: simon.minimax([]), ERROR),
    ("simon.admissible", "no design", lambda: simon.admissible([]), ERROR),
    ("simon.tail", "more than all", lambda: simon.tail(DESIGN, 5, 0.5), ERROR),
    ("simon.umvue", "more than all", lambda: simon.umvue(DESIGN, 5), ERROR),
    ("simon.inference", "negative", lambda: simon.inference(DESIGN, -1, 0.5), ERROR),
    ("simon.single_stage", "p1 below p0", lambda: simon.single_stage(0.5, 0.3, 0.05, 0.2), ERROR),
    ("simon.boundary_crossing", "looks that fall", lambda: simon.boundary_crossing([5, 3], [1, 1], 0.2), ERROR),
    ("simon.toxicity_boundary", "no look", lambda: simon.toxicity_boundary(0.2, []), ERROR),
]  # fmt: skip

ELSEWHERE = {
    "inputs": "raised by the functions above",
    "distributions": "tests/unit/test_stats_properties.py",
    "rounding": "tests/unit/test_stats_properties.py",
    "risksets": "parts of cox",
    "cox.prepare": "part of cox.cox",
    "cox.independent": "part of cox.cox",
    "simon_conduct": "tests/unit/test_stats_simon_enumeration.py",
    "group_sequential": "tests/reference/test_stats_group_sequential.py",
    "event_numbers": "tests/reference/test_stats_group_sequential.py",
    "nca": "tests/unit/test_stats_nca_rules.py",
    "nca_area": "tests/unit/test_stats_nca_rules.py",
    "nca_profile": "tests/unit/test_stats_nca_rules.py",
    "nca_sparse": "tests/unit/test_stats_nca_rules.py",
    "nca_terminal": "tests/unit/test_stats_nca_rules.py",
    "nca_urine": "tests/unit/test_stats_nca_rules.py",
}
"""Modules and functions whose edges are held by other tests."""


@pytest.mark.parametrize(("name", "given", "call", "want"), CASES, ids=[f"{c[0]}: {c[1]}" for c in CASES])
def test_next_to_nothing(name: str, given: str, call: Callable[[], Any], want: Any) -> None:
    if want is ERROR:
        with pytest.raises(ValueError, match=r"\w"):
            call()
        return
    found = call()
    if not isinstance(found, (float, int, bool, np.generic)):
        found = np.asarray(list(found), float)
    np.testing.assert_allclose(np.asarray(found, float), np.asarray(want, float), rtol=1e-9, atol=1e-12, equal_nan=True)


def test_every_public_function_is_here() -> None:
    held = {name for name, _, _, _ in CASES}
    absent = []
    for module in pkgutil.iter_modules(trialpipe.stats.__path__):
        loaded = importlib.import_module(f"trialpipe.stats.{module.name}")
        for name, found in vars(loaded).items():
            whole = f"{module.name}.{name}"
            public = inspect.isfunction(found) and not name.startswith("_") and found.__module__ == loaded.__name__
            if public and whole not in held and not {module.name, whole} & set(ELSEWHERE):
                absent.append(whole)
    assert absent == []
    files = {place for place in ELSEWHERE.values() if place.startswith("tests/")}
    assert all((Path(__file__).resolve().parents[2] / name).is_file() for name in files)


@pytest.mark.parametrize("reml", [True, False])
def test_mixed_model_of_three_patients_who_do_not_differ(reml: bool) -> None:
    """Then it is least squares: no variance between patients, the residual variance over n - p (REML) or n."""
    y = a(-0.32374162, -1.86067576, -1.41304993, -0.30846151, -0.93210115, -0.32356878)
    visit, arm = np.tile([0, 1], 3), np.repeat([0, 1, 1], 2)
    x = np.column_stack([np.eye(2)[visit], arm])
    found = mixed.fit(y, x, np.repeat([1, 2, 3], 2), visit, reml=reml)
    rest = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    assert found.boundary
    np.testing.assert_allclose(found.components, [0, rest @ rest / (3 if reml else 6)], rtol=1e-9)
