"""docs/matrix.md from the rows."""
# ruff: noqa: E501

from __future__ import annotations

from collections.abc import Sequence

from matrix.compare import SMALL, Row, Statistic
from matrix.run import Family

HEAD = """# Matrix of statistics and oracles

Made by `make matrix` (data sets per statistic: {sets}, seed: {seed}); not edited by hand. Every statistic of the library is computed
on random small data sets, and beside it by other software or by its definition written out. No number here is compared with one the
project made itself. `tests/reference/test_matrix.py` runs fewer data sets and compares the rows of this page with the code.

* **Data sets**: few patients, whole numbers with many ties, groups of unequal size. One of twelve each: times without ties, all
  censored, one patient, one of the groups empty, events at time 0, no competing event, everybody at one time; tables with an empty
  row or column, no patient in a group, one patient in each, no success, successes only, strata of one patient; samples with one value,
  none, all values equal, no ties, all values below the limit of quantification; patients who do not differ, one value per patient.
* **Compared**: data sets on which the two gave the same numbers, or both gave none. **Numbers**: those compared; **both undefined**:
  those for which neither has a value, e.g. a median that is not reached or a test without variance.
* **Largest difference** is relative to the oracle's number, or to {small:g} where that is smaller.
* Where a difference has a known reason, it is named below the table with the numbers it concerns; any other difference above its
  tolerance ends `make matrix` and the test with an error. A warning of the library is an error too.

What the comparison goes around, because it is the oracle's own:

* `crr` of cmprsk reads the curve of censoring before a time t at t (1 - 100 eps), which at t = 0 is t itself: it is given times + 1, which
  changes nothing but this. By default it also stops about 2e-5 before the maximum: it is given the strictest rule that it can meet.
* `cuminc` writes -1 for a test whose variance is singular, `timepoints` nothing after the last observation.
* `coxph` prints where its search ended if a coefficient has no finite estimate (error above 50, or 0: no information): no number.
* `fisher.test` and `mantelhaen.test` find odds ratios to 1.2e-4 only; `mantelhaen.test` wants two strata and none of one subject.
* `survfit` of states takes the shares in which patients begin as known, and from those at risk at the first move.
* `summary(survfit, rmean=)` stops where everybody is followed beyond the end; the mean is then that end.
* `survreg` and `lme` print numbers where there is nothing to estimate (no exact value, no spread left).
"""


def line(statistic: Statistic) -> str:
    """Beginning of a row, which the code alone determines."""
    return f"| {statistic.name} | {statistic.oracle} |"


def render(found: Sequence[tuple[Family, Sequence[Row]]], sets: int, seed: int) -> str:
    parts = [HEAD.format(sets=f"{sets:,}", seed=seed, small=SMALL)]
    for family, rows in found:
        parts.append(f"\n## {family.name}\n")
        parts.append("| statistic | oracle | compared | numbers | both undefined | largest difference | tolerance |")
        parts.append("| --- | --- | --- | --- | --- | --- | --- |")
        for row in rows:
            known = row.statistic
            bound = f"{known.tolerance:.0e}" + (f" ({known.reason})" if known.reason else "")
            parts.append(
                f"{line(known)} {row.sets:,} | {row.numbers:,} | {row.undefined:,} | {_size(row.worst)} | {bound} |"
            )
        notes = [
            f"* {row.statistic.name}: {reason} ({count:,} numbers)."
            for row in rows
            for reason, count in sorted(row.excused.items())
        ]
        if notes:
            parts += ["", *notes]
    return "\n".join(parts) + "\n"


def _size(worst: float) -> str:
    """Differences below what a sum of floats can promise are told as such, so that the page is the same on each machine."""
    return "below 1e-12" if worst < 1e-12 else f"below 1e{_exponent(worst):+03d}"


def _exponent(worst: float) -> int:
    return int(f"{worst:e}".partition("e")[2]) + 1
