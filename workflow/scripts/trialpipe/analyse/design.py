"""Covariates of a regression: numbers as they are, factors by indicators against their first level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from trialpipe.analyse.context import Context, level_order, text


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


def design(context: Context, frame: pd.DataFrame, variables: Sequence[str]) -> Design:
    """Design of ``variables`` of ADSL for the patients of ``frame``, in its order.

    A row with a missing covariate is not known. Factor levels that no known row has are left out; the first of the
    others is the reference.
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
        if len(levels) < 2:
            notes.append(f"{variable} has one level only")
        for level in levels[1:]:
            terms.append(Term(variable, f"{level} vs {levels[0]}"))
            columns.append(np.array([label == level for label in labels], float))
    matrix = np.column_stack(columns) if columns else np.zeros((int(known.sum()), 0))
    return Design(tuple(terms), matrix, known, tuple(notes))
