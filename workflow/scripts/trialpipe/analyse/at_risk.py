"""Patient-time at risk of adverse events in a window."""

from __future__ import annotations

import pandas as pd

from trialpipe.config.datasets import AEWindow
from trialpipe.config.protocol import Protocol

DAYS_PER_MONTH = 30.4375
DEATH = "death"
METHOD = (
    "Patients with a first event per 100 patient-months (1 month = 30.4375 days), exact Poisson interval (Garwood); "
    "time at risk ends at the first such event, death, the end of the window or the last day known alive"
)
_DAY = pd.Timedelta(days=1)


def spans(subjects: pd.DataFrame, window: AEWindow, protocol: Protocol) -> pd.DataFrame:
    """USUBJID, START and END of the time at risk without an event; patients whose window never opens are left out.

    A partial start counts as its first possible day, a partial end as its last possible day.
    """
    names = {m.id: m.variable for m in protocol.milestones}
    start = _bound(subjects, names[window.start], "LO")
    closings = [_bound(subjects, names[milestone], "HI") for milestone in window.ends]
    closings += [_bound(subjects, names[milestone], "HI") - _DAY for milestone in window.before]
    if window.until is not None:
        closings.append(start + window.until * _DAY)
    ends = [pd.to_datetime(subjects[protocol.last_alive.variable])]
    if closings:
        ends.append(_first(closings) + (window.extend or 0) * _DAY)
    if DEATH in names:
        ends.append(_bound(subjects, names[DEATH], "HI"))
    end = _first(ends)
    frame = pd.DataFrame({"USUBJID": subjects["USUBJID"], "START": start, "END": end})
    return frame[start.notna() & end.notna()]


def _first(dates: list[pd.Series]) -> pd.Series:
    """The earliest date per row."""
    return pd.concat([one.rename(str(i)) for i, one in enumerate(dates)], axis=1).min(axis=1)


def first_events(events: pd.DataFrame) -> pd.DataFrame:
    """The first event of every patient; one with an unknown start comes first."""
    ordered = events.sort_values(["USUBJID", "ASTDT", "row_id"], kind="stable", na_position="first")
    return ordered.drop_duplicates("USUBJID")


def months(spans: pd.DataFrame, first: pd.DataFrame) -> tuple[float, list[str]]:
    """(patient-months until the first event or the end, notes). An unknown start ends the time where it begins."""
    onset = first.set_index("USUBJID")["ASTDT"]
    unknown = set(onset[onset.isna()].index) & set(spans["USUBJID"])
    stop = pd.to_datetime(spans["USUBJID"].map(onset)).clip(lower=spans["START"])
    stop = stop.where(~spans["USUBJID"].isin(unknown), spans["START"])
    end = spans["END"].where(stop.isna() | (stop > spans["END"]), stop)
    days = ((end - spans["START"]) / _DAY).clip(lower=0)
    notes = [f"{len(unknown)} patient(s) with an unknown start: no time at risk"] if unknown else []
    at_once = int(((days == 0) & spans["USUBJID"].isin(set(onset.index) - unknown)).sum())
    if at_once:
        notes.append(f"{at_once} patient(s) with the event on the first day: no time at risk")
    return int(days.sum()) / DAYS_PER_MONTH, notes


def _bound(subjects: pd.DataFrame, name: str, which: str) -> pd.Series:
    column = f"{name}_{which}" if f"{name}_{which}" in subjects.columns else name
    return pd.to_datetime(subjects[column])
