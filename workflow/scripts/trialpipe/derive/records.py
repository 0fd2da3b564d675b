"""Records of a clean domain as derivation sees them: filtered, before the cut-off, each occurrence once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from trialpipe.derive.days import column, days
from trialpipe.io.sdtm import date_columns, prefix


def matching(frame: pd.DataFrame, where: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Rows in which every named variable holds one of its values; a variable the domain lacks matches nothing."""
    keep = pd.Series(True, index=frame.index)
    for variable, values in where.items():
        keep &= column(frame, variable).isin(list(values))
    return frame[keep]


def usable(frame: pd.DataFrame, date_variable: str | None, cutoff: int) -> pd.DataFrame:
    """Rows without those flagged AFTER_CUTOFF, dated after ``cutoff`` (day number), or repeating a record.

    ``date_variable`` is a --DTC variable of the domain or None. Of records with one natural key the first
    occurrence stays, the others leave if flagged DUPLICATE. The result is sorted by ``row_id``.
    """
    ordered = frame.sort_values("row_id", kind="stable")
    flags = [set(value) if isinstance(value, (list, tuple)) else set() for value in ordered["flags"]]
    late = pd.Series(["AFTER_CUTOFF" in flag for flag in flags], index=ordered.index, dtype=bool)
    if date_variable is not None:
        low = days(column(ordered, date_columns(date_variable).low))
        late |= pd.Series([value is not None and value > cutoff for value in low], index=ordered.index, dtype=bool)
    repeated = _repeats(list(ordered["row_id"]), ["DUPLICATE" in flag for flag in flags])
    return ordered[~late & ~pd.Series(repeated, index=ordered.index, dtype=bool)]


def not_done(frame: pd.DataFrame, domain: str) -> pd.Series:
    """True for findings that were planned but not done: no evidence that the patient was seen."""
    return column(frame, f"{prefix(domain)}STAT") == "NOT DONE"


def tail(row_id: str, usubjid: str) -> str:
    """The part of a clean row id after domain and subject: natural key and occurrence."""
    return row_id.split(":", 1)[-1].removeprefix(f"{usubjid}/")


def _repeats(row_ids: list[str], duplicate: list[bool]) -> list[bool]:
    stems = [row_id.rpartition("/") for row_id in row_ids]
    first: dict[str, int] = {}
    for stem, _, occurrence in stems:
        number = int(occurrence) if occurrence.isdigit() else 0
        first[stem] = min(number, first.get(stem, number))
    return [
        flagged and (int(occurrence) if occurrence.isdigit() else 0) > first[stem]
        for (stem, _, occurrence), flagged in zip(stems, duplicate, strict=True)
    ]
