"""Scores of gene expression over healthy controls; what they are stands in a table of reference.

A count is an interval: a point, or from zero up to the limit of detection of its lane. Medians and ratios of
intervals are intervals; what they leave open is said as a censored score.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from trialpipe.config.yaml_strict import load
from trialpipe.io.reference import REFERENCE

TABLE = "expression_scores.yaml"
METHODS = ("median_fold_change", "z_sum")


class Range(NamedTuple):
    """Where a value lies: a point if both ends are equal; ``high`` is inf if nothing bounds it."""

    low: float
    high: float


@dataclass(frozen=True)
class Score:
    id: str
    method: str
    genes: tuple[str, ...]


@dataclass(frozen=True)
class Definitions:
    """The table; see its head for what the entries mean."""

    controls: str
    positives: tuple[str, ...]
    deviations: float
    least: float
    most_below: float
    scores: tuple[Score, ...]

    @property
    def genes(self) -> frozenset[str]:
        return frozenset(gene for score in self.scores for gene in score.genes)


@dataclass(frozen=True)
class Reference:
    """A gene in the controls. ``center`` is the median; ``mean`` and ``sd`` are of log2, censored ones at their limit.

    ``sd`` is None if it is zero or cannot be computed; ``n`` controls, of which ``below`` are censored.
    """

    center: Range
    mean: float
    sd: float | None
    n: int
    below: int


def definitions() -> Definitions:
    """The table of scores. ValueError for a method that does not exist."""
    data = load(REFERENCE / TABLE).data
    scores = tuple(Score(entry["id"], entry["method"], tuple(entry["genes"])) for entry in data["scores"])
    for score in scores:
        if score.method not in METHODS:
            raise ValueError(f"{TABLE}: score {score.id}: method '{score.method}' is none of {', '.join(METHODS)}")
    return Definitions(
        controls=data["controls"],
        positives=tuple(data["positives"]),
        deviations=float(data["detection_deviations"]),
        least=float(data["detection_least"]),
        most_below=float(data["most_controls_below"]),
        scores=scores,
    )


def reference(values: Sequence[Range]) -> Reference:
    """What the controls (at least one) say of a gene; ``values`` are normalised counts with positive upper ends."""
    logs = [math.log2(value.high) for value in values]
    mean = math.fsum(logs) / len(logs)
    spread = _sd(logs)
    center = Range(median([value.low for value in values]), median([value.high for value in values]))
    below = sum(value.low != value.high for value in values)
    return Reference(center, mean, spread if spread and spread > 1e-9 else None, len(values), below)


def scorable(score: Score, gene: Reference, most_below: float) -> bool:
    """Whether a value of the gene can be compared with these controls."""
    return score.method != "z_sum" or (gene.sd is not None and gene.below <= most_below * gene.n)


def value(score: Score, counts: Mapping[str, Range], controls: Mapping[str, Reference]) -> Range:
    """The score of a lane; KeyError if a gene is missing in either."""
    if score.method == "z_sum":
        parts = [_z(counts[gene], controls[gene]) for gene in score.genes]
        return Range(math.fsum(part.low for part in parts), math.fsum(part.high for part in parts))
    parts = [_fold(counts[gene], controls[gene].center) for gene in score.genes]
    return Range(median([part.low for part in parts]), median([part.high for part in parts]))


def censored(found: Range) -> tuple[float | None, str]:
    """(number or bound, none, left or right); no number if the interval has no bound at all.

    An interval with two ends is given by its upper end.
    """
    if found.low == found.high:
        return found.high, "none"
    if not math.isinf(found.high):
        return found.high, "left"
    return (found.low, "right") if found.low > 0 else (None, "none")


def median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def geometric_mean(values: Sequence[float]) -> float:
    """Of positive values."""
    return 2 ** (math.fsum(math.log2(v) for v in values) / len(values))


def detection(negatives: Sequence[float], deviations: float) -> float:
    """Mean + so many standard deviations (n - 1) of the negative controls of a lane."""
    return math.fsum(negatives) / len(negatives) + deviations * (_sd(negatives) or 0.0)


def linearity(concentrations: Sequence[float], counts: Sequence[float]) -> float:
    """Squared correlation of log2 count and log2 concentration; 0 for counts that are all equal."""
    x, y = [math.log2(v) for v in concentrations], [math.log2(v) for v in counts]
    center_x, center_y = math.fsum(x) / len(x), math.fsum(y) / len(y)
    xx = math.fsum((v - center_x) ** 2 for v in x)
    yy = math.fsum((v - center_y) ** 2 for v in y)
    xy = math.fsum((a - center_x) * (b - center_y) for a, b in zip(x, y, strict=True))
    return xy * xy / (xx * yy) if xx > 0 and yy > 0 else 0.0


def _fold(count: Range, center: Range) -> Range:
    return Range(count.low / center.high, count.high / center.low if center.low > 0 else math.inf)


def _z(count: Range, controls: Reference) -> Range:
    assert controls.sd is not None
    high = (math.log2(count.high) - controls.mean) / controls.sd
    return Range(high if count.low == count.high else -math.inf, high)


def _sd(values: Sequence[float]) -> float | None:
    if len(values) < 2:
        return None
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))
