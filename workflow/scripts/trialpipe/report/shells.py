"""Table shells: which statistics of an analysis kind stand in which column. Data; ``tables.table`` interprets it."""

from __future__ import annotations

from dataclasses import dataclass, field

from trialpipe.config.analyses import AnyAnalysis

DIMENSIONS = {
    "group": "Group",
    "stratum": "Stratum",
    "variable": "",
    "parameter": "Parameter",
    "term": "",
    "category": "",
    "base_visit": "From",
    "visit": "Visit",
    "time": "Day",
}
"""Result columns that make the lines of a table, in nesting order, with their headers."""


@dataclass(frozen=True)
class Shell:
    """How an analysis kind is laid out.

    ``columns``: (header, patterns); a pattern names statistics in braces, the first of several (separated by a bar)
    whose statistics are there is printed; ``{level}`` in a header is the confidence level. ``titles``: headers of
    dimensions, ``under`` that of categories which stand under a parameter; ``hide``: dimensions left out;
    ``unless_zero``: columns left out if 0 throughout; ``first``: dimensions that lead the line; ``groups``: whether
    groups are blocks of ``columns``, ``lines``, or ``beside`` each other if several need few columns; ``displays``: a
    table per value of ``variable``, which names the display; ``tests``: header of a last block of columns, which holds
    the rows with a term.
    """

    columns: tuple[tuple[str, str], ...]
    titles: dict[str, str] = field(default_factory=dict)
    hide: tuple[str, ...] = ()
    groups: str = "lines"
    first: tuple[str, ...] = ()
    displays: bool = False
    unless_zero: tuple[str, ...] = ()
    tests: str = ""


def layout(analysis: AnyAnalysis) -> str:
    """The shell of an analysis: its kind, or a variant of it."""
    return "baseline/mean" if analysis.kind == "baseline" and analysis.mean else analysis.kind


SHARE = ("n/N (%)", "{n}/{denominator} ({percent} %)|{n}/{denominator}|{n}")
MEDIAN = "{median} [{q1}, {q3}], {min} to {max} ({n})"
INTERVAL = ("{level} CI", "{lower} to {upper}")
TEST = ("p", "{p}")
SPREAD = (
    ("Mean (SD)", "{mean} ({sd})|{mean}"),
    ("Median", "{median}"),
    ("Q1 to Q3", "{q1} to {q3}"),
    ("Range", "{min} to {max}"),
)
RATIO = (
    ("n", "{n}"),
    ("Events", "{events}"),
    ("Coefficient", "{coef}"),
    ("SE", "{std_err}"),
    ("Hazard ratio", "{hr}"),
    INTERVAL,
    ("Log-likelihood", "{loglik}"),
    ("Chi-square", "{chi_square}"),
    TEST,
)

