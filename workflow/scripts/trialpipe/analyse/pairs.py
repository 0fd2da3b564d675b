"""Comparisons of the levels of a variable with one of them."""

from __future__ import annotations

from collections.abc import Iterator

from trialpipe.analyse.context import MISSING, Context, Group
from trialpipe.io.errors import DataError


def pairs(context: Context, reference: str | None) -> Iterator[tuple[Group, Group]]:
    """(level, reference level) for every other level in declared order; the reference is the last one if None.

    Raises DataError if the reference is no level.
    """
    levels = [level for level in context.levels if level.label != MISSING]
    item = f"outcome {context.outcome.id} {context.name}.reference"
    labels = [level.label for level in levels]
    chosen = reference if reference is not None else (labels[-1] if labels else None)
    if chosen not in labels:
        cure = f"use one of {', '.join(labels) or 'none'}"
        raise DataError("outcomes.yaml", None, item, chosen, f"is no level of {context.analysis.by}", cure)
    against = levels[labels.index(chosen)]
    for level in levels:
        if level is not against:
            yield level, against
