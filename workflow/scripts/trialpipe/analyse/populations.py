"""Size of every analysis set among all patients of ADSL."""

from __future__ import annotations

from typing import Any

from trialpipe.analyse.context import OVERALL, Context, Group, split
from trialpipe.analyse.rows import DENOMINATOR, behind
from trialpipe.config.analyses import Populations


def run(analysis: Populations, context: Context) -> list[dict[str, Any]]:
    """n and number of patients in ADSL per analysis set and group; the category is the set's id."""
    everyone = context.datasets["adsl"].sort_values("USUBJID", kind="stable")
    groups = [*split(everyone, analysis.by, context.protocol)]
    if analysis.overall or not groups:
        groups.append(Group(OVERALL, everyone))
    found: list[dict[str, Any]] = []
    for population in context.protocol.populations:
        for group in groups:
            members = group.subjects[group.subjects[population.variable] == "Y"]
            roles = {"n": behind("adsl", members), DENOMINATOR: behind("adsl", group.subjects)}
            stats = {"n": len(members), "denominator": len(group.subjects)}
            found += context.cell(stats, roles, dataset="adsl", group=group.label, category=population.id)
    return found