SHELLS: dict[str, Shell] = {
    "adverse_events": Shell(
        (
            ("Patients, n/N (%)", SHARE[1]),
            ("Events", "{events}"),
            ("Patient-months", "{person_time}"),
            ("Rate per 100 patient-months", "{rate}"),
            INTERVAL,
            TEST,
        ),
        titles={"parameter": "System organ class", "under": "Preferred term"},
        hide=("variable",),
        groups="beside",
        displays=True,
    ),
    "ancova": Shell(
        (
            ("n", "{n}"),
            ("Adjusted mean", "{ls_mean}"),
            ("Difference", "{mean_difference}"),
            ("SE", "{std_err}"),
            INTERVAL,
            ("F", "{f}"),
            TEST,
            ("Variance", "{variance}"),
        ),
        hide=("variable",),
    ),
    "baseline": Shell(
        (
            (
                "Median [Q1, Q3], range (number of patients), or n/N (%)",
                f"{MEDIAN}|{SHARE[1]}",
            ),
            TEST,
        ),
        titles={"variable": "Characteristic"},
        hide=("parameter", "term"),
        groups="columns",
        tests="p",
    ),
    "baseline/mean": Shell(
        (
            (
                "Mean (SD); median, range (number of patients), or n/N (%)",
                "{mean} ({sd})\n{median}, {min} to {max} ({n})|" + f"{MEDIAN}|{SHARE[1]}",
            ),
            TEST,
        ),
        titles={"variable": "Characteristic"},
        hide=("parameter", "term"),
        groups="columns",
        tests="p",
    ),
    "categories_by_visit": Shell(
        (SHARE, INTERVAL, ("Missing", "{missing}"), ("Alive", "{alive}")),
        hide=("variable",),
        first=("parameter", "visit", "group"),
    ),
    "cmh": Shell(
        (
            SHARE,
            ("Odds ratio", "{odds_ratio}"),
            INTERVAL,
            ("Chi-square", "{chi_square}"),
            TEST,
        ),
        hide=("variable",),
    ),
    "cox": Shell(RATIO),
    "cumulative_incidence": Shell(
        (
            ("n", "{n}"),
            ("Events", "{cum_events}|{events}"),
            ("Censored", "{censored}"),
            ("Left out", "{missing}"),
            ("At risk", "{n_risk}"),
            ("Cumulative incidence", "{cif}"),
            ("SE", "{std_err}"),
            INTERVAL,
            ("Chi-square", "{chi_square}"),
            TEST,
        ),
        titles={"category": "Event"},
    ),
    "describe_by_visit": Shell(
        (
            ("Alive at the end of the day", "{alive}"),
            ("With a value", "{n}"),
            ("<LLOQ (%)", "{n_below} ({percent_below} %)|{n_below}"),
            (">ULOQ", "{n_above}"),
            *SPREAD,
            ("Geometric mean (CV %)", "{geometric_mean} ({geometric_cv})|{geometric_mean}"),
        ),
        hide=("variable",),
        unless_zero=("<LLOQ (%)", ">ULOQ"),
        first=("parameter", "visit", "group"),
    ),
    "deviations": Shell((SHARE,), titles={"parameter": "Criterion", "category": "Patients"}, hide=("variable",)),
    "difference_at_time": Shell(
        (
            ("n", "{n}"),
            ("Events", "{cum_events}"),
            ("Difference", "{difference}"),
            ("Ratio", "{ratio}"),
            ("SE", "{std_err}"),
            INTERVAL,
            ("Chi-square", "{chi_square}"),
            TEST,
        )
    ),
    "difference_in_proportions": Shell(
        (
            SHARE,
            ("Difference (percentage points)", "{risk_difference}"),
            INTERVAL,
            ("Chi-square", "{chi_square}"),
            TEST,
        ),
        hide=("category",),
    ),
    "first_events": Shell((SHARE,), titles={"category": "First event"}),
    "event_time": Shell((("Patients with the event", "{n}"), *SPREAD), hide=("category",)),
    "fine_gray": Shell(RATIO),
    "flow": Shell((("Patients", "{n}"),)),
    "sparse_area": Shell(
        (
            ("Samples", "{n}"),
            ("Below the limit", "{n_below}"),
            ("Area", "{auc}"),
            ("SE", "{std_err}"),
            INTERVAL,
        ),
        hide=("variable",),
        first=("parameter", "group"),
    ),
    "in_bands": Shell(
        (SHARE, INTERVAL, ("Undetermined", "{undetermined}"), ("Missing", "{missing}"), ("Alive", "{alive}")),
        hide=("variable",),
    ),
    "infections": Shell((SHARE, INTERVAL), titles={"parameter": "Virus", "category": "Infection"}),
    "length_of_stay": Shell(
        (SHARE, ("Median", "{median}"), ("Q1 to Q3", "{q1} to {q3}"), ("Range", "{min} to {max}")),
        titles={"category": "Patients"},
        hide=("variable",),
        displays=True,
    ),
    "nosocomial": Shell(
        (
            ("Patients, n/N (%)", SHARE[1]),
            ("Episodes", "{events}"),
            ("Patient-days at risk", "{person_days}"),
            ("Rate per 1000 patient-days", "{rate_days}"),
            INTERVAL,
        ),
        titles={"parameter": "Infection"},
        hide=("variable", "category"),
        displays=True,
    ),
    "kaplan_meier": Shell(
        (
            ("n", "{n}"),
            ("Events", "{cum_events}|{events}"),
            ("Censored", "{censored}"),
            ("Left out", "{missing}"),
            ("At risk", "{n_risk}"),
            ("Estimate", "{survival}|{median}|{quantile}|{rmst}"),
            ("SE", "{std_err}"),
            INTERVAL,
        )
    ),
    "logrank": Shell(
        (
            ("n", "{n}"),
            ("Observed", "{observed}|{events}"),
            ("Expected", "{expected}"),
            ("Chi-square", "{chi_square}"),
            TEST,
        )
    ),
    "paired_change": Shell(
        (
            ("Pairs", "{n}"),
            ("Up", "{n_up}"),
            ("Down", "{n_down}"),
            ("Not distinguishable", "{n_tie}"),
            ("Median change", "{median_change}"),
            ("Median ratio", "{median_ratio}"),
            TEST,
        ),
        hide=("variable",),
    ),
    "mixed_model": Shell(
        (
            ("With a value at the visit", "{n}"),
            ("Mean", "{ls_mean}"),
            ("Difference", "{mean_difference}"),
            ("SE", "{std_err}"),
            INTERVAL,
            TEST,
            ("Variance", "{variance}"),
        ),
        hide=("variable",),
    ),
    "intercurrent_events": Shell(
        (("Patients found, n/N (%)", SHARE[1]),),
        titles={"category": "Intercurrent event", "term": "Declared strategy"},
        first=("category", "term"),
        groups="beside",
    ),
    "planned": Shell((("Result", "{estimate}"),)),
    "populations": Shell((SHARE,)),
    "proportion": Shell((SHARE, INTERVAL, TEST), titles={"category": "State"}),
    "responder_time": Shell((("Responders", "{n}"), *SPREAD), hide=("parameter", "category")),
    "response_by_visit": Shell(
        (SHARE, INTERVAL), titles={"category": "Response"}, hide=("parameter",), first=("group", "visit")
    ),
    "response_incidence": Shell(
        (
            ("n", "{n}"),
            ("At risk", "{n_risk}"),
            ("Events", "{cum_events}|{events}"),
            ("Cumulative incidence", "{cif}"),
            ("SE", "{std_err}"),
            INTERVAL,
        ),
        titles={"category": "Event"},
        hide=("parameter",),
    ),
    "response_turnbull": Shell(
        (("n", "{n}"), ("Probability", "{probability}|{survival}|{cif}"), ("Median", "{median}")),
        titles={"category": "Days", "term": "Days"},
        hide=("parameter", "time"),
    ),
    "state_occupation": Shell(
        (
            ("n", "{n}"),
            ("Left out", "{missing}"),
            ("In the state before", "{n_risk}"),
            ("Probability", "{occupation}"),
            ("SE", "{std_err}"),
            INTERVAL,
        ),
        titles={"term": "From", "category": "State"},
    ),
    "simon_two_stage": Shell(
        (
            ("p0", "{p0}"),
            ("p1", "{p1}"),
            ("Nominal \u03b1", "{alpha}"),
            ("Nominal power", "{power}"),
            ("r1/n1", "{bound1}/{size1}"),
            ("r/n", "{bound}/{size}|{size}"),
            ("EN(p0)", "{size_p0}"),
            ("EN(p1)", "{size_p1}"),
            ("PET(p0)", "{stop_p0}"),
            ("PET(p1)", "{stop_p1}"),
            ("Exact \u03b1", "{type1}"),
            ("Exact power", "{exact_power}"),
            ("Best for w", "{weight_low} to {weight_high}"),
            ("Successes/patients (%)", SHARE[1]),
            ("Decision", "{decision}"),
            ("Fewest successes that reject", "{critical}"),
            ("Conditional \u03b1", "{conditional_error}"),
            ("MLE (%)", "{mle}"),
            ("UMVUE (%)", "{umvue}"),
            ("Median-unbiased (%)", "{median_unbiased}"),
            INTERVAL,
            ("One-sided p", "{p}"),
            ("P(reject p0)", "{reject}"),
            ("P(stop after stage 1)", "{stop_early}"),
            ("Expected n", "{expected_size}"),
        ),
        hide=("variable",),
        displays=True,
    ),
}
