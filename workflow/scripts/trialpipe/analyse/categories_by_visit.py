"""Counts of text results per parameter and visit."""

from __future__ import annotations

from typing import Any

from trialpipe.analyse.context import Context
from trialpipe.analyse.visits import alive, analysed, visit_of
from trialpipe.config.analyses import CategoriesByVisit

NO_RESULT = "Missing"


def run(analysis: CategoriesByVisit, context: Context) -> list[dict[str, Any]]:
    """n / patients with a result per category with exact limits, then patients of the group without a result
    unless ``missing`` is false.

    A result outside the declared categories is a line of its own, so that the lines add up.
    """
    found: list[dict[str, Any]] = []
    for parameter in analysis.parameters:
        for visit in analysis.visits:
            for group in context.groups:
                frame = analysed(context.of(group), parameter, visit)
                frame = frame[frame["AVALC"].notna()]
                place: dict[str, Any] = {"parameter": parameter, "variable": "AVALC", "visit": visit}
                others = sorted(set(frame["AVALC"]) - set(analysis.categories))
                for category in (*analysis.categories, *others):
                    found += context.proportion(
                        context.behind(frame[frame["AVALC"] == category]),
                        group,
                        context.behind(frame),
                        analysis.conf_level,
                        category=category,
                        **place,
                    )
                if not analysis.missing:
                    continue
                absent = group.subjects[~group.subjects["USUBJID"].isin(set(frame["USUBJID"]))]
                living = alive(context, absent, visit_of(context, context.dataset, visit))
                note = f"{len(living)} of them alive on the target day" if living is not None else None
                found += context.proportion(
                    context.patients(absent["USUBJID"]), group, note=note, category=NO_RESULT, **place
                )
    return found
