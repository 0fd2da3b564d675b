"""Covariates of a regression: numbers as they are, factors by indicators against their first level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from trialpipe.analyse.context import Context, level_order, text
from trialpipe.io.errors import DataError


class Term(NamedTuple):
    """A column of the design: variable and, for a factor, ``level vs reference``."""

    variable: str
    contrast: str | None = None


class Design(NamedTuple):
    """``matrix`` (rows, terms) for the rows where ``known``; ``notes`` on what was left out."""

    terms: tuple[Term, ...]
    matrix: np.ndarray
    known: np.ndarray
    notes: tuple[str, ...]


def design(
    context: Context, frame: pd.DataFrame, variables: Sequence[str], reference: Mapping[str, str] | None = None
) -> Design:
    """Design of ``variables`` of ADSL for the patients of ``frame``, in its order.

    A row with a missing covariate is not known. Factor levels that no known row has are left out; the first of the
    others is the reference, unless ``reference`` names another. Raises DataError if it names a level nobody has.
    """
    values = context.subjects.set_index("USUBJID").loc[list(frame["USUBJID"]), list(variables)]
    known = values.notna().all(axis=1).to_numpy(dtype=bool)
    notes = [f"{int((~known).sum())} patient(s) with a missing covariate left out"] if not known.all() else []
    terms: list[Term] = []
    columns: list[np.ndarray] = []
    for variable in variables:
        column = values[variable][known]
        if pd.api.types.is_numeric_dtype(column):
            terms.append(Term(variable))
            columns.append(column.to_numpy(dtype=float))
            continue
        labels = [text(value) for value in column]
        levels = [v for v in level_order(variable, context.protocol, filter(None, labels)) if v in set(labels)]
        levels = _reference_first(context, variable, levels, (reference or {}).get(variable))
        if len(levels) < 2:
            notes.append(f"{variable} has one level only")
        for level in levels[1:]:
            terms.append(Term(variable, f"{level} vs {levels[0]}"))
            columns.append(np.array([label == level for label in labels], float))
    matrix = np.column_stack(columns) if columns else np.zeros((int(known.sum()), 0))
    return Design(tuple(terms), matrix, known, tuple(notes))


def _reference_first(context: Context, variable: str, levels: list[str], wanted: str | None) -> list[str]:
    if wanted is None or not levels:
        return levels
    if wanted not in levels:
        item = f"outcome {context.outcome.id} {context.name} reference.{variable}"
        message = "is the level of no patient at hand"
        raise DataError("outcomes.yaml", None, item, wanted, message, f"name one of {', '.join(levels)}")
    return [wanted, *(level for level in levels if level != wanted)]
