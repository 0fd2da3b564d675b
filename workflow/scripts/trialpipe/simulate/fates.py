"""Who the patients are and how they end. Drawn in blocks of the planned number, so that a longer list of patients
starts with the shorter one and every block holds the rare ends."""

from __future__ import annotations

import numpy as np

from trialpipe.simulate.parameters import Parameters
from trialpipe.simulate.patient import FATES, Traits
from trialpipe.simulate.rng import stream


def block(p: Parameters, seed: int, number: int) -> list[tuple[Traits, str]]:
    """Traits and fate of the patients of one block.

    The frail (severe, poor response to the drug) are the likelier to die before HSCT; the other ends are drawn
    among the rest.
    """
    size = int(p.number("planned_n"))
    rng = stream(seed, "block", number)
    neonates = set(rng.permutation(size)[: int(p.number("neonates"))].tolist())
    people = [_traits(p, seed, number * size + k, k in neonates) for k in range(size)]
    counts = _counts(p, rng, size)
    noise = rng.normal(size=size) * p.number("fate_noise")
    frailty = [_frailty(p, person) + noise[k] for k, person in enumerate(people)]
    order = sorted(range(size), key=lambda k: -frailty[k])
    dead, rest = order[: counts["dead"]], order[counts["dead"] :]
    rest = [rest[k] for k in rng.permutation(len(rest))]
    fates = dict.fromkeys(dead, "dead")
    for fate in FATES[1:]:
        taken, rest = rest[: counts[fate]], rest[counts[fate] :]
        fates.update(dict.fromkeys(taken, fate))
    return [(person, fates[k]) for k, person in enumerate(people)]


def _frailty(p: Parameters, person: Traits) -> float:
    severe = np.log(person.severity) / p.number("severity_log_sd")
    resistant = -np.log(person.kill / p.number("kill_median")) / p.number("kill_log_sd")
    return float(severe + resistant)


def _counts(p: Parameters, rng: np.random.Generator, size: int) -> dict[str, int]:
    share, least = p.table("fates"), p.table("least")
    weights = np.array([share[fate] for fate in FATES])
    drawn = rng.multinomial(size, weights / weights.sum())
    counts = {fate: max(int(n), int(least.get(fate, 0))) for fate, n in zip(FATES, drawn, strict=True)}
    counts["transplanted"] = size - sum(counts[fate] for fate in FATES if fate != "transplanted")
    return counts


def _traits(p: Parameters, seed: int, index: int, neonate: bool) -> Traits:
    rng = stream(seed, "traits", index)
    age = _age_days(p, rng, neonate)
    genes, months = p.table("genes"), age / 30.4375
    weights = np.array(list(genes.values()))
    sites = np.array(p.numbers("sites"))
    weight = _by_age(p.table("weight_at_months"), months) * float(np.exp(rng.normal() * 0.08))
    return Traits(
        index=index,
        age_days=age,
        sex="M" if rng.random() < p.number("male") else "F",
        gene=str(list(genes)[int(rng.choice(len(genes), p=weights / weights.sum()))]),
        family=bool(rng.random() < p.number("family_history")),
        cns=bool(rng.random() < p.number("cns_at_inclusion")),
        site=int(rng.choice(len(sites), p=sites / sites.sum())) + 1,
        severity=float(np.exp(rng.normal() * p.number("severity_log_sd"))),
        kill=p.number("kill_median") * float(np.exp(rng.normal() * p.number("kill_log_sd"))),
        weight=round(weight, 1),
        height=round(_by_age(p.table("height_at_months"), months) * float(np.exp(rng.normal() * 0.04))),
    )


def _age_days(p: Parameters, rng: np.random.Generator, neonate: bool) -> int:
    if neonate:
        return int(rng.integers(6, 27))
    if rng.random() < p.number("late_onset"):
        return int(rng.uniform(4, p.number("age_max")) * 365.25)
    months = p.number("age_median") * float(np.exp(rng.normal() * p.number("age_log_sd")))
    return int(min(max(months, 1.1), p.number("age_max") * 12) * 30.4375)


def _by_age(points: dict[str, float], months: float) -> float:
    at = [float(m) for m in points]
    return float(np.interp(months, at, list(points.values())))
